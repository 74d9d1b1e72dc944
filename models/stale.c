#include "models/stale.h"

#include <string.h>

hg_stale_exchange *hg_stale_of(const hg_layer *layer, int k) { return hg_layer_training_reach(layer)->stale[k]; }

static hg_layer_reach *training_reach(hg_layer *layer) { return layer->active.graph ? &layer->active : &layer->whole; }

hg_status hg_stale_create(hg_layer *layer)
{
  hg_layer_reach *reach = training_reach(layer);
  const hg_local_graph *g = reach->graph;
  hg_exchange_packing packing = layer->packing;
  packing.format = layer->stale_format;
  hg_status rc = HG_OK;
  if (layer->staleness.kind == HG_STALENESS_NONE || !reach->fill) return HG_OK;
  for (int k = 0; rc == HG_OK && k < 2; k++)
    rc = hg_stale_exchange_create(&reach->stale[k], g->world, &layer->staleness, g->links,
                                  k ? HG_ADD_HALO : HG_FILL_HALO, &layer->crossing[k], 2 * layer->index + k, &packing);
  return rc;
}

void hg_stale_free(hg_layer *layer)
{
  hg_layer_reach *reach = training_reach(layer);
  for (int k = 0; k < 2; k++) hg_stale_exchange_free(&reach->stale[k]);
}

size_t hg_stale_bytes(const hg_layer *layer, const hg_links *links)
{
  int cols = layer->aggregate_first ? layer->f_in : layer->f_out;
  size_t bytes = 0;
  if (layer->staleness.kind == HG_STALENESS_NONE) return 0;
  for (int k = 0; k < 2; k++)
    bytes +=
        hg_stale_exchange_bytes(&layer->staleness, links, k ? HG_ADD_HALO : HG_FILL_HALO, cols, layer->stale_format);
  return bytes;
}

void hg_stale_choose(hg_layer *layer, const hg_pass *pass)
{
  hg_exchange *exchanges[] = {layer->fill, layer->add};
  for (int k = 0; k < 2; k++) {
    hg_stale_exchange *stale = hg_stale_of(layer, k);
    if (!stale || !exchanges[k]) continue; // evaluations of some rows send no gradients
    if (pass->training) hg_stale_exchange_set(stale, pass->epoch > layer->packs_after, pass->seed, pass->epoch);
    hg_exchange_divert(exchanges[k], pass->training ? stale : NULL);
  }
}

void hg_stale_add_traffic(const hg_layer *layer, hg_traffic *sum)
{
  for (int k = 0; k < 2; k++) {
    const hg_stale_exchange *stale = hg_stale_of(layer, k);
    hg_traffic t = stale ? hg_stale_exchange_traffic(stale) : (hg_traffic){0};
    hg_traffic_add(sum, &t);
  }
}

bool hg_stale_pass_rows(const hg_layer *layer, hg_dropout dropout, hg_off first, hg_matrix *d, hg_matrix *d_x)
{
  const hg_stale_exchange *stale = layer->fill ? hg_exchange_diverted(layer->fill) : NULL;
  hg_off count = d->rows * d->cols;
  hg_real scale = hg_dropout_scale(dropout);
  if (!stale) return false;
  const hg_matrix latest = hg_stale_exchange_latest(stale);
  const hg_matrix made = latest.data ? hg_matrix_rows(&latest, first - layer->graph->n_owned, d->rows) : *d_x;
  for (hg_off e = 0; dropout.rate > 0 && e < count; e++) d->data[e] = made.data[e] != 0 ? d->data[e] * scale : 0;
  hg_activate_gradient((layer - 1)->activation, &made, scale, d);
  memcpy(d_x->data, d->data, (size_t)count * sizeof *d_x->data);
  return true;
}
