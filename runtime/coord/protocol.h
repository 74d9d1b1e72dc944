#pragma once
#include "runtime/config/config.h"

enum { HG_PROTOCOL_VERSION = 1, HG_PHASES_MAX = 16 };

/** What every worker does in one epoch; decided by the coordinator, the same for all. Epochs count from 1. */
typedef struct {
  int epoch;
  double learning_rate;
  hg_sync sync;
  bool average;    ///< sync local: average the weights after this epoch
  bool evaluate;   ///< evaluate after the step
  bool checkpoint; ///< write a checkpoint after the epoch
  bool stop;       ///< there is no such epoch: finish
} hg_plan;

/** What a worker tells after an epoch. Sums over ranks are already global. */
typedef struct {
  int epoch;
  double train_loss;
  bool evaluated;
  double val_metric; ///< larger is better (RMSE is negated)
  double seconds;
  int64_t halo_bytes; ///< sent by this rank
  int64_t peak_rss_bytes;
} hg_report;

/** JSON text of a message and back. HG_ERR_INPUT for a wrong version, type or missing field. See docs/architecture.md. */
typedef enum { HG_MSG_HELLO, HG_MSG_READY, HG_MSG_PLAN, HG_MSG_REPORT, HG_MSG_GRADIENT, HG_MSG_SUM, HG_MSG_BYE } hg_message_kind;

typedef struct {
  hg_message_kind kind;
  int rank, ranks; ///< HELLO
  hg_plan plan;    ///< PLAN
  hg_report report; ///< REPORT
  int status;      ///< BYE: hg_status of the worker
  int64_t count;   ///< GRADIENT, SUM: reals in the binary frame that follows
} hg_message;

hg_status hg_message_encode(const hg_message *message, char **text); ///< *text by hg_alloc, the caller frees
hg_status hg_message_decode(hg_message *message, const char *text, size_t length);
