#include "core/tensor/epilogue_body.h"

const hg_epilogue_kernels hg_epilogue_base = EPILOGUE_KERNELS;
