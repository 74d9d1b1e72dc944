#pragma once
#include <stddef.h>

#include "core/tensor/matrix.h"

/**
 * A matrix whose rows are kept without their zeros, at fixed distances, so that they can be gathered (hg_spmm_nonzero).
 * Relu and dropout leave a quarter to a half of a hidden layer's output: a gathered row takes fewer bytes. A row is its
 * mask, as hg_mask_rows makes it, and the values that are not 0. There is room for rows without any zero, so that this
 * takes no less memory than a matrix: it is a matrix of which less is read and written.
 */
typedef struct {
  hg_off rows;
  int cols;
  hg_off stride;  ///< bytes from row to row: whole cache lines
  hg_off fetched; ///< cache lines of a row that gathering fetches ahead: about what it reads
  uint8_t *data;  ///< [hg_nonzero_matrix_bytes] aligned to a cache line, borrowed; zeroed, it holds zeros
} hg_nonzero_matrix;

size_t hg_nonzero_matrix_bytes(hg_off rows, int cols);

/** @param share  of the numbers that are not 0, as far as one knows */
hg_nonzero_matrix hg_nonzero_matrix_of(uint8_t *data, hg_off rows, int cols, double share);

/** Rows from `first` on become those of x. The calling thread alone. */
void hg_nonzero_matrix_close(const hg_nonzero_matrix *m, hg_off first, const hg_matrix *x);

/** x = its rows from `first` on; 0 where they were -0. The calling thread alone. */
void hg_nonzero_matrix_open(const hg_nonzero_matrix *m, hg_off first, hg_matrix *x);

/** The rows [first, end) become zeros. The calling thread alone. */
void hg_nonzero_matrix_clear(const hg_nonzero_matrix *m, hg_off first, hg_off end);
