#include "models/model.h"

#include <stdio.h>
#include <string.h>

#include "core/base/alloc.h"
#include "core/tensor/gemm.h"

static int max_int(int a, int b) { return a > b ? a : b; }

static int width_out(const hg_model_options *o, int layer, int n_outputs)
{
  return layer == o->layers - 1 ? n_outputs : o->hidden;
}

// the widths and options of one layer, from which its type plans parameters
static void describe(hg_layer *layer, const hg_model_options *o, int index, int f_in, int n_outputs)
{
  bool last = index == o->layers - 1;
  layer->index = index;
  layer->f_in = f_in;
  layer->f_out = width_out(o, index, n_outputs);
  layer->residual = o->residual && index > 0 && !last && f_in == layer->f_out;
  layer->dropout = index == 0 ? o->input_dropout : o->dropout;
  layer->next_dropout = last ? 0 : o->dropout;
  layer->activation = last ? HG_ACTIVATION_NONE : o->activation;
  layer->norm = last ? HG_LAYER_NORM_NONE : o->norm;
  layer->filters = o->filters;
  layer->shared_filters = o->filters_per == HG_FILTERS_SHARED;
  // Batch norm takes the mean away and adds a bias of its own: another before it would have no gradient but rounding
  // errors, which Adam blows up to whole steps, other ones on every number of ranks.
  layer->bias = o->bias && layer->norm != HG_LAYER_NORM_BATCH;
  layer->type->plan(layer);
}

hg_status hg_model_plan(hg_model *model, const hg_model_options *o, const hg_local_graph *graph, hg_input *input,
                        int n_outputs)
{
  const hg_layer_type *type;
  hg_status rc = HG_OK;
  memset(model, 0, sizeof *model);
  model->options = *o;
  model->graph = graph;
  HG_TRY(hg_layer_type_find(&type, o->type));
  HG_TRY(HG_ALLOC(model->layers, o->layers, "layers"));
  model->n_layers = o->layers;
  for (int l = 0, f_in = input->width; l < o->layers; f_in = model->layers[l++].f_out) {
    hg_layer *layer = &model->layers[l];
    layer->type = type;
    layer->graph = model->graph;
    layer->input = l == 0 ? input : NULL;
    layer->work = &model->work;
    describe(layer, o, l, f_in, n_outputs);
    model->n_parameters += layer->n_theta;
    if (layer->norm == HG_LAYER_NORM_BATCH) model->n_state += 2 * (hg_off)layer->f_out;
  }
done:
  return rc;
}

// numbers in each of the shared buffers
typedef struct {
  hg_off product, gradient, scratch, sums;
} workspace_sizes;

static workspace_sizes size_workspace(const hg_model *model)
{
  hg_off n = model->graph->n_local;
  workspace_sizes s = {0};
  int widest = 0, product = 0;
  for (const hg_layer *l = model->layers; l < model->layers + model->n_layers; l++) {
    product = max_int(product, l->product_width);
    widest = max_int(widest, max_int(l->f_out, l->index ? l->f_in : 0));
    hg_off need = l->weight_rows ? hg_gemm_at_scratch(n, l->weight_rows, l->f_out) : 0;
    if (need > s.scratch) s.scratch = need;
  }
  s.product = n * product;
  s.gradient = n * widest;
  s.sums = 2 * widest;
  return s;
}

static hg_status allocate_workspace(hg_model *model)
{
  hg_workspace *w = &model->work;
  const workspace_sizes s = size_workspace(model);
  hg_status rc = HG_OK;
  HG_TRY(HG_ALLOC(w->product, s.product, "products"));
  HG_TRY(HG_ALLOC(w->gradients[0], s.gradient, "output gradients"));
  HG_TRY(HG_ALLOC(w->gradients[1], s.gradient, "output gradients"));
  HG_TRY(HG_ALLOC(w->scratch, s.scratch, "weight gradient blocks"));
  HG_TRY(HG_ALLOC(w->sums, s.sums, "batch norm sums"));
done:
  return rc;
}

static bool output_has_halo(const hg_model *model, int l)
{
  return l + 1 < model->n_layers && model->layers[l + 1].aggregate_first;
}

hg_model_size hg_model_measure(const hg_model *model)
{
  const workspace_sizes s = size_workspace(model);
  hg_off n = model->graph->n_owned, numbers = 0;
  hg_model_size size = {.workspace = (size_t)(s.product + 2 * s.gradient + s.scratch) * sizeof(hg_real) +
                                     (size_t)s.sums * sizeof(double)};
  for (int l = 0; l < model->n_layers; l++) {
    const hg_layer *layer = &model->layers[l];
    numbers += (output_has_halo(model, l) ? model->graph->n_local : n) * layer->f_out;
    if (layer->norm != HG_LAYER_NORM_NONE) numbers += n * (layer->f_out + 1);
    size.activations += layer->type->bytes(layer);
    if (l > 0) size.exchanged += layer->aggregate_first ? layer->f_in : layer->f_out;
  }
  size.activations += (size_t)numbers * sizeof(hg_real);
  return size;
}

// h needs halo rows where the next layer exchanges it
static hg_status allocate_outputs(hg_model *model)
{
  const hg_local_graph *g = model->graph;
  hg_status rc = HG_OK;
  for (int l = 0; l < model->n_layers; l++) {
    hg_layer *layer = &model->layers[l];
    HG_TRY(hg_matrix_create(&layer->h, output_has_halo(model, l) ? g->n_local : g->n_owned, layer->f_out,
                            "layer outputs"));
    if (l > 0) layer->x = model->layers[l - 1].h;
    if (layer->norm == HG_LAYER_NORM_NONE) continue;
    bool batch = layer->norm == HG_LAYER_NORM_BATCH;
    HG_TRY(hg_matrix_create(&layer->xhat, g->n_owned, layer->f_out, "normalised outputs"));
    HG_TRY(HG_ALLOC(layer->inv_std, batch ? layer->f_out : g->n_owned, "inverse deviations"));
    if (batch) HG_TRY(HG_ALLOC(layer->mean, layer->f_out, "means"));
  }
done:
  return rc;
}

static hg_status allocate_alone(hg_model *model)
{
  hg_status rc = HG_OK;
  HG_TRY(HG_ALLOC(model->parameters, model->n_parameters, "parameters"));
  HG_TRY(HG_ALLOC(model->gradients, model->n_parameters, "gradients"));
  HG_TRY(HG_ALLOC(model->state, model->n_state, "running moments"));
  hg_off offset = 0, state = 0;
  for (hg_layer *l = model->layers; l < model->layers + model->n_layers; l++) {
    l->theta = model->parameters + offset;
    l->d_theta = model->gradients + offset;
    offset += l->n_theta;
    if (l->norm != HG_LAYER_NORM_BATCH) continue;
    l->running = model->state + state;
    state += 2 * (hg_off)l->f_out;
  }
  HG_TRY(allocate_workspace(model));
  HG_TRY(allocate_outputs(model));
done:
  return rc;
}

hg_status hg_model_create(hg_model *model, const hg_model_options *options, const hg_local_graph *graph,
                          hg_input *input, int n_outputs)
{
  hg_status rc = HG_OK;
  HG_TRY_ALL(graph->world, "planning the model", hg_model_plan(model, options, graph, input, n_outputs));
  HG_TRY_ALL(graph->world, "allocating the model", allocate_alone(model));
  for (int l = 0; l < model->n_layers; l++) HG_TRY(model->layers[l].type->create(&model->layers[l]));
  hg_model_init(model, 0);
done:
  if (rc != HG_OK) hg_model_free(model);
  return rc;
}

void hg_model_free(hg_model *model)
{
  for (int l = 0; l < model->n_layers; l++) hg_layer_free(&model->layers[l]);
  hg_free(&model->layers);
  hg_free(&model->parameters);
  hg_free(&model->gradients);
  hg_free(&model->state);
  hg_free(&model->work.product);
  hg_free(&model->work.gradients[0]);
  hg_free(&model->work.gradients[1]);
  hg_free(&model->work.scratch);
  hg_free(&model->work.sums);
  model->n_layers = 0;
}

void hg_model_init(hg_model *model, uint64_t seed)
{
  for (hg_layer *l = model->layers; l < model->layers + model->n_layers; l++) {
    for (int k = 0; k < l->n_parameters; k++) {
      const hg_parameter *p = &l->parameters[k];
      hg_matrix w = hg_layer_parameter(l, l->theta, p->name);
      hg_init_fill(&w, p->init, seed, (l->theta - model->parameters) + p->offset);
    }
    for (int k = 0; l->running && k < l->f_out; k++) {
      l->running[k] = 0;
      l->running[l->f_out + k] = 1;
    }
  }
}

hg_matrix hg_model_forward(hg_model *model, const hg_pass *pass)
{
  for (hg_layer *l = model->layers; l < model->layers + model->n_layers; l++) l->type->forward(l, pass);
  return model->layers[model->n_layers - 1].h;
}

static hg_matrix output_gradient(hg_model *model, int layer)
{
  return hg_matrix_view(model->work.gradients[layer % 2], model->graph->n_owned, model->layers[layer].f_out);
}

hg_matrix hg_model_d_logits(hg_model *model) { return output_gradient(model, model->n_layers - 1); }

void hg_model_backward(hg_model *model, const hg_pass *pass, hg_sums *sums)
{
  for (int l = model->n_layers - 1; l >= 0; l--) {
    hg_layer *layer = &model->layers[l];
    hg_matrix d_h = output_gradient(model, l), d_x = {0};
    if (l > 0) d_x = hg_matrix_view(model->work.gradients[(l + 1) % 2], model->graph->n_local, layer->f_in);
    layer->type->backward(layer, pass, &d_h, &d_x);
    if (sums) hg_sums_begin(sums, layer->d_theta, layer->n_theta);
  }
}

hg_matrix hg_model_embeddings(const hg_model *model)
{
  const hg_layer *layer = &model->layers[max_int(model->n_layers - 2, 0)];
  return hg_matrix_rows(&layer->h, 0, model->graph->n_owned);
}

hg_traffic hg_model_traffic(const hg_model *model)
{
  hg_traffic total = {0};
  for (const hg_layer *l = model->layers; l < model->layers + model->n_layers; l++) {
    const hg_exchange *exchanges[] = {l->fill, l->add};
    for (int k = 0; k < 2; k++) {
      if (!exchanges[k]) continue;
      hg_traffic t = hg_exchange_traffic(exchanges[k]);
      total.bytes_sent += t.bytes_sent;
      total.messages_sent += t.messages_sent;
    }
  }
  return total;
}

void hg_model_parameter_name(const hg_model *model, int layer, int parameter, char *name, size_t size)
{
  snprintf(name, size, "layers.%d.%s", layer, model->layers[layer].parameters[parameter].name);
}
