#pragma once
#include "core/tensor/nonzero_kernels.h"
#include "core/tensor/nonzero_lanes.h"

static inline hg_off row_of(const hg_nonzero_task *t, hg_off k) { return (t->rows ? t->rows[k] : k) * t->cols; }

static inline int word_columns(const hg_nonzero_task *t, int word)
{
  int left = t->cols - word * HG_MASK_COLUMNS;
  return left < HG_MASK_COLUMNS ? left : HG_MASK_COLUMNS;
}

static void mask(const hg_nonzero_task *t, const hg_real *x, hg_off first, hg_off end, uint8_t *masks)
{
  for (hg_off k = first; k < end; k++)
    for (int word = 0; word < t->words; word++) {
      uint64_t bits = nonzeros(x + row_of(t, k) + word * HG_MASK_COLUMNS, word_columns(t, word));
      memcpy(masks + (size_t)(k * t->words + word) * sizeof bits, &bits, sizeof bits);
    }
}

static void pack(const hg_nonzero_task *t, const hg_real *x, hg_off first, hg_off end, const uint8_t *masks,
                 uint8_t *values)
{
  uint8_t *to = values;
  for (hg_off k = first; k < end; k++)
    for (int word = 0; word < t->words; word++)
      to = close_reals(x + row_of(t, k) + word * HG_MASK_COLUMNS, word_columns(t, word), mask_word(t, masks, k, word),
                       to);
}

static void unpack(const hg_nonzero_task *t, hg_off first, hg_off end, const uint8_t *masks, const uint8_t *values,
                   hg_real *y)
{
  const uint8_t *from = values;
  for (hg_off k = first; k < end; k++)
    for (int word = 0; word < t->words; word++)
      from = open_reals(from, word_columns(t, word), mask_word(t, masks, k, word), t->add,
                        y + row_of(t, k) + word * HG_MASK_COLUMNS);
}
