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
