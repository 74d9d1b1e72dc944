#include "core/tensor/quantise_nonzero_body.h"

const hg_quantise_kernels hg_quantise_kernels_base = {pack, unpack, pack_nonzero, unpack_nonzero};
