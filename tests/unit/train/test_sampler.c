#include "runtime/train/sampler.h"

#include <criterion/criterion.h>
#include <string.h>

#include "core/base/rng.h"

enum { MOST_GRAPHS = 130, MOST_RANKS = 9 };

// graphs of a collection of twice as many, in no order; each seed has its own sizes, from equal ones to few large ones
typedef struct {
  hg_off n, batch_size;
  int ranks;
  hg_off graphs[MOST_GRAPHS], work[2 * MOST_GRAPHS];
  uint64_t seed;
} epoch_case;

static hg_off draw(uint64_t seed, hg_off k, uint32_t what, hg_off n)
{
  return (hg_off)hg_rng_below((hg_rng){seed, HG_STREAM_TEST}, (uint64_t)k, what, (uint64_t)n);
}

static epoch_case random_case(uint64_t seed)
{
  static const hg_off sizes[] = {1, 2, 5, 16, 64, 200};
  epoch_case c = {.seed = seed, .n = 1 + draw(seed, 0, 0, MOST_GRAPHS), .batch_size = sizes[seed % 6]};
  c.ranks = 1 + (int)draw(seed, 0, 1, MOST_RANKS);
  for (hg_off g = 0; g < 2 * c.n; g++)
    c.work[g] = seed % 3 == 0 ? 7 : 1 + draw(seed, g, 2, 20) * (draw(seed, g, 3, 10) == 0 ? 50 : 1);
  for (hg_off k = 0; k < c.n; k++) c.graphs[k] = 2 * (c.n - 1 - k) + draw(seed, k, 4, 2);
  return c;
}

static hg_batch_list make_list(const epoch_case *c, int rank)
{
  hg_batch_list list;
  cr_assert_eq(hg_batch_list_create(&list, c->n, c->batch_size, (hg_sharing){rank, c->ranks, c->work}), HG_OK);
  return list;
}

static hg_batch_list shuffled(const epoch_case *c, int rank, int epoch)
{
  hg_batch_list list = make_list(c, rank);
  hg_batch_list_shuffle(&list, c->graphs, c->seed, epoch);
  return list;
}

static void count(int *times, const hg_off *graphs, hg_off n)
{
  for (hg_off k = 0; k < n; k++) times[graphs[k]]++;
}

// each of the case's graphs as often as `times` says, and no other
static void expect_times(const epoch_case *c, const int *times, int expected, const char *what)
{
  int listed[2 * MOST_GRAPHS] = {0};
  count(listed, c->graphs, c->n);
  for (hg_off g = 0; g < 2 * c->n; g++)
    if (times[g] != listed[g] * expected)
      cr_assert_fail("seed %d: %s: graph %d is there %d times", (int)c->seed, what, (int)g, times[g]);
}

Test(sampler, every_graph_is_in_one_batch_of_an_epoch)
{
  for (uint64_t seed = 1; seed <= 60; seed++) {
    const epoch_case c = random_case(seed);
    int times[2 * MOST_GRAPHS] = {0};
    hg_off n = 0;
    hg_batch_list list = shuffled(&c, 0, 3);
    cr_assert_eq(list.n_batches, (c.n + c.batch_size - 1) / c.batch_size);
    for (hg_off b = 0; b < list.n_batches; b++) {
      hg_off size = hg_batch_list_size(&list, b);
      cr_assert(size == c.batch_size || (b == list.n_batches - 1 && size > 0 && size < c.batch_size));
      n += size;
    }
    cr_assert_eq(n, c.n);
    count(times, list.graphs, n);
    expect_times(&c, times, 1, "in the batches");
    hg_batch_list_free(&list);
  }
}

Test(sampler, the_ranks_share_a_batch_and_none_has_far_too_much)
{
  for (uint64_t seed = 1; seed <= 60; seed++) {
    const epoch_case c = random_case(seed);
    hg_batch_list lists[MOST_RANKS], alone;
    epoch_case one = c;
    one.ranks = 1;
    alone = shuffled(&one, 0, 2);
    for (int r = 0; r < c.ranks; r++) lists[r] = shuffled(&c, r, 2);
    for (hg_off b = 0; b < alone.n_batches; b++) {
      hg_off size = hg_batch_list_size(&alone, b), all = 0, largest = 0;
      const hg_off *batch = alone.graphs + b * c.batch_size;
      int times[2 * MOST_GRAPHS] = {0};
      count(times, batch, size);
      for (hg_off k = 0; k < size; k++) {
        all += c.work[batch[k]];
        if (c.work[batch[k]] > largest) largest = c.work[batch[k]];
      }
      for (int r = 0; r < c.ranks; r++) {
        hg_off load = 0, first = lists[r].offsets[b], end = lists[r].offsets[b + 1];
        cr_assert_arr_eq(lists[r].graphs + b * c.batch_size, batch, (size_t)size * sizeof *batch, "seed %d: batch %d",
                         (int)seed, (int)b);
        for (hg_off k = first; k < end; k++) {
          hg_off g = lists[r].mine[k];
          cr_assert(k == first || lists[r].mine[k - 1] < g, "ascending");
          load += c.work[g];
          times[g]--;
        }
        cr_assert(load * c.ranks <= all + largest * c.ranks, "seed %d: rank %d has %d of %d", (int)seed, r, (int)load,
                  (int)all);
      }
      expect_times(&c, times, 0, "shared");
    }
    for (int r = 0; r < c.ranks; r++) hg_batch_list_free(&lists[r]);
    hg_batch_list_free(&alone);
  }
}

Test(sampler, epochs_and_seeds_differ_and_repeat)
{
  epoch_case c = random_case(5), other = c;
  c.n = other.n = 60;
  for (hg_off k = 0; k < c.n; k++) c.graphs[k] = other.graphs[k] = k;
  other.seed++;
  hg_batch_list first = shuffled(&c, 0, 1), again = shuffled(&c, 0, 1), second = shuffled(&c, 0, 2),
                seed = shuffled(&other, 0, 1);
  size_t bytes = 60 * sizeof(hg_off);
  cr_expect_eq(memcmp(first.graphs, again.graphs, bytes), 0);
  cr_expect_neq(memcmp(first.graphs, c.graphs, bytes), 0);
  cr_expect_neq(memcmp(first.graphs, second.graphs, bytes), 0);
  cr_expect_neq(memcmp(first.graphs, seed.graphs, bytes), 0);
  hg_batch_list_shuffle(&second, c.graphs, c.seed, 1); // a list that is used again has no memory
  cr_expect_eq(memcmp(first.graphs, second.graphs, bytes), 0);
  cr_expect_eq(memcmp(first.mine, second.mine, (size_t)first.offsets[first.n_batches] * sizeof(hg_off)), 0);
  hg_batch_list_free(&first);
  hg_batch_list_free(&again);
  hg_batch_list_free(&second);
  hg_batch_list_free(&seed);
}

// each of 6 orders of 3 graphs about equally often
Test(sampler, orders_are_uniform)
{
  enum { EPOCHS = 6000 };
  int seen[27] = {0};
  epoch_case c = {.n = 3, .batch_size = 3, .ranks = 1, .graphs = {0, 1, 2}, .work = {1, 1, 1}, .seed = 8};
  hg_batch_list list = make_list(&c, 0);
  for (int e = 1; e <= EPOCHS; e++) {
    hg_batch_list_shuffle(&list, c.graphs, c.seed, e);
    seen[list.graphs[0] * 9 + list.graphs[1] * 3 + list.graphs[2]]++;
  }
  hg_batch_list_free(&list);
  static const int orders[] = {5, 7, 11, 15, 19, 21};
  for (int k = 0; k < 6; k++)
    cr_expect(seen[orders[k]] > 850 && seen[orders[k]] < 1150, "order %d: %d times of %d", orders[k], seen[orders[k]],
              EPOCHS);
}

Test(sampler, own_graphs_stay_in_their_order)
{
  const epoch_case c = random_case(4); // batches of 64
  hg_batch_list list = make_list(&c, 0);
  static const hg_off parts[] = {0, 1, 3};
  for (int p = 0; p < 3; p++) {
    hg_off n = c.n * parts[p] / 3;
    hg_batch_list_own(&list, c.graphs, n);
    cr_assert_eq(list.n_batches, (n + 63) / 64);
    cr_assert_eq(list.offsets[list.n_batches], n);
    cr_expect(n == 0 || memcmp(list.mine, c.graphs, (size_t)n * sizeof(hg_off)) == 0);
    for (hg_off b = 0; b < list.n_batches; b++)
      cr_expect_eq(list.offsets[b + 1] - list.offsets[b], hg_batch_list_size(&list, b));
  }
  hg_batch_list_free(&list);
}

Test(sampler, a_list_may_be_empty)
{
  hg_batch_list list;
  cr_assert_eq(hg_batch_list_create(&list, 0, 5, (hg_sharing){0, 2, NULL}), HG_OK);
  cr_expect_eq(list.n_batches, 0);
  hg_batch_list_free(&list);
  hg_batch_list_free(&list);
}

Test(sampler, stretches_cover_all_graphs_once_and_evenly)
{
  for (uint64_t seed = 1; seed <= 100; seed++) {
    epoch_case c = random_case(seed);
    if (seed % 10 == 0) c.n = 0;
    hg_off all = 0, largest = 0, next = 0;
    for (hg_off k = 0; k < c.n; k++) {
      all += c.work[c.graphs[k]];
      if (c.work[c.graphs[k]] > largest) largest = c.work[c.graphs[k]];
    }
    for (int r = 0; r < c.ranks; r++) {
      hg_off first = -1, end = -1, load = 0;
      hg_share_stretch((hg_sharing){r, c.ranks, c.work}, c.graphs, c.n, &first, &end);
      if (first < end) cr_assert_eq(first, next, "seed %d: rank %d begins at %d", (int)seed, r, (int)first);
      cr_assert(0 <= first && first <= end && end <= c.n);
      for (hg_off k = first; k < end; k++) load += c.work[c.graphs[k]];
      cr_assert(load * c.ranks <= all + largest * c.ranks, "seed %d: rank %d has %d of %d", (int)seed, r, (int)load,
                (int)all);
      next += end - first;
    }
    cr_assert_eq(next, c.n, "seed %d: %d of %d graphs", (int)seed, (int)next, (int)c.n);
  }
}
