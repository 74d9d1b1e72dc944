// What is computed over all ranks' nodes is what one rank computes: scores, scaling, predictions.
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "comm/reduce.h"
#include "core/base/alloc.h"
#include "core/graph/store.h"
#include "runtime/train/feed_graph.h"
#include "runtime/train/predict.h"
#include "runtime/train/run.h"
#include "runtime/train/trainer.h"
#include "tests/mpi/train_graph.h"
#include "tests/support/mpi_case.h"

static const double tolerance = sizeof(hg_real) == sizeof(double) ? 1e-9 : 1e-4;

#define OPTIONS(...) ((const char *const[]){__VA_ARGS__, NULL})

static void configure(hg_config *config, const char *const *changes)
{
  for (; *changes; changes++) check_ok(hg_config_override(config, *changes));
  check_ok(hg_config_resolve(config));
}

static void check_near(double found, double expected, const char *what, int where)
{
  check((isnan(found) && isnan(expected)) || fabs(found - expected) <= tolerance * fmax(1, fabs(expected)),
        "%s, %d: found %.12g, expected %.12g", what, where, found, expected);
}

// scores after `epochs` steps
static void score(hg_world *world, const hg_config *config, int epochs, hg_scores *scores)
{
  hg_trainer t;
  hg_phases phases;
  hg_phases_start(&phases);
  if (!check_ok(hg_trainer_create(&t, world, config))) return;
  hg_trainer_start(&t, config->seed);
  for (int e = 1; e <= epochs; e++) {
    const hg_plan plan = hg_schedule_plan(config, &(hg_schedule_state){0}, e);
    (void)hg_trainer_step(&t, config->seed, &plan, NULL, &phases);
  }
  check_ok(hg_trainer_evaluate(&t, scores));
  hg_trainer_free(&t);
}

static void check_scores(hg_world *world, const train_graph *g, const char *const *changes, const char *what)
{
  char path[HG_PATH_MAX];
  hg_world *self = NULL;
  check_ok(train_graph_write(world, g, path));
  hg_config config = train_config(path);
  configure(&config, changes);
  check_ok(hg_world_self_create(&self, world));
  for (int epochs = 0; epochs <= 12; epochs += 6) {
    hg_scores found[HG_SPLIT_COUNT], expected[HG_SPLIT_COUNT];
    score(world, &config, epochs, found);
    if (hg_world_rank(world) == 0) score(self, &config, epochs, expected);
    hg_broadcast(world, expected, sizeof expected, 0);
    for (int s = HG_SPLIT_TRAIN; s < HG_SPLIT_COUNT; s++) {
      check_near(found[s].loss, expected[s].loss, what, s);
      check_near(found[s].accuracy, expected[s].accuracy, what, s);
      check_near(found[s].micro_f1, expected[s].micro_f1, what, s);
      check_near(found[s].macro_f1, expected[s].macro_f1, what, s);
      check_near(found[s].roc_auc, expected[s].roc_auc, what, s);
      check_near(found[s].rmse, expected[s].rmse, what, s);
      bool rocs = g->task != HG_TASK_REGRESSION && config.train.metric == HG_METRIC_ROC_AUC;
      if (g->n < 100) continue; // a split may have one kind of label alone
      check(isnan(found[s].roc_auc) == !rocs, "%s, %d: ROC-AUC is %g", what, s, found[s].roc_auc);
      check(isnan(found[s].rmse) == (g->task != HG_TASK_REGRESSION), "%s, %d: RMSE is %g", what, s, found[s].rmse);
    }
  }
  hg_world_self_free(&self);
  train_graph_remove(world, path);
}

static void scores_are_those_of_one_rank(hg_world *world)
{
  train_graph g = train_graph_default();
  g.n = 300;
  check_scores(world, &g, OPTIONS("model.dropout=0.5", "train.class_weights=balanced"), "classes");
  check_scores(world, &g, OPTIONS("model.norm=batch", "model.layers=3", "model.dropout=0.3"), "batch norm");
  g.n_classes = 2;
  check_scores(world, &g, OPTIONS("train.metric=roc_auc", "partition.method=random"), "two classes");
  g.task = HG_TASK_MULTILABEL;
  g.n_classes = 11;
  check_scores(world, &g, OPTIONS("train.metric=roc_auc", "model.norm=layer"), "many labels");
  g.task = HG_TASK_REGRESSION;
  g.n_classes = 2;
  check_scores(world, &g, OPTIONS("dataset.normalize_targets=standardize", "dataset.normalize_features=standardize"),
               "regression");
}

static bool truth_bit(const hg_truth *truth, hg_lid i, int c)
{
  if (truth->labels) return truth->labels[i] == c;
  return truth->label_bits[i * hg_label_bytes(truth->classes) + c / 8] >> (c % 8) & 1;
}

static bool found_bit(const hg_truth *truth, const hg_real *z, int c)
{
  for (int k = 0; truth->labels && k < truth->classes; k++)
    if (z[k] > z[c] || (z[k] == z[c] && k < c)) return false;
  return truth->labels || z[c] > 0;
}

// the definitions, by counting class after class
static hg_scores count_scores(const hg_trainer *t, const hg_matrix *z, int split)
{
  const hg_truth *truth = &t->labelled.truth;
  hg_scores s = hg_scores_none();
  double tp_all = 0, wrong_all = 0, right = 0, macro = 0, classes = 0, n = (double)t->labelled.n_rows[split];
  for (int c = 0; c < truth->classes; c++) {
    double tp = 0, fp = 0, fn = 0;
    for (hg_off r = 0; r < t->labelled.n_rows[split]; r++) {
      hg_lid i = t->labelled.rows[split][r];
      bool expected = truth_bit(truth, i, c), found = found_bit(truth, z->data + (hg_off)i * z->cols, c);
      tp += found && expected;
      fp += found && !expected;
      fn += !found && expected;
    }
    double precision = tp / (tp + fp), recall = tp / (tp + fn);
    tp_all += tp;
    wrong_all += fp + fn;
    right += truth->labels ? tp : (n - fp - fn) / truth->classes;
    if (tp + fp + fn <= 0) continue;
    macro += tp > 0 ? 2 * precision * recall / (precision + recall) : 0;
    classes++;
  }
  s.accuracy = right / n;
  s.micro_f1 = tp_all / (tp_all + wrong_all / 2);
  s.macro_f1 = macro / classes;
  return s;
}

static void check_counted(hg_world *world, hg_task task, int n_classes)
{
  train_graph g = train_graph_default();
  char path[HG_PATH_MAX];
  hg_phases phases;
  hg_trainer t;
  hg_scores found[HG_SPLIT_COUNT];
  g.n = 240;
  g.task = task;
  g.n_classes = n_classes;
  check_ok(train_graph_write(world, &g, path));
  hg_config config = train_config(path);
  configure(&config, OPTIONS("model.hidden=6"));
  if (!check_ok(hg_trainer_create(&t, world, &config))) return;
  hg_trainer_start(&t, 3);
  check_ok(hg_trainer_evaluate(&t, found));
  hg_phases_start(&phases);
  hg_matrix z = hg_model_forward(&t.model, &(hg_pass){.training = false, .phases = &phases});
  for (int s = HG_SPLIT_TRAIN; s < HG_SPLIT_COUNT; s++) {
    hg_scores expected = count_scores(&t, &z, s);
    check_near(found[s].accuracy, expected.accuracy, "accuracy", s);
    check_near(found[s].micro_f1, expected.micro_f1, "micro F1", s);
    check_near(found[s].macro_f1, expected.macro_f1, "macro F1", s);
  }
  hg_trainer_free(&t);
  train_graph_remove(world, path);
}

static void scores_are_what_counting_gives(hg_world *world)
{
  check_counted(world, HG_TASK_CLASSES, 2);
  check_counted(world, HG_TASK_CLASSES, 9);
  check_counted(world, HG_TASK_MULTILABEL, 1);
  check_counted(world, HG_TASK_MULTILABEL, 13);
}

// parts so small that some have no node of a split
static void scores_of_tiny_parts_are_those_of_one_rank(hg_world *world)
{
  train_graph g = train_graph_default();
  g.n = 14;
  g.n_classes = 2;
  check_scores(world, &g, OPTIONS("train.metric=roc_auc", "partition.method=block"), "14 nodes");
}

typedef struct {
  int64_t id;
  double values[10];
} row;

static int by_id(const void *a, const void *b)
{
  const row *x = a, *y = b;
  return (x->id > y->id) - (x->id < y->id);
}

// every node's features, then its targets, by original id; on rank 0
static row *scaled_rows(hg_world *world, const hg_config *config, hg_off *n)
{
  hg_dataset d;
  row *mine = NULL, *all = NULL;
  size_t *offsets = NULL;
  if (!check_ok(hg_dataset_load(&d, world, config, NULL))) return NULL;
  const hg_nodes *nodes = &d.part.nodes;
  const hg_features *f = &nodes->features;
  check_ok(HG_ALLOC(mine, nodes->n + 1, "rows"));
  for (hg_off i = 0; i < nodes->n; i++) {
    mine[i].id = nodes->original_ids[i];
    for (int k = 0; f->dense && k < f->width; k++) mine[i].values[k] = (double)f->dense[i * f->width + k];
    for (hg_off e = f->dense ? 0 : f->indptr[i]; !f->dense && e < f->indptr[i + 1]; e++)
      mine[i].values[f->indices[e]] = (double)f->values[e];
    if (nodes->targets) mine[i].values[9] = (double)nodes->targets[i];
  }
  check_ok(hg_gather(world, mine, (size_t)nodes->n * sizeof *mine, (void **)&all, &offsets));
  *n = d.part.n_global;
  if (all) qsort(all, (size_t)*n, sizeof *all, by_id);
  hg_free(&mine);
  hg_free(&offsets);
  hg_dataset_free(&d);
  return all;
}

static void check_scaling(hg_world *world, const train_graph *g, const char *scaling, const char *positions)
{
  char path[HG_PATH_MAX];
  hg_world *self = NULL;
  hg_off n = 0, n_one = 0;
  check_ok(train_graph_write(world, g, path));
  hg_config config = train_config(path);
  configure(&config, OPTIONS(scaling, positions, "dataset.normalize_targets=standardize", "partition.method=random"));
  check_ok(hg_world_self_create(&self, world));
  row *found = scaled_rows(world, &config, &n), *expected = NULL;
  if (hg_world_rank(world) == 0) expected = scaled_rows(self, &config, &n_one);
  if (found && expected && check(n == n_one, "%lld nodes and %lld", (long long)n, (long long)n_one)) {
    for (hg_off i = 0; i < n; i++) {
      check(found[i].id == expected[i].id, "node %lld: ids differ", (long long)i);
      for (int k = 0; k < 10; k++)
        check(fabs(found[i].values[k] - expected[i].values[k]) <= 1e-6 * fmax(1, fabs(expected[i].values[k])),
              "%s: node %lld, column %d: %.9g, expected %.9g", scaling, (long long)found[i].id, k, found[i].values[k],
              expected[i].values[k]);
    }
  }
  hg_free(&found);
  hg_free(&expected);
  hg_world_self_free(&self);
  train_graph_remove(world, path);
}

static void scaling_is_that_of_one_rank(hg_world *world)
{
  static const char *const without = "dataset.append_positions=false", *const with = "dataset.append_positions=true";
  train_graph g = train_graph_default();
  g.task = HG_TASK_REGRESSION;
  g.n_classes = 1;
  g.n_dims = 2;
  check_scaling(world, &g, "dataset.normalize_features=row", with);
  check_scaling(world, &g, "dataset.normalize_features=standardize", with);
  g.sparse_features = true;
  check_scaling(world, &g, "dataset.normalize_features=row", without);
  check_scaling(world, &g, "dataset.normalize_features=standardize", without);
}

static void positions_become_features(hg_world *world)
{
  train_graph g = train_graph_default();
  char path[HG_PATH_MAX];
  hg_off n = 0;
  g.n_dims = 2;
  check_ok(train_graph_write(world, &g, path));
  hg_config config = train_config(path);
  configure(&config, OPTIONS("dataset.append_positions=true", "partition.method=random"));
  row *found = scaled_rows(world, &config, &n);
  hg_graph graph = {0};
  if (found && check_ok(hg_store_read_graph(path, &graph))) {
    for (hg_off i = 0; i < n; i++)
      for (int k = 0; k < 2; k++)
        check(found[i].values[g.width + k] == (double)graph.nodes.positions[2 * i + k], "node %lld", (long long)i);
  }
  hg_graph_free(&graph);
  hg_free(&found);
  train_graph_remove(world, path);
}

static void check_predictions(const hg_predictions *found, const hg_predictions *expected)
{
  if (!check(found->n == expected->n && found->n_classes == expected->n_classes, "other sizes")) return;
  for (hg_off i = 0; i < found->n; i++) {
    check(found->original_ids[i] == 1000 + 3 * i, "row %lld is of node %lld", (long long)i,
          (long long)found->original_ids[i]);
    for (int c = 0; c < found->n_classes; c++)
      check_near((double)found->outputs[i * found->n_classes + c], (double)expected->outputs[i * found->n_classes + c],
                 "output", (int)i);
    for (int c = 0; c < found->n_embedding; c++)
      check_near((double)found->embeddings[i * found->n_embedding + c],
                 (double)expected->embeddings[i * found->n_embedding + c], "embedding", (int)i);
  }
}

static void predict_both(hg_world *world, const train_graph *g, const char *const *changes)
{
  char path[HG_PATH_MAX];
  hg_world *self = NULL;
  hg_predictions found = {0}, expected = {0};
  check_ok(train_graph_write(world, g, path));
  hg_config config = train_config(path);
  configure(&config, changes);
  check_ok(hg_run_train(world, &config, (hg_run_options){.quiet = true}));
  hg_barrier(world);
  check_ok(hg_world_self_create(&self, world));
  check_ok(hg_predict(world, &config, 1, false, &found));
  if (hg_world_rank(world) == 0) {
    check_ok(hg_predict(self, &config, 1, false, &expected));
    check_predictions(&found, &expected);
  } else {
    check(!found.outputs && !found.original_ids, "rank 0 alone has them");
  }
  hg_predictions_free(&found);
  hg_predictions_free(&expected);
  hg_world_self_free(&self);
  train_graph_remove(world, path);
}

static void predictions_are_those_of_one_rank(hg_world *world)
{
  train_graph g = train_graph_default();
  predict_both(world, &g, OPTIONS("repeat=2", "model.norm=batch", "model.dropout=0.4"));
  g.task = HG_TASK_REGRESSION;
  g.n_classes = 2;
  predict_both(world, &g, OPTIONS("repeat=2", "dataset.normalize_targets=standardize", "model.layers=1"));
  g.n_dims = 3;
  predict_both(world, &g,
               OPTIONS("repeat=2", "dataset.append_positions=true", "dataset.normalize_features=standardize"));
}

// The same nodes and edges in another file, with nothing known of the nodes: every number is that of the run's graph,
// since what they are scaled with comes from the run.
static void predict_elsewhere(hg_world *world, train_graph g, const char *const *changes)
{
  char own[HG_PATH_MAX], path[HG_PATH_MAX];
  hg_predictions found = {0}, expected = {0};
  check_ok(train_graph_write(world, &g, own));
  hg_config config = train_config(own);
  configure(&config, OPTIONS("train.epochs=3", "dataset.normalize_features=standardize", "partition.method=block"));
  configure(&config, changes);
  check_ok(hg_run_train(world, &config, (hg_run_options){.quiet = true}));
  hg_barrier(world);
  check_ok(hg_predict(world, &config, 0, false, &expected));
  g.task = g.task == HG_TASK_REGRESSION ? HG_TASK_CLASSES : HG_TASK_REGRESSION;
  check_ok(train_graph_write(world, &g, path));
  snprintf(config.dataset.path, sizeof config.dataset.path, "%s", path);
  check_ok(hg_predict(world, &config, 0, false, &found));
  if (hg_world_rank(world) == 0 && check(found.n == expected.n && found.n_classes == expected.n_classes, "other sizes"))
    check(memcmp(found.outputs, expected.outputs, (size_t)(found.n * found.n_classes) * sizeof *found.outputs) == 0,
          "%s: other bits than those of the run's own graph", changes[0]);
  hg_predictions_free(&found);
  hg_predictions_free(&expected);
  train_graph_remove(world, path);
  train_graph_remove(world, own);
}

static void another_graph_is_scaled_as_the_trained_one(hg_world *world)
{
  train_graph g = train_graph_default();
  g.n_dims = 2;
  predict_elsewhere(world, g, OPTIONS("model.type=geogcn", "model.filters=3"));
  g.task = HG_TASK_REGRESSION;
  predict_elsewhere(world, g, OPTIONS("dataset.normalize_targets=standardize", "dataset.append_positions=true"));
}

// a model that was trained on edges half as long sees these ones twice as long
static void positions_keep_the_unit_of_training(hg_world *world)
{
  train_graph g = train_graph_default();
  hg_trainer t = {0}, other = {0};
  hg_scales scales = {.position = 0};
  char path[HG_PATH_MAX];
  g.n_dims = 2;
  check_ok(train_graph_write(world, &g, path));
  hg_config config = train_config(path);
  configure(&config, OPTIONS("model.type=geogcn", "partition.method=block"));
  if (check_ok(hg_trainer_create(&t, world, &config)) && check_ok(hg_scales_copy(&scales, t.scales))) {
    check(hg_scales_known(&scales) && fabs(scales.position - 1) > 1e-3, "position scale %g", scales.position);
    scales.position *= 2; // of a training whose edges were half as long
    const hg_trained trained = {HG_TASK_CLASSES, 3, t.facts.fingerprint, &scales};
    if (check_ok(hg_trainer_create_trained(&other, world, &config, &trained))) {
      const hg_local_graph *a = &hg_graph_feed_of(&t)->stage.graph, *b = &hg_graph_feed_of(&other)->stage.graph;
      for (hg_off e = 0; e < (hg_off)a->n_local * a->n_dims; e++)
        check_near((double)b->positions[e], 2 * (double)a->positions[e], "coordinate", (int)e);
    }
    hg_trainer_free(&other);
  }
  hg_scales_free(&scales);
  hg_trainer_free(&t);
  train_graph_remove(world, path);
}

const mpi_case score_cases[] = {
    {"score/another_graph_is_scaled_as_the_trained_one", another_graph_is_scaled_as_the_trained_one, "1 3"},
    {"score/positions_keep_the_unit_of_training", positions_keep_the_unit_of_training, "1 3"},
    {"score/scores_are_those_of_one_rank", scores_are_those_of_one_rank, "1 2 3 7"},
    {"score/scores_are_what_counting_gives", scores_are_what_counting_gives, "1"},
    {"score/scores_of_tiny_parts_are_those_of_one_rank", scores_of_tiny_parts_are_those_of_one_rank, "3 7"},
    {"score/positions_become_features", positions_become_features, "1 3"},
    {"score/scaling_is_that_of_one_rank", scaling_is_that_of_one_rank, "2 3"},
    {"score/predictions_are_those_of_one_rank", predictions_are_those_of_one_rank, "1 3"},
    {0},
};
