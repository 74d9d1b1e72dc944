#pragma once
#include "comm/world.h"
#include "core/graph/graph.h"
#include "partition/partitioner.h"

/** Each rank's slice of a graph: consecutive nodes and the edges into them. Owned; free with hg_slice_free. */
typedef struct {
  hg_world *world; ///< borrowed
  hg_gid *first;   ///< [ranks + 1] rank r has the nodes first[r] .. first[r+1]-1
  hg_csr a;        ///< rows: this rank's nodes; columns: any node
} hg_slice;

/**
 * Reads this rank's slice of a graph file, about as many edges and nodes as any other's. HG_ERR_INPUT also for a file
 * marked symmetric that is not. Collective.
 */
hg_status hg_slice_read(hg_slice *slice, hg_world *world, const char *path);
void hg_slice_free(hg_slice *slice);

/** The rank whose slice node i is in. */
int hg_slice_owner(const hg_slice *slice, hg_gid i);

/** Nodes of this rank's slice. */
hg_off hg_slice_n(const hg_slice *slice);

/** `both` = the same slice with each edge's reverse. Memory: 24 bytes an edge of the slice. Collective. */
hg_status hg_slice_symmetrise(const hg_slice *slice, hg_slice *both);

/**
 * LDG (partition/partitioner.h) of all ranks at once: each streams its slice, in blocks; after each block ranks tell
 * one another the parts of nodes and what parts weigh. In a block a rank fills up at most its share of the room that is
 * left. 20 passes at most. Directed graphs as they are: a node sees its in-neighbours. The same on any repetition with
 * as many ranks.
 * @param part_of   [nodes of the slice], written; parts may be empty
 * Memory: 12 bytes a column of the slice. Collective.
 */
hg_status hg_slice_ldg(const hg_slice *slice, int k, const hg_partition_options *options, int32_t *part_of);

/**
 * Parts of a symmetric graph by PT-Scotch, few edges between them; balanced in nodes or in edges (options->balance).
 * The same on any repetition with as many ranks.
 * @param edges     [nodes of the slice + 1] row pointers of the graph as it was before it was made symmetric: a node
 *                  weighs its in-edges and one more where edges are balanced
 * @param part_of   [nodes of the slice], written; parts may be empty
 * @return          HG_ERR_INPUT for 2^31 edges or more. Collective.
 */
hg_status hg_slice_ptscotch(const hg_slice *symmetric, const hg_off *edges, int k, const hg_partition_options *options,
                            int32_t *part_of);
