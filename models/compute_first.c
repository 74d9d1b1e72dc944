#include "models/compute_first.h"

static bool is_possible(const hg_model *model)
{
  const hg_model_options *o = &model->options;
  const hg_layer *first = &model->layers[0];
  const hg_local_graph *g = first->graph;
  if (model->n_stages > 1 || model->n_layers < 2 || !first->cached || !g->links || g->slabs) return false;
  return !o->recompute && o->label_rate <= 0 && o->halo.sample >= 1 && o->halo.staleness.kind == HG_STALENESS_NONE;
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

void hg_compute_first_plan(hg_model *model)
{
  const hg_halo_options *halo = &model->options.halo;
  const hg_world *world = model->layers[0].graph->world;
  bool between = halo->compute_first == HG_COMPUTE_FIRST_BETWEEN_HOSTS;
  if (halo->compute_first == HG_COMPUTE_FIRST_NEVER || !is_possible(model)) return;
  if (between && (!world || hg_world_n_hosts(world) < 2)) return;
  if (between && (halo->precision != HG_PACK_REAL || !is_worth_it(model))) return;
  model->layers[0].computes_halo = true;
  model->layers[1].packing.skip_zeros = false; // nothing crosses
}
