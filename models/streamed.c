#include "models/streamed.h"

#include "core/base/alloc.h"
#include "core/base/threads.h"
#include "core/tensor/row_blocks.h"
#include "models/closed_rows.h"

static int parts_of(const hg_layer *first, hg_off n) { return hg_blocks_parts(n, first->f_in); }

bool hg_hidden_rows_can_go(const hg_model *model)
{
  const hg_model_options *o = &model->options;
  const hg_layer *first = model->layers, *last = first + model->n_layers - 1;
  if (o->norm != HG_LAYER_NORM_NONE || model->n_stages > 1) return false;
  if (!first->cached || first->computes_halo || first->graph->slabs) return false;
  if (first->type != &hg_layer_gcn || last->aggregate_first) return false;
  return o->precision == HG_PRECISION_FLOAT32 && o->label_rate <= 0 && !o->embeds;
}

// Of the numbers that dropout leaves, those that find room: relu leaves about half of them.
static const double usual = 0.6, with_recompute = 0.2;

void hg_streamed_plan(hg_model *model)
{
  const hg_model_options *o = &model->options;
  hg_layer *first = model->layers;
  bool closes = o->activation == HG_ACTIVATION_RELU && o->halo.staleness.kind == HG_STALENESS_NONE;
  if (model->n_layers != 2 || !hg_hidden_rows_can_go(model) || (!closes && !o->recompute)) return;
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
  return parts_of(first, first->graph->n_owned) * (in * hidden + hidden + hidden * out);
}

// the second right side begins where the first one ends: both are whole registers
static hg_off second_side(const hg_layer *first) { return hg_panel_space(first->f_in, first->f_out); }

hg_off hg_streamed_packed(const hg_model *model)
{
  const hg_layer *first = model->layers;
  if (!first->streams) return 0;
  hg_off forward = hg_panel_space(first->f_out, first[1].f_out),
         backward = hg_panel_space(first[1].f_out, first->f_out);
  return second_side(first) + (forward > backward ? forward : backward);
}

// What one pass works with.
typedef struct {
  const hg_layer *first, *second;
  hg_right_side w1, w2; // w2 transposed on the way back
  hg_dropout dropout;
  hg_closed_rows *closed; // NULL: h is forgotten
  hg_matrix t;            // h W2, or its gradient
  hg_real *partial[3];    // parts of the gradients of W1, W2 and the first bias
  hg_off size[3];
} task;

// The rows [first, first + n), which are piece `part` of their span; on one thread.
typedef void streamed_piece(const task *k, hg_off first, hg_off n, int part);

static task begin(const hg_layer *second, const hg_pass *pass, const hg_matrix *t, bool back)
{
  const hg_layer *first = second - 1;
  hg_real *space = first->work->packed;
  const hg_matrix w1 = hg_layer_parameter(first, first->theta, "weight"),
                  w2 = hg_layer_parameter(second, second->theta, "weight");
  return (task){.first = first,
                .second = second,
                .w1 = hg_right_side_of(&w1, false, space),
                .w2 = hg_right_side_of(&w2, back, space + second_side(first)),
                .dropout = hg_layer_dropout(second, pass),
                .closed = pass->training ? first->own : NULL,
                .t = *t,
                .size = {w1.rows * w1.cols, w2.rows * w2.cols, w1.cols}};
}

// h of some rows
static void make_rows(const task *k, hg_off first, hg_off n, hg_matrix *h)
{
  const hg_layer *layer = k->first;
  const hg_matrix s = hg_matrix_rows(&layer->s, first, n);
  hg_gemm_block(&s, &k->w1, 0, h);
  if (layer->bias) hg_bias_add(h, 0, n, hg_layer_parameter(layer, layer->theta, "bias").data);
  hg_activate(layer->activation, h);
  hg_dropout_apply(k->dropout, layer->graph->ids + first, h);
}

static hg_matrix buffer(const task *k, int which, hg_off rows)
{
  return hg_blocks_buffer(&k->first->work->blocks, which, rows, k->first->f_out);
}

static void forward_block(const task *k, hg_off first, hg_off n, hg_closed_piece *piece)
{
  hg_matrix h = buffer(k, 0, n), t = hg_matrix_rows(&k->t, first, n);
  make_rows(k, first, n, &h);
  if (k->closed) hg_closed_rows_keep(k->closed, piece, first, &h);
  hg_gemm_block(&h, &k->w2, 0, &t);
}

static void forward_piece(const task *k, hg_off first, hg_off n, int part)
{
  (void)part;
  hg_closed_piece piece = {0};
  if (k->closed) piece = hg_closed_rows_piece(k->closed, first, n);
  for (hg_off i = 0; i < n; i += HG_BLOCK_ROWS)
    forward_block(k, first + i, n - i < HG_BLOCK_ROWS ? n - i : HG_BLOCK_ROWS, &piece);
}

// Pieces are a function of the rows alone, each is one thread's; they and their blocks are the same in both directions,
// since a product's bits may depend on how many rows it has.
static void over_pieces(const task *k, const hg_spans *spans, streamed_piece *work)
{
  for (int s = 0; s < spans->n; s++) {
    const hg_span *span = &spans->span[s];
    int parts = parts_of(k->first, span->n);
#pragma omp parallel for schedule(dynamic, 1) default(none) shared(k, span, parts, work) \
    num_threads(hg_blocks_team(&k->first->work->blocks)) if (span->n * k->first->f_in > HG_PARALLEL_FROM)
    for (int part = 0; part < parts; part++) {
      hg_off start, end;
      hg_block(span->n, parts, part, &start, &end);
      work(k, span->first + start, end - start, part);
    }
  }
}

void hg_streamed_forward(hg_layer *second, const hg_pass *pass, hg_matrix *t)
{
  const task k = begin(second, pass, t, false);
  const hg_spans rows = hg_local_graph_read(second->graph, false);
  if (k.closed) hg_closed_rows_clear(k.closed);
  over_pieces(&k, &rows, forward_piece);
  hg_phases_lap(pass->phases, HG_PHASE_TRANSFORM);
}

static void backward_block(const task *k, hg_off first, hg_off n, int part)
{
  hg_matrix h = buffer(k, 0, n), d_h = buffer(k, 1, n);
  const hg_matrix d_t = hg_matrix_rows(&k->t, first, n), s = hg_matrix_rows(&k->first->s, first, n);
  hg_real *d_bias = k->partial[2] + part * k->size[2];
  if (!k->closed || !hg_closed_rows_take(k->closed, first, &h)) make_rows(k, first, n, &h);
  hg_gemm_at_block(&h, &d_t, k->partial[1] + part * k->size[1]);
  hg_gemm_block(&d_t, &k->w2, 0, &d_h);
  hg_dropped_activation_gradient(k->first->activation, k->dropout, k->first->graph->ids + first, &d_h, &h);
  hg_gemm_at_block(&s, &h, k->partial[0] + part * k->size[0]); // h is d_z now
  hg_add_row_sums(&h, d_bias);
}

static void backward_piece(const task *k, hg_off first, hg_off n, int part)
{
  for (hg_off i = 0; i < n; i += HG_BLOCK_ROWS)
    backward_block(k, first + i, n - i < HG_BLOCK_ROWS ? n - i : HG_BLOCK_ROWS, part);
}

void hg_streamed_backward(hg_layer *second, const hg_pass *pass, const hg_matrix *d_t)
{
  task k = begin(second, pass, d_t, true);
  const hg_layer *first = k.first;
  const hg_spans rows = hg_local_graph_read(second->graph, false);
  int parts = parts_of(first, first->graph->n_owned);
  hg_matrix d[] = {hg_layer_parameter(first, first->d_theta, "weight"),
                   hg_layer_parameter(second, second->d_theta, "weight"),
                   hg_layer_parameter(first, first->d_theta, "bias")};
  hg_real *next = first->work->scratch;
  for (int p = 0; p < 3; p++) {
    k.partial[p] = next;
    hg_partials_clear(next, parts, k.size[p]);
    next += parts * k.size[p];
  }
  over_pieces(&k, &rows, backward_piece);
  for (int p = 0; p < 3; p++)
    if (d[p].data) hg_gemm_at_add(k.partial[p], parts, p < 2 && hg_gemm_at_turned((int)d[p].rows, d[p].cols), 0, &d[p]);
  hg_phases_lap(pass->phases, HG_PHASE_TRANSFORM);
}
