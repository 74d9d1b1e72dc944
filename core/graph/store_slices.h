#pragma once
#include "core/graph/store.h"

/*
 * Graph files in slices, and a parts file that several processes write one after the other, each its own rows: for
 * graphs of which no process can hold the whole.
 */

/**
 * Cuts the rows of a graph file into `pieces` of about equally many edges and nodes.
 * @param first   [pieces + 1], written: piece p is the rows first[p] .. first[p+1]-1; may be none
 */
hg_status hg_store_cut_rows(const char *path, int pieces, hg_gid *first);

/** The edges alone of hg_store_read_rows, checked; `slice` has no features, labels or ids. */
hg_status hg_store_read_row_edges(const char *path, hg_gid first, hg_off n, hg_graph *slice);

/** What is known of those nodes, checked, without their edges. */
hg_status hg_store_read_row_nodes(const char *path, hg_gid first, hg_off n, hg_nodes *nodes);

/** Where the rows of one process lie in the whole. */
typedef struct {
  hg_gid row;
  hg_off edge, feature_entry, split[HG_SPLIT_COUNT], halo; ///< those of the rows and parts before
} hg_store_place;

/**
 * Makes `temporary` with all datasets of a parts file of that shape, empty but for the index; halo ids are written with
 * the rows. Messages speak of `path`.
 * @param shape   of the graph that was partitioned
 * @param has_split   whether nodes of it have a split
 */
hg_status hg_store_begin_parts(const char *temporary, const char *path, const hg_store_header *shape, bool has_split,
                               const hg_parts_index *index, const char *creator);

/** Writes rows at their place: columns are global ids; and the halo ids of the parts that these rows are, n_halo. */
hg_status hg_store_add_rows(const char *temporary, const char *path, const hg_store_place *place, const hg_graph *rows,
                            const hg_gid *halo_ids, hg_off n_halo);
