// model.skip_zeros: hidden rows without their zeros learn what matrices of them do, to rounding.
#include <stdio.h>

#include "core/base/alloc.h"
#include "models/thin.h"
#include "tests/mpi/train_graph.h"
#include "tests/mpi/train_runs.h"
#include "tests/support/mpi_case.h"

enum { EPOCHS = 4 };

static const char *const *const variants[] = {
    OPTIONS("model.dropout=0.5", "train.active_sets=false"),
    OPTIONS("model.dropout=0.5", "model.layers=3"),
    OPTIONS("model.dropout=0.3", "model.layers=5", "model.bias=false"),
    OPTIONS("model.dropout=0", "model.normalization=row"),
    OPTIONS("model.dropout=0.5", "model.hidden=130", "model.self_loops=false"),
    OPTIONS("model.dropout=0.4", "model.hidden=64", "train.optimizer=sgd"),
    OPTIONS("model.dropout=0.4", "model.hidden=128", "model.layers=3"),
    OPTIONS("model.dropout=0.4", "threads=3", "partition.order=none"),
};
enum { N_VARIANTS = sizeof variants / sizeof *variants };

// without input dropout, as these models must be
static hg_config config_of(hg_world *world, const char *const *changes, int train_of, char *path)
{
  train_graph g = train_graph_default();
  g.n = 700;
  g.train_of = train_of;
  check_ok(train_graph_write(world, &g, path));
  hg_config config = train_config(path);
  config.model.hidden = 40;
  config.model.layers = 4;
  config.model.input_dropout = 0;
  config.train.learning_rate = 0.01;
  config.model.skip_zeros = HG_SKIP_HIDDEN_ALWAYS;
  train_configure(&config, changes);
  return config;
}

static void try_variant(hg_world *world, const char *const *changes, int train_of)
{
  char path[HG_PATH_MAX], what[128];
  hg_trainer thin = {0}, dense = {0};
  const hg_config config = config_of(world, changes, train_of, path);
  hg_config stay = config;
  stay.model.skip_zeros = HG_SKIP_HIDDEN_NEVER;
  snprintf(what, sizeof what, "%s, %s, one of %d trained", changes[0], changes[1], train_of);
  size_t stored = train_hold(&dense, world, &stay), held = train_hold(&thin, world, &config);
  if (stored && held) {
    bool alone = hg_world_size(world) == 1;
    check(thin.model.layers[0].thin == alone && !dense.model.layers[0].thin, "%s: thin or not", what);
    check(thin.planned.total - dense.planned.total == held - stored, "%s: %zu bytes more planned, but %zu held", what,
          thin.planned.total - dense.planned.total, held - stored);
    check_train_near(&thin, &dense, EPOCHS, what);
  }
  hg_trainer_free(&thin);
  hg_trainer_free(&dense);
  train_graph_remove(world, path);
}

static void learns_what_matrices_do(hg_world *world)
{
  for (int v = 0; v < N_VARIANTS; v++) {
    try_variant(world, variants[v], 2);
    try_variant(world, variants[v], 30);
  }
}

// the same bits on any number of threads, in both directions
static void has_the_same_bits_on_any_threads(hg_world *world)
{
  char path[HG_PATH_MAX];
  double one[EPOCHS], three[EPOCHS];
  hg_config config = config_of(world, OPTIONS("model.dropout=0.5"), 2, path);
  config.threads = 1;
  train_curve(world, &config, EPOCHS, one);
  config.threads = 3;
  train_curve(world, &config, EPOCHS, three);
  check_train_curves(three, one, EPOCHS, 0, "three threads");
  train_graph_remove(world, path);
}

static const char *const *const dense_ones[] = {
    OPTIONS("model.layers=2"),         OPTIONS("model.norm=layer"),         OPTIONS("model.activation=elu"),
    OPTIONS("model.residual=true"),    OPTIONS("model.precision=bfloat16"), OPTIONS("model.input_dropout=0.5"),
    OPTIONS("model.hidden=2"),         OPTIONS("model.label_rate=0.5"),     OPTIONS("model.type=mlp"),
    OPTIONS("model.skip_zeros=never"),
    OPTIONS("model.skip_zeros=auto"), // too small
};

static void is_left_out_where_it_cannot_be(hg_world *world)
{
  for (size_t k = 0; k < sizeof dense_ones / sizeof *dense_ones; k++) {
    char path[HG_PATH_MAX];
    hg_trainer t = {0};
    const hg_config config = config_of(world, dense_ones[k], 2, path);
    if (check_ok(hg_trainer_create(&t, world, &config)))
      for (int l = 0; l < t.model.n_layers; l++)
        check(hg_thin_bytes(&t.model.layers[l]) == 0, "%s: layer %d is thin", dense_ones[k][0], l);
    hg_trainer_free(&t);
    train_graph_remove(world, path);
  }
}

// The hub's gradients are those of more nodes than find room at a time, most of which no epoch reads, but evaluations
// make them.
static void a_hub_reads_no_row_of_before(hg_world *world)
{
  char path[HG_PATH_MAX];
  train_graph g = train_graph_default();
  hg_trainer thin = {0}, dense = {0};
  g.n = 6000;
  g.degree = 1;
  g.hub = g.directed = true;
  g.train_of = 900;
  check_ok(train_graph_write(world, &g, path));
  hg_config config = train_config(path), stay;
  config.model.hidden = 40;
  config.train.learning_rate = 0.01;
  train_configure(&config, OPTIONS("model.layers=4", "model.input_dropout=0", "model.skip_zeros=always"));
  stay = config;
  stay.model.skip_zeros = HG_SKIP_HIDDEN_NEVER;
  if (check_ok(hg_trainer_create(&thin, world, &config)) && check_ok(hg_trainer_create(&dense, world, &stay))) {
    check(thin.model.layers[0].thin && thin.model.active_rows[1] < 0.9, "all rows are read");
    check_train_near(&thin, &dense, EPOCHS, "a hub");
  }
  hg_trainer_free(&thin);
  hg_trainer_free(&dense);
  train_graph_remove(world, path);
}

// An evaluation between two epochs, which makes other rows, leaves nothing that an epoch reads.
static void evaluations_change_no_bit(hg_world *world)
{
  char path[HG_PATH_MAX];
  hg_trainer with = {0}, without = {0};
  hg_scores scores[HG_SPLIT_COUNT];
  const hg_config config = config_of(world, OPTIONS("model.dropout=0.5"), 40, path);
  if (check_ok(hg_trainer_create(&with, world, &config)) && check_ok(hg_trainer_create(&without, world, &config))) {
    hg_trainer_start(&with, 4);
    hg_trainer_start(&without, 4);
    for (int epoch = 1; epoch <= EPOCHS; epoch++) {
      train_step(&with, epoch);
      train_step(&without, epoch);
      check_ok(hg_trainer_evaluate(&with, scores));
      check(train_same(with.model.gradients, without.model.gradients, with.model.n_parameters),
            "epoch %d: other gradients", epoch);
    }
  }
  hg_trainer_free(&with);
  hg_trainer_free(&without);
  train_graph_remove(world, path);
}

const mpi_case thin_cases[] = {
    {"thin/learns_what_matrices_do", learns_what_matrices_do, "1 2"},
    {"thin/has_the_same_bits_on_any_threads", has_the_same_bits_on_any_threads, "1"},
    {"thin/is_left_out_where_it_cannot_be", is_left_out_where_it_cannot_be, "1"},
    {"thin/a_hub_reads_no_row_of_before", a_hub_reads_no_row_of_before, "1"},
    {"thin/evaluations_change_no_bit", evaluations_change_no_bit, "1"},
    {0},
};
