#include "models/skip_products.h"

#include <string.h>

#include "core/tensor/skip_zeros.h"

// Of the numbers that dropout leaves, those that relu leaves: half at first, later more, above all in the last layers.
static const double usual = 0.8;

static bool is_relu_in_place(const hg_layer *layer)
{
  return layer->index > 0 && layer->in_place && (layer - 1)->activation == HG_ACTIVATION_RELU && !layer->rounds;
}

// A row that another rank has summed can be 0 where its addends are not, as edges can have weights below 0. (Where old
// halo rows are averaged with the latest ones, none is below 0: the zeros of the mean are zeros of the latest.)
static bool passes_own_rows(const hg_halo_options *o) { return o->aggregation == HG_AGGREGATION_SOURCES; }

static void plan_layer(const hg_model_options *o, hg_layer *layer)
{
  bool always = o->skip_zeros == HG_SKIP_HIDDEN_ALWAYS, masks = layer->f_out % HG_MASKED_INNER == 0;
  hg_layer *below = layer - 1;
  double share = usual * (1 - below->next_dropout);
  if (!is_relu_in_place(layer)) return;
  layer->skips_input = always || hg_at_skipping_pays(share, layer->f_out);
  layer->masks_gradient = masks && passes_own_rows(&o->halo) && (always || hg_bt_masked_pays(share));
  below->skips_output = below->norm == HG_LAYER_NORM_NONE && (always || hg_at_skipping_pays(share, below->f_in));
}

void hg_skip_products_plan(hg_model *model)
{
  if (model->options.skip_zeros == HG_SKIP_HIDDEN_NEVER) return;
  for (int l = 1; l < model->n_layers; l++) plan_layer(&model->options, &model->layers[l]);
}

const char *hg_skip_products_hindrance(const hg_model *model)
{
  const hg_layer *last = model->layers + model->n_layers - 1;
  for (int l = 0; l < model->n_layers; l++)
    if (model->layers[l].skips_input) return NULL;
  if (model->n_layers < 2) return "a single layer";
  if (model->options.activation != HG_ACTIVATION_RELU) return "model.activation other than relu";
  if (!last->type->in_place) return "this model.type";
  return last->rounds ? "model.precision" : "pooling between layers";
}

hg_zeros hg_zeros_of_input(const hg_layer *layer) { return layer->skips_input ? HG_ZEROS_OF_A : HG_ZEROS_KEPT; }

hg_zeros hg_zeros_of_output(const hg_layer *layer) { return layer->skips_output ? HG_ZEROS_OF_B : HG_ZEROS_KEPT; }

hg_input_weights hg_layer_input_weights(const hg_layer *layer, hg_real *space)
{
  const hg_matrix w = hg_layer_parameter(layer, layer->theta, "weight");
  hg_input_weights weights = {0};
  if (layer->masks_gradient) {
    weights.masked = hg_matrix_view(space, w.rows, w.cols);
    memcpy(space, w.data, (size_t)(w.rows * w.cols) * sizeof *space); // aligned
  } else {
    weights.all = hg_layer_right_side(layer, &w, true, space);
  }
  return weights;
}
