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

// One word of a row after `count` values: how many there are with it, more than there is room for where the row is not
// closed. Whole words, of a literal number of columns, need no masks of lanes.
static inline int close_word(const hg_nonzero_matrix *m, const hg_real *x, int columns, int word, uint8_t *masks,
                             int count)
{
  uint64_t bits = columns == HG_MASK_COLUMNS ? nonzeros(x, HG_MASK_COLUMNS) : nonzeros(x, columns);
  uint8_t *to = masks + hg_nonzero_mask_bytes(m->cols) + (size_t)count * sizeof *x;
  count += __builtin_popcountll(bits);
  if (count > m->room || (bits == HG_NOT_CLOSED && word == 0)) return m->room + 1;
  memcpy(masks + (size_t)word * sizeof bits, &bits, sizeof bits);
  if (columns == HG_MASK_COLUMNS)
    close_reals(x, HG_MASK_COLUMNS, bits, to);
  else
    close_reals(x, columns, bits, to);
  return count;
}

static void close_matrix(const hg_nonzero_matrix *m, hg_off first, hg_off end)
{
  const hg_nonzero_task t = {.cols = m->cols, .words = (m->cols + HG_MASK_COLUMNS - 1) / HG_MASK_COLUMNS};
  for (hg_off k = first; k < end; k++) {
    uint8_t *masks = m->copy + k * m->stride;
    const hg_real *x = m->whole + k * t.cols;
    int count = 0;
    for (int word = 0; word < t.words && count <= m->room; word++)
      count = close_word(m, x + word * HG_MASK_COLUMNS, word_columns(&t, word), word, masks, count);
    if (count > m->room) hg_nonzero_matrix_forget(m, k, 1);
  }
}
