#pragma once
#include "models/local_graph.h"

/*
 * Boundary sampling (Wan et al., BNS-GCN, MLSys 2022; ALGORITHMS A.9): of the n halo rows that one rank fetches from
 * another, each epoch draws s = max(1, floor(rate n)) and leaves the others out. An edge from a drawn row counts n / s
 * times as much, one from another not at all, so that sums over neighbours have the right expectation; the factors are
 * part of the operator, so the gradient is exactly that of what was computed. Edges inside a part are never left out.
 * Both ends of a pair draw the same rows, by seed, epoch and their ranks: no list is sent.
 */
typedef struct {
  hg_local_graph graph;       ///< `base` along the drawn rows; borrows its arrays
  const hg_local_graph *base; ///< borrowed
  hg_links links;             ///< of the drawn rows: their numbers never change, the rows do
  hg_real *scale;             ///< [n_local] column scales: of the base for owned rows, of the draw for the halo's
  double rate;
} hg_sampled;

/**
 * Of a graph with links, which is borrowed. Draws nothing yet. Not collective; the same rate on all ranks.
 * @param rate   in (0, 1)
 */
hg_status hg_sampled_create(hg_sampled *sampled, const hg_local_graph *base, double rate);
void hg_sampled_free(hg_sampled *sampled);

/** Draws the rows of an epoch: a function of seed, epoch and the two ranks of each pair. Not collective. */
void hg_sampled_draw(hg_sampled *sampled, uint64_t seed, int epoch);

/** Rows that such a graph's exchanges send and receive, of all peers. */
hg_lid hg_sampled_sent(const hg_links *links, double rate);
hg_lid hg_sampled_received(const hg_links *links, double rate);

/** Bytes that hg_sampled_create allocates for a graph with these links. */
size_t hg_sampled_bytes(const hg_links *links, double rate);
