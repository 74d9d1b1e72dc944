#include <criterion/criterion.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "tests/cli/program.h"

// Images of the idx files through the built program.

static char *folder;

static void open_folder(void) { folder = temporary_folder(); }
static void close_folder(void) { temporary_folder_remove(&folder); }

TestSuite(import_images, .init = open_folder, .fini = close_folder);

static json_t *imported(const char *options)
{
  char words[5000];
  snprintf(words, sizeof words, "import mnist-idx %s --limit 20 -o digits.hg %s", shared_data("raw/mnist"), options);
  run_result r = expect_status(folder, 0, 0, words);
  cr_expect(strstr(r.out, "mnist: 40 graphs, "), "%s", r.out);
  cr_expect(strstr(r.out, "0 isolated, 0 unlabelled, 10 classes, 1 dense features, 2-D positions"), "%s", r.out);
  run_free(&r);
  r = expect_status(folder, 0, 0, "info --json digits.hg");
  json_error_t error;
  json_t *object = json_loads(r.out, 0, &error);
  cr_assert(object, "%s: %s", error.text, r.out);
  run_free(&r);
  return object;
}

static double number(const json_t *object, const char *group, const char *key)
{
  const json_t *value = json_object_get(group ? json_object_get(object, group) : object, key);
  cr_assert(json_is_number(value), "%s is missing", key);
  return json_number_value(value);
}

Test(import_images, digits_become_superpixels)
{
  json_t *object = imported("--validation 4");
  cr_expect_str_eq(json_string_value(json_object_get(object, "kind")), "collection");
  cr_expect_eq(number(object, NULL, "graphs"), 40);
  cr_expect_eq(number(object, NULL, "dimensions"), 2);
  cr_expect_eq(number(object, "features", "width"), 1);
  cr_expect_eq(number(object, "split", "train"), 16);
  cr_expect_eq(number(object, "split", "val"), 4);
  cr_expect_eq(number(object, "split", "test"), 20);
  double nodes = number(object, "nodes_per_graph", "mean"), edges = number(object, "edges_per_graph", "mean");
  cr_expect(nodes > 70 && nodes < 82, "%g nodes a graph, expected about 75", nodes);
  cr_expect(edges > 280 && edges < 340, "%g edges a graph, expected about 4 a node", edges);
  json_decref(object);
}

Test(import_images, digits_become_grids)
{
  json_t *object = imported("--graph grid --grid-neighbours 4");
  cr_expect_eq(number(object, NULL, "nodes"), 40 * 28 * 28);
  cr_expect_eq(number(object, NULL, "edges"), 40 * 4 * 27 * 28);
  const char *creator = json_string_value(json_object_get(object, "creator"));
  cr_expect(creator && strstr(creator, " --graph grid --grid-neighbours 4"), "%s", creator);
  json_decref(object);
}

Test(import_images, wrong_options_are_explained)
{
  static const char *const cases[][2] = {
      {"import npz x.npz -o x.hg --limit 3", "--limit goes with mnist-idx"},
      {"import mnist-idx . -o x.hg --graph gird", "did you mean 'grid'?"},
      {"import mnist-idx . -o x.hg --graph grid --compactness 1", "--compactness goes with --graph superpixels"},
      {"import mnist-idx . -o x.hg --grid-neighbours 4", "--grid-neighbours goes with --graph grid"},
      {"import mnist-idx . -o x.hg --graph grid --grid-neighbours 6", "found '6', expected one of 4, 8"},
      {"import mnist-idx . -o x.hg --superpixels 0", "--superpixels: found '0', expected"},
      {"import mnist-idx . -o x.hg --compactness 0", "--compactness: found '0', expected a number from 0.001 to 1000"},
      {"import mnist-idx . -o x.hg --compactness nan", "--compactness: found 'nan'"},
      {"import mnist-idx . -o x.hg --neighbours all", "--neighbours: found 'all', expected adjacency or"},
      {"import mnist-idx . -o x.hg --neighbours 1001", "--neighbours: found '1001'"},
      {"import mnist-idx . -o x.hg --limit 0", "--limit: found '0', expected a whole number from 1 up"},
      {"import mnist-idx . -o x.hg --validation -1", "--validation: found '-1', expected a whole number from 0 up"},
      {"import mnist-idx . -o x.hg --task regression", "--task: the labels of mnist-idx are classes"},
      {"import mnist-idx none -o x.hg", "none: found no train-images-idx3-ubyte, nor with .gz"},
  };
  for (size_t k = 0; k < sizeof cases / sizeof *cases; k++) expect_refusal(folder, 0, 2, cases[k][0], cases[k][1]);
}
