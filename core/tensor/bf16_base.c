#include "core/tensor/bf16_body.h"

const hg_bf16_kernels hg_bf16_kernels_base = BF16_KERNELS;
