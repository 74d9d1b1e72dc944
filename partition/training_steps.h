#pragma once
#include "core/graph/graph.h"

/**
 * steps[i]: edges of the shortest way from node i to a training node with a known label, `most` when it is longer.
 * What a training pass computes of use follows from it (models/active.h).
 * @param most    1 or more     @param steps  [nodes], written
 * Cost: edges x most at most.
 */
void hg_training_steps(const hg_graph *graph, int most, int32_t *steps);

/** The same to the next node of any split whose label is known: what evaluations read. */
void hg_scored_steps(const hg_graph *graph, int most, int32_t *steps);
