#pragma once
#include "core/tensor/bf16.h"

/** Columns of a panel of b, and what the last one's are rounded up to. */
enum { HG_BF16_PANEL = 64, HG_BF16_GROUP = 16 };

/** c = a b + beta c for some rows of c, where a and b stand in pairs of two neighbours of the inner dimension. */
typedef struct {
  const hg_bf16 *a;               ///< pair p of row r at a + r row_stride + p pair_stride
  hg_off row_stride, pair_stride; ///< in numbers
  const hg_bf16 *b;               ///< panels as hg_bf16_panels_fill makes them, of `panel_pairs` pairs a column
  hg_off panel_pairs, first_pair; ///< the product goes over the pairs [first_pair, first_pair + pairs) of b
  hg_real *c;                     ///< row r at c + r c_stride
  hg_off c_stride;
  int rows, cols, pairs;
  hg_real beta;
} hg_bf16_block;

/** What is compiled once for each instruction set. */
typedef struct {
  void (*from_real)(const hg_real *x, hg_off n, hg_bf16 *y);
  void (*to_real)(const hg_bf16 *x, hg_off n, hg_real *y);
  void (*pair_real)(const hg_real *x, const hg_real *y, int n, hg_bf16 *pairs); ///< pairs = x[0], y[0], x[1], y[1] ...
  void (*pair_bf16)(const hg_bf16 *x, const hg_bf16 *y, int n, hg_bf16 *pairs);
  void (*multiply)(const hg_bf16_block *block);
} hg_bf16_kernels;

extern const hg_bf16_kernels hg_bf16_kernels_base, hg_bf16_kernels_avx2, hg_bf16_kernels_avx512,
    hg_bf16_kernels_avx512bf16;

/** The widest that this processor has; see core/base/cpu.h. */
const hg_bf16_kernels *hg_bf16_kernels_here(void);
