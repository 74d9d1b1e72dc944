#pragma once
/**
 * The body of hg_epilogue_kernels, for whatever instruction set the including source is compiled for.
 * Cost: a read and a write of x, one operation a number.
 */
#include "core/tensor/epilogue_kernels.h"
#include "core/tensor/vector.h"

#ifdef HALOGNN_FLOAT64
typedef int64_t lane_mask __attribute__((vector_size(VECTOR_BYTES)));
#else
typedef int32_t lane_mask __attribute__((vector_size(VECTOR_BYTES)));
#endif

ALWAYS_INLINE vector_in_memory *at(hg_real *x) { return (vector_in_memory *)x; }

ALWAYS_INLINE vector read(const hg_real *x) { return *(const vector_in_memory *)x; }

/** x where the mask is set, else 0. */
ALWAYS_INLINE vector where(lane_mask mask, vector x) { return (vector)((lane_mask)x & mask); }

static void add_bias(const hg_real *bias, hg_off n, int cols, hg_real *x)
{
  for (hg_off i = 0; i < n; i++, x += cols) {
    int k = 0;
    for (; k + LANES <= cols; k += LANES) *at(x + k) = read(x + k) + read(bias + k);
    for (; k < cols; k++) x[k] += bias[k];
  }
}

static void relu(hg_real *x, hg_off n)
{
  hg_off i = 0;
  for (; i + LANES <= n; i += LANES) {
    vector v = read(x + i);
    *at(x + i) = where(~(lane_mask)(v < 0), v);
  }
  for (; i < n; i++) x[i] = x[i] < 0 ? 0 : x[i];
}

static void relu_gradient(const hg_real *y, hg_real *d, hg_off n)
{
  hg_off i = 0;
  for (; i + LANES <= n; i += LANES) *at(d + i) = where((lane_mask)(read(y + i) > 0), read(d + i));
  for (; i < n; i++) d[i] = y[i] > 0 ? d[i] : 0;
}

static void dropped_relu_gradient(const hg_real *d, hg_real scale, hg_real *y, hg_off n)
{
  hg_off i = 0;
  for (; i + LANES <= n; i += LANES) *at(y + i) = where((lane_mask)(read(y + i) > 0), scale * read(d + i));
  for (; i < n; i++) y[i] = y[i] > 0 ? scale * d[i] : 0;
}

#define EPILOGUE_KERNELS                                 \
  {                                                      \
    add_bias, relu, relu_gradient, dropped_relu_gradient \
  }
