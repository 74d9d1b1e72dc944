#pragma once
#include <string.h>

#include "core/tensor/vector.h"

/**
 * Some columns of b's n rows, `stride` apart, close together: rows of `padded` numbers, with zeros behind the columns.
 * @param whole  a literal: rows of so many columns need none, and are copied with a size that is known
 */
ALWAYS_INLINE void pack_columns(const hg_real *b, hg_off n, int stride, int columns, int whole, int padded,
                                hg_real *packed)
{
  for (hg_off p = 0; p < n; p++, packed += padded, b += stride) {
    if (columns == whole) {
      memcpy(packed, b, (size_t)whole * sizeof *packed);
      continue;
    }
    memset(packed, 0, (size_t)padded * sizeof *packed);
    memcpy(packed, b, (size_t)columns * sizeof *packed);
  }
}
