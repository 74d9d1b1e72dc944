#include "core/tensor/spmm.h"

#include <omp.h>
#include <string.h>

#include "core/base/cpu.h"
#include "core/base/threads.h"
#include "core/tensor/row_blocks.h"
#include "core/tensor/spmm_kernels.h"

static hg_spmm_rows *const kernels[HG_SIMD_COUNT] = {hg_spmm_rows_base, hg_spmm_rows_avx2, hg_spmm_rows_avx512};

static hg_spmm_rows *const bf16_kernels[HG_SIMD_COUNT] = {hg_spmm_bf16_rows_base, hg_spmm_bf16_rows_avx2,
                                                          hg_spmm_bf16_rows_avx512};

static hg_spmm_rows *const nonzero_kernels[HG_SIMD_COUNT] = {hg_spmm_nonzero_rows_base, hg_spmm_nonzero_rows_avx2,
                                                             hg_spmm_nonzero_rows_avx512};

static hg_spmm_task task_of(const hg_operator *op, const void *x, const hg_matrix *y, hg_off y_first)
{
  return (hg_spmm_task){.indptr = op->a->indptr,
                        .indices = op->a->indices,
                        .values = op->a->values,
                        .row_scale = op->row_scale,
                        .col_scale = op->col_scale,
                        .n_self = op->n_self,
                        .x = x,
                        .y = y->data,
                        .y_first = y_first,
                        .width = y->cols};
}

// Some rows with what is kept of their entries, self-loops among them: one after the other, so that the kernel fetches
// ahead what it will read.
enum { KEPT_ENTRIES = 4096, KEPT_ROWS = 128 };

typedef struct {
  hg_off indptr[KEPT_ROWS + 1];
  hg_lid indices[KEPT_ENTRIES];
} kept_rows;

static bool is_kept(const uint8_t *steps, hg_off i, int most) { return !steps || steps[i] <= most; }

// entries of a row at most, with its self-loop
static hg_off most_entries(const hg_operator *op, hg_off row)
{
  if (!is_kept(op->kept.rows, row, op->kept.most)) return 0;
  return op->a->indptr[row + 1] - op->a->indptr[row] + 1;
}

// writes them to `to`; returns how many
static hg_off keep_row(const hg_operator *op, hg_off row, hg_lid *to)
{
  const hg_lid *indices = op->a->indices;
  const uint8_t *steps = op->kept.columns;
  hg_off begin = op->a->indptr[row], n = op->a->indptr[row + 1] - begin;
  if (!steps) {
    if (n > 0) memcpy(to, indices + begin, (size_t)n * sizeof *to);
  } else {
    hg_off all = n;
    n = 0;
    for (hg_off e = begin; e < begin + all; e++) {
      to[n] = indices[e];
      n += steps[indices[e]] <= op->kept.most;
    }
  }
  if (row < op->n_self && is_kept(steps, row, op->kept.most)) to[n++] = (hg_lid)row;
  return n;
}

hg_off hg_operator_entries(const hg_operator *op, hg_off n)
{
  const hg_kept *kept = &op->kept;
  const hg_off *indptr = op->a->indptr;
  hg_off entries = 0;
  if (!kept->rows && !kept->columns) return indptr[n];
  for (hg_off i = 0; i < n; i++) {
    if (!is_kept(kept->rows, i, kept->most)) continue;
    for (hg_off e = indptr[i]; e < indptr[i + 1]; e++) entries += is_kept(kept->columns, op->a->indices[e], kept->most);
  }
  return entries;
}

// the rows from `first` on that are kept
static void run_rows(hg_spmm_rows *rows, const hg_spmm_task *task, const kept_rows *kept, hg_off first, hg_off n)
{
  hg_spmm_task some = *task;
  some.indptr = kept->indptr;
  some.indices = kept->indices;
  some.row_scale = task->row_scale ? task->row_scale + first : NULL;
  some.n_self = 0;
  some.y_first = task->y_first - first;
  if (n > 0) rows(&some, 0, n);
}

// Rows [first, end). One that finds no room is computed with all its entries: of zeros, if they are not kept.
static void run_kept(hg_spmm_rows *rows, const hg_operator *op, const hg_spmm_task *task, hg_off first, hg_off end)
{
  kept_rows kept;
  hg_off begin = first, at = 0;
  kept.indptr[0] = 0;
  for (hg_off row = first; row < end; row++) {
    hg_off most = most_entries(op, row);
    if (row - begin == KEPT_ROWS || at + most > KEPT_ENTRIES) {
      run_rows(rows, task, &kept, begin, row - begin);
      begin = row;
      at = 0;
    }
    if (most > KEPT_ENTRIES) {
      rows(task, row, row + 1);
      begin = row + 1;
      continue;
    }
    if (most > 0) at += keep_row(op, row, kept.indices + at);
    kept.indptr[row - begin + 1] = at;
  }
  run_rows(rows, task, &kept, begin, end - begin);
}

static void run_some(hg_spmm_rows *rows, const hg_operator *op, const hg_spmm_task *task, hg_off first, hg_off end)
{
  if (op->kept.rows || op->kept.columns)
    run_kept(rows, op, task, first, end);
  else
    rows(task, first, end);
}

static void run(hg_spmm_rows *rows, const hg_operator *op, hg_off first, hg_off n, const void *x, hg_matrix *y)
{
  if (n <= 0 || y->cols == 0) return;
  const hg_spmm_task task = task_of(op, x, y, 0);
  hg_off work = hg_row_work(task.indptr, first, first + n) * y->cols;
#pragma omp parallel default(none) shared(task, rows, op, first, n) \
    num_threads(hg_threads()) if (work > HG_PARALLEL_FROM)
  {
    int parts = omp_get_num_threads(), k = omp_get_thread_num();
    hg_off start = hg_row_piece(task.indptr, first, first + n, parts, k);
    hg_off stop = hg_row_piece(task.indptr, first, first + n, parts, k + 1);
    if (start < stop) run_some(rows, op, &task, start, stop);
  }
}

static void run_block(hg_spmm_rows *rows, const hg_operator *op, hg_off first, hg_off n, const void *x, hg_matrix *y)
{
  if (n <= 0 || y->cols == 0) return;
  const hg_spmm_task task = task_of(op, x, y, first);
  run_some(rows, op, &task, first, first + n);
}

void hg_spmm(const hg_operator *op, hg_off first, hg_off n, const hg_matrix *x, hg_matrix *y)
{
  run(kernels[hg_simd_level()], op, first, n, x->data, y);
}

void hg_spmm_bf16(const hg_operator *op, hg_off first, hg_off n, const hg_bf16_matrix *x, hg_matrix *y)
{
  run(bf16_kernels[hg_simd_level()], op, first, n, x->data, y);
}

void hg_spmm_block(const hg_operator *op, hg_off first, hg_off n, const hg_matrix *x, hg_matrix *y)
{
  run_block(kernels[hg_simd_level()], op, first, n, x->data, y);
}

void hg_spmm_bf16_block(const hg_operator *op, hg_off first, hg_off n, const hg_bf16_matrix *x, hg_matrix *y)
{
  run_block(bf16_kernels[hg_simd_level()], op, first, n, x->data, y);
}

void hg_spmm_nonzero(const hg_operator *op, hg_off first, hg_off n, const hg_nonzero_matrix *x, hg_matrix *y)
{
  run(nonzero_kernels[hg_simd_level()], op, first, n, x, y);
}

void hg_spmm_nonzero_block(const hg_operator *op, hg_off first, hg_off n, const hg_nonzero_matrix *x, hg_matrix *y)
{
  run_block(nonzero_kernels[hg_simd_level()], op, first, n, x, y);
}
