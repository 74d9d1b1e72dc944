#pragma once
#include "models/model.h"

/*
 * Which layers' training passes make and read some rows alone (models/active_rows.h): kinds that can, on a level whose
 * edges are pruned, and a first layer that keeps its aggregate and so has no edges to prune. Sparse features lose the
 * rows that no training pass reads. Evaluations do the same, with their own levels. Not a first layer that computes its
 * halo (models/compute_first.h): of the halo's rows all are made. Before that, along which edges passes go.
 */

/** Whether passes of a layer of a planned model skip rows. */
bool hg_skips_rows(const hg_model *model, const hg_active *active, const hg_layer *layer);

/**
 * Makes `graph`, of a layer's training passes or those of evaluations, one with rows: that of a pruned level, or a copy
 * of the whole one where the aggregate is kept. Nothing for layers that skip no rows. Not collective.
 */
hg_status hg_skip_rows(hg_model *model, hg_active *active, hg_layer *layer, bool training,
                       const hg_local_graph **graph);

/** Whether passes of a layer of a planned model go along a level's edges alone. */
bool hg_prunes_edges(const hg_model *model, const hg_active *active, const hg_layer *layer);

/** Edges that it keeps for that, in training or for evaluations: the fewest; where covers cut edges, its own. */
hg_active_edges hg_pruned_edges(const hg_model *model, const hg_layer *layer, bool training);

/** Makes `graph` that of the level where edges are pruned: before hg_skip_rows. Not collective. */
hg_status hg_prune_edges(hg_model *model, hg_active *active, const hg_layer *layer, bool training,
                         const hg_local_graph **graph);

/** Bytes that it allocates for a planned model on a part. */
hg_status hg_skip_rows_bytes(const hg_model *model, const hg_active *active, const hg_part *part, size_t *bytes);
