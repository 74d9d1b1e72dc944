#pragma once
#include <stddef.h>

#include "core/tensor/matrix.h"

/**
 * A matrix beside a copy of its rows without their zeros, to be gathered (hg_spmm_nonzero). Relu and dropout leave a
 * quarter to a half of a hidden layer's output, so a gathered row takes fewer bytes. A row of the copy is its mask, as
 * hg_mask_rows makes it, and the values that are not 0; rows stand at a fixed distance. One whose values find no room
 * is gathered from the matrix.
 */
typedef struct {
  hg_off rows;
  int cols;
  int room;             ///< values that a row of the copy can hold
  hg_off stride;        ///< bytes from row to row of the copy: whole cache lines
  uint8_t *copy;        ///< [hg_nonzero_matrix_bytes] aligned to a cache line, borrowed; NULL: there is none
  const hg_real *whole; ///< [rows x cols] the matrix, borrowed
} hg_nonzero_matrix;

/** The first word of a row that is gathered from the matrix: none of its first 64 columns is 0. */
#define HG_NOT_CLOSED UINT64_MAX

/** Bytes of the copy where a row has room for `share` of its numbers, or some more. */
size_t hg_nonzero_matrix_bytes(hg_off rows, int cols, double share);

/** x and room for its copy. Its rows are to be closed or forgotten before they are gathered. */
hg_nonzero_matrix hg_nonzero_matrix_of(const hg_matrix *x, double share, uint8_t *copy);

/** Copies the rows [first, first + n) as the matrix has them now. The calling thread alone. */
void hg_nonzero_matrix_close(const hg_nonzero_matrix *m, hg_off first, hg_off n);

/** From now on the rows [first, first + n) are gathered from the matrix. The calling thread alone. */
void hg_nonzero_matrix_forget(const hg_nonzero_matrix *m, hg_off first, hg_off n);
