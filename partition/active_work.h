#pragma once
#include "core/graph/graph.h"

/**
 * What one training pass with active sets aggregates at each node: over the layers that compute the node's row, (edges
 * into it + 1) x the narrower width of the layer. The last layer computes the training nodes' rows, each layer below
 * the rows that the next one reads. Scaled so that all together are at most 2^30.
 * @param layers   1 or more, of `hidden` columns; the first has the features' width, the last gives the classes'
 * @param work     [nodes], written
 * Cost: edges x layers at most. Memory: 4 bytes a node.
 */
hg_status hg_active_work(const hg_graph *graph, int layers, int hidden, hg_off *work);
