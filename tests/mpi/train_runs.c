#include "tests/mpi/train_runs.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "comm/reduce.h"
#include "runtime/train/run.h"
#include "tests/support/mpi_case.h"

const bool train_exact = sizeof(hg_real) == sizeof(double);

void train_configure(hg_config *config, const char *const *changes)
{
  for (; *changes; changes++) check_ok(hg_config_override(config, *changes));
  check_ok(hg_config_resolve(config));
}

double train_epoch(hg_trainer *trainer, int epoch)
{
  hg_phases phases;
  hg_phases_start(&phases);
  const hg_plan plan = hg_schedule_plan(trainer->config, &(hg_schedule_state){0}, epoch);
  hg_step step = hg_trainer_step(trainer, trainer->config->seed, &plan, NULL, &phases);
  double sums[] = {step.loss.loss, step.loss.weight};
  hg_sum_doubles(trainer->world, sums, 2);
  return sums[0] / sums[1];
}

void train_curve(hg_world *world, const hg_config *config, int epochs, double *losses)
{
  hg_trainer t;
  if (!check_ok(hg_trainer_create(&t, world, config))) return;
  hg_trainer_start(&t, config->seed);
  for (int e = 1; e <= epochs; e++) losses[e - 1] = train_epoch(&t, e);
  hg_trainer_free(&t);
}

void check_train_curves(const double *found, const double *expected, int n, double tolerance, const char *what)
{
  for (int e = 0; e < n; e++)
    if (!check(fabs(found[e] - expected[e]) <= tolerance * fabs(expected[e]),
               "%s: epoch %d: loss %.12g, expected %.12g", what, e + 1, found[e], expected[e]))
      return;
}

void train_run(hg_world *world, const hg_config *config, bool resume, hg_checkpoint *last)
{
  const hg_run_options options = {.resume = resume, .quiet = true};
  char path[HG_PATH_MAX];
  check_ok(hg_run_train(world, config, options));
  hg_barrier(world);
  hg_checkpoint_path(config->output, 0, config->train.epochs, path);
  check_ok(hg_checkpoint_read(last, path));
}

void check_train_weights(const hg_checkpoint *a, const hg_checkpoint *b, double tolerance, const char *what)
{
  check(a->epoch == b->epoch && a->schedule.best_epoch == b->schedule.best_epoch,
        "%s: epochs %d and %d, best %d and %d", what, a->epoch, b->epoch, a->schedule.best_epoch,
        b->schedule.best_epoch);
  for (hg_off k = 0; k < a->n_parameters; k++) {
    double x = (double)a->parameters[k], y = (double)b->parameters[k];
    if (!check(fabs(x - y) <= tolerance * fmax(1, fabs(y)), "%s: parameter %lld: %.17g, expected %.17g", what,
               (long long)k, x, y))
      return;
  }
  if (tolerance > 0) return;
  check(memcmp(a->moments, b->moments, (size_t)a->n_moments * sizeof(hg_real)) == 0, "%s: the moments differ", what);
  check(memcmp(a->best_parameters, b->best_parameters, (size_t)a->n_parameters * sizeof(hg_real)) == 0,
        "%s: the best weights differ", what);
}

void train_remove_checkpoint(hg_world *world, const hg_config *config, int epoch)
{
  char path[HG_PATH_MAX];
  hg_checkpoint_path(config->output, 0, epoch, path);
  hg_barrier(world); // the others have read it
  if (hg_world_rank(world) == 0) check(remove(path) == 0, "cannot remove %s", path);
  hg_barrier(world);
}

bool train_pair_begin(train_pair *pair, hg_world *world, const train_graph *graph, const char *const *changes)
{
  memset(pair, 0, sizeof *pair);
  check_ok(train_graph_write(world, graph, pair->path));
  pair->config = train_config(pair->path);
  train_configure(&pair->config, changes);
  pair->whole = pair->config;
  pair->whole.train.active_sets = false;
  if (!check_ok(hg_trainer_create(&pair->all, world, &pair->whole))) return false;
  if (!check_ok(hg_trainer_create(&pair->some, world, &pair->config))) return false;
  hg_trainer_start(&pair->some, 4);
  hg_trainer_start(&pair->all, 4);
  return true;
}

void train_pair_end(train_pair *pair, hg_world *world)
{
  hg_trainer_free(&pair->some);
  hg_trainer_free(&pair->all);
  train_graph_remove(world, pair->path);
}
