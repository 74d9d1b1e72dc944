#include "models/hidden_rows.h"

#include "core/tensor/epilogue.h"

const char *hg_hidden_rows_hindrance(const hg_model *model)
{
  const hg_model_options *o = &model->options;
  const hg_layer *first = model->layers, *last = first + model->n_layers - 1;
  if (model->n_stages > 1) return "a collection of graphs";
  if (first->type != &hg_layer_gcn) return "this model.type";
  if (first->graph->slabs) return "parallel.mode features or grid";
  if (!first->cached) return "sparse features or model.input_dropout";
  if (first->computes_halo) return "halo.compute_first";
  if (o->norm != HG_LAYER_NORM_NONE) return "model.norm";
  if (o->precision != HG_PRECISION_FLOAT32) return "model.precision";
  if (o->label_rate > 0) return "model.label_rate";
  if (last->aggregate_first) return "no fewer outputs than model.hidden";
  return o->embeds ? "outputs of hidden layers wanted" : NULL;
}

bool hg_rows_are_stored(const hg_layer *layer) { return !layer->streams && !layer->thin; }

bool hg_reads_stored_rows(const hg_layer *layer) { return layer->index == 0 || hg_rows_are_stored(layer - 1); }

hg_off hg_second_side(const hg_layer *hidden) { return hg_panel_space(hidden->f_in, hidden->f_out); }

void hg_hidden_rows_finish(const hg_layer *layer, hg_dropout dropout, hg_off first, hg_matrix *z)
{
  if (layer->bias) hg_bias_add(z, 0, z->rows, hg_layer_parameter(layer, layer->theta, "bias").data);
  hg_activate(layer->activation, z);
  hg_dropout_apply(dropout, layer->graph->ids + first, z);
}
