#pragma once
#include "comm/world.h"
#include "partition/partitioner.h"

/**
 * hg_partition_file of all ranks together, for graphs that do not fit in one process: each reads its slice of the
 * nodes and the edges into them, the parts are made of these (options->method is one of hg_sliced_partitioners), and
 * nodes and edges go to the ranks of their parts, which write the file one after the other. The nodes of a part keep
 * the file's order; nothing is refined, and rows of partial sums and covers are not counted.
 * Memory of a rank: its slice, what PT-Scotch makes of it, its parts, and 3/16 bytes a node of the whole graph.
 * @return   as hg_partition_file, the same on all ranks. Collective.
 */
hg_status hg_slices_partition_file(hg_world *world, const char *graph_path, int k, const hg_partition_options *options,
                                   const char *parts_path);
