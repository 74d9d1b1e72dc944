#pragma once
/**
 * Rows fetched ahead of their use. Each line has an instruction of its own: a processor that learns strides by the
 * instruction takes one in a loop for a stream and fetches what stands after each row as well (rows of 5 lines at
 * random places on a Zen 5: 25 ns each, and 10 so).
 */
#include <stdbool.h>

#include "core/base/types.h"

enum { CACHE_LINE = 64, MOST_FETCHED = 16 };

/** The first cache lines of a row, at most MOST_FETCHED; `write` is a literal: whether it will be overwritten. */
static inline __attribute__((always_inline)) void fetch_row(const void *row, hg_off lines, bool write)
{
#pragma GCC unroll 16
  for (int line = 0; line < MOST_FETCHED; line++) {
    const char *at = (const char *)row + line * CACHE_LINE;
    if (line < lines) write ? __builtin_prefetch(at, 1) : __builtin_prefetch(at, 0);
  }
}
