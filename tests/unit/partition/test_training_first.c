#include "partition/training_first.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/alloc.h"
#include "partition/parts.h"
#include "tests/unit/partition/graphs.h"

enum { N = 400 };

// every `every`-th node of a grid of N nodes trains
static void make_grid(hg_graph *graph, int every)
{
  make_graph(graph, GRAPH_GRID, N, 3);
  hg_free(&graph->nodes.split);
  cr_assert_eq(HG_ALLOC(graph->nodes.split, N, "split"), HG_OK);
  for (int i = 0; i < N; i++) graph->nodes.split[i] = i % every == 0 ? HG_SPLIT_TRAIN : HG_SPLIT_TEST;
}

static void sort(const hg_graph *graph, int k, hg_lid *sequence, hg_reordered *result)
{
  static int32_t part_of[N];
  for (int i = 0; i < N; i++) part_of[i] = i * k / N;
  cr_assert_eq(hg_reorder(graph, k, part_of, HG_ORDER_NONE, sequence, result), HG_OK);
  cr_assert_eq(hg_training_first(graph, k, part_of, sequence, result), HG_OK, "%s", hg_error_text());
}

// steps[i] to the next node that trains, or has any split, 3 at most, over all pairs of nodes
static void find_steps(const hg_graph *graph, bool scored, int *steps)
{
  for (int i = 0; i < N; i++) {
    int split = graph->nodes.split[i];
    steps[i] = split == HG_SPLIT_TRAIN || (scored && split != HG_SPLIT_NONE) ? 0 : 3;
  }
  for (int k = 0; k < 2; k++)
    for (hg_lid i = 0; i < N; i++)
      for (hg_lid j = 0; j < N; j++)
        if (steps[i] == k && steps[j] > k + 1 && has_edge(graph, j, i)) steps[j] = k + 1;
}

Test(training_first, nodes_stand_by_steps_and_else_as_before)
{
  for (int k = 1; k <= 3; k++) {
    hg_graph graph;
    hg_lid sequence[N];
    int steps[N];
    hg_reordered result;
    make_grid(&graph, 39);
    find_steps(&graph, false, steps);
    sort(&graph, k, sequence, &result);
    for (int p = 1; p < N; p++) {
      int a = steps[sequence[p - 1]], b = steps[sequence[p]];
      cr_assert(a < b || (a == b && sequence[p - 1] < sequence[p]), "k = %d, place %d", k, p);
    }
    cr_expect(steps[sequence[0]] == 0 && steps[sequence[N - 1]] == 3);
    hg_graph_free(&graph);
  }
}

// those that are far from training nodes stand by their steps to nodes of any split, if these are few enough
Test(training_first, others_stand_by_steps_to_scored_nodes)
{
  for (int every = 2; every <= 23; every += 21) {
    hg_graph graph;
    hg_lid sequence[N];
    int trained[N], scored[N];
    hg_reordered result;
    make_grid(&graph, 97);
    for (int i = 0; i < N; i++)
      if (graph.nodes.split[i] != HG_SPLIT_TRAIN && i % every != 5 % every) graph.nodes.split[i] = HG_SPLIT_NONE;
    find_steps(&graph, false, trained);
    find_steps(&graph, true, scored);
    sort(&graph, 2, sequence, &result);
    for (int p = 1; p < N; p++) {
      hg_lid i = sequence[p - 1], j = sequence[p];
      int a = trained[i], b = trained[j];
      if (every == 23 && a == 3 && b == 3) a += scored[i], b += scored[j];
      cr_assert(a < b || (a == b && i < j), "every %d, place %d", every, p);
    }
    cr_expect(every == 2 || scored[sequence[N - 1]] == 3);
    hg_graph_free(&graph);
  }
}

// 3 -> 15 -> 10, which trains, -> 4 -> 5: what 10 and 15 aggregate from comes first, what aggregates from 10 does not
Test(training_first, steps_go_against_the_edges)
{
  enum { FEW = 20 };
  static const hg_lid in_neighbour[FEW] = {[4] = 10, [5] = 4, [10] = 15, [15] = 3};
  static const hg_lid expected[FEW] = {10, 15, 3, 0, 1, 2, 4, 5, 6, 7, 8, 9, 11, 12, 13, 14, 16, 17, 18, 19};
  hg_graph graph;
  hg_lid sequence[FEW];
  hg_reordered result;
  make_graph(&graph, GRAPH_EMPTY, FEW, 3);
  hg_csr *a = &graph.adjacency;
  hg_csr_free(a);
  cr_assert_eq(hg_csr_create(a, FEW, FEW, 4, false, "edges"), HG_OK);
  for (hg_lid i = 0; i < FEW; i++) {
    a->indptr[i + 1] = a->indptr[i];
    if (in_neighbour[i] > 0) a->indices[a->indptr[i + 1]++] = in_neighbour[i];
    graph.nodes.split[i] = i == 10 ? HG_SPLIT_TRAIN : HG_SPLIT_TEST;
  }
  graph.symmetric = false;
  cr_assert_eq(hg_graph_check(&graph), HG_OK, "%s", hg_error_text());
  sort(&graph, 1, sequence, &result);
  for (int p = 0; p < FEW; p++) cr_expect_eq(sequence[p], expected[p], "place %d: node %d", p, (int)sequence[p]);
  hg_graph_free(&graph);
}

Test(training_first, order_stays_where_many_train_or_none)
{
  static const int every[] = {1, 2, 9, N};
  for (size_t e = 0; e < sizeof every / sizeof *every; e++) {
    hg_graph graph;
    hg_lid sequence[N];
    hg_reordered result;
    make_grid(&graph, every[e]);
    if (every[e] == N) graph.nodes.split[0] = HG_SPLIT_VAL;
    sort(&graph, 2, sequence, &result);
    for (int p = 0; p < N; p++) cr_assert_eq(sequence[p], p, "every %d", every[e]);
    cr_expect_eq(result.fetches_after, result.fetches_before);
    hg_free(&graph.nodes.split);
    sort(&graph, 2, sequence, &result);
    for (int p = 0; p < N; p++) cr_assert_eq(sequence[p], p, "no split");
    hg_graph_free(&graph);
  }
}

// a hub that trains: nearly all nodes are one step away
Test(training_first, order_stays_where_most_are_near)
{
  hg_graph graph;
  hg_lid sequence[N];
  hg_reordered result;
  make_grid(&graph, N);
  hg_csr *a = &graph.adjacency;
  for (hg_lid i = 1; i < N; i++) a->indices[i - 1] = i;
  for (hg_lid i = 1; i <= N; i++) a->indptr[i] = N - 1;
  sort(&graph, 1, sequence, &result);
  for (int p = 0; p < N; p++) cr_assert_eq(sequence[p], p);
  hg_graph_free(&graph);
}

Test(training_first, fetches_are_those_of_the_new_order)
{
  hg_graph graph;
  hg_lid sequence[N];
  hg_reordered result;
  hg_fetches found;
  static int32_t part_of[N];
  make_grid(&graph, 39);
  sort(&graph, 1, sequence, &result);
  cr_assert_eq(hg_fetches_count(&graph, part_of, sequence, &found), HG_OK);
  cr_expect_eq(result.fetches_after, found.fetched);
  hg_graph_free(&graph);
}
