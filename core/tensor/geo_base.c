#include "core/tensor/geo_kernels.h"

void hg_geo_rows_base(const hg_geo_task *task, hg_off first, hg_off end) { geo_rows(task, first, end); }

void hg_geo_back_base(const hg_geo_task *task, hg_off first, hg_off end, hg_real *sums)
{
  geo_back(task, first, end, sums);
}
