#pragma once
#include "core/graph/graph.h"

/** What hg_csr_build met and did; readers report it in one line. */
typedef struct {
  hg_off edges_in;       ///< edges given
  hg_off self_loops;     ///< dropped
  hg_off duplicates;     ///< dropped
  hg_off reversed_added; ///< added by symmetrising
  hg_off isolated;       ///< nodes without any edge
} hg_build_counts;

/**
 * Calls `edge(context, source, target)` for each edge; called twice by hg_csr_build and must give the same edges each
 * time.
 */
typedef hg_status (*hg_edge_source)(void *source, hg_status (*edge)(void *context, hg_gid from, hg_gid to),
                                    void *context);

/**
 * The adjacency of `n` nodes from a stream of edges, by two-pass counting sort: row `to` lists `from`, ascending;
 * self-loops and duplicates dropped; with `symmetrize` each edge also the other way.
 * @param adjacency   created; untouched on failure
 * @param counts      NULL, or set
 * @return            HG_ERR_INPUT for an end outside 0..n-1; what `source` fails with
 * Memory: the result before duplicates are dropped, and 8 bytes a node; a second, smaller edge array for a moment
 * when a quarter or more of the edges was dropped.
 */
hg_status hg_csr_build(hg_csr *adjacency, hg_off n, hg_edge_source each, void *source, bool symmetrize,
                       hg_build_counts *counts);
