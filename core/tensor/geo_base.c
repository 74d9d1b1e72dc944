#include "core/tensor/geo_body.h"

void hg_geo_kernel_base(const hg_geo_task *task, hg_geo_way way, hg_off first, hg_off end, hg_real *sums)
{
  geo_kernel(task, way, first, end, sums);
}
