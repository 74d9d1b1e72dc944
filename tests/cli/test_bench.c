#include <criterion/criterion.h>
#include <math.h>
#include <string.h>

#include "tests/cli/program.h"

static char *folder;

static void make_folder(void) { folder = temporary_folder(); }
static void remove_folder(void) { temporary_folder_remove(&folder); }

TestSuite(cli_bench, .init = make_folder, .fini = remove_folder);

static json_t *rows_of(const run_result *result)
{
  json_error_t error;
  json_t *report = json_loads(result->out, 0, &error);
  cr_assert(report, "%s: %s", error.text, result->out);
  json_t *rows = json_object_get(report, "benchmarks");
  cr_assert(json_is_array(rows) && json_array_size(rows) > 0, "%s", result->out);
  json_incref(rows);
  json_decref(report);
  return rows;
}

static const json_t *row_called(const json_t *rows, const char *start)
{
  for (size_t k = 0; k < json_array_size(rows); k++) {
    const json_t *row = json_array_get(rows, k);
    if (strncmp(json_string_value(json_object_get(row, "name")), start, strlen(start)) == 0) return row;
  }
  cr_assert_fail("no line is called %s...", start);
  return NULL;
}

Test(cli_bench, kernels_are_chosen_by_name_and_stand_beside_a_floor)
{
  run_result graph =
      expect_status(folder, 1, 0, "generate csbm -o g.hg --nodes 300 --degree 5 --features 8 --classes 3");
  run_result result =
      expect_status(folder, 1, 0, "bench kernels --only spmm* --seconds 0 --json --threads 1 --graph g.hg");
  json_t *rows = rows_of(&result);
  for (size_t k = 0; k < json_array_size(rows); k++) {
    const json_t *row = json_array_get(rows, k);
    const char *name = json_string_value(json_object_get(row, "name"));
    cr_expect(strstr(name, "spmm") == name, "%s was not asked for", name);
    cr_expect_gt(number_of(row, "median_s"), 0, "%s", name);
    cr_expect_gt(number_of(row, "floor_s"), 0, "%s", name);
  }
  json_decref(rows);
  run_free(&result);
  run_free(&graph);
}

Test(cli_bench, an_epoch_is_the_sum_of_its_phases)
{
  run_result graph =
      expect_status(folder, 1, 0, "generate csbm -o g.hg --nodes 2000 --degree 9 --features 32 --classes 4");
  run_result config =
      expect_status(folder, 1, 0, "config " SOURCE_DIR "/configs/cora_gcn.yaml --set dataset.path=g.hg");
  run_result result = expect_status(folder, 1, 0,
                                    "bench epoch " SOURCE_DIR
                                    "/configs/cora_gcn.yaml --set dataset.path=g.hg --seconds 0 --json --threads 1");
  json_t *rows = rows_of(&result);
  cr_expect_gt(number_of(row_called(rows, "phases / epoch"), "rate"), 95, "%% of the epoch");
  const json_t *epoch = row_called(rows, "epoch, 1 rank");
  cr_expect_gt(number_of(epoch, "floor_s"), 0);
  cr_expect_gt(number_of(row_called(rows, "memory planned"), "rate"), 0);
  json_decref(rows);
  run_free(&result);
  run_free(&config);
  run_free(&graph);
}

Test(cli_bench, says_what_is_wrong)
{
  expect_refusal(folder, 1, 2, "bench kernel", "unknown benchmark 'kernel', did you mean 'kernels'?");
  expect_refusal(folder, 1, 2, "bench kernels --only nothing* --seconds 0",
                 "--only: no line's name contains 'nothing*'");
  expect_refusal(folder, 1, 2, "bench epoch --only x", "so it takes no --only");
  expect_refusal(folder, 1, 2, "bench kernels --set a=b", "--set overrides a key of a config, and none is given");
  expect_refusal(folder, 1, 2, "bench epoch none.yaml", "none.yaml: cannot open the config");
  expect_refusal(folder, 1, 2, "bench kernels --seconds -1", "--seconds: found '-1', expected 0 to 3600");
}
