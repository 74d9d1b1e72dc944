// Training with rows of earlier epochs: against plain loops, against the exact mode where both are the same, resumed.
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "comm/reduce.h"
#include "core/base/alloc.h"
#include "core/base/threads.h"
#include "models/feedback.h"
#include "tests/mpi/stale_plain.h"
#include "tests/mpi/train_graph.h"
#include "tests/mpi/train_runs.h"
#include "tests/support/mpi_case.h"

enum { EPOCHS = 8 };

static const char *const *const modes[] = {
    OPTIONS("halo.staleness=pipeline"),
    OPTIONS("halo.staleness=pipeline", "halo.feature_smoothing=0.5", "halo.gradient_smoothing=0.25",
            "halo.precision=int8", "halo.warmup_epochs=4"),
    OPTIONS("halo.staleness=delayed", "halo.bins=3", "halo.precision=bfloat16"),
    OPTIONS("halo.staleness=skip", "halo.skip_threshold=0.3", "halo.max_age=3"),
    OPTIONS("halo.staleness=skip", "halo.skip_threshold=0.2", "halo.skip_per=peer", "halo.precision=int4"),
};
enum { N_MODES = sizeof modes / sizeof *modes };

static const char *const *const models[] = {
    OPTIONS("model.layers=3", "model.hidden=16", "model.dropout=0.3"),
    OPTIONS("model.layers=4", "model.hidden=5", "model.activation=elu", "model.dropout=0.4", "model.residual=true",
            "train.active_sets=false"),
    OPTIONS("model.layers=3", "model.hidden=16", "model.norm=batch", "model.precision=bfloat16"),
    OPTIONS("model.layers=3", "model.hidden=6", "model.type=geogcn", "model.filters=2"),
};
enum { N_MODELS = sizeof models / sizeof *models };

static train_graph graph(void)
{
  train_graph g = train_graph_default();
  g.n = 160;
  g.n_dims = 2;
  return g;
}

static double difference(const hg_real *found, const double *expected, hg_off n)
{
  double d = 0, size = 0;
  for (hg_off k = 0; k < n; k++) {
    d += pow((double)found[k] - expected[k], 2);
    size += expected[k] * expected[k];
  }
  return size > 0 ? sqrt(d / size) : INFINITY;
}

static void follow_plain(hg_world *world, const hg_config *config, const char *what)
{
  hg_trainer t = {0};
  hg_phases phases;
  double *expected = NULL, tolerance = train_exact ? 1e-9 : 2e-4;
  hg_phases_start(&phases);
  if (!check_ok(hg_trainer_create(&t, world, config))) return;
  hg_trainer_start(&t, config->seed);
  stale_plain *plain = stale_plain_create(&t);
  check_ok(HG_ALLOC(expected, t.model.n_parameters, "gradient"));
  for (int e = 1; plain && e <= EPOCHS; e++) {
    const hg_plan plan = hg_schedule_plan(config, &(hg_schedule_state){0}, e);
    double loss = stale_plain_epoch(plain, t.model.parameters, expected);
    hg_step step = hg_trainer_step(&t, config->seed, &plan, NULL, &phases);
    double sums[] = {step.loss.loss, step.loss.weight};
    hg_sum_doubles(world, sums, 2);
    check(fabs(sums[0] / sums[1] - loss) <= tolerance * loss, "%s: epoch %d: loss %.12g, expected %.12g", what, e,
          sums[0] / sums[1], loss);
    double off = difference(t.model.gradients, expected, t.model.n_parameters);
    check(off <= tolerance, "%s: epoch %d: gradients differ by %.3g of their size", what, e, off);
  }
  stale_plain_free(plain);
  hg_free(&expected);
  hg_trainer_free(&t);
}

/** What changes how rows and gradients pass, and how many classes the last layer has. */
typedef struct {
  int classes;
  const char *const *changes;
} row;

// Layers that exchange their input, their output, and with a wide last one
static const row rows[] = {
    {3, OPTIONS("train.active_sets=false")},
    {9, OPTIONS("train.active_sets=true")},
    {9, OPTIONS("model.activation=elu")},
    {9, OPTIONS("model.skip_zeros=always", "model.hidden=128")},
    {9, OPTIONS("model.skip_zeros=always", "model.hidden=128", "halo.feature_smoothing=0.6")},
    {9, OPTIONS("halo.feature_smoothing=0.6", "halo.gradient_smoothing=0.3")},
    {3, OPTIONS("halo.feature_smoothing=0.6", "model.activation=elu", "train.active_sets=false")},
};

static void pipeline_follows_plain_loops(hg_world *world)
{
  for (size_t k = 0; k < sizeof rows / sizeof *rows; k++) {
    train_graph g = graph();
    char path[HG_PATH_MAX], what[96];
    g.n_classes = rows[k].classes;
    check_ok(train_graph_write(world, &g, path));
    hg_config config = train_config(path);
    train_configure(&config, OPTIONS("halo.staleness=pipeline", "model.layers=3", "model.dropout=0.4",
                                     "model.input_dropout=0.2", "train.learning_rate=0.05"));
    train_configure(&config, rows[k].changes);
    snprintf(what, sizeof what, "%d classes, %s", g.n_classes, rows[k].changes[0]);
    follow_plain(world, &config, what);
    train_graph_remove(world, path);
  }
}

static void curve(hg_world *world, const char *path, const char *const *model, const char *const *mode, double *losses)
{
  hg_config config = train_config(path);
  train_configure(&config, model);
  train_configure(&config, mode);
  train_curve(world, &config, EPOCHS, losses);
}

// One bin is the epoch before; what skips no change is exact, as one rank is.
static void ways_that_are_the_same_have_the_same_bits(hg_world *world)
{
  train_graph g = graph();
  char path[HG_PATH_MAX];
  bool alone = hg_world_size(world) == 1;
  check_ok(train_graph_write(world, &g, path));
  for (int m = 0; m < N_MODELS; m++) {
    double exact[EPOCHS], found[EPOCHS], other[EPOCHS];
    curve(world, path, models[m], OPTIONS("halo.staleness=none"), exact);
    curve(world, path, models[m], OPTIONS("halo.staleness=skip", "halo.skip_threshold=0"), found);
    check(memcmp(exact, found, sizeof exact) == 0, "model %d: a threshold of 0 gives other losses", m);
    curve(world, path, models[m], OPTIONS("halo.staleness=skip", "halo.skip_threshold=0", "halo.skip_per=peer"), found);
    check(memcmp(exact, found, sizeof exact) == 0, "model %d: a threshold of 0 for peers gives other losses", m);
    curve(world, path, models[m], OPTIONS("halo.staleness=pipeline"), found);
    curve(world, path, models[m], OPTIONS("halo.staleness=delayed", "halo.bins=1"), other);
    check(memcmp(other, found, sizeof found) == 0, "model %d: one bin is not the epoch before", m);
    check((memcmp(exact, found, sizeof exact) == 0) == alone, "model %d: staleness changes %s", m,
          alone ? "one rank" : "nothing");
    check(exact[0] == found[0], "model %d: the first epoch is %.9g, expected %.9g", m, found[0], exact[0]);
  }
  train_graph_remove(world, path);
}

static void repetitions_and_threads_change_no_bit(hg_world *world)
{
  train_graph g = graph();
  char path[HG_PATH_MAX];
  check_ok(train_graph_write(world, &g, path));
  for (int k = 0; k < N_MODES; k++) {
    double exact[EPOCHS], first[EPOCHS], second[EPOCHS];
    curve(world, path, models[k % N_MODELS], OPTIONS("halo.staleness=none"), exact);
    curve(world, path, models[k % N_MODELS], modes[k], first);
    hg_threads_set(3);
    curve(world, path, models[k % N_MODELS], modes[k], second);
    hg_threads_set(1);
    check(memcmp(first, second, sizeof first) == 0, "mode %d: the second run has other losses", k);
    check_train_curves(first, exact, EPOCHS, 0.5, modes[k][0]);
  }
  train_graph_remove(world, path);
}

static void resumed_runs_have_the_same_bits(hg_world *world)
{
  train_graph g = graph();
  for (int k = 0; k < N_MODES; k++) {
    char path[HG_PATH_MAX];
    hg_checkpoint whole = {0}, resumed = {0}, elsewhere = {0};
    check_ok(train_graph_write(world, &g, path));
    hg_config config = train_config(path);
    train_configure(&config, models[k % 3]);
    train_configure(&config, modes[k]);
    train_configure(&config, OPTIONS("train.epochs=9", "train.checkpoint_every=5", "train.keep_checkpoints=9"));
    train_run(world, &config, false, &whole);
    train_remove_checkpoint(world, &config, 9);
    train_run(world, &config, true, &resumed);
    check_train_weights(&resumed, &whole, 0, modes[k][0]);
    check(resumed.n_halo_errors == whole.n_halo_errors && (hg_world_size(world) == 1 || whole.n_halo_errors > 0),
          "%lld numbers are kept, expected %lld", (long long)resumed.n_halo_errors, (long long)whole.n_halo_errors);
    size_t bytes = (size_t)whole.n_halo_errors * sizeof(hg_real);
    if (bytes > 0) check(memcmp(resumed.halo_errors, whole.halo_errors, bytes) == 0, "other rows are kept");
    train_remove_checkpoint(world, &config, 9);
    hg_world *self = NULL;
    check_ok(hg_world_self_create(&self, world));
    if (hg_world_rank(world) == 0) { // other parts: an epoch that waits for all rows comes first
      train_run(self, &config, true, &elsewhere);
      check(isfinite(elsewhere.train_loss) && elsewhere.n_halo_errors == 0, "resumed on one rank");
      hg_checkpoint_free(&elsewhere);
    }
    hg_world_self_free(&self);
    hg_checkpoint_free(&whole);
    hg_checkpoint_free(&resumed);
    train_graph_remove(world, path);
  }
}

static void memory_is_as_planned(hg_world *world)
{
  train_graph g = train_graph_default();
  char path[HG_PATH_MAX];
  g.n = 20000;
  g.width = 40;
  check_ok(train_graph_write(world, &g, path));
  for (int k = 0; k < N_MODES; k++) {
    hg_trainer t;
    hg_config config = train_config(path);
    train_configure(&config, OPTIONS("model.layers=3", "model.hidden=48", "partition.method=block"));
    train_configure(&config, modes[k]);
    size_t before = hg_alloc_bytes();
    if (!check_ok(hg_trainer_create(&t, world, &config))) break;
    double used = (double)(hg_alloc_bytes() - before), planned = (double)t.planned.total;
    check(fabs(planned - used) <= 0.1 * used, "mode %d: %.0f bytes used, %.0f planned", k, used, planned);
    check((hg_feedback_count(&t.model) > 0) == (hg_world_size(world) > 1), "mode %d: rows that are kept", k);
    hg_trainer_free(&t);
  }
  train_graph_remove(world, path);
}

static void train(hg_trainer *t, const hg_config *config, uint64_t seed, double *losses)
{
  hg_phases phases;
  hg_phases_start(&phases);
  hg_trainer_start(t, seed);
  for (int e = 1; e <= EPOCHS; e++) {
    const hg_plan plan = hg_schedule_plan(config, &(hg_schedule_state){0}, e);
    hg_scores scores[HG_SPLIT_COUNT];
    hg_step step = hg_trainer_step(t, seed, &plan, NULL, &phases);
    double sums[] = {step.loss.loss, step.loss.weight};
    hg_sum_doubles(t->world, sums, 2);
    losses[e - 1] = sums[0] / sums[1];
    if (e % 3 == 0) check_ok(hg_trainer_evaluate(t, scores)); // between sending and taking
  }
}

// Evaluations see this epoch's rows, leave those of training alone, and a new seed begins anew.
static void evaluations_are_exact_and_seeds_start_anew(hg_world *world)
{
  train_graph g = graph();
  char path[HG_PATH_MAX];
  check_ok(train_graph_write(world, &g, path));
  for (int k = 0; k < N_MODES; k++) {
    hg_trainer stale, exact;
    double alone[EPOCHS], first[EPOCHS], again[EPOCHS];
    hg_scores found[HG_SPLIT_COUNT], expected[HG_SPLIT_COUNT];
    hg_config config = train_config(path), plain = config;
    train_configure(&config, models[0]);
    train_configure(&plain, models[0]);
    train_configure(&config, modes[k]);
    train_curve(world, &config, EPOCHS, alone);
    check_ok(hg_trainer_create(&stale, world, &config));
    check_ok(hg_trainer_create(&exact, world, &plain));
    train(&stale, &config, config.seed, first);
    check(memcmp(alone, first, sizeof first) == 0, "mode %d: evaluating changes the losses", k);
    memcpy(exact.model.parameters, stale.model.parameters, (size_t)stale.model.n_parameters * sizeof(hg_real));
    check_ok(hg_trainer_evaluate(&stale, found));
    check_ok(hg_trainer_evaluate(&exact, expected));
    check(memcmp(&found[HG_SPLIT_VAL].loss, &expected[HG_SPLIT_VAL].loss, sizeof(double)) == 0,
          "mode %d: validation loss %.12g, expected %.12g", k, found[HG_SPLIT_VAL].loss, expected[HG_SPLIT_VAL].loss);
    train(&stale, &config, config.seed, again);
    check(memcmp(again, first, sizeof first) == 0, "mode %d: the second repeat has other losses", k);
    hg_trainer_free(&stale);
    hg_trainer_free(&exact);
  }
  train_graph_remove(world, path);
}

const mpi_case stale_train_cases[] = {
    {"stale_train/pipeline_follows_plain_loops", pipeline_follows_plain_loops, "1 2 3"},
    {"stale_train/ways_that_are_the_same_have_the_same_bits", ways_that_are_the_same_have_the_same_bits, "1 2 3"},
    {"stale_train/repetitions_and_threads_change_no_bit", repetitions_and_threads_change_no_bit, "2 3"},
    {"stale_train/resumed_runs_have_the_same_bits", resumed_runs_have_the_same_bits, "1 2 3"},
    {"stale_train/memory_is_as_planned", memory_is_as_planned, "1 3"},
    {"stale_train/evaluations_are_exact_and_seeds_start_anew", evaluations_are_exact_and_seeds_start_anew, "1 3"},
    {0},
};
