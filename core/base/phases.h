#pragma once

/** What an epoch's time is spent on. */
typedef enum {
  HG_PHASE_AGGREGATE,    ///< sparse times dense, interior and boundary rows
  HG_PHASE_EXCHANGE,     ///< packing, and waiting for halo rows: communication that nothing hides
  HG_PHASE_TRANSFORM,    ///< dense and sparse products with the weights
  HG_PHASE_ELEMENTWISE,  ///< dropout, bias, norm, activation
  HG_PHASE_LOSS,         ///< loss, its gradient, the agreement of an epoch
  HG_PHASE_GRADIENT_SUM, ///< waiting for the sum of weight gradients
  HG_PHASE_OPTIMIZER,
  HG_PHASE_BATCH,       ///< waiting for the next mini-batch, which another thread fills
  HG_PHASE_COORDINATOR, ///< waiting for a plan, reporting
  HG_PHASE_EVALUATE,    ///< forward pass and metrics of an evaluation
  HG_PHASE_CHECKPOINT,  ///< checkpoints and the run's files
  HG_PHASE_COUNT
} hg_phase;

/** Seconds of each phase, by laps: every moment belongs to exactly one phase. */
typedef struct {
  double seconds[HG_PHASE_COUNT];
  double lap_start; ///< hg_now_s() at the last lap
} hg_phases;

const char *hg_phase_name(hg_phase phase);

/** Zeroes the seconds and starts the first lap. */
void hg_phases_start(hg_phases *phases);

/** The time since the last lap goes to `phase`. */
void hg_phases_lap(hg_phases *phases, hg_phase phase);

/**
 * The time since the last lap is shared among phases as `seconds` are: what threads spent on each of them, one after
 * the other in small pieces. All of it goes to `phase` when they are all 0.
 */
void hg_phases_share(hg_phases *phases, const double seconds[HG_PHASE_COUNT], hg_phase phase);
