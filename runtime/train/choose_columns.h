#pragma once
#include "comm/message_speed.h"
#include "runtime/train/dataset.h"

/** What decides between grids: measured where a run starts. */
typedef struct {
  hg_message_speed messages;
  double edge_s[2]; ///< of the slowest rank: hg_edge_time
  double edges;     ///< of the whole graph
} hg_column_speeds;

/** Measures them on the parts at hand, all ranks at once. Collective; takes some tens of milliseconds. */
hg_status hg_column_speeds_measure(hg_column_speeds *speeds, hg_world *world, const hg_part *part);

/**
 * parallel.mode: auto. Of all grids of the ranks, the one whose products with the adjacency take least in a training
 * epoch: edges of a part times what an edge takes at the columns of a rank, and latency x messages + bytes / bandwidth
 * of the rank for which that is most: its bytes to ranks of its own host by that host's memory, to others by the
 * network, whatever ranks each host has. Of those bytes parts of the graph (one column) hide at most half behind their
 * backward products, and leave out their zeros (halo.skip_zeros) and what the first layer computes
 * (halo.compute_first, whose products are not counted); columns hide none (ALGORITHMS A.12). Everything else takes as
 * long in each of them. What crosses is counted on the parts at hand: groups of consecutive ones are the parts of a
 * grid, so nothing is partitioned for it; active sets, which one column alone has, are not counted. Of equals the
 * fewest columns. Rank 0 reads the halos of all parts for it. Collective.
 * @param parts_path   of as many parts as ranks
 * @param columns      what is chosen: ranks that share a part
 */
hg_status hg_columns_choose(hg_world *world, const hg_config *config, const char *parts_path,
                            const hg_column_speeds *speeds, int *columns);
