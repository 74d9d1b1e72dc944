#pragma once
/**
 * Sums of columns: sum_a[k] += a[i,k] and sum_ab[k] += a[i,k] b[i,k] over n rows, in double; without b eight rows at a
 * time are added up in pairs first, as reals, which takes a third of the time. One body, compiled once for each
 * instruction set. Cost: n f reals (2 n f with b), 2 n f flops (3 n f).
 */
#include "core/base/types.h"

/** Adds `n` rows of `count` columns that lie `stride` apart; b NULL: only sum_a. */
typedef void hg_add_columns(const hg_real *a, const hg_real *b, hg_off n, hg_off stride, int count, double *sum_a,
                            double *sum_ab);
hg_add_columns hg_add_columns_base, hg_add_columns_avx2, hg_add_columns_avx512;

static inline void add_one(const hg_real *restrict a, int count, double *restrict sum)
{
  for (int k = 0; k < count; k++) sum[k] += (double)a[k];
}

enum { ROWS_TOGETHER = 8 };

static inline void add_eight(const hg_real *restrict a, hg_off stride, int count, double *restrict sum)
{
  const hg_real *b = a + stride, *c = b + stride, *d = c + stride, *e = d + stride, *f = e + stride, *g = f + stride,
                *h = g + stride;
  for (int k = 0; k < count; k++) sum[k] += (double)(((a[k] + b[k]) + (c[k] + d[k])) + ((e[k] + f[k]) + (g[k] + h[k])));
}

static inline void add_product(const hg_real *restrict a, const hg_real *restrict b, int count, double *restrict sum_a,
                               double *restrict sum_ab)
{
  for (int k = 0; k < count; k++) {
    double value = (double)a[k];
    sum_a[k] += value;
    sum_ab[k] += value * (double)b[k];
  }
}

static inline void add_columns(const hg_real *a, const hg_real *b, hg_off n, hg_off stride, int count, double *sum_a,
                               double *sum_ab)
{
  hg_off i = 0;
  for (; b && i < n; i++) add_product(a + i * stride, b + i * stride, count, sum_a, sum_ab);
  for (; i + ROWS_TOGETHER <= n; i += ROWS_TOGETHER) add_eight(a + i * stride, stride, count, sum_a);
  for (; i < n; i++) add_one(a + i * stride, count, sum_a);
}
