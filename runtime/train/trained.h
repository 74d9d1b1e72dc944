#pragma once
#include "runtime/train/scaling.h"

/** What is known of a model that is trained already, for data that it shall predict. */
typedef struct {
  hg_task task;
  int n_outputs;
  uint64_t fingerprint;    ///< of the data that it was trained on
  const hg_scales *scales; ///< of its checkpoint, borrowed; not known when that is of an earlier version
} hg_trained;

/**
 * Makes the items of `path` (nodes of a graph, or graphs of a collection) ready for a model that was trained on other
 * data: labels, targets and split are dropped, the task is the model's.
 * @return   HG_ERR_INPUT when the config needs scales that the checkpoint does not have
 * Not collective.
 */
hg_status hg_trained_adopt(const hg_trained *trained, hg_nodes *items, const hg_config *config, const char *path);

/**
 * A copy of the checkpoint's scales, which are known, for the data of `path`.
 * @return   HG_ERR_INPUT when they are for other numbers of features or targets
 * Not collective.
 */
hg_status hg_trained_scales(const hg_trained *trained, hg_scales *scales, const hg_features *features,
                            const hg_nodes *items, const hg_config *config, const char *path);
