/*
 * Graph convolution (Kipf and Welling 2017, eq. 2): h = activation(norm(A x W + b [+ x])), A = D^-1/2 (I + adjacency)
 * D^-1/2. The narrower side is aggregated and exchanged (ALGORITHMS A.3), in one of three ways:
 *   narrow   A (x W) when f_out < f_in: t = x W is stored, d_t = A' d_z, d_W = x' d_t, d_x = d_t W'
 *   even     (A x) W when f_out = f_in: neither A x nor A' d_z is stored; blocks of their rows are made, used and
 *            forgotten (models/blocks.h). Rows of the halo's x are here, so d_W needs no exchange
 *   wide     (A x) W when f_out > f_in: s = A x is kept, d_W = s' d_z, d_x = A' (d_z W')
 * In the first layer the halo's features are here already, so it exchanges nothing, in neither direction: weight
 * gradients are sums over ranks anyway, so each rank keeps its share of its halo's rows. Where it computes its output
 * on the halo's rows too, the second layer is as well off (models/compute_first.h). Bytes exchanged in a later
 * layer: halo nodes x min(f_in, f_out) reals, forward and backward.
 * Hidden rows may be no matrices: with two layers they stream (models/streamed.h), with more and on one rank they are
 * thin (models/thin.h).
 * Where the graph has slabs (models/slabs.h), every product with A is made by columns instead, the first layer's too;
 * all layers then store what came of it, and no layer knows a halo.
 * A layer that rounds keeps a copy in bfloat16 of what it aggregates: x, or x W, and on the way back what A' meets. The
 * exchange is of reals, and the halo's rows are rounded when they are here.
 */
#include <string.h>

#include "core/base/alloc.h"
#include "core/base/threads.h"
#include "core/tensor/gemm.h"
#include "models/skip_products.h"
#include "models/streamed.h"
#include "models/thin.h"

static bool is_sparse(const hg_layer *layer) { return layer->input && !layer->input->is_dense; }

// whether A x is made and used block by block, forward, and A' d_z backward
static bool is_even(const hg_layer *layer) { return layer->index > 0 && layer->f_in == layer->f_out; }

// whether s = A x is kept for the weight gradient
static bool keeps_sums(const hg_layer *layer) { return layer->aggregate_first && !is_even(layer); }

static void plan(hg_layer *layer)
{
  bool turns = layer->graph && layer->graph->slabs; // planned for its parameters alone it stands on no graph
  layer->cached = layer->input && !layer->input->varies && !is_sparse(layer) && layer->dropout <= 0;
  layer->aggregate_first = layer->cached || is_even(layer) || (!is_sparse(layer) && layer->f_out > layer->f_in);
  layer->product_width = !layer->aggregate_first                      ? layer->f_out
                         : layer->index && (turns || !is_even(layer)) ? layer->f_in
                                                                      : 0;
  layer->keeps_columns = turns && layer->input && !layer->cached && !layer->input->varies && layer->aggregate_first &&
                         hg_grid_aligns(layer->f_in, layer->graph->slabs->grid.columns);
  if (turns && !layer->cached) layer->turned_width = layer->aggregate_first ? layer->f_in : layer->f_out;
  layer->weight_rows = is_sparse(layer) ? 0 : layer->f_in;
  if (layer->rounds && !layer->cached) layer->rounded_width = layer->aggregate_first ? layer->f_in : layer->f_out;
  hg_layer_plan_parameter(layer, "weight", layer->f_in, layer->f_out, hg_init_glorot(layer->f_in, layer->f_out));
  hg_layer_plan_finish(layer);
}

// x W on owned rows, and on halo rows where they are here
static hg_off product_rows(const hg_layer *layer)
{
  return hg_layer_has_halo(layer) ? layer->graph->n_local : layer->graph->n_owned;
}

static hg_matrix product(const hg_layer *layer)
{
  return hg_matrix_view(layer->work->product, layer->graph->n_local, layer->f_out);
}

static size_t bytes(const hg_layer *layer)
{
  const hg_local_graph *g = layer->graph;
  hg_off rows = (hg_layer_copies_input(layer) ? g->n_local : 0) + (keeps_sums(layer) ? hg_layer_rows(layer) : 0);
  size_t kept = layer->keeps_columns ? hg_slabs_columns_bytes(g->slabs, layer->f_in) : 0;
  return kept + hg_streamed_bytes(layer) + hg_thin_bytes(layer) + (size_t)rows * (size_t)layer->f_in * sizeof(hg_real);
}

// whether A x shall stand where x stood: then no rows of a halo are there
static bool sums_in_place(const hg_layer *layer)
{
  const hg_local_graph *g = layer->graph;
  return layer->cached && !g->slabs && !layer->computes_halo && layer->input->dense.rows == g->n_owned;
}

static hg_status create_alone(hg_layer *layer)
{
  const hg_local_graph *g = layer->graph;
  hg_status rc = HG_OK;
  if (hg_layer_copies_input(layer))
    HG_TRY(hg_matrix_create(&layer->x, g->n_local, layer->f_in, "features under dropout"));
  if (keeps_sums(layer) && !sums_in_place(layer))
    HG_TRY(hg_matrix_create(&layer->s, hg_layer_rows(layer), layer->f_in, "aggregated inputs"));
  HG_TRY(hg_streamed_create(layer));
  HG_TRY(hg_thin_create(layer));
done:
  return rc;
}

// columns [first, first + n) of x to the first ones of `part`, or from there
static void copy_columns(hg_matrix *x, int first, int n, hg_matrix *part, bool back)
{
#pragma omp parallel for schedule(static) default(none) shared(x, first, n, part, back) num_threads(hg_threads())
  for (hg_off i = 0; i < x->rows; i++) {
    hg_real *in = x->data + i * x->cols + first, *out = part->data + i * part->cols;
    memcpy(back ? in : out, back ? out : in, (size_t)n * sizeof *in);
  }
}

// The sums of some columns to `from`, and their owners' to its halo rows. Collective.
static void fetch_sums(hg_exchange *exchange, hg_matrix *from, const hg_matrix *to)
{
  if (to->rows > 0) memcpy(from->data, to->data, (size_t)(to->rows * to->cols) * sizeof *to->data);
  if (exchange) {
    hg_exchange_begin(exchange);
    hg_exchange_end(exchange);
  }
}

// x = A x, some columns at a time, of which the halo's are fetched and forgotten. `halo`, the same on all ranks: x has
// rows of the halo too, which become their owners'. Collective.
static hg_status aggregate_in_place(const hg_local_graph *g, hg_matrix *x, bool halo)
{
  hg_exchange *exchange = NULL;
  hg_matrix from = {0}, to = {0};
  hg_phases unused;
  hg_status rc = HG_OK;
  int width = x->cols < HG_PANEL_COLUMNS ? x->cols : HG_PANEL_COLUMNS;
  hg_phases_start(&unused);
  HG_TRY_ALL(g->world, "aggregating features", hg_matrix_create(&from, g->n_local, width, "columns to aggregate"));
  HG_TRY_ALL(g->world, "aggregating features", hg_matrix_create(&to, g->n_owned, width, "aggregated columns"));
  if (g->links) HG_TRY(hg_exchange_create(&exchange, g->world, g->links, HG_FILL_HALO, &from, 0));
  for (int first = 0; first < x->cols; first += width) {
    int n = x->cols - first < width ? x->cols - first : width;
    copy_columns(x, first, n, &from, false);
    hg_aggregate(g, exchange, &from, &to, &unused);
    if (halo) fetch_sums(exchange, &from, &to);
    copy_columns(x, first, n, halo ? &from : &to, true);
  }
done:
  hg_exchange_free(&exchange);
  hg_matrix_free(&from);
  hg_matrix_free(&to);
  return rc;
}

// s = A x of features that never change, which are not needed any more
static hg_status aggregate_features(hg_layer *layer)
{
  const hg_local_graph *g = layer->graph;
  hg_matrix *x = &layer->input->dense;
  hg_phases unused;
  hg_status rc = HG_OK;
  hg_phases_start(&unused);
  if (sums_in_place(layer)) {
    HG_TRY(aggregate_in_place(g, x, false));
    layer->s = *x;
    *x = (hg_matrix){0};
  } else if (layer->computes_halo) {
    if (g->n_owned > 0) memcpy(layer->s.data, x->data, (size_t)(g->n_owned * (hg_off)x->cols) * sizeof *x->data);
    hg_matrix_free(x);
    HG_TRY(aggregate_in_place(g, &layer->s, true));
  } else if (g->slabs) {
    HG_TRY(hg_slabs_aggregate_once(g->slabs, x, &layer->s));
  } else { // halo rows are here already
    hg_aggregate(g, NULL, x, &layer->s, &unused);
  }
  hg_matrix_free(x);
done:
  return rc;
}

static hg_status create(hg_layer *layer)
{
  const hg_local_graph *g = layer->graph;
  hg_status rc = HG_OK;
  HG_TRY_ALL(g->world, "allocating a layer", create_alone(layer));
  if (layer->cached)
    HG_TRY(aggregate_features(layer));
  else if (layer->input && !layer->keeps_columns)
    HG_TRY(hg_input_fetch_halo(layer->input, g));
  if (layer->keeps_columns) {
    HG_TRY(hg_slabs_columns_once(g->slabs, &layer->input->dense, &layer->x));
    hg_matrix_free(&layer->input->dense);
  }
  if (layer->aggregate_first)
    HG_TRY(hg_layer_create_exchanges(layer, layer->x, hg_layer_d_x(layer)));
  else
    HG_TRY(hg_layer_create_exchanges(layer, product(layer), product(layer)));
done:
  return rc;
}

// some rows of y = x right
static void multiply(const hg_spans *rows, const hg_matrix *x, const hg_right_side *right, const hg_matrix *y)
{
  for (int s = 0; s < rows->n; s++) {
    const hg_span *r = &rows->span[s];
    hg_matrix in = hg_matrix_rows(x, r->first, r->n), out = hg_matrix_rows(y, r->first, r->n);
    hg_gemm_right(&in, right, 0, &out);
  }
}

// t = x W
static void transform(hg_layer *layer, hg_matrix *t)
{
  hg_matrix w = hg_layer_parameter(layer, layer->theta, "weight");
  const hg_spans rows = hg_local_graph_read(layer->graph, hg_layer_has_halo(layer));
  if (is_sparse(layer)) { // in training, rows among these that are not read are empty
    const hg_operator features = {.a = &layer->input->sparse};
    for (int s = 0; s < rows.n; s++) hg_spmm(&features, rows.span[s].first, rows.span[s].n, &w, t);
    return;
  }
  const hg_matrix input = hg_layer_input(layer);
  const hg_right_side side = hg_layer_right_side(layer, &w, false, layer->work->packed);
  multiply(&rows, &input, &side, t);
}

// A forward pass. What is aggregated in bfloat16 gets its halo's rows when they are here.
typedef struct {
  const hg_layer *layer;
  hg_forward_blocks blocks;
  bool halo_missing;
} forward_task;

static void forward_rows(void *context, hg_off first, hg_off n)
{
  forward_task *task = context;
  hg_forward_blocks *f = &task->blocks;
  const hg_local_graph *g = task->layer->graph;
  if (task->halo_missing && n > 0 && first >= g->n_interior) { // boundary rows: the exchange is over
    const hg_matrix halo = hg_matrix_rows(&f->x, g->n_owned, g->n_local - g->n_owned);
    hg_bf16_matrix rounded = hg_bf16_matrix_rows(&f->rounded, g->n_owned, halo.rows);
    hg_bf16_round(&halo, &rounded);
    task->halo_missing = false;
  }
  hg_blocks_forward(f, first, n);
}

// Rounds what is aggregated, as far as it is here and the layer before has not done it (rounds_output).
static void round_aggregated(forward_task *task)
{
  const hg_layer *layer = task->layer;
  const hg_local_graph *g = layer->graph;
  hg_forward_blocks *f = &task->blocks;
  bool made = layer->aggregate_first && layer->index > 0 && (layer - 1)->rounds_output;
  const hg_matrix rows = hg_matrix_rows(&f->x, 0, layer->fill ? g->n_owned : g->n_local);
  if (!made) hg_layer_round(layer, &rows);
  f->rounded = hg_layer_rounded(layer, g->n_local);
  task->halo_missing = f->rounded.data && layer->fill;
}

// A x or A (x W) by columns: where it is needed, or in the shared buffer
static hg_matrix aggregate_turned(hg_layer *layer, const hg_pass *pass)
{
  hg_off n = layer->graph->n_owned;
  hg_matrix x = layer->aggregate_first ? hg_layer_input(layer) : product(layer), y = layer->s;
  if (layer->keeps_columns) {
    hg_turned_aggregate_kept(layer->turned, &layer->x, hg_layer_dropout(layer, pass), &y, pass->phases);
    return y;
  }
  if (!layer->aggregate_first)
    y = *hg_layer_z(layer);
  else if (!keeps_sums(layer))
    y = hg_matrix_view(layer->work->product, n, layer->f_in);
  hg_turned_aggregate(layer->turned, &x, &y, pass->phases);
  return y;
}

static void forward(hg_layer *layer, const hg_pass *pass)
{
  const hg_local_graph *g = layer->graph;
  const hg_workspace *work = layer->work;
  hg_layer_task finish = {.layer = layer, .pass = pass};
  if (layer->streams) return; // the next layer makes h
  if (layer->thin) {
    hg_thin_forward(layer, pass);
    return;
  }
  if (!layer->cached) hg_layer_drop_input(layer, pass, product_rows(layer));
  hg_matrix w = hg_layer_parameter(layer, layer->theta, "weight"), t = product(layer);
  if (hg_reads_streamed(layer)) {
    hg_streamed_forward(layer, pass, &t);
  } else if (!layer->aggregate_first && !hg_reads_thin(layer)) { // there the layer before made t
    transform(layer, &t);
    hg_phases_lap(pass->phases, HG_PHASE_TRANSFORM);
  }
  const hg_right_side side =
      layer->aggregate_first ? hg_layer_right_side(layer, &w, false, layer->work->packed) : (hg_right_side){0};
  forward_task task = {.layer = layer,
                       .blocks = {.blocks = work->blocks,
                                  .op = layer->cached || layer->turned ? NULL : &g->forward,
                                  .x = layer->turned            ? aggregate_turned(layer, pass)
                                       : layer->cached          ? layer->s
                                       : layer->aggregate_first ? hg_layer_input(layer)
                                                                : t,
                                  .w = layer->aggregate_first ? &side : NULL,
                                  .y = *hg_layer_z(layer),
                                  .finish = hg_layer_finish_rows,
                                  .context = &finish,
                                  .phases = pass->phases}};
  if (keeps_sums(layer) && task.blocks.op) task.blocks.s = layer->s;
  round_aggregated(&task);
  hg_phases_lap(pass->phases, HG_PHASE_ELEMENTWISE);
  if (layer->computes_halo)
    hg_blocks_forward(&task.blocks, 0, g->n_local);
  else
    hg_aggregate_with(g, layer->fill, forward_rows, &task, pass->phases);
  hg_layer_finish_all(layer, pass);
}

// d_w = x' d_t
static void weight_gradient(hg_layer *layer, const hg_matrix *d_t)
{
  hg_matrix d_w = hg_layer_parameter(layer, layer->d_theta, "weight");
  if (is_sparse(layer)) {
    hg_spmm(&(hg_operator){.a = &layer->input->transposed}, 0, layer->f_in, d_t, &d_w);
    return;
  }
  const hg_matrix input = hg_layer_input(layer);
  const hg_spans rows = hg_local_graph_read(layer->graph, hg_layer_has_halo(layer));
  hg_layer_gemm_at(layer, &rows, &input, d_t, HG_ZEROS_KEPT, &d_w);
}

static void backward_narrow(hg_layer *layer, const hg_pass *pass, hg_backward_blocks *blocks)
{
  const hg_local_graph *g = layer->graph;
  hg_matrix d_t = product(layer);
  hg_forward_blocks sums = {.blocks = blocks->blocks,
                            .op = blocks->op,
                            .x = blocks->d,
                            .rounded = hg_layer_round(layer, &blocks->d),
                            .y = d_t,
                            .phases = pass->phases};
  if (layer->turned)
    hg_turned_aggregate_gradient(layer->turned, &blocks->d, &d_t, pass->phases);
  else
    hg_aggregate_gradient_with(g, layer->add, hg_blocks_forward_rows, &sums, pass->phases);
  blocks->d = d_t;
  blocks->op = NULL;
  if (hg_reads_streamed(layer))
    hg_streamed_backward(layer, pass, &d_t);
  else if (hg_reads_thin(layer))
    hg_thin_backward(layer, pass, &d_t);
  else if (layer->index > 0)
    hg_layer_products_gradient(layer, blocks, pass);
  else
    weight_gradient(layer, &d_t);
  hg_phases_lap(pass->phases, HG_PHASE_TRANSFORM);
}

static void backward_wide(hg_layer *layer, const hg_pass *pass, hg_backward_blocks *blocks)
{
  const hg_local_graph *g = layer->graph;
  hg_matrix w = hg_layer_parameter(layer, layer->theta, "weight"),
            d_w = hg_layer_parameter(layer, layer->d_theta, "weight");
  const hg_spans made = hg_local_graph_made(g, blocks->d.rows);
  hg_layer_gemm_at(layer, &made, &layer->s, &blocks->d, hg_zeros_of_output(layer), &d_w);
  hg_phases_lap(pass->phases, HG_PHASE_TRANSFORM);
  if (layer->index == 0) return;
  hg_matrix d_s = hg_matrix_view(layer->work->product, g->n_owned, layer->f_in);
  const hg_right_side side = hg_layer_right_side(layer, &w, true, layer->work->packed);
  multiply(&made, &blocks->d, &side, &d_s);
  if (g->rows) hg_rows_clear_others(&g->rows->made, g->n_interior, g->n_owned, &d_s); // self-loops read all
  hg_phases_lap(pass->phases, HG_PHASE_TRANSFORM);
  blocks->d = d_s;
  if (layer->turned) {
    hg_turned_aggregate_gradient(layer->turned, &d_s, &d_s, pass->phases);
    blocks->op = NULL;
    hg_blocks_backward(blocks, 0, g->n_owned);
    return;
  }
  blocks->rounded = hg_layer_round(layer, &d_s);
  hg_layer_receive_gradient(blocks->context);
  hg_aggregate_gradient_with(g, layer->add, hg_blocks_backward_rows, blocks, pass->phases);
}

static void backward(hg_layer *layer, const hg_pass *pass, hg_matrix *d_h, hg_matrix *d_x)
{
  hg_layer_task down = {.layer = layer, .pass = pass, .d_z = d_h, .d_x = d_x};
  if (layer->streams || (layer->thin && layer->index == 0)) return; // the next layer made its gradients
  if (layer->thin) {
    hg_thin_backward(layer, pass, NULL);
    return;
  }
  hg_layer_finish_gradient(layer, pass, d_h); // d_h is d_z from here on
  hg_backward_blocks blocks = {.blocks = layer->work->blocks,
                               .op = &layer->graph->backward,
                               .d = *d_h,
                               .x = layer->x,
                               .pass = hg_layer_pass_rows,
                               .context = &down,
                               .phases = pass->phases};
  if (is_even(layer) && !layer->turned) {
    blocks.rounded = hg_layer_round(layer, d_h);
    hg_layer_products_gradient(layer, &blocks, pass);
  } else if (layer->aggregate_first && !is_even(layer)) {
    backward_wide(layer, pass, &blocks);
  } else { // an even one that turned has A' d_z as a narrow one has it
    backward_narrow(layer, pass, &blocks);
  }
}

const hg_layer_type hg_layer_gcn = {.name = "gcn",
                                    .help = "graph convolution (Kipf and Welling 2017)",
                                    .in_place = true,
                                    .can_round = true,
                                    .can_turn = true,
                                    .can_compute_halo = true,
                                    .linear = true,
                                    .skips_rows = true,
                                    .plan = plan,
                                    .bytes = bytes,
                                    .create = create,
                                    .forward = forward,
                                    .backward = backward,
                                    .free_own = hg_streamed_free};
