#pragma once
/**
 * Softmax of rows and the logarithm of its divisor: what cross entropy needs of all classes. For each chosen row
 *   top = max z, sum = sum over c of exp(z_c - top), log_sum = log(sum) + top, d_c = exp(z_c - top) factor / sum.
 * One body, compiled once for each instruction set. A NaN in a row makes its log_sum one.
 * Cost: reads n f reals, writes n f with d; about 20 flops a number.
 */
#include "core/base/types.h"
#include "core/tensor/exponential.h"

enum { HG_SOFTMAX_ROWS = 64 }; ///< of one call, at most

typedef struct {
  const hg_real *z;     ///< a row of `cols` for each id
  int cols;             ///< at least 1
  const hg_lid *rows;   ///< [n] the rows to take
  int n;                ///< at most HG_SOFTMAX_ROWS
  const double *factor; ///< [n]; only with d
  hg_real *d;           ///< NULL, or like z, or z itself
  double *log_sum;      ///< [n] written
} hg_softmax_task;

typedef void hg_softmax_rows(const hg_softmax_task *task);
hg_softmax_rows hg_softmax_rows_base, hg_softmax_rows_avx2, hg_softmax_rows_avx512;

static inline hg_real top_of(const hg_real *z, int cols)
{
  hg_real top = z[0];
#pragma omp simd reduction(max : top)
  for (int c = 1; c < cols; c++) top = z[c] > top ? z[c] : top;
  return top;
}

static inline double exponentials(const hg_real *z, hg_real top, int cols, hg_real *e)
{
  double sum = 0;
#pragma omp simd reduction(+ : sum)
  for (int c = 0; c < cols; c++) {
    e[c] = hg_exp_negative(z[c] - top);
    sum += (double)e[c];
  }
  return sum;
}

static inline double sum_of_exponentials(const hg_real *z, hg_real top, int cols)
{
  double sum = 0;
#pragma omp simd reduction(+ : sum)
  for (int c = 0; c < cols; c++) sum += (double)hg_exp_negative(z[c] - top);
  return sum;
}

/**
 * log(x) for finite x >= 2^-1022 to 4e-16 of 1 or of itself, a NaN stays one: x = 2^n m with m in [sqrt(1/2), sqrt(2)),
 * log m = 2 artanh((m - 1) / (m + 1)) as a series, where the 12th term is below 1e-17.
 */
static inline double log_positive(double x)
{
  uint64_t bits;
  memcpy(&bits, &x, sizeof bits);
  uint64_t shifted = bits - 0x3FE6A09E667F3BCDu; // of sqrt(1/2)
  int64_t n = (int64_t)shifted >> 52;
  uint64_t of_m = bits - ((uint64_t)n << 52);
  double m;
  memcpy(&m, &of_m, sizeof m);
  double s = (m - 1) / (m + 1), q = s * s, p = 0;
#pragma GCC unroll 11
  for (int k = 23; k >= 3; k -= 2) p = (p + 1.0 / k) * q;
  return 2 * s * (1 + p) + (double)n * 0.693147180559945309417 + (x - x);
}

static inline void softmax_rows(const hg_softmax_task *t)
{
  double tops[HG_SOFTMAX_ROWS], sums[HG_SOFTMAX_ROWS];
  int cols = t->cols;
  for (int r = 0; r < t->n; r++) {
    hg_off start = (hg_off)t->rows[r] * cols;
    const hg_real *z = t->z + start;
    hg_real top = top_of(z, cols);
    tops[r] = (double)top;
    if (!t->d) {
      sums[r] = sum_of_exponentials(z, top, cols);
      continue;
    }
    hg_real *d = t->d + start;
    sums[r] = exponentials(z, top, cols, d);
    hg_real share = (hg_real)(t->factor[r] / sums[r]);
#pragma omp simd
    for (int c = 0; c < cols; c++) d[c] *= share;
  }
#pragma omp simd
  for (int r = 0; r < t->n; r++) t->log_sum[r] = log_positive(sums[r]) + tops[r];
}
