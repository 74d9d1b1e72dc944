#pragma once
#include "core/graph/graph.h"

/**
 * The graph without directions, for orders: row i has its in- and its out-neighbours, a neighbour that is both twice
 * where the graph is directed. Borrows the adjacency of a symmetric graph.
 */
typedef struct {
  hg_lid n;
  const hg_off *indptr;  ///< [n + 1]
  const hg_lid *indices; ///< [indptr[n]]
  hg_off *own_indptr;    ///< NULL when borrowed
  hg_lid *own_indices;
} hg_undirected;

hg_status hg_undirected_create(hg_undirected *out, const hg_graph *graph);
void hg_undirected_free(hg_undirected *u);
