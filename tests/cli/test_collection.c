#include <criterion/criterion.h>
#include <jansson.h>
#include <math.h>
#include <string.h>

#include "core/base/files.h"
#include "core/graph/store.h"
#include "tests/support/make_npz.h"
#include "tests/support/run.h"
#include "tests/support/sample_collection.h"
#include "tests/support/spoil_h5.h"

// Many small graphs through the built program: import, info, and what is refused.
enum { LIMIT_S = 60 };

static char *folder;

static void make_folder(void) { folder = temporary_folder(); }
static void remove_folder(void) { temporary_folder_remove(&folder); }

TestSuite(cli_collection, .init = make_folder, .fini = remove_folder, .timeout = 120);

static void expect_output(run_result r, const char *out)
{
  cr_expect_eq(r.status, 0, "status %d: %s", r.status, r.err);
  cr_expect_str_eq(r.out, out);
  cr_expect_str_empty(r.err);
  run_free(&r);
}

// Status 2 and one line on standard error
static void expect_refused(run_result r, const char *message)
{
  const char *end = strchr(r.err, '\n');
  cr_expect_eq(r.status, 2, "status %d: %s", r.status, r.err);
  cr_expect_str_empty(r.out);
  cr_expect(end && end[1] == '\0', "expected one line: %s", r.err);
  cr_expect(strstr(r.err, message), "found '%s', expected '%s'", r.err, message);
  run_free(&r);
}

static run_result import(const char *input, const char *output, const char *option, const char *value)
{
  return run_program(LIMIT_S, HALOGNN, "import", "npz", input, "-o", output, option, value, NULL);
}

Test(cli_collection, the_data_sets_are_imported_and_described)
{
  const char *path = path_in(folder, "c.hg");
  expect_output(import(shared_data("mnist_superpixels.npz"), path, NULL, NULL),
                "mnist_superpixels.npz: 12000 graphs, 876402 nodes, 3651354 edges (symmetric), 0 self-loops dropped, 0 "
                "duplicates dropped, 0 isolated, 0 unlabelled, 10 classes, 1 dense features, 2-D positions, split "
                "9000/1000/2000\n");
  expect_output(import(shared_data("bbbp.npz"), path, NULL, NULL),
                "bbbp.npz: 2038 graphs, 49044 nodes, 105786 edges (symmetric), 0 self-loops dropped, 0 duplicates "
                "dropped, 140 isolated, 0 unlabelled, 2 classes, 25 dense features, 3-D positions, split "
                "1630/204/204\n");
  expect_output(import(shared_data("esol.npz"), path, "--split", "random"),
                "esol.npz: 1128 graphs, 14991 nodes, 30856 edges (symmetric), 0 self-loops dropped, 0 duplicates "
                "dropped, 1 isolated, 0 unlabelled, 1 target a graph, 25 dense features, 3-D positions, split "
                "677/226/225\n");
  run_result r = run_program(LIMIT_S, HALOGNN, "info", path, NULL);
  const char *lines[] = {
      "kind                 collection, 1.9 MiB\n",
      "graphs               1128\n",
      "nodes                14991; a graph: min 1, mean 13.29, max 55\n",
      "edges                30856, symmetric (both directions counted); a graph: min 0, mean 27.35, max 124\n",
      "degree               min 0, mean 2.06, max 4\n",
      "isolated nodes       1\n",
      "features             dense, width 25\n",
      "task                 regression, 1 targets\n",
      "unlabelled graphs    0\n",
      "split                677 train, 226 validation, 225 test, 0 in none\n",
      "positions            3 dimensions\n",
      "made by              import npz ",
  };
  for (size_t k = 0; k < sizeof lines / sizeof *lines; k++)
    cr_expect(strstr(r.out, lines[k]), "'%s' is not in\n%s", lines[k], r.out);
  run_free(&r);
}

static double number(const json_t *object, const char *outer, const char *key)
{
  const json_t *value = json_object_get(outer ? json_object_get(object, outer) : object, key);
  cr_assert(json_is_number(value), "%s is missing", key);
  return json_number_value(value);
}

Test(cli_collection, json_counts_what_the_collection_holds)
{
  const char *path = path_in(folder, "c.hg");
  hg_collection c;
  cr_assert_eq(sample_collection(&c, 23, 5, 3, HG_TASK_REGRESSION, 1, 12), HG_OK);
  sample_collection_direct(&c, 12);
  c.items.targets[4] = NAN;
  cr_assert_eq(hg_store_write_collection(path, &c, "a test"), HG_OK);
  hg_off smallest = INT64_MAX, largest = 0, most_edges = 0, train = 0;
  const hg_off *indptr = c.united.adjacency.indptr;
  for (int g = 0; g < 23; g++) {
    hg_off n = c.graph_ptr[g + 1] - c.graph_ptr[g], m = indptr[c.graph_ptr[g + 1]] - indptr[c.graph_ptr[g]];
    smallest = n < smallest ? n : smallest, largest = n > largest ? n : largest;
    most_edges = m > most_edges ? m : most_edges;
    train += c.items.split[g] == HG_SPLIT_TRAIN;
  }
  run_result r = run_program(LIMIT_S, HALOGNN, "info", "--json", path, NULL);
  json_t *object = json_loads(r.out, 0, NULL);
  cr_assert(object, "%s%s", r.out, r.err);
  cr_expect_str_eq(json_string_value(json_object_get(object, "kind")), "collection");
  cr_expect_str_eq(json_string_value(json_object_get(object, "task")), "regression");
  cr_expect_str_eq(json_string_value(json_object_get(object, "creator")), "a test");
  cr_expect(json_is_false(json_object_get(object, "symmetric")));
  cr_expect_eq(number(object, NULL, "graphs"), 23);
  cr_expect_eq(number(object, NULL, "nodes"), (double)c.united.nodes.n);
  cr_expect_eq(number(object, NULL, "edges"), (double)hg_csr_entries(&c.united.adjacency));
  cr_expect_eq(number(object, NULL, "dimensions"), 3);
  cr_expect_eq(number(object, NULL, "unlabelled"), 1);
  cr_expect_eq(number(object, "features", "width"), 5);
  cr_expect_eq(number(object, "split", "train"), (double)train);
  cr_expect_eq(number(object, "nodes_per_graph", "min"), (double)smallest);
  cr_expect_eq(number(object, "nodes_per_graph", "max"), (double)largest);
  cr_expect_float_eq(number(object, "nodes_per_graph", "mean"), (double)c.united.nodes.n / 23, 1e-12);
  cr_expect_eq(number(object, "edges_per_graph", "min"), 0);
  cr_expect_eq(number(object, "edges_per_graph", "max"), (double)most_edges);
  json_decref(object);
  run_free(&r);
  hg_collection_free(&c);
}

Test(cli_collection, there_is_nothing_to_partition)
{
  const char *path = path_in(folder, "c.hg"), *parts = path_in(folder, "p.hg"),
             *message = "c.hg: holds many graphs, which are given to the ranks as a whole: nothing to partition";
  hg_collection c;
  cr_assert_eq(sample_collection(&c, 5, 1, 2, HG_TASK_CLASSES, 2, 1), HG_OK);
  cr_assert_eq(hg_store_write_collection(path, &c, "test"), HG_OK);
  expect_refused(run_program(LIMIT_S, HALOGNN, "partition", path, "-k", "2", "-o", parts, NULL), message);
  expect_refused(run_program(LIMIT_S, HALOGNN, "partition", path, "-k", "2", "--dry-run", NULL), message);
  expect_refused(run_program(LIMIT_S, HALOGNN, "partition", path, "-k", "2", NULL), message);
  cr_expect_not(hg_file_exists(parts));
  hg_collection_free(&c);
}

Test(cli_collection, positions_that_are_no_numbers_are_named_and_nothing_is_written)
{
  const char *input = path_in(folder, "bad.npz"), *output = path_in(folder, "c.hg");
  const float pos[12] = {0, 0, 1, 0, 0, 1, 5, 5, 2, 2, NAN, 3};
  const npz_array changes[] = {{"pos", "<f4", "(6, 2)", pos, sizeof pos}, {0}};
  make_tiny_collection_npz(input, true, changes);
  expect_refused(import(input, output, NULL, NULL),
                 "bad.npz: pos: graph 2, node 1, column 0: found nan, expected a finite number");
  make_tiny_collection_npz(input, true, NULL);
  expect_refused(import(input, output, "--split", "planetoid --num-val"), "--split: found 'planetoid --num-val'");
  expect_refused(import(input, output, "--task", "multilabel"), "y: graph 2, label 0: found 2, expected 0 or 1");
  cr_expect_not(hg_file_exists(output));
}

static void pointers_fall(hid_t file) { h5_poke_long(file, "/graph_ptr", 2, 0); }

Test(cli_collection, a_damaged_file_is_refused)
{
  const char *path = path_in(folder, "c.hg");
  hg_collection c;
  cr_assert_eq(sample_collection(&c, 5, 1, 2, HG_TASK_CLASSES, 2, 1), HG_OK);
  cr_assert_eq(hg_store_write_collection(path, &c, "test"), HG_OK);
  h5_spoil(path, pointers_fall);
  expect_refused(run_program(LIMIT_S, HALOGNN, "info", path, NULL), "c.hg: graph 1: ends at node 0 and starts at ");
  hg_collection_free(&c);
}
