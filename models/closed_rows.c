#include "models/closed_rows.h"

#include "core/base/alloc.h"
#include "core/tensor/nonzero.h"

static hg_off room_for(hg_off rows, int cols, double share) { return (hg_off)(share * (double)rows * cols); }

hg_status hg_closed_rows_create(hg_closed_rows *closed, hg_off rows, int cols, double share)
{
  hg_status rc = HG_OK;
  *closed = (hg_closed_rows){.rows = rows, .cols = cols, .room = room_for(rows, cols, share)};
  HG_TRY(HG_ALLOC(closed->masks, rows * (hg_off)hg_nonzero_mask_bytes(cols), "masks of hidden rows"));
  HG_TRY(HG_ALLOC(closed->starts, rows, "starts of hidden rows"));
  HG_TRY(HG_ALLOC(closed->values, closed->room, "hidden rows"));
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
  closed->used = 0;
  for (hg_off i = 0; i < closed->rows; i++) closed->starts[i] = -1;
}

static uint8_t *masks_of(const hg_closed_rows *closed, hg_off row)
{
  return closed->masks + (size_t)row * hg_nonzero_mask_bytes(closed->cols);
}

void hg_closed_rows_keep(hg_closed_rows *closed, hg_off first, const hg_matrix *x)
{
  uint8_t *masks = masks_of(closed, first);
  hg_off *starts = closed->starts + first, at;
#pragma omp atomic read
  at = closed->used;
  if (at > closed->room) return;
  hg_off count = hg_mask_rows(x, masks, starts);
#pragma omp atomic capture
  {
    at = closed->used;
    closed->used += count;
  }
  bool fits = at + count <= closed->room;
  for (hg_off i = 0; i < x->rows; i++) starts[i] = fits ? at + starts[i] : -1;
  if (fits) hg_close_rows(x, masks, closed->values + at);
}

enum { LINE = 64 };

static void fetch(const void *from, hg_off bytes)
{
  for (hg_off b = 0; b < bytes; b += LINE) __builtin_prefetch((const char *)from + b, 0, 2);
}

// Fetches the n rows that will be taken next: they are too few for the processor to notice that they are read in order.
static void fetch_next(const hg_closed_rows *closed, hg_off first, hg_off n)
{
  hg_off end = first + n < closed->rows ? first + n : closed->rows, mean = closed->used / (closed->rows + 1);
  if (first >= end) return;
  fetch(masks_of(closed, first), (end - first) * (hg_off)hg_nonzero_mask_bytes(closed->cols));
  fetch(closed->starts + end, n * (hg_off)sizeof(hg_off)); // of those after them
  for (hg_off i = first; i < end; i++)
    if (closed->starts[i] >= 0) fetch(closed->values + closed->starts[i], mean * (hg_off)sizeof(hg_real));
}

bool hg_closed_rows_take(const hg_closed_rows *closed, hg_off first, hg_matrix *x)
{
  const hg_off *starts = closed->starts + first;
  for (hg_off i = 0; i < x->rows; i++)
    if (starts[i] < 0) return false;
  hg_open_rows(masks_of(closed, first), starts, closed->values, x);
  fetch_next(closed, first + x->rows, x->rows);
  return true;
}
