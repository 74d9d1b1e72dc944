#pragma once
#include "runtime/coord/coordinator.h"
#include "runtime/observe/progress.h"
#include "runtime/observe/run_folder.h"
#include "runtime/train/run.h"
#include "runtime/train/trainer.h"

/* What run.c (the whole run) and repeat.c (one seed's epochs) share. */

typedef struct {
  hg_world *world;
  const hg_config *config;
  hg_run_options options;
  bool chief; ///< rank 0: keeps the folder, shows progress
  hg_trainer trainer;
  hg_checkpoint checkpoint; ///< of the repeat under way: also the best weights so far
  hg_run_folder folder;     ///< chief
  hg_progress progress;     ///< chief
  double *epoch_seconds;    ///< [n_times] of the first epochs of this process
  hg_off n_times;           ///< all of them, but no more than a million
  hg_off n_epochs;
  double phases[HG_PHASE_COUNT];      ///< totals, max over ranks, of the repeat under way
  double late_phases[HG_PHASE_COUNT]; ///< of this rank: what an epoch spends after its numbers are agreed on
  int64_t halo_bytes, halo_messages;  ///< of the last epoch, all ranks
  int64_t all_halo_bytes;             ///< of n_epochs
  int64_t far_bytes, far_messages;    ///< of halo_bytes and halo_messages, between hosts
  int64_t all_far_bytes;              ///< of n_epochs
  hg_exchange_seconds exchange;       ///< sums of n_epochs
  bool saved;                         ///< the last epoch has its checkpoint
  double start_rss;                   ///< bytes resident before anything was loaded
  double coordinator_seconds;         ///< on the critical path of this rank
} hg_run;

/**
 * Trains one seed from checkpoint.epoch + 1 until the plan says stop; its result is appended to checkpoint.results.
 * @return   HG_STOPPED after a signal, with the checkpoint written
 * Collective.
 */
hg_status hg_run_repeat(hg_run *run);
