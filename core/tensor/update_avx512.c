#include "core/tensor/update_kernels.h"

const hg_update_kernels hg_update_avx512 = {adam, sgd};
