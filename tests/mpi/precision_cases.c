// Training in bfloat16: near to float32 in its losses and gradients, the same bits again and on any number of threads.
#include <math.h>
#include <string.h>

#include "comm/reduce.h"
#include "tests/mpi/train_graph.h"
#include "tests/mpi/train_runs.h"
#include "tests/support/mpi_case.h"

enum { EPOCHS = 20 };

// widths below, equal to and above the classes' and features', with what stands between products and aggregation
static const char *const *const variants[] = {
    OPTIONS("model.hidden=16", "model.layers=4", "model.dropout=0.3", "model.input_dropout=0"),
    OPTIONS("model.hidden=2", "model.layers=3", "model.activation=elu"),
    OPTIONS("model.hidden=33", "model.layers=3", "model.norm=layer", "model.residual=true", "model.input_dropout=0.2"),
    OPTIONS("model.hidden=16", "model.layers=4", "model.norm=batch", "model.residual=true", "model.dropout=0.2"),
    OPTIONS("model.hidden=16", "model.layers=3", "model.normalization=row", "model.self_loops=false"),
    OPTIONS("model.type=mlp", "model.hidden=16", "model.layers=3", "model.dropout=0.3"),
};
enum { N_VARIANTS = sizeof variants / sizeof *variants };

static hg_config config_of(const char *path, const char *const *changes, hg_precision precision)
{
  hg_config config = train_config(path);
  config.train.learning_rate = 0.01;
  train_configure(&config, changes);
  config.model.precision = precision;
  return config;
}

// Numbers rounded to 8 bits of precision err by up to 1/256 each, at random.
static void check_near(const hg_real *a, const hg_real *b, hg_off n, const char *what)
{
  double difference = 0, size = 0;
  for (hg_off k = 0; k < n; k++) {
    difference += pow((double)a[k] - (double)b[k], 2);
    size += pow((double)b[k], 2);
  }
  check(difference > 0, "%s: nothing was rounded", what);
  check(sqrt(difference) < 0.04 * sqrt(size), "%s: gradients differ by %.3g of their size", what,
        sqrt(difference / size));
}

// gradients of the first step, from the same weights
static void compare_gradients(hg_world *world, const hg_config *rounded, const hg_config *exact, const char *what)
{
  const hg_plan plan = {.epoch = 1, .learning_rate = 0, .sync = HG_SYNC_ALLREDUCE};
  hg_trainer a = {0}, b = {0};
  hg_phases phases;
  hg_phases_start(&phases);
  if (check_ok(hg_trainer_create(&a, world, rounded)) && check_ok(hg_trainer_create(&b, world, exact))) {
    hg_trainer_start(&a, 1);
    hg_trainer_start(&b, 1);
    hg_trainer_step(&a, 1, &plan, NULL, &phases);
    hg_trainer_step(&b, 1, &plan, NULL, &phases);
    check_near(a.model.gradients, b.model.gradients, a.model.n_parameters, what);
  }
  hg_trainer_free(&a);
  hg_trainer_free(&b);
}

static void bfloat16_is_near_float32(hg_world *world)
{
  char path[HG_PATH_MAX];
  train_graph g = train_graph_default();
  g.n = 400;
  for (int v = 0; v < N_VARIANTS; v++) {
    double expected[EPOCHS], found[EPOCHS];
    g.sparse_features = v == 4;
    g.directed = v % 2 == 1;
    check_ok(train_graph_write(world, &g, path));
    const hg_config exact = config_of(path, variants[v], HG_PRECISION_FLOAT32),
                    rounded = config_of(path, variants[v], HG_PRECISION_BFLOAT16);
    compare_gradients(world, &rounded, &exact, variants[v][0]);
    train_curve(world, &exact, EPOCHS, expected);
    train_curve(world, &rounded, EPOCHS, found);
    check_train_curves(found, expected, EPOCHS, 0.02, variants[v][0]);
    train_graph_remove(world, path);
  }
}

// sums in another order move a number across the border between two of bfloat16, no more
static void bfloat16_on_ranks_follows_one(hg_world *world)
{
  char path[HG_PATH_MAX];
  double expected[EPOCHS], found[EPOCHS];
  hg_world *self = NULL;
  train_graph g = train_graph_default();
  g.n = 400;
  check_ok(train_graph_write(world, &g, path));
  const hg_config config = config_of(path, variants[0], HG_PRECISION_BFLOAT16);
  check_ok(hg_world_self_create(&self, world));
  if (hg_world_rank(world) == 0) train_curve(self, &config, EPOCHS, expected);
  hg_broadcast(world, expected, sizeof expected, 0);
  train_curve(world, &config, EPOCHS, found);
  check_train_curves(found, expected, EPOCHS, 0.01, "bfloat16");
  hg_world_self_free(&self);
  train_graph_remove(world, path);
}

static void same_bits_on_any_number_of_threads(hg_world *world)
{
  char path[HG_PATH_MAX];
  double first[EPOCHS], second[EPOCHS];
  train_graph g = train_graph_default();
  g.n = 600;
  check_ok(train_graph_write(world, &g, path));
  const hg_config config =
      config_of(path, OPTIONS("model.hidden=64", "model.layers=3", "model.dropout=0.5"), HG_PRECISION_BFLOAT16);
  hg_world_set_threads(world, 1);
  train_curve(world, &config, EPOCHS, first);
  hg_world_set_threads(world, 3);
  train_curve(world, &config, EPOCHS, second);
  check(memcmp(first, second, sizeof first) == 0, "three threads give other losses than one");
  hg_world_set_threads(world, 1);
  train_graph_remove(world, path);
}

static void geogcn_has_no_bfloat16(hg_world *world)
{
  char path[HG_PATH_MAX];
  train_graph g = train_graph_default();
  g.n_dims = 2;
  check_ok(train_graph_write(world, &g, path));
  const hg_config config = config_of(path, OPTIONS("model.type=geogcn"), HG_PRECISION_BFLOAT16);
  hg_trainer t;
  check(hg_trainer_create(&t, world, &config) == HG_ERR_INPUT, "made a model that does not know bfloat16");
  check(strstr(hg_error_text(), "model.precision: found bfloat16 with model.type geogcn, expected float32") != NULL,
        "said: %s", hg_error_text());
  train_graph_remove(world, path);
}

const mpi_case precision_cases[] = {
    {"precision/geogcn_has_no_bfloat16", geogcn_has_no_bfloat16, "! 1 3"},
    {"precision/bfloat16_is_near_float32", bfloat16_is_near_float32, "1 3 7"},
    {"precision/bfloat16_on_ranks_follows_one", bfloat16_on_ranks_follows_one, "1 2 3 4 7"},
    {"precision/same_bits_on_any_number_of_threads", same_bits_on_any_number_of_threads, "1 2"},
    {0},
};
