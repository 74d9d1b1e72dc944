#pragma once
#include "core/graph/collection.h"

/**
 * A symmetric collection of `n_graphs` small graphs, a function of the seed: 1 to 20 nodes each, random points of the
 * unit cube that are joined when they are near (pairs at random without positions); each fifth graph has no edges, each
 * seventh is one node; some points coincide. All graphs know their labels, label bits or targets, and are in train
 * (three of five), val or test.
 * @param width    of the dense features, 0: none       @param n_dims   of the positions, 0: none
 * @param task     with n_classes classes, labels or targets; HG_TASK_NONE: 0
 * Free with hg_collection_free. Without Criterion: MPI cases use it too.
 */
hg_status sample_collection(hg_collection *out, hg_off n_graphs, int width, int n_dims, hg_task task, int n_classes,
                            uint64_t seed);

/** Drops one direction of about half of the edges: the collection is directed then. */
void sample_collection_direct(hg_collection *collection, uint64_t seed);
