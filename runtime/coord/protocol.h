#pragma once
#include <stddef.h>

#include "runtime/config/config.h"

enum {
  HG_PROTOCOL_VERSION = 1,
  HG_MESSAGE_BYTES = 4096, ///< no message's JSON text is longer
  HG_TOKEN_SIZE = 33,      ///< 128 random bits in hexadecimal, and the NUL
  HG_ERROR_SIZE = 512,     ///< text of an ERROR, with its NUL
};

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
  double train_loss; ///< the same on all ranks; NaN and infinity both arrive as NaN
  bool evaluated;
  double val_metric; ///< larger is better (RMSE is negated)
  double seconds;
  int64_t halo_bytes; ///< sent by this rank
  int64_t peak_rss_bytes;
} hg_report;

/** W: sent by a worker, C: by the coordinator. */
typedef enum {
  HG_MSG_HELLO,    ///< W: who I am
  HG_MSG_READY,    ///< C: all workers are there
  HG_MSG_PLAN,     ///< C: what to do in an epoch
  HG_MSG_REPORT,   ///< W: what happened in it
  HG_MSG_GRADIENT, ///< W: a binary frame of hg_real follows
  HG_MSG_SUM,      ///< C: the sum over ranks, in a binary frame
  HG_MSG_BYE,      ///< W: my last message
  HG_MSG_ERROR,    ///< C: the run cannot go on, or a HELLO was refused
  HG_MSG_KINDS
} hg_message_kind;

typedef struct {
  hg_message_kind kind;
  int rank, ranks;           ///< HELLO
  char token[HG_TOKEN_SIZE]; ///< HELLO: what the coordinator's address ends with
  hg_plan plan;              ///< PLAN
  hg_report report;          ///< REPORT
  hg_status status;          ///< BYE: how the worker ended
  int64_t count;             ///< GRADIENT, SUM: reals in the binary frame that follows
  char text[HG_ERROR_SIZE];  ///< ERROR
} hg_message;

/** "hello", "ready", ... and "ok", "input", "io", ...: as they are in messages. */
const char *hg_message_name(hg_message_kind kind);
const char *hg_message_status(hg_status status);

/**
 * JSON text of a message: {"version": 1, "kind": "plan", "epoch": 3, ...}. Numbers keep all their bits; NaN and
 * infinity become null.
 * @param text     [HG_MESSAGE_BYTES], NUL-ended
 * @param length   without the NUL
 */
hg_status hg_message_encode(const hg_message *message, char *text, size_t *length);

/**
 * Reads one. All the fields of its kind must be there with the right type and range, and no others; what other kinds
 * use is zeroed.
 * @param text   any bytes, from anybody
 * @return       HG_ERR_INPUT, and `*message` is as before
 */
hg_status hg_message_decode(hg_message *message, const char *text, size_t length);
