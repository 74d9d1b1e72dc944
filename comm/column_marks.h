#pragma once
#include "core/tensor/csr.h"

/**
 * The different columns of a rank's rows, numbered in ascending order. Memory: 3/16 bytes a node of the whole graph.
 * Owned; free with hg_column_marks_free.
 */
typedef struct {
  uint64_t *bits; ///< bit j: column j is there
  hg_lid *before; ///< columns in the words before
  hg_lid count;   ///< of all
} hg_column_marks;

hg_status hg_column_marks_create(hg_column_marks *marks, const hg_csr *a);
void hg_column_marks_free(hg_column_marks *marks);

/** The number of column j, which must be there. */
static inline hg_lid hg_column_number(const hg_column_marks *marks, hg_lid j)
{
  uint64_t below = marks->bits[j >> 6] & (((uint64_t)1 << (j & 63)) - 1);
  return marks->before[j >> 6] + (hg_lid)__builtin_popcountll(below);
}

/** columns [count] of those numbers. */
void hg_column_marks_list(const hg_column_marks *marks, hg_off n_cols, hg_lid *columns);
