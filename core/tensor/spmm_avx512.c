#include "core/tensor/spmm_kernels.h"

void hg_spmm_rows_avx512(const hg_spmm_task *task, hg_off first, hg_off end) { spmm_rows(task, first, end); }
