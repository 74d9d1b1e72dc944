#include "partition/refine.h"

#include <criterion/criterion.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/alloc.h"
#include "core/base/rng.h"
#include "core/base/threads.h"
#include "partition/balance.h"
#include "partition/halo_rows.h"
#include "tests/unit/partition/graphs.h"

enum { MAX_NODES = 512, MAX_PARTS = 32 };

// counted by what counts the rows of parts files
static hg_refine_rows count(const hg_graph *graph, int k, const int32_t *part_of)
{
  hg_halo_rows rows;
  cr_assert_eq(hg_halo_rows_count(&rows, graph, k, part_of), HG_OK, "%s", hg_error_text());
  hg_refine_rows found = {rows.largest[HG_SEND_SOURCES], 0, rows.total[HG_SEND_SOURCES]};
  for (int p = 0; p < k; p++)
    if (rows.received[HG_SEND_SOURCES][p] > found.received) found.received = rows.received[HG_SEND_SOURCES][p];
  hg_halo_rows_free(&rows);
  return found;
}

static bool equal(const hg_refine_rows *a, const hg_refine_rows *b)
{
  return a->sent == b->sent && a->received == b->received && a->total == b->total;
}

// how far each weight is above what is allowed, at most; and whether a part is empty
static hg_off excess(const hg_graph *graph, int k, const hg_partition_options *options, const int32_t *part_of,
                     bool *empty)
{
  hg_balance balance;
  hg_off most = 0;
  cr_assert_eq(hg_balance_create(&balance, graph, k, options, part_of), HG_OK);
  *empty = false;
  for (int p = 0; p < k; p++) {
    *empty |= balance.nodes[p] == 0;
    for (int c = 0; c < balance.n_bits; c++)
      if (balance.weight[c][p] - balance.allowed[c] > most) most = balance.weight[c][p] - balance.allowed[c];
  }
  hg_balance_free(&balance);
  return most;
}

static void start_at_random(const hg_graph *graph, int k, uint64_t seed, int32_t *part_of)
{
  hg_partition_options random = hg_partition_options_default();
  random.method = "random";
  random.seed = seed;
  cr_assert_eq(hg_partition_graph(graph, k, &random, part_of), HG_OK, "%s", hg_error_text());
}

static void check_refinement(const hg_graph *graph, int k, const hg_partition_options *options, uint64_t seed,
                             const char *name)
{
  int32_t before[MAX_NODES], after[MAX_NODES], again[MAX_NODES];
  size_t bytes = (size_t)graph->nodes.n * sizeof *before;
  hg_refined refined, repeated;
  bool empty;
  start_at_random(graph, k, seed, before);
  memcpy(after, before, bytes);
  memcpy(again, before, bytes);
  cr_assert_eq(hg_refine(graph, k, options, after, &refined), HG_OK, "%s", hg_error_text());
  hg_refine_rows first = count(graph, k, before), last = count(graph, k, after);
  cr_expect(equal(&refined.before, &first) && equal(&refined.after, &last), "%s, k %d, seed %" PRIu64, name, k, seed);
  cr_expect(last.sent <= first.sent && last.received <= first.received, "%s, k %d, seed %" PRIu64, name, k, seed);
  if (options->objective == HG_OBJECTIVE_VOLUME)
    cr_expect_leq(last.total, first.total, "%s, k %d, seed %" PRIu64, name, k, seed);
  hg_off was = excess(graph, k, options, before, &empty), is = excess(graph, k, options, after, &empty);
  cr_expect(is <= was && !empty, "%s, k %d, seed %" PRIu64 ": excess %" PRId64 " to %" PRId64, name, k, seed, was, is);
  hg_threads_set(3);
  cr_assert_eq(hg_refine(graph, k, options, again, &repeated), HG_OK);
  hg_threads_set(0);
  cr_expect_arr_eq(again, after, bytes, "%s, k %d, seed %" PRIu64 ": other parts", name, k, seed);
}

Test(refine, makes_nothing_worse_on_any_graph)
{
  const hg_lid sizes[] = {2, 7, 40, 333};
  const int counts[] = {2, 3, 7, 31};
  hg_partition_options options = hg_partition_options_default();
  for (graph_kind kind = 0; kind < GRAPH_KINDS; kind++)
    for (int s = 0; s < 4; s++) {
      hg_graph graph;
      make_graph(&graph, kind, sizes[s], (uint64_t)s + 1);
      for (int c = 0; c < 4 && counts[c] <= sizes[s]; c++) {
        options.objective = c % 2 ? HG_OBJECTIVE_LARGEST : HG_OBJECTIVE_VOLUME;
        options.balance = 1 + (s + c) % 7;
        options.imbalance = c == 2 ? 1.5 : 1.05;
        check_refinement(&graph, counts[c], &options, (uint64_t)(10 * s + c), graph_kind_names[kind]);
      }
      hg_graph_free(&graph);
    }
}

Test(refine, brings_random_parts_near_what_metis_finds)
{
  int32_t part_of[MAX_NODES];
  hg_refined refined;
  hg_graph graph;
  hg_partition_options options = hg_partition_options_default();
  make_graph(&graph, GRAPH_GRID, 400, 1);
  start_at_random(&graph, 4, 5, part_of);
  cr_assert_eq(hg_refine(&graph, 4, &options, part_of, &refined), HG_OK);
  cr_expect_lt(2 * hg_refine_most(&refined.after), hg_refine_most(&refined.before));
  cr_expect_lt(2 * refined.after.total, refined.before.total);
  hg_graph_free(&graph);
}

Test(refine, follows_the_methods_that_look_at_edges)
{
  int32_t plain[MAX_NODES], moved[MAX_NODES];
  hg_refined refined;
  hg_graph graph;
  hg_partition_options options = hg_partition_options_default();
  make_graph(&graph, GRAPH_SYMMETRIC, 400, 2);
  options.refine = false;
  cr_assert_eq(hg_partition_refined(&graph, 8, &options, plain, &refined), HG_OK);
  cr_expect(refined.passes == 0 && refined.before.total == 0);
  options.refine = true;
  cr_assert_eq(hg_partition_refined(&graph, 8, &options, moved, &refined), HG_OK);
  hg_refine_rows was = count(&graph, 8, plain), is = count(&graph, 8, moved);
  cr_expect(refined.passes > 0 && equal(&refined.before, &was) && equal(&refined.after, &is));
  cr_expect_lt(hg_refine_most(&is), hg_refine_most(&was));
  options.objective = HG_OBJECTIVE_CUT;
  cr_assert_eq(hg_partition_refined(&graph, 8, &options, moved, &refined), HG_OK);
  cr_expect_eq(refined.passes, 0, "a cut is not made worse for rows");
  options.objective = HG_OBJECTIVE_VOLUME;
  options.method = "block";
  cr_assert_eq(hg_partition_refined(&graph, 8, &options, moved, &refined), HG_OK);
  cr_expect_eq(refined.passes, 0, "blocks stay blocks");
  hg_graph_free(&graph);
}

// The least (largest, total) of all ways to cut n <= 10 nodes into two parts of at most `room` nodes each.
static hg_refine_rows least_of_all(const hg_graph *graph, int room, int32_t *best)
{
  hg_lid n = (hg_lid)graph->nodes.n;
  hg_refine_rows least = {INT64_MAX, INT64_MAX, INT64_MAX};
  for (int set = 1; set < 1 << n; set++) {
    int32_t part_of[16] = {0};
    int ones = 0;
    for (hg_lid i = 0; i < n; i++) ones += part_of[i] = set >> i & 1;
    if (ones > room || n - ones > room) continue;
    hg_refine_rows rows = {0};
    for (hg_lid j = 0; j < n; j++)
      for (hg_lid i = 0; i < n; i++)
        if (part_of[i] != part_of[j] && has_edge(graph, j, i)) {
          *(part_of[j] ? &rows.sent : &rows.received) += 1; // two parts: what one sends the other receives
          break;
        }
    rows.total = rows.sent + rows.received;
    rows.sent = rows.received = hg_refine_most(&rows);
    if (rows.sent > least.sent || (rows.sent == least.sent && rows.total >= least.total)) continue;
    least = rows;
    memcpy(best, part_of, (size_t)n * sizeof *best);
  }
  return least;
}

Test(refine, is_near_the_best_of_all_parts_of_small_graphs)
{
  enum { N = 10, GRAPHS = 40 };
  int64_t best_sum = 0, found_sum = 0, start_sum = 0;
  hg_partition_options options = hg_partition_options_default();
  options.objective = HG_OBJECTIVE_LARGEST;
  options.imbalance = 1.2; // six of ten nodes
  for (uint64_t seed = 1; seed <= GRAPHS; seed++) {
    int32_t best[N], part_of[N];
    hg_refined refined;
    hg_graph graph;
    make_graph(&graph, seed % 2 ? GRAPH_SYMMETRIC : GRAPH_DIRECTED, N, seed);
    hg_refine_rows least = least_of_all(&graph, 6, best);
    cr_assert_eq(hg_refine(&graph, 2, &options, best, &refined), HG_OK);
    cr_expect(equal(&refined.after, &refined.before) && hg_refine_most(&refined.after) == least.sent,
              "seed %" PRIu64 ": the best can be bettered", seed);
    start_at_random(&graph, 2, seed, part_of);
    cr_assert_eq(hg_refine(&graph, 2, &options, part_of, &refined), HG_OK);
    cr_expect_geq(hg_refine_most(&refined.after), least.sent, "seed %" PRIu64, seed);
    best_sum += least.sent;
    found_sum += hg_refine_most(&refined.after);
    start_sum += hg_refine_most(&refined.before);
    hg_graph_free(&graph);
  }
  cr_expect(2 * (found_sum - best_sum) < start_sum - best_sum, "best %" PRId64 ", found %" PRId64 ", start %" PRId64,
            best_sum, found_sum, start_sum);
}
