#include "models/compute_first.h"

const char *hg_compute_first_hindrance(const hg_model *model)
{
  const hg_model_options *o = &model->options;
  const hg_layer *first = &model->layers[0];
  const hg_local_graph *g = first->graph;
  if (g->slabs) return "parallel.mode features or grid";
  if (model->n_stages > 1 || !g->links) return "a collection of graphs";
  if (g->world && hg_world_size(g->world) == 1) return "one rank";
  if (model->n_layers < 2) return "one layer";
  if (!first->type->can_compute_halo || !first[1].type->can_compute_halo) return "this model.type";
  if (!first->cached) return "sparse features or model.input_dropout: their aggregate changes";
  if (o->recompute) return "model.recompute";
  if (o->label_rate > 0) return "model.label_rate";
  if (o->halo.sample < 1) return "halo.sample";
  return o->halo.staleness.kind != HG_STALENESS_NONE ? "halo.staleness" : NULL;
}

// between hosts
static bool is_worth_it(const hg_model *model)
{
  const hg_layer *first = &model->layers[0], *second = first + 1;
  double f_in = first->f_in, f_out = first->f_out, bytes = 2 * (double)hg_model_exchanged(model, 1) * sizeof(hg_real);
  double flops = 4 * f_in * f_out + (second->aggregate_first ? 0 : 6 * f_out * second->f_out);
  if (second->packing.skip_zeros) bytes = 2 * hg_model_nonzero_bytes(model, 1, HG_PACK_REAL);
  return flops <= HG_COMPUTE_FIRST_FLOPS * bytes;
}

static bool is_wanted(const hg_model *model)
{
  const hg_halo_options *halo = &model->options.halo;
  const hg_world *world = model->layers[0].graph->world;
  if (halo->compute_first != HG_COMPUTE_FIRST_BETWEEN_HOSTS) return halo->compute_first == HG_COMPUTE_FIRST_ALWAYS;
  if (halo->computed_before != 0) return halo->computed_before > 0;
  return world && hg_world_n_hosts(world) > 1 && halo->precision == HG_PACK_REAL && is_worth_it(model);
}

void hg_compute_first_plan(hg_model *model)
{
  if (hg_compute_first_hindrance(model) || !is_wanted(model)) return;
  model->layers[0].computes_halo = true;
  model->layers[1].packing.skip_zeros = false;
}
