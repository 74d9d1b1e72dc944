/*
 * Geo-GCN, the spatial graph convolutional network (Danel et al., ICONIP 2020, arXiv 1909.05310):
 *     a_i[c,k] = sum over j of A_ij relu(u_ck (p_j - p_i) + b_ck) x_j[c],  h = activation(norm(a W + bias [+ x])),
 * with A as in GCN: `normalization: sum` is the paper's, and u = 0, b = 1 with `symmetric` is GCN. Features cross
 * between ranks with their own width, not with that times the filters; positions crossed once, when the graph was
 * placed; the first layer exchanges nothing. Gates are computed where they are used (core/tensor/geo.h), and where a
 * has many columns they are worked on in pieces: a piece of a is multiplied by its rows of W and forgotten, and
 * backward computes it again. So memory is nodes x 128 or so whatever channels x filters is.
 *
 * With covers (models/prereduced.h) this rank also computes rows of other ranks' z, of the sources that it owns; they
 * stand after the local rows of the graph, and their part of every gradient is found here.
 */
#include "core/tensor/geo.h"

#include "core/base/alloc.h"
#include "core/base/threads.h"
#include "core/tensor/gemm.h"
#include "models/layer.h"

typedef struct {
  hg_geo geo;
  hg_matrix weight;   // [geo.columns x f_out] in the order of a's columns
  hg_matrix d_weight; // [geo.columns x f_out] its gradient
  hg_matrix turned;   // [rows of u x dims] u under the pass's turn
} gates;

static int columns(const hg_layer *layer) { return hg_geo_columns(layer->f_in, layer->filters); }

static int piece_columns(const hg_layer *layer)
{
  return hg_geo_piece_columns(layer->f_in, layer->filters, layer->shared_filters);
}

// Where one piece is all, backward finds it in layer->s.
static bool keeps_sums(const hg_layer *layer) { return piece_columns(layer) == columns(layer); }

static int gate_rows(const hg_layer *layer)
{
  return layer->shared_filters ? layer->filters : layer->f_in * layer->filters;
}

static void plan(hg_layer *layer)
{
  int dims = layer->graph->n_dims, maps = layer->f_in * layer->filters, rows = gate_rows(layer);
  layer->aggregate_first = true;
  layer->product_width = piece_columns(layer);
  layer->weight_rows = piece_columns(layer);
  hg_layer_plan_parameter(layer, "gate.weight", rows, dims, hg_init_linear(dims));
  hg_layer_plan_parameter(layer, "gate.bias", 1, rows, hg_init_linear(dims));
  hg_layer_plan_parameter(layer, "weight", maps, layer->f_out, hg_init_linear(maps));
  hg_layer_plan_finish(layer);
}

static size_t bytes(const hg_layer *layer)
{
  const hg_local_graph *g = layer->graph;
  hg_off copied = hg_layer_copies_input(layer) ? (hg_off)g->n_local * layer->f_in : 0;
  hg_off sums = keeps_sums(layer) ? (hg_off)g->n_owned * columns(layer) : 0;
  hg_off weights = 2 * (hg_off)columns(layer) * layer->f_out, turned = (hg_off)gate_rows(layer) * g->n_dims;
  return (size_t)(copied + sums + weights + turned) * sizeof(hg_real) + sizeof(gates) +
         hg_geo_bytes(layer->f_in, layer->filters, g->n_dims, layer->shared_filters);
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
  HG_TRY(hg_matrix_create(&own->d_weight, own->geo.columns, layer->f_out, "gradients in the order of filters"));
  HG_TRY(hg_matrix_create(&own->turned, gate_rows(layer), g->n_dims, "turned gates"));
  if (hg_layer_copies_input(layer))
    HG_TRY(hg_matrix_create(&layer->x, g->n_local, layer->f_in, "features under dropout"));
  if (keeps_sums(layer)) HG_TRY(hg_matrix_create(&layer->s, g->n_owned, own->geo.columns, "aggregated inputs"));
done:
  return rc;
}

static hg_status create(hg_layer *layer)
{
  const hg_local_graph *g = layer->graph;
  hg_status rc = HG_OK;
  HG_TRY_ALL(g->world, "allocating a layer", create_alone(layer));
  if (layer->input) HG_TRY(hg_input_fetch_halo(layer->input, g));
  HG_TRY(hg_layer_create_exchanges(layer, layer->x, hg_layer_d_x(layer)));
done:
  return rc;
}

static void free_own(hg_layer *layer)
{
  gates *own = layer->own;
  hg_geo_free(&own->geo);
  hg_matrix_free(&own->weight);
  hg_matrix_free(&own->d_weight);
  hg_matrix_free(&own->turned);
  hg_free(&layer->own);
}

// one pass of the layer, for its pieces
typedef struct {
  const hg_layer *layer;
  const hg_pass *pass;
  hg_matrix x, z, *d_x; // z: before the activation; backward: its gradient
} message_task;

// rows for other ranks: after the local ones
static hg_off n_partial(const hg_layer *layer) { return layer->partial ? layer->partial->reduced->n_partial : 0; }

// room for the columns from `column` on: the sums, or their gradient
static hg_matrix piece_at(const hg_layer *layer, int column)
{
  int left = columns(layer) - column, width = left < piece_columns(layer) ? left : piece_columns(layer);
  return hg_matrix_view(layer->work->product, layer->graph->n_owned, width);
}

static hg_matrix partial_piece_at(const hg_layer *layer, int column)
{
  hg_matrix piece = piece_at(layer, column);
  return hg_matrix_view(piece.data, layer->graph->n_local + n_partial(layer), piece.cols);
}

static hg_matrix sums_at(const hg_layer *layer, int column)
{
  return keeps_sums(layer) ? layer->s : piece_at(layer, column);
}

static void sum_rows(const message_task *t, int column, hg_off first, hg_off n, hg_matrix *a)
{
  const hg_local_graph *g = t->layer->graph;
  const gates *own = t->layer->own;
  hg_geo_forward(&own->geo, &(hg_geo_piece){&g->forward, g->positions, first, n, column}, &t->x, a);
  hg_phases_lap(t->pass->phases, HG_PHASE_AGGREGATE);
}

static void forward_rows(void *context, hg_off first, hg_off n)
{
  message_task *t = context;
  const gates *own = t->layer->own;
  hg_matrix z = hg_matrix_rows(&t->z, first, n);
  for (int column = 0; column < columns(t->layer); column += piece_columns(t->layer)) {
    hg_matrix a = sums_at(t->layer, column), w = hg_matrix_rows(&own->weight, column, a.cols);
    sum_rows(t, column, first, n, &a);
    a = hg_matrix_rows(&a, first, n);
    hg_gemm(&a, &w, (hg_real)(column > 0), &z);
    if (t->layer->partial) hg_exchange_progress(t->layer->partial->push);
    hg_phases_lap(t->pass->phases, HG_PHASE_TRANSFORM);
  }
}

// the sums of rows for other ranks, [n_partial x ...]
static hg_matrix sum_partial_rows(const message_task *t, int column)
{
  hg_off first = t->layer->graph->n_local, n = n_partial(t->layer);
  hg_matrix a = partial_piece_at(t->layer, column);
  sum_rows(t, column, first, n, &a);
  return hg_matrix_rows(&a, first, n);
}

// They leave when all of them are made; those that others make are added in the end.
static void push_partial_rows(const message_task *t)
{
  const hg_layer *layer = t->layer;
  const gates *own = layer->own;
  if (!layer->partial) return;
  hg_matrix z = hg_partial_rows_here(layer->partial);
  for (int column = 0; column < columns(layer) && z.rows > 0; column += piece_columns(layer)) {
    hg_matrix a = sum_partial_rows(t, column), w = hg_matrix_rows(&own->weight, column, a.cols);
    hg_gemm(&a, &w, (hg_real)(column > 0), &z);
    hg_phases_lap(t->pass->phases, HG_PHASE_TRANSFORM);
  }
  hg_partial_rows_push(layer->partial);
  hg_phases_lap(t->pass->phases, HG_PHASE_EXCHANGE);
}

static void weight_gradient(const message_task *t, int column)
{
  const hg_layer *layer = t->layer;
  const gates *own = layer->own;
  hg_matrix a = sums_at(layer, column), d_w = hg_matrix_rows(&own->d_weight, column, a.cols);
  if (!keeps_sums(layer)) sum_rows(t, column, 0, layer->graph->n_owned, &a);
  hg_gemm_at(&a, &t->z, HG_ZEROS_KEPT, 0, &d_w, layer->work->scratch);
  if (n_partial(layer) == 0) return;
  hg_matrix more = sum_partial_rows(t, column), d_z = hg_partial_rows_here(layer->partial);
  hg_gemm_at(&more, &d_z, HG_ZEROS_KEPT, 1, &d_w, layer->work->scratch);
}

// d_a of the rows for other ranks, from the gradients that came back
static void partial_gradient(const message_task *t, int column, const hg_matrix *w)
{
  hg_off first = t->layer->graph->n_local, n = n_partial(t->layer);
  if (n == 0) return;
  hg_matrix all = partial_piece_at(t->layer, column), d_z = hg_partial_rows_here(t->layer->partial);
  hg_matrix d_a = hg_matrix_rows(&all, first, n);
  hg_gemm_bt(&d_z, w, 0, &d_a);
}

// d_a = d_z W' and the rows [first, first + n) of its transposed aggregation
static void backward_rows(const message_task *t, int column, hg_off first, hg_off n)
{
  const hg_local_graph *g = t->layer->graph;
  gates *own = t->layer->own;
  hg_matrix d_a = piece_at(t->layer, column), w = hg_matrix_rows(&own->weight, column, d_a.cols);
  hg_gemm_bt(&t->z, &w, 0, &d_a);
  if (first == 0) partial_gradient(t, column, &w); // halo nodes are in no row for others
  hg_phases_lap(t->pass->phases, HG_PHASE_TRANSFORM);
  hg_geo_backward(&own->geo, &(hg_geo_piece){&g->backward, g->positions, first, n, column}, &t->x, &d_a, t->d_x,
                  t->pass->d_positions);
  if (t->pass->d_positions && first == 0)
    hg_geo_backward_targets(&own->geo, &(hg_geo_piece){&g->forward, g->positions, 0, g->n_owned, column}, &t->x, &d_a,
                            t->pass->d_positions);
  if (t->pass->d_positions && first == 0 && n_partial(t->layer) > 0) {
    hg_matrix all = partial_piece_at(t->layer, column);
    hg_geo_backward_targets(&own->geo,
                            &(hg_geo_piece){&g->forward, g->positions, g->n_local, n_partial(t->layer), column}, &t->x,
                            &all, t->layer->partial->d_positions);
  }
  hg_phases_lap(t->pass->phases, HG_PHASE_AGGREGATE);
}

// What the relu below takes away at the halo's owners, where the rows that came are 0, need not cross.
static void leave_zeros(const message_task *t)
{
  const hg_local_graph *g = t->layer->graph;
  hg_off cols = t->x.cols, first = g->n_owned * cols, end = g->n_local * cols;
  if (!t->layer->packing.skip_zeros) return;
#pragma omp parallel for simd schedule(static) default(none) shared(t, first, end) num_threads(hg_threads())
  for (hg_off e = first; e < end; e++) t->d_x->data[e] = t->x.data[e] == 0 ? 0 : t->d_x->data[e];
}

// The halo's rows first: they travel while those of the owned nodes are computed.
static void backward_pieces(const message_task *t)
{
  const hg_layer *layer = t->layer;
  const hg_local_graph *g = layer->graph;
  hg_off owned = layer->add ? g->n_owned : g->n_local;
  int step = piece_columns(layer);
  if (layer->partial) hg_partial_rows_pull(layer->partial, &t->z);
  if (layer->add) {
    for (int column = 0; column < columns(layer); column += step) {
      backward_rows(t, column, g->n_owned, g->n_local - g->n_owned);
      if (layer->partial) hg_exchange_progress(layer->partial->pull);
    }
    leave_zeros(t);
    hg_exchange_begin(layer->add);
    hg_phases_lap(t->pass->phases, HG_PHASE_EXCHANGE);
  }
  if (layer->partial) hg_exchange_end(layer->partial->pull);
  for (int column = 0; column < columns(layer); column += step) {
    weight_gradient(t, column);
    backward_rows(t, column, 0, owned);
    if (layer->add) hg_exchange_progress(layer->add);
  }
  if (layer->add) hg_exchange_end(layer->add);
  hg_phases_lap(t->pass->phases, HG_PHASE_EXCHANGE);
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
  message_task task = {.layer = layer, .pass = pass, .x = hg_layer_input(layer), .z = z};
  hg_geo_set_gates(&own->geo, turn_gates(&u, pass->turn, &own->turned),
                   hg_layer_parameter(layer, layer->theta, "gate.bias").data);
  hg_geo_arrange(&own->geo, &w, &own->weight);
  push_partial_rows(&task);
  hg_aggregate_with(g, layer->fill, forward_rows, &task, pass->phases);
  hg_phases_lap(pass->phases, HG_PHASE_AGGREGATE);
  if (layer->partial) hg_partial_rows_add(layer->partial, &task.z);
  hg_phases_lap(pass->phases, HG_PHASE_EXCHANGE);
  hg_layer_finish(layer, pass);
}

// d_W = a' d_z and d_a = d_z W'; the gates' gradients and d_x from d_a over the transposed edges
static void backward(hg_layer *layer, const hg_pass *pass, hg_matrix *d_h, hg_matrix *d_x)
{
  const hg_local_graph *g = layer->graph;
  gates *own = layer->own;
  hg_matrix d_u = hg_layer_parameter(layer, layer->d_theta, "gate.weight");
  hg_matrix d_w = hg_layer_parameter(layer, layer->d_theta, "weight");
  message_task task = {.layer = layer, .pass = pass, .x = hg_layer_input(layer), .d_x = d_x};
  hg_layer_finish_gradient(layer, pass, d_h); // d_h is d_z from here on
  task.z = *d_h;
  backward_pieces(&task);
  hg_geo_restore(&own->geo, &own->d_weight, &d_w);
  hg_geo_take_gradients(&own->geo, &d_u, hg_layer_parameter(layer, layer->d_theta, "gate.bias").data);
  turn_gradient_back(&d_u, pass->turn);
  hg_phases_lap(pass->phases, HG_PHASE_AGGREGATE);
  if (!d_x->data) return; // the first layer
  hg_matrix owned = hg_matrix_rows(d_x, 0, g->n_owned);
  hg_layer_pass_rows(&(hg_layer_task){.layer = layer, .pass = pass, .d_z = d_h, .d_x = &owned}, 0, g->n_owned, &owned);
  hg_phases_lap(pass->phases, HG_PHASE_ELEMENTWISE);
}

const hg_layer_type hg_layer_geogcn = {.name = "geogcn",
                                       .help = "spatial graph convolution (Danel et al. 2020)",
                                       .needs_positions = true,
                                       .reduces = true,
                                       .plan = plan,
                                       .bytes = bytes,
                                       .create = create,
                                       .forward = forward,
                                       .backward = backward,
                                       .free_own = free_own};
