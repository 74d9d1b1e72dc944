// Training as a whole: P ranks follow one, runs repeat bit by bit, resumed runs too.
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "comm/reduce.h"
#include "core/base/alloc.h"
#include "partition/reorder.h"
#include "runtime/train/run.h"
#include "runtime/train/trainer.h"
#include "tests/mpi/train_graph.h"
#include "tests/mpi/train_runs.h"
#include "tests/support/mpi_case.h"

enum { EPOCHS = 100 };

// every partitioner on this number of ranks against one rank
static void check_follows_one_for(hg_world *world, const train_graph *graph, int epochs, const char *const *changes)
{
  static const char *const methods[] = {"metis", "random", "block"};
  char path[HG_PATH_MAX];
  double expected[EPOCHS], found[EPOCHS];
  hg_world *self = NULL;
  check_ok(train_graph_write(world, graph, path));
  hg_config config = train_config(path);
  config.train.epochs = epochs;
  train_configure(&config, changes);
  check_ok(hg_world_self_create(&self, world));
  if (hg_world_rank(world) == 0) train_curve(self, &config, epochs, expected);
  hg_broadcast(world, expected, sizeof expected, 0);
  for (size_t m = 0; m < sizeof methods / sizeof *methods; m++) {
    snprintf(config.partition.method, sizeof config.partition.method, "%s", methods[m]);
    train_curve(world, &config, epochs, found);
    check_train_curves(found, expected, epochs, train_exact ? 1e-9 : 1e-4, methods[m]);
  }
  hg_world_self_free(&self);
  train_graph_remove(world, path);
}

static void check_follows_one(hg_world *world, const train_graph *graph, const char *const *changes)
{
  check_follows_one_for(world, graph, EPOCHS, changes);
}

static void ranks_follow_one_with_dropout(hg_world *world)
{
  train_graph g = train_graph_default();
  g.n = 400;
  check_follows_one(world, &g,
                    OPTIONS("model.dropout=0.5", "model.input_dropout=0.2", "model.layers=3", "model.hidden=6"));
  g.sparse_features = true;
  check_follows_one(world, &g,
                    OPTIONS("model.dropout=0.5", "train.weight_decay=0.0005", "train.weight_decay_layers=first"));
}

static void ranks_follow_one_with_norms(hg_world *world)
{
  train_graph g = train_graph_default();
  g.n = 300;
  g.directed = true;
  check_follows_one(world, &g,
                    OPTIONS("model.norm=batch", "model.layers=3", "model.dropout=0.3", "train.schedule=cosine"));
  g.task = HG_TASK_REGRESSION;
  check_follows_one(world, &g,
                    OPTIONS("model.norm=layer", "model.residual=true", "model.layers=4", "model.activation=elu",
                            "dataset.normalize_targets=standardize", "train.optimizer=sgd", "train.momentum=0.9"));
}

// In single precision a gate that falls on the other side of its kink moves the loss by 1e-3 after some 60 epochs;
// double precision follows all the way.
static void ranks_follow_one_with_geogcn(hg_world *world)
{
  int epochs = train_exact ? EPOCHS : 30;
  train_graph g = train_graph_default();
  g.n = 300;
  g.n_dims = 2;
  check_follows_one_for(world, &g, epochs,
                        OPTIONS("model.type=geogcn", "model.normalization=row", "model.dropout=0.4", "model.layers=3",
                                "model.norm=layer", "model.filters=4"));
  g.n_dims = 3;
  g.directed = true;
  check_follows_one_for(world, &g, epochs,
                        OPTIONS("model.type=geogcn", "model.dropout=0", "model.hidden=16", "model.filters=3",
                                "model.filters_per=shared", "train.learning_rate=0.002"));
}

static void ranks_follow_one_with_mlp(hg_world *world)
{
  train_graph g = train_graph_default();
  g.n = 300;
  g.sparse_features = true;
  check_follows_one_for(world, &g, 30,
                        OPTIONS("model.type=mlp", "model.dropout=0.4", "model.layers=3", "model.norm=batch"));
}

// the order of the nodes in their parts changes nothing but rounding
static void orders_follow_file_order(hg_world *world)
{
  static const char *const names[] = {"auto", "cluster", "metis", "rcm", "degree"};
  enum { FEW = 20 };
  char path[HG_PATH_MAX];
  double expected[FEW], found[FEW];
  train_graph g = train_graph_default();
  g.n = 2500; // more than one block of METIS
  check_ok(train_graph_write(world, &g, path));
  hg_config config = train_config(path);
  train_configure(&config, OPTIONS("model.dropout=0.5", "model.input_dropout=0.2", "train.epochs=20"));
  config.partition.order = HG_ORDER_NONE;
  train_curve(world, &config, FEW, expected);
  for (int o = 0; o < 5; o++) {
    check_ok(hg_order_find(names[o], &config.partition.order));
    train_curve(world, &config, FEW, found);
    check_train_curves(found, expected, FEW, train_exact ? 1e-9 : 1e-4, names[o]);
  }
  train_graph_remove(world, path);
}

// all labelled nodes in one place: most parts have none; and a graph in pieces
static void parts_without_labels_train(hg_world *world)
{
  train_graph g = train_graph_default();
  g.n = 60;
  g.degree = 1;
  check_follows_one(world, &g, OPTIONS("model.dropout=0.5"));
}

static void same_run_same_bits(hg_world *world)
{
  train_graph g = train_graph_default();
  char path[HG_PATH_MAX];
  double first[30], second[30];
  check_ok(train_graph_write(world, &g, path));
  hg_config config = train_config(path);
  train_configure(&config, OPTIONS("model.dropout=0.5", "model.layers=3", "model.norm=batch"));
  train_curve(world, &config, 30, first);
  train_curve(world, &config, 30, second);
  check(memcmp(first, second, sizeof first) == 0, "the second run has other losses");
  train_graph_remove(world, path);
}

// with plain SGD, averaging weights after each step is averaging gradients
static void local_every_step_is_allreduce(hg_world *world)
{
  train_graph g = train_graph_default();
  char path[HG_PATH_MAX];
  double every_step[30], local[30];
  check_ok(train_graph_write(world, &g, path));
  hg_config config = train_config(path);
  train_configure(&config, OPTIONS("train.optimizer=sgd", "train.momentum=0", "train.learning_rate=0.1"));
  train_curve(world, &config, 30, every_step);
  train_configure(&config, OPTIONS("train.sync=local", "train.sync_every=1"));
  train_curve(world, &config, 30, local);
  check_train_curves(local, every_step, 30, train_exact ? 1e-9 : 1e-4, "local");
  train_graph_remove(world, path);
}

static void check_resumed(hg_world *world, const char *const *changes)
{
  train_graph g = train_graph_default();
  g.n_dims = 2;
  char path[HG_PATH_MAX];
  hg_checkpoint whole = {0}, resumed = {0}, elsewhere = {0};
  check_ok(train_graph_write(world, &g, path));
  hg_config config = train_config(path);
  train_configure(&config, OPTIONS("train.epochs=12", "train.checkpoint_every=5", "train.keep_checkpoints=9",
                                   "model.dropout=0.5", "train.schedule=cosine", "train.evaluate_every=2"));
  train_configure(&config, changes);
  train_run(world, &config, false, &whole);
  train_remove_checkpoint(world, &config, 12);
  train_run(world, &config, true, &resumed);
  check_train_weights(&resumed, &whole, 0, "resumed");
  train_remove_checkpoint(world, &config, 12);
  hg_world *self = NULL;
  check_ok(hg_world_self_create(&self, world));
  if (hg_world_rank(world) == 0) {
    train_run(self, &config, true, &elsewhere);
    check_train_weights(&elsewhere, &whole, train_exact ? 1e-9 : 1e-4, "resumed on one rank");
    hg_checkpoint_free(&elsewhere);
  }
  hg_world_self_free(&self);
  hg_checkpoint_free(&whole);
  hg_checkpoint_free(&resumed);
  train_graph_remove(world, path);
}

static void resumed_run_has_the_same_bits(hg_world *world) { check_resumed(world, OPTIONS("model.norm=batch")); }

static void geogcn_resumes_with_the_same_bits(hg_world *world)
{
  check_resumed(world, OPTIONS("model.type=geogcn", "model.normalization=row"));
}

static void augmentation_resumes_with_the_same_bits(hg_world *world)
{
  check_resumed(world,
                OPTIONS("model.type=geogcn", "model.normalization=row", "augment.rotate=90", "augment.reflect=true",
                        "augment.scale=0.2", "augment.jitter=0.1", "augment.test_samples=2"));
}

static void coordinator_sums_agree_with_allreduce(hg_world *world)
{
  train_graph g = train_graph_default();
  char path[HG_PATH_MAX];
  hg_checkpoint allreduce = {0}, first = {0}, second = {0};
  check_ok(train_graph_write(world, &g, path));
  hg_config config = train_config(path);
  train_configure(&config, OPTIONS("train.epochs=8", "train.sync=allreduce"));
  train_run(world, &config, false, &allreduce);
  train_configure(&config, OPTIONS("train.sync=coordinator"));
  train_run(world, &config, false, &first);
  train_run(world, &config, false, &second);
  check_train_weights(&first, &allreduce, train_exact ? 1e-9 : 1e-4, "coordinator");
  check_train_weights(&second, &first, 0, "coordinator again");
  hg_checkpoint_free(&allreduce);
  hg_checkpoint_free(&first);
  hg_checkpoint_free(&second);
  train_graph_remove(world, path);
}

// what is planned for memory is what is used, within a tenth
static void check_memory(hg_world *world, const train_graph *graph, const char *const *changes)
{
  char path[HG_PATH_MAX];
  check_ok(train_graph_write(world, graph, path));
  hg_config config = train_config(path);
  train_configure(&config, changes);
  hg_trainer t;
  if (check_ok(hg_trainer_create(&t, world, &config))) {
    double planned = (double)t.planned.total, used = (double)hg_alloc_bytes();
    check(fabs(planned - used) <= 0.1 * used, "planned %.0f bytes, used %.0f", planned, used);
    hg_trainer_free(&t);
  }
  train_graph_remove(world, path);
}

static void memory_is_as_planned(hg_world *world)
{
  train_graph g = train_graph_default();
  g.n = 20000;
  g.width = 40;
  g.n_dims = 2;
  check_memory(world, &g, OPTIONS("model.hidden=48", "model.norm=layer", "model.layers=3", "partition.method=block"));
  check_memory(world, &g,
               OPTIONS("model.precision=bfloat16", "model.hidden=48", "model.layers=3", "partition.method=block"));
  check_memory(world, &g, OPTIONS("halo.sample=0.3", "model.hidden=48", "model.layers=3", "partition.method=block"));
  check_memory(world, &g, OPTIONS("model.input_dropout=0.5", "model.hidden=48", "partition.method=block"));
  check_memory(world, &g, OPTIONS("model.type=geogcn", "model.hidden=16", "model.layers=3", "partition.method=block"));
  check_memory(world, &g,
               OPTIONS("model.type=geogcn", "model.dropout=0.5", "model.input_dropout=0.5", "model.norm=layer",
                       "model.filters=3", "partition.method=random"));
  check_memory(world, &g, OPTIONS("model.type=geogcn", "augment.jitter=0.1", "augment.test_samples=2"));
  g.sparse_features = true;
  check_memory(world, &g, OPTIONS("model.hidden=48", "model.dropout=0.5", "partition.method=block"));
}

static void geogcn_names_a_node_without_place(hg_world *world)
{
  train_graph g = train_graph_default();
  char path[HG_PATH_MAX];
  g.n_dims = 3;
  g.nan_position = true;
  check_ok(train_graph_write(world, &g, path));
  hg_config config = train_config(path);
  train_configure(&config, OPTIONS("model.type=geogcn"));
  hg_trainer t;
  check(hg_trainer_create(&t, world, &config) == HG_ERR_INPUT, "trained with a position that is no number");
  check(strstr(hg_error_text(), "graph.hg: node 89: position 2 is nan, expected a finite number") != NULL, "said: %s",
        hg_error_text());
  train_graph_remove(world, path);
}

static void geogcn_says_what_it_needs(hg_world *world)
{
  train_graph g = train_graph_default();
  char path[HG_PATH_MAX], expected[HG_PATH_MAX + 128];
  static const char *const found[] = {"positions of the nodes, found none", "dense features, found sparse ones"};
  for (int k = 0; k < 2; k++) {
    g.n_dims = k;
    g.sparse_features = k == 1;
    check_ok(train_graph_write(world, &g, path));
    hg_config config = train_config(path);
    train_configure(&config, OPTIONS("model.type=geogcn"));
    hg_trainer t;
    check(hg_trainer_create(&t, world, &config) == HG_ERR_INPUT, "made a model of a graph that it does not fit");
    snprintf(expected, sizeof expected, "model.type: geogcn needs %s in %s", found[k], path);
    check(strstr(hg_error_text(), expected) != NULL, "said: %s", hg_error_text());
    train_graph_remove(world, path);
  }
}

const mpi_case train_cases[] = {
    {"train/ranks_follow_one_with_dropout", ranks_follow_one_with_dropout, "1 2 3 4 7 8"},
    {"train/ranks_follow_one_with_norms", ranks_follow_one_with_norms, "2 3 7"},
    {"train/orders_follow_file_order", orders_follow_file_order, "1 3"},
    {"train/parts_without_labels_train", parts_without_labels_train, "3 7"},
    {"train/same_run_same_bits", same_run_same_bits, "1 3 4"},
    {"train/local_every_step_is_allreduce", local_every_step_is_allreduce, "1 3"},
    {"train/resumed_run_has_the_same_bits", resumed_run_has_the_same_bits, "1 2 3"},
    {"train/coordinator_sums_agree_with_allreduce", coordinator_sums_agree_with_allreduce, "1 2 4"},
    {"train/memory_is_as_planned", memory_is_as_planned, "1 3"},
    {"train/ranks_follow_one_with_geogcn", ranks_follow_one_with_geogcn, "2 3 7"},
    {"train/ranks_follow_one_with_mlp", ranks_follow_one_with_mlp, "2 3"},
    {"train/geogcn_says_what_it_needs", geogcn_says_what_it_needs, "! 1 3"},
    {"train/geogcn_names_a_node_without_place", geogcn_names_a_node_without_place, "! 1 3"},
    {"train/geogcn_resumes_with_the_same_bits", geogcn_resumes_with_the_same_bits, "1 2 3"},
    {"train/augmentation_resumes_with_the_same_bits", augmentation_resumes_with_the_same_bits, "1 2 3"},
    {0},
};
