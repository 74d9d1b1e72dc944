#pragma once
#include <stdint.h>

/** What a hash begins with. */
#define HG_HASH 14695981039346656037u

/** One step of FNV-1a, on a whole word: h = hg_hash_word(h, word) for each. Depends on their order. */
static inline uint64_t hg_hash_word(uint64_t h, uint64_t word) { return (h ^ word) * 1099511628211u; }
