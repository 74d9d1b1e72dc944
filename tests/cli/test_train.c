// train, predict and export as a user runs them, on a small generated graph.
#include <criterion/criterion.h>
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/cli/program.h"

static char *folder;

static const char config_text[] = "name: small\n"
                                  "dataset: {path: g.hg}\n"
                                  "model: {hidden: 8, dropout: 0.2}\n"
                                  "train: {epochs: 15, learning_rate: 0.05}\n";

// g.hg: 200 nodes of 3 classes with 8 features; c.yaml
static void set_up(void)
{
  folder = temporary_folder();
  write_text(path_in(folder, "c.yaml"), config_text);
  run_result r =
      expect_status(folder, 0, 0, "generate csbm --nodes 200 --degree 6 --classes 3 --features 8 --seed 1 -o g.hg");
  run_free(&r);
}

static void tear_down(void) { temporary_folder_remove(&folder); }

TestSuite(cli_train, .init = set_up, .fini = tear_down);

static void runs(int ranks, const char *words)
{
  run_result r = expect_status(folder, ranks, 0, words);
  run_free(&r);
}

static bool is_there(const char *name) { return access(path_in(folder, name), F_OK) == 0; }

Test(cli_train, leaves_a_folder_with_all_its_files)
{
  static const char *const files[] = {"config.yaml",
                                      "environment.json",
                                      "metrics.jsonl",
                                      "summary.json",
                                      "log.txt",
                                      "checkpoints/best_0.h5",
                                      "checkpoints/repeat_0_epoch_15.h5"};
  run_result r = expect_status(folder, 0, 0, "train c.yaml");
  cr_expect_not_null(strstr(r.out, "test accuracy"), "%s", r.out);
  cr_expect_not_null(strstr(r.out, "runs/small"), "%s", r.out);
  cr_expect_not_null(strstr(r.err, "epoch 15/15"), "%s", r.err);
  run_free(&r);
  for (size_t k = 0; k < sizeof files / sizeof *files; k++) {
    char name[128];
    snprintf(name, sizeof name, "runs/small/%s", files[k]);
    cr_expect(is_there(name), "%s is not there", name);
  }
  cr_expect_eq(count_lines(folder, "runs/small/metrics.jsonl"), 15);
  cr_expect_not(is_there("runs/small/coordinator.json"), "the address file is gone when the run has ended");
}

Test(cli_train, the_summary_has_its_fixed_keys)
{
  static const char *const keys[] = {"ranks",
                                     "threads",
                                     "epochs",
                                     "best_epoch",
                                     "test_accuracy",
                                     "val_accuracy",
                                     "train_loss",
                                     "test_accuracy_mean",
                                     "test_accuracy_std",
                                     "repeats",
                                     "epoch_seconds_median",
                                     "halo_bytes_per_epoch",
                                     "edge_cut",
                                     "halo_nodes",
                                     "partition_seconds",
                                     "reorder_seconds",
                                     "peak_rss_bytes"};
  runs(2, "train c.yaml --quiet --output r");
  json_t *s = load_json(folder, "r/summary.json");
  cr_expect_str_eq(json_string_value(json_object_get(s, "status")), "finished");
  for (size_t k = 0; k < sizeof keys / sizeof *keys; k++) (void)number_of(s, keys[k]);
  cr_expect_eq(number_of(s, "ranks"), 2);
  cr_expect_eq(number_of(s, "epochs"), 15);
  cr_expect_gt(number_of(s, "halo_bytes_per_epoch"), 0);
  cr_expect_gt(number_of(s, "halo_nodes"), 0);
  cr_expect_gt(number_of(s, "communication_seconds"), 0);
  cr_expect_geq(number_of(s, "overlap_efficiency"), 0);
  cr_expect_leq(number_of(s, "exposed_seconds"), number_of(s, "communication_seconds"));
  cr_expect_gt(number_of(json_object_get(s, "phases"), "evaluate"), 0);
  cr_expect_gt(number_of(json_object_get(s, "phases"), "checkpoint"), 0);
  json_decref(s);
}

static json_t *summary_of(const char *words, const char *file)
{
  runs(3, words);
  return load_json(folder, file);
}

Test(cli_train, active_sets_send_less_and_change_nothing)
{
  run_result r =
      expect_status(folder, 0, 0, "generate csbm --nodes 200 --degree 6 --classes 3 --features 8 --train 0.1 -o g.hg");
  run_free(&r);
  json_t *some = summary_of("train c.yaml --quiet --output some", "some/summary.json");
  json_t *all = summary_of("train c.yaml --quiet --output all --set train.active_sets=false", "all/summary.json");
  const json_t *rows = json_object_get(some, "active_rows"), *all_rows = json_object_get(all, "active_rows");
  cr_expect_eq(json_array_size(rows), 2);
  cr_expect(fabs(json_real_value(json_array_get(rows, 1)) - 0.1) < 0.01);
  cr_expect_eq(json_real_value(json_array_get(all_rows, 1)), 1);
  const json_t *scored = json_object_get(some, "scored_rows"); // all nodes have a label and a split
  cr_expect(json_array_size(scored) == 2 && json_real_value(json_array_get(scored, 1)) == 1);
  double loss = number_of(all, "train_loss");
  cr_expect(fabs(number_of(some, "train_loss") - loss) <= 1e-4 * loss); // sums of other pieces of rows
  cr_expect_eq(number_of(some, "test_accuracy"), number_of(all, "test_accuracy"));
  cr_expect_lt(number_of(some, "halo_bytes_per_epoch"), number_of(all, "halo_bytes_per_epoch"));
  cr_expect_eq(number_of(some, "halo_nodes"), number_of(all, "halo_nodes"));
  json_decref(some);
  json_decref(all);
  r = expect_status(folder, 0, 0, "train c.yaml --output one");
  cr_expect_not_null(strstr(r.out, "active rows"), "%s", r.out);
  run_free(&r);
}

Test(cli_train, three_ranks_follow_one)
{
  runs(0, "train c.yaml --quiet --output one");
  runs(3, "train c.yaml --quiet --output three");
  python_agrees(folder, "import json\n"
                        "a, b = [[json.loads(l) for l in open(f + '/metrics.jsonl')] for f in ('one', 'three')]\n"
                        "assert len(a) == len(b) == 15\n"
                        "for x, y in zip(a, b):\n"
                        "    for key in ('train_loss', 'val_loss'):\n"
                        "        assert abs(x[key] - y[key]) <= 1e-4 * abs(x[key]), (key, x, y)\n"
                        "assert json.load(open('three/environment.json'))['ranks'] == 3\n");
}

Test(cli_train, overrides_threads_and_quiet_are_obeyed)
{
  run_result r =
      expect_status(folder, 0, 0, "train c.yaml --quiet --threads 2 --set train.epochs=3 --set seed=7 --output r");
  cr_expect_str_empty(r.err, "printed %s", r.err);
  cr_expect_not_null(strstr(r.out, "1 x 2 threads"), "%s", r.out);
  run_free(&r);
  json_t *s = load_json(folder, "r/summary.json");
  cr_expect_eq(number_of(s, "epochs"), 3);
  cr_expect_eq(number_of(s, "threads"), 2);
  cr_expect_eq(number_of(json_array_get(json_object_get(s, "repeat_results"), 0), "seed"), 7);
  json_decref(s);
  runs(0, "config r/config.yaml");
}

Test(cli_train, what_can_have_no_effect_is_said)
{
  const char *three = "train c.yaml --output z --set model.layers=3 --set model.input_dropout=0 --set "
                      "model.skip_zeros=always --set train.epochs=1";
  char command[512];
  run_result r = expect_status(folder, 0, 0, three);
  cr_expect_null(strstr(r.err, "no effect"), "%s", r.err);
  run_free(&r);
  snprintf(command, sizeof command, "%s --set model.norm=layer", three);
  r = expect_status(folder, 0, 0, command);
  cr_expect_not_null(strstr(r.err, "always: hidden rows keep their zeros with model.norm"), "%s", r.err);
  run_free(&r);
  snprintf(command, sizeof command, "%s --set model.activation=elu", three);
  r = expect_status(folder, 0, 0, command);
  cr_expect_not_null(strstr(r.err, "model.skip_zeros: always has no effect with model.activation other than relu"),
                     "%s", r.err);
  run_free(&r);
  r = expect_status(folder, 2, 0, three);
  cr_expect_not_null(strstr(r.err, "always: hidden rows keep their zeros with several ranks"), "%s", r.err);
  run_free(&r);
}

Test(cli_train, a_dry_run_plans_and_writes_nothing)
{
  run_result r = expect_status(folder, 2, 0, "train c.yaml --dry-run --output r");
  cr_expect_not_null(strstr(r.out, "memory planned: "), "%s", r.out);
  cr_expect_not_null(strstr(r.out, "owned and "), "%s", r.out);
  run_free(&r);
  cr_expect_not(is_there("r"));
}

Test(cli_train, repeats_give_mean_and_deviation)
{
  runs(0, "train c.yaml --quiet --set repeat=3 --output r");
  json_t *s = load_json(folder, "r/summary.json"), *results = json_object_get(s, "repeat_results");
  double sum = 0, squares = 0;
  cr_assert_eq(json_array_size(results), 3);
  for (size_t k = 0; k < 3; k++) {
    double x = number_of(json_array_get(results, k), "test_accuracy");
    cr_expect_eq(number_of(json_array_get(results, k), "seed"), 1 + (double)k);
    sum += x;
    squares += x * x;
  }
  cr_expect(fabs(number_of(s, "test_accuracy_mean") - sum / 3) < 1e-6);
  cr_expect(fabs(number_of(s, "test_accuracy_std") - sqrt(fmax(0, squares / 3 - sum * sum / 9))) < 1e-6);
  cr_expect_eq(number_of(s, "repeats"), 3);
  cr_expect_eq(count_lines(folder, "r/metrics.jsonl"), 45);
  cr_expect(is_there("r/checkpoints/best_2.h5"));
  json_decref(s);
  runs(0, "predict r --repeat 2 -o p.csv");
  expect_refusal(folder, 0, 2, "predict r --repeat 3 -o p.csv", "--repeat: found 3, but the run has 3");
}

Test(cli_train, a_resumed_run_ends_as_one_that_was_not_stopped)
{
  runs(0, "train c.yaml --quiet --output whole --set train.epochs=20");
  runs(0, "train c.yaml --quiet --output r --set train.checkpoint_every=4 --set train.keep_checkpoints=9 --set "
          "train.epochs=20");
  cr_assert_eq(unlink(path_in(folder, "r/checkpoints/repeat_0_epoch_20.h5")), 0);
  cr_assert_eq(unlink(path_in(folder, "r/checkpoints/repeat_0_epoch_16.h5")), 0); // as if it had stopped after 12
  runs(0, "train c.yaml --quiet --output r --resume --set train.epochs=20");
  cr_expect_eq(count_lines(folder, "r/metrics.jsonl"), 20);
  python_agrees(folder,
                "import json\n"
                "a, b = [[json.loads(l)['train_loss'] for l in open(f + '/metrics.jsonl')] for f in ('whole', 'r')]\n"
                "assert a == b, (a, b)\n"
                "a, b = [json.load(open(f + '/summary.json'))['test_accuracy'] for f in ('whole', 'r')]\n"
                "assert a == b\n");
  runs(2, "train c.yaml --quiet --output r --resume --set train.epochs=25"); // more epochs, other ranks
  cr_expect_eq(count_lines(folder, "r/metrics.jsonl"), 25);
}

Test(cli_train, where_there_is_no_checkpoint_a_resumed_run_begins)
{
  run_result r = expect_status(folder, 2, 0, "train c.yaml --quiet --output r --resume");
  cr_expect_not_null(strstr(r.err, "r/checkpoints: found no checkpoint to go on from; starting from the beginning"),
                     "%s", r.err);
  run_free(&r);
  cr_expect_eq(count_lines(folder, "r/metrics.jsonl"), 15);
}

Test(cli_train, what_cannot_be_resumed_stays_as_it_was)
{
  runs(0, "train c.yaml --quiet --output r");
  expect_refusal(folder, 0, 2, "train c.yaml --quiet --output r --resume --set model.hidden=9",
                 "r/checkpoints/repeat_0_epoch_15.h5: found a checkpoint of another model");
  expect_refusal(folder, 0, 2, "train c.yaml --quiet --output r --resume --set train.optimizer=sgd",
                 "found a checkpoint of another optimiser");
  json_t *s = load_json(folder, "r/summary.json");
  cr_expect_str_eq(json_string_value(json_object_get(s, "status")), "finished");
  json_decref(s);
  runs(0, "predict r"); // its config.yaml still fits
}

Test(cli_train, predictions_and_weights_can_be_loaded_by_numpy)
{
  runs(3, "train c.yaml --quiet --output r");
  runs(0, "predict r");
  runs(2, "predict r -o two.npz");
  runs(0, "predict r -o p.csv");
  runs(0, "export r -o w.safetensors");
  python_agrees(
      folder,
      "import json, struct, csv, numpy as np\n"
      "p, q = np.load('r/predictions.npz'), np.load('two.npz')\n"
      "assert (p['original_ids'] == np.arange(200)).all() and (q['original_ids'] == p['original_ids']).all()\n"
      "assert p['probabilities'].shape == (200, 3) and p['embeddings'].shape == (200, 8)\n"
      "assert np.allclose(p['probabilities'].sum(1), 1, atol=1e-5)\n"
      "assert (p['predictions'] == p['probabilities'].argmax(1)).all()\n"
      "assert np.allclose(p['probabilities'], q['probabilities'], atol=1e-5)\n"
      "rows = list(csv.DictReader(open('p.csv')))\n"
      "assert [int(r['prediction']) for r in rows] == p['predictions'].tolist()\n"
      "data = open('w.safetensors', 'rb').read()\n"
      "n, = struct.unpack('<Q', data[:8])\n"
      "header, body = json.loads(data[8:8 + n]), data[8 + n:]\n"
      "w = {}\n"
      "for name, t in header.items():\n"
      "    if name == '__metadata__': continue\n"
      "    first, end = t['data_offsets']\n"
      "    w[name] = np.frombuffer(body[first:end], {'F32': '<f4', 'F64': '<f8'}[t['dtype']]).reshape(t['shape'])\n"
      "assert len(body) == sum(x.nbytes for x in w.values())\n"
      "shapes = {k: v.shape for k, v in w.items()}\n"
      "assert shapes == {'layers.0.weight': (8, 8), 'layers.0.bias': (8,), 'layers.1.weight': (8, 3),\n"
      "                  'layers.1.bias': (3,)}, shapes\n"
      "assert all(np.isfinite(x).all() for x in w.values())\n");
}

Test(cli_train, predict_takes_another_graph_when_its_own_is_gone)
{
  runs(0, "partition g.hg -k 1 -o p1.hg");
  runs(0, "train c.yaml --quiet --output r --set partition.path=p1.hg");
  runs(0, "generate csbm --nodes 90 --degree 6 --classes 3 --features 8 --seed 2 -o other.hg");
  cr_assert_eq(unlink(path_in(folder, "g.hg")), 0);
  run_result r = expect_status(folder, 0, 0, "predict r --dataset other.hg -o p.csv");
  cr_expect_not_null(strstr(r.out, "p.csv: 90 nodes"), "%s", r.out);
  run_free(&r);
  cr_expect_eq(count_lines(folder, "p.csv"), 91);
  expect_refusal(folder, 0, 2, "predict r -o q.csv", "dataset.path: found no file g.hg");
  runs(0, "generate csbm --nodes 90 --degree 6 --classes 3 --features 9 -o wide.hg");
  expect_refusal(folder, 0, 2, "predict r --dataset wide.hg -o q.csv", "found a checkpoint of another model");
}

// new nodes have no labels: that is why somebody predicts
Test(cli_train, predict_takes_a_graph_without_labels_and_split)
{
  runs(0, "train c.yaml --quiet --output r");
  runs(0, "generate csbm --nodes 70 --degree 6 --classes 0 --features 8 -o plain.hg");
  runs(0, "predict r --dataset plain.hg -o one.csv");
  runs(3, "predict r --dataset plain.hg -o three.csv");
  cr_expect_eq(count_lines(folder, "one.csv"), 71);
  cr_expect_eq(count_lines(folder, "three.csv"), 71);
  runs(0, "train c.yaml --quiet --output s --set dataset.normalize_features=standardize");
  runs(0, "predict s -o own.csv");
  runs(0, "predict s --dataset plain.hg -o one.npz");
  runs(3, "predict s --dataset plain.hg -o three.npz");
  python_agrees(folder, "import numpy as np\n"
                        "a, b = np.load('one.npz')['probabilities'], np.load('three.npz')['probabilities']\n"
                        "assert a.shape == (70, 3) and np.isfinite(a).all() and np.allclose(a, b, atol=1e-5)\n");
  runs(0, "generate csbm --nodes 90 --degree 6 --classes 3 --features 9 -o wide.hg");
  expect_refusal(folder, 0, 2, "predict s --dataset wide.hg -o q.csv",
                 "wide.hg: found 9 features, expected 8: the checkpoint has the scales of so many");
}

// Ranks follow one, with labels as inputs; a graph without labels shows none.
Test(cli_train, labels_can_be_inputs)
{
  runs(0, "train c.yaml --quiet --output one --set model.label_rate=0.5");
  runs(3, "train c.yaml --quiet --output three --set model.label_rate=0.5");
  runs(0, "train c.yaml --quiet --output none");
  json_t *one = load_json(folder, "one/summary.json"), *three = load_json(folder, "three/summary.json"),
         *none = load_json(folder, "none/summary.json");
  cr_expect_float_eq(number_of(one, "train_loss"), number_of(three, "train_loss"), 1e-4);
  cr_expect_neq(number_of(one, "train_loss"), number_of(none, "train_loss"));
  json_decref(one);
  json_decref(three);
  json_decref(none);
  runs(0, "generate csbm --nodes 70 --degree 6 --classes 0 --features 8 -o plain.hg");
  runs(2, "predict one --dataset plain.hg -o p.csv");
  cr_expect_eq(count_lines(folder, "p.csv"), 71);
}

Test(cli_train, positions_can_be_appended_to_the_features)
{
  runs(0, "generate geometric --nodes 150 --degree 6 --classes 3 --features 4 --seed 1 -o g.hg");
  runs(0, "generate geometric --nodes 60 --degree 6 --classes 0 --features 4 --seed 2 -o other.hg");
  runs(2, "train c.yaml --quiet --output r --set dataset.append_positions=true");
  runs(0, "predict r --dataset other.hg -o p.csv");
  cr_expect_eq(count_lines(folder, "p.csv"), 61);
  run_result r = expect_status(folder, 0, 0, "info r/checkpoints/best_0.h5");
  cr_expect_not_null(strstr(r.out, "\"inputs\":6"), "%s", r.out);
  run_free(&r);
  runs(0, "generate csbm --nodes 60 --degree 6 --classes 3 --features 8 -o nowhere.hg");
  expect_refusal(folder, 0, 2,
                 "train c.yaml --quiet --output s --set dataset.path=nowhere.hg --set dataset.append_positions=true",
                 "dataset.append_positions: nowhere.hg: found no positions, expected some to append to the features");
}

Test(cli_train, resume_on_another_graph_is_refused)
{
  runs(0, "train c.yaml --quiet --output r");
  runs(0, "generate csbm --nodes 90 --degree 6 --classes 3 --features 8 --seed 2 -o other.hg");
  expect_refusal(folder, 0, 2, "train c.yaml --quiet --output r --resume --set dataset.path=other.hg",
                 "found a run on another graph than other.hg");
}

Test(cli_train, info_tells_of_a_checkpoint)
{
  runs(0, "train c.yaml --quiet --output r");
  run_result r = expect_status(folder, 0, 0, "info r/checkpoints/best_0.h5");
  cr_expect_not_null(strstr(r.out, "checkpoint"), "%s", r.out);
  run_free(&r);
}

typedef struct {
  const char *words, *message;
} refusal;

static void expect_refusals(const refusal *table, size_t n)
{
  for (size_t k = 0; k < n; k++) expect_refusal(folder, 0, 2, table[k].words, table[k].message);
}

Test(cli_train, wrong_usage_is_refused_with_one_line)
{
  static const refusal table[] = {
      {"", "no command given; see `halognn --help`"},
      {"trian c.yaml", "unknown command 'trian', did you mean 'train'?"},
      {"bicycle", "unknown command 'bicycle'; see `halognn --help`"},
      {"train", "no config file given"},
      {"train c.yaml d.yaml", "found a second config 'd.yaml', expected one"},
      {"train c.yaml --bogus", "'--bogus'"},
      {"train c.yaml --threads 0", "--threads: found '0', expected a whole number from 1 to 4096"},
      {"train c.yaml --threads x", "--threads: found 'x'"},
      {"train c.yaml --threads", "threads"},
      {"train c.yaml --set", "set"},
      {"predict", "no run folder given"},
      {"predict a b", "found a second run folder 'b'"},
      {"predict r --repeat -1", "--repeat: found '-1'"},
      {"export r", "no -o FILE.safetensors given"},
      {"export -o w", "no run folder given"},
  };
  expect_refusals(table, sizeof table / sizeof *table);
}

Test(cli_train, wrong_configs_are_refused_with_file_and_line)
{
  write_text(path_in(folder, "key.yaml"), "name: t\ndataset: {path: g.hg}\ntrain:\n  epoch: 3\n");
  write_text(path_in(folder, "type.yaml"), "name: t\ndataset: {path: g.hg}\ntrain:\n  epochs: many\n");
  write_text(path_in(folder, "open.yaml"), "name: t\ndataset: {path: g.hg\n");
  static const refusal table[] = {
      {"train missing.yaml", "missing.yaml: cannot open the config: No such file"},
      {"train key.yaml", "key.yaml:4: train.epoch: found an unknown key, did you mean train.epochs?"},
      {"train type.yaml", "type.yaml:4: train.epochs: found "},
      {"train open.yaml", "open.yaml:"},
      {"train c.yaml --set train.epoch=3", "--set train.epoch: found an unknown key, did you mean train.epochs?"},
      {"train c.yaml --set train.epochs", "--set train.epochs: found no '='"},
      {"train c.yaml --set dataset.path=no.hg", "dataset.path: found no file no.hg"},
      {"train c.yaml --set model.precision=half", "model.precision: found 'half', expected one of float32, bfloat16"},
      {"train c.yaml --set model.label_rate=1", "model.label_rate: found '1', expected a number in [0, 1)"},
      {"train c.yaml --set model.type=gnc", "model.type: found 'gnc', expected one of: gcn"},
  };
  expect_refusals(table, sizeof table / sizeof *table);
  cr_expect_not(is_there("runs"), "nothing is written");
}

Test(cli_train, graphs_that_cannot_be_trained_on_are_refused)
{
  runs(0, "generate csbm --nodes 50 --degree 4 --features 0 -o plain.hg");
  runs(0, "generate csbm --nodes 50 --degree 4 --train 0 -o nosplit.hg");
  runs(0, "generate csbm --nodes 50 --degree 4 --classes 0 -o nolabel.hg");
  runs(0, "generate csbm --nodes 2 --degree 1 --classes 2 -o tiny.hg");
  runs(0, "partition g.hg -k 2 -o p2.hg");
  runs(0, "partition tiny.hg -k 1 -o other.hg");
  write_text(path_in(folder, "text.hg"), "no HDF5 at all");
  static const refusal table[] = {
      {"train c.yaml --quiet --set dataset.path=plain.hg", "plain.hg: found no node features"},
      {"train c.yaml --quiet --set dataset.path=nosplit.hg", "nosplit.hg: found no split, expected one"},
      {"train c.yaml --quiet --set dataset.path=nolabel.hg", "nolabel.hg: found no labels or targets"},
      {"train c.yaml --quiet --set dataset.path=text.hg", "text.hg"},
      {"train c.yaml --quiet --set dataset.path=p2.hg", "p2.hg: found 2 parts, expected one for each of the 1 ranks"},
      {"train c.yaml --quiet --set partition.path=p2.hg", "p2.hg: found 2 parts, expected one for each of the 1 ranks"},
      {"train c.yaml --quiet --set partition.path=other.hg",
       "partition.path: found other.hg, which was made from another graph than g.hg"},
      {"train c.yaml --quiet --set partition.path=g.hg", "g.hg"},
      {"train c.yaml --quiet --set partition.path=no.hg", "no.hg"},
      {"train c.yaml --quiet --set model.label_rate=0.5 --set model.type=mlp",
       "model.label_rate: found 0.5 with model.type mlp, expected 0, or type gcn"},
      {"train c.yaml --quiet --set train.loss=mse", "train.loss: found one that does not fit g.hg"},
      {"train c.yaml --quiet --set train.metric=rmse", "train.metric: found rmse, which does not fit g.hg"},
      {"train c.yaml --quiet --set train.metric=roc_auc", "train.metric: found roc_auc for 3 classes in g.hg"},
  };
  expect_refusals(table, sizeof table / sizeof *table);
  expect_refusal(folder, 3, 2, "train c.yaml --quiet --set dataset.path=tiny.hg", "only 2 nodes");
  expect_refusal(folder, 3, 2, "train c.yaml --quiet --set partition.path=p2.hg",
                 "found 2 parts, expected one for each of the 3 ranks");
  expect_refusal(folder, 2, 2, "train c.yaml --quiet --set dataset.path=plain.hg", "plain.hg: found no node features");
  cr_expect_not(is_there("runs"), "nothing is written");
}

Test(cli_train, outputs_that_cannot_be_are_refused)
{
  write_text(path_in(folder, "file"), "text");
  runs(0, "train c.yaml --quiet --output r");
  cr_assert_eq(mkdir(path_in(folder, "empty"), 0777), 0);
  write_text(path_in(folder, "empty/config.yaml"), config_text);
  static const refusal table[] = {
      {"train c.yaml --quiet --output file", "output: file/checkpoints: cannot make the folder: Not a directory"},
      {"train c.yaml --quiet --output file/r", "output: file/r: cannot make the folder"},
      {"predict r -o p.txt", "p.txt: found a file name of another kind"},
      {"predict r -o no/p.npz", "no/p.npz: cannot write in the folder no"},
      {"predict r -o file/p.npz", "file/p.npz: cannot write: file is a file, expected a folder"},
      {"predict missing", "missing: found no config.yaml in it"},
      {"predict empty", "empty/checkpoints/best_0.h5"},
      {"predict file", "file"},
      {"export empty -o w", "empty/checkpoints/best_0.h5"},
      {"export r -o no/w", "no/w: cannot write in the folder no"},
      {"export r --repeat 5 -o w", "r/checkpoints/best_5.h5"},
  };
  expect_refusals(table, sizeof table / sizeof *table);
  expect_refusal(folder, 2, 2, "predict r -o no/p.npz", "no/p.npz: cannot write in the folder no");
}

// files may not grow beyond some KiB, as on a disk that is nearly full
static void expect_disk_full(const char *limit, const char *words, const char *file)
{
  char command[4096];
  snprintf(command, sizeof command, "trap '' XFSZ; ulimit -f %s; exec %s %s", limit, HALOGNN, words);
  run_result r = run_in(folder, 60, (const char *const[]){"sh", "-c", command, NULL});
  cr_expect_eq(r.status, 1, "status %d\n%s%s", r.status, r.out, r.err);
  cr_expect_not_null(strstr(r.err, file), "expected %s, found %s", file, r.err);
  cr_expect_not_null(strstr(r.err, "File too large"), "%s", r.err);
  run_free(&r);
}

Test(cli_train, a_full_disk_ends_the_run_with_its_reason)
{
  const char *words = "train c.yaml --quiet --output r --set train.epochs=500";
  expect_disk_full("8", words, "r/parts_k1.hg: "); // blocks of 512 bytes
  runs(0, "partition g.hg -k 1");
  expect_disk_full("64", words, "r/metrics.jsonl: cannot write");
  expect_disk_full("8", "train c.yaml --quiet --output s --set train.epochs=2", "s/checkpoints/repeat_0_epoch_2.h5: ");
}

Test(cli_train, a_run_that_diverges_says_so_and_its_folder_too)
{
  run_result r = expect_status(folder, 2, 1, "train c.yaml --quiet --output r --set train.learning_rate=1e30");
  cr_expect_not_null(strstr(r.err, "the training loss is not a number any more"), "%s", r.err);
  run_free(&r);
  json_t *s = load_json(folder, "r/summary.json");
  cr_expect_str_eq(json_string_value(json_object_get(s, "status")), "failed");
  cr_expect_not_null(strstr(json_string_value(json_object_get(s, "error")), "not a number any more"));
  json_decref(s);
}
