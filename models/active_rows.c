#include "models/active_rows.h"

#include <string.h>

static void add(hg_spans *spans, hg_off first, hg_off n)
{
  if (n > 0) spans->span[spans->n++] = (hg_span){first, n};
}

hg_spans hg_spans_of(const hg_first_rows *rows, hg_lid n_interior, hg_lid n_owned, hg_lid halo)
{
  hg_spans spans = {0};
  add(&spans, 0, rows->interior);
  add(&spans, n_interior, rows->boundary);
  add(&spans, n_owned, halo);
  return spans;
}

hg_spans hg_spans_all(hg_off rows)
{
  hg_spans spans = {0};
  add(&spans, 0, rows);
  return spans;
}

static void clear(hg_matrix *x, hg_off first, hg_off end)
{
  if (end > first) memset(x->data + first * x->cols, 0, (size_t)((end - first) * x->cols) * sizeof *x->data);
}

void hg_rows_clear_others(const hg_first_rows *rows, hg_lid n_interior, hg_lid n_owned, hg_matrix *x)
{
  clear(x, rows->interior, n_interior);
  clear(x, (hg_off)n_interior + rows->boundary, n_owned);
}
