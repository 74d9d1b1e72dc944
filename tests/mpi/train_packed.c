// Training with a packed halo: repeats, threads, warm-up, resuming, memory; and that one rank packs nothing.
#include <math.h>
#include <string.h>

#include "core/base/alloc.h"
#include "core/base/threads.h"
#include "models/feedback.h"
#include "runtime/train/trainer.h"
#include "tests/mpi/train_graph.h"
#include "tests/mpi/train_runs.h"
#include "tests/support/mpi_case.h"

enum { EPOCHS = 20 };
static const char *const precisions[] = {"halo.precision=bfloat16", "halo.precision=int8", "halo.precision=int4",
                                         "halo.precision=int2", "halo.precision=adaptive"};
enum { N_PRECISIONS = sizeof precisions / sizeof *precisions };

// Three layers, so that one of them may have fewer than 8 bits
static hg_config config_for(const char *path)
{
  hg_config config = train_config(path);
  train_configure(&config, OPTIONS("model.layers=3", "model.dropout=0.3", "model.norm=layer", "model.hidden=11"));
  return config;
}

static void curve(hg_world *world, const char *path, const char *const *changes, double *losses)
{
  hg_config config = config_for(path);
  train_configure(&config, changes);
  train_curve(world, &config, EPOCHS, losses);
}

static void repetitions_and_threads_change_no_bit(hg_world *world)
{
  train_graph g = train_graph_default();
  char path[HG_PATH_MAX];
  double first[EPOCHS], second[EPOCHS];
  check_ok(train_graph_write(world, &g, path));
  for (int p = 0; p < N_PRECISIONS; p++) {
    const char *const changes[] = {precisions[p], p % 2 ? "halo.error_feedback=true" : NULL, NULL}; // not adaptive
    curve(world, path, changes, first);
    hg_threads_set(3);
    curve(world, path, changes, second);
    hg_threads_set(1);
    check(memcmp(first, second, sizeof first) == 0, "%s: the second run has other losses", precisions[p]);
  }
  train_graph_remove(world, path);
}

// On one rank nothing crosses; on more the rounding is there from the first epoch after the warm-up, and stays small.
static void losses_stay_near_those_of_float32(hg_world *world)
{
  static const double allowed[N_PRECISIONS] = {0.02, 0.02, 0.2, 0.6, 0.6}; // relative, of 20 epochs
  enum { WARMUP = 5 };
  train_graph g = train_graph_default();
  char path[HG_PATH_MAX];
  double exact[EPOCHS], rounded[EPOCHS];
  check_ok(train_graph_write(world, &g, path));
  curve(world, path, OPTIONS("model.bias=true"), exact);
  for (int p = 0; p < N_PRECISIONS; p++) {
    curve(world, path, OPTIONS(precisions[p], "halo.warmup_epochs=5"), rounded);
    bool alone = hg_world_size(world) == 1;
    check(memcmp(exact, rounded, WARMUP * sizeof *exact) == 0, "%s: the warm-up has other losses", precisions[p]);
    check((memcmp(exact, rounded, sizeof exact) == 0) == alone, "%s: %s", precisions[p],
          alone ? "one rank rounds" : "nothing is rounded");
    check_train_curves(rounded, exact, EPOCHS, allowed[p], precisions[p]);
  }
  train_graph_remove(world, path);
}

static void resumed_run_has_the_same_bits(hg_world *world)
{
  train_graph g = train_graph_default();
  char path[HG_PATH_MAX];
  hg_checkpoint whole = {0}, resumed = {0}, elsewhere = {0};
  check_ok(train_graph_write(world, &g, path));
  hg_config config = config_for(path);
  train_configure(&config, OPTIONS("train.epochs=12", "train.checkpoint_every=5", "train.keep_checkpoints=9",
                                   "halo.precision=int4", "halo.error_feedback=true", "halo.warmup_epochs=2"));
  train_run(world, &config, false, &whole);
  train_remove_checkpoint(world, &config, 12);
  train_run(world, &config, true, &resumed);
  check_train_weights(&resumed, &whole, 0, "resumed");
  check(resumed.n_halo_errors == whole.n_halo_errors && (hg_world_size(world) == 1 || whole.n_halo_errors > 0),
        "%lld numbers of error feedback, expected %lld", (long long)resumed.n_halo_errors,
        (long long)whole.n_halo_errors);
  size_t bytes = (size_t)whole.n_halo_errors * sizeof(hg_real);
  if (bytes > 0) check(memcmp(resumed.halo_errors, whole.halo_errors, bytes) == 0, "other error feedback");
  train_remove_checkpoint(world, &config, 12);
  hg_world *self = NULL;
  check_ok(hg_world_self_create(&self, world));
  if (hg_world_rank(world) == 0) { // other parts: goes on without what was kept
    train_run(self, &config, true, &elsewhere);
    check(isfinite(elsewhere.train_loss) && elsewhere.n_halo_errors == 0, "resumed on one rank");
    hg_checkpoint_free(&elsewhere);
  }
  hg_world_self_free(&self);
  hg_checkpoint_free(&whole);
  hg_checkpoint_free(&resumed);
  train_graph_remove(world, path);
}

static void memory_is_as_planned(hg_world *world)
{
  train_graph g = train_graph_default();
  g.n = 20000;
  g.width = 40;
  char path[HG_PATH_MAX];
  check_ok(train_graph_write(world, &g, path));
  for (int way = 0; way < 3; way++) {
    hg_trainer t;
    hg_config config = config_for(path);
    train_configure(&config, OPTIONS("model.hidden=48", "halo.precision=int4", "partition.method=block"));
    bool feedback = way == 1;
    config.model.halo.error_feedback = feedback;
    if (way == 2) config.model.halo.precision = HG_PACK_ADAPTIVE;
    size_t before = hg_alloc_bytes();
    if (!check_ok(hg_trainer_create(&t, world, &config))) break;
    double used = (double)(hg_alloc_bytes() - before), planned = (double)t.planned.total;
    check(fabs(planned - used) <= 0.1 * used, "way %d: %.0f bytes used, %.0f planned", way, used, planned);
    check((hg_feedback_count(&t.model) > 0) == (feedback && hg_world_size(world) > 1), "numbers of error feedback");
    hg_trainer_free(&t);
  }
  train_graph_remove(world, path);
}

// A new seed owes nothing of the one before; what is taken out and put in again is the same.
static void feedback_is_kept_and_forgotten(hg_world *world)
{
  train_graph g = train_graph_default();
  char path[HG_PATH_MAX];
  hg_trainer t;
  hg_phases phases;
  hg_real *kept = NULL, *again = NULL;
  check_ok(train_graph_write(world, &g, path));
  hg_config config = config_for(path);
  train_configure(&config, OPTIONS("halo.precision=int2", "halo.error_feedback=true"));
  hg_phases_start(&phases);
  check_ok(hg_trainer_create(&t, world, &config));
  hg_trainer_start(&t, 1);
  const hg_plan plan = hg_schedule_plan(&config, &(hg_schedule_state){0}, 1);
  hg_trainer_step(&t, 1, &plan, NULL, &phases);
  hg_off n = hg_feedback_count(&t.model), not_zero = 0;
  check_ok(HG_ALLOC(kept, n, "kept"));
  check_ok(HG_ALLOC(again, n, "kept"));
  hg_feedback_get(&t.model, kept);
  for (hg_off k = 0; k < n; k++) not_zero += kept[k] != 0;
  check(not_zero > n / 4, "%lld of %lld numbers are kept", (long long)not_zero, (long long)n);
  hg_trainer_start(&t, 2);
  hg_feedback_get(&t.model, again);
  for (hg_off k = 0; k < n; k++) check(again[k] == 0, "number %lld is kept", (long long)k);
  hg_feedback_set(&t.model, kept);
  hg_feedback_get(&t.model, again);
  check(n == 0 || memcmp(kept, again, (size_t)n * sizeof *kept) == 0, "other numbers");
  hg_free(&kept), hg_free(&again);
  hg_trainer_free(&t);
  train_graph_remove(world, path);
}

const mpi_case packed_train_cases[] = {
    {"train_packed/repetitions_and_threads_change_no_bit", repetitions_and_threads_change_no_bit, "1 2 3 4 7"},
    {"train_packed/losses_stay_near_those_of_float32", losses_stay_near_those_of_float32, "1 2 3 4 7"},
    {"train_packed/resumed_run_has_the_same_bits", resumed_run_has_the_same_bits, "1 2 3"},
    {"train_packed/memory_is_as_planned", memory_is_as_planned, "1 3"},
    {"train_packed/feedback_is_kept_and_forgotten", feedback_is_kept_and_forgotten, "3"},
    {0},
};
