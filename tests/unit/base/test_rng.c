#include <criterion/criterion.h>
#include <math.h>

#include "core/base/rng.h"

static const hg_rng rng = {.seed = 7, .stream = HG_STREAM_TEST};

Test(rng, is_a_function_of_its_counter_alone)
{
  uint32_t a[4], b[4];
  hg_rng_words(rng, 123456789012345ULL, 9, a);
  hg_rng_words(rng, 123456789012345ULL, 9, b);
  for (int k = 0; k < 4; k++) cr_expect_eq(a[k], b[k]);
  hg_rng_words(rng, 123456789012346ULL, 9, b);
  cr_expect(a[0] != b[0] || a[1] != b[1]);
}

Test(rng, uniform_and_normal_have_their_moments)
{
  enum { N = 100000 };
  double u = 0, u2 = 0, z = 0, z2 = 0;
  for (int i = 0; i < N; i++) {
    double x = hg_rng_uniform(rng, (uint64_t)i, 0), y = hg_rng_normal(rng, (uint64_t)i, 1);
    cr_assert(x >= 0 && x < 1);
    u += x, u2 += x * x, z += y, z2 += y * y;
  }
  cr_expect(fabs(u / N - 0.5) < 5e-3, "mean of uniforms %g", u / N);
  cr_expect(fabs(u2 / N - 1.0 / 3) < 5e-3, "second moment of uniforms %g", u2 / N);
  cr_expect(fabs(z / N) < 2e-2, "mean of normals %g", z / N);
  cr_expect(fabs(z2 / N - 1) < 3e-2, "variance of normals %g", z2 / N);
}

Test(rng, below_stays_below_and_reaches_everything)
{
  int seen[7] = {0};
  for (uint64_t i = 0; i < 1000; i++) {
    uint64_t k = hg_rng_below(rng, i, 2, 7);
    cr_assert(k < 7);
    seen[k]++;
  }
  for (int k = 0; k < 7; k++) cr_expect(seen[k] > 100, "%d was drawn %d times", k, seen[k]);
}
