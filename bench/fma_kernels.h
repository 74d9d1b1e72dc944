#pragma once
/**
 * The peak of multiply-add: independent chains in registers, nothing read or written. One body for each instruction
 * set.
 */
#include "core/base/types.h"
#include "core/tensor/vector_bytes.h"

/** Does `steps` rounds; returns how many flops that were; `sink` keeps the compiler from dropping them. */
typedef double hg_fma_loop(hg_off steps, hg_real *sink);
hg_fma_loop hg_fma_loop_base, hg_fma_loop_avx2, hg_fma_loop_avx512;

enum { FMA_LANES = VECTOR_BYTES / (int)sizeof(hg_real), CHAINS = 12 };

typedef hg_real fma_vector __attribute__((vector_size(VECTOR_BYTES)));

static inline double fma_loop(hg_off steps, hg_real *sink)
{
  fma_vector sum[CHAINS], factor = {0};
  for (int c = 0; c < CHAINS; c++) sum[c] = factor + *sink + (hg_real)c;
  factor += (hg_real)0.5;
  for (hg_off s = 0; s < steps; s++) {
#pragma GCC unroll 12
    for (int c = 0; c < CHAINS; c++) sum[c] = sum[c] * factor + factor;
  }
  for (int c = 0; c < CHAINS; c++) *sink += sum[c][0];
  return 2.0 * CHAINS * FMA_LANES * (double)steps;
}
