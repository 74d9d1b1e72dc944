#pragma once
#include "core/graph/collection.h"

/** What a pair of nodes has to have much of to be merged first (see hg_hierarchy_create). */
typedef enum {
  HG_PAIRING_DISTANCE,  ///< length of the edge, as published: far neighbours first
  HG_PAIRING_SIMILARITY ///< its inverse: near neighbours first
} hg_pairing;

/** The graphs of a collection at one coarseness. Nodes of a graph are contiguous here too, in the graphs' order. */
typedef struct {
  hg_off n;          ///< nodes of all graphs
  hg_off *graph_ptr; ///< [n_graphs + 1]; level 0: the collection's
  hg_csr adjacency;  ///< n x n, ascending, without self-loops; level 0: the collection's arrays
  hg_csr transposed; ///< the reversed edges; no arrays when the collection is symmetric: it is `adjacency`
  hg_csr members;    ///< n x nodes of the finer level: those that each node stands for; level 0: no arrays
  int n_dims;
  hg_real *positions; ///< [n x n_dims] means of the members; NULL without positions
} hg_level;

/**
 * A collection and its coarsenings, made once: they depend on edges and positions alone, not on what is learned.
 * Borrows the collection's edges, which must outlive it.
 */
typedef struct {
  hg_off n_graphs;
  int n_levels;     ///< 1 + number of coarsenings
  hg_level *levels; ///< [n_levels] finest first; owned
} hg_hierarchy;

/**
 * Level 0 has the collection's edges and its positions, times `scale`; each further level merges pairs of the one
 * before, as the cluster pooling of Danel et al. does (greedy matching on normalised-cut weights, as in Graclus;
 * Dhillon, Guan and Kulis 2007): nodes in ascending order, each that is still single takes its single neighbour of
 * largest weight w (1/deg i + 1/deg j), lowest number first among equals, w the edge's length or its inverse; who finds
 * none stays alone. The inverse of 0 is larger than all others. Edges between clusters are united, those within
 * dropped; a cluster stands at the mean of its members, and clusters are numbered by their first members. Of a directed
 * collection both directions of an edge make neighbours, and the degree is the number of different ones.
 * Weights are of the unscaled positions, in double, so the clusters do not depend on `scale`.
 * Deterministic, threads over graphs: the same bits for every number of threads.
 * @param n_coarsenings   0 or more     @param pairing   used with coarsenings, which need positions: else HG_ERR_INPUT
 * Not collective. Memory: for each coarsening at most about half of the level before; and while one is made, its
 * positions in double and 8 bytes a node, of directed collections their edges once or twice more.
 */
hg_status hg_hierarchy_create(hg_hierarchy *hierarchy, const hg_collection *collection, int n_coarsenings,
                              hg_pairing pairing, double scale);
void hg_hierarchy_free(hg_hierarchy *hierarchy);

/** Bytes of all arrays that are not the collection's. */
size_t hg_hierarchy_bytes(const hg_hierarchy *hierarchy);

/** The rows [first, first + n) of `coarse`: each the mean of its members' rows of `fine` [nodes x n_dims]. */
void hg_members_mean(const hg_csr *members, hg_off first, hg_off n, int n_dims, const hg_real *fine, hg_real *coarse);

/** Mean length of all edges of the collection; 0 without edges or positions. The same bits on any number of threads. */
double hg_collection_mean_edge(const hg_collection *collection);
