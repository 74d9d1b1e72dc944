#pragma once
#include <stddef.h>

#include "core/tensor/spmm.h"

/**
 * The aggregation of geo-GCN (Danel et al., arXiv 1909.05310): each channel of a neighbour's features is multiplied by
 * gates that depend on where the neighbour is,
 *     a_i[c,k] = sum over edges j -> i of w_ij relu(u_ck (p_j - p_i) + b_ck) x_j[c],
 * C channels, K filters a channel, positions p of 1 to HG_GEO_DIMS dimensions, w_ij the entries of an hg_operator; its
 * self-loops have displacement 0, so their gate is relu(b). Gates are computed where they are used, in forward and
 * again in backward: nothing of size edges x C x K exists.
 *
 * The columns of a are padded to whole registers and ordered for speed: W, which multiplies a, is brought into this
 * order by hg_geo_arrange. With shared filters all channels have the same K gates.
 */
typedef struct {
  int channels, filters, dims;
  bool shared;
  bool filter_major;   ///< column (k, c) instead of (c, k)
  int columns;         ///< of a, padding among them
  hg_real *gate;       ///< [(dims + 1) x columns] u by dimension, then b; 0 where padding is
  int *channel;        ///< [columns / HG_GEO_UNIT] the first channel of each unit
  hg_real *block_sums; ///< [HG_ROW_BLOCKS x (dims + 1) x columns] gradients of the gates by blocks of rows
} hg_geo;

/** Columns come in units of the widest register. */
enum { HG_GEO_DIMS = 8, HG_GEO_UNIT = 64 / (int)sizeof(hg_real) };

/** Columns of a, and bytes of an hg_geo's arrays. */
int hg_geo_columns(int channels, int filters);
size_t hg_geo_bytes(int channels, int filters, int dims);

/** @param dims   1 to HG_GEO_DIMS, else HG_ERR_INTERNAL */
hg_status hg_geo_create(hg_geo *geo, int channels, int filters, int dims, bool shared);
void hg_geo_free(hg_geo *geo);

/**
 * Takes the gates for the next calls.
 * @param u   [channels filters x dims], row c K + k, or with shared filters [filters x dims]
 * @param b   [channels filters] or [filters]
 */
void hg_geo_set_gates(hg_geo *geo, const hg_matrix *u, const hg_real *b);

/**
 * The rows [first, first + n) of a; others are left alone. Threads over rows of equal work, entries in stored order:
 * same bits for every number of threads.
 * @param op          rows i, columns j
 * @param positions   [>= columns of op x dims]     @param x  [>= columns of op x channels]
 * @param a           [>= rows of op x hg_geo columns]
 * Cost: entries x columns x (2 dims + 3) flops.
 */
void hg_geo_forward(const hg_geo *geo, const hg_operator *op, const hg_real *positions, hg_off first, hg_off n,
                    const hg_matrix *x, hg_matrix *a);

/**
 * From d_a: the rows [first, first + n) of d_x, and these rows' share of the gates' gradients, which is added to what
 * was there. A gate's slope at its kink is 0. Each row of d_x is written by one thread, gradients of the gates are
 * summed by HG_ROW_BLOCKS blocks of rows: same bits for every number of threads.
 * @param op    the transposed operator: rows j, columns i
 * @param d_a   [>= columns of op x hg_geo columns]     @param d_x  [>= rows of op x channels], or no data: not wanted
 * Cost: entries x columns x (4 dims + 6) flops.
 */
void hg_geo_backward(hg_geo *geo, const hg_operator *op, const hg_real *positions, hg_off first, hg_off n,
                     const hg_matrix *x, const hg_matrix *d_a, hg_matrix *d_x);

/** The gates' gradients since the last call, in the shapes of hg_geo_set_gates. */
void hg_geo_take_gradients(hg_geo *geo, hg_matrix *d_u, hg_real *d_b);

/** w [channels filters x f], row c K + k, to `arranged` [columns x f] with the rows in a's order, 0 at padding. */
void hg_geo_arrange(const hg_geo *geo, const hg_matrix *w, hg_matrix *arranged);
/** The way back. */
void hg_geo_restore(const hg_geo *geo, const hg_matrix *arranged, hg_matrix *w);
