#include <criterion/criterion.h>
#include <math.h>
#include <string.h>

#include "core/base/rng.h"
#include "runtime/train/metrics.h"

TestSuite(metrics);

enum { MOST = 300 };

static uint64_t draw(uint64_t seed, size_t k, uint32_t what, uint64_t n)
{
  return hg_rng_below((hg_rng){.seed = seed, .stream = HG_STREAM_TEST}, k, what, n);
}

// the definition: the share of (positive, negative) pairs in the right order, ties half
static double pair_count(const double *pairs, size_t n)
{
  double right = 0, all = 0;
  for (size_t a = 0; a < n; a++) {
    for (size_t b = 0; b < n; b++) {
      if (pairs[2 * a + 1] <= pairs[2 * b + 1]) continue;
      all++;
      right += pairs[2 * a] > pairs[2 * b] ? 1 : pairs[2 * a] == pairs[2 * b] ? 0.5 : 0;
    }
  }
  return all > 0 ? right / all : NAN;
}

Test(metrics, roc_auc_is_the_share_of_ordered_pairs)
{
  for (uint64_t seed = 1; seed <= 200; seed++) {
    double pairs[2 * MOST];
    size_t n = 1 + draw(seed, 0, 0, MOST);
    uint64_t levels = 1 + draw(seed, 0, 1, seed % 2 ? 8 : 100000); // few levels: many ties
    for (size_t k = 0; k < n; k++) {
      pairs[2 * k] = ((double)draw(seed, k, 2, levels) - 3) / 7;
      pairs[2 * k + 1] = draw(seed, k, 3, 3) == 0;
    }
    double expected = pair_count(pairs, n), found = hg_roc_auc(pairs, n);
    cr_expect((isnan(found) && isnan(expected)) || fabs(found - expected) < 1e-12,
              "seed %llu, %zu pairs: %.17g, not %.17g", (unsigned long long)seed, n, found, expected);
  }
}

Test(metrics, roc_auc_of_known_orders)
{
  double right[] = {1, 0, 2, 0, 3, 1}, wrong[] = {1, 1, 2, 0, 3, 0}, tied[] = {5, 1, 5, 0, 5, 0};
  cr_expect_eq(hg_roc_auc(right, 3), 1);
  cr_expect_eq(hg_roc_auc(wrong, 3), 0);
  cr_expect_eq(hg_roc_auc(tied, 3), 0.5);
}

Test(metrics, roc_auc_with_infinite_scores_is_defined)
{
  double pairs[] = {-INFINITY, 0, INFINITY, 1, INFINITY, 0, 0, 1};
  double expected = pair_count(pairs, 4);
  cr_expect_eq(hg_roc_auc(pairs, 4), expected);
}

Test(metrics, roc_auc_of_one_kind_or_of_a_nan_is_nan, .timeout = 10)
{
  double positives[] = {1, 1, 2, 1}, negatives[] = {1, 0, 2, 0}, broken[] = {1, 0, NAN, 1, 3, 1};
  cr_expect(isnan(hg_roc_auc(positives, 2)));
  cr_expect(isnan(hg_roc_auc(negatives, 2)));
  cr_expect(isnan(hg_roc_auc(positives, 0)));
  cr_expect(isnan(hg_roc_auc(broken, 3)), "a run whose weights have become NaN must still end");
}
