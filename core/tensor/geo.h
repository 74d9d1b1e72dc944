#pragma once
#include <stddef.h>

#include "core/tensor/spmm.h"

/** Where the column of channel c's filter k is. */
typedef enum {
  HG_GEO_BY_CHANNEL, ///< (c, k), filters padded to units
  HG_GEO_BY_FILTER,  ///< (k, c): where channels fill registers and filters do not
  HG_GEO_SHARED      ///< (unit of filters, c, k in the unit)
} hg_geo_order;

/**
 * The aggregation of geo-GCN (Danel et al., arXiv 1909.05310): each channel of a neighbour's features is multiplied by
 * gates that depend on where the neighbour is,
 *     a_i[c,k] = sum over edges j -> i of w_ij relu(u_ck (p_j - p_i) + b_ck) x_j[c],
 * C channels, K filters a channel, positions p of 1 to HG_GEO_DIMS dimensions, w_ij the entries of an hg_operator; its
 * self-loops have displacement 0, so their gate is relu(b). Gates are computed where they are used, in forward and
 * again in backward: nothing of size edges x C x K exists.
 *
 * The columns of a are padded to whole registers and ordered for speed: W, which multiplies a, is brought into this
 * order by hg_geo_arrange. They can be worked on piece by piece (hg_geo_piece), so that not even all columns of a need
 * to exist. With shared filters all channels have the same K gates, each computed once an edge.
 */
typedef struct {
  int channels, filters, dims;
  bool shared;
  hg_geo_order order;
  int columns;         ///< of a, padding among them
  int gates;           ///< of the arrays of gates: columns, or with HG_GEO_SHARED the padded filters
  hg_real *gate;       ///< [(dims + 1) x gates] u by dimension, then b; 0 where padding is
  int *channel;        ///< [columns / HG_GEO_UNIT] the first channel of each unit
  hg_real *block_sums; ///< [HG_ROW_BLOCKS x (dims + 1) x gates] gradients of the gates by blocks of rows
} hg_geo;

/** Columns come in units of the widest register. */
enum { HG_GEO_DIMS = 8, HG_GEO_UNIT = 64 / (int)sizeof(hg_real) };

/**
 * Columns of a, how many of them are best worked on at a time (small enough for a cache; with shared filters 16
 * channels that share their gates), and bytes of an hg_geo's arrays.
 */
int hg_geo_columns(int channels, int filters);
int hg_geo_piece_columns(int channels, int filters, bool shared);
size_t hg_geo_bytes(int channels, int filters, int dims, bool shared);

/** @param dims   1 to HG_GEO_DIMS, else HG_ERR_INTERNAL */
hg_status hg_geo_create(hg_geo *geo, int channels, int filters, int dims, bool shared);
void hg_geo_free(hg_geo *geo);

/**
 * Takes the gates for the next calls.
 * @param u   [channels filters x dims], row c K + k, or with shared filters [filters x dims]
 * @param b   [channels filters] or [filters]
 */
void hg_geo_set_gates(hg_geo *geo, const hg_matrix *u, const hg_real *b);

/** What one call works on. */
typedef struct {
  const hg_operator *op;
  const hg_real *positions; ///< [>= columns and rows of op x dims]
  hg_off first, n;          ///< rows of op
  int column;               ///< the columns of a from this one on, as many as `a` or `d_a` has; both whole units
} hg_geo_piece;

/**
 * The piece's rows of a; others are left alone. Threads over rows of equal work, entries in stored order: same bits for
 * every number of threads.
 * @param piece       of the operator: rows i, columns j
 * @param x           [>= columns of op x channels]
 * @param a           [>= rows of op x some or all of hg_geo columns]
 * Cost: entries x columns x (2 dims + 3) flops; with shared filters entries x (K (2 dims + 1) + 2 C K).
 */
void hg_geo_forward(const hg_geo *geo, const hg_geo_piece *piece, const hg_matrix *x, hg_matrix *a);

/**
 * From d_a: the piece's share of its rows of d_x, written for column 0 and added for others, and these rows' share of
 * the gates' gradients, which is added to what was there. A gate's slope at its kink is 0. Each row of d_x is written
 * by one thread, gradients of the gates are summed by HG_ROW_BLOCKS blocks of rows: same bits for every number of
 * threads.
 * @param piece       of the transposed operator: rows j, columns i
 * @param d_a         [>= columns of op x some or all of hg_geo columns]
 * @param d_x         [>= rows of op x channels], or no data: not wanted
 * @param d_p         [rows of op x dims] or NULL; the gradient of the sources' positions is added; complete with
 *                    hg_geo_backward_targets
 * Cost: entries x columns x (4 dims + 2) flops; with shared filters entries x (K (4 dims + 3) + 4 C K).
 */
void hg_geo_backward(hg_geo *geo, const hg_geo_piece *piece, const hg_matrix *x, const hg_matrix *d_a, hg_matrix *d_x,
                     hg_real *d_p);

/**
 * Adds the gradient of the targets' positions to d_p [>= rows of op x dims], for the piece's rows, from d_a
 * [>= rows of op x ...]. Over all rows of both calls the gradients of the positions sum to 0. Same bits for every
 * number of threads.
 * @param piece       of the operator, as for hg_geo_forward
 * Cost: as hg_geo_forward.
 */
void hg_geo_backward_targets(const hg_geo *geo, const hg_geo_piece *piece, const hg_matrix *x, const hg_matrix *d_a,
                             hg_real *d_p);

/** The gates' gradients since the last call, in the shapes of hg_geo_set_gates. */
void hg_geo_take_gradients(hg_geo *geo, hg_matrix *d_u, hg_real *d_b);

/** w [channels filters x f], row c K + k, to `arranged` [columns x f] with the rows in a's order, 0 at padding. */
void hg_geo_arrange(const hg_geo *geo, const hg_matrix *w, hg_matrix *arranged);
/** The way back. */
void hg_geo_restore(const hg_geo *geo, const hg_matrix *arranged, hg_matrix *w);
