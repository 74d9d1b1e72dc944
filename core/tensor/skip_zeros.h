#pragma once
#include "core/tensor/matrix.h"

/**
 * Products that leave out what relu and dropout have set to 0: three quarters to a half of a hidden layer's numbers,
 * and the gradients of the same ones. On one thread, a few rows at a time, while they are in cache. What is computed is
 * what dense products give to rounding; where an infinite or undefined number would have met a 0, the sum stays finite.
 */

/** The inner size of hg_gemm_bt_masked is a multiple of this. */
enum { HG_MASKED_INNER = 128 };

/**
 * c += a' b, where a has many zeros. Each 96 rows of a are turned into a list of what is not 0 for each column, and
 * b's rows are added up by these lists. a [n x k], b [n x m], c [k x m].
 * Cost: n (k + m) reals and c for every 96 rows; 2 m flops for each number of a that is not 0.
 */
void hg_gemm_at_skipping(const hg_matrix *a, const hg_matrix *b, hg_real *c);

/** Whether it is faster than hg_gemm_at_block here, where about `share` of a's numbers are not 0. */
bool hg_at_skipping_pays(double share, int m);

/**
 * c = a b' where the mask is not 0, and 0 elsewhere: a sampled product (SDDMM). a [n x k], b [m x k] aligned to 64
 * bytes, mask and c [n x m]; k a multiple of HG_MASKED_INNER.
 * Cost: n (k + 2 m) reals, b in the second-level cache; 2 k flops for each number of the mask that is not 0.
 */
void hg_gemm_bt_masked(const hg_matrix *a, const hg_matrix *b, const hg_matrix *mask, hg_matrix *c);

/** Whether it is faster than hg_gemm_block here, where about `share` of the mask's numbers are not 0. */
bool hg_bt_masked_pays(double share);
