/*
 * Geo-GCN, the spatial graph convolutional network (Danel et al., ICONIP 2020, arXiv 1909.05310):
 *     a_i[c,k] = sum over j of A_ij relu(u_ck (p_j - p_i) + b_ck) x_j[c],  h = activation(norm(a W + bias [+ x])),
 * with A as in GCN: `normalization: sum` is the paper's, and u = 0, b = 1 with `symmetric` is GCN. Features cross
 * between ranks with their own width, not with that times the filters; positions crossed once, when the graph was
 * placed; the first layer exchanges nothing. Gates are computed where they are used (core/tensor/geo.h).
 */
#include "core/tensor/geo.h"

#include "core/base/alloc.h"
#include "core/tensor/gemm.h"
#include "models/layer.h"

typedef struct {
  hg_geo geo;
  hg_matrix weight; // [geo.columns x f_out] in the order of a's columns: the weights, and then their gradient
  hg_matrix turned; // [rows of u x dims] u under the pass's turn
} gates;

static int columns(const hg_layer *layer) { return hg_geo_columns(layer->f_in, layer->filters); }

static int gate_rows(const hg_layer *layer)
{
  return layer->shared_filters ? layer->filters : layer->f_in * layer->filters;
}

static void plan(hg_layer *layer)
{
  int dims = layer->graph->n_dims, maps = layer->f_in * layer->filters, rows = gate_rows(layer);
  layer->aggregate_first = true;
  layer->product_width = columns(layer);
  layer->weight_rows = columns(layer);
  hg_layer_plan_parameter(layer, "gate.weight", rows, dims, hg_init_linear(dims));
  hg_layer_plan_parameter(layer, "gate.bias", 1, rows, hg_init_linear(dims));
  hg_layer_plan_parameter(layer, "weight", maps, layer->f_out, hg_init_linear(maps));
  hg_layer_plan_finish(layer);
}

static size_t bytes(const hg_layer *layer)
{
  const hg_local_graph *g = layer->graph;
  hg_off copied = hg_layer_copies_input(layer) ? (hg_off)g->n_local * layer->f_in : 0;
  hg_off sums = (hg_off)g->n_owned * columns(layer), weight = (hg_off)columns(layer) * layer->f_out;
  hg_off turned = (hg_off)gate_rows(layer) * g->n_dims;
  return (size_t)(copied + sums + weight + turned) * sizeof(hg_real) + sizeof(gates) +
         hg_geo_bytes(layer->f_in, layer->filters, g->n_dims);
}

static hg_status create_alone(hg_layer *layer)
{
  const hg_local_graph *g = layer->graph;
  gates *own = NULL;
  hg_status rc = HG_OK;
  HG_TRY(HG_ALLOC(own, 1, "gates"));
  layer->own = own;
  HG_TRY(hg_geo_create(&own->geo, layer->f_in, layer->filters, g->n_dims, layer->shared_filters));
  HG_TRY(hg_matrix_create(&own->weight, own->geo.columns, layer->f_out, "weights in the order of filters"));
  HG_TRY(hg_matrix_create(&own->turned, gate_rows(layer), g->n_dims, "turned gates"));
  if (hg_layer_copies_input(layer))
    HG_TRY(hg_matrix_create(&layer->x, g->n_local, layer->f_in, "features under dropout"));
  HG_TRY(hg_matrix_create(&layer->s, g->n_owned, own->geo.columns, "aggregated inputs"));
done:
  return rc;
}

static hg_status create(hg_layer *layer)
{
  const hg_local_graph *g = layer->graph;
  hg_status rc = HG_OK;
  HG_TRY_ALL(g->world, "allocating a layer", create_alone(layer));
  HG_TRY(hg_layer_create_exchanges(layer, layer->x, hg_layer_d_x(layer)));
done:
  return rc;
}

static void free_own(hg_layer *layer)
{
  gates *own = layer->own;
  hg_geo_free(&own->geo);
  hg_matrix_free(&own->weight);
  hg_matrix_free(&own->turned);
  hg_free(&layer->own);
}

// one direction of the aggregation, for the rows that are asked for
typedef struct {
  const hg_layer *layer;
  hg_matrix x, a; // forward: a is written; backward: a is its gradient
  hg_matrix z;    // forward
  hg_matrix *d_x; // backward
  hg_phases *phases;
} message_task;

// a, and from it z: the product of the interior rows hides the exchange too
static void forward_rows(void *context, hg_off first, hg_off n)
{
  message_task *t = context;
  const hg_local_graph *g = t->layer->graph;
  const gates *own = t->layer->own;
  hg_geo_forward(&own->geo, &g->forward, g->positions, first, n, &t->x, &t->a);
  hg_phases_lap(t->phases, HG_PHASE_AGGREGATE);
  hg_matrix a = hg_matrix_rows(&t->a, first, n), z = hg_matrix_rows(&t->z, first, n);
  hg_gemm(&a, &own->weight, 0, &z);
  hg_phases_lap(t->phases, HG_PHASE_TRANSFORM);
}

static void backward_rows(void *context, hg_off first, hg_off n)
{
  message_task *t = context;
  const hg_local_graph *g = t->layer->graph;
  gates *own = t->layer->own;
  hg_geo_backward(&own->geo, &g->backward, g->positions, first, n, &t->x, &t->a, t->d_x);
}

// Where all nodes are turned alike, u (T p) = (u T) p: the gates turn, the positions stay.
static const hg_matrix *turn_gates(const hg_matrix *u, const hg_real *turn, hg_matrix *turned)
{
  if (!turn) return u;
  for (hg_off r = 0; r < u->rows; r++) {
    for (int k = 0; k < u->cols; k++) {
      double sum = 0;
      for (int d = 0; d < u->cols; d++) sum += (double)u->data[r * u->cols + d] * (double)turn[d * u->cols + k];
      turned->data[r * u->cols + k] = (hg_real)sum;
    }
  }
  return turned;
}

// from the gradient of u T, which is in d_u, that of u: times T'
static void turn_gradient_back(hg_matrix *d_u, const hg_real *turn)
{
  if (!turn) return;
  for (hg_off r = 0; r < d_u->rows; r++) {
    hg_real *row = d_u->data + r * d_u->cols;
    double back[HG_GEO_DIMS] = {0};
    for (int d = 0; d < d_u->cols; d++)
      for (int k = 0; k < d_u->cols; k++) back[d] += (double)row[k] * (double)turn[d * d_u->cols + k];
    for (int d = 0; d < d_u->cols; d++) row[d] = (hg_real)back[d];
  }
}

static void forward(hg_layer *layer, const hg_pass *pass)
{
  const hg_local_graph *g = layer->graph;
  gates *own = layer->own;
  hg_matrix u = hg_layer_parameter(layer, layer->theta, "gate.weight");
  hg_matrix w = hg_layer_parameter(layer, layer->theta, "weight");
  hg_matrix z = hg_matrix_rows(hg_layer_z(layer), 0, g->n_owned);
  hg_layer_drop_input(layer, pass, layer->input ? g->n_local : g->n_owned);
  message_task task = {.layer = layer, .x = hg_layer_input(layer), .a = layer->s, .z = z, .phases = pass->phases};
  hg_geo_set_gates(&own->geo, turn_gates(&u, pass->turn, &own->turned),
                   hg_layer_parameter(layer, layer->theta, "gate.bias").data);
  hg_geo_arrange(&own->geo, &w, &own->weight);
  hg_aggregate_with(g, layer->fill, forward_rows, &task, pass->phases);
  if (layer->residual) hg_layer_add_residual(&layer->x, g->n_owned, &z);
  hg_layer_finish(layer, pass);
}

// d_a = d_z W', d_W = a' d_z; then the gates' gradients and d_x from d_a over the transposed edges
static void backward(hg_layer *layer, const hg_pass *pass, hg_matrix *d_h, hg_matrix *d_x)
{
  const hg_local_graph *g = layer->graph;
  gates *own = layer->own;
  hg_matrix d_u = hg_layer_parameter(layer, layer->d_theta, "gate.weight");
  hg_matrix d_w = hg_layer_parameter(layer, layer->d_theta, "weight");
  message_task task = {.layer = layer, .x = hg_layer_input(layer), .d_x = d_x};
  task.a = hg_matrix_view(layer->work->product, g->n_owned, own->geo.columns);
  hg_layer_finish_gradient(layer, pass, d_h); // d_h is d_z from here on
  hg_gemm_bt(d_h, &own->weight, 0, &task.a);
  hg_gemm_at(&layer->s, d_h, 0, &own->weight, layer->work->scratch);
  hg_geo_restore(&own->geo, &own->weight, &d_w);
  hg_phases_lap(pass->phases, HG_PHASE_TRANSFORM);
  hg_aggregate_gradient_with(g, layer->add, backward_rows, &task, pass->phases);
  hg_geo_take_gradients(&own->geo, &d_u, hg_layer_parameter(layer, layer->d_theta, "gate.bias").data);
  turn_gradient_back(&d_u, pass->turn);
  hg_phases_lap(pass->phases, HG_PHASE_AGGREGATE);
  if (!d_x->data) return; // the first layer
  hg_matrix owned = hg_matrix_rows(d_x, 0, g->n_owned);
  if (layer->residual) hg_layer_add_residual(d_h, g->n_owned, &owned);
  hg_dropout_apply(hg_layer_dropout(layer, pass), g->ids, &owned);
  hg_phases_lap(pass->phases, HG_PHASE_ELEMENTWISE);
}

const hg_layer_type hg_layer_geogcn = {.name = "geogcn",
                                       .help = "spatial graph convolution (Danel et al. 2020)",
                                       .needs_positions = true,
                                       .plan = plan,
                                       .bytes = bytes,
                                       .create = create,
                                       .forward = forward,
                                       .backward = backward,
                                       .free_own = free_own};
