#pragma once
#include "core/tensor/bf16.h"
#include "core/tensor/csr.h"
#include "core/tensor/matrix.h"
#include "core/tensor/nonzero_matrix.h"

/** Which rows are computed, and which rows of x are read: those of at most `most` steps (models/active.h). */
typedef struct {
  const uint8_t *rows;    ///< [a->n_rows] steps, other rows of y become zeros; NULL: all are computed; borrowed
  const uint8_t *columns; ///< [a->n_cols] steps, other rows of x are zeros and need not be read; NULL: all; borrowed
  int most;
} hg_kept;

/**
 * A normalised adjacency without stored edge weights: entry (i, j) is row_scale[i] * col_scale[j] for each edge of `a`,
 * and the same at (i, i) for rows i < n_self (the added self-loops). Source: Kipf and Welling 2017, eq. 2.
 */
typedef struct {
  const hg_csr *a;          ///< pattern; its values, when not NULL, multiply each entry; borrowed
  const hg_real *row_scale; ///< [a->n_rows] or NULL: 1; borrowed
  const hg_real *col_scale; ///< [a->n_cols] or NULL: 1; borrowed
  hg_lid n_self;            ///< rows below it have a self-loop, 0 for none
  hg_kept kept;             ///< what of it is of use; of `a` without values
} hg_operator;

/** Entries in the rows [0, n) that are kept, self-loops apart. Cost: these, if columns are not kept. */
hg_off hg_operator_entries(const hg_operator *op, hg_off n);

/**
 * y[i,:] = row_scale[i] * (sum over entries j of row i of v_ij col_scale[j] x[j,:] + [i < n_self] col_scale[i] x[i,:])
 * for the rows [first, first + n); other rows of y are left alone. Threads over rows, entries added in stored order:
 * same bits for every number of threads. Any width.
 * @param x    [>= a->n_cols x f], borrowed     @param y   [>= a->n_rows x f], overwritten; not x
 * Cost: entries (f reals + 4 bytes) + 2 n f reals, 2 entries f flops.
 */
void hg_spmm(const hg_operator *op, hg_off first, hg_off n, const hg_matrix *x, hg_matrix *y);

/** The same by the calling thread alone, to a y of [n x f] whose row 0 is row `first`: while the rows are in cache. */
void hg_spmm_block(const hg_operator *op, hg_off first, hg_off n, const hg_matrix *x, hg_matrix *y);

/** The same of an x in bfloat16: half of the bytes to read, added in hg_real. */
void hg_spmm_bf16(const hg_operator *op, hg_off first, hg_off n, const hg_bf16_matrix *x, hg_matrix *y);
void hg_spmm_bf16_block(const hg_operator *op, hg_off first, hg_off n, const hg_bf16_matrix *x, hg_matrix *y);

/** The same of an x that is kept without its zeros: the same bits, but 0 for -0. */
void hg_spmm_nonzero(const hg_operator *op, hg_off first, hg_off n, const hg_nonzero_matrix *x, hg_matrix *y);
void hg_spmm_nonzero_block(const hg_operator *op, hg_off first, hg_off n, const hg_nonzero_matrix *x, hg_matrix *y);
