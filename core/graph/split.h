#pragma once
#include "core/graph/graph.h"

/**
 * How nodes, or the graphs of a collection (its items), are put into train, val and test; start from
 * hg_split_default(). Only labelled ones are drawn.
 */
typedef struct {
  uint64_t seed;
  hg_off train_per_class; ///< planetoid: of each class, or all it has
  hg_off val_per_class;   ///< planetoid: of each class after those; ignored with n_val
  hg_off n_val, n_test;   ///< planetoid: that many of all the others; 0: val_per_class, and the rest is test
  double train_fraction, val_fraction; ///< random: of the labelled nodes; the rest is test
} hg_split_options;

static inline hg_split_options hg_split_default(void)
{
  return (hg_split_options){.train_per_class = 20, .val_per_class = 30, .train_fraction = 0.6, .val_fraction = 0.2};
}

/**
 * Train and val with a fixed number of nodes of each class (Yang et al. 2016; Shchur et al. 2018). Replaces
 * nodes->split, which is untouched on failure. The draw is a function of (seed, original id).
 * @return HG_ERR_INPUT when the task is not classes, or when fewer nodes are left than n_val + n_test
 */
hg_status hg_split_planetoid(hg_nodes *nodes, const hg_split_options *options);

/** Fractions of all labelled nodes, for any task. As hg_split_planetoid. */
hg_status hg_split_random(hg_nodes *nodes, const hg_split_options *options);
