#include "models/init.h"

#include <math.h>

void hg_init_glorot(hg_matrix *w, uint64_t seed, hg_off first)
{
  const hg_rng rng = {.seed = seed, .stream = HG_STREAM_INIT};
  double a = sqrt(6.0 / ((double)w->rows + (double)w->cols));
  for (hg_off e = 0; e < w->rows * w->cols; e++)
    w->data[e] = (hg_real)(a * (2 * hg_rng_uniform(rng, (uint64_t)(first + e), 0) - 1));
}
