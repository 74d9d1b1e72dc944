#include "core/tensor/skip_zeros_body.h"

const hg_skip_zeros_kernels hg_skip_zeros_avx512 = {at_skipping, bt_masked};
