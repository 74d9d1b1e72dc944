#include "runtime/train/check_model.h"

#include "core/tensor/geo.h"
#include "models/layer.h"

enum { MOST_GATES = 1 << 24 }; // of a layer

bool hg_needs_positions(const hg_config *config)
{
  const hg_layer_type *type = NULL;
  return hg_layer_type_find(&type, config->model.type) == HG_OK && type->needs_positions;
}

bool hg_can_cover(const hg_config *config)
{
  const hg_layer_type *type = NULL;
  return hg_layer_type_find(&type, config->model.type) == HG_OK && (type->linear || type->reduces || type->local);
}

bool hg_wants_dense(const hg_config *config, const hg_features *features, double rows, double entries)
{
  if (!features->indptr || (config->model.input_dropout > 0 && !hg_needs_positions(config))) return false;
  return entries > config->dataset.dense_from * rows * features->width;
}

// what a layer with gates needs of the graph, said of the file that the user named
hg_status hg_check_positions(const hg_config *config, const hg_nodes *nodes)
{
  const hg_model_options *o = &config->model;
  const char *path = config->dataset.path;
  if (!hg_needs_positions(config)) return HG_OK;
  if (nodes->n_dims == 0)
    return hg_fail(HG_ERR_INPUT, "model.type: %s needs positions of the nodes, found none in %s", o->type, path);
  if (nodes->n_dims > HG_GEO_DIMS)
    return hg_fail(HG_ERR_INPUT, "model.type: %s takes positions of 1 to %d dimensions, found %d in %s", o->type,
                   HG_GEO_DIMS, nodes->n_dims, path);
  if (nodes->features.indptr)
    return hg_fail(
        HG_ERR_INPUT,
        "model.type: %s needs dense features, found sparse ones in %s; dataset.dense_from: 0 makes them dense", o->type,
        path);
  int64_t width = nodes->features.width > o->hidden ? nodes->features.width : o->hidden;
  if (width * o->filters > MOST_GATES)
    return hg_fail(HG_ERR_INPUT, "model.filters: found %d for layers of up to %lld channels, expected at most %d gates",
                   o->filters, (long long)width, MOST_GATES);
  return HG_OK;
}

hg_status hg_check_labels(const hg_config *config, hg_task task, bool one_graph)
{
  if (config->model.label_rate <= 0 || (one_graph && task == HG_TASK_CLASSES)) return HG_OK;
  return hg_fail(HG_ERR_INPUT,
                 "model.label_rate: found %g, expected 0, or one graph whose nodes have one class each, unlike %s",
                 config->model.label_rate, config->dataset.path);
}

hg_status hg_check_pooling(const hg_config *config)
{
  if (config->model.pooling == HG_POOLING_NONE) return HG_OK;
  return hg_fail(HG_ERR_INPUT,
                 "model.pooling: found cluster, which pools the nodes of many small graphs, and one graph in %s",
                 config->dataset.path);
}
