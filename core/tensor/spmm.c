#include "core/tensor/spmm.h"

#include <omp.h>

#include "core/base/cpu.h"
#include "core/base/threads.h"
#include "core/tensor/row_blocks.h"
#include "core/tensor/spmm_kernels.h"

static hg_spmm_rows *const kernels[HG_SIMD_COUNT] = {hg_spmm_rows_base, hg_spmm_rows_avx2, hg_spmm_rows_avx512};

static hg_spmm_rows *const bf16_kernels[HG_SIMD_COUNT] = {hg_spmm_bf16_rows_base, hg_spmm_bf16_rows_avx2,
                                                          hg_spmm_bf16_rows_avx512};

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

static void run(hg_spmm_rows *rows, const hg_operator *op, hg_off first, hg_off n, const void *x, hg_matrix *y)
{
  if (n <= 0 || y->cols == 0) return;
  const hg_spmm_task task = task_of(op, x, y, 0);
  hg_off work = hg_row_work(task.indptr, first, first + n) * y->cols;
#pragma omp parallel default(none) shared(task, rows, first, n) num_threads(hg_threads()) if (work > HG_PARALLEL_FROM)
  {
    int parts = omp_get_num_threads(), k = omp_get_thread_num();
    hg_off start = hg_row_piece(task.indptr, first, first + n, parts, k);
    hg_off stop = hg_row_piece(task.indptr, first, first + n, parts, k + 1);
    if (start < stop) rows(&task, start, stop);
  }
}

static void run_block(hg_spmm_rows *rows, const hg_operator *op, hg_off first, hg_off n, const void *x, hg_matrix *y)
{
  if (n <= 0 || y->cols == 0) return;
  const hg_spmm_task task = task_of(op, x, y, first);
  rows(&task, first, first + n);
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
