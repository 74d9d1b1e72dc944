#pragma once
#include "models/local_graph.h"
#include "partition/cover.h"

/**
 * The edges that come from one other rank: left nodes are the sources, in the order in which a graph's links get them;
 * right nodes are the destinations, numbered as they are met.
 */
typedef struct {
  hg_lid first, n_left, n_right; ///< sources are the rows [first, first + n_left) of what the links get
  hg_off *indptr;                ///< [n_left + 1]
  hg_lid *indices;               ///< the destinations of each source
  hg_lid *destinations;          ///< [n_right] owned nodes
} hg_cut_pair;

/** The k-th row that the links get, as a halo row: 0 is local id n_owned. */
hg_lid hg_cut_halo_row(const hg_links *links, hg_lid k);

/** The edges from halo row h of a graph, into graph->backward.a->indices. */
hg_off hg_cut_begin(const hg_local_graph *graph, hg_lid h);
hg_off hg_cut_end(const hg_local_graph *graph, hg_lid h);

/** What is done with the edges from links->recv_peers[peer], by several threads at a time. */
typedef hg_status hg_cut_pair_work(void *context, int peer, const hg_cut_pair *pair);

/**
 * Runs `work` for each rank that the graph's links get rows from, over threads; the code of one that failed, without
 * its message. Not collective. Memory: for each thread a pair, and 4 bytes an owned node.
 */
hg_status hg_cut_pairs(const hg_local_graph *graph, hg_cut_pair_work *work, void *context);

/**
 * The least cover of a pair's edges where a source's row has `source` numbers and a row of sums `sum`: the one that is
 * known with the part, or else found here. Free with hg_cover_free; zeroed on failure. Not collective.
 */
hg_status hg_cut_cover(hg_cover *cover, const hg_local_graph *graph, const hg_cut_pair *pair, int source, int sum);
