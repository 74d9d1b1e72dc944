// Training on collections of graphs: P ranks follow one, runs repeat bit by bit, resumed runs too; predictions.
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "comm/reduce.h"
#include "core/base/alloc.h"
#include "core/graph/store.h"
#include "runtime/train/feed_collection.h"
#include "runtime/train/predict.h"
#include "runtime/train/run.h"
#include "tests/mpi/train_collection.h"
#include "tests/mpi/train_runs.h"
#include "tests/support/mpi_case.h"

enum { EPOCHS = 10, NUMBERS = EPOCHS + 3 };

// losses of `epochs` epochs' training, and of the scored splits after them
static void follow(hg_world *world, const hg_config *config, int epochs, double *numbers)
{
  hg_trainer t;
  hg_phases phases;
  hg_scores scores[HG_SPLIT_COUNT];
  hg_phases_start(&phases);
  if (!check_ok(hg_trainer_create(&t, world, config))) return;
  hg_trainer_start(&t, config->seed);
  for (int e = 1; e <= epochs; e++) {
    const hg_plan plan = hg_schedule_plan(config, &(hg_schedule_state){0}, e);
    hg_step step = hg_trainer_step(&t, config->seed, &plan, NULL, &phases);
    double sums[] = {step.loss.loss, step.loss.weight};
    check_ok(step.status);
    hg_sum_doubles(world, sums, 2);
    *numbers++ = sums[0] / sums[1];
  }
  check_ok(hg_trainer_evaluate(&t, scores));
  check(isnan(scores[HG_SPLIT_TRAIN].loss), "training graphs are scored");
  *numbers++ = scores[HG_SPLIT_VAL].loss;
  *numbers++ = scores[HG_SPLIT_TEST].loss;
  *numbers = config->dataset.normalize_targets ? scores[HG_SPLIT_TEST].rmse : scores[HG_SPLIT_TEST].loss;
  hg_trainer_free(&t);
}

// In single precision a gate or a maximum that falls on the other side of its kink moves a loss by 1e-3.
static void check_follows_one(hg_world *world, const train_collection *collection, const char *const *changes)
{
  char path[HG_PATH_MAX];
  double expected[NUMBERS] = {0}, found[NUMBERS] = {0};
  hg_world *self = NULL;
  check_ok(train_collection_write(world, collection, path));
  hg_config config = train_config(path);
  train_configure(&config, changes);
  int epochs = config.train.epochs = train_exact ? EPOCHS : 4;
  check_ok(hg_world_self_create(&self, world));
  if (hg_world_rank(world) == 0) follow(self, &config, epochs, expected);
  hg_broadcast(world, expected, sizeof expected, 0);
  follow(world, &config, epochs, found);
  check_train_curves(found, expected, epochs + 3, train_exact ? 1e-9 : 1e-4, changes[0]);
  hg_world_self_free(&self);
  train_graph_remove(world, path);
}

static void ranks_follow_one(hg_world *world)
{
  train_collection c = train_collection_default();
  check_follows_one(world, &c,
                    OPTIONS("train.batch_size=5", "model.layers=3", "model.dropout=0.5", "model.input_dropout=0.2",
                            "train.class_weights=balanced", "model.readout=sum"));
  check_follows_one(world, &c,
                    OPTIONS("train.batch_size=1", "model.norm=batch", "model.head_layers=2", "model.readout=max",
                            "train.weight_decay=0.01", "model.residual=true", "model.layers=3"));
  check_follows_one(world, &c,
                    OPTIONS("train.batch_size=1000", "model.norm=batch", "model.head_layers=3", "model.dropout=0.3",
                            "dataset.append_positions=true", "dataset.normalize_features=standardize"));
  c.directed = true;
  check_follows_one(world, &c, OPTIONS("train.batch_size=4", "model.pooling=cluster", "model.norm=layer"));
  c.task = HG_TASK_MULTILABEL;
  c.n_classes = 11;
  check_follows_one(world, &c,
                    OPTIONS("train.batch_size=7", "model.type=mlp", "model.norm=layer", "model.head_layers=2",
                            "train.optimizer=sgd", "train.momentum=0.9", "model.dropout=0.4"));
  c.task = HG_TASK_REGRESSION;
  c.n_classes = 2;
  check_follows_one(world, &c,
                    OPTIONS("train.batch_size=64", "dataset.normalize_targets=standardize", "model.normalization=row",
                            "dataset.normalize_features=row", "train.schedule=cosine", "model.activation=elu"));
}

static void ranks_follow_one_with_geogcn(hg_world *world)
{
  train_collection c = train_collection_default();
  check_follows_one(world, &c,
                    OPTIONS("train.batch_size=5", "model.type=geogcn", "model.pooling=cluster", "model.readout=max",
                            "model.dropout=0.3", "model.normalization=row", "model.filters=3"));
  check_follows_one(world, &c,
                    OPTIONS("train.batch_size=8", "model.type=geogcn", "model.pooling=cluster", "model.norm=batch",
                            "model.pooling_weight=similarity", "model.layers=3", "augment.rotate=180",
                            "augment.reflect=true", "augment.scale=0.2", "augment.jitter=0.1", "augment.per=graph",
                            "augment.test_samples=2"));
  c.directed = true;
  check_follows_one(world, &c,
                    OPTIONS("train.batch_size=6", "model.type=geogcn", "model.filters_per=shared", "model.layers=3",
                            "augment.rotate=180", "augment.jitter=0.1", "augment.per=batch", "augment.test_samples=3"));
  c.n_dims = 3;
  c.task = HG_TASK_REGRESSION;
  c.n_classes = 1;
  check_follows_one(world, &c,
                    OPTIONS("train.batch_size=9", "model.type=geogcn", "augment.rotate=180", "augment.jitter=0.1",
                            "augment.per=epoch", "dataset.normalize_targets=standardize", "model.head_layers=2",
                            "model.normalize_positions=none"));
}

// on most ranks every batch is empty, and so is their share of the evaluation
static void fewer_graphs_than_ranks(hg_world *world)
{
  train_collection c = train_collection_default();
  c.n_graphs = 5;
  c.seed = 7; // two of them to train on
  check_follows_one(world, &c, OPTIONS("train.batch_size=2", "model.norm=batch", "model.dropout=0.3"));
  check_follows_one(world, &c, OPTIONS("model.type=mlp", "model.norm=layer", "model.head_layers=2"));
  check_follows_one(world, &c,
                    OPTIONS("train.batch_size=3", "model.type=geogcn", "model.pooling=cluster", "model.norm=batch",
                            "model.layers=3", "augment.jitter=0.1", "augment.rotate=180"));
}

static void same_run_same_bits(hg_world *world)
{
  train_collection c = train_collection_default();
  char path[HG_PATH_MAX];
  double first[NUMBERS] = {0}, second[NUMBERS] = {0};
  check_ok(train_collection_write(world, &c, path));
  hg_config config = train_config(path);
  train_configure(&config,
                  OPTIONS("model.type=geogcn", "model.pooling=cluster", "model.dropout=0.5", "model.norm=batch",
                          "train.batch_size=5", "augment.rotate=180", "augment.jitter=0.1"));
  follow(world, &config, EPOCHS, first);
  follow(world, &config, EPOCHS, second);
  check(memcmp(first, second, sizeof first) == 0, "the second run has other losses");
  train_graph_remove(world, path);
}

// with plain SGD and one batch an epoch, averaging weights after each epoch is averaging gradients
static void local_every_epoch_is_allreduce(hg_world *world)
{
  train_collection c = train_collection_default();
  char path[HG_PATH_MAX];
  double every_step[NUMBERS], local[NUMBERS];
  check_ok(train_collection_write(world, &c, path));
  hg_config config = train_config(path);
  train_configure(&config, OPTIONS("train.optimizer=sgd", "train.momentum=0", "train.batch_size=100"));
  follow(world, &config, EPOCHS, every_step);
  train_configure(&config, OPTIONS("train.sync=local", "train.sync_every=1"));
  follow(world, &config, EPOCHS, local);
  check_train_curves(local, every_step, NUMBERS, train_exact ? 1e-9 : 1e-4, "local");
  train_graph_remove(world, path);
}

static void coordinator_sums_agree_with_allreduce(hg_world *world)
{
  train_collection c = train_collection_default();
  char path[HG_PATH_MAX];
  hg_checkpoint allreduce = {0}, first = {0}, second = {0};
  check_ok(train_collection_write(world, &c, path));
  hg_config config = train_config(path);
  train_configure(&config, OPTIONS("train.epochs=4", "train.batch_size=5", "train.optimizer=sgd"));
  train_run(world, &config, false, &allreduce);
  train_configure(&config, OPTIONS("train.sync=coordinator"));
  train_run(world, &config, false, &first);
  train_run(world, &config, false, &second);
  check_train_weights(&first, &allreduce, train_exact ? 1e-9 : 1e-4, "coordinator");
  check_train_weights(&second, &first, 0, "coordinator again");
  hg_checkpoint_free(&allreduce);
  hg_checkpoint_free(&first);
  hg_checkpoint_free(&second);
  train_graph_remove(world, path);
}

// goes on from each checkpoint in turn, the last one first
static void check_resumed(hg_world *world, const char *const *changes)
{
  enum { STOPS = 5 };
  train_collection c = train_collection_default();
  char path[HG_PATH_MAX];
  hg_checkpoint whole = {0}, resumed = {0};
  hg_world *self = NULL;
  check_ok(train_collection_write(world, &c, path));
  hg_config config = train_config(path);
  train_configure(&config, OPTIONS("train.epochs=5", "train.checkpoint_every=1", "train.keep_checkpoints=9",
                                   "train.batch_size=5", "model.dropout=0.5", "train.schedule=cosine"));
  train_configure(&config, changes);
  train_run(world, &config, false, &whole);
  for (int stop = STOPS - 1; stop > 0; stop -= 2) {
    for (int epoch = stop + 1; epoch <= STOPS; epoch++) train_remove_checkpoint(world, &config, epoch);
    train_run(world, &config, true, &resumed);
    check_train_weights(&resumed, &whole, 0, "resumed");
    hg_checkpoint_free(&resumed);
  }
  train_remove_checkpoint(world, &config, STOPS);
  check_ok(hg_world_self_create(&self, world));
  if (hg_world_rank(world) == 0) {
    train_run(self, &config, true, &resumed);
    check_train_weights(&resumed, &whole, train_exact ? 1e-9 : 1e-4, "resumed on one rank");
    hg_checkpoint_free(&resumed);
  }
  hg_world_self_free(&self);
  hg_checkpoint_free(&whole);
  train_graph_remove(world, path);
}

static void resumed_run_has_the_same_bits(hg_world *world)
{
  check_resumed(world, OPTIONS("model.norm=batch", "model.head_layers=2"));
  check_resumed(world, OPTIONS("model.type=geogcn", "model.pooling=cluster", "augment.rotate=180", "augment.jitter=0.1",
                               "augment.test_samples=2"));
}

// every node's position follows its features, as in the file; what sees them learns
static void positions_become_features(hg_world *world)
{
  train_collection what = train_collection_default();
  char path[HG_PATH_MAX];
  hg_trainer t;
  hg_collection c = {0};
  double numbers[NUMBERS] = {0};
  check_ok(train_collection_write(world, &what, path));
  hg_config config = train_config(path);
  train_configure(&config, OPTIONS("dataset.append_positions=true", "train.batch_size=8"));
  if (check_ok(hg_trainer_create(&t, world, &config))) {
    const hg_nodes *nodes = &hg_collection_feed_of(&t)->collection.united.nodes;
    const hg_features *f = &nodes->features;
    int width = what.width, dims = what.n_dims;
    bool widened = check(f->width == width + dims && t.model.layers[0].f_in == width + dims, "%d columns, %d inputs",
                         f->width, t.model.layers[0].f_in);
    if (widened && check_ok(hg_store_read_collection(path, &c))) {
      const hg_nodes *read = &c.united.nodes;
      for (hg_off i = 0; i < nodes->n; i++) {
        const float *row = f->dense + i * f->width;
        check(memcmp(row, read->features.dense + i * width, (size_t)width * sizeof *row) == 0 &&
                  memcmp(row + width, read->positions + i * dims, (size_t)dims * sizeof *row) == 0,
              "node %lld has other features", (long long)i);
      }
    }
    hg_trainer_free(&t);
  }
  follow(world, &config, EPOCHS, numbers);
  check(numbers[EPOCHS - 1] < 0.99 * numbers[0], "the loss went from %g to %g", numbers[0], numbers[EPOCHS - 1]);
  hg_collection_free(&c);
  train_graph_remove(world, path);
}

// every graph once, ascending by original id; outputs and embeddings as expected
static void check_predictions(const hg_predictions *found, const hg_predictions *expected, hg_off n)
{
  if (!check(found->n == n && expected->n == n, "%d and %d predictions", (int)found->n, (int)expected->n)) return;
  for (hg_off g = 0; g < n; g++)
    check(found->original_ids[g] == 1000 + 3 * g, "id %lld in place %d", (long long)found->original_ids[g], (int)g);
  for (hg_off e = 0; e < n * found->n_classes; e++)
    check(fabsf(found->outputs[e] - expected->outputs[e]) <= 1e-5f, "output %d", (int)e);
  for (hg_off e = 0; e < n * found->n_embedding; e++)
    check(fabsf(found->embeddings[e] - expected->embeddings[e]) <= 1e-4f, "embedding %d", (int)e);
}

static void predict_and_compare(hg_world *world, const hg_config *config, hg_off n)
{
  hg_predictions all = {0}, alone = {0};
  hg_world *self = NULL;
  check_ok(hg_predict(world, config, 0, false, &all));
  check_ok(hg_world_self_create(&self, world));
  if (hg_world_rank(world) == 0 && check_ok(hg_predict(self, config, 0, false, &alone)))
    check_predictions(&all, &alone, n);
  check(hg_world_rank(world) == 0 || (!all.outputs && !all.original_ids), "predictions beside rank 0");
  hg_world_self_free(&self);
  hg_predictions_free(&all);
  hg_predictions_free(&alone);
}

// the graphs of the run, others with labels that are not looked at, and others without any
static void check_predicted(hg_world *world, const char *const *changes)
{
  train_collection c = train_collection_default();
  char own[HG_PATH_MAX], path[HG_PATH_MAX];
  check_ok(train_collection_write(world, &c, own));
  hg_config config = train_config(own);
  train_configure(&config, OPTIONS("train.epochs=2", "train.batch_size=5", "model.dropout=0.5"));
  train_configure(&config, changes);
  check_ok(hg_run_train(world, &config, (hg_run_options){.quiet = true}));
  hg_barrier(world);
  predict_and_compare(world, &config, c.n_graphs);
  for (int labels = 0; labels < 2; labels++) {
    c.n_graphs = labels ? 2 : 23;
    c.task = labels ? HG_TASK_REGRESSION : HG_TASK_NONE;
    c.without_split = !labels;
    c.seed++;
    check_ok(train_collection_write(world, &c, path));
    snprintf(config.dataset.path, sizeof config.dataset.path, "%s", path);
    predict_and_compare(world, &config, c.n_graphs);
    train_graph_remove(world, path);
  }
  train_graph_remove(world, own);
}

static void every_graph_is_predicted_once(hg_world *world)
{
  check_predicted(world, OPTIONS("model.norm=batch", "model.head_layers=2"));
  check_predicted(world, OPTIONS("model.type=geogcn", "model.pooling=cluster", "augment.rotate=180",
                                 "augment.jitter=0.1", "augment.per=batch", "augment.test_samples=2"));
}

// what the first graphs are predicted to be in `found` is what they are in `expected`, to a rounding
static void check_company(const hg_predictions *found, const hg_predictions *expected, hg_off n)
{
  if (!check(found->n == n && expected->n > n, "%d and %d predictions", (int)found->n, (int)expected->n)) return;
  for (hg_off e = 0; e < n * found->n_classes; e++)
    check(fabs((double)found->outputs[e] - (double)expected->outputs[e]) <= 1e-5, "output %d: %.9g, expected %.9g",
          (int)e, (double)found->outputs[e], (double)expected->outputs[e]);
}

// the first graphs of the run's collection, as a collection of their own: its mean edge and moments are others
static void check_alone(hg_world *world, train_collection c, const char *const *changes)
{
  enum { FEW = 4 };
  char own[HG_PATH_MAX], path[HG_PATH_MAX];
  hg_predictions all = {0}, few = {0};
  check_ok(train_collection_write(world, &c, own));
  hg_config config = train_config(own);
  train_configure(&config, OPTIONS("train.epochs=3", "train.batch_size=5", "dataset.normalize_features=standardize"));
  train_configure(&config, changes);
  check_ok(hg_run_train(world, &config, (hg_run_options){.quiet = true}));
  hg_barrier(world);
  check_ok(hg_predict(world, &config, 0, false, &all));
  c.n_graphs = FEW;
  c.task = HG_TASK_NONE;
  c.without_split = true;
  check_ok(train_collection_write(world, &c, path));
  snprintf(config.dataset.path, sizeof config.dataset.path, "%s", path);
  check_ok(hg_predict(world, &config, 0, false, &few));
  if (hg_world_rank(world) == 0) check_company(&few, &all, FEW);
  hg_predictions_free(&all);
  hg_predictions_free(&few);
  train_graph_remove(world, path);
  train_graph_remove(world, own);
}

static void predictions_do_not_depend_on_company(hg_world *world)
{
  train_collection c = train_collection_default();
  check_alone(world, c, OPTIONS("model.type=geogcn", "model.pooling=cluster", "model.norm=batch"));
  c.task = HG_TASK_REGRESSION;
  c.n_classes = 2;
  check_alone(world, c, OPTIONS("model.type=geogcn", "dataset.normalize_targets=standardize", "model.readout=sum"));
  check_alone(world, c, OPTIONS("dataset.normalize_targets=standardize", "dataset.append_positions=true"));
}

// the test accuracy that a run reports is that of the predictions of its best weights
static void scores_are_those_of_the_predictions(hg_world *world)
{
  train_collection what = train_collection_default();
  what.n_graphs = 60;
  char path[HG_PATH_MAX];
  hg_predictions p = {0};
  hg_collection c = {0};
  hg_checkpoint last = {0};
  check_ok(train_collection_write(world, &what, path));
  hg_config config = train_config(path);
  train_configure(&config, OPTIONS("train.epochs=5", "train.batch_size=7", "model.type=geogcn", "model.norm=batch",
                                   "augment.rotate=180", "augment.test_samples=3"));
  train_run(world, &config, false, &last);
  check_ok(hg_predict(world, &config, 0, false, &p));
  if (hg_world_rank(world) == 0 && check_ok(hg_store_read_collection(path, &c))) {
    int right = 0, n = 0;
    for (hg_off g = 0; g < c.n_graphs; g++) {
      const float *z = p.outputs + g * 3;
      int best = z[1] > z[0] ? 1 : 0;
      if (z[2] > z[best]) best = 2;
      if (c.items.split[g] != HG_SPLIT_TEST) continue;
      right += best == c.items.labels[g];
      n++;
    }
    check(n > 5 && fabs(right / (double)n - last.best_test.accuracy) < 1e-12, "%d of %d are right, reported %g", right,
          n, last.best_test.accuracy);
  }
  hg_collection_free(&c);
  hg_predictions_free(&p);
  hg_checkpoint_free(&last);
  train_graph_remove(world, path);
}

const mpi_case collection_cases[] = {
    {"collection/ranks_follow_one", ranks_follow_one, "2 3 4 7"},
    {"collection/ranks_follow_one_with_geogcn", ranks_follow_one_with_geogcn, "2 3 7"},
    {"collection/fewer_graphs_than_ranks", fewer_graphs_than_ranks, "4 7"},
    {"collection/same_run_same_bits", same_run_same_bits, "1 3"},
    {"collection/local_every_epoch_is_allreduce", local_every_epoch_is_allreduce, "3"},
    {"collection/coordinator_sums_agree_with_allreduce", coordinator_sums_agree_with_allreduce, "2 3"},
    {"collection/resumed_run_has_the_same_bits", resumed_run_has_the_same_bits, "1 3"},
    {"collection/positions_become_features", positions_become_features, "1 3"},
    {"collection/every_graph_is_predicted_once", every_graph_is_predicted_once, "2 7"},
    {"collection/predictions_do_not_depend_on_company", predictions_do_not_depend_on_company, "1 3"},
    {"collection/scores_are_those_of_the_predictions", scores_are_those_of_the_predictions, "1 3"},
    {0},
};
