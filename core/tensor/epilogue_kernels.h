#pragma once
#include "core/base/types.h"

/** Passes over rows that a product has just left in cache: bias, ReLU and its gradient. */
typedef struct {
  /** x[i,k] += bias[k] for n rows of `cols` columns. */
  void (*add_bias)(const hg_real *bias, hg_off n, int cols, hg_real *x);
  /** x = x < 0 ? 0 : x: a NaN stays one, since a diverged run must be seen in its loss. */
  void (*relu)(hg_real *x, hg_off n);
  /** d = y > 0 ? d : 0. */
  void (*relu_gradient)(const hg_real *y, hg_real *d, hg_off n);
  /** y = y > 0 ? scale d : 0. */
  void (*dropped_relu_gradient)(const hg_real *d, hg_real scale, hg_real *y, hg_off n);
} hg_epilogue_kernels;
extern const hg_epilogue_kernels hg_epilogue_base, hg_epilogue_avx2, hg_epilogue_avx512;
