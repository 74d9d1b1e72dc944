#include <criterion/criterion.h>
#include <inttypes.h>
#include <string.h>

#include "core/base/threads.h"
#include "partition/balance.h"
#include "partition/partitioner.h"
#include "tests/unit/partition/graphs.h"

enum { MAX_NODES = 1024 };

static void stream_into(const hg_graph *graph, int k, const hg_partition_options *options, int32_t *part_of)
{
  cr_assert_eq(hg_partition_ldg(graph, k, options, part_of), HG_OK, "%s", hg_error_text());
}

Test(ldg, puts_every_node_somewhere_within_the_balance)
{
  const hg_lid sizes[] = {2, 9, 50, 333};
  const int counts[] = {2, 3, 8, 31};
  int32_t part_of[MAX_NODES], again[MAX_NODES];
  hg_partition_options options = hg_partition_options_default();
  for (graph_kind kind = 0; kind < GRAPH_KINDS; kind++)
    for (int s = 0; s < 4; s++) {
      hg_graph graph;
      make_graph(&graph, kind, sizes[s], (uint64_t)s + 1);
      for (int c = 0; c < 4 && counts[c] <= sizes[s]; c++) {
        hg_balance balance;
        options.balance = c % 2 ? HG_BALANCE_EDGES : HG_BALANCE_NODES;
        stream_into(&graph, counts[c], &options, part_of);
        for (hg_lid i = 0; i < sizes[s]; i++) cr_assert(part_of[i] >= 0 && part_of[i] < counts[c]);
        cr_assert_eq(hg_balance_create(&balance, &graph, counts[c], &options, part_of), HG_OK);
        for (int p = 0; p < counts[c]; p++)
          cr_expect_leq(balance.weight[0][p], balance.allowed[0], "%s, n %d, part %d of %d", graph_kind_names[kind],
                        sizes[s], p, counts[c]);
        hg_balance_free(&balance);
        hg_threads_set(3);
        stream_into(&graph, counts[c], &options, again);
        hg_threads_set(0);
        cr_expect_arr_eq(again, part_of, (size_t)sizes[s] * sizeof *again, "other parts on three threads");
      }
      hg_graph_free(&graph);
    }
}

Test(ldg, cuts_far_less_than_random_parts)
{
  int32_t part_of[MAX_NODES], random[MAX_NODES];
  hg_graph graph;
  hg_partition_options options = hg_partition_options_default();
  make_graph(&graph, GRAPH_GRID, 900, 1);
  for (int k = 2; k <= 16; k *= 2) {
    cr_assert_eq(hg_partition_random(&graph, k, &options, random), HG_OK);
    stream_into(&graph, k, &options, part_of);
    cr_expect_lt(2 * naive_cut(&graph, part_of), naive_cut(&graph, random), "k = %d: %" PRId64, k,
                 naive_cut(&graph, part_of));
  }
  hg_graph_free(&graph);
}

// The method as its authors say it, over all parts; nodes of weight 1.
static void naive_ldg(const hg_graph *graph, int k, double imbalance, int32_t *part_of)
{
  hg_lid n = (hg_lid)graph->nodes.n;
  int size[MAX_NODES] = {0}, room = (int)(imbalance * n / k);
  if (room < (n + k) / k) room = (n + k) / k;
  for (hg_lid i = 0; i < n; i++) part_of[i] = -1;
  hg_lid moved = n;
  for (int pass = 0; pass < 20 && moved >= 0.002 * n; pass++) {
    moved = 0;
    for (hg_lid i = 0; i < n; i++) {
      int neighbours[MAX_NODES] = {0}, from = part_of[i], best = 0;
      if (from >= 0) size[from]--;
      for (hg_off e = graph->adjacency.indptr[i]; e < graph->adjacency.indptr[i + 1]; e++)
        if (part_of[graph->adjacency.indices[e]] >= 0) neighbours[part_of[graph->adjacency.indices[e]]]++;
      for (int p = 1; p < k; p++) {
        double score = neighbours[p] * (1 - (double)size[p] / room);
        double other = neighbours[best] * (1 - (double)size[best] / room);
        if (score > other || (score == other && size[p] < size[best])) best = p;
      }
      part_of[i] = best;
      size[best]++;
      moved += best != from;
    }
  }
}

Test(ldg, is_the_published_method)
{
  int32_t part_of[MAX_NODES], expected[MAX_NODES];
  hg_partition_options options = hg_partition_options_default();
  for (graph_kind kind = 0; kind < GRAPH_KINDS; kind++)
    for (int k = 2; k <= 30; k += 7) {
      hg_graph graph;
      make_graph(&graph, kind, 100 + k, (uint64_t)k);
      stream_into(&graph, k, &options, part_of);
      naive_ldg(&graph, k, options.imbalance, expected);
      cr_expect_arr_eq(part_of, expected, (size_t)(100 + k) * sizeof *expected, "%s, k %d", graph_kind_names[kind], k);
      hg_graph_free(&graph);
    }
}
