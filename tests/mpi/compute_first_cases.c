// halo.compute_first: the second layer's exchange sends nothing, and what is learned stays the same.
#include <inttypes.h>
#include <math.h>

#include "comm/reduce.h"
#include "core/base/alloc.h"
#include "models/compute_first.h"
#include "runtime/train/trainer.h"
#include "tests/mpi/train_graph.h"
#include "tests/mpi/train_runs.h"
#include "tests/support/mpi_case.h"

enum { EPOCHS = 12 };

// Bytes that all ranks send in a training epoch and in an evaluation.
static void count_bytes(hg_world *world, const hg_config *config, int64_t bytes[2])
{
  hg_trainer t;
  hg_phases phases;
  hg_phases_start(&phases);
  if (!check_ok(hg_trainer_create(&t, world, config))) return;
  hg_trainer_start(&t, config->seed);
  const hg_plan plan = hg_schedule_plan(config, &(hg_schedule_state){0}, 1);
  int64_t before = hg_model_traffic(&t.model).bytes_sent;
  hg_trainer_step(&t, config->seed, &plan, NULL, &phases);
  int64_t trained = hg_model_traffic(&t.model).bytes_sent;
  hg_model_forward(&t.model, &(hg_pass){.phases = &phases});
  bytes[0] = trained - before;
  bytes[1] = hg_model_traffic(&t.model).bytes_sent - trained;
  hg_sum_int64(world, bytes, 2);
  hg_trainer_free(&t);
}

static hg_config config_of(const char *path, const char *const *changes)
{
  hg_config config = train_config(path);
  train_configure(&config, changes);
  return config;
}

static void learns_as_one_rank(hg_world *world)
{
  static const char *const ways[][5] = {
      {"model.layers=2"},
      {"model.layers=3", "model.norm=batch", "model.dropout=0.4", "model.input_dropout=0"},
      {"model.layers=3", "model.norm=layer", "model.dropout=0.4", "model.input_dropout=0", "model.residual=true"},
      {"model.layers=2", "model.hidden=2", "partition.method=random"},
      {"model.layers=4", "model.hidden=9", "model.activation=elu", "halo.aggregation=covers"},
      {"model.layers=3", "model.normalization=row", "train.active_sets=false"}};
  train_graph g = train_graph_default();
  char path[HG_PATH_MAX];
  double expected[EPOCHS], found[EPOCHS];
  hg_world *self = NULL;
  g.n = 200;
  g.train_of = 5;
  g.directed = true;
  check_ok(train_graph_write(world, &g, path));
  check_ok(hg_world_self_create(&self, world));
  for (size_t way = 0; way < sizeof ways / sizeof *ways; way++) {
    hg_config config = config_of(path, ways[way]);
    if (hg_world_rank(world) == 0) train_curve(self, &config, EPOCHS, expected);
    hg_broadcast(world, expected, sizeof expected, 0);
    config.model.halo.compute_first = HG_COMPUTE_FIRST_ALWAYS;
    train_curve(world, &config, EPOCHS, found);
    check_train_curves(found, expected, EPOCHS, train_exact ? 1e-9 : 1e-4, ways[way][1] ? ways[way][1] : ways[way][0]);
  }
  hg_world_self_free(&self);
  train_graph_remove(world, path);
}

// In bfloat16 the halo's rows are rounded as their owners round them: as near to exchanged ones as sums are.
static void rounds_as_owners_do(hg_world *world)
{
  train_graph g = train_graph_default();
  char path[HG_PATH_MAX];
  double expected[EPOCHS], found[EPOCHS];
  check_ok(train_graph_write(world, &g, path));
  hg_config config = config_of(path, OPTIONS("model.layers=3", "model.precision=bfloat16", "model.norm=layer"));
  train_curve(world, &config, EPOCHS, expected);
  config.model.halo.compute_first = HG_COMPUTE_FIRST_ALWAYS;
  train_curve(world, &config, EPOCHS, found);
  check_train_curves(found, expected, EPOCHS, 0.01, "bfloat16");
  train_graph_remove(world, path);
}

// Of two layers nothing crosses any more, of three one exchange is left; evaluations as well.
static void nothing_crosses_for_the_second_layer(hg_world *world)
{
  train_graph g = train_graph_default();
  char path[HG_PATH_MAX];
  check_ok(train_graph_write(world, &g, path));
  for (int layers = 2; layers <= 3; layers++) {
    int64_t always[2], never[2];
    hg_config config = config_of(path, OPTIONS(layers == 2 ? "model.layers=2" : "model.layers=3"));
    config.model.halo.compute_first = HG_COMPUTE_FIRST_NEVER;
    count_bytes(world, &config, never);
    config.model.halo.compute_first = HG_COMPUTE_FIRST_ALWAYS;
    count_bytes(world, &config, always);
    for (int k = 0; k < 2; k++) {
      bool fewer = layers == 2 ? always[k] == 0 : always[k] > 0 && always[k] < never[k];
      check(fewer || hg_world_size(world) == 1, "%d layers: %" PRId64 " bytes, exchanged %" PRId64, layers, always[k],
            never[k]);
    }
  }
  train_graph_remove(world, path);
}

// By default between hosts alone, of exact modes, and where the work is little: the features' width decides.
static void chosen_between_hosts(hg_world *world)
{
  static const struct {
    const char *options[4];
    int hosts, width;
    bool computed;
  } rows[] = {
      {{"model.hidden=16"}, 2, 8, true},
      {{"model.hidden=16"}, 1, 8, false},
      {{"model.hidden=16"}, 2, 900, false},
      {{"model.hidden=16", "halo.compute_first=never"}, 2, 8, false},
      {{"model.hidden=16", "halo.compute_first=always"}, 1, 900, true},
      {{"model.hidden=16", "halo.precision=int8"}, 2, 8, false},
      {{"model.hidden=16", "halo.sample=0.5"}, 2, 8, false},
      {{"model.hidden=16", "halo.staleness=pipeline"}, 2, 8, false},
      {{"model.hidden=16", "halo.hosts=merged"}, 2, 8, true},
      {{"model.input_dropout=0.5", "halo.compute_first=always"}, 2, 8, false},
      {{"model.norm=layer", "model.recompute=true", "halo.compute_first=always"}, 2, 8, false},
      {{"model.label_rate=0.5", "halo.compute_first=always"}, 2, 8, false},
      {{"model.layers=1", "halo.compute_first=always"}, 2, 8, false},
      {{"model.type=mlp", "halo.compute_first=always"}, 2, 8, false},
  };
  for (size_t r = 0; r < sizeof rows / sizeof *rows; r++) {
    hg_trainer t;
    train_graph g = train_graph_default();
    char path[HG_PATH_MAX];
    g.width = rows[r].width;
    check_ok(train_graph_write(world, &g, path));
    int size = hg_world_size(world), hosts = rows[r].hosts < size ? rows[r].hosts : size;
    check_ok(hg_world_group_hosts(world, hosts > 1 ? 1 + hg_world_rank(world) * hosts / size : 0));
    hg_config config = config_of(path, rows[r].options);
    bool expected = rows[r].computed && (size > 1 || config.model.halo.compute_first == HG_COMPUTE_FIRST_ALWAYS);
    if (check_ok(hg_trainer_create(&t, world, &config)))
      check(t.model.layers[0].computes_halo == expected, "row %zu: computed %d", r, t.model.layers[0].computes_halo);
    hg_trainer_free(&t);
    train_graph_remove(world, path);
  }
  check_ok(hg_world_group_hosts(world, 0));
}

static void plans_its_memory(hg_world *world)
{
  static const char *const norms[] = {"model.norm=none", "model.norm=layer", "model.norm=batch"};
  train_graph g = train_graph_default();
  char path[HG_PATH_MAX];
  g.n = 20000;
  g.width = 40;
  check_ok(train_graph_write(world, &g, path));
  check_ok(hg_world_group_hosts(world, 1 + hg_world_rank(world))); // a default
  for (int n = 0; n < 3; n++) {
    hg_trainer t;
    hg_config config =
        config_of(path, OPTIONS("partition.method=block", "model.hidden=48", "model.layers=3", norms[n]));
    size_t before = hg_alloc_bytes();
    if (!check_ok(hg_trainer_create(&t, world, &config))) break;
    double used = (double)(hg_alloc_bytes() - before), planned = (double)t.planned.total;
    check(fabs(planned - used) <= 0.05 * used, "%s: %.0f bytes used, %.0f planned", norms[n], used, planned);
    check(t.model.layers[0].computes_halo == (hg_world_size(world) > 1), "%s: exchanged", norms[n]);
    hg_trainer_free(&t);
  }
  check_ok(hg_world_group_hosts(world, 0));
  train_graph_remove(world, path);
}

const mpi_case compute_first_cases[] = {
    {"compute_first/learns_as_one_rank", learns_as_one_rank, "1 2 3 4 7"},
    {"compute_first/rounds_as_owners_do", rounds_as_owners_do, "3"},
    {"compute_first/nothing_crosses_for_the_second_layer", nothing_crosses_for_the_second_layer, "1 2 4"},
    {"compute_first/chosen_between_hosts", chosen_between_hosts, "1 2 4"},
    {"compute_first/plans_its_memory", plans_its_memory, "1 3"},
    {0},
};
