#pragma once
#include "comm/world.h"
#include "runtime/config/config.h"
#include "runtime/observe/predictions.h"

/**
 * Outputs of a run's best weights for all nodes of config->dataset.path, or all graphs of a collection; it may be
 * another one than what was trained on, and without labels; gathered on rank 0 (zeroed elsewhere), on any number of
 * ranks.
 * @param repeat               which of the run's seeds, from 0
 * @param position_gradients   also the gradient of the loss with respect to positions (runtime/train/loss_gradient.h)
 * Collective.
 */
hg_status hg_predict(hg_world *world, const hg_config *config, int repeat, bool position_gradients,
                     hg_predictions *predictions);
