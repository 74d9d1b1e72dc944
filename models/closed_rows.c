#include "models/closed_rows.h"

#include "core/base/alloc.h"
#include "core/tensor/fetch_row.h"
#include "core/tensor/nonzero.h"

static hg_off room_for(hg_off rows, int cols, double share) { return (hg_off)(share * (double)rows * cols); }

hg_status hg_closed_rows_create(hg_closed_rows *closed, hg_off rows, int cols, double share)
{
  hg_status rc = HG_OK;
  *closed = (hg_closed_rows){.rows = rows, .cols = cols, .share = share};
  HG_TRY(HG_ALLOC(closed->masks, rows * (hg_off)hg_nonzero_mask_bytes(cols), "masks of hidden rows"));
  HG_TRY(HG_ALLOC(closed->starts, rows, "starts of hidden rows"));
  HG_TRY(HG_ALLOC(closed->values, room_for(rows, cols, share), "hidden rows"));
  hg_closed_rows_clear(closed);
done:
  return rc;
}

void hg_closed_rows_free(hg_closed_rows *closed)
{
  hg_free(&closed->masks);
  hg_free(&closed->starts);
  hg_free(&closed->values);
}

size_t hg_closed_rows_bytes(hg_off rows, int cols, double share)
{
  return (size_t)rows * (hg_nonzero_mask_bytes(cols) + sizeof(hg_off)) +
         (size_t)room_for(rows, cols, share) * sizeof(hg_real);
}

void hg_closed_rows_clear(hg_closed_rows *closed)
{
  for (hg_off i = 0; i < closed->rows; i++) closed->starts[i] = -1;
}

static uint8_t *masks_of(const hg_closed_rows *closed, hg_off row)
{
  return closed->masks + (size_t)row * hg_nonzero_mask_bytes(closed->cols);
}

hg_closed_piece hg_closed_rows_piece(const hg_closed_rows *closed, hg_off first, hg_off n)
{
  return (hg_closed_piece){room_for(first, closed->cols, closed->share),
                           room_for(first + n, closed->cols, closed->share)};
}

void hg_closed_rows_keep(hg_closed_rows *closed, hg_closed_piece *piece, hg_off first, const hg_matrix *x)
{
  uint8_t *masks = masks_of(closed, first);
  hg_off *starts = closed->starts + first;
  if (piece->next >= piece->end) return;
  hg_off count = hg_mask_rows(x, masks, starts);
  bool fits = piece->next + count <= piece->end;
  for (hg_off i = 0; i < x->rows; i++) starts[i] = fits ? piece->next + starts[i] : -1;
  if (fits) hg_close_rows(x, masks, closed->values + piece->next);
  piece->next = fits ? piece->next + count : piece->end;
}

static void fetch(const void *from, hg_off bytes)
{
  for (hg_off b = 0; b < bytes; b += CACHE_LINE) __builtin_prefetch((const char *)from + b, 0, 2);
}

// Fetches the n rows after those from `first` on, which are as full: they are too few for the processor to notice that
// they are read in order.
static void fetch_next(const hg_closed_rows *closed, hg_off first, hg_off n)
{
  const hg_off *starts = closed->starts, next = first + n, end = next + n < closed->rows ? next + n : closed->rows;
  if (next >= end) return;
  fetch(masks_of(closed, next), (end - next) * (hg_off)hg_nonzero_mask_bytes(closed->cols));
  fetch(starts + end, n * (hg_off)sizeof(hg_off)); // of those after them
  if (starts[next] >= 0)
    fetch(closed->values + starts[next], (starts[next - 1] - starts[first]) * (hg_off)sizeof(hg_real));
}

bool hg_closed_rows_take(const hg_closed_rows *closed, hg_off first, hg_matrix *x)
{
  const hg_off *starts = closed->starts + first;
  for (hg_off i = 0; i < x->rows; i++)
    if (starts[i] < 0) return false;
  hg_open_rows(masks_of(closed, first), starts, closed->values, x);
  if (x->rows > 0) fetch_next(closed, first, x->rows);
  return true;
}
