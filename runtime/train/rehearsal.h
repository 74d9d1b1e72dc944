#pragma once
#include "runtime/train/alone.h"

/*
 * Times what a rank computes in an epoch: some parts of a graph are trained at once for a moment, each by threads of
 * its own, as ranks that share a host do it, so they have the same share of its bandwidth and caches. They exchange
 * nothing; what that takes, hg_epoch_times adds.
 */

/** A layer's share of an epoch, and what of it can go on while rows travel. */
typedef struct {
  double forward_s, backward_s;
  double interior;   ///< share of the forward pass that needs no halo row
  double owned;      ///< share of the backward pass that makes no halo row's gradient
  int columns;       ///< that it aggregates; 0: none
  bool exchanges;    ///< these columns cross before and after
  bool narrow;       ///< only aggregation goes on while rows travel, not the products with the weights
  bool makes_hidden; ///< it makes the layer before's rows as well, which are no matrix
  double crossing;   ///< share of the halo's rows that cross in training: active sets
  double sums_bytes; ///< of its weights' gradients
} hg_layer_time;

/** Of the part that takes longest. Owned, free with hg_rehearsal_free. */
typedef struct {
  double epoch_s; ///< median; 0: nothing was timed
  double seconds[HG_PHASE_COUNT];
  int n_layers;
  hg_layer_time *layers;
  hg_off rows, edges;  ///< owned rows and edges of that part
  hg_off halo;         ///< and its halo's rows
  double edge_s[2];    ///< aggregating takes edge_s[0] + edge_s[1] x columns for each edge
  double copy_bytes_s; ///< bytes that a rank copies in a second while the others do so too
} hg_rehearsal;

/**
 * @param sources   [n] parts of one graph; memory: all their trainers at once
 * @param threads   of each part
 * @param seconds   about how long to time; at least three epochs after one for warming up
 * Not collective, needs no MPI.
 */
hg_status hg_rehearse(hg_rehearsal *rehearsal, const hg_config *config, const hg_alone_source *sources, int n,
                      int threads, double seconds);

/** As if products with weights took `products` times as long, and all else `rest` times: on another machine. */
void hg_rehearsal_scale(hg_rehearsal *rehearsal, double products, double rest);
void hg_rehearsal_free(hg_rehearsal *rehearsal);
