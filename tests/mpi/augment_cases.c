// Augmented positions: a turn of the gates is a turn of the positions, and ranks agree on what moves.
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "comm/reduce.h"
#include "core/base/alloc.h"
#include "core/graph/store.h"
#include "core/tensor/geo.h"
#include "models/augment.h"
#include "models/model.h"
#include "runtime/train/feed_graph.h"
#include "tests/mpi/train_graph.h"
#include "tests/support/mpi_case.h"
#include "tests/support/sample_collection.h"

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
      !check_ok(hg_local_graph_place(&s->stage.graph, o->normalize_positions == HG_POSITIONS_MEAN_EDGE ? 0 : 1)) ||
      !check_ok(hg_input_create(&s->input, &s->stage.graph, &s->dataset.part.nodes.features)) ||
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
    const hg_augment_options all = {.rotate = 180, .reflect = true, .scale = 0.5};
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
  check_differences(world, 2, OPTIONS("augment.rotate=30", "augment.scale=0.5", "model.activation=elu"));
  check_differences(world, 3,
                    OPTIONS("augment.rotate=180", "augment.reflect=true", "model.filters_per=shared", "model.layers=3",
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

// every augmentation there is; `more` after them
static hg_config augmented(const char *path, const char *const *more)
{
  static const char *const all[] = {"model.type=geogcn",   "model.normalization=row", "model.dropout=0.3",
                                    "augment.rotate=180",  "augment.reflect=true",    "augment.scale=0.2",
                                    "augment.jitter=0.1",  "augment.test_samples=3",  "train.learning_rate=0.005",
                                    "model.activation=elu"};
  hg_config config = train_config(path);
  for (size_t k = 0; k < sizeof all / sizeof *all; k++) check_ok(hg_config_override(&config, all[k]));
  for (; *more; more++) check_ok(hg_config_override(&config, *more));
  check_ok(hg_config_resolve(&config));
  return config;
}

enum { STEPS = 20 };

// training losses and, after each fifth step, the validation loss of an evaluation
static void curve(hg_world *world, const hg_config *config, double losses[2 * STEPS])
{
  hg_trainer t;
  hg_phases phases;
  hg_phases_start(&phases);
  if (!check_ok(hg_trainer_create(&t, world, config))) return;
  hg_trainer_start(&t, config->seed);
  for (int e = 0; e < STEPS; e++) {
    const hg_plan plan = hg_schedule_plan(config, &(hg_schedule_state){0}, e + 1);
    hg_step step = hg_trainer_step(&t, config->seed, &plan, NULL, &phases);
    double sums[] = {step.loss.loss, step.loss.weight};
    hg_scores scores[HG_SPLIT_COUNT];
    hg_sum_doubles(world, sums, 2);
    losses[2 * e] = sums[0] / sums[1];
    losses[2 * e + 1] = 0;
    if (e % 5 != 4) continue;
    check_ok(hg_trainer_evaluate(&t, scores));
    losses[2 * e + 1] = scores[HG_SPLIT_VAL].loss;
  }
  hg_trainer_free(&t);
}

static void check_curve(const double *found, const double *expected, const char *what)
{
  for (int e = 0; e < 2 * STEPS; e++)
    if (!check(fabs(found[e] - expected[e]) <= (exact ? 1e-9 : 1e-4) * fabs(expected[e]),
               "%s: loss %d: %.12g, expected %.12g", what, e, found[e], expected[e]))
      return;
}

// these ranks as one alone; twice to the bit; and not as without augmentation
static void check_ranks(hg_world *world, const hg_config *config, const char *what)
{
  double expected[2 * STEPS], found[2 * STEPS], again[2 * STEPS], still[2 * STEPS];
  hg_world *self = NULL;
  hg_config without = *config;
  without.augment = (hg_augment_options){0};
  check_ok(hg_world_self_create(&self, world));
  if (hg_world_rank(world) == 0) curve(self, config, expected);
  hg_broadcast(world, expected, sizeof expected, 0);
  curve(world, config, found);
  check_curve(found, expected, what);
  curve(world, config, again);
  check(memcmp(found, again, sizeof found) == 0, "%s: the second run has other losses", what);
  curve(world, &without, still);
  double with = found[2 * STEPS - 1], bare = still[2 * STEPS - 1];
  check(fabs(with - bare) > 1e-5, "%s: augmentation changes nothing: %.9g and %.9g", what, with, bare);
  hg_world_self_free(&self);
}

static void ranks_follow_one(hg_world *world)
{
  static const char *const methods[] = {"partition.method=metis", "partition.method=random"};
  train_graph g = train_graph_default();
  char path[HG_PATH_MAX];
  for (int k = 0; k < 2; k++) {
    g.n_dims = 2 + k;
    check_ok(train_graph_write(world, &g, path));
    const hg_config config = augmented(path, OPTIONS("model.layers=3", methods[k]));
    check_ranks(world, &config, methods[k]);
    train_graph_remove(world, path);
  }
}

// a forward pass on the trainer's graph, from the functions of models/augment.h alone
static void add_sample(hg_trainer *t, int k, double *logits, double *embeddings)
{
  hg_stage *stage = &hg_graph_feed_of(t)->stage;
  hg_phases phases;
  hg_real map[HG_GEO_DIMS * HG_GEO_DIMS];
  const hg_augment augment = hg_augment_test(&t->config->augment, t->config->seed, k);
  hg_phases_start(&phases);
  const hg_real *turn = hg_augment_graph(&augment, &stage->graph, map);
  hg_matrix z = hg_model_forward(&t->model, &(hg_pass){.phases = &phases, .turn = turn});
  hg_matrix hidden = hg_model_embeddings(&t->model);
  for (hg_off e = 0; e < stage->graph.n_owned * z.cols; e++) logits[e] += (double)z.data[e];
  for (hg_off e = 0; e < hidden.rows * hidden.cols; e++) embeddings[e] += (double)hidden.data[e];
}

static void check_mean(const hg_matrix *found, const double *sum, int n, const char *what)
{
  for (hg_off e = 0; e < found->rows * found->cols; e++)
    if (!check(fabs((double)found->data[e] - sum[e] / n) < (exact ? 1e-13 : 1e-5), "%s %lld: %.9g, expected %.9g", what,
               (long long)e, (double)found->data[e], sum[e] / n))
      return;
}

// of those that are read: not `all`, of nodes that a score reads alone
static void check_logits(const hg_trainer *t, const hg_matrix *found, const double *sums, int samples, bool all)
{
  const hg_labelled *l = &t->labelled;
  check(found->rows == l->n_items, "%lld rows", (long long)found->rows);
  if (all) check_mean(found, sums, samples, "logit");
  for (int s = HG_SPLIT_TRAIN; s < HG_SPLIT_COUNT; s++)
    for (hg_off r = 0; r < l->n_rows[s]; r++) {
      const hg_matrix row = hg_matrix_rows(found, l->rows[s][r], 1);
      check_mean(&row, sums + l->rows[s][r] * found->cols, samples, "logit of a scored node");
    }
}

static void evaluations_average_their_samples(hg_world *world)
{
  enum { SAMPLES = 4, MOST = 1000 };
  static double logits[MOST], embeddings[MOST];
  train_graph g = train_graph_default();
  char path[HG_PATH_MAX];
  hg_trainer t;
  g.n_dims = 2;
  check_ok(train_graph_write(world, &g, path));
  hg_config config = augmented(path, OPTIONS("augment.test_samples=4"));
  if (check_ok(hg_trainer_create(&t, world, &config))) {
    hg_trainer_start(&t, 3);
    memset(logits, 0, sizeof logits);
    memset(embeddings, 0, sizeof embeddings);
    for (int k = 0; k < SAMPLES; k++) add_sample(&t, k, logits, embeddings);
    for (int all = 0; all < 2; all++) {
      const hg_outputs out = t.type->outputs(&t, all);
      check_logits(&t, &out.logits, logits, SAMPLES, all);
      if (all) check_mean(&out.embeddings, embeddings, SAMPLES, "embedding");
    }
  }
  hg_trainer_free(&t);
  train_graph_remove(world, path);
}

static hg_status write_collection(const char *path)
{
  hg_collection c = {0};
  hg_status rc = sample_collection(&c, 40, 3, 3, HG_TASK_CLASSES, 3, 6);
  if (rc == HG_OK) rc = hg_store_write_collection(path, &c, "test");
  hg_collection_free(&c);
  return rc;
}

// 40 small graphs with positions of 3 dimensions in a folder of their own; remove as a train_graph
static void make_collection(hg_world *world, char path[HG_PATH_MAX])
{
  hg_status rc = HG_OK;
  if (hg_world_rank(world) == 0) {
    char folder[] = "/tmp/halognn_train_XXXXXX";
    rc = mkdtemp(folder) ? HG_OK : hg_fail(HG_ERR_IO, "%s: cannot make it", folder);
    snprintf(path, HG_PATH_MAX, "%s/graphs.hg", folder);
    if (rc == HG_OK) rc = write_collection(path);
  }
  check_ok(hg_agree(world, rc, "writing the test collection"));
  hg_broadcast(world, path, HG_PATH_MAX, 0);
}

static void collections_follow_one(hg_world *world)
{
  char path[HG_PATH_MAX];
  static const char *const units[] = {"augment.per=graph", "augment.per=batch", "augment.per=epoch"};
  make_collection(world, path);
  for (int k = 0; k < 3; k++) {
    const char *pooling = k == 1 ? "model.pooling=none" : "model.pooling=cluster";
    const hg_config config = augmented(path, OPTIONS("train.batch_size=7", units[k], pooling));
    check_ranks(world, &config, units[k]);
  }
  train_graph_remove(world, path);
}

// a graph's outputs are its own, whatever stands beside it in a batch
static void evaluations_do_not_depend_on_batches(hg_world *world)
{
  enum { MOST = 1000 };
  static double expected[MOST];
  char path[HG_PATH_MAX];
  static const char *const units[] = {"augment.per=graph", "augment.per=batch"};
  static const char *const sizes[] = {"train.batch_size=40", "train.batch_size=3"};
  make_collection(world, path);
  for (int k = 0; k < 4; k++) {
    const hg_config config = augmented(path, OPTIONS(units[k / 2], sizes[k % 2], "model.pooling=cluster"));
    hg_trainer t;
    if (!check_ok(hg_trainer_create(&t, world, &config))) break;
    hg_trainer_start(&t, 3);
    const hg_outputs out = t.type->outputs(&t, true);
    for (hg_off e = 0; k % 2 == 0 && e < out.logits.rows * out.logits.cols; e++)
      expected[e] = (double)out.logits.data[e];
    if (k % 2) check_mean(&out.logits, expected, 1, units[k / 2]);
    hg_trainer_free(&t);
  }
  train_graph_remove(world, path);
}

const mpi_case augment_cases[] = {
    {"augment/a_turn_is_turning_the_positions", a_turn_is_turning_the_positions, "1 3"},
    {"augment/gradients_under_a_turn", gradients_under_a_turn, "1 3"},
    {"augment/halo_nodes_jitter_with_their_owners", halo_nodes_jitter_with_their_owners, "2 3 7"},
    {"augment/ranks_follow_one", ranks_follow_one, "1 2 3 7"},
    {"augment/evaluations_average_their_samples", evaluations_average_their_samples, "1 3"},
    {"augment/collections_follow_one", collections_follow_one, "1 2 3"},
    {"augment/evaluations_do_not_depend_on_batches", evaluations_do_not_depend_on_batches, "1 3"},
    {0},
};
