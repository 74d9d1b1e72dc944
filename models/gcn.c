/*
 * Graph convolution (Kipf and Welling 2017, eq. 2): h = activation(norm(A x W + b [+ x])), A = D^-1/2 (I + adjacency)
 * D^-1/2. The narrower side is aggregated and exchanged (ALGORITHMS A.3): A (x W) when f_out <= f_in, else (A x) W. In
 * the first layer the halo's features are here already, so it exchanges nothing, in neither direction: weight gradients
 * are sums over ranks anyway, so each rank keeps its share of its halo's rows. Bytes exchanged in a later layer: halo
 * nodes x min(f_in, f_out) reals, forward and backward.
 */
#include "core/base/alloc.h"
#include "core/tensor/gemm.h"
#include "models/layer.h"

static bool is_sparse(const hg_layer *layer) { return layer->input && !layer->input->is_dense; }

static void plan(hg_layer *layer)
{
  layer->cached = layer->input && !layer->input->varies && !is_sparse(layer) && layer->dropout <= 0;
  layer->aggregate_first = layer->cached || (!is_sparse(layer) && layer->f_out > layer->f_in);
  layer->product_width = !layer->aggregate_first ? layer->f_out : layer->index ? layer->f_in : 0;
  layer->weight_rows = is_sparse(layer) ? 0 : layer->f_in;
  hg_layer_plan_parameter(layer, "weight", layer->f_in, layer->f_out, hg_init_glorot(layer->f_in, layer->f_out));
  hg_layer_plan_finish(layer);
}

// x W on owned rows, and on halo rows in the first layer
static hg_off product_rows(const hg_layer *layer)
{
  return layer->input ? layer->graph->n_local : layer->graph->n_owned;
}

static hg_matrix product(const hg_layer *layer)
{
  return hg_matrix_view(layer->work->product, layer->graph->n_local, layer->f_out);
}

static size_t bytes(const hg_layer *layer)
{
  const hg_local_graph *g = layer->graph;
  hg_off rows = (hg_layer_copies_input(layer) ? g->n_local : 0) + (layer->aggregate_first ? g->n_owned : 0);
  return (size_t)rows * (size_t)layer->f_in * sizeof(hg_real);
}

static hg_status create_alone(hg_layer *layer)
{
  const hg_local_graph *g = layer->graph;
  hg_status rc = HG_OK;
  if (hg_layer_copies_input(layer))
    HG_TRY(hg_matrix_create(&layer->x, g->n_local, layer->f_in, "features under dropout"));
  if (layer->aggregate_first) HG_TRY(hg_matrix_create(&layer->s, g->n_owned, layer->f_in, "aggregated inputs"));
done:
  return rc;
}

static hg_status create(hg_layer *layer)
{
  const hg_local_graph *g = layer->graph;
  hg_status rc = HG_OK;
  HG_TRY_ALL(g->world, "allocating a layer", create_alone(layer));
  if (layer->cached) {
    hg_phases unused;
    hg_phases_start(&unused);
    hg_aggregate(g, NULL, &layer->input->dense, &layer->s, &unused);
    hg_matrix_free(&layer->input->dense); // only its aggregate is ever needed
  }
  if (layer->aggregate_first)
    HG_TRY(hg_layer_create_exchanges(layer, layer->x, hg_layer_d_x(layer)));
  else
    HG_TRY(hg_layer_create_exchanges(layer, product(layer), product(layer)));
done:
  return rc;
}

// t = x W
static void transform(hg_layer *layer, hg_matrix *t)
{
  hg_matrix w = hg_layer_parameter(layer, layer->theta, "weight");
  hg_off rows = product_rows(layer);
  if (is_sparse(layer)) {
    hg_csr x = layer->input->sparse;
    x.values = layer->input->dropped;
    hg_spmm(&(hg_operator){.a = &x}, 0, rows, &w, t);
    return;
  }
  hg_matrix input = hg_layer_input(layer), x = hg_matrix_rows(&input, 0, rows), out = hg_matrix_rows(t, 0, rows);
  hg_gemm(&x, &w, 0, &out);
}

// z = (A x) W for the rows that are asked for
typedef struct {
  const hg_operator *op;
  hg_matrix x, s, w, z;
  hg_phases *phases;
} sum_task;

static void sum_rows(void *context, hg_off first, hg_off n)
{
  sum_task *t = context;
  hg_matrix s = hg_matrix_rows(&t->s, first, n), z = hg_matrix_rows(&t->z, first, n);
  hg_spmm(t->op, first, n, &t->x, &t->s);
  hg_phases_lap(t->phases, HG_PHASE_AGGREGATE);
  hg_gemm(&s, &t->w, 0, &z);
  hg_phases_lap(t->phases, HG_PHASE_TRANSFORM);
}

static void forward(hg_layer *layer, const hg_pass *pass)
{
  const hg_local_graph *g = layer->graph;
  hg_matrix z = hg_matrix_rows(hg_layer_z(layer), 0, g->n_owned);
  if (!layer->cached) hg_layer_drop_input(layer, pass, product_rows(layer));
  hg_matrix w = hg_layer_parameter(layer, layer->theta, "weight");
  if (layer->cached) {
    hg_gemm(&layer->s, &w, 0, &z);
    hg_phases_lap(pass->phases, HG_PHASE_TRANSFORM);
  } else if (layer->aggregate_first) {
    sum_task task = {&g->forward, hg_layer_input(layer), layer->s, w, z, pass->phases};
    hg_aggregate_with(g, layer->fill, sum_rows, &task, pass->phases);
  } else {
    hg_matrix t = product(layer);
    transform(layer, &t);
    hg_phases_lap(pass->phases, HG_PHASE_TRANSFORM);
    hg_aggregate(g, layer->fill, &t, &z, pass->phases);
  }
  if (layer->residual) hg_layer_add_residual(&layer->x, g->n_owned, &z);
  hg_layer_finish(layer, pass);
}

// d_w = x' d_t
static void weight_gradient(hg_layer *layer, const hg_matrix *d_t)
{
  hg_matrix d_w = hg_layer_parameter(layer, layer->d_theta, "weight");
  if (is_sparse(layer)) {
    hg_spmm(&(hg_operator){.a = &layer->input->transposed}, 0, layer->f_in, d_t, &d_w);
    return;
  }
  hg_off rows = product_rows(layer);
  hg_matrix input = hg_layer_input(layer), x = hg_matrix_rows(&input, 0, rows), d = hg_matrix_rows(d_t, 0, rows);
  hg_gemm_at(&x, &d, 0, &d_w, layer->work->scratch);
}

// z = (A x) W: d_W = s' d_z, d_s = d_z W', d_x = A' d_s
static void backward_aggregate_first(hg_layer *layer, const hg_pass *pass, const hg_matrix *d_z, hg_matrix *d_x)
{
  const hg_local_graph *g = layer->graph;
  hg_matrix w = hg_layer_parameter(layer, layer->theta, "weight"),
            d_w = hg_layer_parameter(layer, layer->d_theta, "weight");
  hg_gemm_at(&layer->s, d_z, 0, &d_w, layer->work->scratch);
  hg_phases_lap(pass->phases, HG_PHASE_TRANSFORM);
  if (!d_x->data) return;
  hg_matrix d_s = hg_matrix_view(layer->work->product, g->n_owned, layer->f_in);
  hg_gemm_bt(d_z, &w, 0, &d_s);
  hg_phases_lap(pass->phases, HG_PHASE_TRANSFORM);
  hg_aggregate_gradient(g, layer->add, &d_s, d_x, pass->phases);
}

// z = A (x W): d_t = A' d_z, d_W = x' d_t, d_x = d_t W'
static void backward_transform_first(hg_layer *layer, const hg_pass *pass, const hg_matrix *d_z, hg_matrix *d_x)
{
  const hg_local_graph *g = layer->graph;
  hg_matrix w = hg_layer_parameter(layer, layer->theta, "weight"), d_t = product(layer);
  hg_aggregate_gradient(g, layer->add, d_z, &d_t, pass->phases);
  weight_gradient(layer, &d_t);
  if (d_x->data) {
    hg_matrix owned = hg_matrix_rows(&d_t, 0, g->n_owned), out = hg_matrix_rows(d_x, 0, g->n_owned);
    hg_gemm_bt(&owned, &w, 0, &out);
  }
  hg_phases_lap(pass->phases, HG_PHASE_TRANSFORM);
}

static void backward(hg_layer *layer, const hg_pass *pass, hg_matrix *d_h, hg_matrix *d_x)
{
  hg_layer_finish_gradient(layer, pass, d_h);
  if (layer->aggregate_first)
    backward_aggregate_first(layer, pass, d_h, d_x);
  else
    backward_transform_first(layer, pass, d_h, d_x);
  if (!d_x->data) return;
  hg_matrix owned = hg_matrix_rows(d_x, 0, layer->graph->n_owned);
  if (layer->residual) hg_layer_add_residual(d_h, layer->graph->n_owned, &owned);
  hg_dropout_apply(hg_layer_dropout(layer, pass), layer->graph->ids, &owned);
  hg_phases_lap(pass->phases, HG_PHASE_ELEMENTWISE);
}

const hg_layer_type hg_layer_gcn = {.name = "gcn",
                                    .help = "graph convolution (Kipf and Welling 2017)",
                                    .plan = plan,
                                    .bytes = bytes,
                                    .create = create,
                                    .forward = forward,
                                    .backward = backward};
