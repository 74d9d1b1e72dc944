#include <criterion/criterion.h>
#include <inttypes.h>
#include <signal.h>
#include <string.h>

#include "core/base/alloc.h"
#include "partition/partitioner.h"
#include "partition/repair.h"
#include "tests/unit/partition/graphs.h"

enum { MAX_NODES = 1024 };

static void expect_no_part_empty(const int32_t *part_of, hg_lid n, int k, const char *label)
{
  int size[MAX_NODES] = {0};
  for (hg_lid i = 0; i < n; i++) {
    cr_assert(part_of[i] >= 0 && part_of[i] < k, "%s: node %d in part %d of %d", label, i, part_of[i], k);
    size[part_of[i]]++;
  }
  for (int p = 0; p < k; p++) cr_expect_gt(size[p], 0, "%s: part %d of %d is empty, n = %d", label, p, k, n);
}

static hg_off largest_weight(const hg_graph *graph, int bit, const int32_t *part_of, int k)
{
  hg_off weight[MAX_NODES] = {0}, largest = 0;
  for (hg_lid i = 0; i < graph->nodes.n; i++) weight[part_of[i]] += hg_balance_weight(graph, NULL, bit, i);
  for (int p = 0; p < k; p++)
    if (weight[p] > largest) largest = weight[p];
  return largest;
}

static void partition(const hg_graph *graph, int k, const hg_partition_options *options, int32_t *part_of)
{
  cr_assert_eq(hg_partition_graph(graph, k, options, part_of), HG_OK, "k = %d: %s", k, hg_error_text());
}

Test(partitioner, leaves_no_part_empty_on_any_graph)
{
  const hg_lid sizes[] = {2, 3, 5, 8, 13, 30};
  int32_t part_of[MAX_NODES];
  hg_partition_options options = hg_partition_options_default();
  for (int m = 0; hg_partitioners[m].name; m++)
    for (graph_kind kind = 0; kind < GRAPH_KINDS; kind++)
      for (int s = 0; s < 6; s++) {
        hg_graph graph;
        make_graph(&graph, kind, sizes[s], (uint64_t)s);
        options.method = hg_partitioners[m].name;
        for (int k = 1; k <= sizes[s]; k++)
          for (options.objective = HG_OBJECTIVE_VOLUME; options.objective <= HG_OBJECTIVE_CUT; options.objective++) {
            partition(&graph, k, &options, part_of);
            expect_no_part_empty(part_of, sizes[s], k, graph_kind_names[kind]);
          }
        hg_graph_free(&graph);
      }
}

Test(partitioner, gives_the_same_parts_for_the_same_seed)
{
  int32_t a[MAX_NODES], b[MAX_NODES];
  hg_graph graph;
  hg_partition_options options = hg_partition_options_default();
  make_graph(&graph, GRAPH_SYMMETRIC, 300, 3);
  for (int m = 0; hg_partitioners[m].name; m++) {
    options.method = hg_partitioners[m].name;
    options.seed = 17;
    partition(&graph, 5, &options, a);
    partition(&graph, 5, &options, b);
    cr_expect_arr_eq(a, b, 300 * sizeof *a, "%s", options.method);
  }
  options.method = "random";
  options.seed = 18;
  partition(&graph, 5, &options, b);
  options.seed = 17;
  partition(&graph, 5, &options, a);
  cr_expect_arr_neq(a, b, 300 * sizeof *a, "another seed gives the same random parts");
  hg_graph_free(&graph);
}

Test(partitioner, random_and_block_parts_differ_by_one_node_at_most)
{
  int32_t part_of[MAX_NODES];
  hg_graph graph;
  make_graph(&graph, GRAPH_EMPTY, 101, 3);
  const char *const methods[] = {"random", "block"};
  for (int m = 0; m < 2; m++) {
    hg_partition_options options = hg_partition_options_default();
    options.method = methods[m];
    partition(&graph, 7, &options, part_of);
    cr_expect_eq(largest_weight(&graph, HG_BALANCE_NODES, part_of, 7), 15, "%s", methods[m]);
  }
  hg_graph_free(&graph);
}

Test(partitioner, refuses_what_cannot_be_done)
{
  const struct {
    int k;
    const char *method;
    double imbalance;
    int balance;
    const char *message;
  } bad[] = {
      {0, "metis", 1.05, 1, "0 parts asked for, expected at least 1"},
      {-3, "block", 1.05, 1, "-3 parts asked for, expected at least 1"},
      {5, "metis", 1.05, 1, "5 parts asked for, but the graph has only 4 nodes: a part cannot be empty"},
      {2, "metix", 1.05, 1,
       "unknown partition method 'metix', did you mean 'metis'?: expected one of metis, ldg, random, block, ptscotch, "
       "ldg_slices"},
      {2, "hypergraph", 1.05, 1,
       "unknown partition method 'hypergraph': expected one of metis, ldg, random, block, ptscotch, ldg_slices"},
      {2, "ptscotch", 1.05, 1,
       "ptscotch makes parts of slices alone: `halognn partition` and `train` can, this cannot"},
      {2, "metis", 0.9, 1, "imbalance 0.9, expected largest part / mean part: 1 or more, as 1.05"},
      {2, "metis", 0.0 / 0.0, 1, NULL},
      {2, "metis", 1.05, 16, "balance 16 is no set of nodes, edges, labels, active"},
  };
  int32_t part_of[4];
  hg_graph graph;
  make_graph(&graph, GRAPH_STAR, 4, 1);
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
    hg_partition_options options = hg_partition_options_default();
    options.method = bad[i].method;
    options.balance = bad[i].balance;
    options.imbalance = bad[i].imbalance;
    cr_expect_eq(hg_partition_graph(&graph, bad[i].k, &options, part_of), HG_ERR_INPUT, "case %zu", i);
    if (bad[i].message) cr_expect_str_eq(hg_error_text(), bad[i].message);
  }
  hg_graph_free(&graph);
}

Test(repair, moves_a_connected_piece_of_the_largest_part)
{
  int32_t part_of[36] = {0};
  hg_graph graph;
  make_graph(&graph, GRAPH_GRID, 36, 1);
  cr_assert_eq(hg_repair_empty(&graph, 3, part_of), HG_OK);
  expect_no_part_empty(part_of, 36, 3, "grid");
  cr_expect_eq(largest_weight(&graph, HG_BALANCE_NODES, part_of, 3), 12);
  cr_expect_lt(naive_cut(&graph, part_of), 2 * 20, "pieces are scattered: cut %" PRId64, naive_cut(&graph, part_of));
  hg_graph_free(&graph);
}

Test(metis, beats_random_parts_on_a_grid_by_far)
{
  int32_t metis[MAX_NODES], random[MAX_NODES];
  hg_graph graph;
  hg_partition_options options = hg_partition_options_default();
  make_graph(&graph, GRAPH_GRID, 900, 1);
  for (int k = 2; k <= 9; k += 7) {
    options.objective = HG_OBJECTIVE_CUT;
    options.method = "metis";
    partition(&graph, k, &options, metis);
    options.method = "random";
    partition(&graph, k, &options, random);
    cr_expect_lt(10 * naive_cut(&graph, metis), 3 * naive_cut(&graph, random), "k = %d", k);
    if (k == 2) cr_expect_leq(naive_cut(&graph, metis), 2 * 36, "the best cut is 30 edges, both ways 60");
    cr_expect_leq(largest_weight(&graph, HG_BALANCE_NODES, metis, k), (hg_off)(1.05 * 900 / k) + 1, "k = %d", k);
  }
  hg_graph_free(&graph);
}

Test(metis, minimises_what_it_is_asked_for)
{
  int32_t cut[MAX_NODES], volume[MAX_NODES];
  hg_partition_options options = hg_partition_options_default();
  for (uint64_t seed = 1; seed <= 3; seed++) {
    hg_graph graph;
    make_graph(&graph, GRAPH_SYMMETRIC, 400, seed);
    options.objective = HG_OBJECTIVE_CUT;
    partition(&graph, 4, &options, cut);
    options.objective = HG_OBJECTIVE_VOLUME;
    partition(&graph, 4, &options, volume);
    cr_expect_leq(naive_volume(&graph, 4, volume), naive_volume(&graph, 4, cut), "seed %" PRIu64, seed);
    hg_graph_free(&graph);
  }
}

Test(metis, balances_edges_and_labels_too)
{
  int32_t part_of[MAX_NODES];
  hg_graph graph;
  hg_partition_options options = hg_partition_options_default();
  make_graph(&graph, GRAPH_SYMMETRIC, 800, 5);
  options.balance = HG_BALANCE_NODES | HG_BALANCE_EDGES | HG_BALANCE_LABELS;
  options.imbalance = 1.1;
  partition(&graph, 4, &options, part_of);
  for (int bit = HG_BALANCE_NODES; bit <= HG_BALANCE_LABELS; bit *= 2) {
    hg_off total = 0;
    for (hg_lid i = 0; i < 800; i++) total += hg_balance_weight(&graph, NULL, bit, i);
    cr_expect_leq((double)largest_weight(&graph, bit, part_of, 4), 1.12 * (double)total / 4 + 1, "bit %d", bit);
  }
  hg_graph_free(&graph);
}

Test(metis, survives_a_graph_that_only_says_it_is_symmetric)
{
  int32_t part_of[MAX_NODES];
  hg_graph graph;
  hg_partition_options options = hg_partition_options_default();
  make_graph(&graph, GRAPH_DIRECTED, 500, 8);
  graph.symmetric = true;
  partition(&graph, 8, &options, part_of);
  expect_no_part_empty(part_of, 500, 8, "directed");
  hg_graph_free(&graph);
}

static void on_signal(int number) { (void)number; }

Test(metis, puts_the_handlers_of_the_program_back)
{
  int32_t part_of[MAX_NODES];
  struct sigaction mine = {.sa_handler = on_signal, .sa_flags = SA_RESTART}, now;
  hg_graph graph;
  hg_partition_options options = hg_partition_options_default();
  sigaction(SIGTERM, &mine, NULL);
  make_graph(&graph, GRAPH_SYMMETRIC, 100, 8);
  partition(&graph, 3, &options, part_of);
  sigaction(SIGTERM, NULL, &now);
  cr_expect(now.sa_handler == on_signal && (now.sa_flags & SA_RESTART), "the handler is another");
  hg_graph_free(&graph);
}
