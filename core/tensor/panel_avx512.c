#include "core/tensor/panel_body.h"

const hg_panel_kernels hg_panel_kernels_avx512 = {PANEL_WIDTH, panel_rows, panel_at};
