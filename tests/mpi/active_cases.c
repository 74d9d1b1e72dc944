// Active sets: what training passes leave out changes neither losses nor gradients nor weights.
#include <math.h>
#include <string.h>

#include "comm/reduce.h"
#include "core/base/alloc.h"
#include "core/base/rng.h"
#include "core/graph/store.h"
#include "runtime/train/feed_graph.h"
#include "tests/mpi/random_part.h"
#include "tests/mpi/train_graph.h"
#include "tests/mpi/train_runs.h"
#include "tests/support/mpi_case.h"

enum { EPOCHS = 6 };

// products on each side of the aggregation, and everything that reads or writes rows around it
static const char *const *const variants[] = {
    OPTIONS("model.hidden=16", "model.layers=3", "model.dropout=0.3"),
    OPTIONS("model.hidden=3", "model.layers=4", "model.input_dropout=0.4", "model.activation=elu"),
    OPTIONS("model.hidden=2", "model.layers=3", "model.norm=layer", "model.residual=true"),
    OPTIONS("model.hidden=9", "model.layers=4", "model.norm=layer", "model.residual=true", "model.self_loops=false"),
    OPTIONS("model.hidden=16", "model.layers=3", "model.norm=batch", "model.normalization=row"),
    OPTIONS("model.layers=1", "model.input_dropout=0.2", "partition.method=random"),
    OPTIONS("model.hidden=16", "model.layers=3", "model.precision=bfloat16", "partition.method=block"),
    OPTIONS("model.hidden=16", "model.layers=3", "halo.precision=int8", "halo.error_feedback=true"),
    OPTIONS("model.type=geogcn", "model.layers=3", "model.normalization=row", "model.dropout=0.3"),
    OPTIONS("model.type=geogcn", "model.layers=3", "model.normalization=row", "model.filters=40", "model.norm=layer",
            "augment.jitter=0.1", "model.residual=true"),
    OPTIONS("model.type=mlp", "model.layers=3", "model.dropout=0.2"),
    OPTIONS("model.hidden=2", "model.layers=3", "model.input_dropout=0.2", "model.dropout=0.3"),
    OPTIONS("model.hidden=16", "model.layers=2", "model.input_dropout=0", "model.dropout=0.4"),
    OPTIONS("model.hidden=16", "model.layers=3", "model.input_dropout=0", "halo.aggregation=covers"),
    OPTIONS("model.hidden=16", "model.layers=3", "model.input_dropout=0", "halo.compute_first=always"),
    OPTIONS("model.hidden=16", "model.layers=3", "model.norm=layer", "model.recompute=true", "model.residual=true"),
    OPTIONS("model.hidden=7", "model.layers=3", "model.norm=layer", "model.precision=bfloat16"),
    OPTIONS("model.hidden=6", "model.layers=2", "model.label_rate=0.5", "model.dropout=0.3"),
    OPTIONS("model.hidden=16", "model.layers=3", "halo.skip_zeros=always", "partition.order=none"),
};
enum { N_VARIANTS = sizeof variants / sizeof *variants };

static double step_loss(hg_trainer *t, const hg_config *config, int epoch)
{
  hg_phases phases;
  hg_phases_start(&phases);
  const hg_plan plan = hg_schedule_plan(config, &(hg_schedule_state){0}, epoch);
  hg_step step = hg_trainer_step(t, config->seed, &plan, NULL, &phases);
  hg_sum_doubles(t->world, &step.loss.loss, 1);
  return step.loss.loss;
}

static bool skips_rows(const hg_model *m)
{
  bool skips = false;
  for (const hg_layer *l = m->layers; l < m->layers + m->n_layers; l++)
    skips = skips || (l->active.graph && l->active.graph->rows);
  return skips;
}

// The same bits; to rounding where weight gradients are added up in pieces of other rows, or, of geogcn, edges.
static double tolerance_of(const hg_trainer *t)
{
  bool rounding = skips_rows(&t->model) || strcmp(t->config->model.type, "geogcn") == 0;
  return !rounding ? 0 : train_exact ? 1e-9 : 1e-4;
}

static bool near(double found, double expected, double tolerance)
{
  return fabs(found - expected) <= tolerance * fmax(1, fabs(expected));
}

static bool check_numbers(const hg_trainer *t, const hg_real *found, const hg_real *expected, const char *what)
{
  for (hg_off k = 0; k < t->model.n_parameters; k++)
    if (!check(near((double)found[k], (double)expected[k], tolerance_of(t)), "%s: %s: %lld is %.9g, expected %.9g",
               t->config->model.type, what, (long long)k, (double)found[k], (double)expected[k]))
      return false;
  return true;
}

// an evaluation between the steps leaves its own numbers in the rows that training does not compute
static void check_same(hg_trainer *some, hg_trainer *all, const char *what)
{
  hg_scores a[HG_SPLIT_COUNT], b[HG_SPLIT_COUNT];
  double tolerance = tolerance_of(some);
  for (int e = 1; e <= EPOCHS; e++) {
    double found = step_loss(some, some->config, e), expected = step_loss(all, all->config, e);
    if (!check(near(found, expected, tolerance), "%s: epoch %d: loss %.17g, expected %.17g", what, e, found, expected))
      return;
    if (!check_numbers(some, some->model.gradients, all->model.gradients, what)) return;
    if (e % 2 == 0) continue;
    check_ok(hg_trainer_evaluate(some, a));
    check_ok(hg_trainer_evaluate(all, b));
    check(near(a[HG_SPLIT_VAL].loss, b[HG_SPLIT_VAL].loss, tolerance), "%s: validation loss %.17g, expected %.17g",
          what, a[HG_SPLIT_VAL].loss, b[HG_SPLIT_VAL].loss);
  }
  (void)check_numbers(some, some->model.parameters, all->model.parameters, what);
}

static void compare(hg_world *world, const train_graph *graph, const char *const *changes)
{
  static train_pair pair;
  if (train_pair_begin(&pair, world, graph, changes)) {
    const hg_model *m = &pair.some.model, *all = &pair.all.model;
    bool local = m->layers[0].type->local;
    check(local || m->active_rows[m->n_layers - 1] < 0.5, "%s: %g of the last layer's rows are active", changes[0],
          m->active_rows[m->n_layers - 1]);
    check(all->active_rows[m->n_layers - 1] == 1, "%s: not all rows are active", changes[0]);
    check_same(&pair.some, &pair.all, changes[0]);
    check(hg_model_traffic(m).bytes_sent <= hg_model_traffic(all).bytes_sent, "%s: more was sent", changes[0]);
  }
  train_pair_end(&pair, world);
}

static void results_are_those_of_all_rows(hg_world *world)
{
  for (int v = 0; v < N_VARIANTS; v++) {
    train_graph g = train_graph_default();
    g.n = 200;
    g.n_dims = 2;
    g.train_of = 12;
    g.directed = v % 2;
    compare(world, &g, variants[v]);
  }
}

// In a part in that order the rows that training makes and reads are few, and not in a file's order. Dense and sparse
// features, whose aggregate is kept or not; the last layer makes fewer rows than it reads.
static void check_rows(hg_world *world, const train_graph *g, const char *const *changes, bool cached)
{
  char path[HG_PATH_MAX];
  hg_trainer t = {0};
  check_ok(train_graph_write(world, g, path));
  hg_config config = train_config(path);
  train_configure(&config, changes);
  if (check_ok(hg_trainer_create(&t, world, &config))) {
    const hg_layer *layers = t.model.layers;
    double sums[4] = {0};
    for (int l = 0; l < 2; l++) {
      const hg_local_graph *graph = hg_layer_training_reach(&layers[l])->graph;
      const hg_spans made = hg_local_graph_made(graph, graph->n_owned), read = hg_local_graph_read(graph, false);
      check(graph->rows != NULL, "%s: layer %d skips no rows", changes[0], l);
      for (int s = 0; s < made.n; s++) sums[2 * l] += (double)made.span[s].n;
      for (int s = 0; s < read.n; s++) sums[2 * l + 1] += (double)read.span[s].n;
    }
    hg_sum_doubles(world, sums, 4);
    double n = (double)g->n;
    check(layers[0].cached == cached, "%s: aggregate is kept", changes[0]);
    check(sums[2] < 0.2 * n && sums[2] < sums[3], "%s: the last layer makes %g rows", changes[0], sums[2]);
    check(sums[0] == sums[3] && sums[0] < 0.8 * n, "%s: %g rows made, %g read", changes[0], sums[0], sums[3]);
    check(sums[1] >= sums[0], "%s: %g rows of %g are read", changes[0], sums[1], n);
    check(t.model.active_rows[0] < 0.8, "%s: %g of the first layer's rows", changes[0], t.model.active_rows[0]);
  }
  hg_trainer_free(&t);
  train_graph_remove(world, path);
}

static void training_nodes_stand_first(hg_world *world)
{
  train_graph g = train_graph_default();
  g.n = 400;
  g.degree = 2;
  g.train_of = 12;
  check_rows(world, &g, OPTIONS("model.input_dropout=0.2", "model.hidden=4"), false);
  check_rows(world, &g, OPTIONS("model.input_dropout=0", "model.hidden=16"), true);
  g.sparse_features = true;
  check_rows(world, &g, OPTIONS("model.input_dropout=0", "model.hidden=4"), false);
}

// most ranks have no training node, and some nothing that reaches one
static void few_training_nodes(hg_world *world)
{
  train_graph g = train_graph_default();
  g.train_of = 40;
  g.degree = 2;
  g.sparse_features = true;
  compare(world, &g, OPTIONS("model.hidden=5", "model.layers=3", "model.dropout=0.3", "model.input_dropout=0.5"));
  g.directed = true;
  g.task = HG_TASK_MULTILABEL;
  compare(world, &g, OPTIONS("model.hidden=2", "model.layers=2", "train.optimizer=sgd"));
  g.task = HG_TASK_REGRESSION;
  g.sparse_features = false;
  compare(world, &g, OPTIONS("model.hidden=8", "model.layers=2", "dataset.normalize_targets=standardize"));
}

// levels are searched up to the first one that is not pruned
static int searched(const hg_active *active)
{
  int k = 0;
  while (k + 1 < active->n_levels && active->levels[k].pruned) k++;
  return k;
}

// breadth first over the whole file, from the nodes that train
static void search(const hg_graph *graph, int n_levels, uint8_t *steps)
{
  const hg_csr *a = &graph->adjacency;
  for (hg_off i = 0; i < graph->nodes.n; i++) steps[i] = graph->nodes.split[i] == HG_SPLIT_TRAIN ? 0 : HG_ACTIVE_NEVER;
  for (int k = 1; k < n_levels; k++)
    for (hg_off i = 0; i < graph->nodes.n; i++)
      for (hg_off e = a->indptr[i]; steps[i] == k - 1 && e < a->indptr[i + 1]; e++)
        if (steps[a->indices[e]] > k) steps[a->indices[e]] = (uint8_t)k;
}

static void check_level(const hg_active *active, int k, const hg_part *part)
{
  const hg_active_level *level = &active->levels[k];
  const hg_links *links = &level->links;
  hg_lid next = 0;
  if (!level->pruned) return;
  for (hg_lid h = 0; h < part->n_halo; h++) {
    bool needed = false;
    for (hg_lid i = 0; i < part->n_owned; i++)
      for (hg_off e = part->a.indptr[i]; e < part->a.indptr[i + 1]; e++)
        needed = needed || (active->steps[i] <= k && part->a.indices[e] == part->n_owned + h);
    bool crosses = next < links->recv_offsets[links->n_peers_recv] && links->recv_rows[next] == h;
    next += crosses;
    if (!check(needed == crosses, "level %d: halo row %d: %s", k, h, crosses ? "crosses" : "does not cross")) return;
  }
}

static void check_levels(hg_world *world, const train_graph *g)
{
  enum { LEVELS = 4 };
  char path[HG_PATH_MAX];
  hg_graph whole = {0};
  hg_trainer t;
  check_ok(train_graph_write(world, g, path));
  hg_config config = train_config(path);
  train_configure(&config, OPTIONS("model.layers=4", "partition.method=random"));
  check_ok(hg_store_read_graph(path, &whole));
  uint8_t *expected = NULL;
  check_ok(HG_ALLOC(expected, whole.nodes.n, "steps"));
  search(&whole, LEVELS, expected);
  if (check_ok(hg_trainer_create(&t, world, &config))) {
    const hg_active *active = &hg_graph_feed_of(&t)->active;
    const hg_part *part = &hg_graph_feed_of(&t)->dataset.part;
    int last = searched(active);
    check(active->n_levels == LEVELS, "%d levels", active->n_levels);
    for (hg_lid i = 0; i < part->n_owned; i++) {
      hg_off original = (part->nodes.original_ids[i] - 1000) / 3;
      int steps = expected[original] > last ? HG_ACTIVE_NEVER : expected[original];
      if (!check(active->steps[i] == steps, "node %d: %d steps, expected %d", (int)original, active->steps[i], steps))
        break;
    }
    for (int k = 0; k < LEVELS; k++) check_level(active, k, part);
  }
  hg_trainer_free(&t);
  hg_free(&expected);
  hg_graph_free(&whole);
  train_graph_remove(world, path);
}

static void steps_are_those_of_the_whole_graph(hg_world *world)
{
  for (int trial = 0; trial < 8; trial++) {
    train_graph g = train_graph_default();
    g.seed = 100 + (uint64_t)trial;
    g.n = 60 + 20 * trial;
    g.degree = 1 + trial % 3;
    g.train_of = 3 + 5 * trial;
    g.directed = trial % 4 > 0;
    check_levels(world, &g);
  }
}

static hg_real number(hg_gid id, int column) { return (hg_real)((id * 31 + column * 7) % 997 - 498); }

static hg_gid id_of(const hg_part *part, hg_lid i)
{
  return i < part->n_owned ? part->first + i : part->halo_ids[i - part->n_owned];
}

// FILL: needed halo rows are their owners', the others stay. ADD: each owned row gets what its needed copies hold.
static void cross(hg_world *world, const hg_part *part, const hg_links *links, const bool *needed, int width)
{
  hg_exchange *fill = NULL, *add = NULL;
  hg_matrix x = {0};
  hg_lid n = part->n_owned;
  double sums[2] = {0, 0};
  check_ok(hg_matrix_create(&x, n + part->n_halo, width, "x"));
  check_ok(hg_exchange_create(&fill, world, links, HG_FILL_HALO, &x, 0));
  check_ok(hg_exchange_create(&add, world, links, HG_ADD_HALO, &x, 1));
  for (hg_lid i = 0; i < n + part->n_halo; i++)
    for (int c = 0; c < width; c++) x.data[(hg_off)i * width + c] = i < n ? number(id_of(part, i), c) : -7;
  hg_exchange_begin(fill);
  hg_exchange_end(fill);
  for (hg_lid i = n; i < n + part->n_halo; i++)
    for (int c = 0; c < width; c++) {
      hg_real expected = needed[i - n] ? number(id_of(part, i), c) : -7, found = x.data[(hg_off)i * width + c];
      check(found == expected, "halo row %d, column %d: %g, expected %g", i, c, (double)found, (double)expected);
      if (needed[i - n]) sums[0]++;
    }
  for (hg_off e = 0; e < x.rows * width; e++) x.data[e] = e >= (hg_off)n * width;
  hg_exchange_begin(add);
  hg_exchange_end(add);
  for (hg_off e = 0; e < (hg_off)n * width; e++) sums[1] += (double)x.data[e];
  hg_sum_doubles(world, sums, 2);
  check(sums[0] == sums[1], "%g numbers of the halo were added, expected %g", sums[1], sums[0]);
  hg_exchange_free(&fill);
  hg_exchange_free(&add);
  hg_matrix_free(&x);
}

static void some_halo_rows_cross_alone(hg_world *world)
{
  for (int kind = 0; kind < PARTS_KINDS; kind++) {
    hg_part part;
    hg_links links;
    bool *needed = NULL;
    check_ok(random_part(&part, (parts_kind)kind, hg_world_size(world), hg_world_rank(world), 5));
    check_ok(HG_ALLOC(needed, part.n_halo, "needed"));
    for (int share = 0; share <= 3; share++) {
      for (hg_lid h = 0; h < part.n_halo; h++)
        needed[h] = (int)hg_rng_below((hg_rng){7, HG_STREAM_TEST}, (uint64_t)h, (uint32_t)part.part, 3) < share;
      if (!check_ok(hg_links_create_some(&links, world, &part, needed))) continue;
      for (int width = 0; width <= 300; width += 150) cross(world, &part, &links, needed, width);
      hg_links_free(&links);
    }
    hg_free(&needed);
    random_part_free(&part);
  }
}

const mpi_case active_cases[] = {
    {"active/results_are_those_of_all_rows", results_are_those_of_all_rows, "1 2 3 4 7"},
    {"active/training_nodes_stand_first", training_nodes_stand_first, "1 3 7"},
    {"active/few_training_nodes", few_training_nodes, "1 3 7"},
    {"active/steps_are_those_of_the_whole_graph", steps_are_those_of_the_whole_graph, "1 2 3 4 7"},
    {"active/some_halo_rows_cross_alone", some_halo_rows_cross_alone, "1 2 4 7"},
    {0},
};
