#include "bench/fma_kernels.h"

double hg_fma_loop_avx512(hg_off steps, hg_real *sink) { return fma_loop(steps, sink); }
