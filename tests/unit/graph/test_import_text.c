#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <zlib.h>

#include "core/base/alloc.h"
#include "core/graph/id_map.h"
#include "core/graph/import.h"
#include "tests/support/make_npz.h"
#include "tests/support/run.h"

static char *folder;
static hg_import_report report;

static void open_folder(void) { folder = temporary_folder(); }
static void close_folder(void) { temporary_folder_remove(&folder); }

TestSuite(import_edgelist, .init = open_folder, .fini = close_folder);
TestSuite(import_mtx, .init = open_folder, .fini = close_folder);
TestSuite(import_metis, .init = open_folder, .fini = close_folder);

static const char *text_file(const char *name, const char *text)
{
  const char *path = path_in(folder, name);
  write_text(path, text);
  return path;
}

static const char *gz_file(const char *name, const char *text)
{
  const char *path = path_in(folder, name);
  gzFile file = gzopen(path, "wb");
  cr_assert(file && gzputs(file, text) >= 0 && gzclose(file) == Z_OK);
  return path;
}

static hg_graph import(const char *name, const char *path, hg_import_options options)
{
  hg_imported made = {0};
  const hg_import_format *format;
  cr_assert_eq(hg_import_find(name, &format), HG_OK);
  cr_assert_eq(hg_import_read(&made, format, path, &options, &report), HG_OK, "%s", hg_error_text());
  return made.graph;
}

// Rows as text: "0: 1 2; 1: 0"
static const char *rows(const hg_graph *g)
{
  static char text[1024];
  size_t used = 0;
  text[0] = '\0';
  for (hg_off i = 0; i < g->nodes.n; i++) {
    used += (size_t)snprintf(text + used, sizeof text - used, "%s%d:", i ? "; " : "", (int)g->nodes.original_ids[i]);
    for (hg_off e = g->adjacency.indptr[i]; e < g->adjacency.indptr[i + 1]; e++)
      used +=
          (size_t)snprintf(text + used, sizeof text - used, " %d", (int)g->nodes.original_ids[g->adjacency.indices[e]]);
  }
  return text;
}

static const char edge_text[] = "# a comment\n% another\n7 -3\n7,1000\n\n1000\t-3  \n  -3 ; 7\r\n7 7\n7 -3 1\n";

Test(import_edgelist, any_numbers_and_separators_work)
{
  hg_graph g = import("edgelist", text_file("e.txt", edge_text), hg_import_default());
  cr_expect_str_eq(rows(&g), "-3: 7 1000; 7: -3; 1000: 7");
  cr_expect_eq(report.build.self_loops, 1);
  cr_expect_eq(report.build.duplicates, 1);
  cr_expect(!report.weights_ignored);
  hg_graph_free(&g);
}

Test(import_edgelist, gzip_symmetrizing_headings_and_weights_work)
{
  hg_import_options options = hg_import_default();
  options.symmetrize = true;
  hg_graph g = import("edgelist", gz_file("e.csv.gz", "source,target,weight\n0,1,1\n1,2,0.5"), options);
  cr_expect_str_eq(rows(&g), "0: 1; 1: 0 2; 2: 1");
  cr_expect(report.weights_ignored);
  hg_graph_free(&g);
}

Test(import_edgelist, features_labels_and_splits_come_from_files_and_add_nodes)
{
  hg_import_options options = hg_import_default();
  options.features = text_file("x.csv", "5,0.5,1\n9,2,-1e3\n");
  options.labels = gz_file("y.txt.gz", "# node label\n5 1\n7 -1\n12 0\n");
  options.splits = text_file("s.txt", "5 train\n12 valid\n9 none\n");
  hg_graph g = import("edgelist", text_file("e.txt", "5 9\n9 7\n"), options);
  cr_expect_str_eq(rows(&g), "5:; 7: 9; 9: 5; 12:");
  const float x[] = {0.5F, 1, 0, 0, 2, -1e3F, 0, 0};
  const int32_t labels[] = {1, -1, -1, 0};
  const uint8_t split[] = {HG_SPLIT_TRAIN, 0, 0, HG_SPLIT_VAL};
  cr_expect_arr_eq(g.nodes.features.dense, x, sizeof x);
  cr_expect_arr_eq(g.nodes.labels, labels, sizeof labels);
  cr_expect_arr_eq(g.nodes.split, split, sizeof split);
  cr_expect_eq(report.build.isolated, 1);
  cr_expect_eq(report.unlabelled, 2);
  hg_graph_free(&g);
}

Test(import_edgelist, features_can_be_a_matrix_and_nodes_a_number)
{
  const float x[] = {1, 2, 3, 4};
  hg_import_options options = hg_import_default();
  options.nodes = 4;
  options.features = path_in(folder, "x.npy");
  options.labels = text_file("y.txt", "0 1.5\n3 2\n");
  make_npy(options.features, 1, (npz_array){"x", "<f4", "(4, 1)", x, sizeof x});
  hg_graph g = import("edgelist", text_file("e.txt", "0 1\n"), options);
  cr_expect_str_eq(rows(&g), "0:; 1: 0; 2:; 3:");
  cr_expect_arr_eq(g.nodes.features.dense, x, sizeof x);
  cr_expect_eq(g.nodes.task, HG_TASK_REGRESSION);
  cr_expect(isnan(g.nodes.targets[1]) && g.nodes.targets[3] == 2);
  hg_graph_free(&g);
}

Test(import_edgelist, a_long_file_crosses_the_reading_buffer)
{
  enum { M = 60000 };
  const char *path = path_in(folder, "long.txt");
  FILE *file = fopen(path, "w");
  for (int k = 0; k < M; k++) fprintf(file, "%d0000 %d0000\n", k, (k + 1) % M);
  fclose(file);
  hg_graph g = import("edgelist", path, hg_import_default());
  cr_expect_eq(report.build.edges_in, M);
  cr_expect_eq(g.nodes.n, M);
  for (hg_off i = 0; i < M; i++) cr_assert(g.adjacency.indptr[i] == i && g.adjacency.indices[i] == (i + M - 1) % M);
  hg_graph_free(&g);
}

Test(id_map, numbers_become_positions_in_ascending_order)
{
  size_t before = hg_alloc_bytes();
  for (int step = 1; step <= 3; step += 2) {
    hg_id_map map = {0};
    for (int64_t k = 0; k < 5000; k++) cr_assert_eq(hg_id_map_add(&map, (k * 7919 % 5000 - 2500) * step), HG_OK);
    cr_assert_eq(hg_id_map_add(&map, 0), HG_OK);
    cr_assert_eq(hg_id_map_finish(&map), HG_OK);
    cr_expect_eq(map.n, 5000);
    cr_expect_eq(map.is_range, step == 1, "a gapless range needs no table");
    for (int64_t k = 0; k < 5000; k++) {
      cr_assert_eq(hg_id_map_find(&map, (k - 2500) * step), k);
      cr_assert_eq(hg_id_map_original(&map, k), (k - 2500) * step);
    }
    cr_expect_eq(hg_id_map_find(&map, 2500 * step), -1);
    cr_expect_eq(hg_id_map_find(&map, INT64_MIN), -1);
    cr_expect_eq(hg_id_map_find(&map, INT64_MAX), -1);
    hg_id_map_free(&map);
  }
  hg_id_map ends = {0};
  cr_assert_eq(hg_id_map_add(&ends, INT64_MAX), HG_OK);
  cr_assert_eq(hg_id_map_add(&ends, INT64_MIN), HG_OK);
  cr_assert_eq(hg_id_map_finish(&ends), HG_OK);
  cr_expect(hg_id_map_find(&ends, INT64_MIN) == 0 && hg_id_map_find(&ends, INT64_MAX) == 1);
  hg_id_map_free(&ends);
  cr_expect_eq(hg_alloc_bytes(), before);
}

Test(import_mtx, general_matrices_are_directed_and_symmetric_ones_are_not)
{
  static const char general[] =
      "%%MatrixMarket matrix coordinate real general\n% comment\n3 3 3\n1 2 1.0\n3 3 1\n2 3 0.5\n";
  static const char symmetric[] = "%%matrixmarket MATRIX coordinate pattern symmetric\n3 3 3\n2 1\n3 2\n3 3\n";
  hg_graph g = import("mtx", text_file("a.mtx", general), hg_import_default());
  cr_expect_str_eq(rows(&g), "1:; 2: 1; 3: 2");
  cr_expect(report.weights_ignored);
  cr_expect_eq(report.build.self_loops, 1);
  hg_graph_free(&g);
  g = import("mtx", gz_file("b.mtx.gz", symmetric), hg_import_default());
  cr_expect_str_eq(rows(&g), "1: 2; 2: 1 3; 3: 2");
  cr_expect(g.symmetric && !report.weights_ignored);
  hg_graph_free(&g);
}

Test(import_mtx, side_files_use_the_numbers_of_the_file)
{
  hg_import_options options = hg_import_default();
  options.labels = text_file("y.txt", "1 0\n3 2\n");
  hg_graph g =
      import("mtx", text_file("a.mtx", "%%MatrixMarket matrix coordinate integer general\n3 3 1\n1 3 1\n"), options);
  cr_expect(g.nodes.labels[0] == 0 && g.nodes.labels[1] == -1 && g.nodes.labels[2] == 2);
  hg_graph_free(&g);
}

Test(import_metis, plain_and_weighted_files_work)
{
  hg_graph g = import("metis", text_file("a.graph", "% comment\n4 2\n2 3\n1\n1\n\n"), hg_import_default());
  cr_expect_str_eq(rows(&g), "1: 2 3; 2: 1; 3: 1; 4:");
  cr_expect(g.symmetric && !report.weights_ignored);
  cr_expect_eq(report.build.isolated, 1);
  hg_graph_free(&g);
  g = import("metis", text_file("b.graph", "3 2 111 2\n1 1 5 2 9\n1 1 1 1 9 3 1\n1 1 1 2 1\n"), hg_import_default());
  cr_expect_str_eq(rows(&g), "1: 2; 2: 1 3; 3: 2");
  cr_expect(report.weights_ignored);
  hg_graph_free(&g);
}
