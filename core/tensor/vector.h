#pragma once
/**
 * Registers full of numbers, as wide as the instruction set that this source is compiled for: for kernels whose one
 * body is compiled once for each set.
 */
#if defined(__AVX512F__)
#  include <immintrin.h>
#endif
#include <stdbool.h>
#include <string.h>

#include "core/base/types.h"
#include "core/tensor/vector_bytes.h"

enum { LANES = VECTOR_BYTES / (int)sizeof(hg_real) };

typedef hg_real vector __attribute__((vector_size(VECTOR_BYTES)));
typedef hg_real vector_in_memory __attribute__((vector_size(VECTOR_BYTES), aligned(sizeof(hg_real)), may_alias));

#define ALWAYS_INLINE static inline __attribute__((always_inline))

/** c = x + beta c for the first `columns` numbers, fewer than a vector has; c is not read when beta is 0. */
#if defined(__AVX512F__) && defined(HALOGNN_FLOAT64)
ALWAYS_INLINE void store_few(vector x, int columns, hg_real beta, hg_real *c)
{
  const __mmask8 first = (__mmask8)((1U << columns) - 1);
  if (beta != 0) x += beta * (vector)_mm512_maskz_loadu_pd(first, c);
  _mm512_mask_storeu_pd(c, first, (__m512d)x);
}
#elif defined(__AVX512F__)
ALWAYS_INLINE void store_few(vector x, int columns, hg_real beta, hg_real *c)
{
  const __mmask16 first = (__mmask16)((1U << columns) - 1);
  if (beta != 0) x += beta * (vector)_mm512_maskz_loadu_ps(first, c);
  _mm512_mask_storeu_ps(c, first, (__m512)x);
}
#else
ALWAYS_INLINE void store_few(vector x, int columns, hg_real beta, hg_real *c)
{
  hg_real result[LANES];
  *(vector_in_memory *)result = (vector_in_memory)x; // memcpy would keep all sums in memory
  if (beta == 0)
    memcpy(c, result, (size_t)columns * sizeof *c);
  else
    for (int q = 0; q < columns; q++) c[q] = result[q] + beta * c[q];
}
#endif

/** c = sum + beta c for `columns` numbers, the first of `count` (a literal) vectors; c is not read when beta is 0. */
ALWAYS_INLINE void store_row(const vector *sum, int count, int columns, hg_real beta, hg_real *c)
{
  bool whole = columns >= count * LANES;
#pragma GCC unroll 8
  for (int v = 0; v < count; v++) {
    vector_in_memory *to = (vector_in_memory *)(c + v * LANES);
    int left = whole ? LANES : columns - v * LANES;
    if (left >= LANES)
      *to = beta == 0 ? sum[v] : sum[v] + beta * *to;
    else if (left > 0)
      store_few(sum[v], left, beta, c + v * LANES);
  }
}
