#pragma once
/**
 * Rows fetched ahead of their use. Lines have instructions of their own: a processor that learns strides by the
 * instruction takes one in a loop for a stream and fetches what stands after each row as well (rows of 5 lines at
 * random places on a Zen 5: 25 ns each, and 10 so).
 */
#include "core/base/types.h"

enum { CACHE_LINE = 64 };

/** The cache lines of a row; `write` is a literal: whether it will be overwritten. */
static inline __attribute__((always_inline)) void fetch_row(const void *row, hg_off lines, int write)
{
  enum { AT_ONCE = 8 };
  for (const char *at = row; lines > 0; lines -= AT_ONCE, at += AT_ONCE * CACHE_LINE) {
#pragma GCC unroll 8
    for (int line = 0; line < AT_ONCE; line++)
      if (line < lines) __builtin_prefetch(at + line * CACHE_LINE, write);
  }
}
