#include "models/model.h"

#include <stdio.h>

#include "core/base/alloc.h"
#include "core/base/timer.h"
#include "models/hidden_rows.h"
#include "models/recompute.h"
#include "models/skip_rows.h"
#include "models/stale.h"

static hg_status allocate_workspace(hg_model *model)
{
  hg_workspace *w = &model->work;
  const hg_workspace_size s = model->work_size;
  hg_status rc = HG_OK;
  HG_TRY(HG_ALLOC(w->product, s.product, "products"));
  for (int b = 0; b < 2; b++) HG_TRY(HG_ALLOC(w->gradients[b], s.gradient[b], "output gradients"));
  for (int b = 0; b < 2; b++) HG_TRY(HG_ALLOC(w->rounded[b], s.rounded[b], "aggregated in bfloat16"));
  HG_TRY(HG_ALLOC(w->packed, s.packed, "packed weights"));
  HG_TRY(HG_ALLOC(w->hidden, s.hidden, "outputs of hidden layers"));
  w->blocks = (hg_blocks){.threads = s.threads, .widest = s.widest_block};
  HG_TRY(HG_ALLOC(w->blocks.space, s.blocks, "blocks of rows"));
  HG_TRY(HG_ALLOC(w->scratch, s.scratch, "weight gradient blocks"));
  HG_TRY(HG_ALLOC(w->sums, s.sums, "batch norm sums"));
  HG_TRY(hg_slabs_buffers_create(&w->slabs, &s.slabs));
done:
  return rc;
}

static hg_status allocate_pools(hg_model *model)
{
  hg_status rc = HG_OK;
  for (int s = 0; s < model->n_stages - 1; s++)
    HG_TRY(hg_matrix_create(&model->pools[s].rows, model->stages[s + 1].graph.n_owned, model->options.hidden,
                            "pooled outputs"));
done:
  return rc;
}

// whether its input is pooled from the layer before, which stands on a finer stage
static bool is_pooled(const hg_layer *layer) { return layer->index > 0 && layer->stage > (layer - 1)->stage; }

static hg_status allocate_outputs(hg_model *model)
{
  hg_status rc = HG_OK;
  for (int l = 0; l < model->n_layers; l++) {
    hg_layer *layer = &model->layers[l];
    hg_off n = hg_layer_rows(layer);
    if (!hg_rows_are_stored(layer))
      layer->h = hg_matrix_view(NULL, hg_model_output_rows(model, l), layer->f_out);
    else if (layer->recomputes)
      layer->h = hg_matrix_view(model->work.hidden, hg_model_output_rows(model, l), layer->f_out);
    else
      HG_TRY(hg_matrix_create(&layer->h, hg_model_output_rows(model, l), layer->f_out, "layer outputs"));
    if (hg_recompute_keeps_halo(layer, model->n_layers))
      HG_TRY(
          hg_matrix_create(&layer->halo, layer->graph->n_local - layer->graph->n_owned, layer->f_in, "kept halo rows"));
    if (l > 0) layer->x = is_pooled(layer) ? model->pools[layer->stage - 1].rows : (layer - 1)->h;
    if (layer->norm == HG_LAYER_NORM_NONE) continue;
    bool batch = layer->norm == HG_LAYER_NORM_BATCH;
    HG_TRY(hg_matrix_create(&layer->xhat, n, layer->f_out, "normalised outputs"));
    HG_TRY(HG_ALLOC(layer->inv_std, batch ? layer->f_out : n, "inverse deviations"));
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
  HG_TRY(allocate_pools(model));
  HG_TRY(allocate_outputs(model));
done:
  return rc;
}

static hg_status create_turned(hg_model *model)
{
  hg_status rc = HG_OK;
  for (hg_layer *l = model->layers; l < model->layers + model->n_layers && rc == HG_OK; l++)
    if (l->turned_width > 0) rc = hg_turned_create(&l->turned, l->graph->slabs, l->turned_width, &l->work->slabs);
  return rc;
}

hg_status hg_model_create(hg_model *model, const hg_model_options *options, const hg_stage *stages, int n_stages,
                          hg_input *input, int n_outputs)
{
  hg_world *world = stages[0].graph.world;
  hg_status rc = HG_OK;
  HG_TRY_ALL(world, "planning the model", hg_model_plan(model, options, stages, n_stages, input, n_outputs));
  HG_TRY(model->layers[0].type->create(&model->layers[0])); // first: it may free the features
  HG_TRY_ALL(world, "allocating the model", allocate_alone(model));
  for (int l = 1; l < model->n_layers; l++) HG_TRY(model->layers[l].type->create(&model->layers[l]));
  HG_TRY(create_turned(model));
  hg_model_init(model, 0);
done:
  if (rc != HG_OK) hg_model_free(model);
  return rc;
}

void hg_model_free(hg_model *model)
{
  for (int l = 0; l < model->n_layers; l++)
    hg_layer_free(&model->layers[l]); // their exchanges are on the samples' links
  for (int s = 0; model->pools && s < model->n_stages - 1; s++) hg_matrix_free(&model->pools[s].rows);
  hg_free(&model->pools);
  hg_free(&model->layers);
  hg_free(&model->active_rows);
  hg_free(&model->scored_rows);
  for (int l = 0; model->sampled && l < model->n_layers; l++) hg_sampled_free(&model->sampled[l]);
  hg_free(&model->sampled);
  for (int l = 0; model->covered && l <= model->n_layers; l++) hg_covered_free(&model->covered[l]);
  hg_free(&model->covered);
  for (int l = 0; model->reduced && l < 2 * model->n_layers; l++) hg_prereduced_free(&model->reduced[l]);
  hg_free(&model->reduced);
  hg_free(&model->parameters);
  hg_free(&model->gradients);
  hg_free(&model->state);
  hg_free(&model->work.product);
  hg_free(&model->work.gradients[0]);
  hg_free(&model->work.gradients[1]);
  hg_free(&model->work.scratch);
  hg_free(&model->work.packed);
  hg_free(&model->work.hidden);
  for (int b = 0; b < 2; b++) hg_free(&model->work.rounded[b]);
  hg_free(&model->work.blocks.space);
  hg_free(&model->work.sums);
  hg_slabs_buffers_free(&model->work.slabs);
  hg_free(&model->work.kept);
  model->n_layers = 0;
}

static hg_status sample(hg_model *model, const hg_layer *layer, const hg_local_graph **graph)
{
  hg_sampled *sampled = &model->sampled[layer->index];
  if (model->options.halo.sample >= 1 || hg_model_exchanged(model, layer->index) == 0) return HG_OK;
  hg_status rc = hg_sampled_create(sampled, *graph, model->options.halo.sample);
  *graph = &sampled->graph;
  return rc;
}

// Covers all edges once, for all layers and passes, and what a layer's training passes keep of them. Collective.
static hg_status cover(hg_model *model, hg_layer *layer, const hg_local_graph **graph)
{
  const hg_local_graph *whole = layer->whole.graph;
  hg_covered *all = &model->covered[model->n_layers], *kept = &model->covered[layer->index];
  hg_status rc = HG_OK;
  if (!all->base) HG_TRY(hg_covered_create(all, whole));
  if (*graph != whole) HG_TRY(hg_covered_create(kept, *graph));
  HG_TRY(hg_layer_cover(layer, &all->graph));
  *graph = *graph == whole ? &all->graph : &kept->graph;
done:
  return rc;
}

// The same of layers that send rows of their output: covers depend on both widths.
static hg_status reduce(hg_model *model, hg_layer *layer, const hg_local_graph **graph)
{
  const hg_local_graph *whole = layer->whole.graph;
  hg_prereduced *kept = &model->reduced[layer->index], *all = kept + model->n_layers;
  hg_status rc = HG_OK;
  for (hg_prereduced *r = model->reduced + model->n_layers; r < model->reduced + 2 * model->n_layers; r++)
    if (r->base == whole && r->f_in == layer->f_in && r->f_out == layer->f_out) all = r;
  if (!all->base) HG_TRY(hg_prereduced_create(all, whole, layer->f_in, layer->f_out));
  if (*graph != whole) HG_TRY(hg_prereduced_create(kept, *graph, layer->f_in, layer->f_out));
  HG_TRY(hg_layer_cover(layer, &all->graph));
  *graph = *graph == whole ? &all->graph : &kept->graph;
done:
  return rc;
}

static hg_status choose_rows(hg_model *model, hg_layer *layer, const hg_local_graph **graph)
{
  if (!hg_model_covers(model, layer->index)) return HG_OK;
  return layer->type->reduces ? reduce(model, layer, graph) : cover(model, layer, graph);
}

static hg_status allocate_reduced(hg_model *model)
{
  bool reduces = model->options.halo.aggregation == HG_AGGREGATION_COVERS && model->layers[0].type->reduces;
  return reduces ? HG_ALLOC(model->reduced, 2 * (hg_off)model->n_layers, "rows for other ranks") : HG_OK;
}

static hg_status widen(hg_real **room, hg_off *size, hg_off wanted, const char *what)
{
  if (wanted <= *size) return HG_OK;
  hg_free(room);
  *size = wanted;
  return hg_alloc(room, wanted, sizeof **room, what);
}

// room for the rows that are computed for other ranks
static hg_status make_room(hg_model *model)
{
  hg_workspace_size *s = &model->work_size;
  hg_workspace *w = &model->work;
  hg_status rc = HG_OK;
  for (const hg_layer *l = model->layers; l < model->layers + model->n_layers; l++) {
    const hg_prereduced *of[] = {l->whole.partial.reduced, l->active.partial.reduced};
    for (int k = 0; k < 2; k++) {
      if (!of[k]) continue;
      hg_off n = of[k]->n_partial, rows = n + l->graph->n_local;
      HG_TRY(widen(&w->product, &s->product, rows * l->product_width, "products"));
      HG_TRY(
          widen(&w->scratch, &s->scratch, hg_gemm_at_scratch(n, l->weight_rows, l->f_out), "weight gradient blocks"));
    }
  }
done:
  return rc;
}

static hg_status keep(hg_model *model)
{
  hg_off most = 0;
  for (const hg_layer *l = model->layers; l < model->layers + model->n_layers; l++) {
    const hg_local_graph *g = hg_layer_training_reach(l)->graph;
    if (l->input || !g || !g->links || !g->links->sums) continue;
    hg_off numbers = hg_layer_kept(l, g->links->sums->n_touched);
    if (numbers > most) most = numbers;
  }
  return most > 0 ? HG_ALLOC(model->work.kept, most, "rows in sums") : HG_OK;
}

hg_status hg_model_activate(hg_model *model, hg_active *active)
{
  hg_world *world = model->stages[0].graph.world;
  hg_status rc = HG_OK;
  HG_TRY_ALL(world, "allocating the model", allocate_reduced(model));
  for (hg_layer *layer = model->layers + model->n_layers - 1; layer >= model->layers; layer--) {
    const hg_local_graph *graph = layer->whole.graph;
    HG_TRY_ALL(world, "keeping active edges", hg_prune_edges(model, active, layer, true, &graph));
    HG_TRY_ALL(world, "keeping active rows", hg_skip_rows(model, active, layer, true, &graph));
    if (!hg_model_aggregates(layer)) {
      if (graph != layer->whole.graph) HG_TRY(hg_layer_activate(layer, graph));
      continue;
    }
    HG_TRY_ALL(world, "drawing halo rows", sample(model, layer, &graph));
    HG_TRY(choose_rows(model, layer, &graph));
    if (graph != layer->whole.graph) HG_TRY(hg_layer_activate(layer, graph));
    HG_TRY(hg_stale_create(layer));
  }
  HG_TRY_ALL(world, "keeping rows in sums", keep(model));
  HG_TRY_ALL(world, "allocating the model", make_room(model));
done:
  return rc;
}

void hg_model_bind(hg_model *model, const hg_stage *stages, hg_input *input)
{
  model->stages = stages;
  for (int s = 0; s < model->n_stages - 1; s++) {
    model->pools[s].members = &stages[s + 1].members;
    model->pools[s].rows.rows = stages[s + 1].graph.n_owned;
  }
  for (hg_layer *l = model->layers; l < model->layers + model->n_layers; l++) {
    l->graph = &stages[l->stage].graph;
    if (l->input) l->input = input;
    hg_matrix *matrices[] = {&l->x, &l->h, &l->s, &l->xhat};
    for (int m = 0; m < 4; m++) matrices[m]->rows = l->graph->n_owned;
  }
}

void hg_model_show_labels(hg_model *model, hg_label_input *labels) { model->layers[0].labels = labels; }

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

static void time_layer(const hg_pass *pass, int place, double started)
{
  if (pass->layer_s) pass->layer_s[place] += hg_now_s() - started;
}

hg_matrix hg_model_forward(hg_model *model, const hg_pass *pass)
{
  for (hg_layer *l = model->layers; l < model->layers + model->n_layers; l++) {
    double started = hg_now_s();
    if (is_pooled(l)) hg_pools_forward(model->pools, l - 1, l, pass);
    hg_layer_choose_reach(l, pass);
    if (pass->training && l->graph == &model->sampled[l->index].graph)
      hg_sampled_draw(&model->sampled[l->index], pass->seed, pass->epoch);
    hg_layer_pack_exchanges(l, pass);
    l->type->forward(l, pass);
    time_layer(pass, l->index, started);
  }
  return model->layers[model->n_layers - 1].h;
}

static hg_matrix output_gradient(const hg_model *model, const hg_layer *layer)
{
  bool last = layer->index == model->n_layers - 1;
  if (last && model->n_stages == 1) return hg_matrix_rows(&layer->h, 0, layer->graph->n_owned);
  if (!last && (layer + 1)->in_place) return hg_matrix_rows(&layer->h, 0, hg_layer_rows(layer));
  return hg_matrix_view(layer->work->gradients[layer->gradient], layer->graph->n_owned, layer->f_out);
}

hg_matrix hg_model_d_logits(hg_model *model) { return output_gradient(model, &model->layers[model->n_layers - 1]); }

void hg_model_backward(hg_model *model, const hg_pass *pass, hg_sums *sums)
{
  for (int index = model->n_layers - 1; index >= 0; index--) {
    hg_layer *l = &model->layers[index];
    double started = hg_now_s();
    hg_matrix d_h = output_gradient(model, l), d_x = {0};
    if (index > 0) d_x = hg_layer_d_x(l);
    l->type->backward(l, pass, &d_h, &d_x);
    const hg_active_rows *rows = l->graph->rows;
    if (rows && d_x.data) hg_rows_clear_others(&rows->read, l->graph->n_interior, l->graph->n_owned, &d_x);
    if (sums) hg_sums_begin(sums, l->d_theta, l->n_theta);
    if (is_pooled(l)) hg_pools_backward(model->pools, l - 1, l, pass);
    time_layer(pass, model->n_layers + index, started);
  }
}

hg_matrix hg_model_embeddings(const hg_model *model)
{
  const hg_layer *last = &model->layers[model->n_layers - 1];
  if (!hg_reads_stored_rows(last)) return hg_matrix_view(NULL, 0, last->f_in);
  return hg_matrix_rows(last->index > 0 ? &last->x : &last->h, 0, last->graph->n_owned);
}

hg_traffic hg_model_traffic(const hg_model *model)
{
  hg_traffic total = {0};
  for (const hg_layer *l = model->layers; l < model->layers + model->n_layers; l++) {
    const hg_exchange *exchanges[] = {l->whole.fill,          l->whole.add,           l->active.fill,
                                      l->active.add,          l->whole.partial.push,  l->whole.partial.pull,
                                      l->active.partial.push, l->active.partial.pull, l->scored.fill};
    for (size_t k = 0; k < sizeof exchanges / sizeof *exchanges; k++) {
      if (!exchanges[k]) continue;
      hg_traffic t = hg_exchange_traffic(exchanges[k]);
      hg_traffic_add(&total, &t);
    }
    hg_traffic turned = l->turned ? hg_turned_traffic(l->turned) : (hg_traffic){0};
    hg_traffic_add(&total, &turned);
    hg_stale_add_traffic(l, &total);
  }
  return total;
}

void hg_model_parameter_name(const hg_model *model, int layer, int parameter, char *name, size_t size)
{
  snprintf(name, size, "layers.%d.%s", layer, model->layers[layer].parameters[parameter].name);
}
