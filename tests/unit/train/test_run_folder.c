#include <criterion/criterion.h>
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "core/base/files.h"
#include "runtime/observe/progress.h"
#include "runtime/observe/run_folder.h"
#include "tests/support/run.h"

static char *folder;
static hg_config config;

static void set_up(void)
{
  folder = temporary_folder();
  config = hg_config_default();
  snprintf(config.name, sizeof config.name, "test");
  snprintf(config.output, sizeof config.output, "%s/a/run", folder);
  snprintf(config.dataset.path, sizeof config.dataset.path, "graph.hg");
  cr_assert_eq(hg_config_resolve(&config), HG_OK, "%s", hg_error_text());
}

static void tear_down(void) { temporary_folder_remove(&folder); }

TestSuite(run_folder, .init = set_up, .fini = tear_down);

static const char *in_run(const char *name) { return path_in(config.output, name); }

static hg_run_folder open_run(bool resume)
{
  hg_run_folder run;
  cr_assert_eq(hg_run_folder_open(&run, &config, resume), HG_OK, "%s", hg_error_text());
  return run;
}

static hg_epoch_record record(int repeat, int epoch)
{
  hg_epoch_record r = {.repeat = repeat,
                       .seed = 7,
                       .epoch = epoch,
                       .learning_rate = 0.01,
                       .train_loss = 1.23456789123,
                       .seconds = 0.5,
                       .halo_bytes = (int64_t)1 << 40,
                       .halo_messages = 4,
                       .exchange = {.total = 0.25, .exposed = 0.0625, .packing = 0.5}};
  for (int s = 0; s < HG_SPLIT_COUNT; s++) r.scores[s] = hg_scores_none();
  return r;
}

static int count_lines(const char *path)
{
  FILE *file = fopen(path, "r");
  cr_assert_not_null(file, "%s", path);
  int n = 0;
  for (int c = fgetc(file); c != EOF; c = fgetc(file)) n += c == '\n';
  fclose(file);
  return n;
}

static double number(const json_t *object, const char *key)
{
  const json_t *value = json_object_get(object, key);
  cr_expect(json_is_number(value), "%s is no number", key);
  return json_number_value(value);
}

static json_t *load(const char *name)
{
  json_error_t error;
  json_t *object = json_load_file(in_run(name), 0, &error);
  cr_assert_not_null(object, "%s: %s", name, error.text);
  return object;
}

Test(run_folder, is_made_with_its_parents_and_its_config)
{
  hg_run_folder run = open_run(false);
  hg_config found = hg_config_default();
  cr_expect(hg_file_exists(in_run("checkpoints")));
  cr_expect(hg_file_exists(in_run("log.txt")));
  cr_assert_eq(hg_config_load(&found, in_run("config.yaml")), HG_OK, "%s", hg_error_text());
  cr_expect_str_eq(found.name, "test");
  cr_expect_eq(found.model.hidden, config.model.hidden);
  hg_run_folder_close(&run);
  hg_run_folder_close(&run);
}

Test(run_folder, an_epoch_is_a_line_of_json)
{
  hg_run_folder run = open_run(false);
  hg_epoch_record r = record(0, 1);
  cr_assert_eq(hg_run_folder_epoch(&run, &r), HG_OK);
  r = record(0, 2);
  r.evaluated = true;
  r.train_loss = NAN;
  r.seed = UINT64_MAX;
  r.scores[HG_SPLIT_VAL] = (hg_scores){0.5, 0.75, NAN, NAN, NAN, NAN};
  cr_assert_eq(hg_run_folder_epoch(&run, &r), HG_OK);
  FILE *file = fopen(in_run("metrics.jsonl"), "r"); // before it is closed: who watches a run sees every epoch at once
  char line[4096];
  cr_assert_not_null(fgets(line, sizeof line, file));
  cr_expect_not_null(strstr(line, "\"train_loss\":1.23456789,"), "9 significant digits: %s", line);
  json_t *first = json_loads(line, 0, NULL);
  cr_expect_eq(number(first, "epoch"), 1);
  cr_expect_eq(number(first, "seconds"), 0.5);
  cr_expect_eq(json_integer_value(json_object_get(first, "halo_bytes")), (json_int_t)1 << 40);
  cr_expect_eq(number(first, "communication_seconds"), 0.25);
  cr_expect_eq(number(first, "exposed_seconds"), 0.0625);
  cr_expect_eq(number(first, "packing_seconds"), 0.5);
  cr_expect_eq(number(first, "overlap_efficiency"), 0.75);
  cr_expect_null(json_object_get(first, "val_loss"), "not evaluated");
  cr_assert_not_null(fgets(line, sizeof line, file));
  json_t *second = json_loads(line, 0, NULL);
  cr_expect(json_is_null(json_object_get(second, "train_loss")), "JSON has no NaN");
  cr_expect_str_eq(json_string_value(json_object_get(second, "seed")), "18446744073709551615", "never a negative one");
  cr_expect_eq(number(second, "val_loss"), 0.5);
  cr_expect_eq(number(second, "val_accuracy"), 0.75);
  cr_expect_null(json_object_get(second, "val_micro_f1"), "does not apply");
  cr_expect_null(json_object_get(second, "test_accuracy"));
  fclose(file);
  json_decref(first);
  json_decref(second);
  hg_run_folder_close(&run);
}

static void write_history(void)
{
  hg_run_folder run = open_run(false);
  for (int repeat = 0; repeat < 2; repeat++) {
    for (int e = 1; e <= 5; e++) {
      hg_epoch_record r = record(repeat, e);
      cr_assert_eq(hg_run_folder_epoch(&run, &r), HG_OK);
    }
  }
  hg_run_folder_close(&run);
  write_text(in_run("checkpoints/repeat_0_epoch_5.h5"), "x");
  write_text(in_run("checkpoints/best_0.h5"), "x");
  write_text(in_run("checkpoints/repeat_0_epoch_6.h5.tmp99"), "x");
  write_text(in_run("checkpoints/notes.txt"), "x");
  write_text(in_run("summary.json"), "{}");
}

Test(run_folder, a_new_run_forgets_the_old_one)
{
  write_history();
  hg_run_folder run = open_run(false);
  cr_expect_eq(count_lines(in_run("metrics.jsonl")), 0);
  cr_expect_not(hg_file_exists(in_run("checkpoints/repeat_0_epoch_5.h5")));
  cr_expect_not(hg_file_exists(in_run("checkpoints/best_0.h5")));
  cr_expect_not(hg_file_exists(in_run("checkpoints/repeat_0_epoch_6.h5.tmp99")), "what a killed run left half written");
  cr_expect(hg_file_exists(in_run("checkpoints/notes.txt")), "what is not ours stays");
  cr_expect_not(hg_file_exists(in_run("summary.json")));
  hg_run_folder_close(&run);
}

Test(run_folder, a_resumed_run_keeps_what_was_done)
{
  write_history();
  hg_run_folder run = open_run(true);
  cr_expect_eq(count_lines(in_run("metrics.jsonl")), 10);
  cr_expect(hg_file_exists(in_run("checkpoints/repeat_0_epoch_5.h5")));
  cr_assert_eq(hg_run_folder_rewind(&run, 1, 2), HG_OK);
  cr_expect_eq(count_lines(in_run("metrics.jsonl")), 7, "five epochs of the first repeat, two of the second");
  hg_epoch_record r = record(1, 3);
  cr_assert_eq(hg_run_folder_epoch(&run, &r), HG_OK);
  hg_run_folder_close(&run);
  cr_expect_eq(count_lines(in_run("metrics.jsonl")), 8);
}

Test(run_folder, rewinding_drops_lines_that_are_no_json)
{
  write_history();
  write_text(in_run("metrics.jsonl"),
             "{\"repeat\":0,\"epoch\":1}\n\nnonsense\n[1]\n{\"repeat\":0,\"epoch\":2}\n{\"repeat\":0,\"ep");
  hg_run_folder run = open_run(true);
  cr_assert_eq(hg_run_folder_rewind(&run, 0, 9), HG_OK);
  hg_run_folder_close(&run);
  cr_expect_eq(count_lines(in_run("metrics.jsonl")), 2);
}

static const char *const always[] = {"ranks",
                                     "threads",
                                     "epochs",
                                     "best_epoch",
                                     "train_loss",
                                     "repeats",
                                     "epoch_seconds_median",
                                     "halo_bytes_per_epoch",
                                     "edge_cut",
                                     "halo_nodes",
                                     "partition_seconds",
                                     "reorder_seconds",
                                     "peak_rss_bytes",
                                     NULL};

static json_t *write_summary(hg_metric metric, hg_scores val, hg_scores test)
{
  hg_run_folder run = open_run(false);
  hg_repeat_result results[] = {
      {.seed = 1, .epochs = 9, .best_epoch = 4, .train_loss = 0.5, .val = val, .test = test},
      {.seed = 2, .epochs = 8, .best_epoch = 3, .train_loss = 0.25, .val = val, .test = test},
  };
  results[1].test.accuracy += 0.1;
  const double active_rows[] = {1, 0.25}, scored_rows[] = {0.75, 0.5};
  const hg_run_summary summary = {.status = "finished",
                                  .precision = "bfloat16",
                                  .metric = metric,
                                  .ranks = 3,
                                  .threads = 2,
                                  .n_repeats = 2,
                                  .repeats = results,
                                  .epoch_seconds_median = 0.125,
                                  .halo_bytes_per_epoch = 4096,
                                  .halo_far_bytes_per_epoch = 1024,
                                  .hosts = 3,
                                  .halo_hosts = "merged",
                                  .halo_precision = HG_PACK_INT4,
                                  .halo_aggregation = "covers",
                                  .halo_sample = 0.25,
                                  .columns = 2,
                                  .halo_staleness = HG_STALENESS_DELAYED,
                                  .n_layers = 2,
                                  .active_rows = active_rows,
                                  .scored_rows = scored_rows,
                                  .edge_cut = 17,
                                  .halo_nodes = 12,
                                  .peak_rss_bytes = (int64_t)5 << 32,
                                  .start_rss_bytes = 7};
  cr_assert_eq(hg_run_folder_summary(&run, &summary), HG_OK, "%s", hg_error_text());
  hg_run_folder_close(&run);
  json_t *found = load("summary.json");
  cr_expect_str_eq(json_string_value(json_object_get(found, "status")), "finished");
  cr_expect_str_eq(json_string_value(json_object_get(found, "halo_precision")), "int4");
  cr_expect_str_eq(json_string_value(json_object_get(found, "halo_hosts")), "merged");
  cr_expect_eq(json_integer_value(json_object_get(found, "hosts")), 3);
  cr_expect_eq(json_integer_value(json_object_get(found, "halo_bytes_between_hosts_per_epoch")), 1024);
  cr_expect_eq(json_integer_value(json_object_get(found, "halo_bytes_within_hosts_per_epoch")), 3072);
  cr_expect_str_eq(json_string_value(json_object_get(found, "halo_aggregation")), "covers");
  cr_expect_eq(json_real_value(json_object_get(found, "halo_sample")), 0.25);
  cr_expect_eq(json_integer_value(json_object_get(found, "parallel_columns")), 2);
  cr_expect_str_eq(json_string_value(json_object_get(found, "halo_staleness")), "delayed");
  cr_expect_eq(json_array_size(json_object_get(found, "active_rows")), 2);
  cr_expect_eq(json_real_value(json_array_get(json_object_get(found, "active_rows"), 1)), 0.25);
  cr_expect_eq(json_real_value(json_array_get(json_object_get(found, "scored_rows"), 0)), 0.75);
  for (const char *const *key = always; *key; key++) (void)number(found, *key);
  cr_expect_eq(number(found, "best_epoch"), 3, "of the last repeat");
  cr_expect_eq(number(found, "train_loss"), 0.25);
  cr_expect_eq(json_integer_value(json_object_get(found, "peak_rss_bytes")), (json_int_t)5 << 32);
  cr_expect_eq(json_integer_value(json_object_get(found, "start_rss_bytes")), 7);
  cr_expect_eq(number(found, "exposed_seconds"), 0);
  cr_expect(json_is_null(json_object_get(found, "overlap_efficiency")), "nothing was exchanged");
  cr_expect_eq(json_object_size(json_object_get(found, "phases")), HG_PHASE_COUNT);
  cr_expect_eq(json_array_size(json_object_get(found, "repeat_results")), 2);
  return found;
}

Test(run_folder, the_summary_of_classes_has_accuracies)
{
  json_t *found = write_summary(HG_METRIC_ACCURACY, (hg_scores){1, 0.8, 0.8, 0.7, NAN, NAN},
                                (hg_scores){1, 0.6, 0.6, 0.5, NAN, NAN});
  cr_expect(fabs(number(found, "test_accuracy") - 0.7) < 1e-9);
  cr_expect_eq(number(found, "val_accuracy"), 0.8);
  cr_expect(fabs(number(found, "test_accuracy_mean") - 0.65) < 1e-9);
  cr_expect(fabs(number(found, "test_accuracy_std") - 0.05) < 1e-9);
  cr_expect_null(json_object_get(found, "test_rmse"));
  cr_expect_null(json_object_get(found, "test_roc_auc"), "was not asked for");
  json_decref(found);
}

Test(run_folder, the_summary_of_many_labels_has_f1)
{
  json_t *found = write_summary(HG_METRIC_MICRO_F1, (hg_scores){1, 0.9, 0.8, 0.7, NAN, NAN},
                                (hg_scores){1, 0.6, 0.5, 0.4, NAN, NAN});
  cr_expect_eq(number(found, "test_micro_f1"), 0.5);
  cr_expect_eq(number(found, "test_micro_f1_mean"), 0.5);
  cr_expect_eq(number(found, "test_micro_f1_std"), 0);
  json_decref(found);
}

Test(run_folder, the_summary_of_a_regression_has_rmse)
{
  json_t *found =
      write_summary(HG_METRIC_RMSE, (hg_scores){1, NAN, NAN, NAN, NAN, 2.5}, (hg_scores){1, NAN, NAN, NAN, NAN, 1.5});
  cr_expect_eq(number(found, "test_rmse"), 1.5);
  cr_expect_eq(number(found, "val_rmse"), 2.5);
  cr_expect_eq(number(found, "test_rmse_mean"), 1.5);
  cr_expect_null(json_object_get(found, "test_accuracy"));
  json_decref(found);
}

Test(run_folder, the_summary_of_a_failure_has_the_error)
{
  hg_run_folder run = open_run(false);
  const hg_run_summary summary = {.status = "failed",
                                  .precision = "float32",
                                  .halo_aggregation = "sources",
                                  .error = "rank 1: \"no\"\n",
                                  .epoch_seconds_median = NAN};
  cr_assert_eq(hg_run_folder_summary(&run, &summary), HG_OK);
  json_t *found = load("summary.json");
  cr_expect_str_eq(json_string_value(json_object_get(found, "error")), "rank 1: \"no\"\n");
  cr_expect(json_is_null(json_object_get(found, "epoch_seconds_median")));
  json_decref(found);
  hg_run_folder_close(&run);
}

Test(run_folder, the_environment_names_machine_and_hosts)
{
  const char *const hosts[] = {"node1", "node2", "node2"};
  const char *const bindings[] = {"processors 0-3, 4 threads, pinned", "b", "c"};
  hg_run_folder run = open_run(false);
  cr_assert_eq(hg_run_folder_environment(&run, 3, hosts, bindings, "Open MPI 9"), HG_OK, "%s", hg_error_text());
  json_t *found = load("environment.json");
  cr_expect_eq(json_array_size(json_object_get(found, "hosts")), 3);
  cr_expect_str_eq(json_string_value(json_array_get(json_object_get(found, "hosts"), 2)), "node2");
  cr_expect_str_eq(json_string_value(json_array_get(json_object_get(found, "bindings"), 0)), bindings[0]);
  cr_expect_str_eq(json_string_value(json_object_get(found, "mpi")), "Open MPI 9");
  cr_expect_eq(number(found, "ranks"), 3);
  cr_expect_geq(number(found, "processors"), 1);
  cr_expect_eq(number(found, "real_bytes"), sizeof(hg_real));
  cr_expect_eq(strlen(json_string_value(json_object_get(found, "started"))), strlen("2026-01-01T00:00:00Z"));
  json_decref(found);
  hg_run_folder_close(&run);
}

static void expect_refused(const char *output, const char *message)
{
  hg_run_folder run;
  snprintf(config.output, sizeof config.output, "%s", output);
  hg_status rc = hg_run_folder_open(&run, &config, false);
  cr_expect(rc == HG_ERR_INPUT || rc == HG_ERR_IO, "%s: status %d", output, (int)rc);
  cr_expect_not_null(strstr(hg_error_text(), message), "%s: %s", output, hg_error_text());
  cr_expect_null(run.metrics);
  cr_expect_null(run.log);
}

Test(run_folder, places_where_no_folder_can_be_are_refused)
{
  write_text(path_in(folder, "file"), "text");
  expect_refused(path_in(folder, "file"), "file/checkpoints: cannot make the folder: Not a directory");
  expect_refused(path_in(folder, "file/run"), "file/run: cannot make the folder: Not a directory");
  expect_refused("/proc/run", "/proc/run: cannot make the folder");
  char long_path[HG_PATH_MAX];
  memset(long_path, 'x', sizeof long_path - 1);
  long_path[sizeof long_path - 1] = '\0';
  expect_refused(long_path, "the path is too long");
}

Test(run_folder, a_full_disk_is_an_error)
{
  if (access("/dev/full", W_OK) != 0) cr_skip_test("no /dev/full here");
  hg_run_folder run = open_run(false);
  fclose(run.metrics);
  run.metrics = fopen("/dev/full", "w");
  hg_epoch_record r = record(0, 1);
  cr_expect_eq(hg_run_folder_epoch(&run, &r), HG_ERR_IO);
  cr_expect_not_null(strstr(hg_error_text(), "metrics.jsonl: cannot write: No space left on device"), "%s",
                     hg_error_text());
  hg_run_folder_close(&run);
}

Test(run_folder, the_closing_table_tells_the_result)
{
  hg_repeat_result result = {.seed = 1, .epochs = 9, .best_epoch = 4, .train_loss = 0.5};
  result.val = result.test = hg_scores_none();
  result.val.accuracy = 0.75;
  result.test.accuracy = 0.5;
  hg_run_summary s = {.status = "finished",
                      .precision = "float32",
                      .halo_aggregation = "sources",
                      .metric = HG_METRIC_ACCURACY,
                      .n_repeats = 1,
                      .repeats = &result};
  char text[2048] = "";
  FILE *to = fmemopen(text, sizeof text, "w");
  hg_summary_print(&s, "runs/x", to);
  fclose(to);
  cr_expect_not_null(strstr(text, "0.5000 at epoch 4, the best on validation (0.7500)"), "%s", text);
  cr_expect_not_null(strstr(text, "runs/x"), "%s", text);
  result.best_epoch = 0;
  to = fmemopen(text, sizeof text, "w");
  hg_summary_print(&s, "runs/x", to);
  fclose(to);
  cr_expect_not_null(strstr(text, "0.5000 after the last evaluation: no validation score to choose by"), "%s", text);
}
