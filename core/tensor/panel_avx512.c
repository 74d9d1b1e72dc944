#include "core/tensor/panel_body.h"

const hg_panel_kernels hg_panel_kernels_avx512 = {PANEL_WIDTH, LANES, panel_rows, panel_at};
