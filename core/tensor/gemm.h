#pragma once
#include "core/tensor/matrix.h"

/**
 * c = a b + beta c.  a [n x k], b [k x m], c [n x m]. Blocks of rows over threads; the bits do not depend on their
 * number. With AVX-512 and k m <= 2^18 a kernel of our own (core/tensor/panel.h), else OpenBLAS, one call a block.
 */
void hg_gemm(const hg_matrix *a, const hg_matrix *b, hg_real beta, hg_matrix *c);

/** c = a b' + beta c.  a [n x k], b [m x k], c [n x m]: the gradient of a layer's input. */
void hg_gemm_bt(const hg_matrix *a, const hg_matrix *b, hg_real beta, hg_matrix *c);

/**
 * c = a' b + beta c.  a [n x k], b [n x m], c [k x m]: the gradient of a layer's weights. Row blocks of fixed size are
 * multiplied apart and added in order, so the bits do not depend on the number of threads.
 * @param scratch  [hg_gemm_at_scratch(n, k, m)] reals, borrowed
 */
void hg_gemm_at(const hg_matrix *a, const hg_matrix *b, hg_real beta, hg_matrix *c, hg_real *scratch);
hg_off hg_gemm_at_scratch(hg_off n, int k, int m);
