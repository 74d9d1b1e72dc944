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

// Of some rows: d_z to where xhat was, and the output of the layer before from its xhat.
static void again_rows(hg_layer *layer, const hg_pass *pass, const hg_matrix *d_z, hg_off first, hg_off n)
{
  const hg_matrix d = hg_matrix_rows(d_z, first, n);
  hg_matrix xhat = hg_matrix_rows(&layer->xhat, first, n);
  if (d.cols > 0) memcpy(xhat.data, d.data, (size_t)(n * d.cols) * sizeof *d.data);
  if (layer->index == 0) return;
  const hg_layer *below = layer - 1;
  const hg_matrix of_below = hg_matrix_rows(&below->xhat, first, n);
  hg_matrix x = hg_matrix_rows(&layer->x, first, n);
  hg_norm_again(&of_below, hg_layer_parameter(below, below->theta, "norm.weight").data,
                hg_layer_parameter(below, below->theta, "norm.bias").data, &x);
  hg_activate(below->activation, &x);
  hg_dropout_apply(hg_layer_dropout(layer, pass), layer->graph->ids + first, &x);
}

// block by block, so that rows stay in cache from step to step
void hg_recompute_input(hg_layer *layer, const hg_pass *pass, hg_matrix *d_z)
{
  if (!layer->recomputes) return;
  hg_off rows = d_z->rows, work = rows * d_z->cols;
#pragma omp parallel for schedule(static) default(none) shared(layer, pass, d_z, rows) \
    num_threads(hg_threads()) if (work > HG_PARALLEL_FROM)
  for (hg_off first = 0; first < rows; first += HG_BLOCK_ROWS)
    again_rows(layer, pass, d_z, first, hg_block_rows(rows - first));
  d_z->data = layer->xhat.data;
  if (!layer->halo.data) return;
  hg_matrix halo = halo_of_input(layer);
  copy_rows(&layer->halo, &halo);
}
