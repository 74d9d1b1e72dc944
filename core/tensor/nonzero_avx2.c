#include "core/tensor/nonzero_body.h"

const hg_nonzero_kernels hg_nonzero_avx2 = {mask, pack, unpack, close_rows, open_rows};
