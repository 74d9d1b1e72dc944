#pragma once
#include "core/graph/store.h"
#include "partition/partitioner.h"

/**
 * The order of nodes for `part_of` (part by part; interior nodes, then boundary nodes; old numbers ascending in each
 * group) and the index of halos that goes with it.
 * @param order   [nodes], written: order[new global id] = old number, for hg_graph_permute
 * @param index   created; quality_json is left NULL
 */
hg_status hg_parts_build(const hg_graph *graph, int k, const int32_t *part_of, hg_lid *order, hg_parts_index *index);

/**
 * The same with the nodes of each group in the order of `sequence` (hg_reorder), not in that of old numbers.
 * @param sequence   [nodes] a permutation of the old numbers, or NULL; not `order`
 */
hg_status hg_parts_build_ordered(const hg_graph *graph, int k, const int32_t *part_of, const hg_lid *sequence,
                                 hg_lid *order, hg_parts_index *index);

/** What one rank owns, in local ids (DESIGN: owned interior, owned boundary, halo by owner and global id). */
typedef struct {
  int part, n_parts;
  hg_gid n_global; ///< nodes of the whole graph
  hg_off m_global; ///< edges of the whole graph
  hg_gid first;    ///< global id of local node 0
  hg_lid n_owned, n_interior, n_halo;
  hg_csr a; ///< n_owned x (n_owned + n_halo), local ids; entries in the order of global ids' owners: owned, then halo
  hg_gid *halo_ids;       ///< [n_halo] global ids, ascending
  hg_known_covers covers; ///< of the edges from its halo nodes
  hg_lid *halo_offsets; ///< [n_parts + 1] part q owns halo nodes halo_offsets[q] .. [q+1]-1 (add n_owned for local ids)
  hg_gid *owner_first;  ///< [n_parts + 1] first global id of each part
  hg_nodes nodes;       ///< data of the owned nodes
} hg_part;

/** Reads part `part` of a parts file. Not collective; memory: the part. */
hg_status hg_part_read(hg_part *out, const char *path, int part);

/** Cuts part `part` out of a whole graph that is in the order of `index`: for tests and small graphs. */
hg_status hg_part_extract(hg_part *out, const hg_graph *graph, const hg_parts_index *index, int part);

void hg_part_free(hg_part *part);

/** The global id of local node i, owned or halo. */
static inline hg_gid hg_part_global(const hg_part *part, hg_lid i)
{
  return i < part->n_owned ? part->first + i : part->halo_ids[i - part->n_owned];
}

/** All invariants of the local numbering. HG_ERR_INTERNAL names the broken one. */
hg_status hg_part_check(const hg_part *part);
