#pragma once
/**
 * bfloat16 in registers: as many numbers as a `vector` has lanes, whatever the instruction set.
 */
#include "core/tensor/bf16.h"
#include "core/tensor/vector.h"

typedef uint16_t half_lanes __attribute__((vector_size(LANES * 2)));
typedef uint16_t half_lanes_in_memory __attribute__((vector_size(LANES * 2), aligned(2), may_alias));
typedef uint32_t bit_lanes __attribute__((vector_size(LANES * 4)));
typedef uint32_t pairs_in_memory __attribute__((vector_size(LANES * 4), aligned(2), may_alias));
typedef float float_lanes __attribute__((vector_size(LANES * 4)));

/** The number whose float32 has these bits. */
ALWAYS_INLINE vector real_of_bits(bit_lanes bits)
{
#ifdef HALOGNN_FLOAT64
  return __builtin_convertvector((float_lanes)bits, vector);
#else
  return (vector)bits;
#endif
}

ALWAYS_INLINE vector bf16_load(const hg_bf16 *x)
{
  half_lanes part = *(const half_lanes_in_memory *)x;
  return real_of_bits(__builtin_convertvector(part, bit_lanes) << 16);
}

ALWAYS_INLINE hg_real bf16_value(hg_bf16 x)
{
  union {
    uint32_t bits;
    float value;
  } u = {.bits = (uint32_t)x << 16};
  return u.value;
}
