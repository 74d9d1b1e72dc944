#include "core/tensor/panel.h"

#include <string.h>

static int rounded(int m) { return (m + HG_PANEL_LANES - 1) / HG_PANEL_LANES * HG_PANEL_LANES; }

hg_off hg_panel_space(int k, int m) { return (hg_off)k * rounded(m); }

void hg_panel_pack(const hg_real *b, bool transposed, int k, int m, hg_real *packed)
{
  for (int column = 0; column < m; column += HG_PANEL_WIDTH) {
    int count = m - column < HG_PANEL_WIDTH ? m - column : HG_PANEL_WIDTH;
    for (int p = 0; p < k; p++, packed += rounded(count)) {
      for (int q = 0; q < count; q++)
        packed[q] = transposed ? b[(hg_off)(column + q) * k + p] : b[(hg_off)p * m + column + q];
      memset(packed + count, 0, (size_t)(rounded(count) - count) * sizeof *packed);
    }
  }
}
