#include "core/tensor/column_kernels.h"

void hg_add_columns_base(const hg_real *a, const hg_real *b, hg_off n, hg_off stride, int count, double *sum_a,
                         double *sum_ab)
{
  add_columns(a, b, n, stride, count, sum_a, sum_ab);
}
