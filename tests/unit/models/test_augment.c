#include <criterion/criterion.h>
#include <math.h>
#include <string.h>

#include "core/base/alloc.h"
#include "core/tensor/geo.h"
#include "models/augment.h"
#include "tests/support/close.h"

enum { SEED = 11, MOST = HG_GEO_DIMS * HG_GEO_DIMS };

static const double exactness = sizeof(hg_real) == sizeof(double) ? 1e-13 : 1e-6;

// the largest entry of M'M - I
static double distance_from_orthogonal(const hg_real *map, int dims)
{
  double largest = 0;
  for (int a = 0; a < dims; a++) {
    for (int b = 0; b < dims; b++) {
      double dot = a == b ? -1 : 0;
      for (int r = 0; r < dims; r++) dot += (double)map[r * dims + a] * (double)map[r * dims + b];
      largest = fmax(largest, fabs(dot));
    }
  }
  return largest;
}

// by elimination with the largest pivot
static double determinant(const hg_real *map, int dims)
{
  double m[HG_GEO_DIMS][HG_GEO_DIMS], result = 1;
  for (int e = 0; e < dims * dims; e++) m[e / dims][e % dims] = (double)map[e];
  for (int k = 0; k < dims; k++) {
    int pivot = k;
    for (int r = k + 1; r < dims; r++)
      if (fabs(m[r][k]) > fabs(m[pivot][k])) pivot = r;
    for (int c = 0; c < dims && pivot != k; c++) {
      double other = m[k][c];
      m[k][c] = m[pivot][c];
      m[pivot][c] = -other;
    }
    result *= m[k][k];
    for (int r = k + 1; r < dims; r++)
      for (int c = dims - 1; c >= k; c--) m[r][c] -= m[r][k] / m[k][k] * m[k][c];
  }
  return result;
}

Test(augment, rotations_are_orthogonal_with_determinant_one)
{
  static const double limits[] = {180, 179, 45, 0.01};
  for (int dims = 1; dims <= HG_GEO_DIMS; dims++) {
    for (uint64_t k = 0; k < 4 * 200; k++) {
      const hg_augment a = hg_augment_training(&(hg_augment_options){.rotate = limits[k % 4]}, SEED, 3);
      hg_real map[MOST];
      cr_assert(hg_augment_map(&a, k / 4, dims, map) == map);
      double off = distance_from_orthogonal(map, dims), det = determinant(map, dims);
      cr_expect(off < 10 * exactness, "%d dimensions, %g degrees, unit %d: M'M is %g from I", dims, a.options.rotate,
                (int)(k / 4), off);
      cr_expect(fabs(det - 1) < 10 * exactness, "%d dimensions, %g degrees, unit %d: determinant %g", dims,
                a.options.rotate, (int)(k / 4), det);
    }
  }
}

static const double degree = 3.14159265358979323846 / 180;

// M - M' = 2 sin(angle) (v u' - u v') of orthonormal u, v, whose squares sum to 8 sin^2; the trace is d - 2 + 2 cos
static double angle_of(const hg_real *map, int dims)
{
  double trace = 0, squares = 0;
  for (int e = 0; e < dims * dims; e++) {
    double skew = (double)map[e] - (double)map[e % dims * dims + e / dims];
    squares += skew * skew;
    if (e % (dims + 1) == 0) trace += (double)map[e];
  }
  return atan2(sqrt(squares / 8), (trace - dims + 2) / 2) / degree;
}

// tenths of the limit are equally frequent, and so are both senses
Test(augment, angles_are_uniform_up_to_the_limit)
{
  enum { N = 20000, BINS = 10 };
  static const double limits[] = {179, 90, 5};
  for (int k = 0; k < 3 * (HG_GEO_DIMS - 1); k++) {
    int dims = 2 + k / 3, bins[BINS] = {0}, left = 0;
    double limit = limits[k % 3];
    const hg_augment a = hg_augment_training(&(hg_augment_options){.rotate = limit}, SEED, 1);
    for (uint64_t unit = 0; unit < N; unit++) {
      hg_real map[MOST];
      hg_augment_map(&a, unit, dims, map);
      double angle = angle_of(map, dims);
      cr_assert(angle <= limit + 1e-3, "%d dimensions, unit %d: %g of %g degrees", dims, (int)unit, angle, limit);
      bins[(int)fmin(BINS - 1, angle / limit * BINS)]++;
      left += map[dims] > 0;
    }
    for (int b = 0; b < BINS; b++)
      cr_expect(abs(bins[b] - N / BINS) < 200, "%d dimensions, %g degrees: %d of %d in part %d", dims, limit, bins[b],
                N, b);
    cr_expect(abs(left - N / 2) < 350, "%d dimensions, %g degrees: %d of %d to the left", dims, limit, left, N);
  }
}

// A plane uniform over all: the square of each entry (r, c) of the unit skew matrix of the plane, r < c, has the mean
// 1 / (d over 2), the entries' mean is 0, and those of different places are uncorrelated.
Test(augment, planes_are_uniform)
{
  enum { N = 20000, PAIRS = 10 };
  const hg_augment a = hg_augment_training(&(hg_augment_options){.rotate = 60}, SEED, 1);
  for (int dims = 3; dims <= 5; dims++) {
    int pairs = dims * (dims - 1) / 2;
    double mean[PAIRS] = {0}, product[PAIRS][PAIRS] = {{0}};
    for (uint64_t unit = 0; unit < N; unit++) {
      hg_real map[MOST];
      double skew[PAIRS];
      hg_augment_map(&a, unit, dims, map);
      double sine2 = 2 * sin(angle_of(map, dims) * degree);
      for (int r = 0, p = 0; r < dims; r++)
        for (int c = r + 1; c < dims; c++, p++)
          skew[p] = ((double)map[c * dims + r] - (double)map[r * dims + c]) / sine2;
      for (int p = 0; p < pairs * pairs; p++) product[p / pairs][p % pairs] += skew[p / pairs] * skew[p % pairs] / N;
      for (int p = 0; p < pairs; p++) mean[p] += skew[p] / N;
    }
    for (int p = 0; p < pairs; p++) cr_expect(fabs(mean[p]) < 0.025, "%d dimensions: mean %g", dims, mean[p]);
    for (int p = 0; p < pairs * pairs; p++) {
      double found = product[p / pairs][p % pairs], expected = p % (pairs + 1) == 0 ? 1.0 / pairs : 0;
      cr_expect(fabs(found - expected) < 0.01, "%d dimensions: product %d is %g, not %g", dims, p, found, expected);
    }
  }
}

Test(augment, in_one_dimension_nothing_turns)
{
  const hg_augment a = hg_augment_training(&(hg_augment_options){.rotate = 170}, SEED, 1);
  for (uint64_t unit = 0; unit < 100; unit++) {
    hg_real map[1];
    hg_augment_map(&a, unit, 1, map);
    cr_expect(map[0] == 1);
  }
}

// Over Haar's measure of the rotations, entries have mean 0 and second moment 1 / d, those of different places are
// uncorrelated, and the trace has second moment 1 (from 3 dimensions on; in 2 it is 4 cos^2, of mean 2).
Test(augment, rotations_are_uniform)
{
  enum { N = 20000 };
  const hg_augment a = hg_augment_training(&(hg_augment_options){.rotate = 180}, SEED, 1);
  for (int dims = 2; dims <= 5; dims++) {
    double mean[MOST] = {0}, square[MOST] = {0}, fourth = 0, trace2 = 0;
    for (uint64_t unit = 0; unit < N; unit++) {
      hg_real map[MOST];
      double trace = 0;
      hg_augment_map(&a, unit, dims, map);
      for (int e = 0; e < dims * dims; e++) {
        double x = (double)map[e];
        mean[e] += x / N;
        square[e] += x * x / N;
        if (e % (dims + 1) == 0) trace += x;
      }
      fourth += pow((double)map[0], 4) / N;
      trace2 += trace * trace / N;
    }
    for (int e = 0; e < dims * dims; e++) {
      cr_expect(fabs(mean[e]) < 0.025, "%d dimensions: entry %d has mean %g", dims, e, mean[e]);
      cr_expect(fabs(square[e] - 1.0 / dims) < 0.015, "%d dimensions: entry %d has second moment %g", dims, e,
                square[e]);
    }
    double expected = 3.0 / (dims * (dims + 2)), traces = dims == 2 ? 2 : 1;
    cr_expect(fabs(fourth - expected) < 0.015, "%d dimensions: fourth moment %g, not %g", dims, fourth, expected);
    cr_expect(fabs(trace2 - traces) < 0.06, "%d dimensions: the trace's second moment is %g", dims, trace2);
  }
}

Test(augment, half_the_maps_are_mirrored)
{
  enum { N = 4000 };
  for (int rotate = 0; rotate < 2; rotate++) {
    const hg_augment_options options = {.rotate = 180 * rotate, .reflect = true};
    const hg_augment a = hg_augment_training(&options, SEED, 1);
    for (int dims = 1; dims <= 4; dims++) {
      int mirrored = 0;
      for (uint64_t unit = 0; unit < N; unit++) {
        hg_real map[MOST];
        hg_augment_map(&a, unit, dims, map);
        double det = determinant(map, dims);
        cr_assert(fabs(fabs(det) - 1) < 10 * exactness, "determinant %g", det);
        cr_assert(distance_from_orthogonal(map, dims) < 10 * exactness);
        if (det < 0) mirrored++;
        for (int e = 1; !rotate && e < dims * dims; e++) cr_assert_eq(map[e], e % (dims + 1) == 0 ? 1 : 0);
      }
      cr_expect(abs(mirrored - N / 2) < N / 20, "%d of %d were mirrored in %d dimensions", mirrored, N, dims);
    }
  }
}

Test(augment, factors_shrink_as_often_as_they_stretch)
{
  enum { N = 20000 };
  const hg_augment a = hg_augment_training(&(hg_augment_options){.scale = 0.5}, SEED, 1);
  double mean = 0, square = 0, span = log(1.5);
  for (uint64_t unit = 0; unit < N; unit++) {
    hg_real map[4];
    hg_augment_map(&a, unit, 2, map);
    cr_assert(map[1] == 0 && map[2] == 0 && map[0] == map[3]);
    double u = log((double)map[0]) / span;
    cr_assert(fabs(u) < 1 + 1e-6, "a factor of %g", (double)map[0]);
    mean += u / N;
    square += u * u / N;
  }
  cr_expect(fabs(mean) < 0.02 && fabs(square - 1.0 / 3) < 0.01, "mean %g, second moment %g", mean, square);
}

Test(augment, without_options_nothing_moves)
{
  const hg_augment a = hg_augment_training(&(hg_augment_options){.test_samples = 3}, SEED, 1);
  const hg_real from[] = {1, 2, 3, 4};
  hg_real to[4], map[4];
  cr_expect(hg_augment_map(&a, 0, 2, map) == NULL);
  hg_augment_move(&a, NULL, 2, (hg_gid[]){5, 6}, 2, from, to);
  cr_expect(memcmp(from, to, sizeof from) == 0);
}

Test(augment, jitter_is_normal_and_of_each_node_and_coordinate)
{
  enum { N = 20000, DIMS = 3 };
  static hg_real noise[N * DIMS];
  static hg_gid ids[N];
  for (int i = 0; i < N; i++) ids[i] = 7 * i + (1LL << 35);
  const hg_augment a = hg_augment_training(&(hg_augment_options){.jitter = 0.2}, SEED, 1);
  hg_augment_move(&a, NULL, DIMS, ids, N, noise, noise); // from 0
  double mean[DIMS] = {0}, product[DIMS][DIMS] = {{0}}, fourth = 0, next = 0;
  for (int i = 0; i < N; i++) {
    for (int d = 0; d < DIMS; d++) {
      mean[d] += (double)noise[i * DIMS + d] / 0.2 / N;
      for (int k = 0; k < DIMS; k++)
        product[d][k] += (double)noise[i * DIMS + d] * (double)noise[i * DIMS + k] / 0.04 / N;
    }
    fourth += pow((double)noise[i * DIMS] / 0.2, 4) / N;
    if (i) next += (double)noise[i * DIMS] * (double)noise[(i - 1) * DIMS] / 0.04 / N;
  }
  for (int d = 0; d < DIMS; d++) {
    cr_expect(fabs(mean[d]) < 0.03, "coordinate %d: mean %g", d, mean[d]);
    for (int k = 0; k < DIMS; k++)
      cr_expect(fabs(product[d][k] - (d == k)) < 0.04, "coordinates %d and %d: product %g", d, k, product[d][k]);
  }
  cr_expect(fabs(fourth - 3) < 0.25, "fourth moment %g", fourth);
  cr_expect(fabs(next) < 0.03, "neighbours' noise has the product %g", next);
}

// what a rank holds, and in which order, changes nothing
Test(augment, jitter_depends_on_the_node_alone)
{
  const hg_augment a = hg_augment_training(&(hg_augment_options){.jitter = 1}, SEED, 1);
  hg_real zero[6] = {0}, three[6], one[2];
  const hg_gid ids[] = {40, 7, 1000000};
  hg_augment_move(&a, NULL, 2, ids, 3, zero, three);
  for (int i = 0; i < 3; i++) {
    hg_augment_move(&a, NULL, 2, &ids[i], 1, zero, one);
    cr_expect(memcmp(one, three + 2 * i, sizeof one) == 0, "node %d", (int)ids[i]);
  }
}

Test(augment, maps_come_after_the_noise)
{
  const hg_augment_options options = {.rotate = 100, .reflect = true, .scale = 0.3, .jitter = 0.5};
  const hg_augment a = hg_augment_training(&options, SEED, 4);
  enum { N = 5, DIMS = 4 };
  const hg_gid ids[N] = {3, 1, 4, 15, 9};
  hg_real from[N * DIMS], noisy[N * DIMS], expected[N * DIMS], map[MOST];
  for (int e = 0; e < N * DIMS; e++) from[e] = (hg_real)sin(e);
  cr_assert(hg_augment_map(&a, 9, DIMS, map) == map);
  hg_augment_move(&a, NULL, DIMS, ids, N, from, noisy);
  for (int e = 0; e < N * DIMS; e++) {
    expected[e] = 0;
    for (int k = 0; k < DIMS; k++) expected[e] += map[e % DIMS * DIMS + k] * noisy[e / DIMS * DIMS + k];
  }
  hg_augment_move(&a, map, DIMS, ids, N, from, from); // in place
  expect_close(from, expected, N * DIMS, 10 * exactness, "moved");
}

static bool same_map(hg_augment a, uint64_t unit_a, hg_augment b, uint64_t unit_b)
{
  hg_real map_a[9], map_b[9];
  hg_augment_map(&a, unit_a, 3, map_a);
  hg_augment_map(&b, unit_b, 3, map_b);
  return memcmp(map_a, map_b, sizeof map_a) == 0;
}

Test(augment, seeds_epochs_units_and_samples_draw_anew)
{
  const hg_augment_options options = {.rotate = 180, .scale = 0.1, .jitter = 1};
  const hg_augment a = hg_augment_training(&options, SEED, 5);
  cr_expect(same_map(a, 2, hg_augment_training(&options, SEED, 5), 2));
  cr_expect(!same_map(a, 2, a, 3));
  cr_expect(!same_map(a, 2, hg_augment_training(&options, SEED, 6), 2));
  cr_expect(!same_map(a, 2, hg_augment_training(&options, SEED + 1, 5), 2));
  cr_expect(!same_map(hg_augment_test(&options, SEED, 0), 0, hg_augment_test(&options, SEED, 1), 0));
  cr_expect(same_map(hg_augment_test(&options, SEED, 1), 0, hg_augment_test(&options, SEED, 1), 0));
}

Test(augment, a_batch_shares_its_map_as_the_options_say)
{
  hg_augment_options options = {.rotate = 180, .per = HG_AUGMENT_PER_GRAPH};
  hg_real first[4], second[4];
  hg_augment a = hg_augment_training(&options, SEED, 1);
  cr_expect(hg_augment_batch_map(&a, 0, 2, first) == NULL, "each graph has its own");
  a.options.per = HG_AUGMENT_PER_BATCH;
  cr_assert(hg_augment_batch_map(&a, 0, 2, first) && hg_augment_batch_map(&a, 1, 2, second));
  cr_expect(memcmp(first, second, sizeof first) != 0);
  a.options.per = HG_AUGMENT_PER_EPOCH;
  cr_assert(hg_augment_batch_map(&a, 0, 2, first) && hg_augment_batch_map(&a, 1, 2, second));
  cr_expect(memcmp(first, second, sizeof first) == 0);
  options.per = HG_AUGMENT_PER_BATCH;
  a = hg_augment_test(&options, SEED, 0);
  cr_assert(hg_augment_batch_map(&a, 0, 2, first) && hg_augment_batch_map(&a, 1, 2, second));
  cr_expect(memcmp(first, second, sizeof first) == 0, "an evaluation's pass shares one");
}

Test(augment, a_whole_graph_is_jittered_from_where_it_stood)
{
  enum { N = 1000 };
  const hg_augment_options options = {.rotate = 180, .jitter = 0.1};
  hg_local_graph g = {.n_local = N, .n_dims = 2};
  hg_real before[2 * N], first[2 * N], map[4];
  cr_assert(HG_ALLOC(g.positions, 2 * N, "positions") == HG_OK && HG_ALLOC(g.ids, N, "ids") == HG_OK);
  for (int i = 0; i < N; i++) g.ids[i] = N - i;
  for (int e = 0; e < 2 * N; e++) g.positions[e] = before[e] = (hg_real)cos(e);
  cr_assert_eq(hg_augment_prepare(&options, &g), HG_OK);
  cr_expect_eq(hg_augment_bytes(&options, &g), sizeof before);
  hg_augment a = hg_augment_training(&options, SEED, 1);
  cr_expect(hg_augment_graph(&a, &g, map) == map);
  memcpy(first, g.positions, sizeof first);
  cr_expect(memcmp(first, before, sizeof first) != 0);
  a.epoch++;
  hg_augment_graph(&a, &g, map);
  cr_expect(memcmp(g.positions, first, sizeof first) != 0, "the second epoch has the first one's noise");
  a.epoch--;
  hg_augment_graph(&a, &g, map);
  cr_expect(memcmp(g.positions, first, sizeof first) == 0, "noise was added to noise");
  cr_expect(hg_augment_graph(NULL, &g, map) == NULL);
  cr_expect(memcmp(g.positions, before, sizeof before) == 0, "evaluation does not see the positions as they are");
  hg_local_graph_free(&g);
}
