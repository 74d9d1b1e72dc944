#include "models/recompute.h"

#include <string.h>

#include "core/base/threads.h"
#include "core/tensor/norms.h"
#include "core/tensor/row_blocks.h"

bool hg_recompute_keeps_halo(const hg_layer *layer, int n_layers)
{
  bool overwritten = layer->index > 0 && layer->index < n_layers - 1 && (layer - 1)->recomputes;
  return overwritten && !layer->type->local && layer->aggregate_first && layer->graph->links;
}

static void copy_rows(const hg_matrix *from, hg_matrix *to)
{
  hg_off cols = from->cols;
#pragma omp parallel for schedule(static) default(none) shared(from, to, cols) \
    num_threads(hg_threads()) if (from->rows * cols > HG_PARALLEL_FROM)
  for (hg_off i = 0; i < from->rows; i++)
    memcpy(to->data + i * cols, from->data + i * cols, (size_t)cols * sizeof *to->data);
}

static hg_matrix halo_of_input(const hg_layer *layer)
{
  const hg_local_graph *g = layer->graph;
  return hg_matrix_rows(&layer->x, g->n_owned, g->n_local - g->n_owned);
}

void hg_recompute_keep(hg_layer *layer)
{
  if (!layer->halo.data) return;
  const hg_matrix halo = halo_of_input(layer);
  copy_rows(&halo, &layer->halo);
}

void hg_recompute_input(hg_layer *layer, const hg_pass *pass, hg_matrix *d_z)
{
  if (!layer->recomputes) return;
  copy_rows(d_z, &layer->xhat);
  d_z->data = layer->xhat.data;
  if (layer->index == 0) return;
  const hg_layer *below = layer - 1;
  hg_matrix x = hg_matrix_rows(&layer->x, 0, layer->graph->n_owned);
  hg_norm_again(&below->xhat, hg_layer_parameter(below, below->theta, "norm.weight").data,
                hg_layer_parameter(below, below->theta, "norm.bias").data, &x);
  hg_activate(below->activation, &x);
  hg_dropout_apply(hg_layer_dropout(layer, pass), layer->graph->ids, &x);
  if (!layer->halo.data) return;
  hg_matrix halo = halo_of_input(layer);
  copy_rows(&layer->halo, &halo);
}
