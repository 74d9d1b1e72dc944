#include <criterion/criterion.h>
#include <criterion/parameterized.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/alloc.h"
#include "core/graph/import.h"
#include "tests/support/make_npz.h"
#include "tests/support/run.h"

static char *folder;

static void open_folder(void) { folder = temporary_folder(); }
static void close_folder(void) { temporary_folder_remove(&folder); }

TestSuite(import_npz, .init = open_folder, .fini = close_folder);

static hg_import_report report;

static hg_graph import_npz(const char *path, bool symmetrize)
{
  hg_imported made = {0};
  hg_import_options options = hg_import_default();
  const hg_import_format *format;
  options.symmetrize = symmetrize;
  cr_assert_eq(hg_import_find("npz", &format), HG_OK);
  cr_assert_eq(hg_import_read(&made, format, path, &options, &report), HG_OK, "%s", hg_error_text());
  return made.graph;
}

static hg_graph import_tiny(const npz_array *changes, bool symmetrize)
{
  const char *path = path_in(folder, "tiny.npz");
  make_tiny_npz(path, true, changes);
  return import_npz(path, symmetrize);
}

static void expect_row(const hg_csr *a, hg_off i, int n, const hg_lid *columns)
{
  cr_assert_eq(a->indptr[i + 1] - a->indptr[i], n, "row %d has %d entries", (int)i,
               (int)(a->indptr[i + 1] - a->indptr[i]));
  for (int k = 0; k < n; k++) cr_expect_eq(a->indices[a->indptr[i] + k], columns[k], "row %d", (int)i);
}

Test(import_npz, the_row_of_a_node_lists_its_in_neighbours)
{
  hg_graph g = import_tiny(NULL, false);
  expect_row(&g.adjacency, 0, 1, (hg_lid[]){2});
  expect_row(&g.adjacency, 1, 2, (hg_lid[]){0, 2});
  expect_row(&g.adjacency, 2, 2, (hg_lid[]){0, 1});
  expect_row(&g.adjacency, 3, 0, NULL);
  cr_expect(!g.symmetric);
  cr_expect_eq(report.build.isolated, 1);
  cr_expect_eq(report.unlabelled, 1);
  cr_expect(!report.weights_ignored);
  for (int i = 0; i < 4; i++) cr_expect_eq(g.nodes.original_ids[i], i);
  hg_graph_free(&g);
}

Test(import_npz, symmetrizing_adds_what_is_missing)
{
  hg_graph g = import_tiny(NULL, true);
  cr_expect(g.symmetric);
  cr_expect_eq(hg_csr_entries(&g.adjacency), 6);
  cr_expect_eq(report.build.reversed_added, 1);
  hg_graph_free(&g);
}

Test(import_npz, sparse_features_are_sorted_and_without_zeros)
{
  hg_graph g = import_tiny(NULL, false);
  const hg_features *x = &g.nodes.features;
  const hg_off indptr[] = {0, 2, 3, 4, 5};
  const int32_t indices[] = {0, 2, 1, 0, 2};
  const float values[] = {0.5F, 1, 2, 3, 4};
  cr_expect_eq(x->width, 3);
  cr_expect_null(x->dense);
  cr_expect_arr_eq(x->indptr, indptr, sizeof indptr);
  cr_expect_arr_eq(x->indices, indices, sizeof indices);
  cr_expect_arr_eq(x->values, values, sizeof values);
  hg_graph_free(&g);
}

Test(import_npz, entries_of_one_column_are_added)
{
  const int32_t columns[6] = {2, 2, 1, 1, 0, 2};
  const npz_array changes[] = {{"attr_indices", "<i4", "(6,)", columns, sizeof columns}, {0}};
  hg_graph g = import_tiny(changes, false);
  cr_expect_eq(g.nodes.features.indptr[1], 1);
  cr_expect(g.nodes.features.values[0] == 1.5F);
  hg_graph_free(&g);
}

Test(import_npz, labels_classes_and_split_are_kept)
{
  hg_graph g = import_tiny(NULL, false);
  const int32_t labels[] = {0, 1, 1, -1};
  const uint8_t split[] = {HG_SPLIT_TRAIN, HG_SPLIT_VAL, HG_SPLIT_TEST, HG_SPLIT_NONE};
  cr_expect_eq(g.nodes.task, HG_TASK_CLASSES);
  cr_expect_eq(g.nodes.n_classes, 2);
  cr_expect_arr_eq(g.nodes.labels, labels, sizeof labels);
  cr_expect_arr_eq(g.nodes.split, split, sizeof split);
  hg_graph_free(&g);
}

Test(import_npz, classes_without_nodes_and_weights_are_reported)
{
  const int8_t labels[] = {0, 5, 3, -1};
  const float weights[] = {1, 1, 0.25F, 1, 1};
  const npz_array changes[] = {
      {"labels", "|i1", "(4,)", labels, sizeof labels}, {"adj_data", "<f4", "(5,)", weights, sizeof weights}, {0}};
  hg_graph g = import_tiny(changes, false);
  cr_expect_eq(g.nodes.n_classes, 6);
  cr_expect_eq(report.empty_classes, 3);
  cr_expect(report.weights_ignored);
  hg_graph_free(&g);
}

Test(import_npz, self_loops_and_duplicates_are_dropped_and_counted)
{
  const int32_t indices[] = {0, 1, 1, 2, 3}, indptr[] = {0, 3, 3, 4, 5}; // 0->0, 0->1 twice, 2->2, 3->3
  const npz_array changes[] = {{"adj_indices", "<i4", "(5,)", indices, sizeof indices},
                               {"adj_indptr", "<i4", "(5,)", indptr, sizeof indptr},
                               {0}};
  hg_graph g = import_tiny(changes, false);
  cr_expect_eq(hg_csr_entries(&g.adjacency), 1);
  cr_expect_eq(report.build.self_loops, 3);
  cr_expect_eq(report.build.duplicates, 1);
  cr_expect_eq(report.build.isolated, 2);
  hg_graph_free(&g);
}

Test(import_npz, several_columns_of_labels_are_a_multi_label_task)
{
  const uint8_t labels[4 * 9] = {1, 0, 0, 0, 0, 0, 0, 0, 1, /**/ 0, 1};
  const npz_array changes[] = {{"labels", "|u1", "(4, 9)", labels, sizeof labels}, {0}};
  hg_graph g = import_tiny(changes, false);
  cr_expect_eq(g.nodes.task, HG_TASK_MULTILABEL);
  cr_expect_eq(g.nodes.n_classes, 9);
  const uint8_t bits[] = {1, 1, 2, 0, 0, 0, 0, 0};
  cr_expect_arr_eq(g.nodes.label_bits, bits, sizeof bits);
  hg_graph_free(&g);
}

Test(import_npz, y_is_a_regression_and_pos_are_positions)
{
  const double y[] = {1, 2, NAN, 4};
  const float pos[] = {0, 1, 2, 3, 4, 5, 6, 7};
  const npz_array changes[] = {{"labels", NULL, NULL, NULL, 0},
                               {"y", "<f8", "(4,)", y, sizeof y},
                               {"pos", "<f4", "(4, 2)", pos, sizeof pos},
                               {0}};
  hg_graph g = import_tiny(changes, false);
  cr_expect_eq(g.nodes.task, HG_TASK_REGRESSION);
  cr_expect_eq(g.nodes.n_classes, 1);
  cr_expect(g.nodes.targets[3] == 4 && isnan(g.nodes.targets[2]));
  cr_expect_eq(report.unlabelled, 1);
  cr_expect_eq(report.unlabelled_in_split, 1);
  cr_expect_eq(g.nodes.n_dims, 2);
  cr_expect_arr_eq(g.nodes.positions, pos, sizeof pos);
  hg_graph_free(&g);
}

Test(import_npz, dense_features_win_over_sparse_and_other_arrays_do_not_matter)
{
  const double x[] = {1, 2, 3, 4, 5, 6, 7, 8};
  const npz_array changes[] = {
      {"attr_matrix", "<f8", "(4, 2)", x, sizeof x}, {"node_names", "<U2", "(8,)", x, sizeof x}, {0}};
  hg_graph g = import_tiny(changes, false);
  cr_expect_eq(g.nodes.features.width, 2);
  cr_expect(g.nodes.features.dense && g.nodes.features.dense[7] == 8);
  hg_graph_free(&g);
}

Test(import_npz, all_memory_is_given_back_also_on_failure)
{
  const int64_t labels[4] = {0, 1, -5, 0};
  const npz_array changes[] = {{"labels", "<i8", "(4,)", labels, sizeof labels}, {0}};
  const char *path = path_in(folder, "bad.npz");
  const hg_import_options options = hg_import_default();
  size_t before = hg_alloc_bytes();
  hg_graph g = import_tiny(NULL, true);
  hg_graph_free(&g);
  make_tiny_npz(path, false, changes);
  hg_imported untouched = {0};
  cr_expect_eq(hg_import_read(&untouched, &hg_import_formats[0], path, &options, &report), HG_ERR_INPUT);
  cr_expect(strstr(hg_error_text(), "bad.npz: labels: node 2: found label -5, expected -1 (unknown) or 0 to "), "%s",
            hg_error_text());
  cr_expect_null(untouched.graph.adjacency.indptr, "the output was touched");
  cr_expect_eq(hg_alloc_bytes(), before);
}

Test(import_formats, an_unknown_name_lists_the_known_ones)
{
  const hg_import_format *format;
  cr_expect_eq(hg_import_find("metsi", &format), HG_ERR_INPUT);
  cr_expect_str_eq(
      hg_error_text(),
      "found format 'metsi', expected one of npz, edgelist, mtx, metis, ogb, graphbolt, mnist-idx, planetoid-npz; "
      "did you mean 'metis'?");
}

// What the README of the data sets says of each file.
typedef struct {
  char file[40];
  bool symmetrize, symmetric, sparse;
  int nodes, edges, self_loops, classes, width, dims, split[3], unlabelled;
  hg_task task;
} known;

ParameterizedTestParameters(import_data, counts_are_those_of_the_source)
{
  static known all[] = {
      {"cora.npz", 0, 1, 1, 2708, 10556, 0, 7, 1433, 0, {140, 500, 1000}, 0, HG_TASK_CLASSES},
      {"cora_stored.npz", 0, 1, 1, 2708, 10556, 0, 7, 1433, 0, {140, 500, 1000}, 0, HG_TASK_CLASSES},
      {"pubmed_nofeat.npz", 0, 1, 0, 19717, 88648, 0, 3, 0, 0, {60, 500, 1000}, 0, HG_TASK_CLASSES},
      {"dblp.npz", 0, 1, 1, 17716, 105734, 0, 4, 1639, 0, {80, 120, 17516}, 0, HG_TASK_CLASSES},
      {"amazon_photo.npz", 0, 0, 1, 7650, 143662, 1, 8, 745, 0, {160, 240, 7250}, 0, HG_TASK_CLASSES},
      {"amazon_photo.npz", 1, 1, 1, 7650, 238162, 1, 8, 745, 0, {160, 240, 7250}, 0, HG_TASK_CLASSES},
      {"coauthor_cs.npz", 0, 1, 1, 18333, 163788, 0, 15, 6805, 0, {300, 450, 17583}, 0, HG_TASK_CLASSES},
      {"musae_facebook.npz", 0, 1, 1, 22470, 341646, 0, 4, 4714, 0, {80, 120, 22270}, 0, HG_TASK_CLASSES},
      {"nell.npz", 0, 1, 1, 65755, 251550, 0, 186, 5414, 0, {900, 154, 848}, 63853, HG_TASK_CLASSES},
      {"minesweeper.npz", 0, 1, 0, 10000, 78804, 0, 2, 7, 2, {5000, 2500, 2500}, 0, HG_TASK_CLASSES},
      {"california_housing.npz", 0, 1, 0, 20640, 204490, 0, 1, 11, 2, {12384, 4128, 4128}, 0, HG_TASK_REGRESSION},
      {"openflights.npz", 0, 0, 0, 3214, 36906, 0, 6, 3, 3, {120, 180, 2823}, 91, HG_TASK_CLASSES},
      {"metr_la_week.npz", 0, 0, 0, 207, 1515, 0, 0, 0, 2, {0, 0, 0}, 0, HG_TASK_NONE},
      {"raw/gnn-benchmark/cora.npz", 0, 0, 1, 2708, 5429, 0, 7, 1433, 0, {0, 0, 0}, 0, HG_TASK_CLASSES},
      {"raw/gnn-benchmark/cora.npz", 1, 1, 1, 2708, 10556, 0, 7, 1433, 0, {0, 0, 0}, 0, HG_TASK_CLASSES},
  };
  return cr_make_param_array(known, all, sizeof all / sizeof *all);
}

ParameterizedTest(known *k, import_data, counts_are_those_of_the_source)
{
  hg_graph g = import_npz(shared_data(k->file), k->symmetrize);
  int split[HG_SPLIT_COUNT] = {0};
  for (hg_off i = 0; g.nodes.split && i < g.nodes.n; i++) split[g.nodes.split[i]]++;
  cr_expect_eq(g.nodes.n, k->nodes, "%s", k->file);
  cr_expect_eq(hg_csr_entries(&g.adjacency), k->edges, "%s: %d edges", k->file, (int)hg_csr_entries(&g.adjacency));
  cr_expect_eq(report.build.self_loops, k->self_loops, "%s", k->file);
  cr_expect_eq(report.build.duplicates, 0, "%s", k->file);
  cr_expect_eq(g.symmetric, k->symmetric, "%s", k->file);
  cr_expect_eq(g.nodes.task, k->task, "%s", k->file);
  cr_expect_eq(g.nodes.n_classes, k->classes, "%s", k->file);
  cr_expect_eq(g.nodes.features.width, k->width, "%s", k->file);
  cr_expect_eq(g.nodes.features.indptr != NULL, k->sparse, "%s", k->file);
  cr_expect_eq(g.nodes.n_dims, k->dims, "%s", k->file);
  cr_expect_eq(report.unlabelled, k->unlabelled, "%s: %d unlabelled", k->file, (int)report.unlabelled);
  for (int s = 0; s < 3; s++) cr_expect_eq(split[s + 1], k->split[s], "%s: split %d has %d", k->file, s, split[s + 1]);
  cr_expect_eq(report.weights_ignored, strcmp(k->file, "metr_la_week.npz") == 0, "%s", k->file);
  hg_graph_free(&g);
}

Test(import_data, cora_has_49216_ones_for_features)
{
  hg_graph g = import_npz(shared_data("cora.npz"), false);
  const hg_features *x = &g.nodes.features;
  cr_assert_eq(x->indptr[g.nodes.n], 49216);
  for (hg_off e = 0; e < 49216; e++) cr_assert(x->values[e] == 1);
  hg_graph_free(&g);
}
