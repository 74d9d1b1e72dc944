#pragma once
#include "models/local_graph.h"

/**
 * The input features of owned and halo nodes. Those of one graph never change, so the halo's are fetched once at most
 * and the first layer needs no exchange: a remote row's dropout mask is drawn again here (ALGORITHMS A.4). Those of
 * batches have no halo, and change.
 */
typedef struct {
  int width;
  bool is_dense;
  bool varies;       ///< from pass to pass: nothing that is made of them may be kept
  hg_matrix dense;   ///< [n_owned or, after hg_input_fetch_halo, n_local x width] when is_dense; a first layer that
                     ///< keeps their aggregate has no use for them any more
  hg_csr all;        ///< n_local x width with values: sparse features as they are
  hg_csr some;       ///< those that training passes read, the other rows empty (hg_input_activate); else no rows
  hg_csr sparse;     ///< a view of what this pass computes with: `all` or `some`, or what dropout has kept of it
  hg_csr kept;       ///< room for what dropout keeps
  hg_csr transposed; ///< width x n_local, of `sparse` in the last pass with dropout; without any, of `all` or `some`
  hg_off *places;    ///< [HG_TRANSPOSE_PIECES x width] room for transposing
} hg_input;

/**
 * Takes the features of the part's nodes (already scaled) to this rank's layout, sparse ones with the halo's. Dense
 * ones of the same precision are not copied. Collective. HG_ERR_INPUT for a graph without features.
 * @param features   of graph->part, freed afterwards but on failure
 */
hg_status hg_input_create(hg_input *input, const hg_local_graph *graph, hg_features *features);

/** Dense features: gets the halo's too, where they are not here. Collective. */
hg_status hg_input_fetch_halo(hg_input *input, const hg_local_graph *graph);

/** The same, with the halo's, from the features of the whole graph, in the order of global ids. Not collective. */
hg_status hg_input_create_alone(hg_input *input, const hg_part *part, const hg_features *whole);
void hg_input_free(hg_input *input);

/** The features of a batch, a view of `x` that is not to be freed. Before another pass x may hold others. */
hg_input hg_input_view(const hg_matrix *x);

/**
 * Sparse features under dropout: sets `sparse` and `transposed`, without the entries that dropout makes zeros.
 * At rate 0 the first is `all`, in training `some` where it is there, and `transposed` stays as it is: an evaluation
 * has no backward, and where training has no dropout it is that of these from the start.
 */
void hg_input_drop(hg_input *input, const hg_local_graph *graph, hg_dropout dropout, bool training);

/** Sparse features: training passes read the rows alone that are marked in [n_local]. Not collective. */
hg_status hg_input_activate(hg_input *input, const uint8_t *marks);
