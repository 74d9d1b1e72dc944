// halo.compute_first: the second layer's exchange sends nothing, and what is learned stays the same.
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "comm/reduce.h"
#include "core/base/alloc.h"
#include "core/base/cpu.h"
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
  bytes[0] = bytes[1] = -1;
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

static bool computes(hg_world *world, const hg_config *config)
{
  hg_trainer t;
  if (!check_ok(hg_trainer_create(&t, world, config))) return false;
  bool found = t.model.layers[0].computes_halo;
  hg_trainer_free(&t);
  return found;
}

// Losses of some epochs, of which the last one's model is evaluated: its moments, and rows that train nothing, count.
static void curve(hg_world *world, const hg_config *config, double losses[EPOCHS + 1])
{
  hg_trainer t;
  hg_scores scores[HG_SPLIT_COUNT];
  memset(losses, 0, (EPOCHS + 1) * sizeof *losses);
  if (!check_ok(hg_trainer_create(&t, world, config))) return;
  hg_trainer_start(&t, config->seed);
  for (int e = 1; e <= EPOCHS; e++) losses[e - 1] = train_epoch(&t, e);
  check_ok(hg_trainer_evaluate(&t, scores));
  losses[EPOCHS] = scores[HG_SPLIT_VAL].loss;
  hg_trainer_free(&t);
}

// with ranks on as many hosts, or on one
static void compare_with_one(hg_world *world, const train_graph *g, const char *const *changes, int hosts)
{
  char path[HG_PATH_MAX];
  double expected[EPOCHS + 1], found[EPOCHS + 1];
  hg_world *self = NULL;
  int size = hg_world_size(world);
  check_ok(train_graph_write(world, g, path));
  check_ok(hg_world_self_create(&self, world));
  hg_config config = config_of(path, changes);
  config.model.halo.compute_first = HG_COMPUTE_FIRST_ALWAYS;
  if (hg_world_rank(world) == 0) curve(self, &config, expected);
  hg_broadcast(world, expected, sizeof expected, 0);
  check_ok(hg_world_group_hosts(world, hosts > 1 ? 1 + hg_world_rank(world) * hosts / size : 0));
  check(computes(world, &config) == (size > 1), "%s: exchanged", changes[0]);
  curve(world, &config, found);
  check_train_curves(found, expected, EPOCHS + 1, train_exact ? 1e-9 : 1e-4, changes[0]);
  check_ok(hg_world_group_hosts(world, 0));
  hg_world_self_free(&self);
  train_graph_remove(world, path);
}

static void learns_as_one_rank(hg_world *world)
{
  static const char *const ways[][6] = {
      {"model.layers=2"},
      {"model.norm=batch", "model.layers=3", "model.dropout=0.4", "model.input_dropout=0"},
      {"model.norm=layer", "model.layers=3", "model.dropout=0.4", "model.input_dropout=0", "model.residual=true"},
      {"model.hidden=2", "model.layers=2", "partition.method=random"},
      {"model.activation=elu", "model.layers=4", "model.hidden=9", "halo.aggregation=covers"},
      {"model.normalization=row", "model.layers=3", "train.active_sets=false"}};
  train_graph g = train_graph_default();
  g.n = 200;
  g.train_of = 5;
  g.directed = true;
  for (size_t way = 0; way < sizeof ways / sizeof *ways; way++) compare_with_one(world, &g, ways[way], 1);
  g.width = 150; // of which some columns are aggregated at a time
  compare_with_one(world, &g, OPTIONS("model.layers=3", "partition.method=block"), 1);
}

// Parts of which some have no halo, or no node; and hosts between which one rank serves for others.
static void learns_whatever_the_parts(hg_world *world)
{
  train_graph g = train_graph_default();
  g.n = 40;
  g.degree = 1;
  g.directed = true;
  for (int width = 5; width <= 105; width += 100) {
    g.width = width;
    compare_with_one(world, &g, OPTIONS("model.layers=3", "partition.method=block"), 1);
    compare_with_one(world, &g, OPTIONS("model.layers=3", "partition.method=block", "halo.hosts=merged"), 2);
  }
  g.n = 14; // some of which have no neighbour
  compare_with_one(world, &g, OPTIONS("model.layers=2", "partition.method=random"), 1);
  g = train_graph_default();
  compare_with_one(world, &g,
                   OPTIONS("halo.hosts=merged", "model.layers=3", "model.dropout=0.3", "model.input_dropout=0"), 2);
}

// The bits of halo rows are those of their owners' rows, rounded ones too, masks and all; but OpenBLAS, which does the
// products without AVX2, may add a row's terms in another order elsewhere in a block.
static void computes_what_owners_do(hg_world *world)
{
  static const char *const precisions[] = {"model.precision=float32", "model.precision=bfloat16"};
  double tolerance = hg_simd_level() > 0 ? 0 : 1e-5;
  train_graph g = train_graph_default();
  char path[HG_PATH_MAX];
  check_ok(train_graph_write(world, &g, path));
  for (int p = 0; p < 2; p++) {
    hg_trainer t;
    hg_exchange *exchange = NULL;
    hg_phases phases;
    hg_config config = config_of(path, OPTIONS("model.layers=3", "model.dropout=0.4", "model.input_dropout=0",
                                               "model.norm=batch", "halo.compute_first=always", precisions[p]));
    hg_phases_start(&phases);
    if (!check_ok(hg_trainer_create(&t, world, &config))) break;
    hg_trainer_start(&t, config.seed);
    hg_model_forward(&t.model, &(hg_pass){.training = true, .seed = 3, .epoch = 1, .phases = &phases});
    const hg_layer *first = &t.model.layers[0];
    hg_matrix rows = {0};
    check_ok(hg_matrix_create(&rows, first->h.rows, first->h.cols, "rows"));
    memcpy(rows.data, first->h.data, (size_t)(rows.rows * rows.cols) * sizeof *rows.data);
    check_ok(hg_exchange_create(&exchange, world, first->graph->links, HG_FILL_HALO, &rows, 9));
    hg_exchange_begin(exchange);
    hg_exchange_end(exchange);
    for (hg_off k = 0; k < rows.rows * rows.cols; k++)
      check(fabs((double)(rows.data[k] - first->h.data[k])) <= tolerance, "%s: number %lld: %.9g, its owner has %.9g",
            precisions[p], (long long)k, (double)first->h.data[k], (double)rows.data[k]);
    hg_exchange_free(&exchange);
    hg_matrix_free(&rows);
    hg_trainer_free(&t);
  }
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
    train_graph g = train_graph_default();
    char path[HG_PATH_MAX];
    g.width = rows[r].width;
    check_ok(train_graph_write(world, &g, path));
    int size = hg_world_size(world), hosts = rows[r].hosts < size ? rows[r].hosts : size;
    check_ok(hg_world_group_hosts(world, hosts > 1 ? 1 + hg_world_rank(world) * hosts / size : 0));
    hg_config config = config_of(path, rows[r].options);
    check(computes(world, &config) == (rows[r].computed && size > 1), "row %zu", r);
    train_graph_remove(world, path);
  }
  check_ok(hg_world_group_hosts(world, 0));
}

// Bytes that a rank's arrays take, now or at most, beside what was planned.
static void compare_memory(hg_world *world, const char *const *changes, int width, bool at_most)
{
  train_graph g = train_graph_default();
  char path[HG_PATH_MAX];
  hg_trainer t;
  g.n = 20000;
  g.width = width;
  check_ok(train_graph_write(world, &g, path));
  check_ok(hg_world_group_hosts(world, 1 + hg_world_rank(world))); // where it is the default
  hg_config config = config_of(path, changes);
  size_t before = hg_alloc_bytes();
  if (check_ok(hg_trainer_create(&t, world, &config))) {
    double used = (double)((at_most ? hg_alloc_peak_bytes() : hg_alloc_bytes()) - before);
    double planned = (double)t.planned.total;
    check(fabs(planned - used) <= 0.05 * used, "%s: %.0f bytes used, %.0f planned", changes[0], used, planned);
    check(t.model.layers[0].computes_halo == (hg_world_size(world) > 1), "%s: exchanged", changes[0]);
    hg_trainer_free(&t);
  }
  check_ok(hg_world_group_hosts(world, 0));
  train_graph_remove(world, path);
}

static void plans_its_memory(hg_world *world)
{
  static const char *const norms[] = {"model.norm=none", "model.norm=layer", "model.norm=batch"};
  for (int n = 0; n < 3; n++)
    compare_memory(world, OPTIONS(norms[n], "partition.method=block", "model.hidden=48", "model.layers=3"), 40, false);
}

// of wide features and narrow layers, when the aggregate is made
static void plans_its_peak(hg_world *world)
{
  compare_memory(world, OPTIONS("model.hidden=8", "partition.method=block", "model.layers=3", "model.activation=elu"),
                 100, true);
}

// A run that computed goes on computing wherever its ranks are, to the same bits; so does one that exchanged.
static void resumes_as_it_began(hg_world *world)
{
  train_graph g = train_graph_default();
  char path[HG_PATH_MAX];
  int rank = hg_world_rank(world);
  check_ok(train_graph_write(world, &g, path));
  for (int first = 0; first < 2; first++) {
    hg_checkpoint whole = {0}, resumed = {0};
    hg_config config = config_of(path, OPTIONS("train.epochs=6", "train.checkpoint_every=3"));
    check_ok(hg_world_group_hosts(world, first ? 1 + rank : 0));
    train_run(world, &config, false, &whole);
    train_remove_checkpoint(world, &config, 6);
    check_ok(hg_world_group_hosts(world, first ? 0 : 1 + rank));
    train_run(world, &config, true, &resumed);
    check(whole.halo_computed == (first ? 1 : -1) && resumed.halo_computed == whole.halo_computed,
          "computed %d, resumed %d", whole.halo_computed, resumed.halo_computed);
    check_train_weights(&whole, &resumed, 0, first ? "computed" : "exchanged");
    hg_checkpoint_free(&whole);
    hg_checkpoint_free(&resumed);
  }
  check_ok(hg_world_group_hosts(world, 0));
  train_graph_remove(world, path);
}

const mpi_case compute_first_cases[] = {
    {"compute_first/learns_as_one_rank", learns_as_one_rank, "1 2 3 4 7"},
    {"compute_first/learns_whatever_the_parts", learns_whatever_the_parts, "2 3 4 7"},
    {"compute_first/computes_what_owners_do", computes_what_owners_do, "2 3"},
    {"compute_first/nothing_crosses_for_the_second_layer", nothing_crosses_for_the_second_layer, "1 2 4"},
    {"compute_first/chosen_between_hosts", chosen_between_hosts, "1 2 4"},
    {"compute_first/plans_its_memory", plans_its_memory, "1 3"},
    {"compute_first/plans_its_peak", plans_its_peak, "!3"},
    {"compute_first/resumes_as_it_began", resumes_as_it_began, "2 3"},
    {0},
};
