#pragma once
#include "core/tensor/panel.h"

/** What the kernels of one instruction set export. */
typedef struct {
  int panel_width; ///< columns of a panel, whole registers
  int lanes;       ///< numbers of a register
  void (*rows)(const hg_panels *b, const hg_real *a, hg_off n, hg_real beta, hg_real *c);
  void (*at)(const hg_real *a, const hg_real *b, hg_off n, int k, int m, hg_real *c);
} hg_panel_kernels;
extern const hg_panel_kernels hg_panel_kernels_avx2, hg_panel_kernels_avx512;
