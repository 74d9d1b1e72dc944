#pragma once
#include "core/graph/store.h"
#include "partition/halo_rows.h"

/**
 * Rows of sources that groups of consecutive parts exchange, from the halos of the parts alone: what hg_halo_rows_count
 * says of them; the figures of partial sums and covers stay 0. Memory: 4 bytes a node.
 * @param index     with the halo ids of all parts
 * @param columns   parts of a group; divides their number
 */
hg_status hg_source_rows_count(hg_halo_rows *rows, const hg_parts_index *index, int columns);

/**
 * Of these rows, where each group's rank in column c exchanges with the ranks in column c: those to and from ranks of
 * other hosts.
 * @param host_of    [n_parts] of each rank
 * @param sent       [n_parts], overwritten     @param received   [n_parts], overwritten
 */
hg_status hg_source_rows_far(int64_t *sent, int64_t *received, const hg_parts_index *index, int columns,
                             const int *host_of);
