#pragma once
#include "core/tensor/bf16.h"

/**
 * Products of matrices whose numbers are rounded to bfloat16 and whose sums are of hg_real: with vdpbf16ps where the
 * processor has AVX512_BF16, else with multiply-adds on the same rounded numbers, so that processors differ by the
 * rounding of sums alone.
 */

/** The rows of an operand, in hg_real (rounded block by block while in cache) or in bfloat16. */
typedef struct {
  hg_off rows;
  int cols;
  const hg_real *real; ///< [rows x cols], or NULL
  const hg_bf16 *bf16; ///< [rows x cols], where `real` is NULL
} hg_bf16_rows;

hg_bf16_rows hg_bf16_rows_real(const hg_matrix *m);
hg_bf16_rows hg_bf16_rows_stored(const hg_bf16_matrix *m);

/**
 * The right side of a product: panels of 64 columns, in which the numbers of rows 2p and 2p + 1 stand side by side. As
 * wide as the matrix in the last panel, rounded up to 16, and padded with zeros.
 */
typedef struct {
  int k, m;      ///< the matrix is [k x m]
  hg_bf16 *data; ///< [hg_bf16_panels_space(k, m)], owned
} hg_bf16_panels;

hg_off hg_bf16_panels_space(int k, int m);
hg_status hg_bf16_panels_create(hg_bf16_panels *panels, int k, int m);
void hg_bf16_panels_free(hg_bf16_panels *panels);

/** Panels over borrowed space, not to be freed. space: [hg_bf16_panels_space(k, m)] */
hg_bf16_panels hg_bf16_panels_view(hg_bf16 *space, int k, int m);

/** @param b   [k x m], or for `transposed` [m x k], whose transposed is then the right side */
void hg_bf16_panels_fill(hg_bf16_panels *panels, const hg_matrix *b, bool transposed);

/** c = a b + beta c.  a [n x k], c [n x m]. Over threads by rows; the bits of a row depend on that row alone. */
void hg_gemm_bf16(hg_bf16_rows a, const hg_bf16_panels *b, hg_real beta, hg_matrix *c);

/** The rows [first, first + n) of that product, by the calling thread alone. */
void hg_gemm_bf16_rows(hg_bf16_rows a, hg_off first, hg_off n, const hg_bf16_panels *b, hg_real beta, hg_matrix *c);

/**
 * c = a' b + beta c.  a [n x k], b [n x m], c [k x m]. As hg_gemm_at: blocks of rows multiplied apart, added in order.
 * @param scratch  [hg_gemm_at_scratch(n, k, m)] reals (core/tensor/gemm.h), borrowed
 */
void hg_gemm_at_bf16(hg_bf16_rows a, hg_bf16_rows b, hg_real beta, hg_matrix *c, hg_real *scratch);

/** c += a' b by the calling thread alone, added in the order of rows. a [n x k], b [n x m], c [k x m]. */
void hg_gemm_at_bf16_block(hg_bf16_rows a, hg_bf16_rows b, hg_real *c);
