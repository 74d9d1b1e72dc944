// Parts without their ranks: what `halognn plan` makes of them is what a run makes.
#include <math.h>
#include <string.h>

#include "comm/reduce.h"
#include "core/base/alloc.h"
#include "core/base/threads.h"
#include "core/graph/store.h"
#include "runtime/train/feed_graph.h"
#include "runtime/train/rank_plan.h"
#include "tests/mpi/train_graph.h"
#include "tests/mpi/train_runs.h"
#include "tests/support/mpi_case.h"

static const char *const *const variants[] = {
    OPTIONS("model.hidden=16", "model.layers=3", "model.dropout=0.3", "train.active_sets=false"),
    OPTIONS("model.hidden=3", "model.layers=4", "model.input_dropout=0.4", "model.norm=layer"),
    OPTIONS("model.hidden=16", "model.layers=3", "model.norm=batch", "model.normalization=row"),
    OPTIONS("model.hidden=9", "model.layers=3", "model.precision=bfloat16", "train.active_sets=false"),
    OPTIONS("model.hidden=16", "model.layers=3", "model.dropout=0.3", "model.input_dropout=0",
            "model.skip_zeros=always"),
    OPTIONS("model.type=geogcn", "model.layers=3", "model.normalization=row", "model.dropout=0.3"),
    OPTIONS("model.type=mlp", "model.layers=3", "model.dropout=0.2"),
};
enum { N_VARIANTS = sizeof variants / sizeof *variants, EPOCHS = 3 };

static train_graph graph_of(int variant)
{
  train_graph g = train_graph_default();
  g.n = 150;
  g.n_dims = 2;
  g.train_of = 12;
  g.sparse_features = variant == 1;
  g.directed = variant % 2;
  return g;
}

// the file's graph as the one part that it is on one rank
static hg_status take_whole(const char *path, hg_graph *ordered, hg_parts_index *index)
{
  hg_graph graph = {0};
  int32_t *part_of = NULL;
  hg_lid *order = NULL;
  hg_status rc = HG_OK;
  HG_TRY(hg_store_read_graph(path, &graph));
  HG_TRY(HG_ALLOC(part_of, graph.nodes.n, "parts"));
  HG_TRY(HG_ALLOC(order, graph.nodes.n, "order"));
  HG_TRY(hg_parts_build(&graph, 1, part_of, order, index));
  HG_TRY(hg_graph_permute(ordered, &graph, order));
done:
  hg_free(&part_of);
  hg_free(&order);
  hg_graph_free(&graph);
  return rc;
}

static void compare_steps(hg_trainer *alone, hg_trainer *run, int variant)
{
  for (int epoch = 1; epoch <= EPOCHS; epoch++) {
    hg_phases phases;
    const hg_plan plan = {.epoch = epoch, .learning_rate = run->config->train.learning_rate, .sync = HG_SYNC_ALLREDUCE};
    hg_phases_start(&phases);
    check_ok(hg_trainer_step(run, run->config->seed, &plan, NULL, &phases).status);
    check_ok(hg_alone_step(alone, epoch, &phases));
  }
  size_t bytes = (size_t)run->model.n_parameters * sizeof(hg_real);
  check(alone->planned.total == run->planned.total, "variant %d: %zu bytes planned, a run plans %zu", variant,
        alone->planned.total, run->planned.total);
  if (strcmp(run->config->model.type, "geogcn") != 0) // its positions are scaled by the mean edge in a run
    check(memcmp(alone->model.parameters, run->model.parameters, bytes) == 0, "variant %d: other weights", variant);
}

static void one_part_trains_as_one_rank_does(hg_world *world)
{
  for (int v = 0; v < N_VARIANTS; v++) {
    const train_graph g = graph_of(v);
    char path[HG_PATH_MAX];
    hg_trainer alone = {0}, run = {0};
    hg_graph whole = {0};
    hg_parts_index index = {0};
    check_ok(train_graph_write(world, &g, path));
    hg_config config = train_config(path);
    train_configure(&config, variants[v]);
    train_configure(&config, OPTIONS("partition.order=none")); // as `whole`
    const hg_alone_source source = {.graph = &whole, .index = &index};
    if (check_ok(take_whole(path, &whole, &index)) && check_ok(hg_trainer_create(&run, world, &config)) &&
        check_ok(hg_alone_create(&alone, &config, &source))) {
      hg_trainer_start(&run, config.seed);
      compare_steps(&alone, &run, v);
      const double *layer_s = hg_alone_feed_of(&alone)->layer_s;
      for (int l = 0; l < 2 * run.model.n_layers; l++) check(layer_s[l] > 0, "variant %d: layer %d took no time", v, l);
    }
    hg_trainer_free(&alone);
    hg_trainer_free(&run);
    hg_graph_free(&whole);
    hg_parts_index_free(&index);
    train_graph_remove(world, path);
  }
}

// the largest rank's, or that of another one which has more work but no more memory
static void compare_memory(hg_world *world, const char *path, const hg_config *config, int variant)
{
  const hg_rank_plan_options untimed = {1, hg_threads(), 0};
  hg_rank_plan plan = {0};
  hg_trainer run = {0};
  hg_graph graph = {0};
  if (check_ok(hg_store_read_graph(path, &graph)) && check_ok(hg_trainer_create(&run, world, config)) &&
      check_ok(hg_rank_plan_make(&plan, config, &graph, hg_world_size(world), &untimed))) {
    double planned = (double)plan.memory[config->model.halo.precision].total, found = (double)run.planned.total;
    double nearest[] = {-fabs(found / planned - 1)}, allowed = config->train.active_sets ? 0.02 : 0;
    hg_max_doubles(world, nearest, 1);
    check(-nearest[0] <= allowed, "variant %d: no rank plans the %g bytes but for %g %%", variant, planned,
          -100 * nearest[0]);
    check(plan.rehearsal.epoch_s == 0, "was timed");
    check(plan.rows.total[HG_SEND_SOURCES] == run.facts.halo_nodes, "%lld halo rows, a run has %lld",
          (long long)plan.rows.total[HG_SEND_SOURCES], (long long)run.facts.halo_nodes);
  }
  hg_trainer_free(&run);
  hg_rank_plan_free(&plan);
  hg_graph_free(&graph);
}

static void memory_is_what_a_run_plans(hg_world *world)
{
  for (int v = 0; v < N_VARIANTS; v++) {
    const train_graph g = graph_of(v);
    char path[HG_PATH_MAX];
    check_ok(train_graph_write(world, &g, path));
    hg_config config = train_config(path);
    train_configure(&config, variants[v]);
    compare_memory(world, path, &config, v);
    train_graph_remove(world, path);
  }
}

// The largest rank's, to what few rows more or less of a slab, and edges of its rows, are.
static void compare_columns(hg_world *world, const char *path, hg_config *config, hg_rank_plan *plans, int columns)
{
  const hg_rank_plan_options untimed = {1, hg_threads(), 0};
  int groups = hg_world_size(world) / columns, n = groups > 1;
  hg_trainer run = {0};
  hg_graph graph = {0};
  hg_memory memory = {0};
  config->parallel.mode = HG_PARALLEL_GRID;
  config->parallel.columns = columns;
  if (check_ok(hg_store_read_graph(path, &graph)) && check_ok(hg_trainer_create(&run, world, config)) &&
      (n == 0 || check_ok(hg_rank_plan_make(&plans[0], config, &graph, groups, &untimed)))) {
    const hg_part_extent whole = {.nodes = graph.nodes.n, .edges = hg_csr_entries(&graph.adjacency)};
    check_ok(hg_alone_plan_columns(&memory, config, &graph, n ? &plans[0].largest : &whole, groups, columns));
    double most = (double)run.planned.total, planned = (double)memory.total;
    hg_max_doubles(world, &most, 1);
    check(fabs(planned - most) <= 0.03 * most, "%d x %d: %g bytes, the largest rank plans %g", groups, columns, planned,
          most);
  }
  hg_trainer_free(&run);
  hg_rank_plan_free(&plans[0]);
  hg_graph_free(&graph);
}

static void memory_of_columns_is_what_a_run_plans(hg_world *world)
{
  int size = hg_world_size(world);
  for (int way = 0; way < 3; way++) {
    train_graph g = graph_of(way);
    char path[HG_PATH_MAX];
    hg_rank_plan plans[1] = {0};
    g.n = 6000;
    check_ok(train_graph_write(world, &g, path));
    for (int columns = 2; columns <= size; columns++) {
      hg_config config = train_config(path);
      if (size % columns != 0) continue;
      train_configure(&config, OPTIONS("model.hidden=16", "model.layers=3"));
      if (way == 2) config.model.input_dropout = 0.3;
      compare_columns(world, path, &config, plans, columns);
    }
    train_graph_remove(world, path);
  }
}

const mpi_case alone_cases[] = {
    {"alone/one_part_trains_as_one_rank_does", one_part_trains_as_one_rank_does, "1"},
    {"alone/memory_is_what_a_run_plans", memory_is_what_a_run_plans, "1 3"},
    {"alone/memory_of_columns_is_what_a_run_plans", memory_of_columns_is_what_a_run_plans, "4"},
    {0}};
