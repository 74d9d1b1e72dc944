#include "core/tensor/update.h"

#include <omp.h>

#include "core/base/cpu.h"
#include "core/base/threads.h"
#include "core/tensor/row_blocks.h"
#include "core/tensor/update_kernels.h"

static const hg_update_kernels *const kernels[HG_SIMD_COUNT] = {&hg_update_base, &hg_update_avx2, &hg_update_avx512};

void hg_update_sgd(const hg_update *u, const hg_real *g, hg_real *w, hg_real *v, hg_off n)
{
  const hg_update_kernels *kernel = kernels[hg_simd_level()];
#pragma omp parallel default(none) shared(u, g, w, v, n, kernel) num_threads(hg_threads()) if (n > HG_PARALLEL_FROM)
  {
    hg_off first, end;
    hg_block(n, omp_get_num_threads(), omp_get_thread_num(), &first, &end);
    kernel->sgd(u, g + first, w + first, v + first, end - first);
  }
}

void hg_update_adam(const hg_update *u, const hg_real *g, hg_real *w, hg_real *m, hg_real *v, hg_off n)
{
  const hg_update_kernels *kernel = kernels[hg_simd_level()];
#pragma omp parallel default(none) shared(u, g, w, m, v, n, kernel) num_threads(hg_threads()) if (n > HG_PARALLEL_FROM)
  {
    hg_off first, end;
    hg_block(n, omp_get_num_threads(), omp_get_thread_num(), &first, &end);
    kernel->adam(u, g + first, w + first, m + first, v + first, end - first);
  }
}
