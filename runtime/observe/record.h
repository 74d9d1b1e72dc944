#pragma once
#include "comm/stale_exchange.h"
#include "core/base/phases.h"
#include "runtime/observe/scores.h"

/** Seconds of the exchanges of an epoch, each the largest of all ranks. */
typedef struct {
  double total;   ///< messages were under way
  double exposed; ///< of that, a rank waited for them: nothing was computed meanwhile
  double packing; ///< packing, unpacking and adding rows
} hg_exchange_seconds;

/** The part of `total` in which something was computed: 1 - exposed / total; NaN when nothing was exchanged. */
double hg_overlap_efficiency(const hg_exchange_seconds *seconds);

/** What is told of one epoch: a line of metrics.jsonl. Sums and maxima are over ranks. */
typedef struct {
  int repeat; ///< from 0
  uint64_t seed;
  int epoch; ///< from 1
  double learning_rate, train_loss;
  bool evaluated;
  hg_scores scores[HG_SPLIT_COUNT];  ///< when evaluated: of the splits train (not of graphs), val and test
  double seconds;                    ///< training, without evaluation and checkpoints; max over ranks
  int64_t halo_bytes, halo_messages; ///< sent, all ranks
  int64_t halo_far_bytes;            ///< of these, between hosts
  hg_exchange_seconds exchange;
  double phases[HG_PHASE_COUNT]; ///< seconds, max over ranks
} hg_epoch_record;

/** What is told of one finished repeat. */
typedef struct {
  uint64_t seed;
  int epochs, best_epoch;
  double train_loss;   ///< last
  hg_scores val, test; ///< at the best epoch
  double best_metric;  ///< val score that chose it
} hg_repeat_result;

/** What is told of a whole run: summary.json. */
typedef struct {
  const char *status; ///< "finished", "stopped", "failed"
  hg_metric metric;
  int ranks, threads, n_repeats;
  const char *precision;           ///< of what layers aggregate and multiply
  const hg_repeat_result *repeats; ///< [n_repeats] finished ones, borrowed
  double epoch_seconds_median;
  hg_pack_format halo_precision;
  const char *halo_aggregation; ///< what crossed: "sources" or "covers"
  double halo_sample;           ///< share of the halo's rows that crossed; 1: all
  bool halo_computed;           ///< the first layer computed halo rows too (halo.compute_first)
  int columns;                  ///< ranks that shared a part of the graph, by columns; 1: each had its own
  hg_staleness_kind halo_staleness;
  int n_layers;
  const double *active_rows; ///< [n_layers] share of rows that a layer aggregates for in training; borrowed
  const double *scored_rows; ///< [n_layers] the same in evaluations
  int64_t halo_bytes_per_epoch, halo_messages_per_epoch;
  int hosts;
  const char *halo_hosts;                                        ///< how rows crossed between them: "ranks", "merged"
  int64_t halo_far_bytes_per_epoch, halo_far_messages_per_epoch; ///< of the above, between hosts
  hg_exchange_seconds exchange;                                  ///< mean of an epoch of this process
  int64_t edge_cut, halo_nodes;
  double partition_seconds, reorder_seconds, load_seconds, total_seconds, coordinator_seconds_per_epoch;
  int64_t peak_rss_bytes, planned_bytes, used_bytes; ///< max over ranks
  int64_t start_rss_bytes; ///< resident before anything was loaded: the program and its libraries; max over ranks
  int64_t n_parameters;
  double phases[HG_PHASE_COUNT]; ///< totals of the last repeat, max over ranks
  const char *error;             ///< when failed: the message
} hg_run_summary;
