#include "partition/halo_rows.h"

#include <criterion/criterion.h>
#include <inttypes.h>

#include "core/base/threads.h"
#include "partition/partitioner.h"
#include "tests/unit/partition/graphs.h"

enum { NODES = 40, PARTS = 7 };

// distinct sources, and distinct destinations, of the edges from part q to part p
static void naive_rows(const hg_graph *graph, const int32_t *part_of, int q, int p, int64_t *sources, int64_t *targets)
{
  for (hg_lid u = 0; u < graph->nodes.n; u++) {
    bool sends = false, receives = false;
    for (hg_lid v = 0; v < graph->nodes.n; v++) {
      sends |= part_of[u] == q && part_of[v] == p && has_edge(graph, u, v);
      receives |= part_of[u] == p && part_of[v] == q && has_edge(graph, v, u);
    }
    *sources += sends;
    *targets += receives;
  }
}

Test(halo_rows, equal_counting_over_all_pairs_of_nodes)
{
  int32_t part_of[NODES];
  for (graph_kind kind = 0; kind < GRAPH_KINDS; kind++) {
    hg_graph graph;
    hg_halo_rows rows;
    hg_partition_options options = hg_partition_options_default();
    options.method = "random";
    make_graph(&graph, kind, NODES, 3);
    cr_assert_eq(hg_partition_graph(&graph, PARTS, &options, part_of), HG_OK);
    cr_assert_eq(hg_halo_rows_count(&rows, &graph, PARTS, part_of), HG_OK);
    int64_t sources = 0, targets = 0, pairs = 0;
    for (int q = 0; q < PARTS; q++) {
      int64_t sent = 0, partial = 0;
      for (int p = 0; p < PARTS; p++) {
        int64_t before = sent;
        if (p != q) naive_rows(&graph, part_of, q, p, &sent, &partial);
        pairs += sent > before;
      }
      cr_expect_eq(rows.sent[HG_SEND_SOURCES][q], sent, "%s", graph_kind_names[kind]);
      cr_expect_eq(rows.sent[HG_SEND_PARTIALS][q], partial, "%s", graph_kind_names[kind]);
      cr_expect(rows.sent[HG_SEND_HYBRID][q] <= (sent < partial ? sent : partial), "%s", graph_kind_names[kind]);
      sources += sent;
      targets += partial;
    }
    cr_expect_eq(rows.total[HG_SEND_SOURCES], sources);
    cr_expect_eq(rows.total[HG_SEND_PARTIALS], targets);
    cr_expect_eq(rows.pairs, pairs);
    hg_halo_rows_free(&rows);
    hg_graph_free(&graph);
  }
}

// Node 0 and the 39 others, both ways: part 0 has the middle. One row crosses each way where 39 sources would.
Test(halo_rows, of_a_star_cross_as_one)
{
  int32_t part_of[NODES] = {0};
  hg_graph graph;
  hg_halo_rows rows;
  for (int i = 1; i < NODES; i++) part_of[i] = 1;
  make_graph(&graph, GRAPH_STAR, NODES, 1);
  cr_assert_eq(hg_halo_rows_count(&rows, &graph, 2, part_of), HG_OK);
  cr_expect_eq(rows.total[HG_SEND_SOURCES], 1 + NODES - 1);
  cr_expect_eq(rows.total[HG_SEND_HYBRID], 2);
  cr_expect_eq(rows.largest[HG_SEND_SOURCES], NODES - 1);
  cr_expect_eq(rows.both_ways[HG_SEND_SOURCES], NODES, "each part sends one and receives the others, or the reverse");
  cr_expect_eq(rows.most_messages, 1);
  cr_expect_eq(rows.messages_both_ways, 2);
  cr_expect_eq(rows.pairs, 2);
  hg_halo_rows_free(&rows);
  hg_graph_free(&graph);
}

// As many of the wide rows as one narrow one is worth, and messages of their own for each width.
Test(halo_rows, of_two_widths_are_counted_in_numbers)
{
  int32_t part_of[NODES] = {0};
  hg_graph graph;
  hg_halo_rows rows;
  for (int i = 1; i < NODES; i++) part_of[i] = 1;
  make_graph(&graph, GRAPH_STAR, NODES, 1);
  cr_assert_eq(hg_halo_numbers_count(&rows, &graph, 2, part_of, 5, 2), HG_OK);
  cr_expect_eq(rows.total[HG_SEND_SOURCES], 5 * NODES);
  cr_expect_eq(rows.total[HG_SEND_PARTIALS], 2 * NODES);
  cr_expect_eq(rows.total[HG_SEND_HYBRID], 5 + 2, "the middle as a source, and as a destination");
  cr_expect_eq(rows.most_messages, 1);
  hg_halo_rows_free(&rows);
  cr_assert_eq(hg_halo_numbers_count(&rows, &graph, 2, part_of, 5 * NODES, 1), HG_OK);
  cr_expect_eq(rows.total[HG_SEND_HYBRID], NODES, "rows of destinations both ways");
  hg_halo_rows_free(&rows);
  hg_graph_free(&graph);
}

Test(halo_rows, are_the_same_on_any_number_of_threads)
{
  int32_t part_of[NODES];
  hg_graph graph;
  hg_halo_rows one, many;
  hg_partition_options options = hg_partition_options_default();
  options.method = "random";
  make_graph(&graph, GRAPH_DIRECTED, NODES, 5);
  cr_assert_eq(hg_partition_graph(&graph, PARTS, &options, part_of), HG_OK);
  hg_threads_set(1);
  cr_assert_eq(hg_halo_rows_count(&one, &graph, PARTS, part_of), HG_OK);
  hg_threads_set(3);
  cr_assert_eq(hg_halo_rows_count(&many, &graph, PARTS, part_of), HG_OK);
  for (int mode = 0; mode < HG_SEND_MODES; mode++)
    cr_expect_arr_eq(one.sent[mode], many.sent[mode], PARTS * sizeof(int64_t));
  hg_halo_rows_free(&one);
  hg_halo_rows_free(&many);
  hg_graph_free(&graph);
}
