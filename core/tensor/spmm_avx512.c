#include "core/tensor/spmm_nonzero_kernels.h"

void hg_spmm_rows_avx512(const hg_spmm_task *task, hg_off first, hg_off end) { spmm_rows(task, OF_REAL, first, end); }

void hg_spmm_bf16_rows_avx512(const hg_spmm_task *task, hg_off first, hg_off end)
{
  spmm_rows(task, OF_BF16, first, end);
}

void hg_spmm_nonzero_rows_avx512(const hg_spmm_task *task, hg_off first, hg_off end)
{
  spmm_nonzero_rows(task, first, end);
}
