#pragma once
#include "core/base/rng.h"
#include "core/tensor/csr.h"
#include "core/tensor/matrix.h"

typedef enum { HG_ACTIVATION_NONE, HG_ACTIVATION_RELU, HG_ACTIVATION_ELU } hg_activation;

/** x[i,k] += bias[k] for rows [first, first + n). */
void hg_bias_add(hg_matrix *x, hg_off first, hg_off n, const hg_real *bias);

/**
 * d_bias[k] = sum over rows of d_x[i,k], with `add` + d_bias[k]; as hg_sum_columns adds up: the same bits
 * for every number of threads.
 */
void hg_bias_gradient(const hg_matrix *d_x, bool add, hg_real *d_bias);

/** y += x: a residual connection, or its gradient. */
void hg_add(const hg_matrix *x, hg_matrix *y);

/** x = activation(x) in place. ELU has alpha = 1. */
void hg_activate(hg_activation kind, hg_matrix *x);

/**
 * d_x *= activation'(.), from the activation's output y. `scale`: y holds output * scale (dropout in place has scaled
 * what it kept); where dropout put a 0, d_x must be 0 already.
 */
void hg_activate_gradient(hg_activation kind, const hg_matrix *y, hg_real scale, hg_matrix *d_x);

/**
 * What a dropout mask is a function of, besides (original id, column): Random123, so that any rank can draw it again.
 * No two draws meet for epoch < 2^24, layer < 2^8 and columns < 2^27.
 */
typedef struct {
  uint64_t seed;
  int epoch, layer;
  double rate; ///< probability of a zero, in [0, 1); rounded to 1/65536; 0: nothing happens
} hg_dropout;

/** The factor 1 / (1 - rate), with the rounded rate. */
hg_real hg_dropout_scale(hg_dropout d);

/**
 * x[i,k] becomes 0 with probability `rate` and x[i,k] / (1 - rate) otherwise. Applied to a gradient with the same `d`
 * it is the backward. In place.
 * @param ids    [x->rows] original ids of the rows
 */
void hg_dropout_apply(hg_dropout d, const hg_gid *ids, hg_matrix *x);

/** Columns of a row whose bits are drawn together. */
enum { HG_DROPOUT_BLOCK = 8 };

/**
 * y = x under dropout, x being the columns of a wider matrix from `first` on: its masks. first: a multiple of
 * HG_DROPOUT_BLOCK. @param ids   as above     @param y   like x, overwritten
 */
void hg_dropout_columns(hg_dropout d, const hg_gid *ids, int first, const hg_matrix *x, hg_matrix *y);

/**
 * The gradient of dropout after an activation, written over what came out of both: y becomes the gradient of the
 * activation's input. With relu y tells what the mask was, else the mask is drawn again. On one thread with relu.
 * @param ids    [y->rows] original ids of the rows     @param d_y   [like y] the gradient of y, used up
 */
void hg_dropped_activation_gradient(hg_activation kind, hg_dropout d, const hg_gid *ids, hg_matrix *d_y, hg_matrix *y);

/**
 * y = x under dropout, without the entries that it makes zeros: at a rate of 0.8 a fifth of the work with y is left.
 * mask's column is an entry's place in its row. Kept entries are multiplied by the scale.
 * @param x    with values      @param y   with room for the rows, entries and values of x
 */
void hg_dropout_keep_csr(hg_dropout d, const hg_gid *ids, const hg_csr *x, hg_csr *y);
