#include "models/hidden_rows.h"

#include "core/tensor/epilogue.h"

bool hg_hidden_rows_can_go(const hg_model *model)
{
  const hg_model_options *o = &model->options;
  const hg_layer *first = model->layers, *last = first + model->n_layers - 1;
  if (o->norm != HG_LAYER_NORM_NONE || model->n_stages > 1) return false;
  if (!first->cached || first->computes_halo || first->graph->slabs) return false;
  if (first->type != &hg_layer_gcn || last->aggregate_first) return false;
  return o->precision == HG_PRECISION_FLOAT32 && o->label_rate <= 0 && !o->embeds;
}

bool hg_rows_are_stored(const hg_layer *layer) { return !layer->streams && !layer->thin; }

bool hg_reads_stored_rows(const hg_layer *layer) { return layer->index == 0 || hg_rows_are_stored(layer - 1); }

void hg_hidden_rows_finish(const hg_layer *layer, hg_dropout dropout, hg_off first, hg_matrix *z)
{
  if (layer->bias) hg_bias_add(z, 0, z->rows, hg_layer_parameter(layer, layer->theta, "bias").data);
  hg_activate(layer->activation, z);
  hg_dropout_apply(dropout, layer->graph->ids + first, z);
}
