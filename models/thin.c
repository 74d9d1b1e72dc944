#include "models/thin.h"

#include "core/base/alloc.h"
#include "core/base/cpu.h"
#include "core/base/threads.h"
#include "core/tensor/row_blocks.h"
#include "models/hidden_rows.h"
#include "models/skip_products.h"

// Of the numbers that dropout leaves, those that relu leaves: half at first, and nine tenths when a model has learned.
static const double usual = 0.9;

// What a matrix of hidden rows takes that is larger than caches, and the part of the numbers that is worth it.
static const double least_bytes = 32 << 20, most_left = 0.6;

static double share_left(const hg_model_options *o) { return usual * (1 - o->dropout); }

// Other ranks' rows would be gathered too. A part of several is no whole graph where ranks are planned without a world.
static bool is_alone(const hg_local_graph *g)
{
  return g->n_local == g->n_owned && g->n_owned == g->n_global && (!g->world || hg_world_size(g->world) == 1);
}

const char *hg_thin_hindrance(const hg_model *model)
{
  const hg_model_options *o = &model->options;
  const char *why = hg_hidden_rows_hindrance(model);
  if (why) return why;
  if (!is_alone(model->layers[0].graph)) return "several ranks";
  if (o->activation != HG_ACTIVATION_RELU) return "model.activation other than relu";
  if (o->residual) return "model.residual";
  if (o->halo.staleness.kind != HG_STALENESS_NONE) return "halo.staleness";
  return model->n_layers < 3 ? "fewer than three layers" : NULL;
}

// Whether it is faster: with instructions that open a register of numbers at once, and few enough of them. On AMD's
// processors (measured: Zen 5) short rows at random places take as long as whole ones, and closing and opening them
// comes on top.
static bool pays(const hg_model *model)
{
  bool opens = hg_simd_level() == HG_SIMD_AVX512 && sizeof(hg_real) == sizeof(float);
  double bytes = (double)model->layers[0].graph->n_owned * model->options.hidden * (double)sizeof(hg_real);
  return opens && !hg_cpu_is_amd() && bytes >= least_bytes && share_left(&model->options) <= most_left;
}

void hg_thin_plan(hg_model *model)
{
  hg_skip_hidden wanted = model->options.skip_zeros;
  if (wanted == HG_SKIP_HIDDEN_NEVER || hg_thin_hindrance(model)) return;
  if (wanted == HG_SKIP_HIDDEN_AUTO && !pays(model)) return;
  for (int l = 0; l + 1 < model->n_layers; l++) model->layers[l].thin = true;
}

bool hg_reads_thin(const hg_layer *layer) { return layer->index > 0 && (layer - 1)->thin; }

size_t hg_thin_bytes(const hg_layer *layer)
{
  return layer->thin ? hg_nonzero_matrix_bytes(layer->graph->n_owned, layer->f_out) : 0;
}

hg_status hg_thin_create(hg_layer *layer)
{
  hg_status rc = HG_OK;
  uint8_t *data;
  if (!layer->thin) return HG_OK;
  HG_TRY(HG_ALLOC(data, (hg_off)hg_thin_bytes(layer), "hidden rows without zeros"));
  layer->nonzero = hg_nonzero_matrix_of(data, layer->graph->n_owned, layer->f_out, usual * (1 - layer->next_dropout));
done:
  return rc;
}

// A layer's pieces add up the gradients of its weights and of the bias before, and the second layer's those of the
// first one's weights too.
static bool makes_first_gradient(const hg_layer *layer) { return layer->index == 1; }

static int pieces_of(const hg_layer *layer, hg_off n)
{
  int first = makes_first_gradient(layer) ? layer[-1].f_in : 0;
  return hg_piece_count(n, layer->f_in > first ? layer->f_in : first);
}

hg_off hg_thin_scratch(const hg_model *model)
{
  hg_off most = 0;
  for (const hg_layer *l = model->layers + 1; l < model->layers + model->n_layers; l++) {
    hg_off size = (hg_off)l->f_in * l->f_out + l->f_in;
    if (!hg_reads_thin(l)) continue;
    if (makes_first_gradient(l)) size += (hg_off)l[-1].f_in * l[-1].f_out;
    hg_off all = pieces_of(l, l->graph->n_owned) * size;
    if (all > most) most = all;
  }
  return most;
}

hg_off hg_thin_packed(const hg_model *model)
{
  const hg_layer *last = model->layers + model->n_layers - 1, *before = last - 1;
  if (!hg_reads_thin(last)) return 0;
  return hg_second_side(before) + hg_panel_space(last->f_in, last->f_out);
}

static hg_matrix buffer(const hg_layer *layer, int which, hg_off rows, int cols)
{
  return hg_blocks_buffer(&layer->work->blocks, which, rows, cols);
}

static void clear(const hg_nonzero_matrix *m, hg_off first, hg_off end)
{
#pragma omp parallel for schedule(static) default(none) shared(m, first, end) \
    num_threads(hg_threads()) if (end - first > HG_PARALLEL_FROM)
  for (hg_off i = first; i < end; i += HG_BLOCK_ROWS) hg_nonzero_matrix_clear(m, i, i + hg_block_rows(end - i));
}

// Gradients of rows that nothing reads are zeros: a node with many neighbours sums those of all its entries.
static void clear_others(const hg_nonzero_matrix *m, const hg_local_graph *graph, const hg_spans *spans)
{
  hg_off at = 0;
  if (!graph->rows) return;
  for (int s = 0; s < spans->n; at = spans->span[s].first + spans->span[s].n, s++) clear(m, at, spans->span[s].first);
  clear(m, at, m->rows);
}

typedef struct {
  const hg_layer *layer;
  hg_right_side w, next_w; // the second one after the last hidden layer
  hg_dropout dropout;
  hg_matrix product; // of the next layer, or without data
} forward_task;

static void forward_block(const forward_task *k, hg_off first, hg_off n, hg_stopwatch *watch)
{
  const hg_layer *layer = k->layer;
  hg_matrix h = buffer(layer, 1, n, layer->f_out), s;
  if (layer->index > 0) {
    s = buffer(layer, 0, n, layer->f_in);
    hg_spmm_nonzero_block(&layer->graph->forward, first, n, &layer[-1].nonzero, &s);
    hg_stopwatch_lap(watch, HG_PHASE_AGGREGATE);
  } else {
    s = hg_matrix_rows(&layer->s, first, n);
  }
  hg_gemm_block(&s, &k->w, 0, &h);
  hg_stopwatch_lap(watch, HG_PHASE_TRANSFORM);
  hg_hidden_rows_finish(layer, k->dropout, first, &h);
  hg_nonzero_matrix_close(&layer->nonzero, first, &h);
  hg_stopwatch_lap(watch, HG_PHASE_ELEMENTWISE);
  if (!k->product.data) return;
  hg_matrix t = hg_matrix_rows(&k->product, first, n);
  hg_gemm_block(&h, &k->next_w, 0, &t);
  hg_stopwatch_lap(watch, HG_PHASE_TRANSFORM);
}

static forward_task begin_forward(const hg_layer *layer, const hg_pass *pass)
{
  const hg_layer *next = layer + 1;
  const hg_matrix w = hg_layer_parameter(layer, layer->theta, "weight"),
                  next_w = hg_layer_parameter(next, next->theta, "weight");
  hg_real *space = layer->work->packed;
  forward_task k = {.layer = layer, .w = hg_right_side_of(&w, false, space), .dropout = hg_layer_dropout(next, pass)};
  if (next->thin) return k;
  k.next_w = hg_right_side_of(&next_w, false, space + hg_second_side(layer));
  k.product = hg_matrix_view(layer->work->product, layer->graph->n_owned, next->f_out);
  return k;
}

void hg_thin_forward(hg_layer *layer, const hg_pass *pass)
{
  const forward_task k = begin_forward(layer, pass);
  const hg_spans made = hg_local_graph_made(layer->graph, layer->graph->n_owned);
  hg_phases_lap(pass->phases, HG_PHASE_TRANSFORM);
  for (int s = 0; s < made.n; s++) {
    double seconds[HG_PHASE_COUNT] = {0};
    hg_off start = made.span[s].first, n = made.span[s].n;
#pragma omp parallel default(none) shared(k, start, n, seconds) \
    num_threads(hg_blocks_team(&layer->work->blocks)) if (n * layer->f_in > HG_PARALLEL_FROM)
    {
      hg_stopwatch watch = hg_stopwatch_start();
#pragma omp for schedule(dynamic, 1) nowait
      for (hg_off i = 0; i < n; i += HG_BLOCK_ROWS) forward_block(&k, start + i, hg_block_rows(n - i), &watch);
      hg_stopwatch_add(&watch, seconds);
    }
    hg_phases_share(pass->phases, seconds, HG_PHASE_TRANSFORM);
  }
}

typedef struct {
  const hg_layer *layer, *below;
  hg_input_weights w;
  hg_dropout dropout;
  const hg_matrix *d_t; // A' d_z, or NULL: it is aggregated
  hg_partials d_w, d_bias_below, d_w_below;
} backward_task;

static hg_matrix gradient_rows(const backward_task *k, hg_off first, hg_off n, hg_stopwatch *watch)
{
  if (k->d_t) return hg_matrix_rows(k->d_t, first, n);
  hg_matrix d_t = buffer(k->layer, 2, n, k->layer->f_out);
  hg_spmm_nonzero_block(&k->layer->graph->backward, first, n, &k->layer->nonzero, &d_t);
  hg_stopwatch_lap(watch, HG_PHASE_AGGREGATE);
  return d_t;
}

static void backward_block(const backward_task *k, hg_off first, hg_off n, int part, hg_stopwatch *watch)
{
  const hg_layer *below = k->below;
  const hg_matrix d_t = gradient_rows(k, first, n, watch);
  hg_matrix h = buffer(k->layer, 0, n, below->f_out), d_h = buffer(k->layer, 1, n, below->f_out);
  hg_nonzero_matrix_open(&below->nonzero, first, &h);
  hg_stopwatch_lap(watch, HG_PHASE_ELEMENTWISE);
  hg_partials_add(&k->d_w, part, &h, &d_t);
  hg_input_gradient(&k->w, &d_t, &h, &d_h);
  hg_stopwatch_lap(watch, HG_PHASE_TRANSFORM);
  hg_dropped_activation_gradient(below->activation, k->dropout, below->graph->ids + first, &d_h, &h);
  if (below->bias) hg_add_row_sums(&h, hg_partial(&k->d_bias_below, part)); // h is d_z now
  if (below->index > 0) {
    hg_nonzero_matrix_close(&below->nonzero, first, &h);
    hg_stopwatch_lap(watch, HG_PHASE_ELEMENTWISE);
    return;
  }
  hg_stopwatch_lap(watch, HG_PHASE_ELEMENTWISE);
  const hg_matrix s = hg_matrix_rows(&below->s, first, n);
  hg_partials_add(&k->d_w_below, part, &s, &h);
  hg_stopwatch_lap(watch, HG_PHASE_TRANSFORM);
}

static void backward_piece(const void *task, hg_off first, hg_off n, int part, hg_stopwatch *watch)
{
  for (hg_off i = 0; i < n; i += HG_BLOCK_ROWS) backward_block(task, first + i, hg_block_rows(n - i), part, watch);
}

static void begin_sums(backward_task *k)
{
  const hg_layer *layer = k->layer, *below = k->below;
  int parts = pieces_of(layer, layer->graph->n_owned);
  const hg_matrix d_w = hg_layer_parameter(layer, layer->d_theta, "weight"),
                  d_bias = hg_layer_parameter(below, below->d_theta, "bias"),
                  d_w_below = hg_layer_parameter(below, below->d_theta, "weight");
  hg_real *space = layer->work->scratch;
  k->d_w = hg_partials_begin(&d_w, parts, hg_zeros_of_input(layer), &space);
  k->d_bias_below = hg_partials_begin(&d_bias, parts, HG_ZEROS_KEPT, &space);
  if (makes_first_gradient(layer))
    k->d_w_below = hg_partials_begin(&d_w_below, parts, hg_zeros_of_output(below), &space);
}

void hg_thin_backward(hg_layer *layer, const hg_pass *pass, const hg_matrix *d_t)
{
  const hg_layer *below = layer - 1;
  const hg_spans read = hg_local_graph_read(layer->graph, false);
  backward_task k = {.layer = layer,
                     .below = below,
                     .w = hg_layer_input_weights(layer, layer->work->packed),
                     .dropout = hg_layer_dropout(layer, pass),
                     .d_t = d_t};
  begin_sums(&k);
  hg_phases_lap(pass->phases, HG_PHASE_TRANSFORM);
  for (int s = 0; s < read.n; s++) {
    const hg_pieces pieces = {read.span[s], pieces_of(layer, read.span[s].n), layer->f_in};
    hg_over_pieces(&layer->work->blocks, &pieces, backward_piece, &k, pass->phases);
  }
  if (below->index > 0) clear_others(&below->nonzero, layer->graph, &read);
  hg_partials_finish(&k.d_w);
  hg_partials_finish(&k.d_bias_below);
  hg_partials_finish(&k.d_w_below);
  hg_phases_lap(pass->phases, HG_PHASE_TRANSFORM);
}
