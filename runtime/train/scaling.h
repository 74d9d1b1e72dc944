#pragma once
#include "comm/world.h"
#include "core/graph/graph.h"
#include "runtime/config/config.h"

/** The nodes (or graphs) whose statistics count: the training ones among n. */
typedef struct {
  hg_world *world;    ///< statistics are summed over ranks; NULL: this rank has them all
  const hg_lid *rows; ///< [n_rows]
  hg_off n_rows;
} hg_scaling_sample;

/**
 * Features of n nodes, in place. ROW: each row divided by its sum of absolute values (Kipf's preprocessing);
 * STANDARDIZE: each column to mean 0 and deviation 1 over the sample (sparse features keep their zeros: deviation
 * only).
 * Collective when the sample has a world.
 */
hg_status hg_scale_features(hg_features *features, hg_off n, hg_scaling_sample sample, hg_feature_scaling scaling);

/** target = output * scale + mean; [n_classes] each, NULL without a regression. */
typedef struct {
  double *mean, *scale;
} hg_target_units;

void hg_target_units_free(hg_target_units *units);

/**
 * Regression targets to mean 0 and deviation 1 over the sample, in place; `units` (created) take them back. Other
 * tasks: nothing. Collective when the sample has a world.
 */
hg_status hg_scale_targets(hg_nodes *items, hg_scaling_sample sample, hg_target_scaling scaling,
                           hg_target_units *units);
