#include "runtime/train/traffic.h"

#include <stdio.h>

#include "models/model.h"
#include "runtime/train/check_model.h"

enum { DIRECTIONS = 2, WIDTHS_MOST = 1000, WORD = 4 };

// What the layers of a model exchange: columns, by layer.
typedef struct {
  int n;
  int widths[WIDTHS_MOST], inputs[WIDTHS_MOST]; // of the layers that exchange: what they aggregate, and their inputs
  bool last[WIDTHS_MOST];
  int first_input; // columns of the features
} exchanged;

static hg_status read_model(exchanged *x, const hg_config *config, const hg_graph *graph)
{
  static const hg_links some = {0}; // a graph in parts has links, which is all that planning asks
  const hg_nodes *nodes = &graph->nodes;
  const hg_stage stage = {.graph = {.links = &some,
                                    .n_global = nodes->n,
                                    .n_owned = (hg_lid)nodes->n,
                                    .n_local = (hg_lid)nodes->n,
                                    .n_dims = nodes->n_dims}};
  hg_input input = {.width = nodes->features.width, .is_dense = !nodes->features.indptr};
  hg_model model = {0};
  hg_status rc = HG_OK;
  HG_TRY(hg_check_pooling(config));
  HG_TRY(hg_model_plan(&model, &config->model, &stage, 1, &input, nodes->n_classes));
  *x = (exchanged){.first_input = input.width};
  for (int l = 0; l < model.n_layers; l++) {
    int columns = hg_model_exchanged(&model, l);
    if (columns == 0) continue;
    x->last[x->n] = l == model.n_layers - 1;
    x->inputs[x->n] = model.layers[l].f_in;
    x->widths[x->n++] = columns;
  }
done:
  hg_model_free(&model);
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

static double columns_of(const exchanged *x)
{
  double columns = 0;
  for (int k = 0; k < x->n; k++) columns += x->widths[k];
  return columns;
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

// Rows by ranks, columns by ranks, and back: two all-to-alls around each aggregation (ALGORITHMS A.12).
static void add_features(hg_traffic_plan *plan, const exchanged *x, double nodes)
{
  double p = plan->ranks, each = DIRECTIONS * 2 * nodes / p * columns_of(x) * WORD * (p - 1) / p;
  hg_scheme *s =
      add(plan, "feature-parallel", "each rank aggregates some columns of all nodes", false, HG_WORK_COLUMNS);
  s->exact = true;
  s->largest = each;
  s->total = each * p;
  s->messages = (p - 1) * DIRECTIONS * 2 * x->n;
}

// Ranks in groups: a group has one of `groups` parts, its members some columns of it.
static hg_scheme grid(const exchanged *x, double nodes, int ranks, const hg_halo_rows *rows)
{
  double a = rows->n_parts, b = ranks / a, columns = columns_of(x) * WORD * DIRECTIONS;
  double turning = 2 * nodes / ranks * columns * (b - 1) / b;
  double most = (double)rows->both_ways[HG_SEND_SOURCES] / DIRECTIONS / b, all = (double)rows->total[HG_SEND_SOURCES];
  return (hg_scheme){.name = "2D",
                     .how = "parts of the graph, and in each columns by ranks",
                     .work = HG_WORK_COLUMNS,
                     .exact = true,
                     .way = -1,
                     .part_groups = rows->n_parts,
                     .largest = most * columns + turning,
                     .total = all * columns + turning * ranks,
                     .messages = ((double)rows->messages_both_ways / DIRECTIONS + 2 * (b - 1)) * DIRECTIONS * x->n};
}

static void add_grid(hg_traffic_plan *plan, const exchanged *x, double nodes, const hg_halo_rows *rows, int n_rows)
{
  hg_scheme best = {0};
  for (int k = 0; k < n_rows; k++) {
    if (rows[k].n_parts < 2 || rows[k].n_parts >= plan->ranks || plan->ranks % rows[k].n_parts != 0) continue;
    hg_scheme s = grid(x, nodes, plan->ranks, &rows[k]);
    if (!best.name || s.largest < best.largest) best = s;
  }
  if (best.name) plan->schemes[plan->n_schemes++] = best;
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
  exchanged x;
  hg_status rc = read_model(&x, config, graph);
  if (rc != HG_OK) return rc;
  double real = bytes_of_rows(&x, HG_PACK_REAL), nodes = (double)graph->nodes.n;
  int exchanges = DIRECTIONS * x.n;
  *plan = (hg_traffic_plan){.ranks = own->n_parts, .chosen = -1};
  hg_scheme *s =
      add_halo(plan, "halo float32", "rows of sources (the default)", true, own, HG_SEND_SOURCES, real, exchanges);
  s->exact = true;
  s->way = HG_PACK_REAL;
  add_halo(plan, "partial sums", "exact: rows of destinations", false, own, HG_SEND_PARTIALS, real, exchanges)->exact =
      true;
  s = add_halo(plan, "least covers", "exact: the fewest of both (halo.aggregation: covers)", hg_can_cover(config), own,
               HG_SEND_HYBRID, real, exchanges);
  s->exact = true;
  s->way = HG_WAY_COVERS;
  for (int k = 0; k < 4; k++) {
    double row = bytes_of_rows(&x, packed[k].format);
    s = add_halo(plan, packed[k].name, "halo.precision", true, own, HG_SEND_SOURCES, row, exchanges);
    s->way = packed[k].format;
  }
  add_features(plan, &x, nodes);
  add_grid(plan, &x, nodes, rows, n_rows);
  add_super(plan, &x, own);
  return HG_OK;
}
