#pragma once
#include "models/local_graph.h"

/*
 * Active sets: what a pass need not compute. A training pass' loss reads the last layer's rows of training nodes alone;
 * these read the rows that they aggregate from, one layer below, and so on down. Level k is what the k-th layer from
 * the last one (k = 0) computes of use: the rows from which a training node is reached in k steps along edges. A layer
 * on a level aggregates along the edges into its rows and leaves out all others, forward and backward, and halo rows
 * that no such edge begins at do not cross. What is left out are products with gradients that are exactly zero, so
 * losses and gradients are the same. Evaluations have levels of their own, from the nodes that they score
 * (models/scored.h): wherever "training node" stands below, those are meant of theirs.
 * Source: ALGORITHMS A.5; message flow graphs of DGL.
 */

/** Edges into a level's rows, of all edges, from which on a level is not worth arrays of its own. */
static const double HG_ACTIVE_WORTH = 0.9;

/** Which edges a level's graph has. */
typedef enum {
  HG_ACTIVE_EDGES,         ///< its own, and their transposed
  HG_ACTIVE_TRANSPOSED,    ///< its own transposed; those of the whole graph forward, as
  HG_ACTIVE_ALL_EDGES,     ///< those of the whole graph, of which hg_spmm leaves out the others as it goes (hg_kept)
  HG_ACTIVE_FORWARD_EDGES, ///< its own; no transposed: of passes without gradients
} hg_active_edges;

/** One level on one rank. */
typedef struct {
  double row_share, edge_share; ///< of all ranks' rows, and of edges that end in them
  bool pruned;                  ///< worth it: its links are made; all levels before it are as well
  hg_off edges;                 ///< of this rank
  hg_links links;               ///< of halo nodes from which such edges come
  hg_csr a, transposed;         ///< those edges alone, or nothing; hg_active_build
  hg_local_graph graph;         ///< the graph with them; borrows the arrays of the whole one
  hg_first_rows first;          ///< of the part's nodes: all rows of the level are among them
  hg_active_rows rows;          ///< of the graph, where a layer makes and reads some rows alone
} hg_active_level;

typedef struct {
  int n_levels;
  hg_active_level *levels; ///< [n_levels]
  uint8_t *steps;          ///< [n_owned] from each node to the next training node; HG_ACTIVE_NEVER: not in n_levels - 1
} hg_active;

enum { HG_ACTIVE_NEVER = 255, HG_ACTIVE_LEVELS = 128 };

/**
 * Finds the levels, up to the first one that is not pruned; none are left where that is the first one and nearly all
 * rows are on it. Collective.
 * @param rows       [n] owned nodes whose outputs are read; may be none
 * @param n_levels   0..HG_ACTIVE_LEVELS, the same on all ranks
 * @param links      of `part`; borrowed, as `part`, during the call
 */
hg_status hg_active_create(hg_active *active, hg_world *world, const hg_part *part, const hg_links *links,
                           const hg_lid *rows, hg_off n, int n_levels);
void hg_active_free(hg_active *active);

/** Finds each level's first rows, of a part whose steps are known; or frees the levels, as hg_active_create. */
void hg_active_bound(hg_active *active, const hg_part *part);

/** Marks in [n_owned + n_halo] the nodes that rows of level k aggregate from, and these rows; returns how many. */
hg_lid hg_active_mark(const hg_active *active, int k, const hg_part *part, uint8_t *marks);

/** Makes the graph of pruned level k from the whole one, which is borrowed. Not collective.
 * @param edges   HG_ACTIVE_ALL_EDGES: of a layer that aggregates by hg_spmm and whose gradients elsewhere are zeros
 */
hg_status hg_active_build(hg_active *active, int k, const hg_local_graph *whole, hg_active_edges edges);

/** Bytes of pruned level k: of its links, and of what hg_active_build allocates. */
size_t hg_active_bytes(const hg_active *active, int k, const hg_part *part, hg_active_edges edges);
