#pragma once
#include "partition/partitioner.h"

/** Rows that parts send in one exchange of halo rows (HG_SEND_SOURCES); backward each sends what it received. */
typedef struct {
  int64_t sent;     ///< by the part that sends most
  int64_t received; ///< by the part that receives most
  int64_t total;    ///< of all parts
} hg_refine_rows;

typedef struct {
  hg_refine_rows before, after;
  int passes;
  hg_off moves; ///< of nodes, those that were kept
  double seconds;
} hg_refined;

/** Rows of the part that sends or receives most: backward a part sends as many as it received forward. */
static inline int64_t hg_refine_most(const hg_refine_rows *rows)
{
  return rows->sent > rows->received ? rows->sent : rows->received;
}

/**
 * Moves single nodes between parts so that the part that sends or receives most rows has fewer of them; of two states
 * with as many, the one with fewer rows in all is better. A node goes where it lowers the weighted sum of all
 * rows, those of a part weighing the more the nearer it is to the largest; what is kept is the best state on the way
 * in which neither `sent` nor `received`, nor `total` where options->objective is volume, is larger than at the
 * start. Nodes stay on their host (options->hosts). No part becomes empty, and none gets heavier than what
 * options->balance and options->imbalance allow.
 * Serial, the same bits each time.
 * Cost: some 8 ns for each edge and part that the edge's source has out-neighbours in, a pass; 12 passes at most, fewer
 * where they would look at more than 96 such parts for each edge and node.
 * Memory: 16 bytes a node, and 8 for each of its out-neighbours or each part, whichever are fewer.
 * @param part_of   [nodes] 0..k-1, none of the parts empty; changed
 */
hg_status hg_refine(const hg_graph *graph, int k, const hg_partition_options *options, int32_t *part_of,
                    hg_refined *refined);

/** hg_partition_graph, and what the refinement did: all 0 where there was none. */
hg_status hg_partition_refined(const hg_graph *graph, int k, const hg_partition_options *options, int32_t *part_of,
                               hg_refined *refined);
