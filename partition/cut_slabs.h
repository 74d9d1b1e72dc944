#pragma once
#include "core/graph/graph.h"
#include "partition/partitioner.h"

/** Whether k parts of the graph can be slabs of k / slabs parts: HG_ERR_INPUT says why not. */
hg_status hg_slabs_check(const hg_graph *graph, int k, int slabs);

/**
 * Cuts each part into consecutive slabs for ranks that share it (comm/grid.h): pieces of the order in which its nodes
 * stand, of about equal shares of what parts are balanced in.
 * @param balance    HG_BALANCE_ bits, as for the parts; active work, which is of whole parts, counts as nodes
 * @param part_of    [nodes] 0..parts-1; becomes part x slabs + slab
 * @param sequence   [nodes] the order of the nodes, a permutation; those with a neighbour in another part come after
 *                   all others then, so that they end every slab
 */
hg_status hg_slabs_cut(const hg_graph *graph, int parts, int slabs, int balance, int32_t *part_of, hg_lid *sequence);
