#pragma once
#include "core/tensor/gemm_bf16.h"
#include "core/tensor/panel.h"

/**
 * c = a b + beta c.  a [n x k], b [k x m], c [n x m]. Blocks of rows over threads; the bits do not depend on their
 * number. With AVX2 or AVX-512 and a small b kernels of our own (core/tensor/panel.h), else OpenBLAS, one call a block.
 */
void hg_gemm(const hg_matrix *a, const hg_matrix *b, hg_real beta, hg_matrix *c);

/** c = a b' + beta c.  a [n x k], b [m x k], c [n x m]: the gradient of a layer's input. */
void hg_gemm_bt(const hg_matrix *a, const hg_matrix *b, hg_real beta, hg_matrix *c);

/** Which factor of a product a' b has many zeros that are left out (core/tensor/skip_zeros.h). */
typedef enum { HG_ZEROS_KEPT, HG_ZEROS_OF_A, HG_ZEROS_OF_B } hg_zeros;

/**
 * c = a' b + beta c.  a [n x k], b [n x m], c [k x m]: the gradient of a layer's weights. Row blocks of fixed size are
 * multiplied apart and added in order, so the bits do not depend on the number of threads.
 * @param scratch  [hg_gemm_at_scratch(n, k, m)] reals, borrowed
 */
void hg_gemm_at(const hg_matrix *a, const hg_matrix *b, hg_zeros zeros, hg_real beta, hg_matrix *c, hg_real *scratch);
hg_off hg_gemm_at_scratch(hg_off n, int k, int m);

/** In how many pieces hg_gemm_at adds n rows: a function of n alone. */
int hg_gemm_at_parts(hg_off n);

/**
 * Whether hg_gemm_at_block keeps its part of a' b, [k x m], turned, as [m x k]: where m is narrow, so that registers
 * are full of the long rows of a; or where zeros of b are left out.
 */
bool hg_gemm_at_turned(int k, int m, hg_zeros zeros);

/**
 * c = the sum of `parts` matrices, one after another in `partials`, in their order, + beta c.
 * @param turned  they are [c->cols x c->rows]
 */
void hg_gemm_at_add(const hg_real *partials, int parts, bool turned, hg_real beta, hg_matrix *c);

/** The right side of a product that many blocks of rows are multiplied with, one after another. */
typedef struct {
  const hg_real *b; ///< as given, borrowed
  bool transposed;
  int k, m;    ///< what rows are multiplied with is [k x m]
  bool packed; ///< `panels` are filled
  hg_panels panels;
  hg_bf16_panels rounded; ///< with data: the product is one of numbers rounded to bfloat16
} hg_right_side;

/**
 * @param b        [k x m], or for `transposed` [m x k]; borrowed
 * @param space    [hg_panel_space(k, m)] aligned to 64 bytes, borrowed; or NULL: as b is
 */
hg_right_side hg_right_side_of(const hg_matrix *b, bool transposed, hg_real *space);

/** The same rounded to bfloat16; so is then what it is multiplied with. space: as above, and never NULL */
hg_right_side hg_right_side_rounded(const hg_matrix *b, bool transposed, hg_real *space);

/** c = a b + beta c by the calling thread alone. a [n x k], c [n x m]. */
void hg_gemm_block(const hg_matrix *a, const hg_right_side *b, hg_real beta, hg_matrix *c);

/** The same over threads, for many rows. */
void hg_gemm_right(const hg_matrix *a, const hg_right_side *b, hg_real beta, hg_matrix *c);

/** part += a' b, turned or not, by the calling thread alone. a [n x k], b [n x m], part [k x m] or [m x k]. */
void hg_gemm_at_block(const hg_matrix *a, const hg_matrix *b, hg_zeros zeros, hg_real *part);
