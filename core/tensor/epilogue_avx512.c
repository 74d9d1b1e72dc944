#include "core/tensor/epilogue_body.h"

const hg_epilogue_kernels hg_epilogue_avx512 = EPILOGUE_KERNELS;
