// Aggregation by columns, in every grid of the ranks: what one rank computes, in the bytes that are predicted.
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "comm/reduce.h"
#include "core/base/alloc.h"
#include "core/base/threads.h"
#include "partition/source_rows.h"
#include "runtime/train/choose_columns.h"
#include "runtime/train/feed_graph.h"
#include "runtime/train/grid_traffic.h"
#include "tests/mpi/train_graph.h"
#include "tests/mpi/train_runs.h"
#include "tests/support/mpi_case.h"

enum { EPOCHS = 4 };

/** A model whose layers aggregate in one of the ways, on a graph that suits it. */
typedef struct {
  const char *const *changes;
  hg_off n;
  int width, n_classes, degree;
  bool sparse, directed;
} row;

static const row rows[] = {
    {OPTIONS("model.layers=3", "model.hidden=16"), 90, 150, 3, 4, false, false}, // two pieces with two columns
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
    {OPTIONS("model.layers=2", "model.hidden=80", "model.input_dropout=0.2"), 60, 70, 3, 3, false, false},
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
    if (size >= 4 && (r % 2 != size / 2 % 2 || (size == 6 && r < 4 && r != 3)))
      continue; // many ranks take turns on few processors
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
  g.n = 5000;
  g.width = 80;
  char path[HG_PATH_MAX];
  check_ok(train_graph_write(world, &g, path));
  for (int way = 0; way < 4; way++) {
    hg_trainer t;
    hg_config config = train_config(path);
    train_configure(&config, OPTIONS("model.hidden=96", "model.layers=3", "partition.method=block"));
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

// what is predicted from the parts file
static bool predict(const hg_trainer *t, int columns, hg_grid_traffic *traffic)
{
  int64_t sent[8], received[8];
  int host_of[8];
  const char *path = hg_graph_feed_of(t)->dataset.parts_path;
  int ranks = hg_world_size(t->world), groups = ranks / columns;
  hg_parts_index index = {0};
  hg_graph graph = {0};
  hg_halo_rows halo = {0};
  hg_grid_work work = {0};
  int32_t *group_of = NULL;
  bool ok = check_ok(hg_store_read_parts_index(path, -1, &index)) &&
            check_ok(hg_store_read_rows(path, 0, (hg_off)t->facts.n_nodes, &graph)) &&
            check_ok(HG_ALLOC(group_of, graph.nodes.n, "groups")) && check_ok(hg_grid_work_create(&work, &t->model));
  for (int r = 0; ok && r < ranks; r++)
    for (hg_gid i = index.offsets[r]; i < index.offsets[r + 1]; i++) group_of[i] = r / columns;
  if (ok && groups > 1) ok = check_ok(hg_halo_rows_count(&halo, &graph, groups, group_of));
  for (int r = 0; r < ranks; r++) host_of[r] = hg_world_host_of(t->world, r);
  if (ok && groups > 1) ok = check_ok(hg_source_rows_far(sent, received, &index, columns, host_of));
  const hg_grid_hosts hosts = {host_of, sent, received};
  if (ok)
    ok = check_ok(hg_grid_traffic_count(traffic, &work, groups, columns, index.offsets, groups > 1 ? &halo : NULL,
                                        &hosts, sizeof(hg_real)));
  hg_halo_rows_free(&halo);
  hg_grid_work_free(&work);
  hg_free(&group_of);
  hg_parts_index_free(&index);
  hg_graph_free(&graph);
  return ok;
}

static void bytes_are_those_predicted(hg_world *world)
{
  int size = hg_world_size(world), rank = hg_world_rank(world);
  check_ok(hg_world_group_hosts(world, rank > 0));   // hosts of one rank and of the others
  for (int r = 3; r < N_ROWS; r += r == 3 ? 3 : 1) { // a halo of everything, kept columns, ranks without any
    char path[HG_PATH_MAX], what[400];
    const train_graph g = graph_of(&rows[r]);
    check_ok(train_graph_write(world, &g, path));
    for (int columns = 1; columns <= size; columns++) {
      hg_trainer t;
      hg_phases phases;
      hg_grid_traffic expected = {0};
      hg_config config = train_config(path);
      if (size % columns != 0) continue;
      train_configure(&config, rows[r].changes);
      set_grid(&config, columns);
      config.train.active_sets = false;
      config.model.halo.skip_zeros = HG_SKIP_ZEROS_NEVER;
      config.model.halo.compute_first = HG_COMPUTE_FIRST_NEVER;
      describe(what, sizeof what, &rows[r], columns);
      if (!check_ok(hg_trainer_create(&t, world, &config))) continue;
      hg_phases_start(&phases);
      hg_trainer_start(&t, 1);
      const hg_plan plan = hg_schedule_plan(&config, &(hg_schedule_state){0}, 1);
      hg_trainer_step(&t, 1, &plan, NULL, &phases);
      hg_traffic found = hg_model_traffic(&t.model);
      int64_t messages = found.messages_sent;
      hg_sum_int64(world, &messages, 1);
      if (predict(&t, columns, &expected)) {
        check(found.bytes_sent == expected.bytes[rank], "%s: %lld bytes, expected %lld", what,
              (long long)found.bytes_sent, (long long)expected.bytes[rank]);
        check(found.far_bytes == expected.far_bytes[rank], "%s: %lld bytes to other hosts, expected %lld", what,
              (long long)found.far_bytes, (long long)expected.far_bytes[rank]);
        check(messages == expected.total_messages, "%s: %lld messages, expected %lld", what, (long long)messages,
              (long long)expected.total_messages);
      }
      hg_grid_traffic_free(&expected);
      hg_trainer_free(&t);
    }
    train_graph_remove(world, path);
  }
  check_ok(hg_world_group_hosts(world, 0));
}

// what a resumed run had chosen
static void check_goes_on_with(hg_world *world, const hg_config *config, int before)
{
  hg_trainer t;
  hg_config again = *config;
  again.parallel.before = before;
  if (check_ok(hg_trainer_create(&t, world, &again)))
    check(t.facts.columns == before, "%d columns, the run before had %d", t.facts.columns, before);
  hg_trainer_free(&t);
}

// With bytes that cost all the choice is where least cross; where edges do, one column; and a run does as one of parts.
static void auto_chooses(hg_world *world, train_graph g, const char *partition, int expected)
{
  static const hg_column_speeds slow_wire = {.messages = {.bytes_s = {1e3, 1e3}, .ranks_per_host = 9}, .edges = 1000},
                                slow_edges = {.messages = {.bytes_s = {1e12, 1e12}, .ranks_per_host = 1},
                                              .edge_s = {1},
                                              .edges = 1000};
  char path[HG_PATH_MAX];
  double found[EPOCHS], same[EPOCHS];
  hg_dataset d = {0};
  hg_column_speeds here;
  int columns = 0;
  check_ok(train_graph_write(world, &g, path));
  hg_config config = train_config(path);
  train_configure(&config, OPTIONS("model.layers=3", "model.hidden=16", "parallel.mode=auto", partition));
  if (check_ok(hg_dataset_load(&d, world, &config, NULL))) {
    check_ok(hg_columns_choose(world, &config, d.parts_path, &slow_wire, &columns));
    check(columns == expected, "%d columns are chosen on a slow wire, expected %d", columns, expected);
    check_ok(hg_columns_choose(world, &config, d.parts_path, &slow_edges, &columns));
    check(columns == 1, "%d columns are chosen where edges take long, expected 1", columns);
    check_goes_on_with(world, &config, hg_world_size(world));
    check_ok(hg_column_speeds_measure(&here, world, &d.part));
    check(here.edge_s[0] >= 0 && here.edge_s[1] >= 0 && here.edges > 0, "%g and %g s an edge, %g edges", here.edge_s[0],
          here.edge_s[1], here.edges);
    bool several = hg_world_size(world) > 1;
    check((here.messages.latency_s[HG_INSIDE_HOST] > 0) == several &&
              (here.messages.bytes_s[HG_INSIDE_HOST] > 0) == several && here.messages.bytes_s[HG_BETWEEN_HOSTS] == 0,
          "a message takes %g s, and %g bytes cross in a second", here.messages.latency_s[HG_INSIDE_HOST],
          here.messages.bytes_s[HG_INSIDE_HOST]);
  }
  hg_dataset_free(&d);
  train_curve(world, &config, EPOCHS, found);
  config.parallel.mode = HG_PARALLEL_PARTS;
  train_curve(world, &config, EPOCHS, same);
  check_train_curves(found, same, EPOCHS, train_exact ? 1e-9 : 1e-4, "auto");
  train_graph_remove(world, path);
}

// The last part has no neighbours. Where its rank is on a host of its own nothing of parts crosses a slow network, and
// columns do; where every rank is, parts send more than columns.
static void auto_knows_what_stays_in_a_host(hg_world *world)
{
  static const hg_column_speeds speeds = {.messages = {.bytes_s = {1e12, 1e3}}, .edges = 1000};
  char path[HG_PATH_MAX];
  hg_dataset d = {0};
  int rank = hg_world_rank(world), last = hg_world_size(world) - 1;
  train_graph g = train_graph_default();
  g.n = 100 * (last + 1);
  g.connected = 100 * last;
  g.degree = 40;
  check_ok(train_graph_write(world, &g, path));
  hg_config config = train_config(path);
  train_configure(&config, OPTIONS("model.layers=3", "model.hidden=16", "partition.method=block",
                                   "halo.skip_zeros=never", "halo.compute_first=never"));
  if (check_ok(hg_dataset_load(&d, world, &config, NULL)))
    for (int apart = 0; apart < 2; apart++) {
      int columns = 0, expected = apart ? last + 1 : 1;
      check_ok(hg_world_group_hosts(world, apart ? rank : rank == last));
      check_ok(hg_columns_choose(world, &config, d.parts_path, &speeds, &columns));
      check(columns == expected, "%d columns are chosen with the ranks %s, expected %d", columns,
            apart ? "apart" : "but the last one together", expected);
    }
  hg_dataset_free(&d);
  check_ok(hg_world_group_hosts(world, 0));
  train_graph_remove(world, path);
}

// columns where everything is halo, parts where next to nothing is
static void auto_follows_the_halo(hg_world *world)
{
  train_graph g = train_graph_default();
  g.degree = 1;
  g.n = 400;
  auto_chooses(world, g, "partition.method=metis", 1);
  g.n = 90;
  g.degree = 40;
  auto_chooses(world, g, "partition.method=random", hg_world_size(world));
}

// A matrix of small integers turns to columns and back; ranks without rows, and without columns.
static void turn_one(hg_world *group, int width)
{
  hg_lid offsets[8] = {0};
  int size = hg_world_size(group), rank = hg_world_rank(group);
  for (int p = 0; p < size; p++) offsets[p + 1] = offsets[p] + (p % 3 == 1 ? 0 : 5 + 3 * p);
  hg_grid grid = {.columns = size, .place = rank, .group = group, .row_offsets = offsets};
  int first = hg_grid_first_column(width, rank, size), cols = hg_grid_first_column(width, rank + 1, size) - first;
  hg_off n = offsets[rank + 1] - offsets[rank];
  hg_matrix x = {0}, y = {0}, in = {0}, out = {0}, packed = {0}, *all[] = {&x, &y, &in, &out, &packed};
  for (int k = 0; k < 5; k++)
    check_ok(hg_matrix_create(all[k], k == 2 || k == 3 ? offsets[size] : n, k == 2 || k == 3 ? cols : width, "turned"));
  for (hg_off i = 0; i < n; i++)
    for (int c = 0; c < width; c++) x.data[i * width + c] = (hg_real)(100 * (offsets[rank] + i) + c);
  hg_turn *turn = NULL;
  const hg_turn_buffers buffers = {
      .grid = &grid, .width = width, .in = in.data, .out = out.data, .packed = packed.data};
  if (check_ok(hg_turn_create(&turn, &buffers))) {
    hg_turn_to_columns(turn, &x);
    hg_turn_to_rows_begin(turn);
    for (int k = 1; k <= size; k++) {
      int p = (rank + k) % size;
      for (hg_off e = (hg_off)offsets[p] * cols; e < (hg_off)offsets[p + 1] * cols; e++) {
        hg_off i = e / cols;
        check(in.data[e] == (hg_real)(100 * i + first + e % cols), "row %d, column %d of %d", (int)i, (int)(e % cols),
              cols);
        out.data[e] = 2 * in.data[e];
      }
      hg_turn_to_rows_send(turn, p);
      hg_turn_progress(turn);
    }
    hg_turn_to_rows_end(turn, &y);
    for (hg_off e = 0; e < n * width; e++) check(y.data[e] == 2 * x.data[e], "number %d of %d columns", (int)e, width);
  }
  hg_turn_free(&turn);
  for (int k = 0; k < 5; k++) hg_matrix_free(all[k]);
}

static void rows_become_columns_and_rows_again(hg_world *world)
{
  for (int width = 0; width <= 17; width += 1 + width / 3) turn_one(world, width);
}

static void messages_too_long_are_refused(hg_world *world)
{
  enum { MANY = 1 << 30 };
  hg_lid offsets[8] = {0};
  int size = hg_world_size(world);
  hg_turn *turn = NULL;
  offsets[size] = MANY; // all of the last rank, whose messages are too long then
  hg_grid grid = {.columns = size, .place = hg_world_rank(world), .group = world, .row_offsets = offsets};
  hg_status rc = hg_turn_create(&turn, &(hg_turn_buffers){.grid = &grid, .width = 8 * size});
  check(rc == (size > 1 ? HG_ERR_INPUT : HG_OK), "code %d", (int)rc);
  if (size > 1) check(strstr(hg_error_text(), "would have 8589934592 numbers") != NULL, "%s", hg_error_text());
  hg_turn_free(&turn);
}

// what fails on one rank of one group is known to the ranks of all
static void groups_agree_together(hg_world *world)
{
  hg_world *half = NULL;
  int rank = hg_world_rank(world), last = hg_world_size(world) - 1;
  if (!check_ok(hg_world_split(&half, world, rank % 2, rank / 2))) return;
  check(hg_world_rank(half) == rank / 2, "rank %d is %d of its half", rank, hg_world_rank(half));
  check(hg_agree(half, HG_OK, "splitting") == HG_OK, "an agreement fails");
  check_ok(hg_world_same(half, rank % 2, "the half"));
  hg_status rc = rank == last ? hg_fail(HG_ERR_MEMORY, "no memory") : HG_OK;
  rc = hg_agree(half, rc, "working");
  char expected[64] = "no memory";
  if (last > 0) snprintf(expected, sizeof expected, "rank %d, working: no memory", last);
  check(rc == HG_ERR_MEMORY, "code %d", (int)rc);
  check(strcmp(hg_error_text(), expected) == 0, "message: %s", hg_error_text());
  hg_world_split_free(&half);
}

const mpi_case slabs_cases[] = {
    {"slabs/rows_become_columns_and_rows_again", rows_become_columns_and_rows_again, "1 2 4 7"},
    {"slabs/auto_follows_the_halo", auto_follows_the_halo, "1 4 7"},
    {"slabs/auto_knows_what_stays_in_a_host", auto_knows_what_stays_in_a_host, "4"},
    {"slabs/bytes_are_those_predicted", bytes_are_those_predicted, "4"},
    {"slabs/every_grid_follows_one_rank", every_grid_follows_one_rank, "1 2 3 4 6 7"},
    {"slabs/repetitions_and_threads_change_no_bit", repetitions_and_threads_change_no_bit, "2 4"},
    {"slabs/memory_is_as_planned", memory_is_as_planned, "4"},
    {0},
};

// their world is of no use afterwards
const mpi_case slabs_failing_cases[] = {
    {"slabs_failing/groups_agree_together", groups_agree_together, "1 2 4 7"},
    {"slabs_failing/messages_too_long_are_refused", messages_too_long_are_refused, "1 3"},
    {0},
};
