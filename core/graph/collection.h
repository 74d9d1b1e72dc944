#pragma once
#include "core/graph/graph.h"

/**
 * Many small graphs, one after the other: one block-diagonal graph of all their nodes, and what is known of each graph.
 * Graph g owns the nodes graph_ptr[g] .. graph_ptr[g+1]-1; no edge joins two graphs; a graph may be without edges, or
 * be one node, but not be empty. Owns its arrays.
 */
typedef struct {
  hg_graph united; ///< adjacency, dense features, positions of all nodes; no labels, split, original ids
  hg_off n_graphs;
  hg_off *graph_ptr; ///< [n_graphs + 1]
  hg_nodes items;    ///< [n_graphs] task, labels or targets, split and original ids of the graphs; nothing else
} hg_collection;

void hg_collection_free(hg_collection *collection);

/** All invariants of both halves. HG_ERR_INPUT names the first broken one and its graph or node. */
hg_status hg_collection_check(const hg_collection *collection);

/** A 64-bit fingerprint of all arrays, as hg_graph_fingerprint. */
uint64_t hg_collection_fingerprint(const hg_collection *collection);

/** Bytes of all arrays. */
size_t hg_collection_bytes(const hg_collection *collection);
