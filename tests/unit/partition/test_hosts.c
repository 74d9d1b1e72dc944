#include <criterion/criterion.h>
#include <inttypes.h>
#include <string.h>

#include "partition/balance.h"
#include "partition/host_rows.h"
#include "partition/parts.h"
#include "tests/unit/partition/graphs.h"

enum { MAX_NODES = 1024 };

static hg_host_rows measure(const hg_graph *graph, int k, int hosts, const int32_t *part_of)
{
  hg_lid order[MAX_NODES];
  hg_parts_index index;
  hg_host_rows rows;
  cr_assert_eq(hg_parts_build(graph, k, part_of, order, &index), HG_OK, "%s", hg_error_text());
  cr_assert_eq(hg_host_rows_count(&rows, &index, hosts), HG_OK, "%s", hg_error_text());
  hg_parts_index_free(&index);
  return rows;
}

// over all pairs of nodes
static hg_host_rows naive(const hg_graph *graph, int k, int hosts, const int32_t *part_of)
{
  hg_host_rows r = {.hosts = hosts};
  int parts = k / hosts;
  static bool pair[64][64], host_pair[64][64];
  hg_off sent[64] = {0}, once[64] = {0};
  memset(pair, 0, sizeof pair);
  memset(host_pair, 0, sizeof host_pair);
  for (hg_lid j = 0; j < graph->nodes.n; j++) {
    bool needed[64] = {0}, on[64] = {0};
    int from = part_of[j] / parts;
    for (hg_lid i = 0; i < graph->nodes.n; i++)
      if (part_of[i] / parts != from && has_edge(graph, j, i)) needed[part_of[i]] = on[part_of[i] / parts] = true;
    for (int p = 0; p < k; p++) {
      sent[from] += needed[p];
      pair[part_of[j]][p] |= needed[p];
    }
    for (int h = 0; h < hosts; h++) {
      once[from] += on[h];
      host_pair[from][h] |= on[h];
    }
  }
  for (int h = 0; h < hosts; h++) {
    r.rows += sent[h];
    r.unique += once[h];
    if (sent[h] > r.rows_max) r.rows_max = sent[h];
    if (once[h] > r.unique_max) r.unique_max = once[h];
  }
  for (int p = 0; p < k; p++)
    for (int q = 0; q < k; q++) {
      r.pairs += pair[p][q];
      if (p < hosts && q < hosts) r.host_pairs += host_pair[p][q];
    }
  return r;
}

Test(hosts, rows_equal_counting_over_all_pairs_of_nodes)
{
  const int counts[][2] = {{4, 2}, {6, 3}, {12, 4}, {8, 1}, {5, 5}};
  int32_t part_of[MAX_NODES];
  for (graph_kind kind = 0; kind < GRAPH_KINDS; kind++)
    for (int c = 0; c < 5; c++) {
      hg_graph graph;
      hg_partition_options options = hg_partition_options_default();
      int k = counts[c][0], hosts = counts[c][1];
      options.method = "random";
      make_graph(&graph, kind, 60, (uint64_t)c);
      cr_assert_eq(hg_partition_graph(&graph, k, &options, part_of), HG_OK);
      hg_host_rows found = measure(&graph, k, hosts, part_of), expected = naive(&graph, k, hosts, part_of);
      cr_expect(found.hosts == expected.hosts && found.rows == expected.rows && found.unique == expected.unique &&
                    found.rows_max == expected.rows_max && found.unique_max == expected.unique_max &&
                    found.pairs == expected.pairs && found.host_pairs == expected.host_pairs,
                "%s, %d parts on %d hosts", graph_kind_names[kind], k, hosts);
      hg_graph_free(&graph);
    }
}

// Two hosts of two parts that need each other's nodes: what each part sends and receives then.
Test(hosts, messages_are_shared_by_a_hosts_parts)
{
  hg_off sizes[] = {5, 0, 9, 4, 9};
  int order[5], server[5];
  hg_off loads[2];
  hg_host_pairs_share(sizes, 5, 2, order, server, loads);
  const int expected[] = {0, 1, 0, 1, 1};
  for (int k = 0; k < 5; k++) cr_expect_eq(server[k], expected[k], "message %d: part %d", k, server[k]);
  cr_expect(loads[0] == 14 && loads[1] == 13);
  hg_host_pairs_share(sizes, 5, 1, order, server, loads);
  cr_expect(loads[0] == 27 && server[4] == 0);

  // all pairs of eight nodes, two in a part: each part needs two nodes of its host, and each host four of the other
  int32_t part_of[MAX_NODES];
  hg_graph graph;
  make_graph(&graph, GRAPH_COMPLETE, 8, 1);
  for (int i = 0; i < 8; i++) part_of[i] = i / 2;
  const hg_host_rows rows = measure(&graph, 4, 2, part_of);
  cr_expect(rows.rows == 16 && rows.unique == 8 && rows.host_pairs == 2);
  cr_expect_eq(rows.part_rows, 8); // two each way in the host, and one of two messages of four
  cr_expect_eq(rows.part_served, 4);
  cr_expect_eq(rows.part_messages, 3);
  hg_graph_free(&graph);
}

Test(hosts, must_divide_the_parts)
{
  int32_t part_of[MAX_NODES];
  hg_lid order[MAX_NODES];
  hg_graph graph;
  hg_parts_index index;
  hg_host_rows rows;
  hg_partition_options options = hg_partition_options_default();
  make_graph(&graph, GRAPH_GRID, 36, 1);
  options.hosts = 4;
  cr_expect_eq(hg_partition_graph(&graph, 6, &options, part_of), HG_ERR_INPUT);
  cr_expect_str_eq(hg_error_text(), "6 parts on 4 hosts, expected as many on each");
  options.hosts = -1;
  cr_expect_eq(hg_partition_graph(&graph, 6, &options, part_of), HG_ERR_INPUT);
  options.hosts = 3;
  cr_assert_eq(hg_partition_graph(&graph, 6, &options, part_of), HG_OK);
  cr_assert_eq(hg_parts_build(&graph, 6, part_of, order, &index), HG_OK);
  const int bad[] = {0, -1, 4, 12};
  for (int i = 0; i < 4; i++) cr_expect_eq(hg_host_rows_count(&rows, &index, bad[i]), HG_ERR_INPUT);
  hg_parts_index_free(&index);
  hg_graph_free(&graph);
}

Test(hosts, no_part_is_empty_and_balance_is_kept_on_any_graph)
{
  const int counts[][2] = {{4, 2}, {6, 3}, {16, 4}, {30, 2}};
  int32_t part_of[MAX_NODES], again[MAX_NODES];
  hg_partition_options options = hg_partition_options_default();
  for (int m = 0; hg_partitioners[m].name; m++)
    for (graph_kind kind = 0; kind < GRAPH_KINDS; kind++)
      for (int c = 0; c < 4; c++) {
        hg_graph graph;
        hg_balance balance;
        int k = counts[c][0], n = c % 2 ? 200 : k + 3;
        options.method = hg_partitioners[m].name;
        options.hosts = counts[c][1];
        make_graph(&graph, kind, n, (uint64_t)c);
        cr_assert_eq(hg_partition_graph(&graph, k, &options, part_of), HG_OK, "%s", hg_error_text());
        cr_assert_eq(hg_partition_graph(&graph, k, &options, again), HG_OK);
        cr_expect_arr_eq(part_of, again, (size_t)n * sizeof *again, "%s: other parts", options.method);
        cr_assert_eq(hg_balance_create(&balance, &graph, k, &options, part_of), HG_OK);
        for (int p = 0; p < k; p++)
          cr_expect(balance.nodes[p] > 0, "%s, %s: part %d of %d is empty", options.method, graph_kind_names[kind], p,
                    k);
        hg_balance_free(&balance);
        hg_graph_free(&graph);
      }
}

// A long grid: halves first, so that two of the four parts' borders are inside a host.
Test(hosts, keep_heavy_cuts_inside)
{
  int32_t flat[MAX_NODES], levels[MAX_NODES];
  hg_partition_options options = hg_partition_options_default();
  hg_off flat_rows = 0, rows = 0;
  for (uint64_t seed = 1; seed <= 4; seed++) {
    hg_graph graph;
    make_graph(&graph, seed % 2 ? GRAPH_SYMMETRIC : GRAPH_GRID, 600, seed);
    options.seed = seed;
    options.hosts = 1;
    cr_assert_eq(hg_partition_graph(&graph, 16, &options, flat), HG_OK);
    options.hosts = 4;
    cr_assert_eq(hg_partition_graph(&graph, 16, &options, levels), HG_OK);
    flat_rows += measure(&graph, 16, 4, flat).unique;
    rows += measure(&graph, 16, 4, levels).unique;
    hg_graph_free(&graph);
  }
  cr_expect_lt(rows, flat_rows);
}

Test(hosts, weights_of_the_whole_graph_are_balanced_inside)
{
  int32_t part_of[MAX_NODES];
  hg_graph graph;
  hg_balance balance;
  hg_partition_options options = hg_partition_options_default();
  make_graph(&graph, GRAPH_SYMMETRIC, 900, 3);
  options.balance = HG_BALANCE_EDGES;
  options.imbalance = 1.2;
  options.hosts = 2;
  cr_assert_eq(hg_partition_graph(&graph, 8, &options, part_of), HG_OK);
  cr_assert_eq(hg_balance_create(&balance, &graph, 8, &options, part_of), HG_OK);
  for (int p = 0; p < 8; p++) cr_expect_leq(balance.weight[0][p], balance.allowed[0]);
  hg_balance_free(&balance);
  hg_graph_free(&graph);
}
