#include <criterion/criterion.h>
#include <criterion/parameterized.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "core/base/alloc.h"
#include "core/base/rng.h"
#include "core/graph/import.h"
#include "core/graph/split.h"
#include "tests/support/make_npz.h"
#include "tests/support/run.h"

static char *folder;

static void open_folder(void) { folder = temporary_folder(); }
static void close_folder(void) { temporary_folder_remove(&folder); }

TestSuite(import_collection, .init = open_folder, .fini = close_folder);

static hg_import_report report;

static hg_status import(const char *path, hg_import_options options, hg_imported *made)
{
  const hg_import_format *format;
  cr_assert_eq(hg_import_find("npz", &format), HG_OK);
  return hg_import_read(made, format, path, &options, &report);
}

static hg_collection import_tiny(const npz_array *changes, hg_import_options options)
{
  const char *path = path_in(folder, "tiny.npz");
  hg_imported made = {0};
  make_tiny_collection_npz(path, true, changes);
  cr_assert_eq(import(path, options, &made), HG_OK, "%s", hg_error_text());
  cr_assert(made.is_collection);
  return made.collection;
}

static void expect_edges(const hg_collection *c, const hg_off *indptr, const hg_lid *indices)
{
  size_t n = (size_t)c->united.nodes.n;
  cr_expect_eq(memcmp(c->united.adjacency.indptr, indptr, (n + 1) * sizeof *indptr), 0, "row pointers");
  cr_assert_eq(hg_csr_entries(&c->united.adjacency), indptr[n]);
  cr_expect_eq(memcmp(c->united.adjacency.indices, indices, (size_t)indptr[n] * sizeof *indices), 0, "columns");
}

// 0 -> 1, 1 -> 0, 1 -> 2 of graph 0 and 0 -> 1 of graph 2, whose nodes are 4 and 5
static const hg_off tiny_indptr[] = {0, 1, 2, 3, 3, 3, 4};
static const hg_lid tiny_indices[] = {1, 0, 1, 4};

Test(import_collection, rows_list_the_in_neighbours_of_the_united_graph)
{
  hg_collection c = import_tiny(NULL, hg_import_default());
  const hg_off ptr[] = {0, 3, 4, 6};
  cr_expect_eq(c.n_graphs, 3);
  cr_expect_arr_eq(c.graph_ptr, ptr, sizeof ptr);
  expect_edges(&c, tiny_indptr, tiny_indices);
  cr_expect(!c.united.symmetric);
  cr_expect_eq(report.build.isolated, 1);
  cr_expect_null(c.united.nodes.original_ids);
  hg_collection_free(&c);
}

Test(import_collection, features_positions_labels_and_split_are_kept)
{
  hg_collection c = import_tiny(NULL, hg_import_default());
  const int32_t labels[] = {1, 0, 2};
  const uint8_t split[] = {HG_SPLIT_TRAIN, HG_SPLIT_TEST, HG_SPLIT_VAL};
  cr_expect_eq(c.united.nodes.features.width, 2);
  cr_expect_eq(c.united.nodes.n_dims, 2);
  for (int e = 0; e < 12; e++) cr_expect(c.united.nodes.features.dense[e] == 0.5F * (float)e);
  cr_expect(c.united.nodes.positions[7] == 5 && c.united.nodes.positions[11] == 3);
  cr_expect(c.items.task == HG_TASK_CLASSES && c.items.n_classes == 3 && c.items.n == 3);
  cr_expect_arr_eq(c.items.labels, labels, sizeof labels);
  cr_expect_arr_eq(c.items.split, split, sizeof split);
  for (int g = 0; g < 3; g++) cr_expect_eq(c.items.original_ids[g], g);
  hg_collection_free(&c);
}

Test(import_collection, graph_ptr_and_labels_are_other_names)
{
  const int32_t ptr[] = {0, 3, 4, 6};
  const uint8_t labels[] = {1, 0, 2};
  const npz_array changes[] = {{"node_ptr", NULL, NULL, NULL, 0},
                               {"graph_ptr", "<i4", "(4,)", ptr, sizeof ptr},
                               {"y", NULL, NULL, NULL, 0},
                               {"labels", "|u1", "(3,)", labels, sizeof labels},
                               {0}};
  hg_collection c = import_tiny(changes, hg_import_default());
  expect_edges(&c, tiny_indptr, tiny_indices);
  cr_expect_eq(c.items.n_classes, 3);
  hg_collection_free(&c);
}

// numpy.array(pairs).T is saved columns first.
Test(import_collection, a_transposed_list_of_pairs_is_read)
{
  const int32_t pairs[] = {0, 1, 1, 0, 1, 2, 0, 1};
  const npz_array changes[] = {{"edge_index", "<i4", "F(2, 4)", pairs, sizeof pairs}, {0}};
  hg_collection c = import_tiny(changes, hg_import_default());
  expect_edges(&c, tiny_indptr, tiny_indices);
  hg_collection_free(&c);
}

Test(import_collection, duplicates_and_self_loops_are_dropped_and_counted)
{
  const int64_t ends[] = {0, 0, 1, 1, /**/ 1, 1, 1, 0};
  const int64_t ptr[] = {0, 3, 3, 4};
  const npz_array changes[] = {
      {"edge_index", "<i8", "(2, 4)", ends, sizeof ends}, {"edge_ptr", "<i8", "(4,)", ptr, sizeof ptr}, {0}};
  hg_collection c = import_tiny(changes, hg_import_default());
  expect_edges(&c, (const hg_off[]){0, 0, 1, 1, 1, 2, 2}, (const hg_lid[]){0, 5});
  cr_expect_eq(report.build.duplicates, 1);
  cr_expect_eq(report.build.self_loops, 1);
  cr_expect_eq(report.build.isolated, 2);
  hg_collection_free(&c);
}

Test(import_collection, symmetrizing_adds_what_is_missing)
{
  hg_import_options options = hg_import_default();
  options.symmetrize = true;
  hg_collection c = import_tiny(NULL, options);
  expect_edges(&c, (const hg_off[]){0, 1, 3, 4, 4, 5, 6}, (const hg_lid[]){1, 0, 2, 1, 5, 4});
  cr_expect(c.united.symmetric);
  cr_expect_eq(report.build.reversed_added, 2);
  hg_collection_free(&c);
}

Test(import_collection, what_is_optional_may_be_missing)
{
  const int32_t text[] = {65, 66, 67};
  const npz_array changes[] = {{"x", NULL, NULL, NULL, 0},
                               {"pos", NULL, NULL, NULL, 0},
                               {"y", NULL, NULL, NULL, 0},
                               {"train_idx", NULL, NULL, NULL, 0},
                               {"val_idx", NULL, NULL, NULL, 0},
                               {"test_idx", NULL, NULL, NULL, 0},
                               {"other", "<U1", "(3,)", text, sizeof text},
                               {0}};
  hg_collection c = import_tiny(changes, hg_import_default());
  cr_expect(c.united.nodes.features.width == 0 && c.united.nodes.n_dims == 0);
  cr_expect(c.items.task == HG_TASK_NONE && !c.items.split);
  hg_collection_free(&c);
}

Test(import_collection, numbers_that_are_no_integers_are_targets)
{
  const float whole[] = {1, NAN, 3};
  const double many[] = {0, 1, 1, 1, 0, NAN};
  const npz_array targets[] = {{"y", "<f4", "(3,)", whole, sizeof whole}, {0}},
                  bits[] = {{"y", "<f8", "(3, 2)", many, sizeof many}, {0}};
  hg_import_options options = hg_import_default();
  hg_collection c = import_tiny(targets, options);
  cr_expect(c.items.task == HG_TASK_REGRESSION && c.items.n_classes == 1 && c.items.targets[2] == 3);
  cr_expect_eq(report.unlabelled, 1);
  hg_collection_free(&c);
  options.task = HG_TASK_CLASSES;
  c = import_tiny(targets, options);
  cr_expect(c.items.task == HG_TASK_CLASSES && c.items.n_classes == 4 && c.items.labels[1] == -1);
  hg_collection_free(&c);
  c = import_tiny(bits, hg_import_default());
  cr_expect(c.items.task == HG_TASK_MULTILABEL && c.items.n_classes == 2 && c.items.label_bits[1] == 3);
  hg_collection_free(&c);
}

Test(import_collection, splits_are_drawn_among_graphs)
{
  hg_collection c = import_tiny(NULL, hg_import_default());
  hg_split_options draw = hg_split_default();
  int in_split[HG_SPLIT_COUNT] = {0};
  draw.train_fraction = draw.val_fraction = 0.34;
  cr_assert_eq(hg_split_random(&c.items, &draw), HG_OK, "%s", hg_error_text());
  for (int g = 0; g < 3; g++) in_split[c.items.split[g]]++;
  cr_expect(in_split[HG_SPLIT_TRAIN] == 1 && in_split[HG_SPLIT_VAL] == 1 && in_split[HG_SPLIT_TEST] == 1);
  draw.train_per_class = 1;
  cr_assert_eq(hg_split_planetoid(&c.items, &draw), HG_OK, "%s", hg_error_text());
  for (int g = 0; g < 3; g++) cr_expect_eq(c.items.split[g], HG_SPLIT_TRAIN, "each class has one graph");
  hg_collection_free(&c);
}

#define ARRAY(type, ...) (const type[]){__VA_ARGS__}, sizeof((const type[]){__VA_ARGS__})

static const int8_t seventeen[6 * 17];

static const struct {
  npz_array change;
  const char *message;
} bad_arrays[] = {
    {{"edge_ptr", NULL, NULL, NULL, 0}, "found no array edge_ptr (the arrays are: node_ptr, "},
    {{"edge_index", NULL, NULL, NULL, 0}, "found no array edge_index"},
    {{"node_ptr", "<i8", "(0,)", ARRAY(int64_t, 0)}, "node_ptr: "},
    {{"node_ptr", "<i8", "(1,)", ARRAY(int64_t, 0)}, "node_ptr: found 1 elements, expected the graphs and 1"},
    {{"node_ptr", "<i8", "(4,)", ARRAY(int64_t, 1, 3, 4, 6)}, "node_ptr: found 1 first, expected 0"},
    {{"node_ptr", "<i8", "(4,)", ARRAY(int64_t, 0, 4, 3, 6)}, "node_ptr: falls from 4 to 3 at 2"},
    {{"node_ptr", "<i8", "(4,)", ARRAY(int64_t, 0, 3, 3, 6)}, "node_ptr: graph 1 is empty, expected at least one node"},
    {{"node_ptr", "<i8", "(4,)", ARRAY(int64_t, 0, 3, 4, 7)},
     "x: found 6 elements, expected 7 (rows: the nodes of all graphs)"},
    {{"node_ptr", "<i8", "(4,)", ARRAY(int64_t, 0, 3, 4, 1LL << 40)},
     "found 1099511627776 nodes, expected 0 to 2147483646"},
    {{"node_ptr", "<f4", "(4,)", ARRAY(float, 0, 3, 4, 6)}, "node_ptr: found f4[4], expected integers"},
    {{"node_ptr", "<i8", "(3,)", ARRAY(int64_t, 0, 3, 6)}, "edge_ptr: found 4 elements, expected 3 (the graphs and 1)"},
    {{"edge_ptr", "<i8", "(4,)", ARRAY(int64_t, 0, 3, 3, 5)}, "edge_ptr: found 5 last, expected 4 (the entries)"},
    {{"edge_ptr", "<i8", "(4,)", ARRAY(int64_t, 0, 3, 2, 4)}, "edge_ptr: falls from 3 to 2 at 2"},
    {{"edge_ptr", "<i8", "(4,)", ARRAY(int64_t, 0, -1, 3, 4)}, "edge_ptr: falls from 0 to -1 at 1"},
    {{"edge_ptr", "<i8", "(4,)", ARRAY(int64_t, 0, 2, 3, 4)},
     "edge_index: graph 1, edge 0: found node 1, expected 0 to 0 (numbers from 0 in each graph)"},
    {{"edge_index", "|u1", "(2, 4)", ARRAY(uint8_t, 0, 1, 1, 4, 1, 0, 2, 5)},
     "edge_index: graph 2, edge 0: found node 4, expected 0 to 1"},
    {{"edge_index", "|i1", "(2, 4)", ARRAY(int8_t, 0, 1, 1, 0, 1, 0, -2, 1)},
     "edge_index: graph 0, edge 2: found node -2, expected 0 to 2"},
    {{"edge_index", "|u1", "(4, 2)", ARRAY(uint8_t, 0, 1, 1, 0, 1, 2, 0, 1)},
     "edge_index: found u1[4, 2], expected 2 rows: the sources and the targets of the edges"},
    {{"edge_index", "|u1", "(8,)", ARRAY(uint8_t, 0, 1, 1, 0, 1, 2, 0, 1)}, "edge_index: found u1[8], expected 2 rows"},
    {{"edge_index", "<f4", "(2, 4)", ARRAY(float, 0, 1, 1, 0, 1, 0, 2, 1)},
     "edge_index: found f4[2, 4], expected integers"},
    {{"edge_index", "<i8", "(2, 4)", ARRAY(int64_t, 0, 1, 1, 0, 1, 0, 1LL << 33, 1)},
     "edge_index: element 6 does not fit in 32 bits"},
    {{"edge_index", "<i4", "(2, 500000000000)", ARRAY(int32_t, 1)}, "edge_index: the header claims "},
    {{"x", "<f4", "(6, 1)", ARRAY(float, 1, 2, 3, 4, NAN, 6)},
     "x: graph 2, node 0, column 0: found nan, expected a finite number"},
    {{"x", "<f4", "(5,)", ARRAY(float, 1, 2, 3, 4, 5)}, "x: found 5 elements, expected 6 (rows: the nodes of all"},
    {{"pos", "<f8", "(6, 2)", ARRAY(double, 0, 0, 1, 0, 0, 1, 5, -INFINITY, 2, 2, 3, 3)},
     "pos: graph 1, node 0, column 1: found -inf, expected a finite number"},
    {{"pos", "<f4", "(6, 0)", ARRAY(float, 0)}, "pos: "},
    {{"pos", "|i1", "(6, 17)", seventeen, sizeof seventeen}, "pos: found 17 coordinates, expected 1 to 16"},
    {{"y", "<i8", "(2,)", ARRAY(int64_t, 0, 1)}, "y: found i8[2], expected a row for each of 3 graphs"},
    {{"y", "<i8", "(3,)", ARRAY(int64_t, 0, 1, -2)}, "y: graph 2: found label -2, expected -1 (unknown)"},
    {{"y", "<f4", "(3,)", ARRAY(float, 0, INFINITY, 1)}, "y: graph 1: found an infinite target"},
    {{"y", "<U1", "(3,)", ARRAY(int32_t, 65, 66, 67)}, "y: found U1[3], expected integers"},
    {{"train_idx", "<i8", "(1,)", ARRAY(int64_t, 3)}, "train_idx: entry 0: found graph 3, expected 0 to 2"},
    {{"test_idx", "<i8", "(1,)", ARRAY(int64_t, 0)}, "test_idx: graph 0 is in train and in test"},
};

Test(import_collection, each_wrong_array_is_refused_with_its_reason)
{
  const char *path = path_in(folder, "bad.npz");
  for (size_t k = 0; k < sizeof bad_arrays / sizeof *bad_arrays; k++) {
    const npz_array changes[] = {bad_arrays[k].change, {0}};
    hg_imported made = {0};
    make_tiny_collection_npz(path, k % 2, changes);
    size_t before = hg_alloc_bytes();
    cr_expect_eq(import(path, hg_import_default(), &made), HG_ERR_INPUT, "%s", bad_arrays[k].message);
    cr_expect(strstr(hg_error_text(), "bad.npz: ") && strstr(hg_error_text(), bad_arrays[k].message),
              "found '%s', expected '%s'", hg_error_text(), bad_arrays[k].message);
    cr_expect_eq(hg_alloc_bytes(), before, "%s", bad_arrays[k].message);
    cr_expect_null(made.collection.graph_ptr, "the output was touched");
  }
}

enum { GRAPHS = 9, MOST_NODES = 6, MOST_EDGES = 20 };

// Lists of pairs with repetitions and loops, and which nodes of the whole they join
typedef struct {
  int32_t node_ptr[GRAPHS + 1], edge_ptr[GRAPHS + 1], ends[2][GRAPHS * MOST_EDGES];
  bool joined[GRAPHS * MOST_NODES][GRAPHS * MOST_NODES];
} lists;

static void make_lists(lists *l, uint64_t seed)
{
  const hg_rng rng = {.seed = seed, .stream = HG_STREAM_TEST};
  *l = (lists){0};
  for (int g = 0; g < GRAPHS; g++) {
    uint32_t w[4];
    hg_rng_words(rng, (uint64_t)g, 0, w);
    uint32_t n = 1 + w[0] % MOST_NODES, edges = w[1] % MOST_EDGES;
    int32_t first = l->node_ptr[g], at = l->edge_ptr[g];
    l->node_ptr[g + 1] = first + (int32_t)n;
    l->edge_ptr[g + 1] = at + (int32_t)edges;
    for (; at < l->edge_ptr[g + 1]; at++) {
      hg_rng_words(rng, (uint64_t)g, 1 + (uint32_t)at, w);
      int32_t from = l->ends[0][at] = (int32_t)(w[0] % n), to = l->ends[1][at] = (int32_t)(w[1] % n);
      if (from != to) l->joined[first + to][first + from] = true;
    }
  }
}

static void write_lists(const char *path, const lists *l)
{
  int32_t edges = l->edge_ptr[GRAPHS], flat[2 * GRAPHS * MOST_EDGES];
  size_t row = (size_t)edges * sizeof *flat;
  char shape[32];
  memcpy(flat, l->ends[0], row), memcpy(flat + edges, l->ends[1], row);
  snprintf(shape, sizeof shape, "(2, %d)", edges);
  const npz_array arrays[] = {{"node_ptr", "<i4", "(10,)", l->node_ptr, sizeof l->node_ptr},
                              {"edge_ptr", "<i4", "(10,)", l->edge_ptr, sizeof l->edge_ptr},
                              {"edge_index", "<i4", shape, flat, 2 * row},
                              {0}};
  make_npz(path, false, arrays);
}

Test(import_collection, random_collections_have_the_edges_of_their_lists)
{
  const char *path = path_in(folder, "random.npz");
  for (uint64_t seed = 0; seed < 30; seed++) {
    static lists l;
    hg_imported made = {0};
    make_lists(&l, seed);
    write_lists(path, &l);
    cr_assert_eq(import(path, hg_import_default(), &made), HG_OK, "seed %d: %s", (int)seed, hg_error_text());
    const hg_csr *a = &made.collection.united.adjacency;
    hg_off expected = 0;
    for (int i = 0; i < l.node_ptr[GRAPHS]; i++) {
      for (int j = 0; j < l.node_ptr[GRAPHS]; j++) expected += l.joined[i][j];
      for (hg_off e = a->indptr[i]; e < a->indptr[i + 1]; e++)
        cr_expect(l.joined[i][a->indices[e]], "seed %d: %d -> %d", (int)seed, a->indices[e], i);
    }
    cr_expect_eq(hg_csr_entries(a), expected, "seed %d", (int)seed);
    hg_imported_free(&made);
  }
}

// What the README of the data sets says of each file.
typedef struct {
  char file[40];
  int graphs, nodes, edges, classes, width, dims, split[3];
  hg_task task;
} known;

ParameterizedTestParameters(import_data, collections_have_the_counts_of_their_source)
{
  static known all[] = {
      {"mnist_superpixels.npz", 12000, 876402, 3651354, 10, 1, 2, {9000, 1000, 2000}, HG_TASK_CLASSES},
      {"esol.npz", 1128, 14991, 30856, 1, 25, 3, {902, 113, 113}, HG_TASK_REGRESSION},
      {"bbbp.npz", 2038, 49044, 105786, 2, 25, 3, {1630, 204, 204}, HG_TASK_CLASSES},
  };
  return cr_make_param_array(known, all, sizeof all / sizeof *all);
}

ParameterizedTest(known *k, import_data, collections_have_the_counts_of_their_source)
{
  hg_imported made = {0};
  int split[HG_SPLIT_COUNT] = {0};
  cr_assert_eq(import(shared_data(k->file), hg_import_default(), &made), HG_OK, "%s", hg_error_text());
  const hg_collection *c = &made.collection;
  for (hg_off g = 0; c->items.split && g < c->items.n; g++) split[c->items.split[g]]++;
  cr_expect_eq(c->n_graphs, k->graphs, "%s", k->file);
  cr_expect_eq(c->united.nodes.n, k->nodes, "%s", k->file);
  cr_expect_eq(hg_csr_entries(&c->united.adjacency), k->edges, "%s", k->file);
  cr_expect(c->united.symmetric, "%s", k->file);
  cr_expect_eq(c->items.task, k->task, "%s", k->file);
  cr_expect_eq(c->items.n_classes, k->classes, "%s", k->file);
  cr_expect_eq(c->united.nodes.features.width, k->width, "%s", k->file);
  cr_expect_eq(c->united.nodes.n_dims, k->dims, "%s", k->file);
  for (int s = 0; s < 3; s++) cr_expect_eq(split[s + 1], k->split[s], "%s: split %d has %d", k->file, s, split[s + 1]);
  hg_imported_free(&made);
}
