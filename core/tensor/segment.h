#pragma once
#include "core/tensor/csr.h"
#include "core/tensor/matrix.h"

typedef enum { HG_REDUCTION_MEAN, HG_REDUCTION_SUM, HG_REDUCTION_MAX } hg_reduction;

/**
 * Pools rows: y[i,k] is the mean, the sum or the maximum of x[j,k] over the members j of row i, in stored order; 0
 * without members; a NaN stays one. Threads over rows of y of equal work: same bits for every number of threads.
 * @param members   y->rows x rows of x; values are not read
 * @param x         [rows x f]     @param y  [members->n_rows x f], overwritten; not x
 * Cost: entries f + rows of y f reals.
 */
void hg_segment_reduce(hg_reduction kind, const hg_csr *members, const hg_matrix *x, hg_matrix *y);

/**
 * Its gradient: d_x from d_y. The maximum's goes to the first member that has it.
 * @param members   as before; each row of x is member of exactly one row of y, so each row of d_x is written once
 * @param x, y      of the forward pass; read for the maximum alone
 * @param d_x       [rows of x x f], overwritten
 */
void hg_segment_reduce_gradient(hg_reduction kind, const hg_csr *members, const hg_matrix *x, const hg_matrix *y,
                                const hg_matrix *d_y, hg_matrix *d_x);
