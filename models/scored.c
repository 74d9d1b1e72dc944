#include "models/scored.h"

#include "comm/host_exchange.h"
#include "models/skip_rows.h"

int hg_model_scored_levels(const hg_model_options *options)
{
  hg_model_options moments_known = *options;
  moments_known.norm = HG_LAYER_NORM_NONE;
  return hg_model_active_levels(&moments_known);
}

// Layers with covers, which may come before others and after them, stay whole: what they make of rows that mean nothing
// means nothing either.
hg_status hg_model_score(hg_model *model, hg_active *scored)
{
  hg_world *world = model->stages[0].graph.world;
  hg_status rc = HG_OK;
  for (hg_layer *layer = model->layers + model->n_layers - 1; layer >= model->layers; layer--) {
    const hg_local_graph *graph = layer->whole.graph;
    if (hg_model_covers(model, layer->index)) continue;
    HG_TRY_ALL(world, "keeping scored edges", hg_prune_edges(model, scored, layer, false, &graph));
    HG_TRY_ALL(world, "keeping scored rows", hg_skip_rows(model, scored, layer, false, &graph));
    if (graph != layer->whole.graph) HG_TRY(hg_layer_score(layer, graph));
  }
done:
  return rc;
}

// they borrow buffers of the exchanges of all rows
static size_t exchange_bytes(const hg_layer *layer, const hg_links *links)
{
  const hg_links *all = layer->graph->links, *near = hg_links_near(all);
  hg_exchange_packing packing = hg_layer_scored_packing(layer);
  int cols = layer->aggregate_first ? layer->f_in : layer->f_out;
  hg_host_room room = {0};
  if (packing.skip_zeros)
    hg_exchange_lend(all, cols, NULL, &packing);
  else
    packing.lent[0] = packing.lent[1] = hg_matrix_view(NULL, near->send_offsets[near->n_peers_send], cols);
  size_t bytes = hg_exchange_bytes(links, HG_FILL_HALO, cols, &packing);
  if (!links->hosts) return bytes;
  hg_host_room_widen(&room, cols, &packing);
  return bytes + hg_host_exchange_bytes(links, HG_FILL_HALO, &room);
}

size_t hg_model_scored_bytes(const hg_model *model, const hg_active *scored, const hg_part *part)
{
  size_t bytes = 0;
  for (const hg_layer *l = model->layers; l < model->layers + model->n_layers; l++) {
    int k = model->n_layers - 1 - l->index;
    if (hg_model_covers(model, l->index) || !hg_prunes_edges(model, scored, l)) continue;
    bytes += hg_active_bytes(scored, k, part, hg_pruned_edges(model, l, false));
    if (hg_model_exchanged(model, l->index) > 0) bytes += exchange_bytes(l, &scored->levels[k].links);
  }
  return bytes;
}
