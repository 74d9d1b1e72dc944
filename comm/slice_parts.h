#pragma once
#include "comm/route.h"
#include "comm/slice_graph.h"
#include "core/graph/store.h"

/**
 * The parts of this rank, cut out of slices: part p of k is made by rank p ranks / k (rounded down), so that a rank has
 * consecutive parts, one of them when there are as many as ranks. Owned; free with hg_slice_parts_free.
 */
typedef struct {
  hg_world *world;      ///< borrowed
  int first, end;       ///< the parts of this rank
  hg_route route;       ///< from the slices to these parts
  hg_lid *order;        ///< [nodes] the nodes in the order of their global ids, as they came by `route`
  hg_graph rows;        ///< in that order; columns are global ids. Nodes: after hg_slice_parts_load
  hg_parts_index index; ///< of all parts; halo_ids: of these alone
  hg_off *cut;          ///< [parts of this rank] edges from other parts
} hg_slice_parts;

/**
 * Sends each node's edges to the rank of its part, which numbers nodes as hg_parts_build does. The slice's edges are
 * given up. No rank holds more than its slice, its parts and 3/16 bytes a node of the whole graph.
 * @param part_of   [nodes of the slice]
 * Collective.
 */
hg_status hg_slice_parts_cut(hg_slice_parts *parts, hg_slice *slice, int k, const int32_t *part_of);

/** Then what is known of the nodes: each rank reads that of its slice from the graph file. Collective. */
hg_status hg_slice_parts_load(hg_slice_parts *parts, const hg_slice *slice, const char *graph_path);

/**
 * Writes the parts file, one rank after the other; it appears when it is complete. parts->index.quality_json and recipe
 * are those of rank 0. Collective.
 */
hg_status hg_slice_parts_write(hg_slice_parts *parts, const hg_store_header *shape, const char *path,
                               const char *creator);

void hg_slice_parts_free(hg_slice_parts *parts);
