// model.recompute changes memory alone: not a bit of what is learned, or rounding where hidden rows are never a matrix.
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "comm/reduce.h"
#include "core/base/alloc.h"
#include "core/base/threads.h"
#include "models/closed_rows.h"
#include "runtime/train/feed_graph.h"
#include "tests/mpi/train_graph.h"
#include "tests/mpi/train_runs.h"
#include "tests/support/mpi_case.h"

enum { EPOCHS = 4 };

static const char *const *const variants[] = {
    OPTIONS("model.norm=batch", "model.dropout=0.3", "model.residual=true"),
    OPTIONS("model.norm=layer", "model.dropout=0.3", "model.residual=true", "model.activation=elu"),
    OPTIONS("model.norm=layer", "model.layers=2", "train.active_sets=false"),
    OPTIONS("model.norm=batch", "model.layers=1"),
    OPTIONS("model.norm=layer", "model.hidden=3", "model.dropout=0.4"),
    OPTIONS("model.norm=layer", "model.hidden=2", "model.normalization=row", "model.bias=false"),
    OPTIONS("model.norm=batch", "model.precision=bfloat16", "model.dropout=0.2"),
    OPTIONS("model.norm=layer", "halo.precision=int8", "halo.error_feedback=true"),
    OPTIONS("model.norm=batch", "halo.aggregation=covers", "partition.method=random", "model.dropout=0.3"),
    OPTIONS("model.norm=batch", "halo.sample=0.5", "partition.method=random"),
    OPTIONS("model.type=mlp", "model.norm=layer", "model.dropout=0.3", "model.residual=true"),
    OPTIONS("model.type=mlp", "model.norm=batch", "model.input_dropout=0.2"),
};
enum { N_VARIANTS = sizeof variants / sizeof *variants };

static void try_variant(hg_world *world, const char *const *changes)
{
  char path[HG_PATH_MAX];
  train_graph g = train_graph_default();
  size_t held[2] = {0};
  g.n = 400;
  g.train_of = 6;
  check_ok(train_graph_write(world, &g, path));
  hg_config config = train_config(path);
  config.model.hidden = 24;
  config.model.layers = 5;
  train_configure(&config, changes);
  hg_config less = config;
  less.model.recompute = true;
  char what[128];
  snprintf(what, sizeof what, "%s, %s", changes[0], changes[1]);
  check_train_same(world, &less, &config, EPOCHS, what, held);
  if (config.model.layers == 5 && config.model.hidden == 24 && hg_world_size(world) == 1)
    check(held[0] < held[1], "%s: %zu bytes, and %zu with all outputs", what, held[0], held[1]);
  train_graph_remove(world, path);
}

static void changes_no_bit(hg_world *world)
{
  for (int v = 0; v < N_VARIANTS; v++) try_variant(world, variants[v]);
}

static void is_refused_where_nothing_is_kept_twice(hg_world *world)
{
  static const char *const refusals[][3] = {
      {"model.norm=none", "model.layers=3", "model.recompute: found true with model.norm none, expected batch"},
      {"model.norm=layer", "model.type=geogcn", "model.recompute: found true with model.type geogcn, expected"},
      {"model.norm=layer", "halo.staleness=pipeline", "model.recompute: found true with halo.staleness pipeline, exp"}};
  for (int k = 0; k < 3; k++) {
    char path[HG_PATH_MAX];
    train_graph g = train_graph_default();
    hg_trainer t = {0};
    g.n_dims = 2;
    check_ok(train_graph_write(world, &g, path));
    hg_config config = train_config(path);
    train_configure(&config, OPTIONS("model.recompute=true", refusals[k][0], refusals[k][1]));
    check(hg_trainer_create(&t, world, &config) == HG_ERR_INPUT, "it was not refused");
    check(strstr(hg_error_text(), refusals[k][2]) != NULL, "found: %s", hg_error_text());
    hg_trainer_free(&t);
    train_graph_remove(world, path);
  }
}

static const char *const *const streamed[] = {
    OPTIONS("model.dropout=0.4", "model.activation=relu"),
    OPTIONS("model.dropout=0.3", "model.activation=elu", "train.active_sets=false"),
    OPTIONS("model.bias=false", "halo.aggregation=covers", "partition.method=random"),
    OPTIONS("model.normalization=row", "halo.precision=int8", "halo.error_feedback=true"),
    OPTIONS("model.dropout=0.4", "halo.sample=0.5", "partition.order=none"),
    OPTIONS("train.optimizer=sgd", "model.hidden=130", "model.self_loops=false"),
};

// losses, gradients and scores of both, of which one never has a matrix of hidden rows, to rounding
static void compare_streamed(hg_trainer *found, hg_trainer *stored, const char *const *changes)
{
  char what[128];
  snprintf(what, sizeof what, "%s, %s", changes[0], changes[1]);
  check(found->model.layers[0].streams && !stored->model.layers[0].streams, "%s: streams", what);
  check_train_near(found, stored, EPOCHS, what);
  check(hg_model_embeddings(&found->model).rows == 0, "there are embeddings");
}

// the same bits on three threads, and again
static void compare_threads(hg_trainer *one, hg_world *world, const hg_config *config)
{
  for (int again = 0; again < 2; again++) {
    hg_trainer three = {0};
    hg_threads_set(3);
    if (train_hold(&three, world, config)) {
      hg_trainer_start(one, 4);
      hg_trainer_start(&three, 4);
      for (int epoch = 1; epoch <= 2; epoch++) {
        hg_threads_set(1);
        train_step(one, epoch);
        hg_threads_set(3);
        train_step(&three, epoch);
      }
      check(train_same(one->model.gradients, three.model.gradients, one->model.n_parameters),
            "three threads give other gradients");
    }
    hg_threads_set(1);
    hg_trainer_free(&three);
  }
}

static size_t planned_less(const hg_trainer *stored, const hg_trainer *found)
{
  return stored->planned.total - found->planned.total;
}

// `config` against the same with stored rows: results, threads, and what is held
static void compare_with_stored(hg_world *world, const hg_config *config, const char *const *changes)
{
  hg_trainer found = {0}, stored = {0};
  hg_config more = *config;
  more.model.recompute = false;
  more.model.embeds = true;
  size_t bytes = train_hold(&stored, world, &more), fewer = train_hold(&found, world, config);
  if (bytes && fewer) {
    compare_streamed(&found, &stored, changes);
    compare_threads(&found, world, config);
    check(planned_less(&stored, &found) == bytes - fewer, "%s: %zu bytes less planned, but %zu less held", changes[0],
          planned_less(&stored, &found), bytes - fewer);
    check(fewer < bytes, "%s: %zu bytes, and %zu with all outputs", changes[0], fewer, bytes);
  }
  hg_trainer_free(&found);
  hg_trainer_free(&stored);
}

// rows made again, and where relu leaves zeros rows kept without them
static void try_streamed(hg_world *world, const char *const *changes, const train_graph *g)
{
  char path[HG_PATH_MAX];
  check_ok(train_graph_write(world, g, path));
  hg_config config = train_config(path);
  config.model.hidden = 64;
  config.train.learning_rate = 0.01;
  train_configure(&config, changes);
  if (config.model.activation == HG_ACTIVATION_RELU) compare_with_stored(world, &config, changes);
  config.model.recompute = true;
  compare_with_stored(world, &config, changes);
  train_graph_remove(world, path);
}

static void streams_two_layers(hg_world *world)
{
  for (size_t v = 0; v < sizeof streamed / sizeof *streamed; v++) {
    train_graph g = train_graph_default();
    g.n = 1500;
    g.train_of = v % 2 ? 2 : 12;
    g.directed = v % 3 == 1;
    g.width = 40;
    try_streamed(world, streamed[v], &g);
  }
}

// Weights that fit no panels: what one product of a row gives depends on how many rows it has there.
static void keeps_the_same_rows_on_any_threads(hg_world *world)
{
  for (int recompute = 0; recompute < 2; recompute++) {
    char path[HG_PATH_MAX];
    train_graph g = train_graph_default();
    hg_trainer one = {0};
    g.n = 2500;
    g.train_of = 2;
    g.width = 1200;
    check_ok(train_graph_write(world, &g, path));
    hg_config config = train_config(path);
    train_configure(&config, OPTIONS("model.hidden=256", "model.dropout=0.5"));
    config.model.recompute = recompute;
    if (train_hold(&one, world, &config)) {
      check(one.model.layers[0].kept_share > 0, "nothing is kept");
      compare_threads(&one, world, &config);
    }
    hg_trainer_free(&one);
    train_graph_remove(world, path);
  }
}

// a bias that leaves relu nothing to do: a part of the rows finds no room, and is made again
static void lift(hg_trainer *t)
{
  hg_matrix bias = hg_layer_parameter(&t->model.layers[0], t->model.layers[0].theta, "bias");
  for (int k = 0; k < bias.cols; k++) bias.data[k] = 4;
}

static void makes_again_what_finds_no_room(hg_world *world)
{
  char path[HG_PATH_MAX];
  train_graph g = train_graph_default();
  hg_trainer closed = {0}, stored = {0};
  g.n = 1500;
  check_ok(train_graph_write(world, &g, path));
  hg_config config = train_config(path);
  train_configure(&config, OPTIONS("model.dropout=0.2", "model.hidden=64", "train.active_sets=false"));
  hg_config more = config;
  more.model.embeds = true;
  check_ok(hg_trainer_create(&closed, world, &config));
  check_ok(hg_trainer_create(&stored, world, &more));
  hg_trainer_start(&closed, 4);
  hg_trainer_start(&stored, 4);
  lift(&closed);
  lift(&stored);
  train_step(&closed, 1);
  train_step(&stored, 1);
  const hg_closed_rows *rows = closed.model.layers[0].own;
  hg_off missing = 0;
  for (hg_off i = 0; rows && i < rows->rows; i++) missing += rows->starts[i] < 0;
  check(missing > 0 && missing < rows->rows, "%d rows found no room", (int)missing);
  for (hg_off k = 0; k < stored.model.n_parameters; k++)
    check(fabs((double)(closed.model.gradients[k] - stored.model.gradients[k])) <= (train_exact ? 1e-9 : 1e-4),
          "gradient %lld is %.9g, expected %.9g", (long long)k, (double)closed.model.gradients[k],
          (double)stored.model.gradients[k]);
  hg_trainer_free(&closed);
  hg_trainer_free(&stored);
  train_graph_remove(world, path);
}

const mpi_case recompute_cases[] = {
    {"recompute/streams_two_layers", streams_two_layers, "1 3"},
    {"recompute/keeps_the_same_rows_on_any_threads", keeps_the_same_rows_on_any_threads, "1"},
    {"recompute/makes_again_what_finds_no_room", makes_again_what_finds_no_room, "1 3"},
    {"recompute/changes_no_bit", changes_no_bit, "1 3"},
    {"recompute/is_refused_where_nothing_is_kept_twice", is_refused_where_nothing_is_kept_twice, "! 1"},
    {0}};
