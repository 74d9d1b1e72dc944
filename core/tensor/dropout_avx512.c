#include "core/tensor/dropout_kernels.h"

void hg_dropout_rows_avx512(const hg_dropout_task *task, hg_off first, hg_off end) { dropout_rows(task, first, end); }

void hg_keep_rows_avx512(const hg_keep_task *task, hg_off first, hg_off end) { keep_rows(task, first, end); }
