#include "models/init.h"

#include <math.h>

hg_init hg_init_constant(double value) { return (hg_init){.value = value}; }

hg_init hg_init_glorot(int rows, int cols) { return (hg_init){.spread = sqrt(6.0 / ((double)rows + (double)cols))}; }

hg_init hg_init_linear(int inputs) { return (hg_init){.spread = 1 / sqrt((double)inputs)}; }

void hg_init_fill(hg_matrix *w, hg_init init, uint64_t seed, hg_off first)
{
  const hg_rng rng = {.seed = seed, .stream = HG_STREAM_INIT};
  for (hg_off e = 0; e < w->rows * w->cols; e++) {
    double draw = init.spread > 0 ? 2 * hg_rng_uniform(rng, (uint64_t)(first + e), 0) - 1 : 0;
    w->data[e] = (hg_real)(init.value + init.spread * draw);
  }
}
