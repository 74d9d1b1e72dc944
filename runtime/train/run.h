#pragma once
#include "comm/world.h"
#include "runtime/config/config.h"
#include "runtime/observe/record.h"

typedef struct {
  bool resume;  ///< go on from the newest checkpoint of config->output; begin where there is none
  bool quiet;   ///< no progress
  bool dry_run; ///< stop before the first epoch: print what is planned
} hg_run_options;

/**
 * A whole run: loads, trains every repeat under the coordinator, writes the run's folder, prints the closing table on
 * rank 0.
 * @return   HG_STOPPED when a signal ended it after a checkpoint
 * Collective.
 */
hg_status hg_run_train(hg_world *world, const hg_config *config, hg_run_options options);
