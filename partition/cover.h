#pragma once
#include <stdbool.h>

#include "core/base/types.h"

/**
 * Who sends what between two parts, as a bipartite graph: left nodes are sources that one part owns, right nodes are
 * destinations that the other owns, edges are those between them. A vertex cover says how the edges cross: a source in
 * it sends its row (post-aggregation), and a destination in it gets one row of partial sums of its other sources
 * (pre-aggregation). Every edge has an end in the cover, so all of them are served; the least cover sends the least
 * (SuperGCN; ALGORITHMS A.6).
 */
typedef struct {
  hg_lid n_left, n_right;
  const hg_off *indptr;  ///< [n_left + 1] borrowed
  const hg_lid *indices; ///< the right nodes of each left node, each at most once; borrowed
} hg_bipartite;

/** A vertex cover and what it weighs. */
typedef struct {
  bool *left, *right; ///< [n_left], [n_right] whether a node is in the cover; owned
  hg_lid n_left, n_right;
  int64_t weight;
} hg_cover;

/**
 * The vertex cover of least weight, and of those the one with most left nodes, when each left node weighs `left_weight`
 * and each right node `right_weight` (bytes of a source's row and of a partial row; both at least 1). It is the
 * minimum cut nearest to the source (Koenig's theorem), by Dinic's algorithm, which for equal weights is Hopcroft and
 * Karp's matching: O(edges sqrt(nodes)) then; after nodes with one edge have filled its other end. Deterministic; one
 * thread.
 * Memory: 2 edges and 4 nodes numbers.
 * @param cover   created; free with hg_cover_free. Zeroed on failure
 */
hg_status hg_cover_create(hg_cover *cover, const hg_bipartite *graph, int64_t left_weight, int64_t right_weight);

/**
 * The cover whose left nodes were found before: with the right nodes that they leave to be covered.
 * @param left   [n_left]
 * @return       HG_ERR_INPUT when it weighs more than all left nodes: such a cover is not least
 */
hg_status hg_cover_complete(hg_cover *cover, const hg_bipartite *graph, const bool *left, int64_t left_weight,
                            int64_t right_weight);
void hg_cover_free(hg_cover *cover);
