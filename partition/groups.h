#pragma once
#include "core/graph/graph.h"

/** group[i] = 2 x part + (1 for a boundary node, which has a neighbour in another part); [nodes], written. */
void hg_groups_find(const hg_graph *graph, const int32_t *part_of, int32_t *group);

/**
 * Counting sort by group, stable: `order` = the nodes of group 0 as they follow each other in `sequence`, then
 * those of group 1, ...
 * @param sequence   [n] a permutation, or NULL: 0, 1, 2, ...
 * @param order      [n], written; not `sequence`
 * @param start      [n_groups + 1], written: group g is order[start[g] .. start[g + 1])
 */
void hg_groups_sort(hg_lid n, hg_off n_groups, const int32_t *group, const hg_lid *sequence, hg_lid *order,
                    hg_off *start);
