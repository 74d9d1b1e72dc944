#include "core/tensor/segment.h"

#include <omp.h>
#include <string.h>

#include "core/base/threads.h"
#include "core/tensor/row_blocks.h"

// what the rows of one thread need
typedef struct {
  hg_reduction kind;
  const hg_csr *members;
  int width;
  const hg_real *x, *d_y;
  hg_real *y, *d_x;
} task;

static void add(const hg_real *restrict x, int f, hg_real *restrict y)
{
  for (int k = 0; k < f; k++) y[k] += x[k];
}

// Written so that a NaN stays one: a diverged run must be seen in its loss.
static void take_larger(const hg_real *restrict x, int f, hg_real *restrict y)
{
  for (int k = 0; k < f; k++) y[k] = x[k] > y[k] || x[k] != x[k] ? x[k] : y[k];
}

static void reduce_row(const task *t, hg_off i)
{
  const hg_off *indptr = t->members->indptr;
  hg_off first = indptr[i], end = indptr[i + 1];
  int f = t->width;
  hg_real *y = t->y + i * f;
  if (first == end) {
    memset(y, 0, (size_t)f * sizeof *y);
    return;
  }
  memcpy(y, t->x + (hg_off)t->members->indices[first] * f, (size_t)f * sizeof *y);
  for (hg_off e = first + 1; e < end; e++) {
    const hg_real *x = t->x + (hg_off)t->members->indices[e] * f;
    if (t->kind == HG_REDUCTION_MAX)
      take_larger(x, f, y);
    else
      add(x, f, y);
  }
  if (t->kind != HG_REDUCTION_MEAN) return;
  hg_real share = 1 / (hg_real)(end - first);
  for (int k = 0; k < f; k++) y[k] *= share;
}

static void spread_row(const task *t, hg_off i)
{
  const hg_off *indptr = t->members->indptr;
  hg_off first = indptr[i], end = indptr[i + 1];
  int f = t->width;
  const hg_real *d_y = t->d_y + i * f;
  hg_real share = t->kind == HG_REDUCTION_MEAN ? 1 / (hg_real)(end - first) : 1;
  for (hg_off e = first; e < end; e++) {
    hg_real *restrict d_x = t->d_x + (hg_off)t->members->indices[e] * f;
    for (int k = 0; k < f; k++) d_x[k] = share * d_y[k];
  }
}

// the columns [column, column + count) of row i: what is owed goes to the first who has the maximum
static void pay_maximum(const task *t, hg_off i, int column, int count)
{
  const hg_off *indptr = t->members->indptr;
  const hg_real *y = t->y + i * t->width + column;
  hg_real owed[HG_COLUMN_TILE];
  memcpy(owed, t->d_y + i * t->width + column, (size_t)count * sizeof *owed);
  for (hg_off e = indptr[i]; e < indptr[i + 1]; e++) {
    hg_off start = (hg_off)t->members->indices[e] * t->width + column;
    const hg_real *x = t->x + start;
    hg_real *restrict d_x = t->d_x + start;
    for (int k = 0; k < count; k++) {
      d_x[k] = x[k] == y[k] ? owed[k] : 0;
      owed[k] = x[k] == y[k] ? 0 : owed[k];
    }
  }
}

static void reduce_gradient_row(const task *t, hg_off i)
{
  if (t->kind != HG_REDUCTION_MAX) {
    spread_row(t, i);
    return;
  }
  for (int column = 0; column < t->width; column += HG_COLUMN_TILE)
    pay_maximum(t, i, column, hg_tile_width(t->width, column));
}

static void for_rows(const task *t, void (*row)(const task *, hg_off))
{
  const hg_off *indptr = t->members->indptr, n = t->members->n_rows;
  if (n == 0) return;
  hg_off work = hg_row_work(indptr, 0, n) * t->width;
#pragma omp parallel default(none) shared(t, row, indptr, n) num_threads(hg_threads()) if (work > HG_PARALLEL_FROM)
  {
    int parts = omp_get_num_threads(), k = omp_get_thread_num();
    hg_off end = hg_row_piece(indptr, 0, n, parts, k + 1);
    for (hg_off i = hg_row_piece(indptr, 0, n, parts, k); i < end; i++) row(t, i);
  }
}

void hg_segment_reduce(hg_reduction kind, const hg_csr *members, const hg_matrix *x, hg_matrix *y)
{
  const task t = {.kind = kind, .members = members, .width = x->cols, .x = x->data, .y = y->data};
  for_rows(&t, reduce_row);
}

void hg_segment_reduce_gradient(hg_reduction kind, const hg_csr *members, const hg_matrix *x, const hg_matrix *y,
                                const hg_matrix *d_y, hg_matrix *d_x)
{
  const task t = {.kind = kind,
                  .members = members,
                  .width = d_y->cols,
                  .x = x->data,
                  .y = y->data,
                  .d_y = d_y->data,
                  .d_x = d_x->data};
  for_rows(&t, reduce_gradient_row);
}
