#include "partition/active_work.h"

#include <criterion/criterion.h>
#include <string.h>

#include "partition/partitioner.h"
#include "tests/unit/partition/graphs.h"

enum { MAX_NODES = 1024 };

// 3 x 3 grid, node 0 trains; features are 2 wide, there are 3 classes.
Test(active_work, of_a_grid_counted_by_hand)
{
  hg_graph graph;
  hg_off work[9];
  make_graph(&graph, GRAPH_GRID, 9, 1);
  memset(graph.nodes.split, HG_SPLIT_TEST, 9);
  graph.nodes.split[0] = HG_SPLIT_TRAIN;
  // three layers of 16: widths 2, 16, 3; the last computes node 0, the second also 1 and 3, the first also 2, 4, 6
  const hg_off expected[9] = {3 * 21, 4 * 18, 4 * 2, 4 * 18, 5 * 2, 0, 3 * 2 + 2, 0, 0};
  cr_assert_eq(hg_active_work(&graph, 3, 16, work), HG_OK);
  for (int i = 0; i < 9; i++) {
    hg_off edges = graph.adjacency.indptr[i + 1] - graph.adjacency.indptr[i];
    hg_off width = i == 0 ? 21 : i == 1 || i == 3 ? 18 : i == 2 || i == 4 || i == 6 ? 2 : 0;
    cr_expect_eq(work[i], (edges + 1) * width, "node %d", i);
  }
  cr_expect_eq(work[0], expected[0]);
  cr_expect_eq(work[1], expected[1]);
  cr_assert_eq(hg_active_work(&graph, 1, 16, work), HG_OK);
  for (int i = 1; i < 9; i++) cr_expect_eq(work[i], 0);
  cr_expect_eq(work[0], 3 * 2, "one layer reads the features and gives the classes");
  hg_graph_free(&graph);
}

Test(active_work, is_nothing_without_training_nodes_and_fits_32_bits)
{
  hg_graph graph;
  hg_off work[MAX_NODES], total = 0;
  int32_t part_of[MAX_NODES];
  hg_partition_options options = hg_partition_options_default();
  make_graph(&graph, GRAPH_SYMMETRIC, 100, 1);
  cr_assert_eq(hg_active_work(&graph, 900, 1 << 20, work), HG_OK);
  for (int i = 0; i < 100; i++) {
    cr_expect_geq(work[i], 0);
    total += work[i];
  }
  cr_expect(total > 1 << 29 && total <= (1 << 30) + 100);
  memset(graph.nodes.split, HG_SPLIT_TEST, 100);
  cr_assert_eq(hg_active_work(&graph, 2, 16, work), HG_OK);
  for (int i = 0; i < 100; i++) cr_expect_eq(work[i], 0);
  options.balance = HG_BALANCE_NODES | HG_BALANCE_ACTIVE;
  cr_expect_eq(hg_partition_graph(&graph, 4, &options, part_of), HG_OK, "nothing to balance is no error");
  options.layers = 0;
  cr_expect_eq(hg_partition_graph(&graph, 4, &options, part_of), HG_ERR_INPUT);
  cr_expect_str_eq(hg_error_text(), "balance of active work: 0 layers of 16 columns, expected at least 1 of 1");
  hg_graph_free(&graph);
}

static double largest_share(const hg_off *work, const int32_t *part_of, int k)
{
  hg_off sum[16] = {0}, total = 0, largest = 0;
  for (int i = 0; i < 900; i++) {
    sum[part_of[i]] += work[i];
    total += work[i];
  }
  for (int p = 0; p < k; p++)
    if (sum[p] > largest) largest = sum[p];
  return (double)largest * k / (double)total;
}

// A grid whose training nodes are in one corner: parts of equal size have very different work.
Test(active_work, is_shared_when_asked)
{
  hg_graph graph;
  hg_off work[MAX_NODES];
  int32_t part_of[MAX_NODES];
  const char *const methods[] = {"metis", "ldg"};
  make_graph(&graph, GRAPH_GRID, 900, 1);
  memset(graph.nodes.split, HG_SPLIT_TEST, 900);
  for (int i = 0; i < 100; i++) graph.nodes.split[i / 10 * 30 + i % 10] = HG_SPLIT_TRAIN;
  cr_assert_eq(hg_active_work(&graph, 3, 16, work), HG_OK);
  for (int m = 0; m < 2; m++) {
    hg_partition_options options = hg_partition_options_default();
    options.method = methods[m];
    options.layers = 3;
    cr_assert_eq(hg_partition_graph(&graph, 4, &options, part_of), HG_OK);
    double nodes_alone = largest_share(work, part_of, 4);
    options.balance = HG_BALANCE_NODES | HG_BALANCE_ACTIVE;
    options.imbalance = 1.1;
    cr_assert_eq(hg_partition_graph(&graph, 4, &options, part_of), HG_OK);
    cr_expect(nodes_alone > 2 && largest_share(work, part_of, 4) < 1.3, "%s: %g to %g", methods[m], nodes_alone,
              largest_share(work, part_of, 4));
  }
  hg_graph_free(&graph);
}
