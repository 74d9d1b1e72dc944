// Augmented positions: a turn of the gates is a turn of the positions, and ranks agree on what moves.
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "comm/reduce.h"
#include "core/base/alloc.h"
#include "core/tensor/geo.h"
#include "models/augment.h"
#include "models/model.h"
#include "runtime/train/dataset.h"
#include "tests/mpi/train_graph.h"
#include "tests/support/mpi_case.h"

static const bool exact = sizeof(hg_real) == sizeof(double);

typedef struct {
  hg_world *world;
  char path[HG_PATH_MAX];
  hg_config config;
  hg_dataset dataset;
  hg_stage stage;
  hg_input input;
  hg_model model;
  hg_sums *sums;
} setting;

#define OPTIONS(...) ((const char *const[]){__VA_ARGS__, NULL})

// a model of a random graph with positions of `dims` dimensions, every part of it on this rank
static bool set_up(setting *s, hg_world *world, int dims, const char *const *changes)
{
  train_graph g = train_graph_default();
  g.n_dims = dims;
  memset(s, 0, sizeof *s);
  s->world = world;
  check_ok(train_graph_write(world, &g, s->path));
  s->config = train_config(s->path);
  check_ok(hg_config_override(&s->config, "model.type=geogcn"));
  for (; *changes; changes++) check_ok(hg_config_override(&s->config, *changes));
  check_ok(hg_config_resolve(&s->config));
  const hg_model_options *o = &s->config.model;
  if (!check_ok(hg_dataset_load(&s->dataset, world, &s->config, NULL)) ||
      !check_ok(hg_local_graph_create(&s->stage.graph, world, &s->dataset.part, &s->dataset.links, o->normalization,
                                      o->self_loops)) ||
      !check_ok(hg_local_graph_place(&s->stage.graph, o->normalize_positions)) ||
      !check_ok(hg_input_create(&s->input, &s->stage.graph)) ||
      !check_ok(hg_model_create(&s->model, o, &s->stage, 1, &s->input, 3)) ||
      !check_ok(hg_sums_create(&s->sums, world)))
    return false;
  hg_model_init(&s->model, 9);
  for (hg_off k = 0; k < s->model.n_parameters; k++) // biases off zero, so that no activation sits on its kink
    s->model.parameters[k] += (hg_real)(0.05 * sin(1.0 + 3.0 * (double)k));
  return true;
}

static void tear_down(setting *s)
{
  hg_sums_free(&s->sums);
  hg_model_free(&s->model);
  hg_input_free(&s->input);
  hg_local_graph_free(&s->stage.graph);
  hg_dataset_free(&s->dataset);
  train_graph_remove(s->world, s->path);
}

static double weight(const setting *s, hg_off i, hg_off c) { return sin((double)(s->stage.graph.ids[i] * 7 + 2 * c)); }

// a loss linear in the logits, over all ranks; with its gradients
static double pass_through(setting *s, const hg_real *turn, bool with_gradients)
{
  hg_phases phases;
  hg_phases_start(&phases);
  const hg_pass pass = {.training = true, .seed = 3, .epoch = 2, .phases = &phases, .turn = turn};
  hg_matrix z = hg_model_forward(&s->model, &pass), d_z = hg_model_d_logits(&s->model);
  double loss = 0;
  for (hg_off i = 0; i < s->stage.graph.n_owned; i++)
    for (hg_off c = 0; c < z.cols; c++) loss += weight(s, i, c) * (double)z.data[i * z.cols + c];
  hg_sum_doubles(s->world, &loss, 1);
  if (!with_gradients) return loss;
  for (hg_off i = 0; i < s->stage.graph.n_owned; i++)
    for (hg_off c = 0; c < z.cols; c++) d_z.data[i * z.cols + c] = (hg_real)weight(s, i, c);
  hg_model_backward(&s->model, &pass, s->sums);
  hg_sums_end(s->sums);
  return loss;
}

static double largest(const hg_real *values, hg_off n)
{
  double most = 1;
  for (hg_off k = 0; k < n; k++) most = fmax(most, fabs((double)values[k]));
  return most;
}

static void check_close(const hg_real *found, const hg_real *expected, hg_off n, const char *what)
{
  double tolerance = (exact ? 1e-12 : 1e-5) * largest(expected, n);
  for (hg_off k = 0; k < n; k++)
    if (!check(fabs((double)found[k] - (double)expected[k]) <= tolerance, "%s %lld: %.12g, expected %.12g", what,
               (long long)k, (double)found[k], (double)expected[k]))
      return;
}

// the same pass with turned gates and with turned positions: logits and gradients are the same
static void check_turn(hg_world *world, int dims, const char *const *changes)
{
  setting s;
  hg_real map[HG_GEO_DIMS * HG_GEO_DIMS], *logits = NULL, *gradients = NULL;
  if (set_up(&s, world, dims, changes)) {
    hg_off n = (hg_off)s.stage.graph.n_owned * 3, parameters = s.model.n_parameters;
    const hg_augment_options all = {.rotate = true, .reflect = true, .scale = 0.5};
    const hg_augment augment = hg_augment_training(&all, 4, 1);
    check_ok(HG_ALLOC(logits, n, "logits"));
    check_ok(HG_ALLOC(gradients, parameters, "gradients"));
    check(hg_augment_map(&augment, 0, dims, map) == map, "no map");
    pass_through(&s, map, true);
    memcpy(logits, s.model.layers[s.model.n_layers - 1].h.data, (size_t)n * sizeof *logits);
    memcpy(gradients, s.model.gradients, (size_t)parameters * sizeof *gradients);
    double before = pass_through(&s, NULL, false), turned = pass_through(&s, map, false);
    check(fabs(before - turned) > 1e-3, "a turn changes nothing: %.12g and %.12g", before, turned);
    hg_augment_move(&augment, map, dims, s.stage.graph.ids, s.stage.graph.n_local, s.stage.graph.positions,
                    s.stage.graph.positions);
    pass_through(&s, NULL, true);
    check_close(logits, s.model.layers[s.model.n_layers - 1].h.data, n, "logit");
    check_close(gradients, s.model.gradients, parameters, "gradient");
  }
  hg_free(&logits);
  hg_free(&gradients);
  tear_down(&s);
}

static void a_turn_is_turning_the_positions(hg_world *world)
{
  check_turn(world, 1, OPTIONS("model.filters=3"));
  check_turn(world, 2, OPTIONS("model.layers=3", "model.dropout=0.3", "model.normalization=row"));
  check_turn(world, 3, OPTIONS("model.filters_per=shared", "model.hidden=16", "model.normalization=row"));
  check_turn(world, 8, OPTIONS("model.filters=2", "model.normalization=row"));
}

// central differences of every third parameter under a turn
static void check_differences(hg_world *world, int dims, const char *const *changes)
{
  double step = exact ? 1e-7 : 1e-2, tolerance = exact ? 1e-6 : 3e-2;
  setting s;
  hg_real map[HG_GEO_DIMS * HG_GEO_DIMS];
  if (set_up(&s, world, dims, changes)) {
    const hg_augment augment = hg_augment_training(&s.config.augment, 4, 1);
    const hg_real *turn = hg_augment_map(&augment, 0, dims, map);
    pass_through(&s, turn, true);
    double scale = largest(s.model.gradients, s.model.n_parameters);
    for (hg_off k = 0; k < s.model.n_parameters; k += 3) {
      hg_real *theta = &s.model.parameters[k], before = *theta;
      *theta = (hg_real)((double)before + step);
      double up = pass_through(&s, turn, false);
      *theta = (hg_real)((double)before - step);
      double down = pass_through(&s, turn, false), found = (double)s.model.gradients[k];
      *theta = before;
      if (!check(fabs(found - (up - down) / (2 * step)) <= tolerance * scale,
                 "%d dimensions: parameter %lld: gradient %.9g, difference %.9g", dims, (long long)k, found,
                 (up - down) / (2 * step)))
        break;
    }
  }
  tear_down(&s);
}

static void gradients_under_a_turn(hg_world *world)
{
  check_differences(world, 2, OPTIONS("augment.rotate=true", "augment.scale=0.5", "model.activation=elu"));
  check_differences(world, 3,
                    OPTIONS("augment.rotate=true", "augment.reflect=true", "model.filters_per=shared", "model.layers=3",
                            "model.activation=elu", "model.normalization=row"));
}

// each halo node stands where its owner sees it, to the bit
static void halo_nodes_jitter_with_their_owners(hg_world *world)
{
  setting s;
  hg_exchange *exchange = NULL;
  hg_matrix owners = {0};
  hg_real map[HG_GEO_DIMS * HG_GEO_DIMS];
  const char *const changes[] = {"augment.jitter=0.3", "partition.method=random", NULL};
  if (set_up(&s, world, 3, changes)) {
    const hg_augment augment = hg_augment_training(&s.config.augment, 4, 1);
    hg_off n = (hg_off)s.stage.graph.n_local * 3;
    check_ok(hg_augment_prepare(&s.config.augment, &s.stage.graph));
    check(hg_augment_graph(&augment, &s.stage.graph, map) == NULL, "jitter alone has a map");
    check_ok(hg_matrix_create(&owners, s.stage.graph.n_local, 3, "positions"));
    memcpy(owners.data, s.stage.graph.positions, (size_t)s.stage.graph.n_owned * 3 * sizeof(hg_real));
    check_ok(hg_exchange_create(&exchange, world, &s.dataset.links, HG_FILL_HALO, &owners, 0));
    hg_exchange_begin(exchange);
    hg_exchange_end(exchange);
    check(memcmp(owners.data, s.stage.graph.positions, (size_t)n * sizeof(hg_real)) == 0,
          "a halo node's noise is not its owner's");
    check(n == 0 || memcmp(s.stage.graph.base_positions, s.stage.graph.positions, (size_t)n * sizeof(hg_real)) != 0,
          "no noise");
  }
  hg_exchange_free(&exchange);
  hg_matrix_free(&owners);
  tear_down(&s);
}

const mpi_case augment_cases[] = {
    {"augment/a_turn_is_turning_the_positions", a_turn_is_turning_the_positions, "1 3"},
    {"augment/gradients_under_a_turn", gradients_under_a_turn, "1 3"},
    {"augment/halo_nodes_jitter_with_their_owners", halo_nodes_jitter_with_their_owners, "2 3 7"},
    {0},
};
