#pragma once
#include <stdio.h>

#include "runtime/observe/record.h"

/** The live line of rank 0 on standard error: rewritten on a terminal, now and then a plain line elsewhere. */
typedef struct {
  bool quiet, terminal;
  int epochs, n_repeats;
  hg_metric metric;
  double last_shown;   ///< hg_now_s()
  double mean_seconds; ///< running mean of what an epoch takes, evaluation included
  double last_epoch_at;
} hg_progress;

void hg_progress_begin(hg_progress *progress, const hg_config *config, hg_metric metric, bool quiet);

/** Shows an epoch: epoch, loss, validation score, seconds per epoch, time left. */
void hg_progress_epoch(hg_progress *progress, const hg_epoch_record *record);

/** Ends the live line. */
void hg_progress_end(hg_progress *progress);

/** The small table that closes a run, on `to`. */
void hg_summary_print(const hg_run_summary *summary, const char *folder, FILE *to);
