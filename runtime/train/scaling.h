#pragma once
#include "runtime/train/dataset.h"

/**
 * Features of the owned nodes, in place. ROW: each row divided by its sum of absolute values (Kipf's preprocessing);
 * STANDARDIZE: each column to mean 0 and deviation 1 over the training nodes of all ranks (sparse features keep their
 * zeros: deviation only).
 * Collective.
 */
hg_status hg_scale_features(hg_dataset *dataset, hg_world *world, hg_feature_scaling scaling);

/**
 * Regression targets to mean 0 and deviation 1 over the training nodes, in place; target_mean and target_scale take
 * them back. Collective.
 */
hg_status hg_scale_targets(hg_dataset *dataset, hg_world *world, hg_target_scaling scaling);
