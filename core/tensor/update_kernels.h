#pragma once
/**
 * Steps of optimisers on n numbers, in double; formulas in update.h. One body, compiled once for each instruction set
 * and without fused products, so that all processors of a cluster make the same step to the bit.
 * Cost: Adam reads 4 n and writes 3 n reals, about 20 flops a number of which 2 are slow.
 */
#include <math.h>

#include "core/tensor/update.h"

typedef struct {
  void (*adam)(const hg_update *u, const hg_real *g, hg_real *w, hg_real *m, hg_real *v, hg_off n);
  void (*sgd)(const hg_update *u, const hg_real *g, hg_real *w, hg_real *v, hg_off n);
} hg_update_kernels;
extern const hg_update_kernels hg_update_base, hg_update_avx2, hg_update_avx512;

static inline void adam(const hg_update *u, const hg_real *restrict g, hg_real *restrict w, hg_real *restrict m,
                        hg_real *restrict v, hg_off n)
{
  const double b1 = u->beta1, b2 = u->beta2, decay = u->decay, epsilon = u->epsilon, shrink = 1 - u->rate * u->shrink;
  const double c1 = u->rate / u->correction1, c2 = 1 / u->correction2;
#pragma omp simd
  for (hg_off k = 0; k < n; k++) {
    double weight = (double)w[k], gradient = (double)g[k] + decay * weight;
    double mean = b1 * (double)m[k] + (1 - b1) * gradient, square = b2 * (double)v[k] + (1 - b2) * gradient * gradient;
    m[k] = (hg_real)mean;
    v[k] = (hg_real)square;
    w[k] = (hg_real)(weight * shrink - c1 * mean / (sqrt(square * c2) + epsilon));
  }
}

static inline void sgd(const hg_update *u, const hg_real *restrict g, hg_real *restrict w, hg_real *restrict v,
                       hg_off n)
{
  const double momentum = u->momentum, decay = u->decay, rate = u->rate;
#pragma omp simd
  for (hg_off k = 0; k < n; k++) {
    double step = momentum * (double)v[k] + (double)g[k] + decay * (double)w[k];
    v[k] = (hg_real)step;
    w[k] = (hg_real)((double)w[k] - rate * step);
  }
}
