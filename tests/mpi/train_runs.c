#include "tests/mpi/train_runs.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "comm/reduce.h"
#include "core/base/alloc.h"
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

void train_step(hg_trainer *trainer, int epoch)
{
  hg_phases phases;
  const hg_plan plan = hg_schedule_plan(trainer->config, &(hg_schedule_state){0}, epoch);
  hg_phases_start(&phases);
  check_ok(hg_trainer_step(trainer, trainer->config->seed, &plan, NULL, &phases).status);
}

bool train_same(const hg_real *a, const hg_real *b, hg_off n)
{
  return n == 0 || memcmp(a, b, (size_t)n * sizeof *a) == 0;
}

size_t train_hold(hg_trainer *trainer, hg_world *world, const hg_config *config)
{
  size_t before = hg_alloc_bytes();
  return check_ok(hg_trainer_create(trainer, world, config)) ? hg_alloc_bytes() - before : 0;
}

static void compare_epochs(hg_trainer *one, hg_trainer *other, int epochs, const char *what)
{
  hg_scores a[HG_SPLIT_COUNT], b[HG_SPLIT_COUNT];
  hg_off n = other->model.n_parameters;
  hg_trainer_start(one, 4);
  hg_trainer_start(other, 4);
  for (int epoch = 1; epoch <= epochs; epoch++) {
    train_step(one, epoch);
    train_step(other, epoch);
    if (!check(train_same(one->model.gradients, other->model.gradients, n), "%s: epoch %d: other gradients", what,
               epoch))
      return;
    if (epoch % 2 == 0) continue;
    check_ok(hg_trainer_evaluate(one, a));
    check_ok(hg_trainer_evaluate(other, b));
    check(memcmp(a, b, sizeof a) == 0, "%s: other scores", what);
  }
  check(train_same(one->model.parameters, other->model.parameters, n), "%s: other weights", what);
  const hg_matrix x = hg_model_embeddings(&one->model), y = hg_model_embeddings(&other->model);
  check(x.rows == y.rows && x.cols == y.cols, "%s: other embeddings", what);
}

void check_train_same(hg_world *world, const hg_config *one, const hg_config *other, int epochs, const char *what,
                      size_t *held)
{
  hg_trainer t[2] = {{0}, {0}};
  held[1] = train_hold(&t[1], world, other);
  held[0] = train_hold(&t[0], world, one);
  if (held[0] && held[1]) {
    compare_epochs(&t[0], &t[1], epochs, what);
    check(t[1].planned.total - t[0].planned.total == held[1] - held[0], "%s: %zu bytes less planned, but %zu less held",
          what, t[1].planned.total - t[0].planned.total, held[1] - held[0]);
  }
  hg_trainer_free(&t[0]);
  hg_trainer_free(&t[1]);
}

static bool near_gradients(const hg_model *found, const hg_model *expected, double tolerance, const char *what)
{
  for (hg_off k = 0; k < expected->n_parameters; k++) {
    double a = (double)found->gradients[k], b = (double)expected->gradients[k];
    if (!check(fabs(a - b) <= tolerance, "%s: gradient %lld is %.9g, expected %.9g", what, (long long)k, a, b))
      return false;
  }
  return true;
}

void check_train_near(hg_trainer *found, hg_trainer *expected, int epochs, const char *what)
{
  double tolerance = train_exact ? 1e-9 : 1e-4;
  hg_scores a[HG_SPLIT_COUNT], b[HG_SPLIT_COUNT];
  hg_trainer_start(found, 4);
  hg_trainer_start(expected, 4);
  for (int epoch = 1; epoch <= epochs; epoch++) {
    train_step(found, epoch);
    train_step(expected, epoch);
    if (!near_gradients(&found->model, &expected->model, tolerance, what)) return;
    check_ok(hg_trainer_evaluate(found, a));
    check_ok(hg_trainer_evaluate(expected, b));
    double loss = a[HG_SPLIT_VAL].loss, right = b[HG_SPLIT_VAL].loss;
    check(fabs(loss - right) <= tolerance, "%s: epoch %d: loss %.9g, expected %.9g", what, epoch, loss, right);
  }
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
