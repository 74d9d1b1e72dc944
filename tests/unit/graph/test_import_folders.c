#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>
#include <zlib.h>

#include "core/base/alloc.h"
#include "core/base/files.h"
#include "core/graph/import.h"
#include "tests/support/make_npz.h"
#include "tests/support/run.h"

static char *folder;
static hg_import_report report;

static void open_folder(void) { folder = temporary_folder(); }
static void close_folder(void) { temporary_folder_remove(&folder); }

TestSuite(import_ogb, .init = open_folder, .fini = close_folder);
TestSuite(import_graphbolt, .init = open_folder, .fini = close_folder);

static void gz_file(const char *name, const char *text)
{
  gzFile file = gzopen(path_in(folder, name), "wb");
  cr_assert(file && gzputs(file, text) >= 0 && gzclose(file) == Z_OK);
}

static hg_status import(const char *name, hg_import_options options, hg_graph *graph)
{
  const hg_import_format *format;
  hg_imported made = {0};
  cr_assert_eq(hg_import_find(name, &format), HG_OK);
  hg_status rc = hg_import_read(&made, format, folder, &options, &report);
  *graph = made.graph;
  return rc;
}

static void make_ogb(const char *labels)
{
  cr_assert_eq(hg_make_directories(path_in(folder, "raw")), HG_OK);
  cr_assert_eq(hg_make_directories(path_in(folder, "split/time")), HG_OK);
  gz_file("raw/edge.csv.gz", "0,1\n1,2\n2,0\n");
  gz_file("raw/num-node-list.csv.gz", "4\n");
  gz_file("raw/num-edge-list.csv.gz", "3\n");
  gz_file("raw/node-feat.csv.gz", "0.5,1\n1,2\n-1,3\n0,4\n");
  gz_file("raw/node-label.csv.gz", labels);
  gz_file("split/time/train.csv.gz", "2\n0\n");
  gz_file("split/time/valid.csv.gz", "1\n");
  write_text(path_in(folder, "split/time/test.csv"), "3\n");
}

Test(import_ogb, a_folder_is_read)
{
  hg_graph g;
  make_ogb("1\nnan\n0.0\n2\n");
  cr_assert_eq(import("ogb", hg_import_default(), &g), HG_OK, "%s", hg_error_text());
  const int32_t labels[] = {1, -1, 0, 2};
  const uint8_t split[] = {HG_SPLIT_TRAIN, HG_SPLIT_VAL, HG_SPLIT_TRAIN, HG_SPLIT_TEST};
  const float x[] = {0.5F, 1, 1, 2, -1, 3, 0, 4};
  cr_expect_eq(g.nodes.n, 4);
  cr_expect(g.adjacency.indptr[1] == 1 && g.adjacency.indices[0] == 2, "2 -> 0");
  cr_expect_arr_eq(g.nodes.labels, labels, sizeof labels);
  cr_expect_arr_eq(g.nodes.split, split, sizeof split);
  cr_expect_arr_eq(g.nodes.features.dense, x, sizeof x);
  cr_expect_eq(report.unlabelled, 1);
  cr_expect_eq(report.build.isolated, 1);
  hg_graph_free(&g);
}

Test(import_ogb, columns_of_0_and_1_are_a_multi_label_task)
{
  hg_graph g;
  make_ogb("1,0,1\n0,0,0\n0,1,0\n1,1,1\n");
  cr_assert_eq(import("ogb", hg_import_default(), &g), HG_OK, "%s", hg_error_text());
  const uint8_t bits[] = {5, 0, 2, 7};
  cr_expect(g.nodes.task == HG_TASK_MULTILABEL && g.nodes.n_classes == 3);
  cr_expect_arr_eq(g.nodes.label_bits, bits, sizeof bits);
  hg_graph_free(&g);
}

static void expect_failure(const char *format, hg_import_options options, const char *message)
{
  hg_graph g;
  size_t before = hg_alloc_bytes();
  cr_expect_eq(import(format, options, &g), HG_ERR_INPUT, "expected: %s", message);
  cr_expect(strstr(hg_error_text(), message), "found: %s\nexpected: %s", hg_error_text(), message);
  cr_expect_eq(hg_alloc_bytes(), before, "memory was not given back: %s", message);
}

Test(import_ogb, what_does_not_fit_is_refused)
{
  hg_import_options options = hg_import_default();
  expect_failure("ogb", options, "raw/num-node-list.csv.gz: no such file, expected an Open Graph Benchmark folder");
  make_ogb("1\n0\n0\n");
  expect_failure("ogb", options, "raw/node-label.csv.gz: found 3 rows, expected 4");
  gz_file("raw/node-label.csv.gz", "1\n0\n0\n2\n1\n");
  expect_failure("ogb", options, "raw/node-label.csv.gz: line 5: found more than the 4 rows that were expected");
  gz_file("raw/node-label.csv.gz", "1\n0\nx\n2\n");
  expect_failure("ogb", options, "raw/node-label.csv.gz: line 3: found 'x', expected a number");
  make_ogb("1\n0\n0\n2\n");
  gz_file("raw/node-feat.csv.gz", "1,1\n1,1\n1\n1,1\n");
  expect_failure("ogb", options, "raw/node-feat.csv.gz: line 3: found nothing, expected a number");
  gz_file("raw/node-feat.csv.gz", "1,1\n1,inf\n1,1\n1,1\n");
  expect_failure("ogb", options, "raw/node-feat.csv.gz: row 1, column 1: found inf, expected a finite number");
  make_ogb("1\n0\n0\n2\n");
  gz_file("raw/num-edge-list.csv.gz", "4\n");
  expect_failure("ogb", options, "raw/edge.csv.gz: found 3 edges, expected 4 (num-edge-list)");
  gz_file("raw/num-node-list.csv.gz", "2\n2\n");
  expect_failure("ogb", options, "raw/num-edge-list.csv.gz: found 1 numbers, expected 2 as in num-node-list");
  make_ogb("1\n0\n0\n2\n");
  gz_file("raw/edge.csv.gz", "0,1\n0,4\n2,0\n");
  expect_failure("ogb", options, "raw/edge.csv.gz: line 2: found node 4, expected 0 to 3");
  make_ogb("1\n0\n0\n2\n");
  gz_file("split/time/valid.csv.gz", "2\n");
  expect_failure("ogb", options, "split/time/valid.csv.gz: node 2 is in train and in val");
  cr_assert_eq(hg_make_directories(path_in(folder, "split/random")), HG_OK);
  expect_failure("ogb", options, "choose with --scheme");
  options.scheme = "random";
  expect_failure("ogb", options, "split/random/train.csv.gz: no such file");
}

// Graphs of 2, 1 and 3 nodes: 0->1, nothing, 0->1 2->1
static void make_ogb_collection(void)
{
  make_ogb("");
  gz_file("raw/num-node-list.csv.gz", "2\n1\n3\n");
  gz_file("raw/num-edge-list.csv.gz", "1\n0\n2\n");
  gz_file("raw/edge.csv.gz", "0,1\n0,1\n2,1\n");
  gz_file("raw/node-feat.csv.gz", "1,0\n2,0\n3,0\n4,0\n5,0\n6,7\n");
  gz_file("raw/graph-label.csv.gz", "1,0\n0,nan\n1,1\n");
  write_text(path_in(folder, "split/time/test.csv"), "");
}

Test(import_ogb, a_folder_of_many_graphs_is_a_collection)
{
  const hg_import_format *format;
  hg_imported made = {0};
  hg_import_options options = hg_import_default();
  make_ogb_collection();
  cr_assert_eq(hg_import_find("ogb", &format), HG_OK);
  cr_assert_eq(hg_import_read(&made, format, folder, &options, &report), HG_OK, "%s", hg_error_text());
  const hg_collection *c = &made.collection;
  const hg_off ptr[] = {0, 2, 3, 6}, indptr[] = {0, 0, 1, 1, 1, 3, 3};
  const hg_lid indices[] = {0, 3, 5};
  const uint8_t split[] = {HG_SPLIT_TRAIN, HG_SPLIT_VAL, HG_SPLIT_TRAIN}, bits[] = {1, 0, 3};
  cr_assert(made.is_collection && c->n_graphs == 3);
  cr_expect_arr_eq(c->graph_ptr, ptr, sizeof ptr);
  cr_expect_arr_eq(c->united.adjacency.indptr, indptr, sizeof indptr);
  cr_expect_arr_eq(c->united.adjacency.indices, indices, sizeof indices);
  cr_expect(c->united.nodes.features.width == 2 && c->united.nodes.features.dense[11] == 7);
  cr_expect(c->items.task == HG_TASK_MULTILABEL && c->items.n_classes == 2);
  cr_expect_arr_eq(c->items.label_bits, bits, sizeof bits);
  cr_expect_arr_eq(c->items.split, split, sizeof split);
  hg_imported_free(&made);
}

Test(import_ogb, a_collection_that_does_not_fit_is_refused)
{
  static const struct {
    const char *file, *content, *message;
  } cases[] = {
      {"raw/num-node-list.csv.gz", "2\n0\n3\n", "raw/num-node-list.csv.gz: graph 1: found 0, expected 1 to 2147483647"},
      {"raw/num-node-list.csv.gz", "2\n2147483647\n3\n", "found 2147483652 nodes, expected 0 to 2147483646"},
      {"raw/num-edge-list.csv.gz", "1\n-1\n2\n", "num-edge-list.csv.gz: graph 1: found -1, expected 0 to 2147483647"},
      {"raw/num-edge-list.csv.gz", "1\n0\n3\n", "raw/edge.csv.gz: found 3 edges, expected 4 (num-edge-list)"},
      {"raw/num-edge-list.csv.gz", "1\n0\n1\n", "line 3: found more than the 2 edges of num-edge-list"},
      {"raw/num-edge-list.csv.gz", "0\n1\n2\n", "line 1: found node 1 in graph 1, expected 0 to 0"},
      {"raw/edge.csv.gz", "0,1\n0,1\n2,-1\n", "line 3: found node -1 in graph 2, expected 0 to 2"},
      {"raw/node-feat.csv.gz", "1\n2\n3\n4\n5\n", "found 5 rows, expected 6"},
      {"raw/graph-label.csv.gz", "1\n2\n", "found 2 rows, expected 3"},
      {"raw/graph-label.csv.gz", "1\n2\n-3\n", "graph-label.csv.gz: graph 2: found label -3"},
      {"split/time/valid.csv.gz", "3\n", "valid.csv.gz: entry 0: found graph 3, expected 0 to 2"},
  };
  for (size_t k = 0; k < sizeof cases / sizeof *cases; k++) {
    hg_import_options options = hg_import_default();
    options.task = strstr(cases[k].message, "label -3") ? HG_TASK_CLASSES : HG_TASK_NONE;
    make_ogb_collection();
    gz_file(cases[k].file, cases[k].content);
    expect_failure("ogb", options, cases[k].message);
  }
}

static const char graphbolt_head[] =
    "dataset_name: tiny\ngraph:\n  nodes:\n    - num: 4\n  edges:\n    - format: numpy\n      path: edges.npy\n";
static const char graphbolt_tail[] =
    "feature_data:\n  - {domain: edge, name: weight, format: numpy, path: none.npy}\n"
    "  - {domain: node, type: null, name: feat, format: numpy, in_memory: true, path: feat.npy}\n"
    "tasks:\n  - name: node_classification\n    num_classes: 5\n"
    "    train_set:\n      - type: null\n        data:\n          - {name: seeds, format: numpy, path: train.npy}\n"
    "          - {name: labels, format: numpy, path: train_labels.npy}\n"
    "    validation_set:\n      - data:\n          - {name: seed_nodes, format: csv, path: val.csv}\n"
    "          - {name: labels, format: csv, path: val_labels.csv}\n";

static void make_graphbolt(const char *edges_shape, const int64_t *edges)
{
  char text[2048];
  const float x[] = {1, 2, 3, 4};
  const int64_t train[] = {2, 0}, labels[] = {3, 1};
  snprintf(text, sizeof text, "%s%s", graphbolt_head, graphbolt_tail);
  write_text(path_in(folder, "metadata.yaml"), text);
  make_npy(path_in(folder, "edges.npy"), 1, (npz_array){"e", "<i8", edges_shape, edges, 6 * sizeof *edges});
  make_npy(path_in(folder, "feat.npy"), 1, (npz_array){"x", "<f4", "(4, 1)", x, sizeof x});
  make_npy(path_in(folder, "train.npy"), 1, (npz_array){"t", "<i8", "(2,)", train, sizeof train});
  make_npy(path_in(folder, "train_labels.npy"), 1, (npz_array){"l", "<i8", "(2,)", labels, sizeof labels});
  write_text(path_in(folder, "val.csv"), "1\n");
  write_text(path_in(folder, "val_labels.csv"), "0\n");
}

Test(import_graphbolt, edges_are_the_same_in_each_order)
{
  static const int64_t halves[] = {0, 1, 2, 1, 2, 0}, pairs[] = {0, 1, 1, 2, 2, 0};
  static const struct {
    const char *shape;
    const int64_t *edges;
  } orders[] = {{"(2, 3)", halves}, {"F(2, 3)", pairs}, {"(3, 2)", pairs}, {"F(3, 2)", halves}};
  for (size_t k = 0; k < sizeof orders / sizeof *orders; k++) {
    hg_graph g;
    make_graphbolt(orders[k].shape, orders[k].edges);
    cr_assert_eq(import("graphbolt", hg_import_default(), &g), HG_OK, "%s", hg_error_text());
    const hg_off indptr[] = {0, 1, 2, 3, 3};
    const hg_lid indices[] = {2, 0, 1};
    cr_expect_arr_eq(g.adjacency.indptr, indptr, sizeof indptr, "%s", orders[k].shape);
    cr_expect_arr_eq(g.adjacency.indices, indices, sizeof indices, "%s", orders[k].shape);
    hg_graph_free(&g);
  }
}

Test(import_graphbolt, features_sets_and_labels_are_read)
{
  static const int64_t edges[] = {0, 1, 2, 1, 2, 0};
  hg_graph g;
  make_graphbolt("(2, 3)", edges);
  cr_assert_eq(import("graphbolt", hg_import_default(), &g), HG_OK, "%s", hg_error_text());
  const int32_t labels[] = {1, 0, 3, -1};
  const uint8_t split[] = {HG_SPLIT_TRAIN, HG_SPLIT_VAL, HG_SPLIT_TRAIN, 0};
  cr_expect_eq(g.nodes.n_classes, 5, "as metadata.yaml says");
  cr_expect_eq(report.empty_classes, 2);
  cr_expect_arr_eq(g.nodes.labels, labels, sizeof labels);
  cr_expect_arr_eq(g.nodes.split, split, sizeof split);
  cr_expect(g.nodes.features.width == 1 && g.nodes.features.dense[3] == 4);
  hg_graph_free(&g);
}

Test(import_graphbolt, what_does_not_fit_is_refused)
{
  static const int64_t edges[] = {0, 1, 2, 1, 2, 0}, beyond[] = {0, 1, 2, 1, 4, 0}, few[] = {0, 1, 2};
  hg_import_options options = hg_import_default();
  const char *yaml = path_in(folder, "metadata.yaml");
  expect_failure("graphbolt", options, "metadata.yaml: cannot open: No such file or directory");
  write_text(yaml, "graph: [unclosed\n");
  expect_failure("graphbolt", options, "metadata.yaml: line 2: ");
  write_text(yaml, "");
  expect_failure("graphbolt", options, "found no key graph, expected a GraphBolt data set");
  write_text(yaml, "graph: {nodes: [{num: 3}, {num: 4}], edges: []}\n");
  expect_failure("graphbolt", options,
                 "metadata.yaml: line 1: found 2 types of nodes, expected one: heterogeneous graphs are not supported");
  write_text(yaml, "graph: {nodes: [{num: many}], edges: [{format: csv, path: e}]}\n");
  expect_failure("graphbolt", options, "metadata.yaml: line 1: num: found 'many', expected a number");
  write_text(yaml, "graph: {nodes: [{num: 9000000000}], edges: [{format: csv, path: e}]}\n");
  expect_failure("graphbolt", options, "found 9000000000 nodes, expected 0 to 2147483646");
  write_text(yaml, "graph: {nodes: [{num: 3}], edges: [{format: torch, path: e}]}\n");
  expect_failure("graphbolt", options, "found format 'torch', expected numpy or csv");
  make_graphbolt("(2, 3)", beyond);
  expect_failure("graphbolt", options, "edges.npy: found edge 1 -> 4, expected nodes 0 to 3");
  make_graphbolt("(6,)", edges);
  expect_failure("graphbolt", options, "edges.npy: found i8[6], expected edges as [2, E]");
  make_graphbolt("(2, 3)", edges);
  make_npy(path_in(folder, "train_labels.npy"), 1, (npz_array){"l", "<i8", "(3,)", few, sizeof few});
  expect_failure("graphbolt", options, "train_labels.npy: found i8[3], expected 2 rows");
  make_npy(path_in(folder, "train_labels.npy"), 1, (npz_array){"l", "<i8", "(2,)", (int64_t[]){7, 1}, 16});
  expect_failure("graphbolt", options, "num_classes: found 5, expected at least 8 (the largest label and 1)");
  options.scheme = "link_prediction";
  expect_failure("graphbolt", options, "found no task 'link_prediction'");
}
