#include "core/tensor/update_kernels.h"

const hg_update_kernels hg_update_base = {adam, sgd};
