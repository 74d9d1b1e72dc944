#include "runtime/train/memory_plan.h"

#include "comm/host_exchange.h"
#include "core/base/alloc.h"
#include "models/augment.h"
#include "models/scored.h"
#include "models/skip_rows.h"

static size_t csr_bytes(hg_off rows, hg_off entries, size_t value)
{
  return (size_t)(rows + 1) * sizeof(hg_off) + (size_t)entries * (sizeof(hg_lid) + value);
}

// as hg_local_graph_create finds it
static bool shares_transposed(const hg_dataset *d) { return d->header.symmetric && d->part.n_halo == 0; }

// ids and known covers, as they were read
static size_t halo_bytes(const hg_part *p) { return (size_t)p->n_halo * (sizeof(hg_gid) + sizeof(int32_t)); }

static size_t graph_bytes(const hg_dataset *d)
{
  const hg_part *p = &d->part;
  hg_off edges = p->a.indptr[p->n_owned], n_local = (hg_off)p->n_owned + p->n_halo;
  size_t bytes = csr_bytes(p->n_owned, edges, 0) + (shares_transposed(d) ? 0 : csr_bytes(n_local, edges, 0));
  bytes += (size_t)n_local * (sizeof(hg_gid) + 2 * sizeof(hg_real)) + halo_bytes(p);
  bytes += (size_t)p->n_owned * (HG_SPLIT_COUNT * sizeof(hg_lid) + sizeof(int32_t) + sizeof(int64_t) + 1);
  return bytes + (size_t)p->n_owned * (size_t)p->nodes.n_dims * sizeof(float);
}

// with slabs a rank holds its part as it was read, and the edges of a group's part
static size_t slabs_graph_bytes(const hg_dataset *d, const hg_slabs *slabs)
{
  const hg_part *p = &d->part;
  size_t bytes = csr_bytes(p->n_owned, p->a.indptr[p->n_owned], 0) + halo_bytes(p);
  bytes += (size_t)p->n_owned * (HG_SPLIT_COUNT * sizeof(hg_lid) + sizeof(int32_t) + 2 * sizeof(int64_t) + 1);
  return bytes + hg_slabs_bytes(slabs, d->header.symmetric);
}

// halo rows are assumed to be as full as owned ones: their entries are not known yet
static size_t feature_bytes(const hg_dataset *d, const hg_slabs *slabs)
{
  const hg_part *p = &d->part;
  const hg_features *f = &p->nodes.features;
  hg_off n_local = (hg_off)p->n_owned + (slabs ? 0 : p->n_halo);
  if (f->dense) return (size_t)n_local * (size_t)f->width * sizeof(hg_real);
  hg_off owned = f->indptr ? f->indptr[p->n_owned] : 0;
  hg_off entries = p->n_owned ? (hg_off)((double)owned * (double)n_local / (double)p->n_owned) : 0;
  return 2 * csr_bytes(n_local, entries, sizeof(hg_real)) + csr_bytes(f->width, entries, sizeof(hg_real)) +
         HG_TRANSPOSE_PIECES * (size_t)f->width * sizeof(hg_off);
}

// activations, workspace and parameters; the planned model is the caller's to free
static hg_status plan_model(hg_memory *m, const hg_config *config, const hg_stage *stages, int n_stages,
                            hg_input *input, int n_outputs, hg_model *model)
{
  hg_status rc = hg_model_plan(model, &config->model, stages, n_stages, input, n_outputs);
  if (rc != HG_OK) return rc;
  const hg_model_size size = hg_model_measure(model);
  int moments = config->train.optimizer == HG_OPTIMIZER_SGD ? 1 : 2;
  int copies = 2 + 2 + 2 * moments; // weights, gradients, best weights, weights, moments; and in the checkpoint
  m->activations = size.activations;
  m->workspace = size.workspace;
  m->parameters = (size_t)(copies * model->n_parameters) * sizeof(hg_real);
  return HG_OK;
}

static int embedding_width(const hg_model *planned)
{
  const hg_layer *last = &planned->layers[planned->n_layers - 1];
  return last->index > 0 ? last->f_in : last->f_out;
}

static void add_up(hg_memory *m)
{
  m->total = m->graph + m->features + m->activations + m->workspace + m->halo + m->parameters;
}

// A first layer that keeps its aggregate, or columns, made them before the rest was there: what that needed more.
static size_t aggregating_bytes(const hg_memory *m, const hg_dataset *d, const hg_slabs *slabs, const hg_layer *first)
{
  const hg_slabs_room room = hg_slabs_room_for(slabs, first->f_in);
  size_t buffers = first->cached ? hg_slabs_aggregate_once_bytes(slabs, first->f_in) : hg_slabs_room_bytes(&room);
  size_t then = feature_bytes(d, slabs) + buffers + (first->cached ? first->type->bytes(first) : 0);
  size_t later = m->activations + m->workspace + m->halo + m->parameters;
  return then > later ? then - later : 0;
}

// The same where halo rows of the aggregate are kept: features and some columns stood beside it.
static size_t computing_bytes(const hg_memory *m, const hg_dataset *d, const hg_layer *first)
{
  const hg_part *p = &d->part;
  const hg_links *near = hg_links_near(&d->links);
  const hg_exchange_packing reals = {.format = HG_PACK_REAL};
  hg_host_room room = {0};
  hg_off n_local = (hg_off)p->n_owned + p->n_halo, sent = near->send_offsets[near->n_peers_send];
  int columns = first->f_in < HG_PANEL_COLUMNS ? first->f_in : HG_PANEL_COLUMNS;
  size_t panels = (size_t)((n_local + p->n_owned + sent) * columns) * sizeof(hg_real);
  hg_host_room_widen(&room, columns, &reals);
  if (d->links.hosts) panels += hg_host_exchange_bytes(&d->links, HG_FILL_HALO, &room);
  size_t features = (size_t)p->n_owned * (size_t)first->f_in * sizeof(hg_real);
  size_t then = first->type->bytes(first) + (features > panels ? features : panels);
  size_t later = m->activations + m->workspace + m->halo + m->parameters;
  return then > later ? then - later : 0;
}

hg_status hg_memory_plan(hg_memory *memory, const hg_config *config, hg_world *world, const hg_dataset *dataset,
                         const hg_active *active, const hg_active *scored, hg_slabs *slabs)
{
  const hg_part *p = &dataset->part;
  const hg_nodes *nodes = &p->nodes;
  hg_off sent = dataset->links.send_offsets[dataset->links.n_peers_send];
  const hg_stage stage = {.graph = {.world = world,
                                    .part = p,
                                    .links = slabs ? NULL : &dataset->links,
                                    .n_global = p->n_global,
                                    .n_owned = p->n_owned,
                                    .n_local = p->n_owned + (slabs ? 0 : p->n_halo),
                                    .n_dims = nodes->n_dims,
                                    .shares_transposed = !slabs && shares_transposed(dataset),
                                    .slabs = slabs}};
  hg_input input = {.width = nodes->features.width, .is_dense = !nodes->features.indptr};
  hg_model model = {0};
  hg_memory m = {0};
  size_t some;
  hg_status rc = HG_OK;
  HG_TRY(plan_model(&m, config, &stage, 1, &input, nodes->n_classes, &model));
  m.graph = slabs ? slabs_graph_bytes(dataset, slabs) : graph_bytes(dataset);
  if (model.layers[0].type->needs_positions)
    m.graph += (size_t)stage.graph.n_local * (size_t)stage.graph.n_dims * sizeof(hg_real);
  m.graph += hg_model_active_bytes(&model, active, p) + hg_model_scored_bytes(&model, scored, p);
  m.graph += (size_t)((active->n_levels > 0) + (scored->n_levels > 0)) * (size_t)p->n_owned;
  if (config->model.label_rate > 0)
    m.features += hg_label_input_bytes(p->n_owned, stage.graph.n_local, nodes->n_classes, model.layers[0].f_out);
  HG_TRY(hg_skip_rows_bytes(&model, active, p, &some));
  m.features += some;
  m.graph += hg_augment_bytes(&config->augment, &stage.graph);
  if (config->augment.test_samples > 0)
    m.workspace += (size_t)p->n_owned * (size_t)(nodes->n_classes + embedding_width(&model)) * sizeof(hg_real);
  m.halo = (size_t)sent * sizeof(hg_lid) + hg_model_measure(&model).halo;
  if (!model.layers[0].cached && !model.layers[0].keeps_columns)
    m.features += feature_bytes(dataset, slabs);
  else if (slabs)
    m.features += aggregating_bytes(&m, dataset, slabs, &model.layers[0]);
  else if (model.layers[0].computes_halo)
    m.features += computing_bytes(&m, dataset, &model.layers[0]);
  add_up(&m);
  *memory = m;
done:
  hg_model_free(&model);
  return rc;
}

hg_status hg_memory_plan_batches(hg_memory *memory, const hg_config *config, const hg_batch_source *source,
                                 const hg_batch_room *room)
{
  const hg_hierarchy *h = source->hierarchy;
  const hg_nodes *nodes = &source->collection->united.nodes;
  hg_input input = {.width = nodes->features.width, .is_dense = true, .varies = true};
  hg_stage *stages = NULL;
  hg_model model = {0};
  hg_memory m = {0};
  hg_status rc = HG_OK;
  HG_TRY(HG_ALLOC(stages, h->n_levels + 1, "stages"));
  for (int s = 0; s <= h->n_levels; s++) {
    hg_local_graph *g = &stages[s].graph;
    g->n_owned = g->n_local = (hg_lid)(s < h->n_levels ? room->rows[s] : room->graphs);
    g->n_dims = s < h->n_levels ? h->levels[s].n_dims : 0;
  }
  HG_TRY(plan_model(&m, config, stages, h->n_levels + 1, &input, source->collection->items.n_classes, &model));
  m.graph = hg_collection_bytes(source->collection) + hg_hierarchy_bytes(h) + 2 * hg_batch_bytes(source, room);
  add_up(&m);
  *memory = m;
done:
  hg_model_free(&model);
  hg_free(&stages);
  return rc;
}
