// model.skip_zeros: what is gathered without its zeros changes not a bit of what is learned.
#include <stdio.h>

#include "core/base/alloc.h"
#include "core/base/threads.h"
#include "models/gathered.h"
#include "tests/mpi/train_graph.h"
#include "tests/mpi/train_runs.h"
#include "tests/support/mpi_case.h"

enum { EPOCHS = 4 };

static const char *const *const variants[] = {
    OPTIONS("model.dropout=0.5", "train.active_sets=false"),
    OPTIONS("model.dropout=0.3", "model.activation=elu"),
    OPTIONS("model.dropout=0", "model.normalization=row"),
    OPTIONS("model.dropout=0.5", "model.hidden=130", "model.layers=3"),
    OPTIONS("model.dropout=0.5", "model.hidden=2", "model.layers=3"), // the last layer is wide
    OPTIONS("model.dropout=0.4", "model.residual=true"),
    OPTIONS("model.dropout=0.5", "model.norm=batch"),
    OPTIONS("model.dropout=0.5", "model.norm=layer", "model.recompute=true"),
    OPTIONS("model.dropout=0.5", "halo.aggregation=covers", "partition.method=random"),
    OPTIONS("model.dropout=0.5", "halo.precision=int8", "halo.error_feedback=true"),
    OPTIONS("model.dropout=0.5", "halo.sample=0.5", "partition.method=random"),
    OPTIONS("model.dropout=0.5", "halo.staleness=pipeline"),
    OPTIONS("model.dropout=0.5", "halo.compute_first=always"),
    OPTIONS("model.dropout=0.5", "halo.skip_zeros=always", "model.self_loops=false"),
};
enum { N_VARIANTS = sizeof variants / sizeof *variants };

static hg_config config_of(hg_world *world, const train_graph *g, const char *const *changes, char *path)
{
  check_ok(train_graph_write(world, g, path));
  hg_config config = train_config(path);
  config.model.hidden = 24;
  config.model.layers = 5;
  train_configure(&config, changes);
  return config;
}

static train_graph graph_of(int train_of)
{
  train_graph g = train_graph_default();
  g.n = 400;
  g.train_of = train_of;
  return g;
}

static void try_variant(hg_world *world, const char *const *changes)
{
  char path[HG_PATH_MAX], what[128];
  const train_graph g = graph_of(6);
  size_t held[2] = {0};
  hg_config all = config_of(world, &g, changes, path), some = all;
  all.model.skip_zeros = HG_GATHER_NONZERO_NEVER;
  some.model.skip_zeros = HG_GATHER_NONZERO_ALWAYS;
  snprintf(what, sizeof what, "%s, %s", changes[0], changes[1]);
  check_train_same(world, &some, &all, EPOCHS, what, held);
  check(held[0] > held[1], "%s: there is no copy", what);
  train_graph_remove(world, path);
}

static void changes_no_bit(hg_world *world)
{
  for (int v = 0; v < N_VARIANTS; v++) try_variant(world, variants[v]);
}

static const char *const *const without_copies[] = {
    OPTIONS("model.layers=2", "model.skip_zeros=always"),
    OPTIONS("model.precision=bfloat16", "model.skip_zeros=always"),
    OPTIONS("model.type=mlp", "model.skip_zeros=always"),
    OPTIONS("parallel.mode=features", "model.hidden=28", "model.skip_zeros=always"),
    OPTIONS("model.dropout=0", "model.activation=elu", "model.skip_zeros=always"),
    OPTIONS("model.dropout=0.5", "model.skip_zeros=auto"),
};

// Layers that multiply first, that round, turn to columns or know no edges have no copy; nor has a small graph by
// itself.
static void is_left_out_where_it_is_of_no_use(hg_world *world)
{
  for (size_t k = 0; k < sizeof without_copies / sizeof *without_copies; k++) {
    char path[HG_PATH_MAX];
    const train_graph g = graph_of(2);
    hg_trainer t = {0};
    const hg_config config = config_of(world, &g, without_copies[k], path);
    if (check_ok(hg_trainer_create(&t, world, &config)))
      for (int l = 0; l < t.model.n_layers; l++)
        check(hg_gathered_bytes(&t.model.layers[l]) == 0, "%s: layer %d has a copy", without_copies[k][0], l);
    hg_trainer_free(&t);
    train_graph_remove(world, path);
  }
}

// the same bits on any number of threads
static void learns_the_same_on_any_threads(hg_world *world)
{
  char path[HG_PATH_MAX];
  const train_graph g = graph_of(2);
  double one[EPOCHS], three[EPOCHS];
  hg_config config = config_of(world, &g, OPTIONS("model.skip_zeros=always", "model.hidden=70"), path);
  config.threads = 1;
  train_curve(world, &config, EPOCHS, one);
  config.threads = 3;
  train_curve(world, &config, EPOCHS, three);
  check_train_curves(three, one, EPOCHS, 0, "three threads");
  train_graph_remove(world, path);
}

const mpi_case gathered_cases[] = {
    {"gathered/changes_no_bit", changes_no_bit, "1 2 3 4 7"},
    {"gathered/is_left_out_where_it_is_of_no_use", is_left_out_where_it_is_of_no_use, "2"},
    {"gathered/learns_the_same_on_any_threads", learns_the_same_on_any_threads, "1 2"},
    {0},
};
