#pragma once
#include "core/graph/store.h"

/** What a sample graph shall hold. */
typedef struct {
  hg_off n;
  double density; ///< chance of each edge
  uint64_t seed;
  bool directed, sparse_features;
  int width, n_dims;
  hg_task task;
  int n_classes;
  bool split;
} sample;

/**
 * 60 nodes, symmetric, five dense features, four classes with some labels unknown, a split and positions in the plane.
 */
sample sample_default(uint64_t seed);

/**
 * Makes it by throwing a coin for each pair of nodes; fails the Criterion test when memory is short. Free with
 * hg_graph_free.
 */
hg_graph sample_graph(sample what);

/** Whether all arrays are equal, bit by bit; otherwise the name of the first that differs, NULL when equal. */
const char *graph_difference(const hg_graph *a, const hg_graph *b);

/** The same of collections (made by sample_collection.h). */
const char *collection_difference(const hg_collection *a, const hg_collection *b);

/** Three parts of contiguous nodes with their halos, for a graph whose order is kept. Free with hg_parts_index_free. */
hg_parts_index sample_parts(const hg_graph *graph, int n_parts);
