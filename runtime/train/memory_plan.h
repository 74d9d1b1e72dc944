#pragma once
#include "models/active.h"
#include "models/batch.h"
#include "runtime/train/dataset.h"

/** Bytes of arrays that a rank will hold while it trains, by what they are for; known before they are allocated. */
typedef struct {
  size_t graph;    ///< the part: adjacency, its transpose, scales, ids, labels; or a collection with its batches
  size_t features; ///< input features as training has them, with halo rows; 0 when their aggregate replaces them before
                   ///< the rest is allocated
  size_t activations; ///< layer outputs and what backward keeps
  size_t workspace;   ///< shared products, gradients, weight-gradient blocks
  size_t halo;        ///< exchange buffers and send lists
  size_t parameters;  ///< weights, gradients, moments, checkpoint copies
  size_t total;
} hg_memory;

/**
 * From the config, this rank's part, which is loaded already, its active rows, and the grid by whose columns it
 * aggregates, or NULL. Not collective.
 * @param world   whose hosts decide what crosses; NULL: one host
 */
hg_status hg_memory_plan(hg_memory *memory, const hg_config *config, hg_world *world, const hg_dataset *dataset,
                         const hg_active *active, const hg_active *scored, hg_slabs *slabs);

/** The same for a run on a collection, which is loaded, with batches of that room. Not collective. */
hg_status hg_memory_plan_batches(hg_memory *memory, const hg_config *config, const hg_batch_source *source,
                                 const hg_batch_room *room);
