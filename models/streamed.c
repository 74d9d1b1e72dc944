#include "models/streamed.h"

#include "core/base/alloc.h"
#include "core/tensor/row_blocks.h"
#include "models/closed_rows.h"
#include "models/hidden_rows.h"
#include "models/skip_products.h"

// Of the numbers that dropout leaves, those that find room: relu leaves about half of them.
static const double usual = 0.6, with_recompute = 0.2;

void hg_streamed_plan(hg_model *model)
{
  const hg_model_options *o = &model->options;
  hg_layer *first = model->layers;
  bool closes = o->activation == HG_ACTIVATION_RELU && o->halo.staleness.kind == HG_STALENESS_NONE;
  if (model->n_layers != 2 || hg_hidden_rows_hindrance(model) || (!closes && !o->recompute)) return;
  double share = (o->recompute ? with_recompute : usual) * (1 - first->next_dropout);
  hg_off rows = hg_layer_rows(first);
  bool less = hg_closed_rows_bytes(rows, first->f_out, share) < (size_t)(rows * first->f_out) * sizeof(hg_real);
  first->streams = o->recompute || less;
  first->kept_share = closes && less ? share : 0;
}

size_t hg_streamed_bytes(const hg_layer *layer)
{
  if (layer->kept_share <= 0) return 0;
  return sizeof(hg_closed_rows) + hg_closed_rows_bytes(hg_layer_rows(layer), layer->f_out, layer->kept_share);
}

hg_status hg_streamed_create(hg_layer *layer)
{
  hg_closed_rows *closed = NULL;
  hg_status rc = HG_OK;
  if (layer->kept_share <= 0) return HG_OK;
  HG_TRY(HG_ALLOC(closed, 1, "hidden rows"));
  layer->own = closed;
  HG_TRY(hg_closed_rows_create(closed, hg_layer_rows(layer), layer->f_out, layer->kept_share));
done:
  return rc;
}

void hg_streamed_free(hg_layer *layer)
{
  hg_closed_rows *closed = layer->own;
  hg_closed_rows_free(closed);
  hg_free(&closed);
  layer->own = NULL;
}

bool hg_reads_streamed(const hg_layer *layer) { return layer->index > 0 && (layer - 1)->streams; }

hg_off hg_streamed_scratch(const hg_model *model)
{
  const hg_layer *first = model->layers;
  if (!first->streams) return 0;
  hg_off in = first->f_in, hidden = first->f_out, out = first[1].f_out;
  return hg_piece_count(first->graph->n_owned, first->f_in) * (in * hidden + hidden + hidden * out);
}

hg_off hg_streamed_packed(const hg_model *model)
{
  const hg_layer *first = model->layers;
  if (!first->streams) return 0;
  hg_off forward = hg_panel_space(first->f_out, first[1].f_out),
         backward = hg_panel_space(first[1].f_out, first->f_out);
  return hg_second_side(first) + (forward > backward ? forward : backward);
}

// What one pass works with.
typedef struct {
  const hg_layer *first, *second;
  hg_right_side w1, w2;
  hg_input_weights back; // of the second layer
  hg_dropout dropout;
  hg_closed_rows *closed; // NULL: h is forgotten
  hg_matrix t;            // h W2, or its gradient
  hg_partials d_w1, d_w2, d_bias;
} streamed_task;

static streamed_task begin(const hg_layer *second, const hg_pass *pass, const hg_matrix *t, bool back)
{
  const hg_layer *first = second - 1;
  hg_real *space = first->work->packed;
  const hg_matrix w1 = hg_layer_parameter(first, first->theta, "weight"),
                  w2 = hg_layer_parameter(second, second->theta, "weight");
  streamed_task k = {.first = first,
                     .second = second,
                     .w1 = hg_right_side_of(&w1, false, space),
                     .dropout = hg_layer_dropout(second, pass),
                     .closed = pass->training ? first->own : NULL,
                     .t = *t};
  space += hg_second_side(first);
  if (back)
    k.back = hg_layer_input_weights(second, space);
  else
    k.w2 = hg_right_side_of(&w2, false, space);
  return k;
}

// h of some rows
static void make_rows(const streamed_task *k, hg_off first, hg_off n, hg_matrix *h, hg_stopwatch *watch)
{
  const hg_matrix s = hg_matrix_rows(&k->first->s, first, n);
  hg_gemm_block(&s, &k->w1, 0, h);
  hg_stopwatch_lap(watch, HG_PHASE_TRANSFORM);
  hg_hidden_rows_finish(k->first, k->dropout, first, h);
  hg_stopwatch_lap(watch, HG_PHASE_ELEMENTWISE);
}

static hg_matrix buffer(const streamed_task *k, int which, hg_off rows)
{
  return hg_blocks_buffer(&k->first->work->blocks, which, rows, k->first->f_out);
}

static void forward_block(const streamed_task *k, hg_off first, hg_off n, hg_closed_piece *piece, hg_stopwatch *watch)
{
  hg_matrix h = buffer(k, 0, n), t = hg_matrix_rows(&k->t, first, n);
  make_rows(k, first, n, &h, watch);
  if (k->closed) hg_closed_rows_keep(k->closed, piece, first, &h);
  hg_stopwatch_lap(watch, HG_PHASE_ELEMENTWISE);
  hg_gemm_block(&h, &k->w2, 0, &t);
  hg_stopwatch_lap(watch, HG_PHASE_TRANSFORM);
}

static void forward_piece(const void *task, hg_off first, hg_off n, int part, hg_stopwatch *watch)
{
  const streamed_task *k = task;
  hg_closed_piece piece = {0};
  (void)part;
  if (k->closed) piece = hg_closed_rows_piece(k->closed, first, n);
  for (hg_off i = 0; i < n; i += HG_BLOCK_ROWS) forward_block(k, first + i, hg_block_rows(n - i), &piece, watch);
}

// Pieces and their blocks are the same in both directions, since a product's bits may depend on how many rows it has.
static void over_pieces(const streamed_task *k, hg_piece_work *work, hg_phases *phases)
{
  const hg_spans rows = hg_local_graph_read(k->second->graph, false);
  int width = k->first->f_in;
  for (int s = 0; s < rows.n; s++) {
    const hg_pieces pieces = {rows.span[s], hg_piece_count(rows.span[s].n, width), width};
    hg_over_pieces(&k->first->work->blocks, &pieces, work, k, phases);
  }
}

void hg_streamed_forward(hg_layer *second, const hg_pass *pass, hg_matrix *t)
{
  const streamed_task k = begin(second, pass, t, false);
  if (k.closed) hg_closed_rows_clear(k.closed);
  hg_phases_lap(pass->phases, HG_PHASE_TRANSFORM);
  over_pieces(&k, forward_piece, pass->phases);
}

static void backward_block(const streamed_task *k, hg_off first, hg_off n, int part, hg_stopwatch *watch)
{
  const hg_layer *layer = k->first;
  hg_matrix h = buffer(k, 0, n), d_h = buffer(k, 1, n);
  const hg_matrix d_t = hg_matrix_rows(&k->t, first, n), s = hg_matrix_rows(&layer->s, first, n);
  bool kept = k->closed && hg_closed_rows_take(k->closed, first, &h);
  hg_stopwatch_lap(watch, HG_PHASE_ELEMENTWISE);
  if (!kept) make_rows(k, first, n, &h, watch);
  hg_partials_add(&k->d_w2, part, &h, &d_t);
  hg_input_gradient(&k->back, &d_t, &h, &d_h);
  hg_stopwatch_lap(watch, HG_PHASE_TRANSFORM);
  hg_dropped_activation_gradient(layer->activation, k->dropout, layer->graph->ids + first, &d_h, &h);
  if (layer->bias) hg_add_row_sums(&h, hg_partial(&k->d_bias, part)); // h is d_z now
  hg_stopwatch_lap(watch, HG_PHASE_ELEMENTWISE);
  hg_partials_add(&k->d_w1, part, &s, &h);
  hg_stopwatch_lap(watch, HG_PHASE_TRANSFORM);
}

static void backward_piece(const void *task, hg_off first, hg_off n, int part, hg_stopwatch *watch)
{
  for (hg_off i = 0; i < n; i += HG_BLOCK_ROWS) backward_block(task, first + i, hg_block_rows(n - i), part, watch);
}

void hg_streamed_backward(hg_layer *second, const hg_pass *pass, const hg_matrix *d_t)
{
  streamed_task k = begin(second, pass, d_t, true);
  const hg_layer *first = k.first;
  int parts = hg_piece_count(first->graph->n_owned, first->f_in);
  const hg_matrix d_w1 = hg_layer_parameter(first, first->d_theta, "weight"),
                  d_w2 = hg_layer_parameter(second, second->d_theta, "weight"),
                  d_bias = hg_layer_parameter(first, first->d_theta, "bias");
  hg_real *space = first->work->scratch;
  k.d_w1 = hg_partials_begin(&d_w1, parts, hg_zeros_of_output(first), &space);
  k.d_w2 = hg_partials_begin(&d_w2, parts, hg_zeros_of_input(second), &space);
  k.d_bias = hg_partials_begin(&d_bias, parts, HG_ZEROS_KEPT, &space);
  hg_phases_lap(pass->phases, HG_PHASE_TRANSFORM);
  over_pieces(&k, backward_piece, pass->phases);
  hg_partials_finish(&k.d_w1);
  hg_partials_finish(&k.d_w2);
  hg_partials_finish(&k.d_bias);
  hg_phases_lap(pass->phases, HG_PHASE_TRANSFORM);
}
