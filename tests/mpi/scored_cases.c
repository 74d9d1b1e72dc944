// Evaluations on their own active sets: the scores of all rows, from fewer rows and bytes; predictions are of all rows.
#include <math.h>
#include <string.h>

#include "comm/reduce.h"
#include "core/base/alloc.h"
#include "runtime/train/feed_graph.h"
#include "tests/mpi/train_graph.h"
#include "tests/mpi/train_runs.h"
#include "tests/support/mpi_case.h"

enum { EPOCHS = 4 };

// some of each kind of layer, of each way of crossing, and of keeping what a pass makes
static const char *const *const variants[] = {
    OPTIONS("model.hidden=16", "model.layers=2", "model.dropout=0.3"),
    OPTIONS("model.hidden=16", "model.layers=3", "model.dropout=0.3", "partition.order=none"),
    OPTIONS("model.hidden=3", "model.layers=3", "model.input_dropout=0.4", "model.activation=elu"),
    OPTIONS("model.hidden=16", "model.layers=3", "model.norm=batch", "model.residual=true"),
    OPTIONS("model.hidden=2", "model.layers=3", "model.norm=layer", "partition.method=random"),
    OPTIONS("model.layers=1", "model.input_dropout=0.2"),
    OPTIONS("model.type=geogcn", "model.layers=3", "model.normalization=row", "model.norm=layer"),
    OPTIONS("model.type=geogcn", "model.layers=2", "augment.jitter=0.1", "augment.test_samples=3"),
    OPTIONS("model.type=geogcn", "model.layers=3", "model.hidden=2", "halo.aggregation=covers"),
    OPTIONS("model.type=mlp", "model.layers=2"),
    OPTIONS("model.hidden=9", "model.layers=3", "model.precision=bfloat16", "partition.method=block"),
    OPTIONS("model.hidden=16", "model.layers=3", "model.input_dropout=0", "halo.aggregation=covers"),
    OPTIONS("model.hidden=16", "model.layers=3", "halo.sample=0.5"),
    OPTIONS("model.hidden=16", "model.layers=3", "halo.staleness=pipeline"),
    OPTIONS("model.hidden=16", "model.layers=3", "halo.precision=int8", "halo.error_feedback=true"),
    OPTIONS("model.hidden=16", "model.layers=3", "halo.skip_zeros=always"),
    OPTIONS("model.hidden=16", "model.layers=3", "halo.skip_zeros=always", "halo.precision=int8"),
    OPTIONS("model.hidden=16", "model.layers=3", "model.norm=layer", "model.recompute=true", "model.residual=true"),
    OPTIONS("model.hidden=16", "model.layers=2", "model.input_dropout=0", "model.recompute=true"),
    OPTIONS("model.hidden=16", "model.layers=3", "model.input_dropout=0", "halo.compute_first=always"),
    OPTIONS("model.hidden=6", "model.layers=2", "model.label_rate=0.5", "model.dropout=0.3"),
};
enum { N_VARIANTS = sizeof variants / sizeof *variants };

static bool same(double found, double expected)
{
  if (isnan(expected)) return isnan(found);
  return fabs(found - expected) <= (train_exact ? 1e-9 : 1e-4) * fmax(1, fabs(expected));
}

static void check_scores(const hg_scores *some, const hg_scores *all, int epoch, const char *what)
{
  for (int s = HG_SPLIT_TRAIN; s < HG_SPLIT_COUNT; s++) {
    check(same(some[s].loss, all[s].loss), "%s: epoch %d: loss of split %d is %.17g, expected %.17g", what, epoch, s,
          some[s].loss, all[s].loss);
    check(some[s].accuracy == all[s].accuracy || (isnan(some[s].accuracy) && isnan(all[s].accuracy)),
          "%s: epoch %d: accuracy of split %d is %g, expected %g", what, epoch, s, some[s].accuracy, all[s].accuracy);
  }
}

static int64_t bytes_of_evaluation(hg_trainer *t, hg_scores *scores)
{
  int64_t before = hg_model_traffic(&t->model).bytes_sent;
  check_ok(hg_trainer_evaluate(t, scores));
  return hg_model_traffic(&t->model).bytes_sent - before;
}

// Outputs of all rows are those of the trainer that computes all rows always.
static void check_outputs(hg_trainer *some, hg_trainer *all, const char *what)
{
  const hg_outputs found = some->type->outputs(some, true), expected = all->type->outputs(all, true);
  check(found.logits.rows == some->labelled.n_items, "%s: %lld rows", what, (long long)found.logits.rows);
  for (hg_off e = 0; e < found.logits.rows * found.logits.cols; e++)
    if (!check(same((double)found.logits.data[e], (double)expected.logits.data[e]), "%s: output %lld is %g, not %g",
               what, (long long)e, (double)found.logits.data[e], (double)expected.logits.data[e]))
      return;
}

// The same weights in both, whatever training does: one trains, the other takes what it learned.
static void give_weights(const hg_trainer *from, hg_trainer *to)
{
  const hg_model *m = &from->model;
  memcpy(to->model.parameters, m->parameters, (size_t)m->n_parameters * sizeof *m->parameters);
  if (m->n_state > 0) memcpy(to->model.state, m->state, (size_t)m->n_state * sizeof *m->state);
}

// both directions of what crosses in the whole graph and in that of scored rows
static void compare_passes(hg_trainer *some, hg_trainer *all, bool fewer, const char *what)
{
  hg_scores a[HG_SPLIT_COUNT] = {0}, b[HG_SPLIT_COUNT] = {0};
  double bytes[2] = {0};
  for (int epoch = 1; epoch <= EPOCHS; epoch++) {
    (void)train_epoch(some, epoch);
    give_weights(some, all);
    bytes[0] += (double)bytes_of_evaluation(some, a);
    bytes[1] += (double)bytes_of_evaluation(all, b);
    check_scores(a, b, epoch, what);
    if (epoch % 2 == 0) check_outputs(some, all, what);
  }
  hg_sum_doubles(some->world, bytes, 2);
  check(bytes[0] <= bytes[1], "%s: %g bytes sent, %g with all rows", what, bytes[0], bytes[1]);
  if (fewer && bytes[1] > 0) check(bytes[0] < 0.75 * bytes[1], "%s: %g bytes of %g", what, bytes[0], bytes[1]);
}

static void compare(hg_world *world, const train_graph *graph, const char *const *changes, bool fewer)
{
  static train_pair pair;
  if (train_pair_begin(&pair, world, graph, changes)) {
    const hg_model *m = &pair.some.model;
    const hg_layer *last = &m->layers[m->n_layers - 1];
    check(!fewer || (last->scored.graph && m->scored_rows[m->n_layers - 1] < 0.5), "%s: %g of the last layer's rows",
          changes[0], m->scored_rows[m->n_layers - 1]);
    check(!last->scored.graph || last->scored.graph->transposed.indptr == last->whole.graph->transposed.indptr,
          "%s: edges of evaluations were transposed", changes[0]);
    check(pair.all.model.scored_rows[m->n_layers - 1] == 1, "%s: not all rows are scored", changes[0]);
    compare_passes(&pair.some, &pair.all, fewer, changes[0]);
  }
  train_pair_end(&pair, world);
}

static train_graph few_labels(int variant)
{
  train_graph g = train_graph_default();
  g.n = 200;
  g.n_dims = 2;
  g.degree = 2;
  g.labelled_of = 8;
  g.directed = variant % 2;
  return g;
}

static bool prunes(const char *const *changes)
{
  for (const char *const *c = changes; *c; c++)
    if (strcmp(*c, "halo.aggregation=covers") == 0 || strcmp(*c, "model.type=mlp") == 0) return false;
  return true;
}

static void scores_are_those_of_all_rows(hg_world *world)
{
  for (int v = 0; v < N_VARIANTS; v++) {
    const train_graph g = few_labels(v);
    compare(world, &g, variants[v], prunes(variants[v]));
  }
}

static void of_sparse_features_and_other_tasks(hg_world *world)
{
  train_graph g = few_labels(0);
  g.sparse_features = true;
  compare(world, &g, OPTIONS("model.hidden=5", "model.layers=2", "model.input_dropout=0.5"), true);
  g.directed = true;
  g.labelled_of = 40; // most ranks have none
  g.task = HG_TASK_MULTILABEL;
  compare(world, &g, OPTIONS("model.hidden=2", "model.layers=3"), true);
  g.sparse_features = false;
  g.task = HG_TASK_REGRESSION;
  compare(world, &g, OPTIONS("model.hidden=8", "model.layers=2", "dataset.normalize_targets=standardize"), true);
}

// All nodes have a split: a search finds that, and nothing is kept; training still has its own rows.
static void all_labelled_nodes_need_no_sets(hg_world *world)
{
  char path[HG_PATH_MAX];
  hg_trainer t = {0};
  train_graph g = train_graph_default();
  g.n = 200;
  g.train_of = 12;
  g.labelled_of = 1;
  check_ok(train_graph_write(world, &g, path));
  hg_config config = train_config(path);
  train_configure(&config, OPTIONS("model.layers=3", "model.norm=layer"));
  if (check_ok(hg_trainer_create(&t, world, &config))) {
    const hg_graph_feed *feed = hg_graph_feed_of(&t);
    check(feed->scored.n_levels == 0 && !feed->scored.steps && !feed->scored.levels, "levels were kept");
    check(feed->active.n_levels == 3 && feed->active.levels[0].pruned, "training prunes nothing");
    for (int l = 0; l < t.model.n_layers; l++)
      check(t.model.scored_rows[l] == 1 && !t.model.layers[l].scored.graph, "layer %d has scored rows", l);
  }
  hg_trainer_free(&t);
  train_graph_remove(world, path);
}

// with what evaluations keep, and without: the plan grows by as much as what is used
static void sets_are_in_the_planned_memory(hg_world *world)
{
  const char *const *const ways[] = {OPTIONS("model.hidden=8", "model.layers=3"),
                                     OPTIONS("model.hidden=8", "model.layers=3", "halo.skip_zeros=always"),
                                     OPTIONS("model.hidden=8", "model.layers=3", "halo.precision=int8")};
  train_graph g = few_labels(0);
  g.n = 6000;
  g.degree = 6;
  g.train_of = 5;
  for (size_t w = 0; w < sizeof ways / sizeof *ways; w++) {
    char path[HG_PATH_MAX];
    hg_trainer t = {0};
    check_ok(train_graph_write(world, &g, path));
    hg_config config = train_config(path);
    train_configure(&config, ways[w]);
    size_t before = hg_alloc_bytes();
    if (check_ok(hg_trainer_create(&t, world, &config))) {
      double used = (double)(hg_alloc_bytes() - before), planned = (double)t.planned.total;
      check(t.model.layers[1].scored.graph != NULL, "way %d: nothing was pruned", (int)w);
      check(fabs(planned - used) <= 0.03 * used, "way %d: %.0f bytes used, %.0f planned", (int)w, used, planned);
    }
    hg_trainer_free(&t);
    train_graph_remove(world, path);
  }
}

const mpi_case scored_cases[] = {
    {"scored/scores_are_those_of_all_rows", scores_are_those_of_all_rows, "1 2 3 4 7"},
    {"scored/of_sparse_features_and_other_tasks", of_sparse_features_and_other_tasks, "1 3 7"},
    {"scored/all_labelled_nodes_need_no_sets", all_labelled_nodes_need_no_sets, "1 4"},
    {"scored/sets_are_in_the_planned_memory", sets_are_in_the_planned_memory, "1 3"},
    {0},
};
