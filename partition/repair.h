#pragma once
#include "core/graph/graph.h"

/**
 * Fills every empty part with a connected piece of the part that is largest at that moment: half of it or a mean part's
 * nodes, whichever is less, grown breadth first from a boundary node.
 * @param part_of   [nodes], 0..k-1, changed; k <= nodes
 * Cost: O(empty parts x (nodes + edges)).
 */
hg_status hg_repair_empty(const hg_graph *graph, int k, int32_t *part_of);
