#pragma once
#include "models/model.h"

/** A model of a made-up collection, with a batch of its graphs on each rank. */
typedef struct {
  hg_world *world;
  hg_model_options options;
  hg_collection collection;
  hg_hierarchy hierarchy;
  hg_batch_source source;
  hg_batch_room room;
  hg_batch batch;
  hg_input input;
  hg_model model;
  hg_phases phases;
} batch_model;

enum { BATCH_MODEL_WIDTH = 4, BATCH_MODEL_OUTPUTS = 3 };

/**
 * Two layers, 5 hidden, no dropout, biases off zero; `changes` as for --set, ended by NULL.
 * @param n_graphs   of the collection, and what a batch has room for
 * Collective. Reports with check(). Free it in any case.
 */
bool batch_model_create(batch_model *m, hg_world *world, hg_off n_graphs, const char *const *changes);

/** The same on a collection of the caller's, which the batch_model takes. */
bool batch_model_create_on(batch_model *m, hg_world *world, hg_collection *collection, const char *const *changes);
void batch_model_free(batch_model *m);

/** The batch of all `n` graphs: every P-th is this rank's, from its number on. */
void batch_model_fill(batch_model *m, const hg_off *graphs, hg_off n);

/** A training pass of seed 3, epoch 2, or one without dropout. */
hg_matrix batch_model_forward(batch_model *m, bool training);

/** A linear function of all ranks' logits in a training pass, whose factors go with the graph. Collective. */
double batch_model_value(batch_model *m);

/** Its gradient in model.gradients, summed over ranks, after the same pass. Collective. */
void batch_model_gradient(batch_model *m);
