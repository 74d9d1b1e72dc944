// Finite differences of the whole model's loss, for each option, on 1 and on several ranks.
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "comm/reduce.h"
#include "core/tensor/geo.h"
#include "runtime/train/feed_graph.h"
#include "runtime/train/loss_gradient.h"
#include "tests/mpi/train_graph.h"
#include "tests/support/mpi_case.h"

static double total_loss(hg_trainer *t, const hg_pass *pass)
{
  hg_matrix z = hg_model_forward(&t->model, pass);
  hg_loss_sums sums = hg_loss_compute(&t->loss, &t->labelled.truth, t->labelled.rows[HG_SPLIT_TRAIN],
                                      t->labelled.n_rows[HG_SPLIT_TRAIN], &z, t->train_weight, NULL);
  hg_sum_doubles(t->world, &sums.loss, 1);
  return sums.loss / t->train_weight;
}

static void gradient(hg_trainer *t, const hg_pass *pass)
{
  hg_matrix z = hg_model_forward(&t->model, pass), d_z = hg_model_d_logits(&t->model);
  (void)hg_loss_compute(&t->loss, &t->labelled.truth, t->labelled.rows[HG_SPLIT_TRAIN],
                        t->labelled.n_rows[HG_SPLIT_TRAIN], &z, t->train_weight, &d_z);
  hg_model_backward(&t->model, pass, t->sums);
  hg_sums_end(t->sums);
}

// How far a gradient is from between the slopes on both sides, which differ where a ReLU switches.
static double apart(double found, double down, double here, double up, double step)
{
  double left = (here - down) / step, right = (up - here) / step;
  return fmax(0, fmax(found - fmax(left, right), fmin(left, right) - found));
}

// Finite differences of every third parameter, or of 200 of all layers, within what rounding of the loss leaves of the
// largest.
static void check_parameters(hg_trainer *t, const hg_pass *pass, const char *what)
{
  bool exact = sizeof(hg_real) == sizeof(double);
  double step = exact ? 1e-7 : 1e-3, largest = 0, here = total_loss(t, pass);
  gradient(t, pass);
  for (hg_off k = 0; k < t->model.n_parameters; k++) largest = fmax(largest, fabs((double)t->model.gradients[k]));
  double tolerance = (exact ? 1e-6 : 3e-3) * largest;
  hg_off every = t->model.n_parameters < 600 ? 3 : t->model.n_parameters / 200;
  for (hg_off k = 0; k < t->model.n_parameters; k += every) {
    hg_real *theta = &t->model.parameters[k], before = *theta;
    *theta = (hg_real)((double)before + step);
    double up = total_loss(t, pass);
    *theta = (hg_real)((double)before - step);
    double down = total_loss(t, pass);
    *theta = before;
    double found = (double)t->model.gradients[k];
    if (!check(apart(found, down, here, up, step) <= tolerance,
               "%s: parameter %lld: gradient %.9g, slopes %.9g and %.9g, at most %g apart", what, (long long)k, found,
               (here - down) / step, (up - here) / step, tolerance))
      return;
  }
}

static void check_config(hg_world *world, const hg_config *config, const char *what)
{
  hg_trainer t;
  hg_phases phases;
  hg_phases_start(&phases);
  const hg_pass pass = {.training = true, .seed = 3, .epoch = 2, .phases = &phases};
  if (!check_ok(hg_trainer_create(&t, world, config))) return;
  hg_trainer_start(&t, 9);
  for (hg_off k = 0; k < t.model.n_parameters; k++) // biases off zero, so that no activation sits on its kink
    t.model.parameters[k] += (hg_real)(0.05 * sin(1.0 + 3.0 * (double)k));
  check_parameters(&t, &pass, what);
  hg_trainer_free(&t);
}

static void check_options(hg_world *world, const train_graph *graph, const char *const *changes)
{
  char path[HG_PATH_MAX], what[256] = "";
  check_ok(train_graph_write(world, graph, path));
  hg_config config = train_config(path);
  for (; *changes; changes++) {
    check_ok(hg_config_override(&config, *changes));
    size_t used = strlen(what);
    snprintf(what + used, sizeof what - used, "%s ", *changes);
  }
  check_ok(hg_config_resolve(&config));
  check_config(world, &config, what);
  train_graph_remove(world, path);
}

#define OPTIONS(...) ((const char *const[]){__VA_ARGS__, NULL})

static void of_widths_and_depths(hg_world *world)
{
  train_graph g = train_graph_default();
  check_options(world, &g, OPTIONS("model.hidden=5"));
  check_options(world, &g, OPTIONS("model.hidden=2", "model.layers=3"));
  check_options(world, &g, OPTIONS("model.layers=1"));
  check_options(world, &g, OPTIONS("model.layers=4", "model.hidden=9", "model.bias=false"));
  g.sparse_features = true;
  check_options(world, &g, OPTIONS("model.hidden=4"));
}

static void of_activations_and_residuals(hg_world *world)
{
  train_graph g = train_graph_default();
  check_options(world, &g, OPTIONS("model.activation=elu", "model.layers=3"));
  check_options(world, &g, OPTIONS("model.activation=none", "model.residual=true", "model.layers=4"));
  check_options(world, &g,
                OPTIONS("model.activation=elu", "model.residual=true", "model.dropout=0.4", "model.layers=4"));
}

static void of_norms(hg_world *world)
{
  train_graph g = train_graph_default();
  check_options(world, &g, OPTIONS("model.norm=layer", "model.activation=elu", "model.layers=3"));
  check_options(world, &g, OPTIONS("model.norm=batch", "model.activation=elu", "model.layers=3"));
  check_options(world, &g,
                OPTIONS("model.norm=batch", "model.residual=true", "model.activation=elu", "model.layers=4"));
}

static void of_dropout(hg_world *world)
{
  train_graph g = train_graph_default();
  check_options(world, &g, OPTIONS("model.dropout=0.5", "model.input_dropout=0.3"));
  check_options(world, &g,
                OPTIONS("model.dropout=0.5", "model.input_dropout=0.3", "model.hidden=11", "model.layers=3"));
  g.sparse_features = true;
  check_options(world, &g, OPTIONS("model.dropout=0.5", "model.input_dropout=0.5", "model.activation=elu"));
}

static void of_normalizations(hg_world *world)
{
  train_graph g = train_graph_default();
  check_options(world, &g, OPTIONS("model.normalization=row"));
  check_options(world, &g, OPTIONS("model.normalization=sum", "model.self_loops=false", "model.activation=elu"));
  g.directed = true;
  check_options(world, &g, OPTIONS("model.normalization=symmetric", "model.layers=3"));
  check_options(world, &g, OPTIONS("model.normalization=row", "model.self_loops=false", "partition.method=random"));
}

static void of_tasks(hg_world *world)
{
  train_graph g = train_graph_default();
  check_options(world, &g, OPTIONS("train.label_smoothing=0.1", "train.class_weights=balanced"));
  g.task = HG_TASK_MULTILABEL;
  g.n_classes = 11;
  check_options(world, &g, OPTIONS("partition.method=block"));
  g.task = HG_TASK_REGRESSION;
  g.n_classes = 2;
  check_options(world, &g, OPTIONS("dataset.normalize_targets=standardize", "dataset.normalize_features=standardize"));
}

static void of_geogcn(hg_world *world)
{
  train_graph g = train_graph_default();
  g.n_dims = 2;
  check_options(world, &g, OPTIONS("model.type=geogcn", "model.filters=3", "model.normalization=row"));
  check_options(world, &g,
                OPTIONS("model.type=geogcn", "model.filters=2", "model.hidden=16", "model.layers=4",
                        "model.residual=true", "model.norm=layer", "model.normalization=row", "model.activation=elu"));
  check_options(world, &g,
                OPTIONS("model.type=geogcn", "model.filters_per=shared", "model.dropout=0.4", "model.activation=elu",
                        "model.layers=3", "partition.method=random"));
  check_options(
      world, &g, // more columns than one piece, whose sums backward computes again
      OPTIONS("model.type=geogcn", "model.filters=17", "model.hidden=7", "model.activation=elu", "model.dropout=0.2"));
  g.n_dims = 3;
  g.directed = true;
  check_options(world, &g,
                OPTIONS("model.type=geogcn", "model.self_loops=false", "model.normalize_positions=none",
                        "model.normalization=row", "model.activation=elu", "model.input_dropout=0.3"));
}

// rows that the sources' ranks compute and multiply: wide to narrow, narrow to wide, and in pieces
static void of_geogcn_with_covers(hg_world *world)
{
  train_graph g = train_graph_default();
  g.n_dims = 2;
  check_options(world, &g,
                OPTIONS("halo.aggregation=covers", "model.type=geogcn", "model.filters=3", "model.hidden=9",
                        "model.layers=3", "model.normalization=row", "model.activation=elu",
                        "partition.method=random"));
  check_options(world, &g,
                OPTIONS("halo.aggregation=covers", "model.type=geogcn", "model.filters_per=shared", "model.dropout=0.4",
                        "model.activation=elu", "model.layers=3", "train.active_sets=false"));
  check_options(world, &g,
                OPTIONS("halo.aggregation=covers", "model.type=geogcn", "model.filters=17", "model.hidden=7",
                        "model.residual=true", "model.norm=layer", "model.layers=4", "model.activation=elu"));
  g.n_dims = 3;
  g.directed = true;
  check_options(world, &g,
                OPTIONS("halo.aggregation=covers", "model.type=geogcn", "model.self_loops=false", "model.hidden=2",
                        "model.normalization=sum", "model.activation=elu", "partition.method=random"));
}

// original ids of train_graph_write
enum { FIRST_ID = 1000, ID_STEP = 3, POSITION_NODES = 90, POSITIONS_MAX = POSITION_NODES * HG_GEO_DIMS };

// the loss over the labelled nodes of all splits, as hg_trainer_position_gradient has it
static double labelled_loss(hg_trainer *t)
{
  hg_phases phases;
  hg_phases_start(&phases);
  const hg_pass pass = {.training = false, .phases = &phases};
  hg_matrix z = hg_model_forward(&t->model, &pass);
  double sums[2] = {0};
  for (int split = 0; split < HG_SPLIT_COUNT; split++) {
    hg_loss_sums s =
        hg_loss_compute(&t->loss, &t->labelled.truth, t->labelled.rows[split], t->labelled.n_rows[split], &z, 1, NULL);
    sums[0] += s.loss;
    sums[1] += s.weight;
  }
  hg_sum_doubles(t->world, sums, 2);
  return sums[0] / sums[1];
}

// moves the node of this global id, wherever it is
static void move(const hg_graph_feed *feed, hg_gid id, int d, double by)
{
  const hg_local_graph *g = &feed->stage.graph;
  for (hg_lid i = 0; i < g->n_local; i++)
    if (g->ids[i] == id)
      g->positions[i * g->n_dims + d] = (hg_real)((double)g->positions[i * g->n_dims + d] + by * g->position_scale);
}

static double own_number(const hg_graph_feed *feed, const hg_matrix *m, hg_gid id, int d)
{
  double found[2] = {0};
  for (hg_lid i = 0; i < feed->stage.graph.n_owned; i++) {
    if (feed->stage.graph.ids[i] != id) continue;
    found[0] = (double)m->data[i * m->cols + d];
    found[1] += 1;
  }
  hg_sum_doubles(feed->stage.graph.world, found, 2);
  check(found[1] == 1, "node %lld is there %g times", (long long)id, found[1]);
  return found[0];
}

// Sum to 0 over all ranks' nodes; the largest is returned.
static double check_sum(hg_trainer *t, const hg_matrix *d_positions, const char *what)
{
  bool exact = sizeof(hg_real) == sizeof(double);
  double sums[HG_GEO_DIMS + 1] = {0}, largest = 0;
  int dims = d_positions->cols;
  for (hg_off e = 0; e < (hg_off)t->model.stages[0].graph.n_owned * dims; e++) {
    double g = (double)d_positions->data[e];
    sums[e % dims] += g;
    sums[dims] += fabs(g);
    largest = fmax(largest, fabs(g));
  }
  hg_sum_doubles(t->world, sums, dims + 1);
  hg_max_doubles(t->world, &largest, 1);
  for (int d = 0; d < dims; d++)
    check(sums[dims] > 0 && fabs(sums[d]) <= (exact ? 1e-12 : 1e-5) * sums[dims], "%s: coordinate %d sums to %g of %g",
          what, d, sums[d], sums[dims]);
  return largest;
}

// Relative to the largest, of which rounding of the loss leaves up to 7e-4 in float.
static void check_positions(hg_trainer *t, const char *what)
{
  bool exact = sizeof(hg_real) == sizeof(double);
  double step = exact ? 1e-6 : 2e-3, here = labelled_loss(t);
  const hg_graph_feed *feed = hg_graph_feed_of(t);
  hg_matrix d_positions;
  if (!check_ok(hg_trainer_position_gradient(t, &d_positions))) return;
  double tolerance = (exact ? 1e-5 : 2e-3) * check_sum(t, &d_positions, what);
  for (hg_gid id = FIRST_ID; id < FIRST_ID + ID_STEP * t->facts.n_nodes; id += ID_STEP) {
    int d = (int)(id / ID_STEP % d_positions.cols);
    move(feed, id, d, step);
    double up = labelled_loss(t);
    move(feed, id, d, -2 * step);
    double down = labelled_loss(t);
    move(feed, id, d, step);
    double found = own_number(feed, &d_positions, id, d);
    if (!check(apart(found, down, here, up, step) <= tolerance,
               "%s: node %lld: gradient %.9g, slopes %.9g and %.9g, at most %g apart", what, (long long)id, found,
               (here - down) / step, (up - here) / step, tolerance))
      break;
  }
  hg_matrix_free(&d_positions);
}

// all nodes' gradients in the order of their original ids, on all ranks
static void ordered_gradients(hg_world *world, const hg_config *config, double all[POSITIONS_MAX])
{
  hg_trainer t;
  hg_matrix d_positions = {0};
  memset(all, 0, POSITIONS_MAX * sizeof *all);
  if (!check_ok(hg_trainer_create(&t, world, config))) return;
  hg_trainer_start(&t, 9);
  check_ok(hg_trainer_position_gradient(&t, &d_positions));
  const hg_local_graph *g = &t.model.stages[0].graph;
  for (hg_lid i = 0; d_positions.data && i < g->n_owned; i++)
    for (int d = 0; d < g->n_dims; d++)
      all[(g->ids[i] - FIRST_ID) / ID_STEP * g->n_dims + d] = (double)d_positions.data[i * g->n_dims + d];
  hg_sum_doubles(world, all, POSITIONS_MAX);
  hg_matrix_free(&d_positions);
  hg_trainer_free(&t);
}

static void check_positions_of_one_rank(hg_world *world, const hg_config *config, const char *what)
{
  double found[POSITIONS_MAX], expected[POSITIONS_MAX] = {0}, largest = 0;
  hg_world *self = NULL;
  ordered_gradients(world, config, found);
  check_ok(hg_world_self_create(&self, world));
  if (hg_world_rank(world) == 0) {
    ordered_gradients(self, config, expected);
    for (int e = 0; e < POSITIONS_MAX; e++) largest = fmax(largest, fabs(expected[e]));
    for (int e = 0; e < POSITIONS_MAX; e++)
      if (!check(fabs(found[e] - expected[e]) <= (sizeof(hg_real) == sizeof(double) ? 1e-9 : 1e-4) * largest,
                 "%s: number %d is %.12g, on one rank %.12g", what, e, found[e], expected[e]))
        break;
  }
  hg_world_self_free(&self);
}

static void check_position_options(hg_world *world, train_graph graph, const char *const *changes)
{
  char path[HG_PATH_MAX];
  graph.n = POSITION_NODES;
  hg_trainer t;
  check_ok(train_graph_write(world, &graph, path));
  hg_config config = train_config(path);
  const char *what = changes[0];
  for (; *changes; changes++) check_ok(hg_config_override(&config, *changes));
  check_ok(hg_config_resolve(&config));
  if (check_ok(hg_trainer_create(&t, world, &config))) {
    hg_trainer_start(&t, 9);
    for (hg_off k = 0; k < t.model.n_parameters; k++) t.model.parameters[k] *= 2; // gradients far above rounding
    check_positions(&t, what);
    hg_trainer_free(&t);
  }
  if (hg_world_size(world) > 1) check_positions_of_one_rank(world, &config, what);
  train_graph_remove(world, path);
}

static void of_positions(hg_world *world)
{
  train_graph g = train_graph_default();
  g.n_dims = 2;
  check_position_options(world, g,
                         OPTIONS("model.filters=3", "model.type=geogcn", "model.normalization=row",
                                 "model.activation=elu", "model.layers=3"));
  check_position_options(world, g,
                         OPTIONS("model.filters_per=shared", "model.type=geogcn", "model.filters=20", "model.hidden=9",
                                 "model.activation=elu", "partition.method=random"));
  g.n_dims = 3;
  g.directed = true;
  check_position_options(world, g,
                         OPTIONS("model.filters=21", "model.type=geogcn", "model.hidden=11",
                                 "model.normalize_positions=none", "model.activation=elu"));
}

// against one rank, whose gradients are compared with differences above
static void of_positions_with_covers(hg_world *world)
{
  const char *const *const options[] = {
      OPTIONS("model.filters=3", "model.hidden=9", "model.layers=4", "model.normalization=row"),
      OPTIONS("model.filters_per=shared", "model.filters=20", "model.hidden=4", "model.layers=3"),
      OPTIONS("model.filters=21", "model.hidden=11", "model.layers=3", "model.normalization=sum"),
  };
  for (int k = 0; k < 3; k++) {
    char path[HG_PATH_MAX];
    train_graph g = train_graph_default();
    g.n = POSITION_NODES;
    g.n_dims = 2 + k % 2;
    g.directed = k > 0;
    check_ok(train_graph_write(world, &g, path));
    hg_config config = train_config(path);
    check_ok(hg_config_override(&config, "model.type=geogcn"));
    check_ok(hg_config_override(&config, "model.activation=elu"));
    check_ok(hg_config_override(&config, "partition.method=random"));
    check_ok(hg_config_override(&config, "halo.aggregation=covers"));
    for (const char *const *o = options[k]; *o; o++) check_ok(hg_config_override(&config, *o));
    check_ok(hg_config_resolve(&config));
    check_positions_of_one_rank(world, &config, options[k][0]);
    train_graph_remove(world, path);
  }
}

static void of_mlp(hg_world *world)
{
  train_graph g = train_graph_default();
  check_options(world, &g, OPTIONS("model.type=mlp", "model.layers=1"));
  check_options(world, &g,
                OPTIONS("model.type=mlp", "model.layers=4", "model.residual=true", "model.norm=layer",
                        "model.activation=elu", "model.dropout=0.4"));
  check_options(world, &g, OPTIONS("model.type=mlp", "model.layers=3", "model.norm=batch", "model.activation=elu"));
  g.sparse_features = true;
  check_options(world, &g,
                OPTIONS("model.type=mlp", "model.layers=2", "model.input_dropout=0.3", "partition.method=random"));
}

const mpi_case gradient_cases[] = {
    {"gradient/of_widths_and_depths", of_widths_and_depths, "1 3"},
    {"gradient/of_activations_and_residuals", of_activations_and_residuals, "1 3"},
    {"gradient/of_norms", of_norms, "1 3"},
    {"gradient/of_dropout", of_dropout, "1 3"},
    {"gradient/of_normalizations", of_normalizations, "1 3"},
    {"gradient/of_tasks", of_tasks, "1 3 7"},
    {"gradient/of_geogcn", of_geogcn, "1 3"},
    {"gradient/of_geogcn_with_covers", of_geogcn_with_covers, "2 3"},
    {"gradient/of_positions_with_covers", of_positions_with_covers, "2 3"},
    {"gradient/of_positions", of_positions, "1 2 3 7"},
    {"gradient/of_mlp", of_mlp, "1 3"},
    {0},
};
