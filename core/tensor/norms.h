#pragma once
#include "core/tensor/matrix.h"

#define HG_NORM_EPSILON 1e-5

/**
 * Layer norm over the columns of each row (Ba et al. 2016): xhat = (x - mean) / sqrt(var + eps), y = gamma xhat + beta.
 * @param x     [n x f], becomes xhat in place      @param inv_std  [n], written
 * @param y     [n x f], written; may not be x
 */
void hg_layer_norm(hg_matrix *x, const hg_real *gamma, const hg_real *beta, hg_real *inv_std, hg_matrix *y);

/**
 * d_y becomes d_x in place; d_gamma and d_beta [f] are overwritten (sums in double, same bits for every thread count).
 */
void hg_layer_norm_gradient(const hg_matrix *xhat, const hg_real *gamma, const hg_real *inv_std, hg_matrix *d_y,
                            hg_real *d_gamma, hg_real *d_beta);

/**
 * Batch norm over all rows of all ranks, in three local steps with a sum over ranks between them (the caller's):
 * sums[0..f) = sum of x, sums[f..2f) = sum of x^2 over the local rows, in double.
 */
void hg_batch_norm_sums(const hg_matrix *x, double *sums);

/** mean and inv_std [f] from the summed `sums` over `n` rows. */
void hg_batch_norm_moments(const double *sums, int f, double n, hg_real *mean, hg_real *inv_std);

/** x becomes xhat in place, y = gamma xhat + beta. */
void hg_batch_norm_apply(hg_matrix *x, const hg_real *mean, const hg_real *inv_std, const hg_real *gamma,
                         const hg_real *beta, hg_matrix *y);

/** y = gamma xhat + beta again, the bits that hg_layer_norm and hg_batch_norm_apply made of that xhat. */
void hg_norm_again(const hg_matrix *xhat, const hg_real *gamma, const hg_real *beta, hg_matrix *y);

/** sums[0..f) = sum of d_y (d_beta of this rank), sums[f..2f) = sum of d_y xhat (d_gamma of this rank). */
void hg_batch_norm_gradient_sums(const hg_matrix *xhat, const hg_matrix *d_y, double *sums);

/**
 * d_y becomes d_x in place, from the sums over all ranks and all `n` rows.
 * @param sums   NULL: of rows whose share of the sums is taken away elsewhere
 */
void hg_batch_norm_gradient(const hg_matrix *xhat, const hg_real *gamma, const hg_real *inv_std, const double *sums,
                            double n, hg_matrix *d_y);
