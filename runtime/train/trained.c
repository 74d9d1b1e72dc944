#include "runtime/train/trained.h"

#include "core/base/alloc.h"
#include "runtime/train/check_model.h"

// the option of the config that takes numbers of the training data; NULL: none does
static const char *scaled_by(const hg_config *config, hg_task task)
{
  if (config->dataset.normalize_features == HG_FEATURES_STANDARDIZE) return "dataset.normalize_features: standardize";
  if (task == HG_TASK_REGRESSION && config->dataset.normalize_targets == HG_TARGETS_STANDARDIZE)
    return "dataset.normalize_targets: standardize";
  if (hg_needs_positions(config) && config->model.normalize_positions == HG_POSITIONS_MEAN_EDGE)
    return "model.normalize_positions: mean_edge";
  return NULL;
}

hg_status hg_trained_adopt(const hg_trained *trained, hg_nodes *items, const hg_config *config, const char *path)
{
  const char *option = scaled_by(config, trained->task);
  if (option && !hg_scales_known(trained->scales))
    return hg_fail(HG_ERR_INPUT,
                   "%s: found other data than the model was trained on, and a checkpoint of an earlier version "
                   "without the training's scales, which %s needs; train again",
                   path, option);
  hg_free(&items->labels);
  hg_free(&items->label_bits);
  hg_free(&items->targets);
  hg_free(&items->split);
  items->task = trained->task;
  items->n_classes = trained->n_outputs;
  return HG_OK;
}

hg_status hg_trained_scales(const hg_trained *trained, hg_scales *scales, const hg_features *features,
                            const hg_nodes *items, const hg_config *config, const char *path)
{
  const hg_scales *s = trained->scales;
  if (config->dataset.normalize_features == HG_FEATURES_STANDARDIZE && s->width != features->width)
    return hg_fail(HG_ERR_INPUT, "%s: found %d features, expected %d: the checkpoint has the scales of so many", path,
                   features->width, s->width);
  int n_targets = items->task == HG_TASK_REGRESSION ? items->n_classes : 0;
  if (s->n_targets != n_targets)
    return hg_fail(HG_ERR_INPUT, "%s: found %d targets, expected %d: the checkpoint has the scales of so many", path,
                   n_targets, s->n_targets);
  return hg_scales_copy(scales, s);
}
