#pragma once
/**
 * Registers full of numbers, as wide as the instruction set that this source is compiled for: for kernels whose one
 * body is compiled once for each set.
 */
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
