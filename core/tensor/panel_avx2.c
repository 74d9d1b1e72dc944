#include "core/tensor/panel_body.h"

const hg_panel_kernels hg_panel_kernels_avx2 = {PANEL_WIDTH, panel_rows, panel_at};
