#pragma once
#include "models/model.h"
#include "runtime/coord/worker.h"
#include "runtime/train/checkpoint.h"
#include "runtime/train/labelled.h"
#include "runtime/train/memory_plan.h"
#include "runtime/train/metrics.h"
#include "runtime/train/optimizer.h"
#include "runtime/train/trained.h"

typedef struct hg_feed_type hg_feed_type;

/** What is told of the data, whatever their kind. */
typedef struct {
  uint64_t fingerprint;
  hg_off n_items, n_nodes, n_edges; ///< of all ranks
  int64_t edge_cut, halo_nodes;
  double partition_seconds, reorder_seconds;
  int columns; ///< ranks that share a part of a graph and aggregate by columns; 1: none
} hg_data_facts;

/** One rank's model, data and optimiser: everything between the config and the epochs. */
typedef struct {
  hg_world *world;         ///< borrowed
  const hg_config *config; ///< borrowed
  const hg_feed_type *type;
  void *feed; ///< the data, and how far through them it is; the type's
  hg_data_facts facts;
  hg_labelled labelled; ///< a view of the feed's
  hg_scales *scales;    ///< the feed's: what its data were scaled with
  hg_model model;
  hg_optimizer optimizer;
  hg_off steps; ///< of the optimiser, since the start of this seed
  hg_sums *sums;
  hg_metrics metrics;
  hg_metric metric; ///< resolved
  hg_loss loss;
  hg_real *class_weights; ///< [n_classes] or NULL
  double train_weight;    ///< of all ranks' training items: what a loss over all of them is divided by
  hg_memory planned;      ///< of this rank, predicted before it was allocated
} hg_trainer;

/** Loads the data, plans the memory, allocates everything. Collective. */
hg_status hg_trainer_create(hg_trainer *trainer, hg_world *world, const hg_config *config);

/**
 * The same for a model that is trained already and only predicts; its weights come later. The data are scaled as those
 * that it was trained on; other ones need no labels and no split, and none of their own are used.
 */
hg_status hg_trainer_create_trained(hg_trainer *trainer, hg_world *world, const hg_config *config,
                                    const hg_trained *trained);

/**
 * Of this process alone, without MPI, on a feed that is made already and becomes the trainer's. Its steps must not be
 * summed over ranks: sync local. Not collective.
 */
hg_status hg_trainer_create_alone(hg_trainer *trainer, const hg_config *config, const hg_feed_type *type, void *feed);
void hg_trainer_free(hg_trainer *trainer);

/** Fresh weights and moments of a seed. */
void hg_trainer_start(hg_trainer *trainer, uint64_t seed);

/** What one rank found in one epoch's training; sums to be added over ranks. */
typedef struct {
  hg_status status;  ///< HG_OK, or what went wrong on this rank alone
  hg_loss_sums loss; ///< over this rank's training items
} hg_step;

/**
 * One epoch's forward passes, losses, backward passes, gradient synchronisations and optimiser steps, as the plan says.
 * @param worker   for sync: coordinator; otherwise unused
 * Collective; a failure of one rank is in `status`, for the epoch's agreement.
 */
hg_step hg_trainer_step(hg_trainer *trainer, uint64_t seed, const hg_plan *plan, hg_worker *worker, hg_phases *phases);

/** What every step does with its logits: `truth` of `rows` of them, which weigh `weight` over all ranks. */
typedef struct {
  const hg_plan *plan;
  hg_worker *worker;
  const hg_truth *truth;
  const hg_lid *rows; ///< [n]
  hg_off n;
  double weight;
} hg_step_task;

/** Loss, backward pass, gradient synchronisation, optimiser. For feeds. Collective. */
hg_step hg_trainer_update(hg_trainer *trainer, const hg_step_task *task, const hg_pass *pass, const hg_matrix *logits);

/** sync local: weights and moments become their means over ranks. Collective. */
void hg_trainer_average(hg_trainer *trainer);

/** Scores of the splits with dropout off. Collective. @param scores [HG_SPLIT_COUNT] */
hg_status hg_trainer_evaluate(hg_trainer *trainer, hg_scores *scores);

/** The current weights, state and moments, into and out of a checkpoint. */
void hg_trainer_save(const hg_trainer *trainer, hg_checkpoint *checkpoint);
void hg_trainer_restore(hg_trainer *trainer, const hg_checkpoint *checkpoint);

/** A number that is equal on all ranks when their weights are; 52 bits, exact in a double. */
double hg_trainer_checksum(const hg_trainer *trainer);
