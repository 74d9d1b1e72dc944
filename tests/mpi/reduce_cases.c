#include "comm/reduce.h"

#include <math.h>
#include <string.h>

#include "core/base/alloc.h"
#include "core/base/rng.h"
#include "tests/support/mpi_case.h"

static double draw(int rank, hg_off k)
{
  return hg_rng_uniform((hg_rng){7, HG_STREAM_TEST}, (uint64_t)k, (uint32_t)rank) - 0.5;
}

static void sums_are_right(hg_world *world)
{
  enum { N = 300 };
  int rank = hg_world_rank(world), size = hg_world_size(world);
  double values[N], largest[N];
  hg_real reals[N];
  int64_t counts[N];
  for (int k = 0; k < N; k++) {
    values[k] = largest[k] = draw(rank, k);
    reals[k] = (hg_real)(rank + k);
    counts[k] = (int64_t)1 << (rank + k % 40);
  }
  hg_sum_doubles(world, values, N);
  hg_max_doubles(world, largest, N);
  hg_sum_reals(world, reals, N);
  hg_sum_int64(world, counts, N);
  for (int k = 0; k < N; k++) {
    double sum = 0, top = -1;
    for (int q = 0; q < size; q++) {
      sum += draw(q, k);
      top = fmax(top, draw(q, k));
    }
    check(fabs(values[k] - sum) < 1e-12, "sum %d: %g, expected %g", k, values[k], sum);
    check(largest[k] == top, "largest %d: %g, expected %g", k, largest[k], top);
    check(reals[k] == (hg_real)(size * k + size * (size - 1) / 2), "reals %d: %g", k, (double)reals[k]);
    check(counts[k] == (((int64_t)1 << size) - 1) << (k % 40), "counts %d: %lld", k, (long long)counts[k]);
  }
}

static void no_numbers_are_no_problem(hg_world *world)
{
  hg_sums *sums = NULL;
  hg_sum_doubles(world, NULL, 0);
  hg_sum_int64(world, NULL, 0);
  hg_max_doubles(world, NULL, 0);
  hg_sum_reals(world, NULL, 0);
  hg_broadcast(world, NULL, 0, 0);
  if (!check_ok(hg_sums_create(&sums, world))) return;
  hg_sums_begin(sums, NULL, 0);
  hg_sums_progress(sums);
  hg_sums_end(sums);
  hg_sums_end(sums);
  hg_sums_free(&sums);
  hg_sums_free(&sums);
}

enum { N_TENSORS = 5 };
static const hg_off tensor_sizes[N_TENSORS] = {1, 16, 0, 100003, 7};

static void fill(hg_real *values, int tensor, int rank)
{
  for (hg_off k = 0; k < tensor_sizes[tensor]; k++) values[k] = (hg_real)draw(rank, k + 1000000 * tensor);
}

static void same_on_all(hg_world *world, const hg_real *values, hg_off n, hg_real *copy, const char *what)
{
  memcpy(copy, values, (size_t)n * sizeof *values);
  hg_broadcast(world, copy, (size_t)n * sizeof *values, 0);
  check(memcmp(copy, values, (size_t)n * sizeof *values) == 0, "%s: not the bits of rank 0", what);
}

static void sums_in_flight_repeat_their_bits(hg_world *world)
{
  hg_sums *sums = NULL;
  hg_real *tensors[N_TENSORS] = {0}, *first[N_TENSORS] = {0};
  check_ok(hg_sums_create(&sums, world));
  for (int t = 0; t < N_TENSORS; t++) {
    check_ok(HG_ALLOC(tensors[t], tensor_sizes[t], "tensor"));
    check_ok(HG_ALLOC(first[t], tensor_sizes[t], "tensor"));
  }
  for (int repetition = 0; repetition < 5; repetition++) {
    for (int t = 0; t < N_TENSORS; t++) {
      fill(tensors[t], t, hg_world_rank(world));
      hg_sums_begin(sums, tensors[t], tensor_sizes[t]);
      hg_sums_progress(sums);
    }
    hg_sums_end(sums);
    for (int t = 0; t < N_TENSORS; t++) {
      size_t bytes = (size_t)tensor_sizes[t] * sizeof(hg_real);
      if (repetition == 0) same_on_all(world, tensors[t], tensor_sizes[t], first[t], "tensor");
      check(memcmp(first[t], tensors[t], bytes) == 0, "tensor %d: repetition %d has other bits", t, repetition);
    }
  }
  for (int t = 0; t < N_TENSORS; t++) {
    double sum = 0, last = tensor_sizes[t] ? (double)tensors[t][tensor_sizes[t] - 1] : 0;
    for (int q = 0; q < hg_world_size(world) && tensor_sizes[t]; q++) sum += draw(q, tensor_sizes[t] - 1 + 1000000 * t);
    check(fabs(last - sum) < 1e-5, "tensor %d: %g, expected %g", t, last, sum);
    hg_free(&tensors[t]);
    hg_free(&first[t]);
  }
  hg_sums_free(&sums);
}

static void more_sums_than_places(hg_world *world)
{
  enum { N = 3 * HG_SUMS_MAX + 1 };
  hg_sums *sums = NULL;
  hg_real values[N];
  check_ok(hg_sums_create(&sums, world));
  for (int k = 0; k < N; k++) {
    values[k] = (hg_real)k;
    hg_sums_begin(sums, &values[k], 1);
  }
  hg_sums_free(&sums); // ends what is under way
  for (int k = 0; k < N; k++)
    check(values[k] == (hg_real)(k * hg_world_size(world)), "sum %d: %g", k, (double)values[k]);
}

static void broadcast_copies_from_its_root(hg_world *world)
{
  for (int root = 0; root < hg_world_size(world); root++) {
    char text[1000] = "nothing";
    if (hg_world_rank(world) == root) memset(text, 'a' + root, sizeof text);
    hg_broadcast(world, text, sizeof text, root);
    check(text[0] == 'a' + root && text[999] == 'a' + root, "root %d: %c", root, text[0]);
  }
}

// Rank r has r % 3 * 1000 bytes: none on some.
static void gather_keeps_the_order_of_ranks(hg_world *world)
{
  char mine[2000], *bytes;
  void *all = NULL;
  size_t *offsets = NULL, n = (size_t)(hg_world_rank(world) % 3) * 1000;
  memset(mine, hg_world_rank(world), sizeof mine);
  check_ok(hg_gather(world, mine, n, &all, &offsets));
  check((hg_world_rank(world) == 0) == (all != NULL) && (all != NULL) == (offsets != NULL),
        "only rank 0 gets the data");
  bytes = all;
  for (int q = 0; bytes && q < hg_world_size(world); q++) {
    check(offsets[q + 1] - offsets[q] == (size_t)(q % 3) * 1000, "rank %d: %zu bytes", q, offsets[q + 1] - offsets[q]);
    for (size_t k = offsets[q]; k < offsets[q + 1]; k++) check(bytes[k] == q, "byte %zu: %d, not %d", k, bytes[k], q);
  }
  hg_free(&all);
  hg_free(&offsets);
}

const mpi_case reduce_cases[] = {
    {"reduce/sums_are_right", sums_are_right, "1 2 3 4 7"},
    {"reduce/no_numbers_are_no_problem", no_numbers_are_no_problem, "1 2 3"},
    {"reduce/sums_in_flight_repeat_their_bits", sums_in_flight_repeat_their_bits, "1 2 3 4 7"},
    {"reduce/more_sums_than_places", more_sums_than_places, "1 3"},
    {"reduce/broadcast_copies_from_its_root", broadcast_copies_from_its_root, "1 2 3 7"},
    {"reduce/gather_keeps_the_order_of_ranks", gather_keeps_the_order_of_ranks, "1 2 3 4 7"},
    {0},
};
