// Aggregation by columns, in every grid of the ranks: what one rank computes, in the bytes that are predicted.
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "comm/reduce.h"
#include "core/base/alloc.h"
#include "core/base/threads.h"
#include "runtime/train/feed_graph.h"
#include "tests/mpi/train_graph.h"
#include "tests/mpi/train_runs.h"
#include "tests/support/mpi_case.h"

enum { EPOCHS = 5 };

/** A model whose layers aggregate in one of the ways, on a graph that suits it. */
typedef struct {
  const char *const *changes;
  hg_off n;
  int width, n_classes, degree;
  bool sparse, directed;
} row;

static const row rows[] = {
    {OPTIONS("model.layers=3", "model.hidden=16"), 90, 7, 3, 4, false, false},
    {OPTIONS("model.layers=4", "model.hidden=11", "model.dropout=0.4", "model.residual=true"), 90, 30, 3, 4, false,
     true},
    {OPTIONS("model.layers=3", "model.hidden=5", "model.dropout=0.3", "model.norm=layer", "model.activation=elu"), 90,
     9, 8, 4, false, false},
    {OPTIONS("model.layers=4", "model.hidden=19", "model.norm=batch", "model.residual=true", "partition.method=random"),
     90, 7, 2, 6, false, true},
    {OPTIONS("model.layers=2", "model.hidden=9", "model.dropout=0.5", "model.input_dropout=0.5",
             "partition.method=block"),
     90, 20, 3, 4, true, false},
    {OPTIONS("model.layers=3", "model.hidden=17", "model.input_dropout=0.3", "model.normalization=row",
             "model.self_loops=false", "model.bias=false", "partition.balance=[nodes, edges]"),
     70, 7, 3, 3, false, true},
    {OPTIONS("model.layers=1", "model.input_dropout=0.2"), 60, 5, 3, 3, false, false},
    {OPTIONS("model.layers=3", "model.hidden=2", "model.normalization=sum", "partition.method=random"), 9, 1, 1, 2,
     false, false}, // fewer columns than ranks, slabs of a node or none
};
enum { N_ROWS = sizeof rows / sizeof *rows };

static void set_grid(hg_config *config, int columns)
{
  config->parallel.mode = HG_PARALLEL_GRID;
  config->parallel.columns = columns;
}

static void describe(char *what, size_t size, const row *r, int columns)
{
  snprintf(what, size, "columns %d:", columns);
  for (const char *const *c = r->changes; *c; c++) {
    size_t used = strlen(what);
    snprintf(what + used, size - used, " %s", *c);
  }
}

static train_graph graph_of(const row *r)
{
  train_graph g = train_graph_default();
  g.n = r->n;
  g.width = r->width;
  g.n_classes = r->n_classes;
  g.degree = r->degree;
  g.sparse_features = r->sparse;
  g.directed = r->directed;
  if (g.n_classes == 1) g.task = HG_TASK_REGRESSION;
  return g;
}

static void every_grid_follows_one_rank(hg_world *world)
{
  hg_world *self = NULL;
  int size = hg_world_size(world);
  check_ok(hg_world_self_create(&self, world));
  for (int r = 0; r < N_ROWS; r++) {
    char path[HG_PATH_MAX], what[400];
    double expected[EPOCHS] = {0}, found[EPOCHS];
    const train_graph g = graph_of(&rows[r]);
    check_ok(train_graph_write(world, &g, path));
    hg_config config = train_config(path);
    train_configure(&config, rows[r].changes);
    if (hg_world_rank(world) == 0) train_curve(self, &config, EPOCHS, expected);
    hg_broadcast(world, expected, sizeof expected, 0);
    for (int columns = 2; columns <= size; columns++) {
      if (size % columns != 0) continue;
      set_grid(&config, columns);
      describe(what, sizeof what, &rows[r], columns);
      train_curve(world, &config, EPOCHS, found);
      check_train_curves(found, expected, EPOCHS, train_exact ? 1e-9 : 1e-4, what);
    }
    train_graph_remove(world, path);
  }
  hg_world_self_free(&self);
}

static void repetitions_and_threads_change_no_bit(hg_world *world)
{
  char path[HG_PATH_MAX];
  double first[EPOCHS], second[EPOCHS];
  const train_graph g = graph_of(&rows[1]);
  check_ok(train_graph_write(world, &g, path));
  hg_config config = train_config(path);
  train_configure(&config, rows[1].changes);
  config.parallel.mode = HG_PARALLEL_FEATURES;
  for (int way = 0; way < 2; way++) {
    if (way == 1) set_grid(&config, 2);
    train_curve(world, &config, EPOCHS, first);
    hg_threads_set(3);
    train_curve(world, &config, EPOCHS, second);
    hg_threads_set(1);
    check(memcmp(first, second, sizeof first) == 0, "way %d: the second run has other losses", way);
  }
  train_graph_remove(world, path);
}

static void memory_is_as_planned(hg_world *world)
{
  train_graph g = train_graph_default();
  g.n = 20000;
  g.width = 40;
  char path[HG_PATH_MAX];
  check_ok(train_graph_write(world, &g, path));
  for (int way = 0; way < 4; way++) {
    hg_trainer t;
    hg_config config = train_config(path);
    train_configure(&config, OPTIONS("model.hidden=48", "model.layers=3", "partition.method=block"));
    config.model.input_dropout = way % 2 ? 0.5 : 0;
    set_grid(&config, way < 2 ? 2 : hg_world_size(world));
    size_t before = hg_alloc_bytes();
    if (!check_ok(hg_trainer_create(&t, world, &config))) break;
    double used = (double)(hg_alloc_bytes() - before), planned = (double)t.planned.total;
    check(fabs(planned - used) <= 0.1 * used, "way %d: %.0f bytes used, %.0f planned", way, used, planned);
    hg_trainer_free(&t);
  }
  train_graph_remove(world, path);
}

const mpi_case slabs_cases[] = {
    {"slabs/every_grid_follows_one_rank", every_grid_follows_one_rank, "1 2 3 4 6 7"},
    {"slabs/repetitions_and_threads_change_no_bit", repetitions_and_threads_change_no_bit, "2 4"},
    {"slabs/memory_is_as_planned", memory_is_as_planned, "4"},
    {0},
};
