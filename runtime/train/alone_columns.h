#pragma once
#include "runtime/train/memory_plan.h"

/** Sizes of a part of a graph; `sent`: rows that it sends in an exchange. */
typedef struct {
  hg_off nodes, edges, halo;
  int64_t sent;
} hg_part_extent;

/**
 * The plan of memory of a rank that shares a part with others by columns (parallel.mode), from the part's sizes: all
 * slabs being equal, and as many of their neighbours as there can be in other slabs, of which a rank keeps the ids. Not
 * collective, needs no MPI. Memory: 8 bytes a node of a slab.
 * @param graph     whole, features as training has them; borrowed
 * @param part      with one group the graph
 * @param n_groups  parts of the graph     @param columns   ranks that share one
 * @return          HG_ERR_INPUT where these are too many nodes or edges for a rank
 */
hg_status hg_alone_plan_columns(hg_memory *memory, const hg_config *config, const hg_graph *graph,
                                const hg_part_extent *part, int n_groups, int columns);
