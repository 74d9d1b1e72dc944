#include "models/layer.h"

#include <stdio.h>
#include <string.h>

#include "comm/reduce.h"
#include "core/base/alloc.h"
#include "core/base/threads.h"
#include "core/tensor/norms.h"
#include "core/tensor/row_blocks.h"
#include "models/recompute.h"
#include "models/skip_products.h"
#include "models/stale.h"

static const double running_momentum = 0.1; // as PyTorch's BatchNorm1d

const hg_layer_type *const hg_layer_types[] = {&hg_layer_gcn, &hg_layer_geogcn, &hg_layer_mlp, NULL};

hg_status hg_layer_type_find(const hg_layer_type **type, const char *name)
{
  char names[256] = "";
  for (const hg_layer_type *const *t = hg_layer_types; *t; t++) {
    if (strcmp((*t)->name, name) == 0) {
      *type = *t;
      return HG_OK;
    }
    size_t used = strlen(names);
    snprintf(names + used, sizeof names - used, "%s%s", used ? ", " : "", (*t)->name);
  }
  return hg_fail(HG_ERR_INPUT, "model.type: found '%s', expected one of: %s", name, names);
}

void hg_layer_free(hg_layer *layer)
{
  if (layer->input) hg_matrix_free(&layer->x);       // later layers borrow what a layer or a pool before wrote
  if (!layer->recomputes) hg_matrix_free(&layer->h); // else the workspace's
  hg_free(&layer->nonzero.data);
  hg_matrix_free(&layer->halo);
  hg_matrix_free(&layer->s);
  hg_matrix_free(&layer->xhat);
  hg_free(&layer->inv_std);
  hg_free(&layer->mean);
  hg_stale_free(layer);
  hg_partial_rows_free(&layer->active.partial);
  hg_partial_rows_free(&layer->whole.partial);
  hg_exchange_free(&layer->scored.fill);
  hg_exchange_free(&layer->active.fill); // before those that lend it their buffers
  hg_exchange_free(&layer->active.add);
  hg_exchange_free(&layer->whole.fill);
  hg_exchange_free(&layer->whole.add);
  hg_turned_free(&layer->turned);
  if (layer->own && layer->type->free_own) layer->type->free_own(layer);
}

hg_off hg_layer_rows(const hg_layer *layer)
{
  return layer->computes_halo ? layer->graph->n_local : layer->graph->n_owned;
}

bool hg_layer_has_halo(const hg_layer *layer)
{
  return layer->input || (layer->index > 0 && (layer - 1)->computes_halo);
}

void hg_layer_plan_parameter(hg_layer *layer, const char *name, int rows, int cols, hg_init init)
{
  layer->parameters[layer->n_parameters++] = (hg_parameter){name, layer->n_theta, rows, cols, init};
  layer->n_theta += (hg_off)rows * cols;
}

void hg_layer_plan_finish(hg_layer *layer)
{
  if (layer->bias) hg_layer_plan_parameter(layer, "bias", 1, layer->f_out, hg_init_constant(0));
  if (layer->norm != HG_LAYER_NORM_NONE) {
    hg_layer_plan_parameter(layer, "norm.weight", 1, layer->f_out, hg_init_constant(1));
    hg_layer_plan_parameter(layer, "norm.bias", 1, layer->f_out, hg_init_constant(0));
  }
  if (layer->label_classes > 0)
    hg_layer_plan_parameter(layer, "label", layer->label_classes, layer->f_out,
                            hg_init_glorot(layer->label_classes, layer->f_out));
}

hg_matrix hg_layer_parameter(const hg_layer *layer, hg_real *base, const char *name)
{
  for (int k = 0; k < layer->n_parameters; k++) {
    const hg_parameter *p = &layer->parameters[k];
    if (strcmp(p->name, name) == 0) return hg_matrix_view(base + p->offset, p->rows, p->cols);
  }
  return (hg_matrix){0};
}

// What the variance of a halo row counts in this rank's sums: its edges' squared factors
static hg_status weigh_halo(const hg_local_graph *g, float **weights)
{
  const hg_operator *op = &g->forward;
  hg_lid n_owned = g->n_owned;
  hg_status rc = HG_ALLOC(*weights, g->n_local - n_owned, "weights of halo rows");
  if (rc != HG_OK) return rc;
  for (hg_lid i = 0; i < n_owned; i++)
    for (hg_off e = op->a->indptr[i]; e < op->a->indptr[i + 1]; e++) {
      hg_lid j = op->a->indices[e];
      if (j < n_owned) continue;
      hg_real factor = (op->row_scale ? op->row_scale[i] : 1) * (op->col_scale ? op->col_scale[j] : 1);
      if (op->a->values) factor *= op->a->values[e];
      (*weights)[j - n_owned] += (float)(factor * factor);
    }
  return HG_OK;
}

// What makes room for all exchanges of reals without zeros, of which one is under way at a time: the first layer's, or
// NULL
static const hg_layer *lender(const hg_layer *layer)
{
  const hg_layer *first = NULL;
  for (const hg_layer *l = layer; l->index > 0; l--)
    if (hg_layer_skips_zeros(l) && l->whole.fill) first = l;
  return first;
}

bool hg_layer_skips_zeros(const hg_layer *layer) { return hg_exchange_always_packs(&layer->packing); }

static void borrow(const hg_layer *layer, hg_exchange_packing *packing)
{
  const hg_layer *l = hg_exchange_always_packs(packing) ? lender(layer) : NULL;
  if (l) hg_exchange_lend(l->whole.graph->links, l->f_in, l->whole.fill, packing);
}

static hg_status create_reach(hg_layer *layer, hg_layer_reach *reach, const hg_exchange_packing *packing)
{
  const hg_local_graph *g = reach->graph;
  hg_matrix *x = layer->crossing;
  hg_status rc = HG_OK;
  float *weights = NULL;
  if (hg_layer_has_halo(layer) || !g->links) return HG_OK;
  hg_exchange_packing weighted = *packing;
  if (packing->format == HG_PACK_ADAPTIVE) HG_TRY_ALL(g->world, "weighing halo rows", weigh_halo(g, &weights));
  weighted.weights = weights;
  borrow(layer, &weighted);
  HG_TRY(hg_exchange_create_packed(&reach->fill, g->world, g->links, HG_FILL_HALO, &x[0], 0, &weighted));
  borrow(layer, &weighted);
  HG_TRY(hg_exchange_create_packed(&reach->add, g->world, g->links, HG_ADD_HALO, &x[1], 1, &weighted));
  if (g->reduced) HG_TRY(hg_partial_rows_create(&reach->partial, g->reduced));
done:
  hg_free(&weights);
  return rc;
}

static void take_reach(hg_layer *layer, hg_layer_reach *reach)
{
  layer->graph = reach->graph;
  layer->fill = reach->fill;
  layer->add = reach->add;
  layer->partial = reach->partial.reduced ? &reach->partial : NULL;
}

hg_status hg_layer_create_exchanges(hg_layer *layer, hg_matrix x, hg_matrix d_x)
{
  layer->whole.graph = layer->graph;
  layer->packing.ids = layer->graph->ids;
  layer->crossing[0] = x;
  layer->crossing[1] = d_x;
  hg_status rc = create_reach(layer, &layer->whole, &layer->packing);
  take_reach(layer, &layer->whole);
  return rc;
}

hg_status hg_layer_cover(hg_layer *layer, const hg_local_graph *graph)
{
  hg_exchange_free(&layer->whole.fill);
  hg_exchange_free(&layer->whole.add);
  layer->whole.graph = graph;
  layer->packing.ids = graph->ids;
  hg_status rc = create_reach(layer, &layer->whole, &layer->packing);
  take_reach(layer, &layer->whole);
  return rc;
}

hg_status hg_layer_activate(hg_layer *layer, const hg_local_graph *graph)
{
  const hg_exchange_packing reals = {.format = HG_PACK_REAL};
  hg_exchange_packing packing = layer->packing;
  hg_status rc = HG_OK;
  if (packing.format != HG_PACK_REAL) { // evaluations send reals
    hg_exchange_free(&layer->whole.fill);
    hg_exchange_free(&layer->whole.add);
    HG_TRY(create_reach(layer, &layer->whole, &reals));
  }
  bool lends = !hg_layer_skips_zeros(layer);
  if (layer->whole.fill && lends) packing.lent[0] = hg_exchange_buffer(layer->whole.fill);
  if (layer->whole.add && lends) packing.lent[1] = hg_exchange_buffer(layer->whole.add);
  layer->active.graph = graph;
  packing.ids = graph->ids;
  HG_TRY(create_reach(layer, &layer->active, &packing));
done:
  take_reach(layer, &layer->whole);
  return rc;
}

hg_exchange_packing hg_layer_scored_packing(const hg_layer *layer)
{
  return (hg_exchange_packing){.format = HG_PACK_REAL, .skip_zeros = hg_layer_skips_zeros(layer)};
}

hg_status hg_layer_score(hg_layer *layer, const hg_local_graph *graph)
{
  hg_exchange_packing packing = hg_layer_scored_packing(layer);
  const hg_layer_reach *whole = &layer->whole;
  layer->scored.graph = graph;
  if (hg_layer_has_halo(layer) || !graph->links) return HG_OK;
  if (!packing.skip_zeros) {
    packing.lent[0] = hg_exchange_buffer(whole->fill);
    packing.lent[1] = hg_exchange_buffer(whole->add);
  }
  borrow(layer, &packing);
  return hg_exchange_create_packed(&layer->scored.fill, graph->world, graph->links, HG_FILL_HALO, &layer->crossing[0],
                                   0, &packing);
}

const hg_layer_reach *hg_layer_training_reach(const hg_layer *layer)
{
  return layer->active.graph ? &layer->active : &layer->whole;
}

void hg_layer_choose_reach(hg_layer *layer, const hg_pass *pass)
{
  hg_layer_reach *others = pass->training ? &layer->active : &layer->scored;
  bool some = (pass->training || pass->scored) && others->graph;
  if (layer->active.graph || layer->scored.graph) take_reach(layer, some ? others : &layer->whole);
}

void hg_layer_pack_exchanges(hg_layer *layer, const hg_pass *pass)
{
  bool packed = pass->training && pass->epoch > layer->packs_after;
  if (layer->fill) hg_exchange_pack(layer->fill, packed, pass->seed, pass->epoch);
  if (layer->add) hg_exchange_pack(layer->add, packed, pass->seed, pass->epoch);
  hg_stale_choose(layer, pass);
}

hg_dropout hg_layer_dropout(const hg_layer *layer, const hg_pass *pass)
{
  return (hg_dropout){pass->seed, pass->epoch, layer->index, pass->training ? layer->dropout : 0};
}

bool hg_layer_copies_input(const hg_layer *layer)
{
  return layer->input && layer->input->is_dense && layer->dropout > 0 && !layer->keeps_columns;
}

hg_matrix hg_layer_input(const hg_layer *layer)
{
  return layer->input && !layer->drops_features ? layer->input->dense : layer->x;
}

// of the first `rows` rows those that the pass reads
static void drop_features(hg_layer *layer, hg_dropout dropout, hg_off rows)
{
  const hg_spans read = hg_local_graph_read(layer->graph, rows > layer->graph->n_owned);
  for (int s = 0; s < read.n; s++) {
    const hg_span *r = &read.span[s];
    const hg_matrix features = hg_matrix_rows(&layer->input->dense, r->first, r->n);
    hg_matrix x = hg_matrix_rows(&layer->x, r->first, r->n);
    hg_dropout_columns(dropout, layer->graph->ids + r->first, 0, &features, &x);
  }
}

void hg_layer_drop_input(hg_layer *layer, const hg_pass *pass, hg_off rows)
{
  hg_dropout dropout = hg_layer_dropout(layer, pass);
  if (!layer->input) return; // the layer before did
  if (!layer->input->is_dense) {
    hg_input_drop(layer->input, layer->graph, dropout, pass->training);
  } else if (hg_layer_copies_input(layer)) {
    layer->drops_features = dropout.rate > 0;
    if (layer->drops_features) drop_features(layer, dropout, rows);
  }
  hg_phases_lap(pass->phases, HG_PHASE_ELEMENTWISE);
}

hg_right_side hg_layer_right_side(const hg_layer *layer, const hg_matrix *w, bool transposed, hg_real *space)
{
  return layer->rounds ? hg_right_side_rounded(w, transposed, space) : hg_right_side_of(w, transposed, space);
}

void hg_layer_gemm_at(const hg_layer *layer, const hg_spans *rows, const hg_matrix *a, const hg_matrix *b,
                      hg_zeros zeros, hg_matrix *c)
{
  if (rows->n == 0 && c->rows > 0) memset(c->data, 0, (size_t)(c->rows * c->cols) * sizeof *c->data);
  for (int s = 0; s < rows->n; s++) {
    const hg_matrix x = hg_matrix_rows(a, rows->span[s].first, rows->span[s].n),
                    d = hg_matrix_rows(b, rows->span[s].first, rows->span[s].n);
    hg_real before = s > 0 ? 1 : 0;
    if (layer->rounds)
      hg_gemm_at_bf16(hg_bf16_rows_real(&x), hg_bf16_rows_real(&d), before, c, layer->work->scratch);
    else
      hg_gemm_at(&x, &d, zeros, before, c, layer->work->scratch);
  }
}

hg_bf16_matrix hg_layer_rounded(const hg_layer *layer, hg_off rows)
{
  hg_bf16 *data = layer->rounded_width > 0 ? layer->work->rounded[layer->index % 2] : NULL;
  return hg_bf16_matrix_view(data, rows, layer->rounded_width);
}

hg_bf16_matrix hg_layer_round(const hg_layer *layer, const hg_matrix *x)
{
  hg_bf16_matrix rounded = hg_layer_rounded(layer, x->rows);
  if (rounded.data) hg_bf16_round(x, &rounded);
  return rounded;
}

hg_matrix hg_layer_d_x(const hg_layer *layer)
{
  if (layer->in_place) return layer->x;
  return hg_matrix_view(layer->work->gradients[!layer->gradient], layer->graph->n_local, layer->f_in);
}

hg_matrix *hg_layer_z(hg_layer *layer) { return layer->norm == HG_LAYER_NORM_NONE ? &layer->h : &layer->xhat; }

// statistics of the whole graph's rows in training, the remembered ones otherwise
static void batch_moments(hg_layer *layer, const hg_pass *pass)
{
  int f = layer->f_out;
  double n = (double)layer->graph->n_global, *sums = layer->work->sums;
  if (!pass->training) {
    for (int k = 0; k < f; k++) { // as if the sums of n rows had given the remembered moments
      double mean = (double)layer->running[k], variance = (double)layer->running[f + k];
      sums[k] = n * mean;
      sums[f + k] = n * (variance + mean * mean);
    }
    hg_batch_norm_moments(sums, f, n, layer->mean, layer->inv_std);
    return;
  }
  const hg_matrix owned = hg_matrix_rows(&layer->xhat, 0, layer->graph->n_owned);
  hg_batch_norm_sums(&owned, sums);
  hg_sum_doubles(layer->graph->world, sums, 2 * f);
  hg_batch_norm_moments(sums, f, n, layer->mean, layer->inv_std);
  for (int k = 0; n > 0 && k < f; k++) {
    double mean = sums[k] / n, variance = sums[f + k] / n - mean * mean;
    double unbiased = n > 1 ? variance * n / (n - 1) : variance;
    layer->running[k] = (hg_real)((1 - running_momentum) * (double)layer->running[k] + running_momentum * mean);
    layer->running[f + k] =
        (hg_real)((1 - running_momentum) * (double)layer->running[f + k] + running_momentum * unbiased);
  }
}

static hg_dropout output_dropout(const hg_layer *layer, const hg_pass *pass)
{
  return (hg_dropout){pass->seed, pass->epoch, layer->index + 1, pass->training ? layer->next_dropout : 0};
}

static void activate_rows(const hg_layer_task *t, hg_off first, hg_off n)
{
  const hg_layer *layer = t->layer;
  hg_matrix h = hg_matrix_rows(&layer->h, first, n);
  hg_activate(layer->activation, &h);
  if (layer->drops_output) hg_dropout_apply(output_dropout(layer, t->pass), layer->graph->ids + first, &h);
  if (!layer->rounds_output) return;
  const hg_bf16_matrix all = hg_layer_rounded(layer + 1, hg_layer_rows(layer));
  hg_bf16_matrix rounded = hg_bf16_matrix_rows(&all, first, n);
  hg_bf16_round(&h, &rounded);
}

static void norm_rows(const hg_layer *layer, hg_off first, hg_matrix *z, hg_matrix *h)
{
  hg_layer_norm(z, hg_layer_parameter(layer, layer->theta, "norm.weight").data,
                hg_layer_parameter(layer, layer->theta, "norm.bias").data, layer->inv_std + first, h);
}

void hg_layer_finish_rows(void *context, hg_off first, hg_off n)
{
  const hg_layer_task *t = context;
  hg_layer *layer = t->layer;
  hg_matrix z = hg_matrix_rows(hg_layer_z(layer), first, n), h = hg_matrix_rows(&layer->h, first, n);
  if (layer->residual) {
    hg_matrix x = hg_matrix_rows(&layer->x, first, n);
    hg_add(&x, &z);
  }
  if (layer->bias) hg_bias_add(&z, 0, n, hg_layer_parameter(layer, layer->theta, "bias").data);
  if (layer->labels) hg_label_input_add(layer->labels, first, n, &z);
  if (layer->norm == HG_LAYER_NORM_BATCH || layer->recomputes) return; // x is needed yet where h will be
  if (layer->norm == HG_LAYER_NORM_LAYER) norm_rows(layer, first, &z, &h);
  activate_rows(t, first, n);
}

// where h may be written only when all z are made: the moments are known, or x is not needed any more
static void norm_in_blocks(const hg_layer_task *t, hg_off rows)
{
  const hg_layer *layer = t->layer;
#pragma omp parallel for schedule(static) default(none) shared(t, layer, rows) \
    num_threads(hg_threads()) if (rows * layer->f_out > HG_PARALLEL_FROM)
  for (hg_off first = 0; first < rows; first += HG_BLOCK_ROWS) {
    hg_off n = hg_block_rows(rows - first);
    hg_matrix z = hg_matrix_rows(&layer->xhat, first, n), h = hg_matrix_rows(&layer->h, first, n);
    if (layer->norm == HG_LAYER_NORM_LAYER)
      norm_rows(layer, first, &z, &h);
    else
      hg_batch_norm_apply(&z, layer->mean, layer->inv_std, hg_layer_parameter(layer, layer->theta, "norm.weight").data,
                          hg_layer_parameter(layer, layer->theta, "norm.bias").data, &h);
    activate_rows(t, first, n);
  }
}

void hg_layer_finish_all(hg_layer *layer, const hg_pass *pass)
{
  const hg_layer_task t = {.layer = layer, .pass = pass};
  hg_recompute_keep(layer);
  if (layer->norm == HG_LAYER_NORM_BATCH) batch_moments(layer, pass);
  if (layer->norm == HG_LAYER_NORM_BATCH || layer->recomputes) norm_in_blocks(&t, hg_layer_rows(layer));
  hg_phases_lap(pass->phases, HG_PHASE_ELEMENTWISE);
}

void hg_layer_finish(hg_layer *layer, const hg_pass *pass)
{
  hg_layer_task task = {.layer = layer, .pass = pass};
  hg_layer_finish_rows(&task, 0, layer->graph->n_owned);
  hg_layer_finish_all(layer, pass);
}

// the gradients of rows that other ranks have summed
static bool goes_down_elsewhere(const hg_layer *layer, hg_off first)
{
  const hg_local_graph *g = layer->graph;
  return first >= g->n_owned && g->links && g->links->sums;
}

hg_off hg_layer_kept(const hg_layer *layer, hg_off touched)
{
  return layer->in_place && layer->aggregate_first ? touched * layer->f_in : 0;
}

// Rows of x that other ranks have in sums, before backward writes over x.
static hg_matrix kept_rows(const hg_layer *layer)
{
  hg_off rows = layer->in_place ? layer->graph->links->sums->n_touched : 0;
  return hg_matrix_view(layer->work->kept, rows, layer->f_in);
}

// as hg_layer_pass_rows, of what arrived for nodes in sums
static void receive_rows(void *context, hg_off first, hg_off n, hg_matrix *d)
{
  const hg_layer_task *t = context;
  const hg_layer *layer = t->layer, *below = layer - 1;
  const hg_lid *nodes = layer->graph->links->sums->touched + first;
  const hg_matrix kept = kept_rows(layer);
  for (hg_off k = 0; k < n; k++) {
    hg_matrix row = hg_matrix_rows(d, k, 1);
    const hg_gid *id = layer->graph->ids + nodes[k];
    if (!layer->in_place) {
      hg_dropout_apply(hg_layer_dropout(layer, t->pass), id, &row);
      continue;
    }
    hg_matrix x = hg_matrix_rows(&kept, first + k, 1);
    hg_dropped_activation_gradient(below->activation, output_dropout(below, t->pass), id, &row, &x);
    memcpy(row.data, x.data, (size_t)row.cols * sizeof *row.data);
  }
}

void hg_layer_receive_gradient(hg_layer_task *task)
{
  const hg_layer *layer = task->layer;
  const hg_link_sums *sums = layer->graph->links ? layer->graph->links->sums : NULL;
  hg_off cols = layer->f_in;
  if (!layer->add || !sums) return;
  const hg_matrix kept = kept_rows(layer);
#pragma omp parallel for schedule(static) default(none) shared(layer, sums, cols, kept) \
    num_threads(hg_threads()) if (kept.rows * cols > HG_PARALLEL_FROM)
  for (hg_off k = 0; k < kept.rows; k++)
    memcpy(kept.data + k * cols, layer->x.data + sums->touched[k] * cols, (size_t)cols * sizeof(hg_real));
  hg_exchange_refine(layer->add, receive_rows, task);
}

void hg_layer_pass_rows(void *context, hg_off first, hg_off n, hg_matrix *d)
{
  const hg_layer_task *t = context;
  const hg_layer *layer = t->layer;
  hg_matrix d_x = hg_matrix_rows(t->d_x, first, n);
  if (layer->residual && first < layer->graph->n_owned) {
    hg_off owned = layer->graph->n_owned - first < n ? layer->graph->n_owned - first : n;
    hg_matrix d_z = hg_matrix_rows(t->d_z, first, owned), some = hg_matrix_rows(d, 0, owned);
    hg_add(&d_z, &some);
  }
  if (goes_down_elsewhere(layer, first)) {
    if (d_x.data != d->data) memcpy(d_x.data, d->data, (size_t)(n * d->cols) * sizeof *d->data);
    return;
  }
  if (layer->in_place) {
    const hg_layer *below = layer - 1;
    if (first >= layer->graph->n_owned && hg_stale_pass_rows(layer, output_dropout(below, t->pass), first, d, &d_x))
      return;
    hg_dropped_activation_gradient(below->activation, output_dropout(below, t->pass), layer->graph->ids + first, d,
                                   &d_x);
    return;
  }
  hg_dropout_apply(hg_layer_dropout(layer, t->pass), layer->graph->ids + first, d);
  if (d_x.data != d->data) memcpy(d_x.data, d->data, (size_t)(n * d->cols) * sizeof *d->data);
}

void hg_layer_products_gradient(hg_layer *layer, hg_backward_blocks *blocks, const hg_pass *pass)
{
  const hg_local_graph *g = layer->graph;
  hg_matrix d_w = hg_layer_parameter(layer, layer->d_theta, "weight");
  const hg_input_weights weights = hg_layer_input_weights(layer, layer->work->packed);
  hg_off rows = blocks->op || hg_layer_has_halo(layer) ? g->n_local : g->n_owned;
  const hg_spans read = hg_local_graph_read(g, hg_layer_has_halo(layer));
  hg_real *space = layer->work->scratch;
  blocks->w = &weights;
  blocks->d_w = hg_partials_begin(&d_w, hg_gemm_at_parts(rows), hg_zeros_of_input(layer), &space);
  if (layer->rounds) blocks->d_w.turned = false; // products of rounded factors never are
  if (blocks->op) hg_layer_receive_gradient(blocks->context);
  if (blocks->op)
    hg_aggregate_gradient_with(g, layer->add, hg_blocks_backward_rows, blocks, pass->phases);
  else
    for (int s = 0; s < read.n; s++) hg_blocks_backward(blocks, read.span[s].first, read.span[s].n);
  hg_partials_finish(&blocks->d_w);
  hg_phases_lap(pass->phases, HG_PHASE_TRANSFORM);
}

// Batch norm's, from the sums over all ranks. A row's moments are taken away once, where it is owned: what a rank has
// of its halo's gradients is one of several shares.
static void batch_norm_gradient(const hg_layer *layer, const hg_real *gamma, const double *sums, hg_matrix *d_h)
{
  hg_off owned = layer->graph->n_owned, halo = d_h->rows - owned;
  double n = (double)layer->graph->n_global;
  for (int part = 0; part < 2; part++) {
    hg_matrix d = hg_matrix_rows(d_h, part * owned, part ? halo : owned);
    const hg_matrix xhat = hg_matrix_rows(&layer->xhat, part * owned, d.rows);
    hg_batch_norm_gradient(&xhat, gamma, layer->inv_std, part ? NULL : sums, n, &d);
  }
}

static void norm_gradient(hg_layer *layer, hg_matrix *d_h)
{
  hg_matrix d_gamma = hg_layer_parameter(layer, layer->d_theta, "norm.weight");
  hg_matrix d_beta = hg_layer_parameter(layer, layer->d_theta, "norm.bias");
  const hg_real *gamma = hg_layer_parameter(layer, layer->theta, "norm.weight").data;
  if (layer->norm == HG_LAYER_NORM_LAYER) {
    hg_layer_norm_gradient(&layer->xhat, gamma, layer->inv_std, d_h, d_gamma.data, d_beta.data);
    return;
  }
  int f = layer->f_out;
  double *sums = layer->work->sums;
  hg_batch_norm_gradient_sums(&layer->xhat, d_h, sums);
  for (int k = 0; k < f; k++) { // this rank's share: gradients are summed over ranks later
    // NOLINTNEXTLINE(clang-analyzer-core.NullDereference): a layer with a norm has them
    d_beta.data[k] = (hg_real)sums[k];
    // NOLINTNEXTLINE(clang-analyzer-core.NullDereference): a layer with a norm has them
    d_gamma.data[k] = (hg_real)sums[f + k];
  }
  hg_sum_doubles(layer->graph->world, sums, 2 * f);
  batch_norm_gradient(layer, gamma, sums, d_h);
}

// gradients of rows that were not made are zeros
static void bias_gradient(const hg_layer *layer, const hg_matrix *d_z)
{
  const hg_spans made = hg_local_graph_made(layer->graph, d_z->rows);
  hg_matrix d_bias = hg_layer_parameter(layer, layer->d_theta, "bias");
  if (made.n == 0) {
    const hg_matrix none = hg_matrix_rows(d_z, 0, 0);
    hg_bias_gradient(&none, false, d_bias.data);
  }
  for (int s = 0; s < made.n; s++) {
    const hg_matrix d = hg_matrix_rows(d_z, made.span[s].first, made.span[s].n);
    hg_bias_gradient(&d, s > 0, d_bias.data);
  }
}

void hg_layer_finish_gradient(hg_layer *layer, const hg_pass *pass, hg_matrix *d_h)
{
  hg_matrix h = hg_matrix_rows(&layer->h, 0, d_h->rows);
  if (d_h->data != h.data) // else the layer after went through the activation
    hg_activate_gradient(layer->activation, &h, hg_dropout_scale(output_dropout(layer, pass)), d_h);
  if (layer->norm != HG_LAYER_NORM_NONE) norm_gradient(layer, d_h);
  if (layer->bias) bias_gradient(layer, d_h);
  if (layer->labels) {
    hg_matrix d_e = hg_layer_parameter(layer, layer->d_theta, "label");
    hg_gemm_at(&layer->labels->sums, d_h, HG_ZEROS_KEPT, 0, &d_e, layer->work->scratch);
  }
  hg_recompute_input(layer, pass, d_h);
  hg_phases_lap(pass->phases, HG_PHASE_ELEMENTWISE);
}
