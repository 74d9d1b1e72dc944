// One seed's epochs: the coordinator and its worker, steps, evaluations, the best weights, checkpoints.
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "comm/reduce.h"
#include "core/base/alloc.h"
#include "core/base/log.h"
#include "core/base/timer.h"
#include "runtime/train/feedback_file.h"
#include "runtime/train/run_state.h"
#include "runtime/train/signals.h"

// One epoch's numbers that all ranks know after the agreement.
typedef struct {
  double loss;
  bool signal;
} agreement;

// The other ranks wait in MPI for one that is lost, where nobody can be told; and this is not the thread that may use
// MPI.
static void abandon(const char *why)
{
  hg_log(HG_LOG_ERROR, "%s; ending the job", why);
  _Exit(hg_exit_status(HG_ERR_IO));
}

static hg_status start_coordinator(hg_run *run, hg_coordinator **coordinator, char *address, size_t size)
{
  char file[HG_PATH_MAX];
  hg_status rc = hg_run_folder_file(&run->folder, "coordinator.json", file);
  if (rc != HG_OK) return rc;
  hg_coordinator_options options = {.config = run->config,
                                    .ranks = hg_world_size(run->world),
                                    .first_epoch = run->checkpoint.epoch + 1,
                                    .state = run->checkpoint.schedule,
                                    .address_file = file,
                                    .one_host = hg_world_one_host(run->world),
                                    .abandon = abandon};
  return hg_coordinator_start(coordinator, &options, address, size);
}

static hg_status connect_worker(hg_run *run, hg_coordinator **coordinator, hg_worker **worker)
{
  char address[256] = "";
  hg_status rc = HG_OK;
  hg_status started = run->chief ? start_coordinator(run, coordinator, address, sizeof address) : HG_OK;
  HG_TRY_ALL(run->world, "starting the coordinator", started);
  hg_broadcast(run->world, address, sizeof address, 0);
  HG_TRY_ALL(run->world, "connecting to the coordinator",
             hg_worker_connect(worker, address, hg_world_rank(run->world), hg_world_size(run->world),
                               run->config->coordinator.timeout_seconds));
done:
  return rc;
}

// all ranks learn of the loss, of a signal, of a failure and of weights that have come apart
static hg_status agree_on_epoch(hg_run *run, const hg_plan *plan, const hg_step *step, hg_epoch_record *record,
                                agreement *agreed)
{
  enum { LOSS, WEIGHT, SIGNAL, FAILED, SUMS };
  enum { CHECKSUM, MINUS_CHECKSUM, MAXIMA };
  double sums[SUMS] = {step->loss.loss, step->loss.weight, hg_signals_came(), step->status != HG_OK};
  hg_sum_doubles(run->world, sums, SUMS);
  if (sums[FAILED] > 0) return hg_agree(run->world, step->status, "training");
  agreed->signal = sums[SIGNAL] > 0;
  agreed->loss = record->train_loss = sums[LOSS] / sums[WEIGHT];
  if (!isfinite(agreed->loss))
    return hg_agree(run->world,
                    hg_fail(HG_ERR_NUMERIC,
                            "epoch %d: the training loss is not a number any more; lower train.learning_rate (%g)",
                            plan->epoch, run->config->train.learning_rate),
                    "training");
  if (hg_world_size(run->world) == 1) return HG_OK; // nothing to compare with
  bool equal_by_now = plan->sync != HG_SYNC_LOCAL || plan->average;
  double checksum = equal_by_now ? hg_trainer_checksum(&run->trainer) : 0, maxima[MAXIMA] = {checksum, -checksum};
  hg_max_doubles(run->world, maxima, MAXIMA);
  if (maxima[CHECKSUM] + maxima[MINUS_CHECKSUM] > 0)
    return hg_agree(run->world,
                    hg_fail(HG_ERR_INTERNAL, "epoch %d: the ranks' weights are not equal any more", plan->epoch),
                    "training");
  return HG_OK;
}

static void keep_best(hg_run *run, const hg_epoch_record *record, const hg_report *report)
{
  hg_checkpoint *c = &run->checkpoint;
  int best_before = c->schedule.best_epoch;
  hg_schedule_observe(&c->schedule, run->config, report);
  if (c->schedule.best_epoch == best_before && c->schedule.best_epoch > 0) return;
  c->best_val = record->scores[HG_SPLIT_VAL];
  c->best_test = record->scores[HG_SPLIT_TEST];
  memcpy(c->best_parameters, run->trainer.model.parameters, (size_t)c->n_parameters * sizeof(hg_real));
  memcpy(c->best_state, run->trainer.model.state, (size_t)c->n_state * sizeof(hg_real));
}

static hg_status write_checkpoint(hg_run *run)
{
  hg_checkpoint *c = &run->checkpoint;
  char path[HG_PATH_MAX];
  hg_trainer_save(&run->trainer, c);
  if (!run->chief) return HG_OK;
  hg_checkpoint_path(run->folder.path, c->repeat, c->epoch, path);
  hg_status rc = hg_checkpoint_write(c, path);
  if (rc == HG_OK) hg_checkpoint_prune(run->folder.path, c->repeat, run->config->train.keep_checkpoints);
  return rc;
}

static hg_status save_checkpoint(hg_run *run)
{
  hg_status rc = HG_OK;
  HG_TRY(hg_feedback_save(&run->trainer, &run->checkpoint));
  HG_TRY_ALL(run->world, "writing a checkpoint", write_checkpoint(run));
done:
  hg_feedback_drop(&run->checkpoint);
  return rc;
}

// the best weights as a checkpoint of their own, for `predict` and `export`
static hg_status write_best(const hg_run *run)
{
  hg_checkpoint best = run->checkpoint;
  char path[HG_PATH_MAX];
  if (!run->chief) return HG_OK;
  best.parameters = best.best_parameters;
  best.state = best.best_state;
  best.epoch = best.schedule.best_epoch;
  hg_checkpoint_best_path(run->folder.path, best.repeat, path);
  return hg_checkpoint_write(&best, path);
}

// phases, bytes and times of the epoch: maxima and sums over ranks
static void measure_epoch(hg_run *run, const hg_phases *phases, hg_traffic before, hg_epoch_record *record)
{
  hg_traffic now = hg_model_traffic(&run->trainer.model);
  int64_t traffic[] = {now.bytes_sent - before.bytes_sent, now.messages_sent - before.messages_sent,
                       now.far_bytes - before.far_bytes, now.far_messages - before.far_messages};
  hg_sum_int64(run->world, traffic, 4);
  enum { OTHERS = 4 };
  double maxima[OTHERS + HG_PHASE_COUNT] = {record->seconds, now.under_way_s - before.under_way_s,
                                            now.waited_s - before.waited_s, now.packed_s - before.packed_s};
  memcpy(maxima + OTHERS, phases->seconds, sizeof phases->seconds);
  hg_max_doubles(run->world, maxima, OTHERS + HG_PHASE_COUNT);
  record->seconds = maxima[0];
  record->exchange = (hg_exchange_seconds){.total = maxima[1], .exposed = maxima[2], .packing = maxima[3]};
  memcpy(record->phases, maxima + OTHERS, sizeof record->phases);
  run->exchange.total += maxima[1];
  run->exchange.exposed += maxima[2];
  run->exchange.packing += maxima[3];
  for (int k = 0; k < HG_PHASE_COUNT; k++) run->phases[k] += record->phases[k];
  run->halo_bytes = record->halo_bytes = traffic[0];
  run->all_halo_bytes += traffic[0];
  run->halo_messages = record->halo_messages = traffic[1];
  run->far_bytes = record->halo_far_bytes = traffic[2];
  run->all_far_bytes += traffic[2];
  run->far_messages = traffic[3];
  if (run->n_epochs < run->n_times) run->epoch_seconds[run->n_epochs] = record->seconds;
  run->n_epochs++;
}

static hg_status tell(hg_run *run, hg_worker *worker, const hg_epoch_record *record, hg_report *report)
{
  report->epoch = record->epoch;
  report->train_loss = record->train_loss;
  report->evaluated = record->evaluated;
  report->val_metric =
      hg_metric_gain(run->trainer.metric, hg_scores_get(&record->scores[HG_SPLIT_VAL], run->trainer.metric));
  report->seconds = record->seconds;
  report->halo_bytes = record->halo_bytes;
  report->peak_rss_bytes = (int64_t)hg_peak_rss_bytes();
  return hg_worker_report(worker, report);
}

static hg_status record_epoch(hg_run *run, const hg_epoch_record *record)
{
  if (!run->chief) return HG_OK;
  hg_progress_epoch(&run->progress, record);
  return hg_run_folder_epoch(&run->folder, record);
}

// One epoch by its plan. *stopped: a signal came, the checkpoint is written.
static hg_status epoch(hg_run *run, hg_worker *worker, const hg_plan *plan, hg_phases *phases, bool *stopped)
{
  hg_epoch_record record = {.repeat = run->checkpoint.repeat,
                            .seed = run->checkpoint.seed,
                            .epoch = plan->epoch,
                            .learning_rate = plan->learning_rate,
                            .evaluated = plan->evaluate};
  agreement agreed = {0};
  hg_report report = {0};
  hg_status rc = HG_OK;
  hg_traffic before = hg_model_traffic(&run->trainer.model);
  double start = hg_now_s();
  for (int s = 0; s < HG_SPLIT_COUNT; s++) record.scores[s] = hg_scores_none();
  hg_step step = hg_trainer_step(&run->trainer, run->checkpoint.seed, plan, worker, phases);
  record.seconds = hg_now_s() - start;
  HG_TRY(agree_on_epoch(run, plan, &step, &record, &agreed));
  hg_phases_lap(phases, HG_PHASE_LOSS);
  run->checkpoint.epoch = plan->epoch;
  run->checkpoint.train_loss = agreed.loss;
  measure_epoch(run, phases, before, &record); // before evaluation: its bytes are not an epoch's
  memset(phases->seconds, 0, sizeof phases->seconds);
  hg_phases_lap(phases, HG_PHASE_LOSS);
  if (plan->evaluate) HG_TRY(hg_trainer_evaluate(&run->trainer, record.scores));
  hg_phases_lap(phases, HG_PHASE_EVALUATE);
  HG_TRY_ALL(run->world, "reporting", tell(run, worker, &record, &report));
  if (plan->evaluate) keep_best(run, &record, &report);
  hg_phases_lap(phases, HG_PHASE_COORDINATOR);
  HG_TRY_ALL(run->world, "writing metrics", record_epoch(run, &record));
  *stopped = agreed.signal;
  run->saved = plan->checkpoint || agreed.signal;
  if (run->saved && plan->sync == HG_SYNC_LOCAL && !plan->average) hg_trainer_average(&run->trainer);
  if (run->saved) HG_TRY(save_checkpoint(run));
  hg_phases_lap(phases, HG_PHASE_CHECKPOINT);
  for (int k = 0; k < HG_PHASE_COUNT; k++) run->late_phases[k] += phases->seconds[k];
done:
  return rc;
}

static hg_status train_epochs(hg_run *run, hg_worker *worker)
{
  bool stopped = false;
  hg_status rc = HG_OK;
  while (!stopped) {
    hg_plan plan;
    hg_phases phases;
    hg_phases_start(&phases);
    HG_TRY_ALL(run->world, "taking the plan", hg_worker_next_plan(worker, &plan));
    hg_phases_lap(&phases, HG_PHASE_COORDINATOR);
    if (plan.stop) break;
    HG_TRY(epoch(run, worker, &plan, &phases, &stopped));
  }
  if (stopped) return HG_STOPPED;
  hg_checkpoint *c = &run->checkpoint;
  if (!run->saved) { // early stopping: nobody knew that this epoch was the last
    if (run->config->train.sync == HG_SYNC_LOCAL) hg_trainer_average(&run->trainer);
    HG_TRY(save_checkpoint(run));
  }
  c->results[c->n_results++] = (hg_repeat_result){.seed = c->seed,
                                                  .epochs = c->epoch,
                                                  .best_epoch = c->schedule.best_epoch,
                                                  .train_loss = c->train_loss,
                                                  .val = c->best_val,
                                                  .test = c->best_test,
                                                  .best_metric = c->schedule.best_metric};
  HG_TRY_ALL(run->world, "writing a checkpoint", write_best(run));
done:
  return rc;
}

hg_status hg_run_repeat(hg_run *run)
{
  hg_coordinator *coordinator = NULL;
  hg_worker *worker = NULL;
  char cause[1024];
  hg_status rc = HG_OK;
  memset(run->phases, 0, sizeof run->phases);
  memset(run->late_phases, 0, sizeof run->late_phases);
  HG_TRY(connect_worker(run, &coordinator, &worker));
  rc = train_epochs(run, worker);
done:
  snprintf(cause, sizeof cause, "%s", hg_error_text()); // the coordinator's own end has another message
  if (worker) run->coordinator_seconds += hg_worker_seconds(worker);
  hg_worker_bye(&worker, rc);
  if (coordinator) {
    hg_status ended = hg_coordinator_stop(&coordinator);
    if (rc != HG_OK)
      (void)hg_fail(rc, "%s", cause);
    else
      rc = ended;
  }
  return rc == HG_STOPPED ? rc : hg_agree(run->world, rc, "ending the coordinator");
}
