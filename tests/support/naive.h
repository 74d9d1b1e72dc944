#pragma once
#include "core/tensor/loss.h"
#include "core/tensor/nonzero_matrix.h"
#include "core/tensor/spmm.h"

/**
 * The kernels of core/tensor again as plain loops in double, and random inputs for them; all deterministic in the seed.
 */

/** Uniform numbers in [-1, 1). */
void fill_random(hg_real *x, hg_off n, uint64_t seed);

/** A random matrix; fails the test when memory is short. */
hg_matrix random_matrix(hg_off rows, int cols, uint64_t seed);

/** The rows of x without their zeros, of which a quarter is expected to be left. Owned: hg_free its data. */
hg_nonzero_matrix close_all(const hg_matrix *x);

/**
 * Random rows of 0 to 2 `degree` ascending columns without repetition; every fifth row is empty, the row 3 is `8
 * degree` long.
 */
hg_csr random_csr(hg_off n_rows, hg_off n_cols, int degree, bool with_values, uint64_t seed);

void naive_spmm(const hg_operator *op, hg_off first, hg_off n, const hg_matrix *x, hg_matrix *y);

/** c = op(a) op(b) + beta c. */
void naive_gemm(const hg_matrix *a, bool transpose_a, const hg_matrix *b, bool transpose_b, hg_real beta, hg_matrix *c);

/** The sum over i of a[i] b[i]. */
double naive_dot(const hg_real *a, const hg_real *b, hg_off n);

/**
 * Central differences: expects gradient[i] to be the derivative of value(context) with respect to x[i], for all n (or,
 * of many, every n/40-th). The tolerance is that of the build: tight in double, loose in float.
 */
void expect_gradient(double (*value)(void *context), void *context, hg_real *x, hg_off n, const hg_real *gradient,
                     const char *what);

/** Relative tolerance of sums of some hundred terms in this build. */
double sum_tolerance(void);
