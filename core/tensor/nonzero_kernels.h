#pragma once
/** The bodies of hg_pack_nonzero and hg_unpack_nonzero, compiled once for each instruction set. */
#include <string.h>

#include "core/tensor/nonzero.h"
#include "core/tensor/nonzero_matrix.h"

/** Packed rows and those they come from or go to. */
typedef struct {
  int cols, words;    ///< columns, words of a mask
  bool add;           ///< unpacking
  const hg_lid *rows; ///< of the matrix, or NULL: its first ones
} hg_nonzero_task;

/** Rows [first, end) of the task, whose reals begin at `values`. */
typedef struct {
  void (*mask)(const hg_nonzero_task *t, const hg_real *x, hg_off first, hg_off end, uint8_t *masks);
  void (*pack)(const hg_nonzero_task *t, const hg_real *x, hg_off first, hg_off end, const uint8_t *masks,
               uint8_t *values);
  void (*unpack)(const hg_nonzero_task *t, hg_off first, hg_off end, const uint8_t *masks, const uint8_t *values,
                 hg_real *y);
  void (*close)(const hg_nonzero_matrix *m, hg_off first, const hg_matrix *x); ///< as hg_nonzero_matrix_close
  void (*open)(const hg_nonzero_matrix *m, hg_off first, hg_matrix *x);
} hg_nonzero_kernels;

extern const hg_nonzero_kernels hg_nonzero_base, hg_nonzero_avx2, hg_nonzero_avx512;

/** Words of a row's mask. */
static inline int mask_words(int cols) { return (cols + HG_MASK_COLUMNS - 1) / HG_MASK_COLUMNS; }

/** Columns of one word. */
static inline int word_columns(int cols, int word)
{
  int left = cols - word * HG_MASK_COLUMNS;
  return left < HG_MASK_COLUMNS ? left : HG_MASK_COLUMNS;
}

static inline uint64_t mask_word(const hg_nonzero_task *t, const uint8_t *masks, hg_off row, int word)
{
  uint64_t bits;
  memcpy(&bits, masks + (size_t)(row * t->words + word) * sizeof bits, sizeof bits);
  return bits;
}
