#pragma once
/**
 * What losses need of all outputs of a row; one body, compiled once for each instruction set. A NaN in a row makes what
 * is returned one. Cost: reads n f reals, writes n f with d; about 20 flops a number.
 */
#include "core/base/types.h"
#include "core/tensor/exponential.h"

enum { HG_SOFTMAX_ROWS = 64 }; ///< of one call, at most

/**
 * Softmax of rows and the logarithm of its divisor, for cross entropy. For each chosen row
 *   top = max z, sum = sum over c of exp(z_c - top), log_sum = log(sum) + top, d_c = exp(z_c - top) factor / sum.
 */
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

/**
 * Binary cross entropy of one row [cols]: the sum over c of max(u, 0) + log(1 + exp(-|u|)), where u is z_c, or -z_c if
 * bit c says so; d_c = gain times its derivative by z_c. d: NULL, or like z, or z itself
 */
typedef double hg_binary_row(const hg_real *z, const uint8_t *bits, int cols, hg_real gain, hg_real *d);
hg_binary_row hg_binary_row_base, hg_binary_row_avx2, hg_binary_row_avx512;

/** Exponentials are made of whole tiles of columns, so that none is left to be done alone; the last is filled up. */
enum { LOSS_TILE = 16 };

static inline hg_real top_of(const hg_real *z, int cols)
{
  hg_real top = z[0];
#pragma omp simd reduction(max : top)
  for (int c = 1; c < cols; c++) top = z[c] > top ? z[c] : top;
  return top;
}

static inline double exponentials_of(const hg_real *z, hg_real top, int cols, hg_real *e)
{
  double sum = 0;
#pragma omp simd reduction(+ : sum)
  for (int c = 0; c < cols; c++) {
    hg_real x = hg_exp_negative(z[c] - top);
    sum += (double)x;
    if (e) e[c] = x;
  }
  return sum;
}

/** Their sum; e: NULL, or takes them. Half a tile at the end is done as well without filling it up. */
static inline double exponentials(const hg_real *z, hg_real top, int cols, hg_real *e)
{
  int whole = cols % (LOSS_TILE / 2) == 0 ? cols : cols / LOSS_TILE * LOSS_TILE, left = cols - whole;
  double sum = exponentials_of(z, top, whole, e);
  hg_real last[LOSS_TILE];
  if (left == 0) return sum;
  for (int c = 0; c < LOSS_TILE; c++) last[c] = c < left ? z[whole + c] : (hg_real)-INFINITY;
  sum += exponentials_of(last, top, LOSS_TILE, last);
  if (e) memcpy(e + whole, last, (size_t)left * sizeof *e);
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
      sums[r] = exponentials(z, top, cols, NULL);
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

/** The factors are at most 2, so that the product of a tile's lanes over all tiles of a stretch is finite. */
enum { BINARY_STRETCH = 512 };

static inline double binary_stretch(const hg_real *z, const uint8_t *bits, int cols, hg_real gain, hg_real *d)
{
  hg_real sign[BINARY_STRETCH];
  double above = 0, product = 1;
  for (int b = 0; b < (cols + 7) / 8; b++)
    for (int k = 0; k < 8; k++) sign[8 * b + k] = bits[b] >> k & 1 ? -1 : 1;
#pragma omp simd reduction(+ : above) reduction(* : product)
  for (int c = 0; c < cols; c++) {
    // NOLINTNEXTLINE(clang-analyzer-core.UndefinedBinaryOperatorResult): whole bytes of signs are set
    hg_real u = sign[c] * z[c], small = hg_exp_negative(u > 0 ? -u : u);
    above += (double)(u > 0 ? u : 0);
    product *= 1 + (double)small;
    if (d) d[c] = sign[c] * gain * (u > 0 ? 1 : small) / (1 + small);
  }
  return above + log_positive(product);
}

static inline double binary_row(const hg_real *z, const uint8_t *bits, int cols, hg_real gain, hg_real *d)
{
  double loss = 0;
  for (int first = 0; first < cols; first += BINARY_STRETCH) {
    int n = cols - first < BINARY_STRETCH ? cols - first : BINARY_STRETCH;
    loss += binary_stretch(z + first, bits + first / 8, n, gain, d ? d + first : NULL);
  }
  return loss;
}
