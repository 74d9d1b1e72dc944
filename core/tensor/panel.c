#include "core/tensor/panel.h"

#include <string.h>

#include "core/tensor/panel_kernels.h"

static const hg_panel_kernels *kernels_of(hg_simd simd)
{
  return simd == HG_SIMD_AVX512 ? &hg_panel_kernels_avx512 : &hg_panel_kernels_avx2;
}

static int rounded(int m, int lanes) { return (m + lanes - 1) / lanes * lanes; }

hg_off hg_panel_space(int k, int m) { return (hg_off)k * rounded(m, HG_PANEL_LANES); }

bool hg_panel_fits(int k, int m) { return hg_simd_level() != HG_SIMD_BASE && hg_panel_space(k, m) <= HG_PANEL_LARGEST; }

hg_panels hg_panel_pack(const hg_real *b, bool transposed, int k, int m, hg_real *data)
{
  hg_panels panels = {k, m, hg_simd_level(), data};
  int width = kernels_of(panels.simd)->panel_width, lanes = kernels_of(panels.simd)->lanes;
  for (int column = 0; column < m; column += width) {
    int count = m - column < width ? m - column : width;
    for (int p = 0; p < k; p++, data += rounded(count, lanes)) {
      for (int q = 0; q < count; q++)
        data[q] = transposed ? b[(hg_off)(column + q) * k + p] : b[(hg_off)p * m + column + q];
      memset(data + count, 0, (size_t)(rounded(count, lanes) - count) * sizeof *data);
    }
  }
  return panels;
}

void hg_panel_rows(const hg_panels *b, const hg_real *a, hg_off n, hg_real beta, hg_real *c)
{
  kernels_of(b->simd)->rows(b, a, n, beta, c);
}

void hg_panel_at(const hg_real *a, const hg_real *b, hg_off n, int k, int m, hg_real *c)
{
  kernels_of(hg_simd_level())->at(a, b, n, k, m, c);
}
