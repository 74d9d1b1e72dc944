#include "runtime/train/traffic.h"

#include <stdio.h>

#include "runtime/train/check_model.h"
#include "runtime/train/grid_traffic.h"

enum { DIRECTIONS = 2, WIDTHS_MOST = 1000, WORD = 4 };

// What the layers of a model exchange: columns, by layer.
typedef struct {
  int n;
  int widths[WIDTHS_MOST], inputs[WIDTHS_MOST]; // of the layers that exchange: what they aggregate, and their inputs
  double nonzero[HG_PACK_COUNT]; // bytes of one row in all exchanges of an epoch without zeros, by format
  bool last[WIDTHS_MOST];
  int first_input;     // columns of the features
  hg_grid_work turned; // products with the adjacency, where ranks aggregate by columns
  bool can_turn;       // `halognn train` does that, for this model
} exchanged;

static void add_nonzero(exchanged *x, const hg_model *model, int layer)
{
  bool last = layer == model->n_layers - 1;
  for (int f = 0; f < HG_PACK_COUNT; f++) {
    hg_pack_format format = hg_model_pack_format((hg_pack_format)f, last);
    double row = hg_model_nonzero_bytes(model, layer, format);
    x->nonzero[f] += DIRECTIONS * (format == HG_PACK_REAL ? row * WORD / (double)sizeof(hg_real) : row);
  }
}

hg_status hg_planned_model_make(hg_planned_model *planned, const hg_config *config, const hg_graph *graph)
{
  static const hg_links some = {0}; // a graph in parts has links, which is all that planning asks
  const hg_nodes *nodes = &graph->nodes;
  hg_status rc = hg_check_pooling(config);
  *planned = (hg_planned_model){.stage = {.graph = {.links = &some,
                                                    .n_global = nodes->n,
                                                    .n_owned = (hg_lid)nodes->n,
                                                    .n_local = (hg_lid)nodes->n,
                                                    .n_dims = nodes->n_dims}},
                                .input = {.width = nodes->features.width, .is_dense = !nodes->features.indptr}};
  if (rc != HG_OK) return rc;
  return hg_model_plan(&planned->model, &config->model, &planned->stage, 1, &planned->input, nodes->n_classes);
}

static hg_status read_model(exchanged *x, const hg_config *config, hg_compute_first compute_first,
                            const hg_graph *graph)
{
  hg_planned_model planned;
  const hg_model *model = &planned.model;
  hg_config as_asked = *config;
  hg_status rc = HG_OK;
  as_asked.model.halo.compute_first = compute_first;
  HG_TRY(hg_planned_model_make(&planned, &as_asked, graph));
  x->first_input = planned.input.width;
  for (int l = 0; l < model->n_layers; l++) {
    int columns = hg_model_exchanged(model, l);
    if (columns == 0) continue;
    x->last[x->n] = l == model->n_layers - 1;
    x->inputs[x->n] = model->layers[l].f_in;
    add_nonzero(x, model, l);
    x->widths[x->n++] = columns;
  }
  // NOLINTNEXTLINE(clang-analyzer-core.NullDereference): a planned model has layers
  x->can_turn = model->layers[0].type->can_turn && config->model.precision == HG_PRECISION_FLOAT32 &&
                !config->model.recompute && config->model.label_rate <= 0;
  HG_TRY(hg_grid_work_create(&x->turned, model));
done:
  hg_model_free(&planned.model);
  return rc;
}

static double row_bytes(hg_pack_format format, bool last, int columns)
{
  format = hg_model_pack_format(format, last);
  return format == HG_PACK_REAL ? (double)columns * WORD : (double)hg_pack_row_bytes(format, columns);
}

// bytes of one row in all exchanges of an epoch
static double bytes_of_rows(const exchanged *x, hg_pack_format format)
{
  double bytes = 0;
  for (int k = 0; k < x->n; k++) bytes += DIRECTIONS * row_bytes(format, x->last[k], x->widths[k]);
  return bytes;
}

static hg_scheme *add(hg_traffic_plan *plan, const char *name, const char *how, bool runs, hg_scheme_work work)
{
  hg_scheme *s = &plan->schemes[plan->n_schemes++];
  *s = (hg_scheme){.name = name, .how = how, .runs = runs, .work = work, .way = -1};
  return s;
}

static hg_scheme *add_halo(hg_traffic_plan *plan, const char *name, const char *how, bool runs,
                           const hg_halo_rows *rows, hg_send_mode mode, double row, int exchanges)
{
  hg_scheme *s = add(plan, name, how, runs, HG_WORK_PARTS);
  s->total = row * (double)rows->total[mode];
  s->largest = row / DIRECTIONS * (double)rows->both_ways[mode];
  s->messages = (double)rows->messages_both_ways * exchanges / DIRECTIONS;
  return s;
}

// of models whose first layer computes its halo's rows, which have fewer exchanges then
static hg_status add_computed(hg_traffic_plan *plan, const exchanged *x, const hg_config *config, const hg_graph *graph,
                              const hg_halo_rows *rows)
{
  exchanged left = {0};
  hg_status rc = read_model(&left, config, HG_COMPUTE_FIRST_ALWAYS, graph);
  hg_grid_work_free(&left.turned);
  if (rc != HG_OK || left.n == x->n) return rc;
  hg_scheme *s = add_halo(plan, "first computed",
                          "exact: the second layer's halo is computed (halo.compute_first), the rest without zeros; "
                          "between hosts, where it is little work; estimated",
                          true, rows, HG_SEND_SOURCES, left.nonzero[HG_PACK_REAL], DIRECTIONS * left.n);
  s->exact = true;
  s->way = HG_WAY_COMPUTED;
  s->packed = bytes_of_rows(&left, HG_PACK_REAL) / DIRECTIONS * (double)rows->both_ways[HG_SEND_SOURCES];
  return HG_OK;
}

// Parts of the graph, each of which some ranks share by rows and by columns (parallel.mode); all slabs being equal.
static hg_status grid(hg_scheme *s, const exchanged *x, hg_gid nodes, int ranks, int groups, const hg_halo_rows *rows)
{
  hg_grid_traffic t;
  hg_status rc =
      hg_grid_traffic_estimate(&t, &x->turned, groups, ranks / groups, nodes, groups > 1 ? rows : NULL, WORD);
  if (rc != HG_OK) return rc;
  s->runs = x->can_turn;
  s->exact = true;
  s->total = (double)t.total_bytes;
  s->largest = (double)t.largest_bytes;
  s->messages = (double)t.most_messages;
  hg_grid_traffic_free(&t);
  return HG_OK;
}

static hg_status add_features(hg_traffic_plan *plan, const exchanged *x, hg_gid nodes)
{
  hg_scheme *s =
      add(plan, "feature-parallel", "each rank aggregates some columns of all nodes", false, HG_WORK_COLUMNS);
  return grid(s, x, nodes, plan->ranks, 1, NULL);
}

static hg_status add_grid(hg_traffic_plan *plan, const exchanged *x, hg_gid nodes, const hg_halo_rows *rows, int n_rows)
{
  hg_scheme best = {0};
  for (int k = 0; k < n_rows; k++) {
    hg_scheme s = {.name = "2D",
                   .how = "parts of the graph, and in each columns by ranks",
                   .work = HG_WORK_COLUMNS,
                   .way = -1,
                   .part_groups = rows[k].n_parts};
    if (rows[k].n_parts < 2 || rows[k].n_parts >= plan->ranks || plan->ranks % rows[k].n_parts != 0) continue;
    hg_status rc = grid(&s, x, nodes, plan->ranks, rows[k].n_parts, &rows[k]);
    if (rc != HG_OK) return rc;
    if (!best.name || s.largest < best.largest) best = s;
  }
  if (best.name) plan->schemes[plan->n_schemes++] = best;
  return HG_OK;
}

// what SuperGCN's formulas send for the same parts: no layer's input is kept, and always the input's side is sent
static void add_super(hg_traffic_plan *plan, const exchanged *x, const hg_halo_rows *rows)
{
  double exact = (double)x->first_input * WORD, coarse = row_bytes(HG_PACK_INT2, false, x->first_input);
  for (int k = 0; k < x->n; k++) {
    exact += DIRECTIONS * (double)x->inputs[k] * WORD;
    coarse += DIRECTIONS * row_bytes(HG_PACK_INT2, false, x->inputs[k]);
  }
  int exchanges = 1 + DIRECTIONS * x->n;
  add_halo(plan, "SuperGNN exact", "for comparison: covers, every layer's input", false, rows, HG_SEND_HYBRID, exact,
           exchanges)
      ->work = HG_WORK_NOT_TOLD;
  add_halo(plan, "SuperGNN int2", "for comparison: the same in 2 bits", false, rows, HG_SEND_HYBRID, coarse, exchanges)
      ->work = HG_WORK_NOT_TOLD;
}

hg_status hg_traffic_plan_make(hg_traffic_plan *plan, const hg_config *config, const hg_graph *graph,
                               const hg_halo_rows *rows, int n_rows)
{
  static const struct {
    hg_pack_format format;
    const char *name;
  } packed[] = {{HG_PACK_BFLOAT16, "halo bfloat16"},
                {HG_PACK_INT8, "halo int8"},
                {HG_PACK_INT4, "halo int4"},
                {HG_PACK_INT2, "halo int2"}};
  const hg_halo_rows *own = &rows[n_rows - 1];
  exchanged x = {0};
  hg_status rc = read_model(&x, config, HG_COMPUTE_FIRST_NEVER, graph);
  if (rc != HG_OK) return rc;
  double real = bytes_of_rows(&x, HG_PACK_REAL);
  int exchanges = DIRECTIONS * x.n;
  *plan = (hg_traffic_plan){.ranks = own->n_parts, .chosen = -1};
  hg_scheme *s = add_halo(plan, "halo float32", "rows of sources (the default on one host)", true, own, HG_SEND_SOURCES,
                          real, exchanges);
  s->exact = true;
  s->way = HG_PACK_REAL;
  add_halo(plan, "partial sums", "exact: rows of destinations", false, own, HG_SEND_PARTIALS, real, exchanges)->exact =
      true;
  s = add_halo(plan, "least covers",
               "exact: the fewest of both (halo.aggregation: covers; between hosts with halo.skip_zeros: never)",
               hg_can_cover(config), own, HG_SEND_HYBRID, real, exchanges);
  s->exact = true;
  s->way = HG_WAY_COVERS;
  double unpacked = plan->schemes[0].largest;
  s = add_halo(plan, "halo nonzero",
               "exact: without zeros (halo.skip_zeros), between hosts if none is computed; estimated", true, own,
               HG_SEND_SOURCES, x.nonzero[HG_PACK_REAL], exchanges);
  s->exact = true;
  s->way = HG_WAY_NONZERO;
  s->packed = unpacked;
  HG_TRY(add_computed(plan, &x, config, graph, own));
  for (int k = 0; k < 4; k++) {
    double row = bytes_of_rows(&x, packed[k].format);
    s = add_halo(plan, packed[k].name, "halo.precision", true, own, HG_SEND_SOURCES, row, exchanges);
    s->way = (int)packed[k].format;
    s->packed = unpacked;
  }
  s = add_halo(plan, "nonzero int4", "halo.precision without zeros; estimated", true, own, HG_SEND_SOURCES,
               x.nonzero[HG_PACK_INT4], exchanges);
  s->way = HG_WAY_NONZERO_INT4;
  s->packed = unpacked;
  HG_TRY(add_features(plan, &x, graph->nodes.n));
  HG_TRY(add_grid(plan, &x, graph->nodes.n, rows, n_rows));
  add_super(plan, &x, own);
done:
  hg_grid_work_free(&x.turned);
  return rc;
}
