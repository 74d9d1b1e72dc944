#pragma once
#include "runtime/coord/protocol.h"

/** State of the decisions: part of a checkpoint, so that a resumed run decides alike. Zeroed at the start. */
typedef struct {
  int best_epoch;     ///< 0: none yet
  double best_metric; ///< larger is better
  int without_gain;   ///< evaluations since best_epoch
  int stop_epoch;     ///< early stopping: the first epoch that does not run; 0: not decided
} hg_schedule_state;

/**
 * Learning rate of `epoch` (from 1). Warm-up: learning_rate * epoch / (warmup_epochs + 1), so that the first epoch
 * after it has the whole rate. Then, with s = epoch - warmup_epochs - 1 and n = epochs - warmup_epochs - 1: constant;
 * step: learning_rate * step_factor^(s / step_epochs), whole steps; cosine: from learning_rate at s = 0 to
 * min_learning_rate at s = n along half a cosine (Loshchilov and Hutter 2017, one period). The step schedule does not
 * fall below min_learning_rate.
 */
double hg_schedule_learning_rate(const hg_config *config, int epoch);

/**
 * The plan of `epoch`, from what is known of epochs up to epoch - 2 (so that it can be sent while epoch - 1 runs).
 * Pure. Evaluates every evaluate_every epochs and in the last one; checkpoints every checkpoint_every and in the last
 * one; averages (sync local) every sync_every, in the last one, and where the weights are evaluated or stored. Stops
 * after train.epochs, or early.
 */
hg_plan hg_schedule_plan(const hg_config *config, const hg_schedule_state *state, int epoch);

/**
 * Takes the report of an epoch into the state; ignored when it was not evaluated. A NaN metric is no gain.
 * When `patience` evaluations in a row brought no gain after that of epoch t - 1, the epoch t is the last: t + 1 has a
 * stop plan.
 */
void hg_schedule_observe(hg_schedule_state *state, const hg_config *config, const hg_report *report);
