#pragma once
#include "partition/reorder.h"

/*
 * Where few nodes are trained on, those that reach one of them in a step or two are few as well, and a training pass
 * needs the rows of these alone. It goes over whole blocks of rows (models/active_rows.h), so they should stand
 * together: first the training nodes, then those with an edge to one, then those with one to these, then all others,
 * each in the order that they had. Evaluations read the nodes of all splits: where these are not most of the graph, the
 * others stand by the same steps to one of them.
 */

/** At most this share of training nodes, and of those within a step of what is read: else the order stays. */
static const double HG_TRAINING_FEW = 0.1, HG_TRAINING_NEAR = 0.75;

/**
 * Puts `sequence` [nodes], a permutation, in that order if it is worth it; then `result`, as hg_reorder gave it, counts
 * the fetches of the new one. Cost: edges x 4 at most, and a count of fetches. Memory: 21 bytes a node.
 */
hg_status hg_training_first(const hg_graph *graph, int k, const int32_t *part_of, hg_lid *sequence,
                            hg_reordered *result);
