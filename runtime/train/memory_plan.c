#include "runtime/train/memory_plan.h"

#include <string.h>

#include "core/tensor/gemm.h"

static hg_off max_off(hg_off a, hg_off b) { return a > b ? a : b; }

static size_t csr_bytes(hg_off rows, hg_off entries, size_t value)
{
  return (size_t)(rows + 1) * sizeof(hg_off) + (size_t)entries * (sizeof(hg_lid) + value);
}

static size_t graph_bytes(const hg_dataset *d)
{
  const hg_part *p = &d->part;
  hg_off edges = p->a.indptr[p->n_owned], n_local = (hg_off)p->n_owned + p->n_halo;
  size_t bytes = csr_bytes(p->n_owned, edges, 0) + csr_bytes(n_local, edges, 0);
  bytes += (size_t)n_local * (sizeof(hg_gid) + 2 * sizeof(hg_real)) + (size_t)p->n_halo * sizeof(hg_gid);
  bytes += (size_t)p->n_owned * (HG_SPLIT_COUNT * sizeof(hg_lid) + sizeof(int32_t) + sizeof(int64_t) + 1);
  return bytes + (size_t)p->n_owned * (size_t)p->nodes.n_dims * sizeof(float);
}

// halo rows are assumed to be as full as owned ones: their entries are not known yet
static size_t feature_bytes(const hg_config *config, const hg_dataset *d)
{
  const hg_part *p = &d->part;
  const hg_features *f = &p->nodes.features;
  hg_off n_local = (hg_off)p->n_owned + p->n_halo;
  if (f->dense && config->model.input_dropout <= 0) return 0; // their aggregate replaces them
  if (f->dense) return (size_t)n_local * (size_t)f->width * sizeof(hg_real);
  hg_off owned = f->indptr ? f->indptr[p->n_owned] : 0;
  hg_off entries = p->n_owned ? (hg_off)((double)owned * (double)n_local / (double)p->n_owned) : 0;
  return csr_bytes(n_local, entries, sizeof(hg_real)) + csr_bytes(f->width, entries, sizeof(hg_real)) +
         (size_t)entries * (sizeof(hg_off) + sizeof(hg_real));
}

// one layer's widths and how it computes, as models/gcn.c plans it
typedef struct {
  hg_off f_in, f_out;
  bool first, last, sparse, cached, aggregate_first, norm, batch;
} layer_shape;

static layer_shape shape_of(const hg_config *config, const hg_dataset *d, int layer)
{
  const hg_model_options *o = &config->model;
  layer_shape s = {.first = layer == 0, .last = layer == o->layers - 1};
  s.f_in = s.first ? d->part.nodes.features.width : o->hidden;
  s.f_out = s.last ? d->part.nodes.n_classes : o->hidden;
  s.sparse = s.first && !d->part.nodes.features.dense;
  s.cached = s.first && !s.sparse && o->input_dropout <= 0;
  s.aggregate_first = s.cached || (!s.sparse && s.f_out > s.f_in);
  s.norm = !s.last && o->norm != HG_LAYER_NORM_NONE;
  s.batch = s.norm && o->norm == HG_LAYER_NORM_BATCH;
  return s;
}

static void add_layer(hg_memory *m, const hg_config *config, const hg_dataset *d, int layer)
{
  const layer_shape s = shape_of(config, d, layer);
  hg_off n = d->part.n_owned, n_local = n + d->part.n_halo, sent = d->links.send_offsets[d->links.n_peers_send];
  bool next_needs_halo = !s.last && shape_of(config, d, layer + 1).aggregate_first;
  m->activations += (size_t)((next_needs_halo ? n_local : n) * s.f_out) * sizeof(hg_real);
  if (s.norm) m->activations += (size_t)(n * (s.f_out + 1)) * sizeof(hg_real);
  if (s.aggregate_first) m->activations += (size_t)(n * s.f_in) * sizeof(hg_real);
  if (s.first && !s.sparse && !s.cached) m->activations += (size_t)(n_local * s.f_in) * sizeof(hg_real);
  if (!s.first) m->halo += 2 * (size_t)(sent * (s.aggregate_first ? s.f_in : s.f_out)) * sizeof(hg_real);
  hg_off n_parameters = s.f_in * s.f_out + (config->model.bias && !s.batch) * s.f_out + 2 * s.norm * s.f_out;
  int copies =
      2 + 2 +
      (config->train.optimizer == HG_OPTIMIZER_SGD ? 2 : 4); // weights, gradients, moments; and in the checkpoint
  m->parameters += (size_t)(copies * n_parameters) * sizeof(hg_real);
}

static size_t workspace_bytes(const hg_config *config, const hg_dataset *d)
{
  hg_off n_local = (hg_off)d->part.n_owned + d->part.n_halo, product = 0, widest = 0, scratch = 0;
  for (int l = 0; l < config->model.layers; l++) {
    layer_shape s = shape_of(config, d, l);
    product = max_off(product, s.aggregate_first ? (s.first ? 0 : s.f_in) : s.f_out);
    widest = max_off(widest, max_off(s.f_out, s.first ? 0 : s.f_in));
    if (!s.sparse) scratch = max_off(scratch, hg_gemm_at_scratch(n_local, (int)s.f_in, (int)s.f_out));
  }
  return (size_t)(n_local * (product + 2 * widest) + scratch) * sizeof(hg_real);
}

hg_memory hg_memory_plan(const hg_config *config, const hg_dataset *dataset)
{
  hg_memory m = {0};
  m.graph = graph_bytes(dataset);
  m.features = feature_bytes(config, dataset);
  m.workspace = workspace_bytes(config, dataset);
  m.halo = (size_t)dataset->links.send_offsets[dataset->links.n_peers_send] * sizeof(hg_lid);
  for (int l = 0; l < config->model.layers; l++) add_layer(&m, config, dataset, l);
  m.total = m.graph + m.features + m.activations + m.workspace + m.halo + m.parameters;
  return m;
}
