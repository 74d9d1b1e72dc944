#pragma once
#include "runtime/train/trainer.h"

/** One forward pass' outputs on this rank; views that hold until the next pass. Row i belongs to item i. */
typedef struct {
  hg_matrix logits, embeddings; ///< [items x n_classes], [items x f]: the last hidden layer
} hg_outputs;

/**
 * How the data of a run reach the model: the whole graph at once, or batch after batch of a collection's graphs. Every
 * function is collective.
 */
struct hg_feed_type {
  const char *item; ///< what has a label: "node" or "graph"
  hg_split scored;  ///< the first split that an evaluation scores: training graphs are too many to go through again
  /** Loads and scales the data: sets feed, labelled, scales, facts. */
  hg_status (*load)(hg_trainer *t, const hg_trained *trained);
  /** Plans the memory, makes the model; the loss is chosen already. */
  hg_status (*build)(hg_trainer *t);
  /** One epoch: hg_trainer_update for each of its steps. */
  hg_step (*epoch)(hg_trainer *t, uint64_t seed, const hg_plan *plan, hg_worker *worker, hg_phases *phases);
  /** Outputs with dropout off. @param all   of every item, with embeddings; else logits of the scored splits only */
  hg_outputs (*outputs)(hg_trainer *t, bool all);
  /** What there is to train on, in a line, on rank 0; for the plan that a run prints. */
  void (*describe)(const hg_trainer *t, char *line, size_t size);
  void (*free_feed)(hg_trainer *t);
};

extern const hg_feed_type hg_feed_graph, hg_feed_collection;
