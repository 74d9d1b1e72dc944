#include "core/tensor/skip_zeros.h"

#include "core/base/cpu.h"
#include "core/tensor/skip_zeros_kernels.h"

static const hg_skip_zeros_kernels *const kernels[HG_SIMD_COUNT] = {&hg_skip_zeros_base, &hg_skip_zeros_avx2,
                                                                    &hg_skip_zeros_avx512};

// What was measured, in float (docs/performance.md).
static const double most = 0.4;
enum { NARROWEST = 64 };

bool hg_at_skipping_pays(double share, int m)
{
  return hg_simd_level() != HG_SIMD_BASE && sizeof(hg_real) == sizeof(float) && share <= most && m >= NARROWEST;
}

bool hg_bt_masked_pays(double share)
{
  return hg_simd_level() == HG_SIMD_AVX512 && sizeof(hg_real) == sizeof(float) && share <= most;
}

void hg_gemm_at_skipping(const hg_matrix *a, const hg_matrix *b, hg_real *c)
{
  kernels[hg_simd_level()]->at(a->data, b->data, a->rows, a->cols, b->cols, c);
}

void hg_gemm_bt_masked(const hg_matrix *a, const hg_matrix *b, const hg_matrix *mask, hg_matrix *c)
{
  kernels[hg_simd_level()]->masked(a->data, b->data, mask->data, a->rows, a->cols, (int)b->rows, c->data);
}
