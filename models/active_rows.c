#include "models/active_rows.h"

#include <string.h>

#include "core/base/threads.h"
#include "core/tensor/row_blocks.h"

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
  hg_off cols = x->cols;
#pragma omp parallel for schedule(static) default(none) shared(x, first, end, cols) \
    num_threads(hg_threads()) if ((end - first) * cols > HG_PARALLEL_FROM)
  for (hg_off i = first; i < end; i++) memset(x->data + i * cols, 0, (size_t)cols * sizeof *x->data);
}

void hg_rows_clear_others(const hg_first_rows *rows, hg_lid n_interior, hg_lid n_owned, hg_matrix *x)
{
  clear(x, rows->interior, n_interior);
  clear(x, (hg_off)n_interior + rows->boundary, n_owned);
}
