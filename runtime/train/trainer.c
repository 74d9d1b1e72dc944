#include "runtime/train/trainer.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "comm/reduce.h"
#include "core/base/alloc.h"
#include "core/tensor/geo.h"

enum { MOST_GATES = 1 << 24 }; // of a layer

static hg_status check_loss_and_metric(const hg_trainer *t)
{
  hg_task task = t->dataset.part.nodes.task;
  int n = t->dataset.part.nodes.n_classes;
  static const char *const tasks[] = {"no task", "single-label classes", "multi-label classes", "regression targets"};
  static const hg_loss_kind fits[] = {HG_LOSS_CROSS_ENTROPY, HG_LOSS_CROSS_ENTROPY, HG_LOSS_BCE, HG_LOSS_MSE};
  const char *path = t->config->dataset.path;
  if (t->loss.kind != fits[task])
    return hg_fail(HG_ERR_INPUT, "train.loss: found one that does not fit %s, which has %s", path, tasks[task]);
  if ((t->metric == HG_METRIC_RMSE) != (task == HG_TASK_REGRESSION))
    return hg_fail(HG_ERR_INPUT, "train.metric: found %s, which does not fit %s with its %s", hg_metric_name(t->metric),
                   path, tasks[task]);
  if (t->metric == HG_METRIC_ROC_AUC && task == HG_TASK_CLASSES && n != 2)
    return hg_fail(HG_ERR_INPUT,
                   "train.metric: found roc_auc for %d classes in %s, expected two, or a multi-label task", n, path);
  return HG_OK;
}

static void choose_loss(hg_trainer *t)
{
  static const hg_loss_kind of_task[] = {HG_LOSS_CROSS_ENTROPY, HG_LOSS_CROSS_ENTROPY, HG_LOSS_BCE, HG_LOSS_MSE};
  static const hg_loss_kind of_choice[] = {HG_LOSS_CROSS_ENTROPY, HG_LOSS_CROSS_ENTROPY, HG_LOSS_BCE, HG_LOSS_MSE};
  const hg_nodes *nodes = &t->dataset.part.nodes;
  hg_loss_choice choice = t->config->train.loss;
  t->loss.kind = choice == HG_CHOICE_AUTO_LOSS ? of_task[nodes->task] : of_choice[choice];
  t->loss.label_smoothing = t->config->train.label_smoothing;
  t->metric = hg_metric_resolve(t->config->train.metric, nodes->task);
  t->truth = (hg_truth){nodes->labels, nodes->label_bits, nodes->targets, nodes->n_classes};
}

// weight of a class = labelled training nodes / (classes x those of the class), as scikit-learn's "balanced"
static hg_status balance_classes(hg_trainer *t)
{
  int n = t->dataset.part.nodes.n_classes;
  double *counts = NULL, all = 0;
  hg_status rc = HG_OK;
  if (t->config->train.class_weights == HG_CLASS_WEIGHTS_NONE || t->loss.kind != HG_LOSS_CROSS_ENTROPY) return HG_OK;
  HG_TRY_ALL(t->world, "weighing classes", HG_ALLOC(t->class_weights, n, "class weights"));
  HG_TRY_ALL(t->world, "weighing classes", HG_ALLOC(counts, n, "class counts"));
  for (hg_off r = 0; r < t->dataset.n_rows[HG_SPLIT_TRAIN]; r++)
    counts[t->truth.labels[t->dataset.rows[HG_SPLIT_TRAIN][r]]]++;
  hg_sum_doubles(t->world, counts, n);
  for (int c = 0; c < n; c++) all += counts[c];
  for (int c = 0; c < n; c++) t->class_weights[c] = counts[c] > 0 ? (hg_real)(all / (n * counts[c])) : 0;
  t->loss.class_weights = t->class_weights;
done:
  hg_free(&counts);
  return rc;
}

static hg_status prepare_loss(hg_trainer *t)
{
  hg_status rc = HG_OK;
  choose_loss(t);
  HG_TRY_ALL(t->world, "choosing the loss", check_loss_and_metric(t));
  HG_TRY(balance_classes(t));
  t->train_weight =
      hg_loss_weight(&t->loss, &t->truth, t->dataset.rows[HG_SPLIT_TRAIN], t->dataset.n_rows[HG_SPLIT_TRAIN]);
  hg_sum_doubles(t->world, &t->train_weight, 1);
done:
  return rc;
}

static bool needs_positions(const hg_config *config)
{
  const hg_layer_type *type = NULL;
  return hg_layer_type_find(&type, config->model.type) == HG_OK && type->needs_positions;
}

// what a layer with gates needs of the graph, said of the file that the user named
static hg_status check_positions(const hg_trainer *t)
{
  const hg_model_options *o = &t->config->model;
  const hg_nodes *nodes = &t->dataset.part.nodes;
  const char *path = t->config->dataset.path;
  if (!needs_positions(t->config)) return HG_OK;
  if (nodes->n_dims == 0)
    return hg_fail(HG_ERR_INPUT, "model.type: %s needs positions of the nodes, found none in %s", o->type, path);
  if (nodes->n_dims > HG_GEO_DIMS)
    return hg_fail(HG_ERR_INPUT, "model.type: %s takes positions of 1 to %d dimensions, found %d in %s", o->type,
                   HG_GEO_DIMS, nodes->n_dims, path);
  if (nodes->features.indptr)
    return hg_fail(HG_ERR_INPUT, "model.type: %s needs dense features, found sparse ones in %s", o->type, path);
  int64_t width = nodes->features.width > o->hidden ? nodes->features.width : o->hidden;
  if (width * o->filters > MOST_GATES)
    return hg_fail(HG_ERR_INPUT, "model.filters: found %d for layers of up to %lld channels, expected at most %d gates",
                   o->filters, (long long)width, MOST_GATES);
  return HG_OK;
}

static hg_status place_nodes(hg_trainer *t)
{
  if (!needs_positions(t->config)) return HG_OK;
  return hg_local_graph_place(&t->graph, t->config->model.normalize_positions);
}

static hg_status create_optimizer(hg_trainer *t)
{
  hg_status rc = hg_optimizer_create(&t->optimizer, t->config, t->model.parameters, t->model.gradients,
                                     t->model.n_parameters, t->model.layers[0].n_theta);
  if (rc == HG_OK) rc = hg_metrics_create(&t->metrics, &t->dataset, t->metric == HG_METRIC_ROC_AUC);
  return rc;
}

hg_status hg_trainer_create(hg_trainer *trainer, hg_world *world, const hg_config *config)
{
  return hg_trainer_create_trained(trainer, world, config, NULL);
}

hg_status hg_trainer_create_trained(hg_trainer *trainer, hg_world *world, const hg_config *config,
                                    const hg_trained *trained)
{
  memset(trainer, 0, sizeof *trainer);
  hg_trainer *t = trainer;
  t->world = world;
  t->config = config;
  hg_status rc = HG_OK;
  HG_TRY(hg_dataset_load(&t->dataset, world, config, trained));
  HG_TRY(prepare_loss(t));
  HG_TRY_ALL(world, "planning the model", check_positions(t));
  HG_TRY_ALL(world, "planning memory", hg_memory_plan(&t->planned, config, &t->dataset));
  HG_TRY(hg_local_graph_create(&t->graph, world, &t->dataset.part, &t->dataset.links, config->model.normalization,
                               config->model.self_loops));
  HG_TRY(place_nodes(t));
  HG_TRY(hg_input_create(&t->input, &t->graph));
  hg_features_free(&t->dataset.part.nodes.features); // the input has them now
  HG_TRY(hg_model_create(&t->model, &config->model, &t->graph, &t->input, t->dataset.part.nodes.n_classes));
  HG_TRY_ALL(world, "allocating the optimiser", create_optimizer(t));
  HG_TRY_ALL(world, "allocating gradient sums", hg_sums_create(&t->sums, world));
done:
  if (rc != HG_OK) hg_trainer_free(t);
  return rc;
}

void hg_trainer_free(hg_trainer *trainer)
{
  hg_sums_free(&trainer->sums);
  hg_metrics_free(&trainer->metrics);
  hg_optimizer_free(&trainer->optimizer);
  hg_model_free(&trainer->model);
  hg_input_free(&trainer->input);
  hg_local_graph_free(&trainer->graph);
  hg_free(&trainer->class_weights);
  hg_dataset_free(&trainer->dataset);
}

void hg_trainer_start(hg_trainer *trainer, uint64_t seed)
{
  hg_model_init(&trainer->model, seed);
  hg_optimizer_reset(&trainer->optimizer);
}

void hg_trainer_average(hg_trainer *trainer)
{
  hg_real share = (hg_real)(1.0 / hg_world_size(trainer->world));
  hg_off n = trainer->model.n_parameters;
  hg_real *arrays[] = {trainer->model.parameters, trainer->optimizer.moments};
  hg_off sizes[] = {n, trainer->optimizer.type->n_moments * n};
  for (int a = 0; a < 2; a++) {
    hg_sum_reals(trainer->world, arrays[a], sizes[a]);
    for (hg_off k = 0; k < sizes[a]; k++) arrays[a][k] *= share;
  }
}

hg_step hg_trainer_step(hg_trainer *trainer, uint64_t seed, const hg_plan *plan, hg_worker *worker, hg_phases *phases)
{
  hg_trainer *t = trainer;
  const hg_lid *rows = t->dataset.rows[HG_SPLIT_TRAIN];
  hg_off n = t->dataset.n_rows[HG_SPLIT_TRAIN];
  hg_pass pass = {.training = true, .seed = seed, .epoch = plan->epoch, .phases = phases};
  hg_step step = {0};
  hg_matrix logits = hg_model_forward(&t->model, &pass), d_logits = hg_model_d_logits(&t->model);
  // averaging P ranks' weights averages their gradients: each takes P times its share of the sum
  double scale = plan->sync == HG_SYNC_LOCAL ? hg_world_size(t->world) : 1;
  step.loss = hg_loss_compute(&t->loss, &t->truth, rows, n, &logits, t->train_weight / scale, &d_logits);
  hg_phases_lap(phases, HG_PHASE_LOSS);
  bool sum_now = plan->sync == HG_SYNC_ALLREDUCE;
  hg_model_backward(&t->model, &pass, sum_now ? t->sums : NULL);
  if (sum_now) hg_sums_end(t->sums);
  if (plan->sync == HG_SYNC_COORDINATOR) step.status = hg_worker_sum(worker, t->model.gradients, t->model.n_parameters);
  hg_phases_lap(phases, HG_PHASE_GRADIENT_SUM);
  hg_optimizer_step(&t->optimizer, plan->learning_rate, plan->epoch);
  if (plan->sync == HG_SYNC_LOCAL && plan->average) hg_trainer_average(t);
  hg_phases_lap(phases, HG_PHASE_OPTIMIZER);
  return step;
}

hg_status hg_trainer_evaluate(hg_trainer *trainer, hg_scores *scores)
{
  hg_phases unused;
  hg_phases_start(&unused);
  hg_pass pass = {.training = false, .phases = &unused};
  hg_matrix logits = hg_model_forward(&trainer->model, &pass);
  return hg_metrics_scores(&trainer->metrics, trainer->world, &trainer->dataset, &trainer->loss, &trainer->truth,
                           &logits, scores);
}

static void copy(hg_real *to, const hg_real *from, hg_off n) { memcpy(to, from, (size_t)n * sizeof *to); }

void hg_trainer_save(const hg_trainer *trainer, hg_checkpoint *checkpoint)
{
  copy(checkpoint->parameters, trainer->model.parameters, checkpoint->n_parameters);
  copy(checkpoint->state, trainer->model.state, checkpoint->n_state);
  copy(checkpoint->moments, trainer->optimizer.moments, checkpoint->n_moments);
}

void hg_trainer_restore(hg_trainer *trainer, const hg_checkpoint *checkpoint)
{
  copy(trainer->model.parameters, checkpoint->parameters, checkpoint->n_parameters);
  copy(trainer->model.state, checkpoint->state, checkpoint->n_state);
  copy(trainer->optimizer.moments, checkpoint->moments, checkpoint->n_moments);
}

double hg_trainer_checksum(const hg_trainer *trainer)
{
  uint64_t hash = 1469598103934665603ULL; // FNV-1a over the words
  for (hg_off k = 0; k < trainer->model.n_parameters; k++) {
    uint64_t bits = 0;
    memcpy(&bits, &trainer->model.parameters[k], sizeof(hg_real));
    hash = (hash ^ bits) * 1099511628211ULL;
  }
  return (double)(hash >> 12);
}
