#pragma once
#include "core/graph/store.h"
#include "partition/partitioner.h"

/*
 * Which least covers are found when parts are made, and stored with them, so that no run looks for them again: those of
 * all edges for rows of equal width, which figures of the parts are made of, and those that a model's passes use.
 */

/** The number of a kind among the known ones: widths of the same ratio have the same covers. -1: it is not known. */
int hg_known_cover(const hg_known_covers *covers, hg_cover_kind kind);

/**
 * Adds what options->covers says, of a model of options->layers with options->hidden columns: all its layers but the
 * first one, which exchanges nothing, in training passes along the edges that reach a training node, and in others.
 * @param graph     in the order of the index
 * @param seconds   that it took
 * Memory: as hg_halo_rows_count, and 8 bytes a node.
 */
hg_status hg_known_covers_add(hg_parts_index *index, const hg_graph *graph, const hg_partition_options *options,
                              double *seconds);
