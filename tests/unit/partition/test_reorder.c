#include "partition/reorder.h"

#include <criterion/criterion.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/alloc.h"
#include "core/base/rng.h"
#include "core/graph/generate.h"
#include "partition/parts.h"
#include "tests/unit/partition/graphs.h"

static void check_permutation(hg_lid n, const hg_lid *order, const char *label)
{
  uint8_t *met = calloc((size_t)n + 1, 1);
  for (hg_lid i = 0; i < n; i++) {
    cr_assert(order[i] >= 0 && order[i] < n, "%s: %d", label, order[i]);
    cr_assert_eq(met[order[i]]++, 0, "%s: node %d twice", label, order[i]);
  }
  free(met);
}

// One order on one graph in random parts: a permutation, the same each time, and valid parts.
static void try_order(hg_order_kind kind, graph_kind shape, hg_lid n, int k, uint64_t seed)
{
  hg_graph graph, permuted;
  hg_reordered result, again;
  hg_parts_index index;
  hg_lid *sequence = malloc(sizeof(hg_lid) * ((size_t)n + 1)), *order = malloc(sizeof(hg_lid) * ((size_t)n + 1));
  int32_t *part_of = malloc(sizeof(int32_t) * ((size_t)n + 1));
  char label[128];
  snprintf(label, sizeof label, "%s, %s graph, n = %d, k = %d, seed %" PRIu64, hg_orders[kind].name,
           graph_kind_names[shape], n, k, seed);
  make_graph(&graph, shape, n, seed);
  for (hg_lid i = 0; i < n; i++)
    part_of[i] = (int32_t)hg_rng_below((hg_rng){seed, HG_STREAM_TEST}, (uint64_t)i, 9, (uint64_t)k);
  cr_assert_eq(hg_reorder(&graph, k, part_of, kind, order, &again), HG_OK, "%s: %s", label, hg_error_text());
  cr_assert_eq(hg_reorder(&graph, k, part_of, kind, sequence, &result), HG_OK, "%s: %s", label, hg_error_text());
  check_permutation(n, sequence, label);
  for (hg_lid i = 0; i < n; i++) cr_assert_eq(sequence[i], order[i], "%s: another order the second time", label);
  cr_expect(result.order != HG_ORDER_AUTO && (kind == HG_ORDER_AUTO || result.order == kind), "%s", label);
  cr_assert_eq(hg_parts_build_ordered(&graph, k, part_of, sequence, order, &index), HG_OK, "%s: %s", label,
               hg_error_text());
  check_permutation(n, order, label);
  cr_assert_eq(hg_graph_permute(&permuted, &graph, order), HG_OK);
  for (int p = 0; p < k; p++) {
    hg_part part;
    cr_assert_eq(hg_part_extract(&part, &permuted, &index, p), HG_OK, "%s: %s", label, hg_error_text());
    cr_expect_eq(hg_part_check(&part), HG_OK, "%s: %s", label, hg_error_text());
    hg_part_free(&part);
  }
  hg_parts_index_free(&index);
  hg_graph_free(&graph), hg_graph_free(&permuted);
  free(sequence), free(order), free(part_of);
}

Test(reorder, every_order_is_a_permutation_and_makes_valid_parts)
{
  for (int kind = 0; kind < HG_ORDER_KINDS; kind++)
    for (int graph = 0; graph < GRAPH_KINDS; graph++)
      for (uint64_t seed = 1; seed <= 3; seed++) try_order((hg_order_kind)kind, (graph_kind)graph, 97, (int)seed, seed);
}

Test(reorder, takes_no_node_and_one)
{
  for (int kind = 0; kind < HG_ORDER_KINDS; kind++) {
    try_order((hg_order_kind)kind, GRAPH_EMPTY, 0, 1, 1);
    try_order((hg_order_kind)kind, GRAPH_EMPTY, 1, 1, 1);
    try_order((hg_order_kind)kind, GRAPH_STAR, 2, 2, 1);
  }
}

Test(reorder, metis_takes_more_than_one_block)
{
  const graph_kind kinds[] = {GRAPH_DIRECTED, GRAPH_PIECES, GRAPH_ISOLATED, GRAPH_EMPTY, GRAPH_GRID};
  for (int g = 0; g < 5; g++) try_order(HG_ORDER_METIS, kinds[g], 1501, 2, 1);
}

// A grid whose nodes were shuffled: a cache that cannot hold it, and orders that bring neighbours together again.
Test(reorder, auto_brings_a_shuffled_grid_in_order_and_leaves_a_good_one)
{
  const hg_lid n = 40000;
  hg_graph graph, shuffled;
  hg_reordered result;
  hg_lid *order = malloc(sizeof(hg_lid) * (size_t)n);
  int32_t *part_of = calloc((size_t)n, sizeof *part_of);
  hg_generate_options options = hg_generate_options_default();
  hg_build_counts counts;
  options.nodes = n;
  cr_assert_eq(hg_generate("grid", &options, &graph, &counts), HG_OK, "%s", hg_error_text());
  cr_assert_eq(hg_reorder(&graph, 1, part_of, HG_ORDER_AUTO, order, &result), HG_OK, "%s", hg_error_text());
  cr_expect_eq(result.order, HG_ORDER_NONE);
  cr_expect_eq(result.fetches_before, n, "each row once, found %" PRId64, result.fetches_before);
  for (hg_lid i = 0; i < n; i++) order[i] = i;
  for (hg_lid i = n - 1; i > 0; i--) {
    hg_lid j = (hg_lid)hg_rng_below((hg_rng){7, HG_STREAM_TEST}, (uint64_t)i, 0, (uint64_t)i + 1), swap = order[i];
    order[i] = order[j];
    order[j] = swap;
  }
  cr_assert_eq(hg_graph_permute(&shuffled, &graph, order), HG_OK);
  cr_assert_eq(hg_reorder(&shuffled, 1, part_of, HG_ORDER_AUTO, order, &result), HG_OK, "%s", hg_error_text());
  cr_expect_neq(result.order, HG_ORDER_NONE);
  cr_expect(2 * result.fetches_after < result.fetches_before, "%" PRId64 " of %" PRId64, result.fetches_after,
            result.fetches_before);
  hg_graph_free(&graph), hg_graph_free(&shuffled);
  free(order), free(part_of);
}

// Rows fetched, counted by looking back from each entry for the rows needed since.
static hg_off naive_fetches(const hg_csr *a, const hg_lid *order, hg_off capacity)
{
  hg_off m = hg_csr_entries(a), at = 0, fetched = 0;
  hg_lid *needed = malloc(sizeof(hg_lid) * (size_t)(m + 1));
  uint8_t *since = malloc((size_t)a->n_rows);
  for (hg_lid r = 0; r < a->n_rows; r++)
    for (hg_off e = a->indptr[order[r]]; e < a->indptr[order[r] + 1]; e++) needed[at++] = a->indices[e];
  for (hg_off e = 0; e < m; e++) {
    hg_off distinct = 0, back = e - 1;
    memset(since, 0, (size_t)a->n_rows);
    for (; back >= 0 && needed[back] != needed[e]; back--) distinct += since[needed[back]]++ == 0;
    fetched += back < 0 || distinct >= capacity;
  }
  free(needed), free(since);
  return fetched;
}

// Rows 0 and 1 need the same `wanted` rows: the second time all of them are there, or the oldest was dropped each time.
static hg_fetches fetch_twice(hg_lid wanted)
{
  hg_graph graph = {.nodes.n = wanted};
  hg_fetches found;
  hg_lid *order = calloc((size_t)wanted, sizeof *order);
  int32_t *part_of = calloc((size_t)wanted, sizeof *part_of);
  cr_assert_eq(hg_csr_create(&graph.adjacency, wanted, wanted, 2 * (hg_off)wanted, false, "test"), HG_OK);
  for (hg_lid i = 0; i < wanted; i++) {
    order[i] = i;
    graph.adjacency.indptr[i + 1] = (i ? 2 : 1) * (hg_off)wanted;
    graph.adjacency.indices[i] = graph.adjacency.indices[wanted + i] = i;
  }
  cr_assert_eq(hg_fetches_count(&graph, part_of, order, &found), HG_OK, "%s", hg_error_text());
  hg_graph_free(&graph);
  free(order), free(part_of);
  return found;
}

Test(reorder, fetches_are_those_of_a_cache_that_drops_the_oldest)
{
  const hg_lid n = 101;
  hg_graph graph;
  hg_lid *order = malloc(sizeof(hg_lid) * (size_t)n);
  int32_t *part_of = calloc((size_t)n, sizeof *part_of);
  hg_fetches fits = fetch_twice(HG_CACHE_ROWS), found = fetch_twice(HG_CACHE_ROWS + 1);
  cr_expect_eq(fits.fetched, HG_CACHE_ROWS);
  cr_expect_eq(found.fetched, 2 * (HG_CACHE_ROWS + 1));
  cr_expect_eq(found.compulsory, HG_CACHE_ROWS + 1);
  for (hg_lid i = 0; i < n; i++) order[i] = i;
  make_graph(&graph, GRAPH_DIRECTED, n, 3);
  cr_assert_eq(hg_fetches_count(&graph, part_of, order, &found), HG_OK);
  cr_expect_eq(found.fetched, naive_fetches(&graph.adjacency, order, HG_CACHE_ROWS));
  hg_graph_free(&graph);
  free(order), free(part_of);
}

Test(reorder, unknown_names_are_refused)
{
  hg_order_kind kind;
  cr_expect_eq(hg_order_find("metis", &kind), HG_OK);
  cr_expect_eq(kind, HG_ORDER_METIS);
  cr_expect_eq(hg_order_find("rabbit", &kind), HG_ERR_INPUT);
  cr_expect_not_null(strstr(hg_error_text(), "auto, cluster, metis, rcm, degree, none"), "%s", hg_error_text());
}
