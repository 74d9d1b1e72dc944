#pragma once
#include "comm/exchange.h"
#include "core/base/phases.h"
#include "core/tensor/spmm.h"
#include "models/active_rows.h"
#include "models/options.h"

typedef struct hg_slabs hg_slabs;
typedef struct hg_prereduced hg_prereduced;

/**
 * One rank's share of the normalised adjacency, and what is needed to aggregate with it: a part of one large graph, or
 * a stage of a mini-batch (models/batch.h), which has neither part nor links nor halo.
 */
typedef struct {
  hg_world *world;                     ///< borrowed
  const hg_part *part;                 ///< borrowed; NULL in a batch
  const hg_links *links;               ///< borrowed; NULL in a batch
  hg_gid n_global;                     ///< owned rows of all ranks
  hg_lid n_owned, n_interior, n_local; ///< n_local = owned + halo
  hg_gid *ids;                         ///< [n_local] original ids, the keys of dropout masks
  hg_real *row_scale;                  ///< [n_owned] or NULL
  hg_real *col_scale;                  ///< [n_local] or NULL
  hg_csr transposed;                   ///< n_local x n_owned; nothing where shares_transposed
  bool shares_transposed;              ///< each edge goes both ways and there is no halo: it is the part's adjacency
  hg_operator forward;                 ///< n_owned x n_local
  hg_operator backward;                ///< its transpose
  int n_dims;                          ///< of the positions; 0 before hg_local_graph_place
  hg_real *positions;                  ///< [n_local x n_dims] or NULL
  double position_scale;               ///< what the part's positions were multiplied with
  hg_real *base_positions;             ///< [n_local x n_dims] before jitter (hg_augment_prepare), or NULL: no jitter
  hg_slabs *slabs;                     ///< what aggregates in its stead, by columns (models/slabs.h), borrowed; or NULL
  const hg_prereduced *reduced;        ///< its rows for other ranks (models/prereduced.h), borrowed; or NULL
  int cover_steps;                     ///< which of the part's known covers are of its edges (hg_cover_kind.steps)
  const hg_active_rows *rows;          ///< what passes along it make and read, borrowed; NULL: all rows
} hg_local_graph;

/**
 * What a row and a column of degree d are multiplied with: SYMMETRIC: 1 / sqrt(d) (Kipf and Welling 2017); ROW: 1 / d;
 * SUM: 1; 0 for a degree of 0 but with SUM.
 */
hg_real hg_degree_scale(hg_adjacency_norm norm, double degree);

/**
 * Degrees are global: the in-degree of each node, plus one with self-loops, so that every rank count gives the same
 * operator.
 * SYMMETRIC: 1 / sqrt(d_i d_j) (Kipf and Welling 2017); ROW: 1 / d_i; SUM: 1. Nodes of degree 0 get 0.
 * Collective. Everything borrowed must outlive `graph`.
 */
hg_status hg_local_graph_create(hg_local_graph *graph, hg_world *world, const hg_part *part, const hg_links *links,
                                hg_adjacency_norm norm, bool self_loops);

/**
 * The same of a part whose other ranks are not here: what they would tell of the halo is taken from the graph that was
 * cut. Passes exchange nothing and halo rows stay as they are: for timing a rank's own work. Positions are there if the
 * graph has them. Not collective.
 * @param links   without peers
 * @param whole   in the order of global ids
 */
hg_status hg_local_graph_create_alone(hg_local_graph *graph, const hg_part *part, const hg_links *links,
                                      const hg_graph *whole, hg_adjacency_norm norm, bool self_loops);
void hg_local_graph_free(hg_local_graph *graph);

/**
 * Takes the positions of the part's nodes times `scale`, and fetches the halo's; they never change.
 * @param scale   0: divided by the mean length of all ranks' edges (by 1 where that is 0); see position_scale
 * Collective.
 */
hg_status hg_local_graph_place(hg_local_graph *graph, double scale);

/** The rows that a pass makes: all of the first `rows`, which are the owned ones or more, or some owned ones. */
hg_spans hg_local_graph_made(const hg_local_graph *graph, hg_off rows);

/** The rows of its input that a pass reads, of owned ones and, where `halo` are here, of these. */
hg_spans hg_local_graph_read(const hg_local_graph *graph, bool halo);

/**
 * Computes the rows [first, first + n) of what a rank aggregates, and of what follows from them row by row: the product
 * with a layer's weights belongs here, since it hides an exchange as well.
 */
typedef void hg_aggregate_rows(void *context, hg_off first, hg_off n);

/**
 * Runs `rows` for the owned rows that are made around an exchange that fills halo rows: interior rows while it is under
 * way, boundary rows after it.
 */
void hg_aggregate_with(const hg_local_graph *graph, hg_exchange *exchange, hg_aggregate_rows *rows, void *context,
                       hg_phases *phases);

/** The transposed: `rows` for the halo rows before an exchange that adds them, owned rows that are read meanwhile. */
void hg_aggregate_gradient_with(const hg_local_graph *graph, hg_exchange *exchange, hg_aggregate_rows *rows,
                                void *context, hg_phases *phases);

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
