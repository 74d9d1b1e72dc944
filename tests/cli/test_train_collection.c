// train and predict on collections of graphs as a user runs them, and what they refuse.
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/base/alloc.h"
#include "core/graph/store.h"
#include "tests/cli/program.h"
#include "tests/support/sample_collection.h"
#include "tests/support/spoil_h5.h"

enum { GRAPHS = 40 };

static char *folder;

static const char config_text[] = "name: small\n"
                                  "dataset: {path: c.hg}\n"
                                  "model: {type: geogcn, hidden: 6, filters: 3, dropout: 0.2}\n"
                                  "train: {epochs: 6, batch_size: 8}\n";

// GRAPHS graphs of four features and three classes or one target; without task no split either
static void write_collection(const char *name, int n_dims, hg_task task, uint64_t seed)
{
  hg_collection c;
  int outputs = task == HG_TASK_REGRESSION ? 1 : 3;
  cr_assert_eq(sample_collection(&c, GRAPHS, 4, n_dims, task, outputs, seed), HG_OK, "%s", hg_error_text());
  if (task == HG_TASK_NONE) hg_free(&c.items.split);
  cr_assert_eq(hg_store_write_collection(path_in(folder, name), &c, "test"), HG_OK, "%s", hg_error_text());
  hg_collection_free(&c);
}

// c.hg: graphs with 3-D positions; c.yaml
static void set_up(void)
{
  folder = temporary_folder();
  write_text(path_in(folder, "c.yaml"), config_text);
  write_collection("c.hg", 3, HG_TASK_CLASSES, 1);
}

static void tear_down(void) { temporary_folder_remove(&folder); }

TestSuite(cli_train_collection, .init = set_up, .fini = tear_down);

static void runs(int ranks, const char *words)
{
  run_result r = expect_status(folder, ranks, 0, words);
  run_free(&r);
}

static void prints(int ranks, const char *words, const char *text)
{
  run_result r = expect_status(folder, ranks, 0, words);
  cr_expect_not_null(strstr(r.out, text), "halognn %s: expected '%s', found\n%s", words, text, r.out);
  run_free(&r);
}

// molecules end to end: their scores, their predictions, more epochs
static void train_molecules(const char *data, const char *option, const char *metric, int graphs)
{
  static const char *const keys[] = {"ranks",         "epochs",     "best_epoch",     "train_loss",
                                     "planned_bytes", "used_bytes", "peak_rss_bytes", "epoch_seconds_median"};
  char words[1024];
  snprintf(words, sizeof words, "import npz %s -o m.hg", shared_data(data));
  runs(0, words);
  snprintf(words, sizeof words,
           "train c.yaml --quiet --output r --set dataset.path=m.hg --set model.pooling=cluster --set train.epochs=2 "
           "--set train.batch_size=64 --set %s",
           option);
  runs(2, words);
  json_t *s = load_json(folder, "r/summary.json");
  for (size_t k = 0; k < sizeof keys / sizeof *keys; k++) (void)number_of(s, keys[k]);
  cr_expect_str_eq(json_string_value(json_object_get(s, "status")), "finished");
  cr_expect_gt(number_of(s, metric), 0);
  cr_expect_gt(number_of(json_object_get(s, "phases"), "batch"), 0);
  cr_expect_eq(number_of(s, "halo_bytes_per_epoch"), 0);
  json_decref(s);
  snprintf(words, sizeof words, "p.csv: %d graphs", graphs);
  prints(0, "predict r -o p.csv", words);
  cr_expect_eq(count_lines(folder, "p.csv"), graphs + 1);
  runs(3, "predict r -o p.npz");
  snprintf(words, sizeof words,
           "import csv, json, numpy as np\n"
           "p, rows = np.load('p.npz'), list(csv.DictReader(open('p.csv')))\n"
           "assert len(p['predictions' if 'predictions' in p else 'values']) == %d\n"
           "assert [int(r['original_id']) for r in rows] == p['original_ids'].tolist()\n"
           "assert p['embeddings'].shape == (%d, 6) and np.isfinite(p['embeddings']).all()\n"
           "if 'values' in p:\n"
           "    found = np.array([[float(r['value'])] for r in rows])\n"
           "    assert np.allclose(found, p['values'].reshape(-1, 1), atol=1e-4)\n"
           "    d = np.load('%s')\n"
           "    error = p['values'].reshape(-1)[d['test_idx']] - d['y'][d['test_idx']]\n"
           "    rmse = json.load(open('r/summary.json'))['test_rmse']\n"
           "    assert abs(np.sqrt((error ** 2).mean()) - rmse) < 1e-4 * rmse\n",
           graphs, graphs, shared_data(data));
  python_agrees(folder, words);
}

Test(cli_train_collection, molecules_are_classified)
{
  train_molecules("bbbp.npz", "train.metric=roc_auc", "test_roc_auc", 2038);
}

Test(cli_train_collection, molecules_have_their_targets_predicted)
{
  train_molecules("esol.npz", "dataset.normalize_targets=standardize", "test_rmse", 1128);
}

Test(cli_train_collection, three_ranks_follow_one)
{
  runs(0, "train c.yaml --quiet --output one");
  runs(3, "train c.yaml --quiet --output three");
  python_agrees(folder, "import json\n"
                        "a, b = [[json.loads(l) for l in open(f + '/metrics.jsonl')] for f in ('one', 'three')]\n"
                        "assert len(a) == len(b) == 6\n"
                        "for x, y in zip(a, b):\n"
                        "    for key in ('train_loss', 'val_loss', 'test_loss'):\n"
                        "        if key in x:\n"
                        "            assert abs(x[key] - y[key]) <= 1e-4 * abs(x[key]), (key, x, y)\n");
}

Test(cli_train_collection, a_resumed_run_ends_as_one_that_was_not_stopped)
{
  runs(2, "train c.yaml --quiet --output whole");
  runs(2, "train c.yaml --quiet --output r --set train.checkpoint_every=2 --set train.keep_checkpoints=9");
  cr_assert_eq(unlink(path_in(folder, "r/checkpoints/repeat_0_epoch_6.h5")), 0);
  runs(2, "train c.yaml --quiet --output r --resume");
  cr_expect_eq(count_lines(folder, "r/metrics.jsonl"), 6);
  python_agrees(folder,
                "import json\n"
                "a, b = [[json.loads(l)['train_loss'] for l in open(f + '/metrics.jsonl')] for f in ('whole', 'r')]\n"
                "assert a == b, (a, b)\n");
  runs(3, "train c.yaml --quiet --output r --resume --set train.epochs=8");
  cr_expect_eq(count_lines(folder, "r/metrics.jsonl"), 8);
  write_collection("other.hg", 3, HG_TASK_CLASSES, 2);
  expect_refusal(folder, 0, 2, "train c.yaml --quiet --output r --resume --set dataset.path=other.hg",
                 "found a run on another");
}

Test(cli_train_collection, a_dry_run_plans_and_writes_nothing)
{
  run_result r = expect_status(folder, 2, 0, "train c.yaml --dry-run --output r");
  cr_expect(strncmp(r.out, "40 graphs, ", 11) == 0, "%s", r.out);
  cr_expect_not_null(strstr(r.out, " of them to train on, "), "%s", r.out);
  cr_expect_not_null(strstr(r.out, " batches of 8 graphs an epoch, "), "%s", r.out);
  cr_expect_not_null(strstr(r.out, "memory planned: "), "%s", r.out);
  cr_expect_neq(access(path_in(folder, "r"), F_OK), 0);
  run_free(&r);
}

Test(cli_train_collection, graphs_without_labels_are_predicted)
{
  runs(0, "train c.yaml --quiet --output r");
  write_collection("plain.hg", 3, HG_TASK_NONE, 2);
  prints(3, "predict r --dataset plain.hg -o p.csv", "p.csv: 40 graphs");
  cr_expect_eq(count_lines(folder, "p.csv"), GRAPHS + 1);
}

static void forget_scales(hid_t file) { cr_assert_geq(H5Ldelete(file, "/scales", H5P_DEFAULT), 0); }

// a checkpoint of an earlier version is good for its own data, and for others where nothing has to be scaled
Test(cli_train_collection, a_checkpoint_without_scales_is_for_its_own_data)
{
  write_collection("other.hg", 3, HG_TASK_NONE, 2);
  runs(0, "train c.yaml --quiet --output r");
  runs(0, "predict r -o with.npz");
  h5_spoil(path_in(folder, "r/checkpoints/best_0.h5"), forget_scales);
  runs(0, "predict r -o without.npz");
  python_agrees(folder, "import numpy as np\n"
                        "a, b = np.load('with.npz'), np.load('without.npz')\n"
                        "assert np.array_equal(a['probabilities'], b['probabilities'])\n");
  expect_refusal(folder, 2, 2, "predict r --dataset other.hg -o p.csv",
                 "other.hg: found other data than the model was trained on, and a checkpoint of an earlier version "
                 "without the training's scales, which model.normalize_positions: mean_edge needs; train again");
  runs(0, "train c.yaml --quiet --output s --set model.type=gcn");
  h5_spoil(path_in(folder, "s/checkpoints/best_0.h5"), forget_scales);
  runs(0, "predict s --dataset other.hg -o p.csv");
}

Test(cli_train_collection, graphs_are_scaled_as_those_of_the_run)
{
  runs(0, "train c.yaml --quiet --output r --set dataset.normalize_features=standardize");
  write_collection("plain.hg", 3, HG_TASK_NONE, 2);
  runs(0, "predict r --dataset plain.hg -o one.npz");
  runs(3, "predict r --dataset plain.hg -o three.npz");
  python_agrees(folder, "import numpy as np\n"
                        "a, b = np.load('one.npz')['probabilities'], np.load('three.npz')['probabilities']\n"
                        "assert a.shape == (40, 3) and np.isfinite(a).all() and np.allclose(a, b, atol=1e-5)\n");
}

Test(cli_train_collection, a_model_is_not_for_graphs_of_another_kind)
{
  runs(0, "train c.yaml --quiet --output r");
  write_collection("flat.hg", 2, HG_TASK_CLASSES, 1);
  expect_refusal(folder, 0, 2, "predict r --dataset flat.hg -o p.csv", "found a checkpoint of another model");
  write_collection("nowhere.hg", 0, HG_TASK_CLASSES, 1);
  expect_refusal(folder, 2, 2, "predict r --dataset nowhere.hg -o p.csv",
                 "model.type: geogcn needs positions of the nodes, found none in nowhere.hg");
  runs(0, "generate geometric --nodes 50 --features 4 --classes 3 --dims 3 -o g.hg");
  runs(0, "train c.yaml --quiet --output s --set dataset.path=g.hg");
  expect_refusal(folder, 0, 2, "predict s --dataset c.hg -o p.csv", "found a checkpoint of another model");
  expect_refusal(folder, 0, 2, "predict r --dataset g.hg -o p.csv", "found a checkpoint of another model");
}

Test(cli_train_collection, what_cannot_be_trained_on_is_refused)
{
  write_collection("nowhere.hg", 0, HG_TASK_CLASSES, 1);
  expect_refusal(folder, 2, 2, "train c.yaml --quiet --set dataset.path=nowhere.hg",
                 "model.type: geogcn needs positions of the nodes, found none in nowhere.hg");
  expect_refusal(folder, 0, 2,
                 "train c.yaml --quiet --set dataset.path=nowhere.hg --set model.type=gcn --set model.pooling=cluster",
                 "model.pooling: cluster needs positions of the nodes, found none in nowhere.hg");
  write_collection("plain.hg", 3, HG_TASK_NONE, 1);
  expect_refusal(folder, 2, 2, "train c.yaml --quiet --set dataset.path=plain.hg",
                 "plain.hg: found no labels or targets of the graphs, training needs some");
  expect_refusal(folder, 0, 2, "train c.yaml --quiet --set train.batch_size=0",
                 "train.batch_size: found '0', expected an integer from 1 to 1048576");
  expect_refusal(folder, 0, 2, "train c.yaml --quiet --set partition.path=parts.hg",
                 "partition.path: found parts.hg, but the graphs of c.hg are given to the ranks as a whole");
  expect_refusal(folder, 0, 2, "partition c.hg -k 2 -o p.hg", "c.hg: holds many graphs");
  runs(0, "generate geometric --nodes 50 --features 4 --classes 3 -o g.hg");
  expect_refusal(folder, 0, 2, "train c.yaml --quiet --set dataset.path=g.hg --set model.pooling=cluster",
                 "model.pooling: found cluster, which pools the nodes of many small graphs, and one graph in g.hg");
}

Test(cli_train_collection, a_file_that_is_cut_off_is_refused)
{
  struct stat info;
  cr_assert_eq(stat(path_in(folder, "c.hg"), &info), 0);
  for (int part = 0; part < 5; part++) {
    cr_assert_eq(truncate(path_in(folder, "c.hg"), info.st_size * (4 - part) / 5), 0);
    expect_refusal(folder, part == 0 ? 2 : 0, 2, "train c.yaml --quiet", "c.hg: ");
  }
}
