#pragma once
#include <stddef.h>

#include "core/tensor/matrix.h"

/*
 * Rows that are made once and read once more, a few at a time, kept in between without their zeros: a bit for each
 * number, and the values of those that are not 0 in one array. There is room for a part of all numbers alone; what
 * finds none is not kept, and made again by whoever made it. Rows are kept in pieces, each with the room of its rows
 * and one thread's, so that what is kept does not depend on the threads.
 */

typedef struct {
  hg_off rows;
  int cols;
  double share;    ///< of all numbers, those that fit
  uint8_t *masks;  ///< [rows x hg_nonzero_mask_bytes]
  hg_off *starts;  ///< [rows] of a row's values, -1: it is not kept
  hg_real *values; ///< [share rows cols]
} hg_closed_rows;

/** Some rows' room: the values that come next stand from `next` on, and end at `end`. */
typedef struct {
  hg_off next, end;
} hg_closed_piece;

/** Room for `share` of all numbers. Free with hg_closed_rows_free. */
hg_status hg_closed_rows_create(hg_closed_rows *closed, hg_off rows, int cols, double share);
void hg_closed_rows_free(hg_closed_rows *closed);

/** Bytes of it. */
size_t hg_closed_rows_bytes(hg_off rows, int cols, double share);

/** Forgets all rows: before the first ones of a pass are kept. */
void hg_closed_rows_clear(hg_closed_rows *closed);

/** The room of the n rows from `first` on. */
hg_closed_piece hg_closed_rows_piece(const hg_closed_rows *closed, hg_off first, hg_off n);

/** Keeps x as the rows from `first` on, of the piece, if it has room. One thread a piece. */
void hg_closed_rows_keep(hg_closed_rows *closed, hg_closed_piece *piece, hg_off first, const hg_matrix *x);

/** Takes the rows from `first` on, the same bits, but 0 for -0; false: not all of them were kept. Any thread. */
bool hg_closed_rows_take(const hg_closed_rows *closed, hg_off first, hg_matrix *x);
