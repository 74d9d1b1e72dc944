#pragma once
/**
 * Philox for the rows of matrices, many blocks at a time so that the compiler vectorises it: 8 columns take 16 bits
 * each of one block. Included by bodies that are compiled once for each instruction set.
 */
#if defined(__SSE2__)
#  include <immintrin.h>
#endif

#include "core/base/types.h"
#include "core/tensor/vector_bytes.h"

enum { COLUMNS_PER_BLOCK = 8, BLOCKS = 256 };

/** Counters of the next blocks, then what is drawn. */
typedef struct {
  _Alignas(64) uint64_t low[BLOCKS], high[BLOCKS], block[BLOCKS];
  uint16_t bits[COLUMNS_PER_BLOCK * BLOCKS]; ///< of the columns
} draws;

/** As many 64-bit lanes as a register has. */
typedef uint64_t lanes64 __attribute__((vector_size(VECTOR_BYTES), may_alias));
enum { LANES64 = VECTOR_BYTES / (int)sizeof(uint64_t) };

/**
 * In lanes: the products of the lower halves; the upper halves, over anything; and both halves of the words of as many
 * blocks, one block after another.
 */
#if defined(__AVX512F__)
static inline lanes64 product(lanes64 a, lanes64 b) { return (lanes64)_mm512_mul_epu32((__m512i)a, (__m512i)b); }

static inline lanes64 upper_halves(lanes64 x) { return (lanes64)_mm512_shuffle_epi32((__m512i)x, _MM_PERM_DDBB); }

static inline void store_words(lanes64 first, lanes64 second, lanes64 *to)
{
  const lanes64 of_low = {0, 8, 1, 9, 2, 10, 3, 11}, of_high = {4, 12, 5, 13, 6, 14, 7, 15};
  to[0] = (lanes64)_mm512_permutex2var_epi64((__m512i)first, (__m512i)of_low, (__m512i)second);
  to[1] = (lanes64)_mm512_permutex2var_epi64((__m512i)first, (__m512i)of_high, (__m512i)second);
}
#elif defined(__AVX2__)
static inline lanes64 product(lanes64 a, lanes64 b) { return (lanes64)_mm256_mul_epu32((__m256i)a, (__m256i)b); }

static inline lanes64 upper_halves(lanes64 x) { return (lanes64)_mm256_shuffle_epi32((__m256i)x, 0xf5); }

static inline void store_words(lanes64 first, lanes64 second, lanes64 *to)
{
  to[0] = (lanes64){first[0], second[0], first[1], second[1]};
  to[1] = (lanes64){first[2], second[2], first[3], second[3]};
}
#else
#  if defined(__SSE2__)
static inline lanes64 product(lanes64 a, lanes64 b) { return (lanes64)_mm_mul_epu32((__m128i)a, (__m128i)b); }

static inline lanes64 upper_halves(lanes64 x) { return (lanes64)_mm_shuffle_epi32((__m128i)x, 0xf5); }
#  else
static inline lanes64 product(lanes64 a, lanes64 b) { return (a & UINT32_MAX) * (b & UINT32_MAX); }

static inline lanes64 upper_halves(lanes64 x) { return x >> 32; }
#  endif

static inline void store_words(lanes64 first, lanes64 second, lanes64 *to)
{
  to[0] = (lanes64){first[0], second[0]};
  to[1] = (lanes64){first[1], second[1]};
}
#endif

/**
 * Philox 4x32-10 of all counters (Salmon et al., SC 2011), as Random123 gives it. Here again because a word in a 64-bit
 * lane, whose upper half may hold anything, gets both halves of its product from one multiplication: Random123's 32-bit
 * words need shuffles besides and take 1.4 times as long. The multiplication is named, since compilers take one of
 * 64-bit numbers instead, which is three of these on many processors.
 */
static inline void draw(uint64_t seed, uint32_t last_word, draws *restrict d)
{
  const lanes64 m0 = 0xD2511F53 - (lanes64){0}, m1 = 0xCD9E8D57 - (lanes64){0};
  for (int b = 0; b < BLOCKS; b += LANES64) {
    lanes64 c0 = *(const lanes64 *)(d->low + b), c1 = *(const lanes64 *)(d->high + b);
    lanes64 c2 = *(const lanes64 *)(d->block + b), c3 = last_word - (lanes64){0};
    uint64_t k0 = seed, k1 = seed >> 32;
#pragma GCC unroll 10
    for (int round = 0; round < 10; round++) {
      lanes64 p0 = product(c0, m0), p1 = product(c2, m1);
      c0 = upper_halves(p1) ^ c1 ^ k0;
      c2 = upper_halves(p0) ^ c3 ^ k1;
      c1 = p1;
      c3 = p0;
      k0 += 0x9E3779B9;
      k1 += 0xBB67AE85;
    }
    store_words((c0 & UINT32_MAX) | c1 << 32, (c2 & UINT32_MAX) | c3 << 32,
                (lanes64 *)(d->bits + b * COLUMNS_PER_BLOCK));
  }
}
