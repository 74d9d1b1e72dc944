#pragma once
#include <stddef.h>

#include "core/tensor/matrix.h"

/*
 * Rows that are made once and read once more, a few at a time, kept in between without their zeros: a bit for each
 * number, and the values of those that are not 0 in one array for all rows. There is room for a part of all numbers
 * alone; what finds none is not kept, and made again by whoever made it.
 */

typedef struct {
  hg_off rows;
  int cols;
  hg_off room, used; ///< numbers that fit; that were to be kept
  uint8_t *masks;    ///< [rows x hg_nonzero_mask_bytes]
  hg_off *starts;    ///< [rows] of a row's values, -1: it is not kept
  hg_real *values;   ///< [room]
} hg_closed_rows;

/** Room for `share` of all numbers. Free with hg_closed_rows_free. */
hg_status hg_closed_rows_create(hg_closed_rows *closed, hg_off rows, int cols, double share);
void hg_closed_rows_free(hg_closed_rows *closed);

/** Bytes of it. */
size_t hg_closed_rows_bytes(hg_off rows, int cols, double share);

/** Forgets all rows: before the first ones of a pass are kept. */
void hg_closed_rows_clear(hg_closed_rows *closed);

/** Keeps x as the rows from `first` on, if there is room. Any thread, each row by one. */
void hg_closed_rows_keep(hg_closed_rows *closed, hg_off first, const hg_matrix *x);

/** Takes the rows from `first` on, the same bits, but 0 for -0; false: not all of them were kept. Any thread. */
bool hg_closed_rows_take(const hg_closed_rows *closed, hg_off first, hg_matrix *x);
