#pragma once
#include "core/base/types.h"

/**
 * Sparse matrix by rows (CSR). Also a graph's adjacency: row i lists the nodes j that i aggregates from (edges j -> i).
 */
typedef struct {
  hg_off n_rows, n_cols;
  hg_off *indptr;  ///< [n_rows + 1], starts at 0, never falls; indptr[n_rows] is the number of entries
  hg_lid *indices; ///< [entries] columns; ascending in a row unless said otherwise
  hg_real *values; ///< [entries], or NULL: every entry is 1
} hg_csr;

/** Zeroed arrays for `entries` entries; `values` only when `with_values`. */
hg_status hg_csr_create(hg_csr *a, hg_off n_rows, hg_off n_cols, hg_off entries, bool with_values, const char *what);
void hg_csr_free(hg_csr *a);
hg_off hg_csr_entries(const hg_csr *a);

/**
 * t = a transposed, columns ascending; counting sort.
 * Cost: O(entries + rows + columns).
 */
hg_status hg_csr_transpose(hg_csr *t, const hg_csr *a);

/**
 * Whether a is its own transposed. Columns ascending, without values.
 * Cost: O(entries), reads at random.
 * @param places   [n_rows] to work in
 */
bool hg_csr_is_symmetric(const hg_csr *a, hg_off *places);

/** Pieces of rows that hg_csr_transpose_into works on at once, at most. */
enum { HG_TRANSPOSE_PIECES = 16 };

/**
 * The same into arrays that are there, on this rank's threads; the same result for any number of them.
 * @param t        with room for the columns of a as rows, and for its entries and values
 * @param places   [HG_TRANSPOSE_PIECES x a->n_cols] to work in
 */
void hg_csr_transpose_into(hg_csr *t, const hg_csr *a, hg_off *places);

/**
 * All invariants: pointers start at 0 and never fall, columns in range. HG_ERR_INTERNAL says which entry breaks one.
 */
hg_status hg_csr_check(const hg_csr *a);
