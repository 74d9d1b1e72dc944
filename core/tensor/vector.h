#pragma once
/**
 * Registers full of numbers, as wide as the instruction set that this source is compiled for: for kernels whose one
 * body is compiled once for each set.
 */
#include <string.h>

#include "core/base/types.h"

#if defined(__AVX512F__)
enum { VECTOR_BYTES = 64 };
#elif defined(__AVX2__)
enum { VECTOR_BYTES = 32 };
#else
enum { VECTOR_BYTES = 16 };
#endif

enum { LANES = VECTOR_BYTES / (int)sizeof(hg_real) };

typedef hg_real vector __attribute__((vector_size(VECTOR_BYTES)));
typedef hg_real vector_in_memory __attribute__((vector_size(VECTOR_BYTES), aligned(sizeof(hg_real)), may_alias));

#define ALWAYS_INLINE static inline __attribute__((always_inline))

/** Vectors of a product's row at most. */
enum { MOST_STORED = 8 };

/** c = sum + beta c for `columns` numbers, the first of `count` (a literal) vectors; c is not read when beta is 0. */
ALWAYS_INLINE void store_row(const vector *sum, int count, int columns, hg_real beta, hg_real *c)
{
  if (columns == count * LANES) {
#pragma GCC unroll 8
    for (int v = 0; v < count; v++) {
      vector_in_memory *to = (vector_in_memory *)(c + v * LANES);
      *to = beta == 0 ? sum[v] : sum[v] + beta * *to;
    }
    return;
  }
  hg_real result[MOST_STORED * LANES];
#pragma GCC unroll 8
  for (int v = 0; v < count; v++) *(vector_in_memory *)(result + v * LANES) = sum[v];
  if (beta == 0)
    memcpy(c, result, (size_t)columns * sizeof *c);
  else
    for (int q = 0; q < columns; q++) c[q] = result[q] + beta * c[q];
}
