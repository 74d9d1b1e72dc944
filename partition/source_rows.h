#pragma once
#include "partition/halo_rows.h"

/**
 * Rows of sources alone that groups of consecutive parts exchange: what hg_halo_rows_count says of them, without the
 * time for partial sums and covers, whose figures stay 0. Memory: 4 bytes a node.
 * @param first    [k + 1] first node of each group: the graph stands part by part
 */
hg_status hg_source_rows_count(hg_halo_rows *rows, const hg_graph *graph, int k, const hg_gid *first);
