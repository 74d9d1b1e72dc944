/*
 * Dense layer: h = activation(norm(z + bias [+ x])), z = x W, row by row. The baseline that knows nothing of edges, and
 * what the head of a graph-level model is made of. Exchanges nothing and never reads a halo row.
 */
#include <string.h>

#include "core/base/alloc.h"
#include "core/tensor/gemm.h"
#include "models/skip_products.h"

static bool is_sparse(const hg_layer *layer) { return layer->input && !layer->input->is_dense; }

static void plan(hg_layer *layer)
{
  layer->product_width = is_sparse(layer) ? layer->f_out : 0;
  layer->weight_rows = is_sparse(layer) ? 0 : layer->f_in;
  hg_layer_plan_parameter(layer, "weight", layer->f_in, layer->f_out, hg_init_glorot(layer->f_in, layer->f_out));
  hg_layer_plan_finish(layer);
}

static size_t bytes(const hg_layer *layer)
{
  hg_off rows = hg_layer_copies_input(layer) ? layer->graph->n_owned : 0;
  return (size_t)rows * (size_t)layer->f_in * sizeof(hg_real);
}

static hg_status create(hg_layer *layer)
{
  const hg_local_graph *g = layer->graph;
  hg_status rc = HG_OK;
  if (hg_layer_copies_input(layer)) rc = hg_matrix_create(&layer->x, g->n_owned, layer->f_in, "features under dropout");
  return hg_agree(g->world, rc, "allocating a layer");
}

static void forward(hg_layer *layer, const hg_pass *pass)
{
  hg_off n = layer->graph->n_owned;
  hg_matrix w = hg_layer_parameter(layer, layer->theta, "weight"), z = hg_matrix_rows(hg_layer_z(layer), 0, n);
  hg_layer_task finish = {.layer = layer, .pass = pass};
  hg_layer_drop_input(layer, pass, n);
  const hg_operator features = {.a = is_sparse(layer) ? &layer->input->sparse : NULL};
  const hg_right_side side =
      is_sparse(layer) ? (hg_right_side){0} : hg_layer_right_side(layer, &w, false, layer->work->packed);
  const hg_forward_blocks blocks = {.blocks = layer->work->blocks,
                                    .op = is_sparse(layer) ? &features : NULL,
                                    .x = is_sparse(layer) ? w : hg_layer_input(layer),
                                    .w = is_sparse(layer) ? NULL : &side,
                                    .y = z,
                                    .finish = hg_layer_finish_rows,
                                    .context = &finish,
                                    .phases = pass->phases};
  hg_blocks_forward(&blocks, 0, n);
  hg_layer_finish_all(layer, pass);
}

// d_W = x' d_z; the transposed sparse features have columns for halo nodes too, whose d_z is 0 here
static void weight_gradient(hg_layer *layer, const hg_matrix *d_z)
{
  const hg_local_graph *g = layer->graph;
  hg_matrix d_w = hg_layer_parameter(layer, layer->d_theta, "weight");
  if (is_sparse(layer)) {
    size_t row = (size_t)layer->f_out * sizeof(hg_real), owned = (size_t)g->n_owned * row;
    hg_matrix padded = hg_matrix_view(layer->work->product, g->n_local, layer->f_out);
    memcpy(padded.data, d_z->data, owned);
    memset((char *)padded.data + owned, 0, (size_t)g->n_local * row - owned);
    hg_spmm(&(hg_operator){.a = &layer->input->transposed}, 0, layer->f_in, &padded, &d_w);
  } else {
    const hg_matrix input = hg_layer_input(layer);
    const hg_spans rows = hg_spans_all(g->n_owned);
    hg_layer_gemm_at(layer, &rows, &input, d_z, hg_zeros_of_output(layer), &d_w);
  }
}

// d_W = x' d_z and d_x = d_z W', block by block
static void backward(hg_layer *layer, const hg_pass *pass, hg_matrix *d_h, hg_matrix *d_x)
{
  hg_layer_task down = {.layer = layer, .pass = pass, .d_z = d_h, .d_x = d_x};
  hg_layer_finish_gradient(layer, pass, d_h); // d_h is d_z from here on
  if (!d_x->data) {                           // the first layer
    weight_gradient(layer, d_h);
    hg_phases_lap(pass->phases, HG_PHASE_TRANSFORM);
    return;
  }
  hg_backward_blocks blocks = {.blocks = layer->work->blocks,
                               .d = *d_h,
                               .x = layer->x,
                               .pass = hg_layer_pass_rows,
                               .context = &down,
                               .phases = pass->phases};
  hg_layer_products_gradient(layer, &blocks, pass);
}

const hg_layer_type hg_layer_mlp = {.name = "mlp",
                                    .help = "dense layer without neighbours, the baseline",
                                    .local = true,
                                    .in_place = true,
                                    .can_round = true,
                                    .plan = plan,
                                    .bytes = bytes,
                                    .create = create,
                                    .forward = forward,
                                    .backward = backward};
