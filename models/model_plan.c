// What a model consists of and how large it will be; models/model.c allocates and runs it.
#include <string.h>

#include "comm/host_exchange.h"
#include "core/base/alloc.h"
#include "core/base/threads.h"
#include "core/tensor/gemm.h"
#include "core/tensor/nonzero.h"
#include "models/compute_first.h"
#include "models/hidden_rows.h"
#include "models/model.h"
#include "models/recompute.h"
#include "models/skip_products.h"
#include "models/skip_rows.h"
#include "models/stale.h"
#include "models/streamed.h"
#include "models/thin.h"

static int max_int(int a, int b) { return a > b ? a : b; }

static hg_off max_off(hg_off a, hg_off b) { return a > b ? a : b; }

int hg_model_coarsenings(const hg_model_options *options)
{
  return options->pooling == HG_POOLING_CLUSTER ? options->layers : 0;
}

bool hg_model_aggregates(const hg_layer *layer) { return !layer->type->local && !layer->cached; }

// Batch norm's moments are of all rows, so layers up to the last one that has it compute them all.
int hg_model_active_levels(const hg_model_options *options)
{
  const hg_layer_type *type;
  if (hg_layer_type_find(&type, options->type) != HG_OK || type->local) return 0;
  if (options->norm == HG_LAYER_NORM_BATCH) return 1;
  return options->layers < HG_ACTIVE_LEVELS ? options->layers : HG_ACTIVE_LEVELS;
}

static bool is_pooled(const hg_model *model, int l)
{
  return l > 0 && model->layers[l].stage > model->layers[l - 1].stage;
}

hg_pack_format hg_model_pack_format(hg_pack_format precision, bool last)
{
  return last && precision > HG_PACK_INT8 ? HG_PACK_INT8 : precision;
}

// Whether rows that cross are what an activation and dropout made; then their gradients are 0 where they are. A kind of
// layer that passes gradients on after they have crossed knows only of relu that it is so.
static bool has_zeros(const hg_layer *layer, const hg_model_options *o)
{
  bool zeros = o->activation == HG_ACTIVATION_RELU || (layer->dropout > 0 && layer->type->in_place);
  return layer->index > 0 && layer->aggregate_first && zeros;
}

bool hg_halo_skips_zeros(const hg_halo_options *halo, const hg_world *world)
{
  if (halo->precision == HG_PACK_ADAPTIVE || halo->error_feedback) return false;
  if (halo->skip_zeros != HG_SKIP_ZEROS_BETWEEN_HOSTS) return halo->skip_zeros == HG_SKIP_ZEROS_ALWAYS;
  return halo->precision == HG_PACK_REAL && world && hg_world_n_hosts(world) > 1;
}

// Rows of its output, in covers, are less than rows of its input without their zeros.
static bool sends_outputs(const hg_model *model, const hg_layer *layer)
{
  if (model->options.halo.aggregation != HG_AGGREGATION_COVERS || !layer->type->reduces) return false;
  return (double)layer->f_out * sizeof(hg_real) < hg_model_nonzero_bytes(model, layer->index, HG_PACK_REAL);
}

// the widths and options of one layer, from which its type plans parameters
static void describe(hg_model *model, int index, int f_in, int n_outputs)
{
  const hg_model_options *o = &model->options;
  hg_layer *layer = &model->layers[index];
  bool last = index == model->n_layers - 1;
  layer->index = index;
  layer->f_in = f_in;
  layer->f_out = last ? n_outputs : o->hidden;
  layer->residual = o->residual && index > 0 && !last && f_in == layer->f_out;
  layer->dropout = index == 0 ? o->input_dropout : is_pooled(model, index) ? 0 : o->dropout;
  layer->next_dropout = last ? 0 : o->dropout;
  layer->activation = last ? HG_ACTIVATION_NONE : o->activation;
  layer->norm = last ? HG_LAYER_NORM_NONE : o->norm;
  layer->filters = o->filters;
  layer->shared_filters = o->filters_per == HG_FILTERS_SHARED;
  layer->rounds = o->precision == HG_PRECISION_BFLOAT16;
  // Batch norm takes the mean away and adds a bias of its own: another before it would have no gradient but rounding
  // errors, which Adam blows up to whole steps, other ones on every number of ranks.
  layer->bias = o->bias && layer->norm != HG_LAYER_NORM_BATCH;
  layer->label_classes = index == 0 && o->label_rate > 0 ? n_outputs : 0;
  layer->recomputes = o->recompute && !last && layer->norm != HG_LAYER_NORM_NONE;
  layer->type->plan(layer);
  layer->packing = (hg_exchange_packing){.format = hg_model_pack_format(o->halo.precision, last),
                                         .layer = index,
                                         .fraction = o->halo.bytes_fraction,
                                         .error_feedback = o->halo.error_feedback};
  layer->packs_after = o->halo.warmup_epochs;
  layer->staleness = o->halo.staleness;
  layer->stale_format = layer->packing.format;
  if (layer->staleness.kind != HG_STALENESS_NONE)
    layer->packing.format = HG_PACK_REAL;
  else
    layer->packing.skip_zeros =
        has_zeros(layer, o) && hg_halo_skips_zeros(&o->halo, layer->graph->world) && !sends_outputs(model, layer);
}

// on which stage a layer stands, and what kind it is
static void place(hg_model *model, const hg_layer_type *type, int index)
{
  const hg_model_options *o = &model->options;
  hg_layer *layer = &model->layers[index];
  bool head = index >= o->layers;
  layer->type = head ? &hg_layer_mlp : type;
  layer->stage = head ? model->n_stages - 1 : model->n_stages > 1 && o->pooling == HG_POOLING_CLUSTER ? index : 0;
  layer->graph = &model->stages[layer->stage].graph;
  layer->work = &model->work;
}

// A layer reads its output's gradient from one buffer and writes its input's to the other; so does each pool.
static void choose_buffers(hg_model *model)
{
  for (int l = model->n_layers - 1; l > 0; l--) {
    hg_layer *layer = &model->layers[l], *before = layer - 1;
    before->gradient = (layer->gradient + 1 + layer->stage - before->stage) % 2;
  }
}

// of its weights and of their transposed
static hg_off packed_space(const hg_layer *l)
{
  hg_off forward = hg_panel_space(l->f_in, l->f_out), backward = l->index ? hg_panel_space(l->f_out, l->f_in) : 0;
  return l->input && !l->input->is_dense ? 0 : max_off(forward, backward);
}

// Where the next layer works on the same rows, it takes part in this one's end and beginning of its gradient.
static void connect(hg_model *model)
{
  for (int l = 0; l < model->n_layers; l++) {
    hg_layer *layer = &model->layers[l];
    layer->in_place = l > 0 && layer->type->in_place && !is_pooled(model, l);
    layer->drops_output = l + 1 < model->n_layers && !is_pooled(model, l + 1);
    layer->rounds_output = layer->drops_output && (layer + 1)->rounded_width > 0 && (layer + 1)->aggregate_first;
  }
}

// the shared buffer that a layer's output gradient comes in, and the one that its input's goes to
static void size_gradients(hg_model *model)
{
  hg_workspace_size *s = &model->work_size;
  for (int l = 0; l < model->n_layers; l++) {
    const hg_layer *layer = &model->layers[l];
    bool last = l + 1 == model->n_layers, above = last ? model->n_stages == 1 : model->layers[l + 1].in_place;
    hg_off out = above ? 0 : (hg_off)layer->graph->n_owned * layer->f_out;
    hg_off in = l == 0 || layer->in_place ? 0 : (hg_off)layer->graph->n_local * layer->f_in;
    s->gradient[layer->gradient] = max_off(s->gradient[layer->gradient], out);
    s->gradient[!layer->gradient] = max_off(s->gradient[!layer->gradient], in);
  }
  for (int p = 0; p < model->n_stages - 1; p++)
    for (int b = 0; b < 2; b++)
      s->gradient[b] = max_off(s->gradient[b], (hg_off)model->stages[p + 1].graph.n_owned * model->options.hidden);
}

static void size_workspace(hg_model *model)
{
  hg_workspace_size *s = &model->work_size;
  int widest_block = 1;
  for (const hg_layer *l = model->layers; l < model->layers + model->n_layers; l++) {
    hg_off n = l->graph->n_local;
    int widest = max_int(l->f_out, l->index ? l->f_in : 0);
    s->product = max_off(s->product, n * l->product_width);
    s->sums = max_off(s->sums, 2 * (hg_off)widest);
    s->rounded[l->index % 2] = max_off(s->rounded[l->index % 2], n * l->rounded_width);
    if (l->label_classes) s->scratch = max_off(s->scratch, hg_gemm_at_scratch(n, l->label_classes, l->f_out));
    if (l->weight_rows && hg_rows_are_stored(l) && hg_reads_stored_rows(l))
      s->scratch = max_off(s->scratch, hg_gemm_at_scratch(n, l->weight_rows, l->f_out));
    if (l->recomputes) s->hidden = max_off(s->hidden, hg_model_output_rows(model, l->index) * l->f_out);
    if (l->type->in_place) s->packed = max_off(s->packed, packed_space(l));
    if (l->type->in_place) widest_block = max_int(widest_block, widest);
    if (l->turned_width > 0) {
      const hg_slabs_room room = hg_slabs_room_for(l->graph->slabs, l->turned_width);
      hg_slabs_room_widen(&s->slabs, &room);
    }
  }
  s->scratch = max_off(s->scratch, hg_streamed_scratch(model));
  s->packed = max_off(s->packed, hg_streamed_packed(model));
  s->scratch = max_off(s->scratch, hg_thin_scratch(model));
  s->packed = max_off(s->packed, hg_thin_packed(model));
  s->threads = hg_threads();
  s->widest_block = widest_block;
  s->blocks = hg_blocks_space(s->threads, widest_block);
}

static hg_status allocate_layers(hg_model *model)
{
  const hg_model_options *o = &model->options;
  hg_status rc = HG_OK;
  int expected = model->n_stages == 1 ? 1 : hg_model_coarsenings(o) + 2;
  if (model->n_stages != expected)
    return hg_fail(HG_ERR_INTERNAL, "a model on %d stages, expected %d", model->n_stages, expected);
  int n_layers = o->layers + (model->n_stages > 1 ? o->head_layers : 0);
  HG_TRY(HG_ALLOC(model->pools, model->n_stages - 1, "pools"));
  HG_TRY(HG_ALLOC(model->layers, n_layers, "layers"));
  HG_TRY(HG_ALLOC(model->active_rows, n_layers, "shares of active rows"));
  HG_TRY(HG_ALLOC(model->scored_rows, n_layers, "shares of scored rows"));
  for (int l = 0; l < n_layers; l++) model->active_rows[l] = model->scored_rows[l] = 1;
  HG_TRY(HG_ALLOC(model->covered, (hg_off)n_layers + 1, "covers"));
  HG_TRY(HG_ALLOC(model->sampled, n_layers, "samples of halo rows"));
  model->n_layers = n_layers;
done:
  return rc;
}

static hg_status check_recompute(const hg_model_options *o, const hg_layer_type *type, int n_stages)
{
  if (!o->recompute) return HG_OK;
  if (!type->in_place)
    return hg_fail(HG_ERR_INPUT, "model.recompute: found true with model.type %s, expected type gcn or mlp",
                   type->name);
  if (o->halo.staleness.kind != HG_STALENESS_NONE)
    return hg_fail(
        HG_ERR_INPUT,
        "model.recompute: found true with halo.staleness %s, expected none: old rows stay where others write",
        hg_staleness_name(o->halo.staleness.kind));
  if (n_stages > 1)
    return hg_fail(HG_ERR_INPUT, "model.recompute: found true for a collection of graphs, expected one graph");
  return HG_OK;
}

// Without a norm layers keep nothing twice; what could be left out is what is never stored.
static hg_status check_streams(const hg_model *model)
{
  const hg_model_options *o = &model->options;
  if (!o->recompute || o->norm != HG_LAYER_NORM_NONE || model->layers[0].streams) return HG_OK;
  return hg_fail(
      HG_ERR_INPUT,
      "model.recompute: found true with model.norm none, expected batch or layer, or type gcn of 2 layers in "
      "float32 with dense features, input_dropout 0, fewer classes than hidden and label_rate 0");
}

static hg_status check_type(const hg_model_options *o, const hg_layer_type *type, const hg_stage *stage)
{
  if (stage->graph.slabs && (!type->can_turn || o->precision != HG_PRECISION_FLOAT32))
    return hg_fail(HG_ERR_INPUT,
                   "parallel.mode: found features or grid with model.type %s, model.precision %s, "
                   "expected parts, or gcn in float32",
                   type->name, o->precision == HG_PRECISION_FLOAT32 ? "float32" : "bfloat16");
  if (o->halo.aggregation == HG_AGGREGATION_COVERS && !type->linear && !type->reduces && !type->local)
    return hg_fail(HG_ERR_INPUT,
                   "halo.aggregation: found covers with model.type %s, expected sources, or type gcn or geogcn",
                   type->name);
  if (o->halo.aggregation == HG_AGGREGATION_COVERS && type->reduces && o->halo.precision != HG_PACK_REAL)
    return hg_fail(HG_ERR_INPUT,
                   "halo.precision: found fewer bits with halo.aggregation covers and model.type %s, expected float32, "
                   "or sources",
                   type->name);
  if (o->label_rate > 0 && !type->linear)
    return hg_fail(HG_ERR_INPUT, "model.label_rate: found %g with model.type %s, expected 0, or type gcn",
                   o->label_rate, type->name);
  if (o->precision == HG_PRECISION_FLOAT32 || type->can_round) return HG_OK;
  return hg_fail(HG_ERR_INPUT,
                 "model.precision: found bfloat16 with model.type %s, expected float32, or type gcn or mlp",
                 type->name);
}

hg_status hg_model_plan(hg_model *model, const hg_model_options *options, const hg_stage *stages, int n_stages,
                        hg_input *input, int n_outputs)
{
  const hg_layer_type *type;
  hg_status rc = HG_OK;
  memset(model, 0, sizeof *model);
  model->options = *options;
  model->stages = stages;
  model->n_stages = n_stages;
  HG_TRY(hg_layer_type_find(&type, options->type));
  HG_TRY(check_type(options, type, &stages[0]));
  HG_TRY(check_recompute(options, type, n_stages));
  HG_TRY(allocate_layers(model));
  model->layers[0].input = input;
  for (int l = 0, f_in = input->width; l < model->n_layers; f_in = model->layers[l++].f_out) {
    hg_layer *layer = &model->layers[l];
    place(model, type, l);
    describe(model, l, f_in, n_outputs);
    model->n_parameters += layer->n_theta;
    if (layer->norm == HG_LAYER_NORM_BATCH) model->n_state += 2 * (hg_off)layer->f_out;
  }
  hg_compute_first_plan(model);
  hg_streamed_plan(model);
  HG_TRY(check_streams(model));
  hg_thin_plan(model);
  for (int s = 0; s < n_stages - 1; s++) {
    model->pools[s].reduction = s < n_stages - 2 ? HG_REDUCTION_MAX : options->readout;
    model->pools[s].members = &stages[s + 1].members;
  }
  connect(model);
  hg_skip_products_plan(model);
  choose_buffers(model);
  size_workspace(model);
  size_gradients(model);
done:
  return rc;
}

static size_t pool_bytes(const hg_model *model)
{
  hg_off rows = 0;
  for (int s = 1; s < model->n_stages; s++) rows += model->stages[s].graph.n_owned;
  return (size_t)rows * (size_t)model->options.hidden * sizeof(hg_real);
}

int hg_model_exchanged(const hg_model *model, int layer)
{
  const hg_layer *l = &model->layers[layer];
  if (hg_layer_has_halo(l) || !l->graph->links || l->type->local) return 0;
  return l->aggregate_first ? l->f_in : l->f_out;
}

double hg_model_nonzero_bytes(const hg_model *model, int layer, hg_pack_format format)
{
  const hg_layer *l = &model->layers[layer];
  int columns = hg_model_exchanged(model, layer);
  double share = (model->options.activation == HG_ACTIVATION_RELU ? 0.5 : 1) * (1 - l->dropout);
  if (columns == 0 || !has_zeros(l, &model->options)) return columns ? (double)hg_pack_row_bytes(format, columns) : 0;
  return (double)hg_nonzero_mask_bytes(columns) + (double)hg_pack_row_bytes(format, (int)(share * columns + 0.5));
}

bool hg_model_covers(const hg_model *model, int layer)
{
  bool wanted = model->options.halo.aggregation == HG_AGGREGATION_COVERS && hg_model_exchanged(model, layer) > 0;
  return wanted && !model->layers[layer].packing.skip_zeros;
}

int hg_model_turned(const hg_model *model, int layer, bool backward)
{
  const hg_layer *l = &model->layers[layer];
  if (!hg_model_aggregates(l)) return 0;
  if (backward && layer == 0 && l->aggregate_first) return 0; // its input needs no gradient
  return l->aggregate_first ? l->f_in : l->f_out;
}

bool hg_model_keeps_columns(const hg_model *model, int layer)
{
  const hg_layer *l = &model->layers[layer];
  return l->input && l->input->is_dense && !l->input->varies && l->aggregate_first;
}

static size_t exchange_bytes(const hg_layer *layer, const hg_links *links, const hg_exchange_packing *packing)
{
  int cols = layer->aggregate_first ? layer->f_in : layer->f_out;
  hg_exchange_packing back = *packing;
  if (hg_exchange_always_packs(packing) && packing->lent[0].rows == 0) hg_exchange_lend(links, cols, NULL, &back);
  return hg_exchange_bytes(links, HG_FILL_HALO, cols, packing) + hg_exchange_bytes(links, HG_ADD_HALO, cols, &back);
}

// As hg_layer_create_exchanges makes them: of those that pack no zeros the first layer's have room for all.
static size_t whole_exchange_bytes(const hg_layer *layer)
{
  hg_exchange_packing packing = layer->packing;
  for (const hg_layer *l = layer - 1; l->index > 0; l--)
    if (hg_layer_skips_zeros(layer) && hg_layer_skips_zeros(l))
      hg_exchange_lend(l->graph->links, l->f_in, NULL, &packing);
  return exchange_bytes(layer, layer->graph->links, &packing);
}

// of the exchanges of active rows, which borrow buffers of those of all rows; these then send all reals
static size_t active_exchange_bytes(const hg_layer *layer, const hg_links *links)
{
  const hg_links *all = layer->graph->links, *near = hg_links_near(all);
  const hg_exchange_packing reals = {.format = HG_PACK_REAL};
  int cols = layer->aggregate_first ? layer->f_in : layer->f_out;
  hg_exchange_packing packing = layer->packing;
  if (hg_layer_skips_zeros(layer)) {
    hg_exchange_lend(all, cols, NULL, &packing);
    return exchange_bytes(layer, links, &packing);
  }
  for (int k = 0; k < 2; k++) packing.lent[k] = hg_matrix_view(NULL, near->send_offsets[near->n_peers_send], cols);
  return exchange_bytes(layer, links, &packing) + exchange_bytes(layer, all, &reals) -
         exchange_bytes(layer, all, &layer->packing);
}

// What exchanges between hosts share (comm/host_exchange.h) along the links of one layer, or of all.
static size_t merged_bytes(const hg_model *model, const hg_links *links, int first, int end)
{
  hg_host_room room = {0};
  for (int l = first; l < end; l++) hg_host_room_widen(&room, hg_model_exchanged(model, l), &model->layers[l].packing);
  return hg_host_exchange_bytes(links, HG_FILL_HALO, &room) + hg_host_exchange_bytes(links, HG_ADD_HALO, &room);
}

hg_model_size hg_model_measure(const hg_model *model)
{
  const hg_workspace_size s = model->work_size;
  hg_off numbers = 0;
  hg_off shared = s.product + s.gradient[0] + s.gradient[1] + s.scratch + s.packed + s.blocks + s.hidden;
  hg_model_size size = {.halo = hg_slabs_room_bytes(&s.slabs),
                        .workspace = (size_t)shared * sizeof(hg_real) + (size_t)s.sums * sizeof(double) +
                                     (size_t)(s.rounded[0] + s.rounded[1]) * sizeof(hg_bf16)};
  for (int l = 0; l < model->n_layers; l++) {
    const hg_layer *layer = &model->layers[l];
    if (!layer->recomputes && hg_rows_are_stored(layer)) numbers += hg_model_output_rows(model, l) * layer->f_out;
    if (hg_recompute_keeps_halo(layer, model->n_layers))
      numbers += (hg_off)(layer->graph->n_local - layer->graph->n_owned) * layer->f_in;
    if (layer->norm != HG_LAYER_NORM_NONE) numbers += hg_layer_rows(layer) * layer->f_out;
    if (layer->norm == HG_LAYER_NORM_LAYER) numbers += hg_layer_rows(layer);
    if (layer->norm == HG_LAYER_NORM_BATCH) numbers += 2 * (hg_off)layer->f_out;
    size.activations += layer->type->bytes(layer);
    if (hg_model_exchanged(model, l) > 0) size.halo += whole_exchange_bytes(layer);
  }
  const hg_links *links = model->layers[0].graph->links;
  if (links && links->hosts) size.halo += merged_bytes(model, links, 0, model->n_layers);
  size.activations += (size_t)numbers * sizeof(hg_real) + pool_bytes(model);
  return size;
}

// the same of drawn rows, which never lie in their places: links that know no more than how many they are
static size_t sampled_exchange_bytes(const hg_layer *layer, const hg_links *links, double rate)
{
  hg_lid sent = hg_sampled_sent(links, rate), received = hg_sampled_received(links, rate);
  const hg_links drawn = {.send_offsets = &sent, .recv_offsets = &received, .recv_rows = &received};
  return active_exchange_bytes(layer, &drawn);
}

// As if no row less crossed; but rows that are received find room where all rows are packed, as far as covers go.
static size_t sums_exchange_bytes(const hg_layer *layer, const hg_links *links, const hg_exchange_packing *packing)
{
  hg_lid sent = links->send_offsets[links->n_peers_send], received = links->recv_offsets[links->n_peers_recv];
  hg_link_sums sums = {0};
  if (received > sent) received = sent;
  const hg_links most = {.send_offsets = &sent, .recv_offsets = &received, .recv_rows = &received, .sums = &sums};
  return exchange_bytes(layer, &most, packing);
}

// of exchanges of covers, of all rows and of `active` ones or NULL, instead of those of all rows that were measured
static size_t covered_exchange_bytes(const hg_layer *layer, const hg_links *active)
{
  const hg_links *all = layer->graph->links;
  const hg_exchange_packing reals = {.format = HG_PACK_REAL};
  hg_exchange_packing packing = layer->packing;
  size_t before = exchange_bytes(layer, all, &packing);
  size_t bytes = sums_exchange_bytes(layer, all, active ? &reals : &packing);
  int cols = layer->aggregate_first ? layer->f_in : layer->f_out;
  for (int k = 0; k < 2; k++) packing.lent[k] = hg_matrix_view(NULL, all->send_offsets[all->n_peers_send], cols);
  if (active) bytes += sums_exchange_bytes(layer, active, &packing);
  return bytes - before;
}

// numbers of the rows that a layer computes for other ranks, for which the buffers of all layers have no room
static hg_off reduced_room(const hg_model *model, const hg_layer *layer)
{
  const hg_workspace_size *s = &model->work_size;
  hg_off most = hg_prereduced_most(layer->graph->links, layer->f_in, layer->f_out);
  hg_off product = (most + layer->graph->n_local) * layer->product_width - s->product;
  hg_off scratch = hg_gemm_at_scratch(most, layer->weight_rows, layer->f_out) - s->scratch;
  return max_off(product, 0) + max_off(scratch, 0);
}

// of rows for other ranks, of all edges and of a level's or NULL; layers of the same widths share those of all
static size_t reduced_bytes(const hg_model *model, const hg_layer *layer, const hg_active_level *level,
                            const hg_part *part)
{
  const hg_links *all = layer->graph->links;
  int dims = layer->graph->n_dims, f_in = layer->f_in, f_out = layer->f_out;
  const hg_links some = {
      .send_offsets = &all->send_offsets[all->n_peers_send],
      .recv_offsets = &all->recv_offsets[all->n_peers_recv],
      .recv_rows = &all->recv_offsets[all->n_peers_recv],
  };
  size_t bytes = hg_partial_rows_bytes(all, f_in, f_out) + exchange_bytes(layer, &some, &layer->packing) -
                 exchange_bytes(layer, all, &layer->packing);
  bool shared = false;
  for (const hg_layer *l = layer + 1; l < model->layers + model->n_layers; l++)
    shared = shared || (l->f_in == f_in && l->f_out == f_out);
  if (!shared) bytes += hg_prereduced_bytes(all, hg_csr_entries(&part->a), dims, f_in, f_out);
  if (!level) return bytes;
  return bytes + hg_prereduced_bytes(&level->links, level->edges, dims, f_in, f_out) +
         hg_partial_rows_bytes(&level->links, f_in, f_out) + active_exchange_bytes(layer, &level->links);
}

size_t hg_model_active_bytes(const hg_model *model, const hg_active *active, const hg_part *part)
{
  size_t bytes = 0;
  hg_off kept = 0;
  bool covered = false;
  double rate = model->options.halo.sample;
  for (int k = 0; k < model->n_layers; k++) {
    const hg_layer *layer = &model->layers[model->n_layers - 1 - k];
    bool pruned = hg_prunes_edges(model, active, layer), crosses = hg_model_exchanged(model, layer->index) > 0;
    if (!hg_model_aggregates(layer)) continue;
    const hg_links *links = pruned ? &active->levels[k].links : layer->graph->links;
    if (pruned) bytes += hg_active_bytes(active, k, part, hg_pruned_edges(model, layer, true));
    if (crosses && hg_model_covers(model, layer->index) && layer->type->reduces) {
      bytes += reduced_bytes(model, layer, pruned ? &active->levels[k] : NULL, part);
      kept = max_off(kept, reduced_room(model, layer));
      continue;
    }
    if (crosses && hg_model_covers(model, layer->index)) {
      if (pruned) bytes += hg_covered_bytes(links, active->levels[k].edges);
      if (!covered) bytes += hg_covered_bytes(layer->graph->links, hg_csr_entries(&part->a));
      covered = true;
      bytes += covered_exchange_bytes(layer, pruned ? links : NULL);
      hg_lid sent = links->send_offsets[links->n_peers_send];
      kept = max_off(kept, hg_layer_kept(layer, sent < part->n_owned ? sent : part->n_owned));
      continue;
    }
    if (crosses && rate < 1) bytes += hg_sampled_bytes(links, rate) + sampled_exchange_bytes(layer, links, rate);
    if (crosses && pruned && rate >= 1) bytes += active_exchange_bytes(layer, links);
    if (crosses && pruned && links->hosts) bytes += merged_bytes(model, links, layer->index, layer->index + 1);
    if (crosses) bytes += hg_stale_bytes(layer, links);
  }
  return bytes + (size_t)kept * sizeof(hg_real);
}

hg_off hg_model_output_rows(const hg_model *model, int layer)
{
  const hg_local_graph *g = model->layers[layer].graph;
  bool exchanged = layer + 1 < model->n_layers && model->layers[layer + 1].aggregate_first;
  return exchanged || model->layers[layer].computes_halo ? g->n_local : g->n_owned;
}
