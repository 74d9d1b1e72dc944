#include "partition/cut_slabs.h"

#include <criterion/criterion.h>

#include "core/base/alloc.h"
#include "tests/unit/partition/graphs.h"

enum { N = 61, PARTS = 3 };

// part i % PARTS; a sequence that is not the order of numbers
static void prepare(hg_graph *graph, graph_kind kind, int parts, int32_t part_of[N], hg_lid sequence[N])
{
  make_graph(graph, kind, N, 3);
  for (hg_lid i = 0; i < N; i++) {
    part_of[i] = i % parts;
    sequence[i] = (hg_lid)((7 * i + 5) % N);
  }
}

static bool is_outer(const hg_graph *graph, const int32_t *part_of, int slabs, hg_lid i)
{
  for (hg_lid j = 0; j < N; j++)
    if (part_of[j] / slabs != part_of[i] / slabs && has_edge(graph, j, i)) return true;
  return false;
}

Test(cut_slabs, slabs_are_equal_pieces_of_the_sequence)
{
  for (int kind = 0; kind < GRAPH_KINDS; kind++)
    for (int parts = 1; parts <= PARTS; parts++)
      for (int slabs = 1; slabs <= 5; slabs++) {
        hg_graph graph;
        int32_t part_of[N];
        hg_lid sequence[N], before[N], seen[N] = {0};
        int sizes[PARTS * 5] = {0}, latest[PARTS] = {0};
        prepare(&graph, (graph_kind)kind, parts, part_of, sequence);
        for (int k = 0; k < N; k++) before[k] = sequence[k];
        cr_assert_eq(hg_slabs_cut(&graph, parts, slabs, HG_BALANCE_NODES, part_of, sequence), HG_OK);
        for (int k = 0; k < N; k++) {
          hg_lid i = before[k];
          cr_assert_eq(part_of[i] / slabs, i % parts, "node %d changed its part", i);
          cr_assert_geq(part_of[i] % slabs, latest[i % parts], "node %d is in a slab before the last one", i);
          latest[i % parts] = part_of[i] % slabs;
          sizes[part_of[i]]++;
          seen[sequence[k]]++;
        }
        for (int p = 0; p < parts * slabs; p++) {
          int nodes = N / parts + (p / slabs < N % parts);
          cr_assert(sizes[p] == nodes / slabs || sizes[p] == (nodes + slabs - 1) / slabs, "%d of %d nodes", sizes[p],
                    nodes);
        }
        bool outer = false;
        for (int k = 0; k < N; k++) {
          bool now = is_outer(&graph, part_of, slabs, sequence[k]);
          cr_assert(now || !outer, "node %d stands behind one with neighbours in another part", sequence[k]);
          outer = now;
          cr_assert_eq(seen[k], 1);
        }
        hg_graph_free(&graph);
      }
}

Test(cut_slabs, edges_are_shared_where_they_are_to_be)
{
  hg_graph graph;
  int32_t part_of[N];
  hg_lid sequence[N];
  hg_off entries[2] = {0};
  prepare(&graph, GRAPH_STAR, 1, part_of, sequence);
  cr_assert_eq(hg_slabs_cut(&graph, 1, 2, HG_BALANCE_EDGES, part_of, sequence), HG_OK);
  for (hg_lid i = 0; i < N; i++) entries[part_of[i]] += graph.adjacency.indptr[i + 1] - graph.adjacency.indptr[i];
  // the centre has half of all edges: it alone may be on the wrong side
  cr_expect_leq(entries[0] > entries[1] ? entries[0] - entries[1] : entries[1] - entries[0], N);
  hg_graph_free(&graph);
}

Test(cut_slabs, what_cannot_be_cut_is_refused)
{
  hg_graph graph;
  make_graph(&graph, GRAPH_SYMMETRIC, 5, 1);
  cr_expect_eq(hg_slabs_check(&graph, 4, 2), HG_OK);
  cr_expect_eq(hg_slabs_check(&graph, 3, 2), HG_ERR_INPUT);
  cr_expect_str_eq(hg_error_text(), "3 parts asked for in slabs of 2, expected a number that divides them");
  cr_expect_eq(hg_slabs_check(&graph, 6, 2), HG_ERR_INPUT);
  cr_expect_str_eq(hg_error_text(), "6 parts asked for, but the graph has only 5 nodes");
  hg_graph_free(&graph);
}
