// Rows of geo-GCN that the sources' ranks compute: the same losses, gradients and outputs, and no more bytes.
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "comm/reduce.h"
#include "core/base/alloc.h"
#include "core/base/threads.h"
#include "runtime/train/feed.h"
#include "tests/mpi/train_graph.h"
#include "tests/mpi/train_runs.h"
#include "tests/support/mpi_case.h"

enum { EPOCHS = 5 };

// A graph, its parts, and a model on it.
typedef struct {
  const char *what;
  hg_off n;
  int degree, n_classes;
  bool directed;
  const char *const *changes;
} variant;

#define GEO "model.type=geogcn", "model.layers=3"

static const variant variants[] = {
    {"narrow outputs", 300, 4, 2, false, OPTIONS(GEO, "model.hidden=16", "model.normalization=row", "model.filters=3")},
    {"one direction", 200, 6, 7, true,
     OPTIONS(GEO, "model.hidden=5", "partition.method=random", "model.dropout=0.3", "model.filters=2")},
    {"wide outputs", 150, 3, 24, true,
     OPTIONS(GEO, "model.hidden=4", "model.normalization=sum", "partition.method=random", "model.activation=elu")},
    {"more columns than a piece", 120, 8, 3, false,
     OPTIONS(GEO, "model.hidden=12", "model.filters=20", "model.norm=layer", "model.residual=true",
             "train.active_sets=false")},
    {"shared filters", 120, 2, 3, true,
     OPTIONS(GEO, "model.hidden=8", "model.filters_per=shared", "model.filters=20", "model.norm=batch",
             "augment.rotate=180")},
    {"dense", 40, 25, 2, false, OPTIONS(GEO, "model.hidden=6", "partition.method=random", "model.self_loops=false")},
    {"zeros stay out of all layers but the last", 300, 4, 2, false,
     OPTIONS(GEO, "model.hidden=16", "halo.skip_zeros=always", "model.dropout=0.3")},
    {"tiny", 12, 2, 3, false, OPTIONS(GEO, "model.hidden=3")},
};
enum { N_VARIANTS = sizeof variants / sizeof *variants };

static train_graph graph_of(const variant *v)
{
  train_graph g = train_graph_default();
  g.n = v->n;
  g.degree = v->degree;
  g.n_classes = v->n_classes;
  g.directed = v->directed;
  g.n_dims = 2;
  g.train_of = 5;
  return g;
}

// one trainer with covers and one without
typedef struct {
  hg_config configs[2];
  hg_trainer trainers[2];
} both;

static bool create(both *b, hg_world *world, const variant *v, const char *path)
{
  bool ok = true;
  memset(b->trainers, 0, sizeof b->trainers);
  for (int way = 0; way < 2; way++) {
    b->configs[way] = train_config(path);
    train_configure(&b->configs[way], v->changes);
    if (way) train_configure(&b->configs[way], OPTIONS("halo.aggregation=covers"));
    ok = ok && check_ok(hg_trainer_create(&b->trainers[way], world, &b->configs[way]));
  }
  for (int way = 0; ok && way < 2; way++) hg_trainer_start(&b->trainers[way], 5);
  return ok;
}

static void check_near(const hg_real *found, const hg_real *expected, hg_off n, const char *what, const char *which)
{
  double tolerance = train_exact ? 1e-9 : 2e-4, largest = 0;
  for (hg_off k = 0; k < n; k++) largest = fmax(largest, fabs((double)expected[k]));
  for (hg_off k = 0; k < n; k++)
    if (!check(fabs((double)(found[k] - expected[k])) <= tolerance * fmax(largest, 1e-3),
               "%s: %s %lld is %.9g, expected %.9g", what, which, (long long)k, (double)found[k], (double)expected[k]))
      return;
}

static double step(hg_trainer *t, int epoch)
{
  hg_phases phases;
  hg_phases_start(&phases);
  const hg_plan plan = hg_schedule_plan(t->config, &(hg_schedule_state){0}, epoch);
  hg_step taken = hg_trainer_step(t, t->config->seed, &plan, NULL, &phases);
  hg_sum_doubles(t->world, &taken.loss.loss, 1);
  return taken.loss.loss;
}

static int64_t sent_by_all(hg_trainer *t)
{
  double sent = (double)hg_model_traffic(&t->model).bytes_sent;
  hg_sum_doubles(t->world, &sent, 1);
  return (int64_t)sent;
}

static void compare(both *b, const char *what)
{
  hg_trainer *sources = &b->trainers[0], *covers = &b->trainers[1];
  for (int e = 1; e <= EPOCHS; e++) {
    double expected = step(sources, e), found = step(covers, e);
    if (!check(fabs(found - expected) <= (train_exact ? 1e-9 : 1e-4) * fabs(expected),
               "%s: epoch %d: loss %.12g, expected %.12g", what, e, found, expected))
      return;
    if (e == 1)
      check_near(covers->model.gradients, sources->model.gradients, sources->model.n_parameters, what, "gradient");
    if (e % 4) continue;
    hg_outputs a = covers->type->outputs(covers, true), z = sources->type->outputs(sources, true);
    check_near(a.logits.data, z.logits.data, z.logits.rows * z.logits.cols, what, "output");
  }
  int64_t with = sent_by_all(covers), without = sent_by_all(sources);
  check(with <= without, "%s: %lld bytes with covers, %lld without", what, (long long)with, (long long)without);
}

static void training_is_the_same(hg_world *world)
{
  for (int k = 0; k < N_VARIANTS; k++) {
    static both b;
    char path[HG_PATH_MAX];
    train_graph g = graph_of(&variants[k]);
    check_ok(train_graph_write(world, &g, path));
    if (create(&b, world, &variants[k], path)) compare(&b, variants[k].what);
    for (int way = 0; way < 2; way++) hg_trainer_free(&b.trainers[way]);
    train_graph_remove(world, path);
  }
}

// where outputs are narrow, rows of them cross and not those of the input, which are eight times as wide
static void narrow_outputs_cross(hg_world *world)
{
  static both b;
  char path[HG_PATH_MAX];
  train_graph g = graph_of(&variants[0]);
  check_ok(train_graph_write(world, &g, path));
  if (create(&b, world, &variants[0], path)) {
    (void)step(&b.trainers[0], 1);
    (void)step(&b.trainers[1], 1);
    int64_t with = sent_by_all(&b.trainers[1]), without = sent_by_all(&b.trainers[0]);
    check(with < without * 2 / 3, "%lld bytes with covers, %lld without", (long long)with, (long long)without);
  }
  for (int way = 0; way < 2; way++) hg_trainer_free(&b.trainers[way]);
  train_graph_remove(world, path);
}

static void same_bits_again(hg_world *world)
{
  char path[HG_PATH_MAX];
  double first[EPOCHS], second[EPOCHS];
  train_graph g = graph_of(&variants[1]);
  check_ok(train_graph_write(world, &g, path));
  hg_config config = train_config(path);
  train_configure(&config, variants[1].changes);
  train_configure(&config, OPTIONS("halo.aggregation=covers"));
  train_curve(world, &config, EPOCHS, first);
  hg_threads_set(2);
  train_curve(world, &config, EPOCHS, second);
  hg_threads_set(1);
  check(memcmp(first, second, sizeof first) == 0, "the second run has other losses");
  train_graph_remove(world, path);
}

static void memory_is_at_most_what_was_planned(hg_world *world)
{
  char path[HG_PATH_MAX];
  train_graph g = train_graph_default();
  g.n = 6000;
  g.n_dims = 2;
  check_ok(train_graph_write(world, &g, path));
  for (int way = 0; way < 2; way++) {
    hg_trainer t;
    hg_config config = train_config(path);
    train_configure(&config, OPTIONS(GEO, "model.hidden=12", "model.filters=4", "halo.aggregation=covers"));
    config.train.active_sets = way == 0;
    size_t before = hg_alloc_bytes();
    if (!check_ok(hg_trainer_create(&t, world, &config))) break;
    double used = (double)(hg_alloc_bytes() - before), planned = (double)t.planned.total;
    check(planned >= 0.95 * used && planned <= 1.4 * used, "way %d: %.0f bytes used, %.0f planned", way, used, planned);
    hg_trainer_free(&t);
  }
  train_graph_remove(world, path);
}

const mpi_case prereduced_cases[] = {
    {"prereduced/training_is_the_same", training_is_the_same, "1 2 3 4 7"},
    {"prereduced/narrow_outputs_cross", narrow_outputs_cross, "2 3 4"},
    {"prereduced/same_bits_again", same_bits_again, "1 3"},
    {"prereduced/memory_is_at_most_what_was_planned", memory_is_at_most_what_was_planned, "1 3"},
    {0},
};
