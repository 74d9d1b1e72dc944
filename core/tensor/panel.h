#pragma once
#include "core/tensor/matrix.h"

/**
 * c = a b + beta c with AVX-512, where b is small enough to stay in the nearest caches. Nothing of a is packed, which
 * is what costs OpenBLAS up to half of its speed when b is narrow.
 */
typedef struct {
  const hg_real *a; ///< [n x k]
  const hg_real *b; ///< panels as hg_panel_pack makes them; aligned to 64 bytes
  hg_real *c;       ///< [n x m]
  int k, m;
  hg_real beta;
} hg_panel_task;

enum { HG_PANEL_LANES = 64 / (int)sizeof(hg_real), HG_PANEL_WIDTH = 4 * HG_PANEL_LANES };

/** Numbers that b takes in panels: m rounded up to whole registers, k times. */
hg_off hg_panel_space(int k, int m);

/**
 * b in panels of HG_PANEL_WIDTH columns, each panel's rows one after another; the last panel is as wide as it needs to
 * be in whole registers, with zeros on the right.
 * @param b   [k x m], or for `transposed` [m x k]     @param packed  [hg_panel_space(k, m)]
 */
void hg_panel_pack(const hg_real *b, bool transposed, int k, int m, hg_real *packed);

/** Rows [first, end) of the task; the bits of a row depend on that row alone. */
void hg_panel_rows_avx512(const hg_panel_task *task, hg_off first, hg_off end);
