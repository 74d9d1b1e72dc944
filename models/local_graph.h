#pragma once
#include "comm/exchange.h"
#include "core/base/phases.h"
#include "core/tensor/spmm.h"
#include "models/options.h"

/** One rank's share of the normalised adjacency, and what is needed to aggregate with it. */
typedef struct {
  hg_world *world;                     ///< borrowed
  const hg_part *part;                 ///< borrowed
  const hg_links *links;               ///< borrowed
  hg_lid n_owned, n_interior, n_local; ///< n_local = owned + halo
  hg_gid *ids;                         ///< [n_local] original ids, the keys of dropout masks
  hg_real *row_scale;                  ///< [n_owned] or NULL
  hg_real *col_scale;                  ///< [n_local] or NULL
  hg_csr transposed;                   ///< n_local x n_owned
  hg_operator forward;                 ///< n_owned x n_local
  hg_operator backward;                ///< its transpose
} hg_local_graph;

/**
 * Degrees are global: the in-degree of each node, plus one with self-loops, so that every rank count gives the same
 * operator.
 * SYMMETRIC: 1 / sqrt(d_i d_j) (Kipf and Welling 2017); ROW: 1 / d_i; SUM: 1. Nodes of degree 0 get 0.
 * Collective. Everything borrowed must outlive `graph`.
 */
hg_status hg_local_graph_create(hg_local_graph *graph, hg_world *world, const hg_part *part, const hg_links *links,
                                hg_adjacency_norm norm, bool self_loops);
void hg_local_graph_free(hg_local_graph *graph);

/**
 * y = A x for the owned rows: starts the exchange, computes interior rows, finishes it, computes boundary rows.
 * @param exchange   HG_FILL_HALO on x, or NULL when the halo rows of x are right already
 * @param x          [n_local x f]     @param y  [>= n_owned x f]
 * Collective when `exchange` is given.
 */
void hg_aggregate(const hg_local_graph *graph, hg_exchange *exchange, const hg_matrix *x, hg_matrix *y,
                  hg_phases *phases);

/**
 * d_x = A' d_y: halo rows first, which then travel to their owners while the owned rows are computed (ALGORITHMS A.2).
 * @param exchange   HG_ADD_HALO on d_x, or NULL: then d_x's halo rows keep this rank's share
 * @param d_y        [n_owned x f]     @param d_x  [n_local x f]
 */
void hg_aggregate_gradient(const hg_local_graph *graph, hg_exchange *exchange, const hg_matrix *d_y, hg_matrix *d_x,
                           hg_phases *phases);
