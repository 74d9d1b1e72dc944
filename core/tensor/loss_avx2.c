#include "core/tensor/loss_kernels.h"

void hg_softmax_rows_avx2(const hg_softmax_task *task) { softmax_rows(task); }

double hg_binary_row_avx2(const hg_real *z, const uint8_t *bits, int cols, hg_real gain, hg_real *d)
{
  return binary_row(z, bits, cols, gain, d);
}
