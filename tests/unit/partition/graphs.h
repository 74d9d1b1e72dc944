#pragma once
#include "core/graph/graph.h"

/** Small graphs that partitioners and parts are tried on. */
typedef enum {
  GRAPH_DIRECTED,  ///< random edges, one way
  GRAPH_SYMMETRIC, ///< random edges, both ways
  GRAPH_PIECES,    ///< two halves without an edge between them
  GRAPH_ISOLATED,  ///< every third node has no edge
  GRAPH_STAR,      ///< node 0 and all others, both ways
  GRAPH_COMPLETE,  ///< all pairs
  GRAPH_EMPTY,     ///< no edges
  GRAPH_GRID,      ///< square grid, rows of floor(sqrt(n)) nodes
  GRAPH_KINDS
} graph_kind;

extern const char *const graph_kind_names[GRAPH_KINDS];

/**
 * A graph of `n` nodes with dense features (width 2: number, draw), 3 classes, a random split and original ids 1000 +
 * i.
 */
void make_graph(hg_graph *graph, graph_kind kind, hg_lid n, uint64_t seed);

/** Whether j -> i is an edge. */
bool has_edge(const hg_graph *graph, hg_lid j, hg_lid i);

/** Edges between parts, counted over all pairs of nodes. */
hg_off naive_cut(const hg_graph *graph, const int32_t *part_of);

/** Sum over parts of the distinct in-neighbours that other parts own, counted over all pairs of nodes. */
hg_off naive_volume(const hg_graph *graph, int k, const int32_t *part_of);
