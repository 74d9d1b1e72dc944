#include <math.h>
#include <omp.h>
#include <string.h>

#include "core/base/cpu.h"
#include "core/base/threads.h"
#include "core/tensor/dropout_kernels.h"
#include "core/tensor/epilogue.h"
#include "core/tensor/row_blocks.h"

static hg_dropout_rows *const kernels[HG_SIMD_COUNT] = {hg_dropout_rows_base, hg_dropout_rows_avx2,
                                                        hg_dropout_rows_avx512};

static hg_keep_rows *const keepers[HG_SIMD_COUNT] = {hg_keep_rows_base, hg_keep_rows_avx2, hg_keep_rows_avx512};

static uint32_t threshold(hg_dropout d)
{
  double zeros = d.rate > 0 ? floor(d.rate * 65536 + 0.5) : 0;
  return (uint32_t)(zeros < 65535 ? zeros : 65535);
}

hg_real hg_dropout_scale(hg_dropout d) { return (hg_real)(1 / (1 - threshold(d) / 65536.0)); }

static void apply(const void *task, hg_off first, hg_off end) { kernels[hg_simd_level()](task, first, end); }

static hg_dropout_task task_of(hg_dropout d, const hg_gid *ids)
{
  return (hg_dropout_task){.ids = ids,
                           .seed = d.seed,
                           .layer_word = (uint32_t)d.layer << 24,
                           .epoch_word = (uint32_t)d.epoch << 8 | HG_STREAM_DROPOUT,
                           .threshold = threshold(d),
                           .scale = hg_dropout_scale(d)};
}

void hg_dropout_apply(hg_dropout d, const hg_gid *ids, hg_matrix *x)
{
  hg_dropout_task task = task_of(d, ids);
  if (task.threshold == 0 || x->cols == 0) return;
  task.cols = x->cols;
  task.in = x->data;
  task.out = x->data;
  hg_over_threads(x->rows, x->rows * x->cols, apply, &task);
}

void hg_dropout_columns(hg_dropout d, const hg_gid *ids, int first, const hg_matrix *x, hg_matrix *y)
{
  hg_dropout_task task = task_of(d, ids);
  if (x->cols == 0) return;
  task.layer_word += (uint32_t)first / HG_DROPOUT_BLOCK;
  task.cols = x->cols;
  task.in = x->data;
  task.out = y->data;
  hg_over_threads(x->rows, x->rows * x->cols, apply, &task);
}

// The pieces' entries close up, in the order of rows; ends become row pointers.
static void close_up(hg_csr *y, const hg_off *starts, int pieces, hg_off rows)
{
  hg_off to = 0;
  y->indptr[0] = 0;
  for (int p = 0; p < pieces; p++) {
    hg_off first, end;
    hg_block(rows, pieces, p, &first, &end);
    if (first == end) continue;
    hg_off from = starts[first], n = y->indptr[end] - from; // indptr[end]: the end of row end - 1, before it moves
    hg_off shift = from - to;
    if (shift > 0) {
      memmove(y->indices + to, y->indices + from, (size_t)n * sizeof *y->indices);
      memmove(y->values + to, y->values + from, (size_t)n * sizeof *y->values);
      for (hg_off i = first; i < end; i++) y->indptr[i + 1] -= shift;
    }
    to += n;
  }
}

void hg_dropout_keep_csr(hg_dropout d, const hg_gid *ids, const hg_csr *x, hg_csr *y)
{
  hg_keep_task task = {.draw = task_of(d, ids),
                       .indices = x->indices,
                       .kept_indices = y->indices,
                       .kept_values = y->values,
                       .ends = y->indptr + 1};
  task.draw.indptr = x->indptr;
  task.draw.in = x->values;
  hg_keep_rows *kernel = keepers[hg_simd_level()];
  hg_off rows = x->n_rows, entries = hg_csr_entries(x);
  int pieces = 1;
#pragma omp parallel default(none) shared(task, rows, kernel, pieces, x) \
    num_threads(hg_threads()) if (entries > HG_PARALLEL_FROM)
  {
    hg_off first, end;
    hg_block(rows, omp_get_num_threads(), omp_get_thread_num(), &first, &end);
#pragma omp single
    pieces = omp_get_num_threads();
    kernel(&task, first, end);
  }
  y->n_rows = rows;
  y->n_cols = x->n_cols;
  close_up(y, x->indptr, pieces, rows);
}
