#include "core/base/rng.h"

#include <Random123/philox.h>
#include <math.h>

void hg_rng_words(hg_rng rng, uint64_t a, uint32_t b, uint32_t words[4])
{
  philox4x32_ctr_t counter = {{(uint32_t)a, (uint32_t)(a >> 32), b, rng.stream}};
  philox4x32_key_t key = {{(uint32_t)rng.seed, (uint32_t)(rng.seed >> 32)}};
  philox4x32_ctr_t drawn = philox4x32(counter, key);
  for (int k = 0; k < 4; k++) words[k] = drawn.v[k];
}

static double unit(uint32_t high, uint32_t low) { return (double)((((uint64_t)high << 32) | low) >> 11) * 0x1p-53; }

double hg_rng_uniform(hg_rng rng, uint64_t a, uint32_t b)
{
  uint32_t w[4];
  hg_rng_words(rng, a, b, w);
  return unit(w[0], w[1]);
}

double hg_rng_normal(hg_rng rng, uint64_t a, uint32_t b)
{
  const double two_pi = 6.283185307179586;
  uint32_t w[4];
  hg_rng_words(rng, a, b, w);
  return sqrt(-2 * log1p(-unit(w[0], w[1]))) * cos(two_pi * unit(w[2], w[3]));
}

uint64_t hg_rng_below(hg_rng rng, uint64_t a, uint32_t b, uint64_t n)
{
  uint32_t w[4];
  hg_rng_words(rng, a, b, w);
  return (uint64_t)((unsigned __int128)(((uint64_t)w[0] << 32) | w[1]) * n >> 64);
}
