#include "runtime/train/trainer.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "comm/reduce.h"
#include "core/base/alloc.h"
#include "core/base/hash.h"
#include "core/graph/store.h"
#include "models/feedback.h"
#include "runtime/train/feed.h"

static hg_status check_loss_and_metric(const hg_trainer *t)
{
  hg_task task = t->labelled.task;
  int n = t->labelled.n_classes;
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
  hg_loss_choice choice = t->config->train.loss;
  t->loss.kind = choice == HG_CHOICE_AUTO_LOSS ? of_task[t->labelled.task] : of_choice[choice];
  t->loss.label_smoothing = t->config->train.label_smoothing;
  t->metric = hg_metric_resolve(t->config->train.metric, t->labelled.task);
}

// weight of a class = labelled training nodes / (classes x those of the class), as scikit-learn's "balanced"
static hg_status balance_classes(hg_trainer *t)
{
  int n = t->labelled.n_classes;
  double *counts = NULL, all = 0;
  hg_status rc = HG_OK;
  if (t->config->train.class_weights == HG_CLASS_WEIGHTS_NONE || t->loss.kind != HG_LOSS_CROSS_ENTROPY) return HG_OK;
  HG_TRY_ALL(t->world, "weighing classes", HG_ALLOC(t->class_weights, n, "class weights"));
  HG_TRY_ALL(t->world, "weighing classes", HG_ALLOC(counts, n, "class counts"));
  for (hg_off r = 0; r < t->labelled.n_rows[HG_SPLIT_TRAIN]; r++)
    counts[t->labelled.truth.labels[t->labelled.rows[HG_SPLIT_TRAIN][r]]]++;
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
  t->train_weight = hg_loss_weight(&t->loss, &t->labelled.truth, t->labelled.rows[HG_SPLIT_TRAIN],
                                   t->labelled.n_rows[HG_SPLIT_TRAIN]);
  hg_sum_doubles(t->world, &t->train_weight, 1);
done:
  return rc;
}

static hg_status create_optimizer(hg_trainer *t)
{
  hg_status rc = hg_optimizer_create(&t->optimizer, t->config, t->model.parameters, t->model.gradients,
                                     t->model.n_parameters, t->model.layers[0].n_theta);
  if (rc == HG_OK) rc = hg_metrics_create(&t->metrics, &t->labelled, t->metric == HG_METRIC_ROC_AUC);
  return rc;
}

// the kind of the file decides how the data are fed; what is no file of ours is the graph feed's to refuse
static hg_status choose_feed(hg_trainer *t)
{
  hg_store_kind kind = HG_STORE_GRAPH;
  hg_status rc = hg_world_rank(t->world) == 0 ? hg_store_kind_of(t->config->dataset.path, &kind) : HG_OK;
  rc = hg_agree(t->world, rc, "loading the data");
  if (rc != HG_OK) return rc;
  hg_broadcast(t->world, &kind, sizeof kind, 0);
  t->type = kind == HG_STORE_COLLECTION ? &hg_feed_collection : &hg_feed_graph;
  return HG_OK;
}

// with its data loaded
static hg_status create(hg_trainer *t)
{
  hg_status rc = HG_OK;
  HG_TRY(prepare_loss(t));
  HG_TRY(t->type->build(t));
  HG_TRY_ALL(t->world, "allocating the optimiser", create_optimizer(t));
done:
  return rc;
}

hg_status hg_trainer_create(hg_trainer *trainer, hg_world *world, const hg_config *config)
{
  return hg_trainer_create_trained(trainer, world, config, NULL);
}

hg_status hg_trainer_create_trained(hg_trainer *trainer, hg_world *world, const hg_config *config,
                                    const hg_trained *trained)
{
  *trainer = (hg_trainer){.world = world, .config = config};
  hg_trainer *t = trainer;
  hg_status rc = HG_OK;
  HG_TRY(choose_feed(t));
  HG_TRY(t->type->load(t, trained));
  HG_TRY(create(t));
  HG_TRY_ALL(world, "allocating gradient sums", hg_sums_create(&t->sums, world));
done:
  if (rc != HG_OK) hg_trainer_free(t);
  return rc;
}

hg_status hg_trainer_create_alone(hg_trainer *trainer, const hg_config *config, const hg_feed_type *type, void *feed)
{
  *trainer = (hg_trainer){.config = config, .type = type, .feed = feed};
  hg_status rc = HG_OK;
  HG_TRY(type->load(trainer, NULL));
  HG_TRY(create(trainer));
done:
  if (rc != HG_OK) hg_trainer_free(trainer);
  return rc;
}

void hg_trainer_free(hg_trainer *trainer)
{
  hg_sums_free(&trainer->sums);
  hg_metrics_free(&trainer->metrics);
  hg_optimizer_free(&trainer->optimizer);
  hg_model_free(&trainer->model);
  hg_free(&trainer->class_weights);
  if (trainer->feed) trainer->type->free_feed(trainer);
}

void hg_trainer_start(hg_trainer *trainer, uint64_t seed)
{
  hg_model_init(&trainer->model, seed);
  hg_optimizer_reset(&trainer->optimizer);
  hg_feedback_set(&trainer->model, NULL);
  trainer->steps = 0;
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
  hg_step step = trainer->type->epoch(trainer, seed, plan, worker, phases);
  if (plan->sync == HG_SYNC_LOCAL && plan->average) hg_trainer_average(trainer);
  hg_phases_lap(phases, HG_PHASE_OPTIMIZER);
  return step;
}

hg_step hg_trainer_update(hg_trainer *t, const hg_step_task *task, const hg_pass *pass, const hg_matrix *logits)
{
  const hg_plan *plan = task->plan;
  hg_matrix d_logits = hg_model_d_logits(&t->model);
  hg_step step = {0};
  // averaging P ranks' weights averages their gradients: each takes P times its share of the sum
  double scale = plan->sync == HG_SYNC_LOCAL ? hg_world_size(t->world) : 1;
  step.loss = hg_loss_compute(&t->loss, task->truth, task->rows, task->n, logits, task->weight / scale, &d_logits);
  hg_phases_lap(pass->phases, HG_PHASE_LOSS);
  bool sum_now = plan->sync == HG_SYNC_ALLREDUCE;
  hg_model_backward(&t->model, pass, sum_now ? t->sums : NULL);
  if (sum_now) hg_sums_end(t->sums);
  if (plan->sync == HG_SYNC_COORDINATOR)
    step.status = hg_worker_sum(task->worker, t->model.gradients, t->model.n_parameters);
  hg_phases_lap(pass->phases, HG_PHASE_GRADIENT_SUM);
  hg_optimizer_step(&t->optimizer, plan->learning_rate, ++t->steps);
  hg_phases_lap(pass->phases, HG_PHASE_OPTIMIZER);
  return step;
}

hg_status hg_trainer_evaluate(hg_trainer *trainer, hg_scores *scores)
{
  hg_trainer *t = trainer;
  hg_outputs out = t->type->outputs(t, false);
  return hg_metrics_scores(&t->metrics, t->world, &t->labelled, &t->loss, &out.logits, t->type->scored, scores);
}

static void copy(hg_real *to, const hg_real *from, hg_off n) { memcpy(to, from, (size_t)n * sizeof *to); }

void hg_trainer_save(const hg_trainer *trainer, hg_checkpoint *checkpoint)
{
  copy(checkpoint->parameters, trainer->model.parameters, checkpoint->n_parameters);
  copy(checkpoint->state, trainer->model.state, checkpoint->n_state);
  copy(checkpoint->moments, trainer->optimizer.moments, checkpoint->n_moments);
  checkpoint->steps = trainer->steps;
}

void hg_trainer_restore(hg_trainer *trainer, const hg_checkpoint *checkpoint)
{
  copy(trainer->model.parameters, checkpoint->parameters, checkpoint->n_parameters);
  copy(trainer->model.state, checkpoint->state, checkpoint->n_state);
  copy(trainer->optimizer.moments, checkpoint->moments, checkpoint->n_moments);
  trainer->steps = checkpoint->steps;
}

double hg_trainer_checksum(const hg_trainer *trainer)
{
  enum { LANES = 8 }; // products of one lane wait for each other
  uint64_t lanes[LANES], hash = HG_HASH;
  for (int l = 0; l < LANES; l++) lanes[l] = hash + (uint64_t)l;
  for (hg_off k = 0; k < trainer->model.n_parameters; k++) {
    uint64_t bits = 0, *lane = &lanes[k % LANES];
    memcpy(&bits, &trainer->model.parameters[k], sizeof(hg_real));
    *lane = hg_hash_word(*lane, bits);
  }
  for (int l = 0; l < LANES; l++) hash = hg_hash_word(hash, lanes[l]);
  return (double)(hash >> 12);
}
