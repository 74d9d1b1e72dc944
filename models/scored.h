#pragma once
#include "models/model.h"

/*
 * Active sets of evaluations (models/active.h): scores read the last layer's rows of the nodes of the splits whose
 * labels are known, and a pass that is `scored` computes, aggregates and exchanges what reaches these alone. It goes
 * forward only, so a level has no transposed (for a gcn no edges at all) and no exchange of gradients; batch norm's
 * moments are remembered, so that layers below it leave out rows as well. Rows cross as sources. Layers whose rows
 * cross by covers aggregate all, and so does every layer in a pass that is not `scored`, e.g. for predictions.
 */

/** How many layers, from the last one down, need not compute all rows in an evaluation: for hg_active_create. */
int hg_model_scored_levels(const hg_model_options *options);

/** Bytes that hg_model_score will allocate for a planned model on a part. */
size_t hg_model_scored_bytes(const hg_model *model, const hg_active *scored, const hg_part *part);

/**
 * From now on `scored` passes leave out what no scored node reads: outputs of other rows than those that `scored` was
 * made for mean nothing in them. After hg_model_activate. Collective.
 * @param scored   of the one stage's part; borrowed: must outlive the model's passes
 */
hg_status hg_model_score(hg_model *model, hg_active *scored);
