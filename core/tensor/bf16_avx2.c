#include "core/tensor/bf16_body.h"

const hg_bf16_kernels hg_bf16_kernels_avx2 = BF16_KERNELS;
