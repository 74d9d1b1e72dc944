#pragma once
#include "core/base/types.h"

/** The products of core/tensor/skip_zeros.h, compiled once for each instruction set; shapes are the same. */
typedef struct {
  void (*at)(const hg_real *a, const hg_real *b, hg_off n, int k, int m, hg_real *c);
  void (*masked)(const hg_real *a, const hg_real *b, const hg_real *mask, hg_off n, int k, int m, hg_real *c);
} hg_skip_zeros_kernels;

extern const hg_skip_zeros_kernels hg_skip_zeros_base, hg_skip_zeros_avx2, hg_skip_zeros_avx512;
