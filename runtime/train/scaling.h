#pragma once
#include "comm/world.h"
#include "core/graph/graph.h"
#include "runtime/config/config.h"

/**
 * What training learned about the units of its data. Whoever predicts with the model uses the same numbers, whatever
 * the data: they are a part of its checkpoint. Owns its arrays; all zero: nothing is known.
 */
typedef struct {
  int width;                          ///< of the features where they are standardized, otherwise 0
  double *mean, *inverse;             ///< [width] feature -> (feature - mean) inverse; sparse ones: feature inverse
  int n_targets;                      ///< of a regression, otherwise 0
  double *target_mean, *target_scale; ///< [n_targets] target = output * scale + mean
  double position;                    ///< what positions are multiplied with; 0: not known yet
} hg_scales;

/** Whether they are those of a training. */
static inline bool hg_scales_known(const hg_scales *scales) { return scales->position > 0; }

/** `to` is created, and all zero after an error. */
hg_status hg_scales_copy(hg_scales *to, const hg_scales *from);
void hg_scales_free(hg_scales *scales);

/** The nodes (or graphs) whose statistics count: the training ones. */
typedef struct {
  hg_world *world;    ///< statistics are summed over ranks; NULL: this rank has them all
  const hg_lid *rows; ///< [n_rows]
  hg_off n_rows;
} hg_scaling_sample;

/** STANDARDIZE: mean and inverse deviation of each column over the sample. Collective when the sample has a world. */
hg_status hg_scales_learn_features(hg_scales *scales, const hg_features *features, hg_scaling_sample sample,
                                   hg_feature_scaling scaling);

/**
 * Of a regression: mean and deviation of each target over the sample's known ones; 0 and 1 with targets as they are.
 * Collective when the sample has a world.
 */
hg_status hg_scales_learn_targets(hg_scales *scales, const hg_nodes *items, hg_scaling_sample sample,
                                  hg_target_scaling scaling);

/**
 * Features of n nodes, in place. ROW: each row divided by its sum of absolute values (Kipf's preprocessing);
 * STANDARDIZE: each column to mean 0 and deviation 1, by the scales of as many columns (sparse features keep their
 * zeros: deviation only). Cannot fail.
 */
void hg_scale_features(hg_features *features, hg_off n, hg_feature_scaling scaling, const hg_scales *scales);

/** Regression targets, where there are any, by the scales of as many, in place. Cannot fail. */
void hg_scale_targets(hg_nodes *items, const hg_scales *scales);
