#include <criterion/criterion.h>
#include <hdf5.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "tests/support/run.h"
#include "tests/support/sample_graph.h"

static char *folder;

static void make_folder(void) { folder = temporary_folder(); }
static void remove_folder(void) { temporary_folder_remove(&folder); }

TestSuite(info, .init = make_folder, .fini = remove_folder);

static json_t *info_json(const char *path)
{
  run_result result = run_program(20, HALOGNN, "info", "--json", path, NULL);
  cr_assert_eq(result.status, 0, "%s", result.err);
  json_error_t error;
  json_t *object = json_loads(result.out, 0, &error);
  cr_assert(object, "%s: %s", error.text, result.out);
  run_free(&result);
  return object;
}

static json_int_t number(const json_t *object, const char *key)
{
  json_t *value = json_object_get(object, key);
  cr_assert(json_is_integer(value), "%s is missing", key);
  return json_integer_value(value);
}

static const char *text(const json_t *object, const char *key)
{
  const char *value = json_string_value(json_object_get(object, key));
  cr_assert(value, "%s is missing", key);
  return value;
}

Test(info, json_counts_what_the_graph_holds)
{
  const char *path = path_in(folder, "graph.hg");
  sample what = sample_default(21);
  what.sparse_features = true;
  hg_graph graph = sample_graph(what);
  cr_assert_eq(hg_store_write_graph(path, &graph, "test of info"), HG_OK, "%s", hg_error_text());
  json_t *object = info_json(path), *split = json_object_get(object, "split"),
         *features = json_object_get(object, "features");
  hg_off counts[HG_SPLIT_COUNT] = {0}, unlabelled = 0, highest = 0;
  for (int i = 0; i < 60; i++) {
    hg_off degree = graph.adjacency.indptr[i + 1] - graph.adjacency.indptr[i];
    counts[graph.nodes.split[i]]++;
    unlabelled += graph.nodes.labels[i] < 0;
    highest = degree > highest ? degree : highest;
  }
  cr_expect_str_eq(text(object, "kind"), "graph");
  cr_expect_eq(number(object, "nodes"), 60);
  cr_expect_eq(number(object, "edges"), graph.adjacency.indptr[60]);
  cr_expect(json_is_true(json_object_get(object, "symmetric")));
  cr_expect_str_eq(text(features, "kind"), "sparse");
  cr_expect_eq(number(features, "width"), 5);
  cr_expect_eq(number(features, "entries"), graph.nodes.features.indptr[60]);
  cr_expect_str_eq(text(object, "task"), "classes");
  cr_expect_eq(number(object, "classes"), 4);
  cr_expect_eq(number(object, "unlabelled"), unlabelled);
  cr_expect_eq(number(object, "dimensions"), 2);
  cr_expect_eq(number(split, "train"), counts[HG_SPLIT_TRAIN]);
  cr_expect_eq(number(split, "val"), counts[HG_SPLIT_VAL]);
  cr_expect_eq(number(split, "test"), counts[HG_SPLIT_TEST]);
  cr_expect_eq(number(json_object_get(object, "degree"), "max"), highest);
  cr_expect_str_eq(text(object, "creator"), "test of info");
  json_decref(object);
  hg_graph_free(&graph);
}

Test(info, isolated_nodes_have_no_edge_in_either_direction)
{
  const char *path = path_in(folder, "graph.hg");
  sample what = sample_default(22);
  what.directed = true, what.density = 0.01;
  hg_graph graph = sample_graph(what);
  bool joined[60] = {false};
  int isolated = 0;
  for (int i = 0; i < 60; i++) {
    for (hg_off e = graph.adjacency.indptr[i]; e < graph.adjacency.indptr[i + 1]; e++)
      joined[i] = joined[graph.adjacency.indices[e]] = true;
  }
  for (int i = 0; i < 60; i++) isolated += !joined[i];
  cr_assert_gt(isolated, 0);
  cr_assert_eq(hg_store_write_graph(path, &graph, "test"), HG_OK);
  json_t *object = info_json(path);
  cr_expect_eq(number(object, "isolated"), isolated);
  cr_expect(json_is_false(json_object_get(object, "symmetric")));
  json_decref(object);
  hg_graph_free(&graph);
}

Test(info, parts_show_their_quality_and_each_part)
{
  const char *path = path_in(folder, "parts.hg");
  hg_graph graph = sample_graph(sample_default(23));
  hg_parts_index index = sample_parts(&graph, 3);
  cr_assert_eq(hg_store_write_parts(path, &graph, &index, "test"), HG_OK);
  json_t *object = info_json(path), *parts = json_object_get(object, "parts");
  cr_expect_str_eq(text(object, "kind"), "parts");
  cr_expect_eq(number(parts, "count"), 3);
  cr_expect_eq(number(json_object_get(parts, "quality"), "edge_cut"), 17);
  for (size_t p = 0; p < 3; p++) {
    cr_expect_eq(json_integer_value(json_array_get(json_object_get(parts, "nodes"), p)), 20);
    cr_expect_eq(json_integer_value(json_array_get(json_object_get(parts, "halo"), p)),
                 index.halo_offsets[p + 1] - index.halo_offsets[p]);
  }
  json_decref(object);
  run_result result = run_program(20, HALOGNN, "info", path, NULL);
  cr_expect_eq(result.status, 0);
  cr_expect(strstr(result.out, "edge_cut             17\n"), "%s", result.out);
  cr_expect(strstr(result.out, "recipe               block k=3\n"), "%s", result.out);
  run_free(&result);
  hg_parts_index_free(&index), hg_graph_free(&graph);
}

Test(info, a_person_gets_aligned_lines)
{
  const char *path = path_in(folder, "made.hg");
  run_result result = run_program(30, HALOGNN, "generate", "grid", "--nodes", "100", "--classes", "3", "--features",
                                  "0", "-o", path, NULL);
  cr_assert_eq(result.status, 0, "%s", result.err);
  cr_expect(strstr(result.out, "100 nodes, 360 edges"), "%s", result.out);
  run_free(&result);
  result = run_program(20, HALOGNN, "info", path, NULL);
  cr_expect_eq(result.status, 0);
  const char *lines[] = {"kind                 graph, ",
                         "nodes                100\n",
                         "edges                360, symmetric (both directions counted)\n",
                         "degree               min 2, mean 3.60, max 4\n",
                         "isolated nodes       0\n",
                         "features             none\n",
                         "task                 classes, 3 classes\n",
                         "unlabelled nodes     0\n",
                         "split                50 train, 25 validation, 25 test, 0 in none\n",
                         "positions            2 dimensions\n",
                         "made by              generate grid "};
  for (size_t k = 0; k < sizeof lines / sizeof *lines; k++)
    cr_expect(strstr(result.out, lines[k]), "no line '%s' in\n%s", lines[k], result.out);
  cr_expect_str_eq(result.err, "");
  run_free(&result);
}

Test(info, a_checkpoint_shows_its_attributes_and_shapes)
{
  const char *path = path_in(folder, "checkpoint.hg");
  hid_t file = H5Fcreate(path, H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT), type = H5Tcopy(H5T_C_S1),
        scalar = H5Screate(H5S_SCALAR);
  H5Tset_size(type, H5T_VARIABLE); // as h5py writes text
  const char *format = "checkpoint";
  hid_t text_id = H5Acreate2(file, "halognn_format", type, scalar, H5P_DEFAULT, H5P_DEFAULT);
  cr_assert_geq(H5Awrite(text_id, type, &format), 0);
  hid_t epoch = H5Acreate2(file, "epoch", H5T_NATIVE_INT, scalar, H5P_DEFAULT, H5P_DEFAULT);
  cr_assert_geq(H5Awrite(epoch, H5T_NATIVE_INT, &(int){42}), 0);
  hid_t space = H5Screate_simple(2, (hsize_t[]){16, 7}, NULL);
  hid_t set = H5Dcreate2(file, "weights", H5T_NATIVE_FLOAT, space, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
  H5Dclose(set), H5Sclose(space), H5Aclose(epoch), H5Aclose(text_id), H5Sclose(scalar), H5Tclose(type), H5Fclose(file);
  json_t *object = info_json(path);
  cr_expect_str_eq(text(object, "kind"), "checkpoint");
  cr_expect_str_eq(text(json_object_get(object, "attributes"), "/ epoch"), "42");
  cr_expect_str_eq(text(json_object_get(object, "datasets"), "/weights"), "float32 16 x 7");
  json_decref(object);
  run_result result = run_program(20, HALOGNN, "info", path, NULL);
  cr_expect_eq(result.status, 0, "%s", result.err);
  cr_expect(strstr(result.out, "/weights             float32 16 x 7\n"), "%s", result.out);
  run_free(&result);
}

Test(info, a_graph_of_no_nodes_is_a_graph)
{
  const char *path = path_in(folder, "none.hg");
  sample what = sample_default(24);
  what.n = 0;
  hg_graph graph = sample_graph(what);
  cr_assert_eq(hg_store_write_graph(path, &graph, "test"), HG_OK, "%s", hg_error_text());
  json_t *object = info_json(path);
  cr_expect_eq(number(object, "nodes"), 0);
  cr_expect_eq(number(json_object_get(object, "degree"), "max"), 0);
  json_decref(object);
  hg_graph_free(&graph);
}

Test(info, generating_the_same_twice_makes_the_same_file)
{
  const char *one = path_in(folder, "one.hg"), *two = path_in(folder, "two.hg");
  const char *paths[] = {one, two};
  for (int k = 0; k < 2; k++) {
    run_result result =
        run_program(30, HALOGNN, "generate", "csbm", "--nodes", "500", "--seed", "7", "-o", paths[k], NULL);
    cr_assert_eq(result.status, 0, "%s", result.err);
    run_free(&result);
  }
  run_result result = run_program(10, "cmp", one, two, NULL);
  cr_expect_eq(result.status, 0, "%s", result.out);
  run_free(&result);
}

Test(info, wrong_use_of_generate_and_info_is_explained)
{
  static const struct {
    const char *words[6];
    const char *message;
  } cases[] = {
      {{"info"}, "expected a FILE"},
      {{"info", "a.hg", "b.hg"}, "found a second FILE, 'b.hg'"},
      {{"generate"}, "expected a KIND of graph"},
      {{"generate", "csbm"}, "expected -o GRAPH.hg"},
      {{"generate", "cbsm", "-o", "x.hg"}, "did you mean 'csbm'?"},
      {{"generate", "csbm", "--nodes=many", "-o", "x.hg"}, "--nodes: found 'many', expected a whole number"},
      {{"generate", "csbm", "--nodes=-1", "-o", "x.hg"}, "--nodes is -1, expected 1 to "},
      {{"generate", "csbm", "--classes=1e30", "-o", "x.hg"}, "--classes: found '1e30', expected"},
      {{"generate", "csbm", "--seed=-3", "-o", "x.hg"}, "--seed: found '-3', expected a whole number from 0 up"},
      {{"generate", "csbm", "--degree=nan", "-o", "x.hg"}, "--degree: found 'nan', expected a number"},
      {{"generate", "csbm", "-o", "none/x.hg"}, "none/x.hg: cannot write in the folder none"},
  };
  for (size_t k = 0; k < sizeof cases / sizeof *cases; k++) {
    const char *argv[8] = {HALOGNN};
    for (int w = 0; w < 6; w++) argv[w + 1] = cases[k].words[w];
    run_result result = run_in(folder, 20, argv);
    cr_expect_eq(result.status, 2, "%s: status %d", run_command_line(argv), result.status);
    cr_expect(strstr(result.err, cases[k].message), "%s: found '%s', expected '%s'", run_command_line(argv), result.err,
              cases[k].message);
    cr_expect_str_eq(result.out, "");
    run_free(&result);
  }
  run_result result = run_program(10, "ls", folder, NULL);
  cr_expect_str_eq(result.out, "", "files were left: %s", result.out);
  run_free(&result);
}
