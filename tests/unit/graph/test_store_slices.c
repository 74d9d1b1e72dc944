#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "core/base/alloc.h"
#include "core/graph/store_slices.h"
#include "tests/support/run.h"
#include "tests/support/sample_graph.h"

static char *folder;

static void set_up(void) { folder = temporary_folder(); }
static void tear_down(void) { temporary_folder_remove(&folder); }

TestSuite(store_slices, .init = set_up, .fini = tear_down);

static sample sparse_sample(void)
{
  sample s = sample_default(4);
  s.sparse_features = true;
  s.task = HG_TASK_MULTILABEL;
  return s;
}

Test(store_slices, are_of_about_equal_work)
{
  hg_graph graph = sample_graph(sample_default(3));
  const char *path = path_in(folder, "g.hg");
  cr_assert_eq(hg_store_write_graph(path, &graph, "test"), HG_OK, "%s", hg_error_text());
  const hg_off *indptr = graph.adjacency.indptr;
  hg_off n = graph.nodes.n, work = indptr[n] + n;
  for (int pieces = 1; pieces <= 70; pieces += 23) {
    hg_gid first[71];
    cr_assert_eq(hg_store_cut_rows(path, pieces, first), HG_OK, "%s", hg_error_text());
    cr_expect_eq(first[0], 0);
    cr_expect_eq(first[pieces], n);
    for (int p = 0; p < pieces; p++) {
      cr_assert_leq(first[p], first[p + 1]);
      hg_off most = work / pieces + n + 1; // a row more than the mean
      cr_expect_leq(indptr[first[p + 1]] - indptr[first[p]] + first[p + 1] - first[p], most);
    }
  }
  hg_graph_free(&graph);
}

Test(store_slices, hold_what_the_graph_does)
{
  hg_graph graph = sample_graph(sparse_sample()), whole = {0};
  const char *path = path_in(folder, "g.hg");
  cr_assert_eq(hg_store_write_graph(path, &graph, "test"), HG_OK, "%s", hg_error_text());
  for (hg_gid first = 0; first <= graph.nodes.n; first += 15) {
    hg_graph slice = {0};
    hg_nodes nodes = {0};
    hg_off n = graph.nodes.n - first < 20 ? graph.nodes.n - first : 20;
    cr_assert_eq(hg_store_read_rows(path, first, n, &whole), HG_OK, "%s", hg_error_text());
    cr_assert_eq(hg_store_read_row_edges(path, first, n, &slice), HG_OK, "%s", hg_error_text());
    cr_expect_null(slice.nodes.original_ids);
    cr_assert_eq(hg_store_read_row_nodes(path, first, n, &nodes), HG_OK, "%s", hg_error_text());
    slice.nodes = nodes;
    cr_expect_null(graph_difference(&slice, &whole));
    hg_graph_free(&slice);
    hg_graph_free(&whole);
  }
  hg_graph slice = {0};
  cr_expect_eq(hg_store_read_row_edges(path, 50, 20, &slice), HG_ERR_INPUT);
  cr_expect_not_null(strstr(hg_error_text(), "holds 60 nodes, asked for 20 from 50"), "%s", hg_error_text());
  hg_graph_free(&graph);
}

// Adds rows first .. end of a graph that is in the order of its parts, and the halo ids of parts p .. q - 1.
static void add(const char *temporary, const char *path, const hg_graph *graph, const hg_parts_index *index,
                const char *whole, int p, int q)
{
  hg_graph rows = {0};
  hg_gid first = index->offsets[p], end = index->offsets[q];
  cr_assert_eq(hg_store_read_rows(whole, first, end - first, &rows), HG_OK, "%s", hg_error_text());
  hg_store_place at = {.row = first, .edge = graph->adjacency.indptr[first], .halo = index->halo_offsets[p]};
  if (graph->nodes.features.indptr) at.feature_entry = graph->nodes.features.indptr[first];
  for (hg_gid i = 0; i < first; i++) at.split[graph->nodes.split[i]]++;
  hg_status rc = hg_store_add_rows(temporary, path, &at, &rows, index->halo_ids + index->halo_offsets[p],
                                   index->halo_offsets[q] - index->halo_offsets[p]);
  cr_assert_eq(rc, HG_OK, "%s", hg_error_text());
  hg_graph_free(&rows);
}

static void check_grown(sample what)
{
  hg_graph graph = sample_graph(what), a = {0}, b = {0};
  hg_parts_index index = sample_parts(&graph, 3), found = {0};
  hg_store_header header, shape;
  char whole[256], grown[256];
  snprintf(whole, sizeof whole, "%s", path_in(folder, "whole.hg"));
  snprintf(grown, sizeof grown, "%s", path_in(folder, "grown.hg"));
  cr_assert_eq(hg_store_write_parts(whole, &graph, &index, "test"), HG_OK, "%s", hg_error_text());
  cr_assert_eq(hg_store_read_header(whole, &shape), HG_OK);
  hg_gid *ids = index.halo_ids;
  index.halo_ids = NULL;
  cr_assert_eq(hg_store_begin_parts(grown, grown, &shape, true, &index, "test"), HG_OK, "%s", hg_error_text());
  index.halo_ids = ids;
  add(grown, grown, &graph, &index, whole, 2, 3); // in any order
  add(grown, grown, &graph, &index, whole, 0, 2);
  cr_assert_eq(hg_store_read_header(grown, &header), HG_OK, "%s", hg_error_text());
  cr_expect_eq(header.fingerprint, shape.fingerprint);
  cr_expect_eq(header.kind, HG_STORE_PARTS);
  cr_assert_eq(hg_store_read_rows(whole, 0, graph.nodes.n, &a), HG_OK);
  cr_assert_eq(hg_store_read_rows(grown, 0, graph.nodes.n, &b), HG_OK, "%s", hg_error_text());
  cr_expect_null(graph_difference(&a, &b), "%s", graph_difference(&a, &b));
  cr_assert_eq(hg_store_read_parts_index(grown, -1, &found), HG_OK, "%s", hg_error_text());
  cr_expect_arr_eq(found.halo_ids, ids, (size_t)index.halo_offsets[3] * sizeof *ids);
  hg_graph_free(&graph);
  hg_graph_free(&a);
  hg_graph_free(&b);
  hg_parts_index_free(&index);
  hg_parts_index_free(&found);
}

Test(store_slices, parts_grow_to_the_file_that_one_process_writes)
{
  check_grown(sample_default(5));
  check_grown(sparse_sample());
}

Test(store_slices, nodes_are_put_in_order_without_edges)
{
  sample kinds[] = {sample_default(6), sparse_sample()};
  for (int k = 0; k < 2; k++) {
    hg_graph graph = sample_graph(kinds[k]), permuted = {0};
    hg_lid order[60];
    for (hg_lid i = 0; i < 60; i++) order[i] = i * 7 % 60;
    cr_assert_eq(hg_graph_permute(&permuted, &graph, order), HG_OK, "%s", hg_error_text());
    cr_assert_eq(hg_nodes_reorder(&graph.nodes, order), HG_OK, "%s", hg_error_text());
    hg_csr_free(&graph.adjacency);
    graph.adjacency = permuted.adjacency;
    cr_expect_null(graph_difference(&graph, &permuted));
    graph.adjacency = (hg_csr){0};
    order[3] = order[4];
    cr_expect_eq(hg_nodes_reorder(&graph.nodes, order), HG_ERR_INTERNAL);
    hg_graph_free(&graph);
    hg_graph_free(&permuted);
  }
}
