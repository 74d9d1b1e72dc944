#pragma once
#include <stdbool.h>

#include "core/base/cpu.h"
#include "core/tensor/matrix.h"

/**
 * Dense products of a tall matrix with a small one, in registers (core/tensor/panel_kernels.h): for AVX2 and AVX-512,
 * where b stays in the nearest caches. Nothing of a is packed, which is what costs OpenBLAS up to half of its speed
 * when b is narrow or a is transposed.
 */

/** A small matrix b [k x m] in panels: hg_panel_pack. */
typedef struct {
  int k, m;
  hg_simd simd;  ///< whose panels they are: AVX2 or AVX-512
  hg_real *data; ///< [hg_panel_space(k, m)] aligned to 64 bytes, borrowed
} hg_panels;

enum {
  HG_PANEL_LANES = 64 / (int)sizeof(hg_real),
  HG_PANEL_LARGEST = 1 << 18 ///< numbers of a b that stays in the second-level cache beside the rows that pass by
};

/** Numbers that b takes in panels of any instruction set: m rounded up to whole registers of AVX-512, k times. */
hg_off hg_panel_space(int k, int m);

/** Whether there are kernels for this processor, and for b of this size. */
bool hg_panel_fits(int k, int m);

/**
 * Copies b into panels of as many columns as a tile has; each panel's rows one after another, the last panel as wide as
 * it needs to be in whole registers, with zeros on the right.
 * @param b      [k x m], or for `transposed` [m x k]     @param data  [hg_panel_space(k, m)]
 */
hg_panels hg_panel_pack(const hg_real *b, bool transposed, int k, int m, hg_real *data);

/**
 * c = a b + beta c for n rows, on one thread; the bits of a row depend on that row alone.
 * @param a  [n x b->k]     @param c  [n x b->m]
 */
void hg_panel_rows(const hg_panels *b, const hg_real *a, hg_off n, hg_real beta, hg_real *c);

/**
 * c += a' b over n rows, on one thread, added in the order of rows. a [n x k], b [n x m], c [k x m].
 * Cost: n (k + m) reals and c for every 96 rows; 2 n k m flops.
 */
void hg_panel_at(const hg_real *a, const hg_real *b, hg_off n, int k, int m, hg_real *c);
