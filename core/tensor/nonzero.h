#pragma once
#include "core/tensor/quantise.h"

/*
 * Rows without their zeros, to be sent: relu and dropout leave most numbers of a hidden layer's output 0, and the
 * gradients of those are 0 as well. n rows are packed as
 *   n x hg_nonzero_mask_bytes   a bit for each column, the first one lowest: it is not 0
 *   values                      those that are not 0, row after row: in reals, or as hg_pack_rows packs a row of them
 * In reals exact: what is unpacked equals what was packed, NaN included; -0 becomes 0. Rounded numbers have the range
 * of those that are not 0 and draw by their own columns; zeros stay exact. Over threads, the same bytes on any number
 * of them and with every instruction set.
 */

/** Columns of one word of a mask. */
enum { HG_MASK_COLUMNS = 64 };

/** Bytes of one row's mask: a multiple of 8. */
size_t hg_nonzero_mask_bytes(int cols);

/** Bytes of a row that has no zeros: the most. */
size_t hg_nonzero_row_bytes(hg_pack_format format, int cols);

/**
 * Packs rows. Cost: reads them once from memory and a second time from the cache.
 * @param packing  not adaptive, without error feedback; of reals only x and rows are read
 * @param starts   [n + 1] working space
 * @param packed   [n hg_nonzero_row_bytes] room
 * @return         bytes that were used
 */
size_t hg_pack_nonzero(const hg_packing *packing, hg_off n, hg_off *starts, uint8_t *packed);

/**
 * Rows of y become the n packed rows, or with `add` get them added.
 * @param rows     [n] of y, all different, or NULL: its first n
 * @param starts   [n + 1] working space
 */
void hg_unpack_nonzero(hg_pack_format format, const uint8_t *packed, hg_off n, const hg_lid *rows, bool add,
                       hg_off *starts, hg_matrix *y);

/*
 * A few rows by the calling thread alone, in reals: masks here, values there, both row after row.
 */

/**
 * Masks of all rows of x, [rows hg_nonzero_mask_bytes]; how many numbers are not 0.
 * @param starts   [rows] becomes how many of them stand before each row
 */
hg_off hg_mask_rows(const hg_matrix *x, uint8_t *masks, hg_off *starts);

/** The numbers of x that its masks tell: as many as hg_mask_rows counted. */
void hg_close_rows(const hg_matrix *x, const uint8_t *masks, hg_real *values);

/** All rows of y from their masks, of which row i has its values from starts[i] on. */
void hg_open_rows(const uint8_t *masks, const hg_off *starts, const hg_real *values, hg_matrix *y);
