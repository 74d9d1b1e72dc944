#pragma once
#include "models/model.h"
#include "runtime/coord/worker.h"
#include "runtime/train/checkpoint.h"
#include "runtime/train/dataset.h"
#include "runtime/train/memory_plan.h"
#include "runtime/train/metrics.h"
#include "runtime/train/optimizer.h"

/** One rank's model, data and optimiser: everything between the config and the epochs. */
typedef struct {
  hg_world *world;         ///< borrowed
  const hg_config *config; ///< borrowed
  hg_dataset dataset;
  hg_local_graph graph;
  hg_input input;
  hg_model model;
  hg_optimizer optimizer;
  hg_sums *sums;
  hg_metrics metrics;
  hg_metric metric; ///< resolved
  hg_truth truth;
  hg_loss loss;
  hg_real *class_weights; ///< [n_classes] or NULL
  double train_weight;    ///< of all ranks' training nodes: what the loss is divided by
  hg_memory planned;      ///< of this rank, predicted before it was allocated
} hg_trainer;

/** Loads the data, plans the memory, allocates everything. Collective. */
hg_status hg_trainer_create(hg_trainer *trainer, hg_world *world, const hg_config *config);

/** The same for a model that is trained already and only predicts (see hg_dataset_load); its weights come later. */
hg_status hg_trainer_create_trained(hg_trainer *trainer, hg_world *world, const hg_config *config,
                                    const hg_trained *trained);
void hg_trainer_free(hg_trainer *trainer);

/** Fresh weights and moments of a seed. */
void hg_trainer_start(hg_trainer *trainer, uint64_t seed);

/** What one rank found in one training step; sums to be added over ranks. */
typedef struct {
  hg_status status;  ///< HG_OK, or what went wrong on this rank alone
  hg_loss_sums loss; ///< over the owned training nodes
} hg_step;

/**
 * One epoch's forward pass, loss, backward pass, gradient synchronisation and optimiser step, as the plan says.
 * @param worker   for sync: coordinator; otherwise unused
 * Collective; a failure of one rank is in `status`, for the epoch's agreement.
 */
hg_step hg_trainer_step(hg_trainer *trainer, uint64_t seed, const hg_plan *plan, hg_worker *worker, hg_phases *phases);

/** sync local: weights and moments become their means over ranks. Collective. */
void hg_trainer_average(hg_trainer *trainer);

/** Scores of every split with dropout off. Collective. @param scores [HG_SPLIT_COUNT] */
hg_status hg_trainer_evaluate(hg_trainer *trainer, hg_scores *scores);

/** The current weights, state and moments, into and out of a checkpoint. */
void hg_trainer_save(const hg_trainer *trainer, hg_checkpoint *checkpoint);
void hg_trainer_restore(hg_trainer *trainer, const hg_checkpoint *checkpoint);

/** A number that is equal on all ranks when their weights are; 52 bits, exact in a double. */
double hg_trainer_checksum(const hg_trainer *trainer);
