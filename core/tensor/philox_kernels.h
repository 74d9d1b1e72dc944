#pragma once
/**
 * Philox for the rows of matrices, many blocks at a time so that the compiler vectorises it: 8 columns take 16 bits
 * each of one block. Included by bodies that are compiled once for each instruction set.
 */
#include "core/base/types.h"

enum { COLUMNS_PER_BLOCK = 8, BLOCKS = 256 };

/** Counters of the next blocks, then the words drawn. */
typedef struct {
  uint64_t low[BLOCKS], high[BLOCKS], block[BLOCKS];
  uint32_t words[4 * BLOCKS]; ///< in memory order the 16 bits of the columns
} draws;

/**
 * Philox 4x32-10 of all counters (Salmon et al., SC 2011), as Random123 gives it. Here again because a word in a 64-bit
 * lane, whose upper half may hold anything, gets both halves of its product from one multiplication: Random123's 32-bit
 * words need shuffles besides and take 1.4 times as long.
 */
static inline void draw(uint64_t seed, uint32_t last_word, draws *restrict d)
{
  for (int b = 0; b < BLOCKS; b++) {
    uint64_t c0 = d->low[b], c1 = d->high[b], c2 = d->block[b], c3 = last_word;
    uint64_t k0 = seed, k1 = seed >> 32;
#pragma GCC unroll 10
    for (int round = 0; round < 10; round++) {
      uint64_t p0 = (c0 & UINT32_MAX) * 0xD2511F53, p1 = (c2 & UINT32_MAX) * 0xCD9E8D57;
      c0 = (p1 >> 32) ^ c1 ^ k0;
      c2 = (p0 >> 32) ^ c3 ^ k1;
      c1 = p1;
      c3 = p0;
      k0 += 0x9E3779B9;
      k1 += 0xBB67AE85;
    }
    d->words[4 * b] = (uint32_t)c0;
    d->words[4 * b + 1] = (uint32_t)c1;
    d->words[4 * b + 2] = (uint32_t)c2;
    d->words[4 * b + 3] = (uint32_t)c3;
  }
}
