#pragma once
#include "core/tensor/fetch_row.h"
#include "core/tensor/nonzero_kernels.h"
#include "core/tensor/nonzero_lanes.h"

static inline hg_off row_of(const hg_nonzero_task *t, hg_off k) { return (t->rows ? t->rows[k] : k) * t->cols; }

static void mask(const hg_nonzero_task *t, const hg_real *x, hg_off first, hg_off end, uint8_t *masks)
{
  for (hg_off k = first; k < end; k++)
    for (int word = 0; word < t->words; word++) {
      uint64_t bits = nonzeros(x + row_of(t, k) + word * HG_MASK_COLUMNS, word_columns(t->cols, word));
      memcpy(masks + (size_t)(k * t->words + word) * sizeof bits, &bits, sizeof bits);
    }
}

static void pack(const hg_nonzero_task *t, const hg_real *x, hg_off first, hg_off end, const uint8_t *masks,
                 uint8_t *values)
{
  uint8_t *to = values;
  for (hg_off k = first; k < end; k++)
    for (int word = 0; word < t->words; word++)
      to = close_reals(x + row_of(t, k) + word * HG_MASK_COLUMNS, word_columns(t->cols, word),
                       mask_word(t, masks, k, word), to);
}

static void unpack(const hg_nonzero_task *t, hg_off first, hg_off end, const uint8_t *masks, const uint8_t *values,
                   hg_real *y)
{
  const uint8_t *from = values;
  for (hg_off k = first; k < end; k++)
    for (int word = 0; word < t->words; word++)
      from = open_reals(from, word_columns(t->cols, word), mask_word(t, masks, k, word), t->add,
                        y + row_of(t, k) + word * HG_MASK_COLUMNS);
}

// Rows are too far apart for the processor to notice that they are taken in order.
enum { ROWS_AHEAD = 8 };

ALWAYS_INLINE void fetch_ahead(const hg_nonzero_matrix *m, hg_off i, bool write)
{
  hg_off row = i + ROWS_AHEAD < m->rows ? i + ROWS_AHEAD : 0;
  fetch_row(m->data + row * m->stride, m->fetched, write);
}

static void close_rows(const hg_nonzero_matrix *m, hg_off first, const hg_matrix *x)
{
  for (hg_off i = 0; i < x->rows; i++) {
    fetch_ahead(m, first + i, true);
    const hg_real *from = x->data + i * x->cols;
    uint8_t *mask_at = m->data + (first + i) * m->stride;
    hg_real *to = (hg_real *)(void *)(mask_at + hg_nonzero_mask_bytes(m->cols));
    for (int c = 0; c < m->cols; c += HG_MASK_COLUMNS, mask_at += sizeof(uint64_t)) {
      int columns = m->cols - c;
      uint64_t bits = columns < HG_MASK_COLUMNS ? nonzeros(from + c, columns) : close_word(from + c, to);
      if (columns < HG_MASK_COLUMNS) close_reals(from + c, columns, bits, (uint8_t *)to);
      memcpy(mask_at, &bits, sizeof bits);
      to += __builtin_popcountll(bits);
    }
  }
}

static void open_rows(const hg_nonzero_matrix *m, hg_off first, hg_matrix *x)
{
  for (hg_off i = 0; i < x->rows; i++) {
    fetch_ahead(m, first + i, false);
    const uint8_t *mask_at = m->data + (first + i) * m->stride;
    const hg_real *from = (const hg_real *)(const void *)(mask_at + hg_nonzero_mask_bytes(m->cols));
    hg_real *to = x->data + i * x->cols;
    for (int c = 0; c < m->cols; c += HG_MASK_COLUMNS, mask_at += sizeof(uint64_t)) {
      uint64_t bits;
      memcpy(&bits, mask_at, sizeof bits);
      if (m->cols - c < HG_MASK_COLUMNS)
        open_reals((const uint8_t *)from, m->cols - c, bits, false, to + c);
      else
        open_word(from, bits, to + c);
      from += __builtin_popcountll(bits);
    }
  }
}
