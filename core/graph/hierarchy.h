#pragma once
#include "core/graph/collection.h"

/** What a pair of nodes has to have much of to be merged first (see hg_hierarchy_create). */
typedef enum {
  HG_PAIRING_DISTANCE,  ///< length of the edge, as published: far neighbours first
  HG_PAIRING_SIMILARITY ///< its inverse: near neighbours first
} hg_pairing;

/** The graphs of a collection at one coarseness. Nodes of a graph are contiguous here too, in the graphs' order. */
typedef struct {
  hg_off n;             ///< nodes of all graphs
  hg_off *graph_ptr;    ///< [n_graphs + 1]
  hg_csr adjacency;     ///< n x n, ascending, without self-loops
  hg_csr transposed;    ///< the reversed edges; no arrays when the collection is symmetric: it is `adjacency`
  hg_csr members;       ///< n x nodes of the finer level: those that each node stands for; level 0: no arrays
  int n_dims;
  hg_real *positions;   ///< [n x n_dims] means of the members; NULL without positions
} hg_level;

/** A collection and its coarsenings, made once: they depend on edges and positions alone, not on what is learned. */
typedef struct {
  hg_off n_graphs;
  int n_levels;     ///< 1 + number of coarsenings
  hg_level *levels; ///< [n_levels] finest first; owned
} hg_hierarchy;

/**
 * Level 0 holds the collection's edges and its positions, times `scale`; each further level merges pairs of the one
 * before, as the cluster pooling of Danel et al. does (greedy matching on normalised-cut weights, as in Graclus;
 * Dhillon, Guan and Kulis 2007): nodes in ascending order, each that is still single takes its single neighbour of
 * largest weight w (1/deg i + 1/deg j), lowest id first among equals, w the edge's length or its inverse; who finds
 * none stays alone. Edges between clusters are united, those within dropped. Matching uses both directions of an edge.
 * Deterministic, threads over graphs: the same bits for every number of threads.
 * @param n_coarsenings   0 or more     @param pairing   used with coarsenings, which need positions
 * Not collective. Memory: at most about (1 + 1/2 + ...) times the collection's edges and positions.
 */
hg_status hg_hierarchy_create(hg_hierarchy *hierarchy, const hg_collection *collection, int n_coarsenings,
                              hg_pairing pairing, double scale);
void hg_hierarchy_free(hg_hierarchy *hierarchy);

/** Mean length of all edges of the collection; 0 without edges or positions. */
double hg_collection_mean_edge(const hg_collection *collection);
