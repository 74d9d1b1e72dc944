#pragma once
#include "runtime/coord/protocol.h"

/** State of the decisions: part of a checkpoint, so that a resumed run decides alike. */
typedef struct {
  int best_epoch;     ///< 0: none yet
  double best_metric; ///< larger is better
  int without_gain;   ///< evaluations since best_epoch
} hg_schedule_state;

/** Learning rate of `epoch` (from 1): warm-up, then constant, step or cosine down to min_learning_rate. */
double hg_schedule_learning_rate(const hg_config *config, int epoch);

/** The plan of `epoch`, from what is known of epochs up to epoch - 2 (so that it can be sent while epoch - 1 runs). Pure. */
hg_plan hg_schedule_plan(const hg_config *config, const hg_schedule_state *state, int epoch);

/** Takes an evaluated report into the state. */
void hg_schedule_observe(hg_schedule_state *state, const hg_report *report);
