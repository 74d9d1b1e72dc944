// Training on collections of graphs: gradients of whole batches, memory, and what is refused.
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "comm/reduce.h"
#include "core/base/alloc.h"
#include "tests/mpi/train_collection.h"
#include "tests/mpi/train_runs.h"
#include "tests/support/mpi_case.h"

// one epoch of one batch from `before`: its loss, and with plain SGD of rate 1 the weights before minus the gradient
static double step_from(hg_trainer *t, const hg_real *before)
{
  const hg_plan plan = hg_schedule_plan(t->config, &(hg_schedule_state){0}, 1);
  hg_phases phases;
  hg_phases_start(&phases);
  memcpy(t->model.parameters, before, (size_t)t->model.n_parameters * sizeof *before);
  hg_step step = hg_trainer_step(t, 3, &plan, NULL, &phases);
  double sums[] = {step.loss.loss, step.loss.weight};
  hg_sum_doubles(t->world, sums, 2);
  return sums[0] / sums[1];
}

// central differences of every third parameter; float can only see large slopes
static void check_parameters(hg_trainer *t, hg_real *theta, hg_real *gradient, const char *what)
{
  double step = train_exact ? 1e-7 : 1e-2, tolerance = train_exact ? 1e-6 : 3e-2;
  hg_off n = t->model.n_parameters;
  for (hg_off k = 0; k < n; k++) // biases off zero, so that no activation sits on its kink
    theta[k] = t->model.parameters[k] + (hg_real)(0.05 * sin(1.0 + 3.0 * (double)k));
  (void)step_from(t, theta);
  for (hg_off k = 0; k < n; k++) gradient[k] = theta[k] - t->model.parameters[k];
  for (hg_off k = 0; k < n; k += 3) {
    hg_real before = theta[k];
    theta[k] = (hg_real)((double)before + step);
    double up = step_from(t, theta);
    theta[k] = (hg_real)((double)before - step);
    double down = step_from(t, theta);
    theta[k] = before;
    double expected = (up - down) / (2 * step), found = (double)gradient[k];
    if (!check(fabs(found - expected) <= tolerance * fmax(1, fabs(expected)),
               "%s: parameter %lld: gradient %.9g, difference %.9g", what, (long long)k, found, expected))
      return;
  }
}

static void check_gradient(hg_world *world, const train_collection *collection, const char *const *changes)
{
  char path[HG_PATH_MAX];
  hg_trainer t;
  hg_real *theta = NULL, *gradient = NULL;
  check_ok(train_collection_write(world, collection, path));
  hg_config config = train_config(path);
  train_configure(&config, OPTIONS("train.batch_size=100", "train.optimizer=sgd", "train.momentum=0",
                                   "train.learning_rate=1", "model.activation=elu"));
  train_configure(&config, changes);
  if (check_ok(hg_trainer_create(&t, world, &config))) {
    hg_trainer_start(&t, 9);
    if (check_ok(HG_ALLOC(theta, t.model.n_parameters, "weights")) &&
        check_ok(HG_ALLOC(gradient, t.model.n_parameters, "gradients")))
      check_parameters(&t, theta, gradient, changes[0]);
    hg_trainer_free(&t);
  }
  hg_free(&theta);
  hg_free(&gradient);
  train_graph_remove(world, path);
}

static void gradients_of_a_batch(hg_world *world)
{
  train_collection c = train_collection_default();
  check_gradient(world, &c, OPTIONS("model.readout=sum", "model.norm=batch", "model.head_layers=2"));
  check_gradient(world, &c, OPTIONS("model.readout=mean", "train.class_weights=balanced", "model.dropout=0.4"));
  check_gradient(world, &c,
                 OPTIONS("model.type=geogcn", "model.filters=2", "augment.rotate=180", "augment.jitter=0.1",
                         "augment.per=batch", "model.normalization=row"));
  if (train_exact) // in single precision a step passes the kinks of a maximum
    check_gradient(world, &c,
                   OPTIONS("model.type=geogcn", "model.pooling=cluster", "model.filters=2", "model.readout=max",
                           "augment.rotate=180", "augment.scale=0.2", "model.norm=layer", "model.dropout=0.3"));
  c.directed = true;
  c.task = HG_TASK_MULTILABEL;
  check_gradient(world, &c, OPTIONS("model.type=mlp", "model.norm=layer", "model.readout=sum"));
  c.task = HG_TASK_REGRESSION;
  check_gradient(world, &c,
                 OPTIONS("model.layers=3", "model.residual=true", "dataset.normalize_targets=standardize",
                         "model.norm=batch", "model.normalization=row"));
}

// what is planned for memory is what is used, within three per cent
static void check_memory(hg_world *world, const train_collection *collection, const char *const *changes)
{
  char path[HG_PATH_MAX];
  check_ok(train_collection_write(world, collection, path));
  hg_config config = train_config(path);
  train_configure(&config, changes);
  hg_trainer t;
  size_t before = hg_alloc_bytes();
  if (check_ok(hg_trainer_create(&t, world, &config))) {
    double planned = (double)t.planned.total, used = (double)(hg_alloc_bytes() - before);
    check(fabs(planned - used) <= 0.03 * used, "%s: planned %.0f bytes, used %.0f", changes[0], planned, used);
    hg_trainer_free(&t);
    check(hg_alloc_bytes() == before, "%s: %zu bytes are left", changes[0], hg_alloc_bytes() - before);
  }
  train_graph_remove(world, path);
}

static void memory_is_as_planned(hg_world *world)
{
  train_collection c = train_collection_default();
  c.n_graphs = 3000;
  check_memory(world, &c, OPTIONS("train.batch_size=64", "model.layers=3", "model.norm=layer", "model.hidden=32"));
  check_memory(world, &c, OPTIONS("train.batch_size=100000", "model.norm=batch", "model.head_layers=2"));
  check_memory(world, &c,
               OPTIONS("train.batch_size=500", "model.type=geogcn", "model.pooling=cluster", "model.layers=3",
                       "augment.rotate=180", "augment.jitter=0.1", "augment.test_samples=2", "model.hidden=20"));
  c.directed = true;
  c.task = HG_TASK_REGRESSION;
  c.n_classes = 4;
  check_memory(world, &c, OPTIONS("train.batch_size=1", "model.type=geogcn", "model.dropout=0.5", "model.filters=3"));
  check_memory(world, &c,
               OPTIONS("train.batch_size=300", "model.type=mlp", "model.hidden=24", "dataset.append_positions=true",
                       "train.optimizer=sgd"));
}

static void check_refused(hg_world *world, const train_collection *collection, const char *const *changes,
                          const char *expected)
{
  char path[HG_PATH_MAX];
  check_ok(train_collection_write(world, collection, path));
  hg_config config = train_config(path);
  train_configure(&config, changes);
  hg_trainer t;
  size_t before = hg_alloc_bytes();
  check(hg_trainer_create(&t, world, &config) == HG_ERR_INPUT, "took what it cannot train on: %s", expected);
  check(strstr(hg_error_text(), expected) && strstr(hg_error_text(), path), "said: %s, expected: %s", hg_error_text(),
        expected);
  check(hg_alloc_bytes() == before, "%s: %zu bytes are left", expected, hg_alloc_bytes() - before);
  train_graph_remove(world, path);
}

static void what_cannot_be_trained_on_is_refused(hg_world *world)
{
  train_collection c = train_collection_default();
  check_refused(world, &c, OPTIONS("train.loss=mse"), "train.loss: found one that does not fit");
  c.n_dims = 0;
  check_refused(world, &c, OPTIONS("model.type=geogcn"), "model.type: geogcn needs positions of the nodes");
  check_refused(world, &c, OPTIONS("model.pooling=cluster"), "model.pooling: cluster needs positions of the nodes");
  check_refused(world, &c, OPTIONS("dataset.append_positions=true"), "dataset.append_positions");
  c = train_collection_default();
  c.width = 0;
  check_refused(world, &c, OPTIONS("model.type=gcn"), "found no node features, a model needs some");
  c = train_collection_default();
  c.without_split = true;
  check_refused(world, &c, OPTIONS("model.type=gcn"), "found no split, expected one");
  c.task = HG_TASK_NONE;
  check_refused(world, &c, OPTIONS("model.type=gcn"), "found no labels or targets of the graphs");
  c = train_collection_default();
  c.n_graphs = 1;
  c.seed = 4; // to validate with
  check_refused(world, &c, OPTIONS("model.type=gcn"), "found no labelled training graph, expected at least one");
}

const mpi_case collection_plan_cases[] = {
    {"collection/gradients_of_a_batch", gradients_of_a_batch, "1 3"},
    {"collection/memory_is_as_planned", memory_is_as_planned, "1 3"},
    {"collection/what_cannot_be_trained_on_is_refused", what_cannot_be_trained_on_is_refused, "! 1 3"},
    {0},
};
