// parallel: as a user sees it, on a small generated graph.
#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "core/graph/store.h"
#include "tests/cli/program.h"
#include "tests/support/sample_collection.h"

static char *folder;

static void set_up(void)
{
  folder = temporary_folder();
  write_text(path_in(folder, "c.yaml"), "name: small\n"
                                        "dataset: {path: g.hg}\n"
                                        "model: {hidden: 8, layers: 3, dropout: 0.2, input_dropout: 0}\n"
                                        "train: {epochs: 6, learning_rate: 0.05, active_sets: false}\n");
  run_result r =
      expect_status(folder, 0, 0, "generate csbm --nodes 200 --degree 6 --classes 3 --features 8 --seed 1 -o g.hg");
  run_free(&r);
}

static void tear_down(void) { temporary_folder_remove(&folder); }

TestSuite(cli_parallel, .init = set_up, .fini = tear_down);

static json_t *summary_of(int ranks, const char *name, const char *options)
{
  char words[256];
  snprintf(words, sizeof words, "train c.yaml --quiet --output %s %s", name, options);
  run_result r = expect_status(folder, ranks, 0, words);
  run_free(&r);
  snprintf(words, sizeof words, "%s/summary.json", name);
  return load_json(folder, words);
}

Test(cli_parallel, every_mode_learns_the_same)
{
  json_t *parts = summary_of(4, "parts", ""), *features = summary_of(4, "features", "--set parallel.mode=features"),
         *grid = summary_of(4, "grid", "--set parallel.mode=grid --set parallel.columns=2");
  double loss = number_of(parts, "train_loss"), tolerance = sizeof(hg_real) == sizeof(double) ? 1e-9 : 1e-4;
  cr_expect(fabs(number_of(features, "train_loss") - loss) <= tolerance * loss);
  cr_expect(fabs(number_of(grid, "train_loss") - loss) <= tolerance * loss);
  cr_expect_eq(number_of(parts, "parallel_columns"), 1);
  cr_expect_eq(number_of(features, "parallel_columns"), 4);
  cr_expect_eq(number_of(grid, "parallel_columns"), 2);
  // 50 rows a rank: two turns of 8 columns and of 3, forward and backward; a rank keeps its columns of its rows
  cr_expect_eq(number_of(features, "halo_bytes_per_epoch"), 2 * 2 * 200 * (8 + 3) * 3 / 4 * (double)sizeof(hg_real));
  run_result r = expect_status(folder, 0, 0, "plan c.yaml -k 2,4 --json");
  json_t *plan = json_loads(r.out, 0, NULL), *schemes = json_object_get(json_array_get(plan, 1), "schemes"), *scheme;
  size_t k;
  json_array_foreach(schemes, k, scheme)
  {
    if (strcmp(json_string_value(json_object_get(scheme, "name")), "feature-parallel") != 0) continue;
    cr_expect(json_is_true(json_object_get(scheme, "runs")));
    cr_expect_eq(number_of(scheme, "bytes") * (double)sizeof(hg_real) / 4, number_of(features, "halo_bytes_per_epoch"));
    cr_expect_geq(number_of(scheme, "messages") * 4, number_of(features, "halo_messages_per_epoch"));
  }
  json_decref(plan);
  run_free(&r);
  json_decref(parts);
  json_decref(features);
  json_decref(grid);
}

Test(cli_parallel, partition_makes_what_training_looks_for)
{
  run_result r = expect_status(folder, 0, 0, "partition g.hg -k 4 --slabs 2");
  run_free(&r);
  r = expect_status(folder, 4, 0, "train c.yaml --dry-run --set parallel.mode=features");
  cr_expect(strstr(r.out, "50 owned and 0 halo nodes, ") != NULL, "%s", r.out);
  cr_expect(strstr(r.out, " edges of a part that 4 ranks share, ") != NULL, "%s", r.out);
  run_free(&r);
  r = expect_status(folder, 4, 0, "train c.yaml --set parallel.mode=grid --set parallel.columns=2");
  cr_expect(strstr(r.err, "partitioning") == NULL, "%s", r.err);
  cr_expect(strstr(r.out, "by columns: 2 parts of the graph, each on 2 ranks") != NULL, "%s", r.out);
  run_free(&r);
  r = expect_status(folder, 4, 0, "predict runs/small -o p.csv"); // by parts, whatever it was trained by
  run_free(&r);
}

Test(cli_parallel, what_does_not_fit_is_refused)
{
  static const struct {
    int ranks;
    const char *words, *message;
  } cases[] = {
      {0, "config c.yaml --set parallel.columns=2",
       "parallel.columns: found 2 with parallel.mode parts, expected 1, or mode grid"},
      {0, "config c.yaml --set parallel.columns=0",
       "--set parallel.columns: found '0', expected an integer of at least 1"},
      {0, "config c.yaml --set parallel.mode=feature",
       "--set parallel.mode: found 'feature', expected one of parts, features, grid"},
      {0, "config c.yaml --set parallel.mode=features --set parallel.columns=2",
       "parallel.columns: found 2 with parallel.mode features, expected 1, or mode grid"},
      {0, "config c.yaml --set parallel.mode=features --set model.type=geogcn",
       "parallel.mode: found features with model.type geogcn, expected parts, or type gcn"},
      {0, "config c.yaml --set parallel.mode=grid --set model.precision=bfloat16",
       "parallel.mode: found grid with model.precision bfloat16, expected parts, or float32"},
      {0, "config c.yaml --set parallel.mode=grid --set halo.precision=int8",
       "parallel.mode: found grid with halo.precision int8, expected parts, or float32"},
      {0, "config c.yaml --set parallel.mode=features --set halo.aggregation=covers",
       "parallel.mode: found features with halo.aggregation covers, expected parts, or sources"},
      {0, "config c.yaml --set parallel.mode=grid --set model.recompute=true",
       "parallel.mode: found grid with model.recompute true, expected parts, or false"},
      {0, "config c.yaml --set parallel.mode=grid --set model.label_rate=0.5",
       "parallel.mode: found grid with model.label_rate 0.5, expected parts, or 0"},
      {0, "config c.yaml --set parallel.mode=auto --set halo.staleness=pipeline",
       "parallel.mode: found auto with halo.staleness pipeline, expected parts, or none"},
      {0, "config c.yaml --set parallel.mode=features --set halo.sample=0.5",
       "parallel.mode: found features with halo.sample 0.5, expected parts, or a sample of 1"},
      {3, "train c.yaml --set parallel.mode=grid --set parallel.columns=2",
       "parallel.columns: found 2 with 3 ranks, expected a number that divides them"},
      {0, "partition g.hg -k 5 --slabs 2", "--slabs: found 2 with -k 5, expected a number that divides it"},
      {0, "partition g.hg -k 4 --slabs x", "--slabs: found 'x', expected a whole number from 1"},
  };
  for (size_t c = 0; c < sizeof cases / sizeof *cases; c++)
    expect_refusal(folder, cases[c].ranks, 2, cases[c].words, cases[c].message);
}

// its refusal needs no more of the graphs than that they are many
Test(cli_parallel, collections_have_no_parts_to_share)
{
  hg_collection c;
  cr_assert_eq(sample_collection(&c, 23, 5, 3, HG_TASK_REGRESSION, 1, 12), HG_OK);
  cr_assert_eq(hg_store_write_collection(path_in(folder, "m.hg"), &c, "a test"), HG_OK);
  hg_collection_free(&c);
  expect_refusal(folder, 2, 2, "train c.yaml --set dataset.path=m.hg --set parallel.mode=features",
                 "parallel.mode: found features, but the graphs of m.hg are given to the ranks as a whole");
}
