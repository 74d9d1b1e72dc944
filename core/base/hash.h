#pragma once
#include <stdint.h>

/** FNV-1a over words: h = hg_hash_word(h, word) for each, beginning with HG_HASH. Depends on their order. */
#define HG_HASH 14695981039346656037u

static inline uint64_t hg_hash_word(uint64_t h, uint64_t word) { return (h ^ word) * 1099511628211u; }
