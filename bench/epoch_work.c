#include "bench/epoch_work.h"

#include "runtime/train/feed.h"

typedef struct {
  hg_epoch_work work;
  const hg_bench_limits *limits;
  double n, edges, entries; ///< rows; edges with self-loops; stored entries of sparse features or 0
  double dims;              ///< of positions
} counter;

static const double real = sizeof(hg_real);

static void add(counter *c, double flops, double bytes)
{
  double by_flops = flops / c->limits->flops, by_bytes = bytes / c->limits->bandwidth;
  c->work.flops += flops;
  c->work.bytes += bytes;
  c->work.floor_s += by_flops > by_bytes ? by_flops : by_bytes;
}

static void add_gemm(counter *c, double in, double out)
{
  add(c, 2 * c->n * in * out, real * (c->n * (in + out) + in * out));
}

// along the edges that training passes need: this rank's share of them stands for all ranks'
static void add_spmm(counter *c, const hg_layer *l, double width)
{
  const hg_operator *some = &hg_layer_training_reach(l)->graph->forward;
  hg_off all = hg_csr_entries(l->whole.graph->forward.a), needed = hg_operator_entries(some, some->a->n_rows);
  double share = all ? (double)needed / (double)all : 1;
  double edges = share * c->edges;
  add(c, 2 * edges * width, 2 * real * c->n * width + sizeof(hg_lid) * edges + sizeof(hg_off) * c->n);
}

// x W and its weight gradient, with the input's gradient but in the first layer
static void add_products(counter *c, const hg_layer *l, double in)
{
  bool sparse = l->input && !l->input->is_dense;
  for (int k = 0; k < 2; k++) {
    if (sparse)
      add(c, 2 * c->entries * l->f_out,
          c->entries * (sizeof(hg_lid) + real) + sizeof(hg_off) * c->n + real * (c->n + in) * l->f_out);
    else
      add_gemm(c, in, l->f_out);
  }
  if (l->index) add_gemm(c, in, l->f_out);
}

// forward and, but for inputs that are aggregated first, the gradient
static void add_aggregation(counter *c, const hg_layer *l)
{
  if (l->type->local || l->cached) return;
  double width = l->aggregate_first ? l->f_in : l->f_out;
  add_spmm(c, l, width);
  if (l->index || !l->aggregate_first) add_spmm(c, l, width);
}

// gates, masks and sums of core/tensor/geo.h, forward and backward
static void add_geo(counter *c, const hg_layer *l)
{
  double maps = (double)l->f_in * l->filters, gates = l->shared_filters ? l->filters : maps;
  double forward = gates * (2 * c->dims + 1) + 2 * maps;
  double backward = gates * (4 * c->dims + (l->shared_filters ? 3 : 2)) + (l->shared_filters ? 4 * maps : 0);
  double bytes = c->edges * sizeof(hg_lid) + c->n * (real * (l->f_in + c->dims) + sizeof(hg_off));
  add(c, c->edges * forward, bytes + real * c->n * maps);
  add(c, c->edges * backward, bytes + real * c->n * (maps + l->f_in));
  add_products(c, l, maps);
}

// Dropout of the input, bias, norm and activation: one pass over the output forward and its gradient backward.
static void add_elementwise(counter *c, const hg_layer *l)
{
  bool norm = l->norm != HG_LAYER_NORM_NONE;
  if (l->input && l->dropout > 0) add(c, 0, l->input->is_dense ? 2 * real * c->n * l->f_in : 2 * real * c->entries);
  if (!l->bias && !norm && l->activation == HG_ACTIVATION_NONE) return;
  add(c, 0, real * c->n * l->f_out * (norm ? 4 : 2));
  bool masked = l->activation != HG_ACTIVATION_NONE || l->next_dropout > 0;
  add(c, 0, real * c->n * l->f_out * (norm ? 5 : masked ? 3 : 1));
}

hg_epoch_work hg_epoch_work_count(const hg_trainer *trainer, const hg_bench_limits *limits)
{
  const hg_model *m = &trainer->model;
  const hg_layer *last = &m->layers[m->n_layers - 1];
  counter c = {.limits = limits, .n = (double)trainer->facts.n_nodes, .dims = m->layers[0].graph->n_dims};
  if (trainer->type == &hg_feed_collection) return c.work;
  c.edges = (double)trainer->facts.n_edges + (m->options.self_loops ? c.n : 0);
  if (m->layers[0].input && !m->layers[0].input->is_dense)
    c.entries = (double)hg_csr_entries(&m->layers[0].input->sparse) * c.n / (double)m->layers[0].graph->n_local;
  for (const hg_layer *l = m->layers; l <= last; l++) {
    if (l->type->needs_positions) {
      add_geo(&c, l);
    } else {
      add_products(&c, l, l->f_in);
      add_aggregation(&c, l);
    }
    add_elementwise(&c, l);
  }
  add(&c, 0, 2 * real * c.n * last->f_out); // the loss and its gradient
  add(&c, 0, (3 + 2 * trainer->optimizer.type->n_moments) * real * (double)m->n_parameters);
  return c.work;
}
