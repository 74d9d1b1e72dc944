#pragma once
#include "models/model.h"

/*
 * Which layers' training passes make and read some rows alone (models/active_rows.h): kinds that can, on a level whose
 * edges are pruned, and a first layer that keeps its aggregate and so has no edges to prune. Sparse features lose the
 * rows that no training pass reads. Evaluations do the same, with their own levels. Not a first layer that computes its
 * halo (models/compute_first.h): of the halo's rows all are made.
 */

/** Whether passes of a layer of a planned model skip rows. */
bool hg_skips_rows(const hg_model *model, const hg_active *active, const hg_layer *layer);

/**
 * Makes `graph`, of a layer's training passes or those of evaluations, one with rows: that of a pruned level, or a copy
 * of the whole one where the aggregate is kept. Nothing for layers that skip no rows. Not collective.
 */
hg_status hg_skip_rows(hg_model *model, hg_active *active, hg_layer *layer, bool training,
                       const hg_local_graph **graph);

/** Edges of a pruned layer in training, the fewest that are kept: where covers cut edges, its own. */
hg_active_edges hg_training_edges(const hg_model *model, const hg_layer *layer);

/** Bytes that it allocates for a planned model on a part. */
hg_status hg_skip_rows_bytes(const hg_model *model, const hg_active *active, const hg_part *part, size_t *bytes);
