// Parts made of slices, against the same nodes cut out of the whole graph.
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "comm/reduce.h"
#include "comm/slice_parts.h"
#include "comm/slices.h"
#include "core/base/alloc.h"
#include "core/base/rng.h"
#include "core/graph/csr_build.h"
#include "partition/cache.h"
#include "partition/parts.h"
#include "partition/quality.h"
#include "runtime/config/config.h"
#include "tests/mpi/train_graph.h"
#include "tests/mpi/train_runs.h"
#include "tests/support/mpi_case.h"

static bool is_chief(hg_world *world) { return hg_world_rank(world) == 0; }

static bool same(const void *a, const void *b, hg_off count, size_t bytes)
{
  if (!a || !b) return a == b;
  return count == 0 || memcmp(a, b, (size_t)count * bytes) == 0;
}

static void check_same_nodes(const hg_nodes *a, const hg_nodes *b, const char *what)
{
  const hg_features *x = &a->features, *y = &b->features;
  hg_off n = a->n, classes = a->n_classes;
  if (!check(n == b->n && classes == b->n_classes && a->task == b->task && x->width == y->width, "%s: nodes", what))
    return;
  check(same(x->dense, y->dense, n * x->width, sizeof *x->dense), "%s: features", what);
  check(same(x->indptr, y->indptr, n + 1, sizeof *x->indptr), "%s: feature pointers", what);
  hg_off entries = x->indptr ? x->indptr[n] : 0;
  check(same(x->indices, y->indices, entries, sizeof *x->indices), "%s: feature indices", what);
  check(same(x->values, y->values, entries, sizeof *x->values), "%s: feature values", what);
  check(same(a->labels, b->labels, n, sizeof *a->labels), "%s: labels", what);
  check(same(a->label_bits, b->label_bits, n * hg_label_bytes(a->n_classes), 1), "%s: label bits", what);
  check(same(a->targets, b->targets, n * classes, sizeof *a->targets), "%s: targets", what);
  check(same(a->split, b->split, n, 1), "%s: split", what);
  check(same(a->positions, b->positions, n * a->n_dims, sizeof *a->positions), "%s: positions", what);
  check(same(a->original_ids, b->original_ids, n, sizeof *a->original_ids), "%s: ids", what);
}

// All parts of two files, but for what is counted of the whole alone
static void check_same_parts(const char *found, const char *expected, int k, const char *what)
{
  for (int p = 0; p < k; p++) {
    hg_part a = {0}, b = {0};
    if (check_ok(hg_part_read(&a, found, p)) && check_ok(hg_part_read(&b, expected, p))) {
      check_ok(hg_part_check(&a));
      bool sizes = a.n_owned == b.n_owned && a.n_interior == b.n_interior && a.n_halo == b.n_halo &&
                   a.first == b.first && a.m_global == b.m_global && hg_csr_entries(&a.a) == hg_csr_entries(&b.a);
      if (check(sizes, "%s: part %d: %d, %d and %d nodes, expected %d, %d and %d", what, p, a.n_owned, a.n_interior,
                a.n_halo, b.n_owned, b.n_interior, b.n_halo)) {
        check(same(a.a.indptr, b.a.indptr, a.n_owned + 1, sizeof *a.a.indptr), "%s: part %d: rows", what, p);
        check(same(a.a.indices, b.a.indices, hg_csr_entries(&a.a), sizeof *a.a.indices), "%s: part %d: edges", what, p);
        check(same(a.halo_ids, b.halo_ids, a.n_halo, sizeof *a.halo_ids), "%s: part %d: halo", what, p);
        check_same_nodes(&a.nodes, &b.nodes, what);
      }
    }
    hg_part_free(&a);
    hg_part_free(&b);
  }
}

// The file that one process makes of such parts
static hg_status write_whole(const char *graph_path, int k, const int32_t *part_of, const char *path)
{
  hg_status rc = HG_OK;
  hg_graph graph = {0};
  hg_parts_index index = {0};
  hg_lid *order = NULL;
  HG_TRY(hg_store_read_graph(graph_path, &graph));
  HG_TRY(HG_ALLOC(order, graph.nodes.n, "order"));
  HG_TRY(hg_parts_build(&graph, k, part_of, order, &index));
  HG_TRY(hg_graph_reorder(&graph, order));
  HG_TRY(hg_store_write_parts(path, &graph, &index, "test"));
done:
  hg_free(&order);
  hg_graph_free(&graph);
  hg_parts_index_free(&index);
  return rc;
}

// Which part has which node of a file of train_graph, whose original ids are 1000 + 3 i
static hg_status read_assignment(const char *path, int k, int32_t *part_of)
{
  hg_status rc = HG_OK;
  hg_part part = {0};
  for (int p = 0; p < k; p++) {
    HG_TRY(hg_part_read(&part, path, p));
    for (hg_lid i = 0; i < part.n_owned; i++) part_of[(part.nodes.original_ids[i] - 1000) / 3] = p;
    hg_part_free(&part);
  }
done:
  hg_part_free(&part);
  return rc;
}

static void path_beside(const char *graph, const char *name, char path[HG_PATH_MAX])
{
  snprintf(path, HG_PATH_MAX, "%.*s/%s", (int)(strrchr(graph, '/') - graph), graph, name);
}

static void remove_files(hg_world *world, const char *a, const char *b, const char *graph)
{
  hg_barrier(world);
  if (is_chief(world)) {
    unlink(a);
    unlink(b);
  }
  train_graph_remove(world, graph);
}

// A node's part by a coin of its own; the last of several parts stays empty.
static int32_t drawn_part(hg_gid i, int k)
{
  hg_rng rng = {23, HG_STREAM_TEST};
  return (int32_t)hg_rng_below(rng, (uint64_t)i, 0, (uint64_t)(k > 2 ? k - 1 : k));
}

static void cut_and_compare(hg_world *world, const train_graph *what, int k, const char *name)
{
  char graph[HG_PATH_MAX], found[HG_PATH_MAX], expected[HG_PATH_MAX];
  hg_slice slice = {0};
  hg_slice_parts parts = {0};
  hg_store_header header = {0};
  int32_t *part_of = NULL;
  if (!check_ok(train_graph_write(world, what, graph))) return;
  path_beside(graph, "found.hg", found);
  path_beside(graph, "expected.hg", expected);
  check_ok(hg_store_read_header(graph, &header));
  check_ok(HG_ALLOC(part_of, what->n, "parts"));
  for (hg_gid i = 0; i < what->n; i++) part_of[i] = drawn_part(i, k);
  if (is_chief(world)) check_ok(write_whole(graph, k, part_of, expected));
  check_ok(hg_slice_read(&slice, world, graph));
  check_ok(hg_slice_parts_cut(&parts, &slice, k, part_of + slice.first[hg_world_rank(world)]));
  check_ok(hg_slice_parts_load(&parts, &slice, graph));
  check_ok(hg_slice_parts_write(&parts, &header, found, "test"));
  if (is_chief(world)) check_same_parts(found, expected, k, name);
  hg_free(&part_of);
  hg_slice_free(&slice);
  hg_slice_parts_free(&parts);
  remove_files(world, found, expected, graph);
}

static const hg_task tasks[] = {HG_TASK_CLASSES, HG_TASK_MULTILABEL, HG_TASK_REGRESSION, HG_TASK_NONE};
enum { N_TASKS = sizeof tasks / sizeof *tasks };

static void cuts_as_one_process_does(hg_world *world)
{
  const int counts[] = {1, 2, 5, 9};
  for (int t = 0; t < N_TASKS; t++) {
    char name[64];
    train_graph g = train_graph_default();
    g.task = tasks[t];
    g.sparse_features = t % 2 == 1;
    g.directed = t >= 2;
    g.n_dims = t == 1 ? 2 : 0;
    g.seed = 40 + (uint64_t)t;
    snprintf(name, sizeof name, "task %d in %d parts", t, counts[t]);
    cut_and_compare(world, &g, counts[t], name);
  }
}

// Fewer nodes than ranks: slices and parts without nodes
static void cuts_graphs_of_few_nodes(hg_world *world)
{
  for (hg_off n = 1; n <= 5; n += 2) {
    char name[64];
    train_graph g = train_graph_default();
    g.n = n;
    g.degree = n > 1 ? 2 : 0; // one node alone: no edges
    snprintf(name, sizeof name, "%" PRId64 " nodes", n);
    cut_and_compare(world, &g, 3, name);
  }
}

static hg_partition_options sliced(const char *method)
{
  hg_partition_options options = hg_partition_options_default();
  options.method = method;
  return options;
}

// The figures of the file are those of the parts; no part is empty; a second time gives the same parts.
static void check_partition(hg_world *world, const train_graph *g, int k, const hg_partition_options *options)
{
  char graph[HG_PATH_MAX], found[HG_PATH_MAX], expected[HG_PATH_MAX], again[HG_PATH_MAX];
  int32_t *part_of = NULL;
  hg_parts_index index = {0};
  if (!check_ok(train_graph_write(world, g, graph))) return;
  path_beside(graph, "found.hg", found);
  path_beside(graph, "expected.hg", expected);
  path_beside(graph, "again.hg", again);
  check_ok(hg_slices_partition_file(world, graph, k, options, found));
  check_ok(hg_slices_partition_file(world, graph, k, options, again));
  check_ok(HG_ALLOC(part_of, g->n, "parts"));
  if (is_chief(world)) {
    check_ok(read_assignment(found, k, part_of));
    check_ok(write_whole(graph, k, part_of, expected));
    check_same_parts(found, expected, k, "sliced");
    check_same_parts(again, found, k, "sliced again");
    check(hg_parts_cache_valid(found, graph, k, options), "the file is not what was asked for");
    check_ok(hg_store_read_parts_index(found, -1, &index));
    for (int p = 0; p < k; p++) check(index.offsets[p + 1] > index.offsets[p], "part %d of %d is empty", p, k);
    unlink(again);
  }
  hg_parts_index_free(&index);
  hg_free(&part_of);
  remove_files(world, found, expected, graph);
}

static void partitions_as_one_process_cuts(hg_world *world, const char *method)
{
  hg_partition_options options = sliced(method);
  train_graph g = train_graph_default();
  g.n = 400;
  check_partition(world, &g, hg_world_size(world), &options);
  check_partition(world, &g, 6, &options);
  g.directed = true;
  options.balance = HG_BALANCE_EDGES;
  check_partition(world, &g, 4, &options);
  g.n = 5; // some ranks have nothing at all
  check_partition(world, &g, 5, &options);
  g.degree = 0;
  check_partition(world, &g, 3, &options);
}

static void ptscotch_cuts_as_one_process(hg_world *world) { partitions_as_one_process_cuts(world, "ptscotch"); }
static void ldg_cuts_as_one_process(hg_world *world) { partitions_as_one_process_cuts(world, "ldg_slices"); }

static hg_off rows_between(const hg_csr *a, const bool *there)
{
  hg_off count = 0;
  for (hg_off i = 0; i < a->n_rows; i++)
    for (hg_off e = a->indptr[i]; e < a->indptr[i + 1]; e++) count += there[i * a->n_cols + a->indices[e]];
  return count;
}

// Each edge and its reverse, once; rows ascending.
static void adds_reverses(hg_world *world)
{
  char path[HG_PATH_MAX];
  hg_graph graph = {0};
  hg_slice slice = {0}, both = {0};
  bool *there = NULL;
  train_graph g = train_graph_default();
  g.directed = true;
  if (!check_ok(train_graph_write(world, &g, path))) return;
  check_ok(hg_store_read_graph(path, &graph));
  check_ok(hg_slice_read(&slice, world, path));
  check_ok(hg_slice_symmetrise(&slice, &both));
  check_ok(HG_ALLOC(there, g.n * g.n, "matrix"));
  const hg_csr *a = &graph.adjacency;
  for (hg_off i = 0; i < g.n; i++)
    for (hg_off e = a->indptr[i]; e < a->indptr[i + 1]; e++)
      there[i * g.n + a->indices[e]] = there[a->indices[e] * g.n + i] = true;
  hg_gid first = slice.first[hg_world_rank(world)];
  hg_off n = hg_slice_n(&both), expected = 0, found = both.a.indptr[n];
  for (hg_off e = first * g.n; e < (first + n) * g.n; e++) expected += there[e];
  check(found == expected && rows_between(&both.a, there + first * g.n) == found,
        "%" PRId64 " edges and reverses, expected %" PRId64, found, expected);
  for (hg_off i = 0; i < n; i++)
    for (hg_off e = both.a.indptr[i] + 1; e < both.a.indptr[i + 1]; e++)
      check(both.a.indices[e] > both.a.indices[e - 1], "row %" PRId64 " is not ascending", first + i);
  hg_free(&there);
  hg_graph_free(&graph);
  hg_slice_free(&slice);
  hg_slice_free(&both);
  train_graph_remove(world, path);
}

static void training_follows_one_rank(hg_world *world)
{
  enum { EPOCHS = 20 };
  char path[HG_PATH_MAX];
  double expected[EPOCHS], found[EPOCHS];
  hg_world *self = NULL;
  train_graph g = train_graph_default();
  if (!check_ok(train_graph_write(world, &g, path))) return;
  hg_config config = train_config(path);
  check_ok(hg_world_self_create(&self, world));
  if (is_chief(world)) train_curve(self, &config, EPOCHS, expected);
  hg_broadcast(world, expected, sizeof expected, 0);
  for (int time = 0; time < 4; time++) { // made, and then found in the cache
    train_configure(&config, time < 2 ? OPTIONS("partition.method=ptscotch") : OPTIONS("partition.method=ldg_slices"));
    train_curve(world, &config, EPOCHS, found);
    check_train_curves(found, expected, EPOCHS, train_exact ? 1e-9 : 1e-4, "ptscotch");
  }
  hg_world_self_free(&self);
  train_graph_remove(world, path);
}

static void refuse(hg_world *world, hg_partition_options options, int k, const char *text)
{
  char path[HG_PATH_MAX], parts[HG_PATH_MAX];
  train_graph g = train_graph_default();
  if (!check_ok(train_graph_write(world, &g, path))) return;
  path_beside(path, "parts.hg", parts);
  hg_status rc = hg_slices_partition_file(world, path, k, &options, parts);
  check(rc == HG_ERR_INPUT && strstr(hg_error_text(), text), "found %d, '%s', expected '%s'", rc, hg_error_text(),
        text);
  check(access(parts, F_OK) != 0, "a file was written");
  train_graph_remove(world, path);
}

static void refuses_two_balances(hg_world *world)
{
  hg_partition_options options = sliced("ptscotch");
  options.balance = HG_BALANCE_NODES | HG_BALANCE_EDGES;
  refuse(world, options, 2, "balances nodes or edges, one of them");
}

static void refuses_hosts(hg_world *world)
{
  hg_partition_options options = sliced("ptscotch");
  options.hosts = 2;
  refuse(world, options, 2, "makes one level of parts, found 2 hosts");
}

static void refuses_more_parts_than_nodes(hg_world *world)
{
  refuse(world, sliced("ptscotch"), 91, "91 parts asked for, but the graph has only 90 nodes");
}

enum { RING = 100, REACH = 4 };

// Two rings: nodes of the first see 4 neighbours on both sides, those of the second on one side.
static hg_status each_of_rings(void *source, hg_status (*edge)(void *context, hg_gid from, hg_gid to), void *context)
{
  (void)source;
  hg_status rc = HG_OK;
  for (int i = 0; i < 2 * RING; i++)
    for (int d = i < RING ? -REACH : 1; d <= REACH && rc == HG_OK; d++)
      if (d != 0) rc = edge(context, i / RING * RING + (i + d + RING) % RING, i);
  return rc;
}

static hg_status write_rings(const void *what, const char *path)
{
  const char *directed = what;
  hg_graph graph = {0};
  hg_status rc = hg_store_read_graph(directed, &graph);
  hg_csr_free(&graph.adjacency);
  if (rc == HG_OK) rc = hg_csr_build(&graph.adjacency, 2 * RING, each_of_rings, NULL, false, NULL);
  if (rc == HG_OK) rc = hg_store_write_graph(path, &graph, "test");
  hg_graph_free(&graph);
  return rc;
}

// With reverses all nodes have 8 neighbours, and the rings would be the parts.
static void ptscotch_balances_edges_as_they_are(hg_world *world)
{
  char directed[HG_PATH_MAX], path[HG_PATH_MAX], parts[HG_PATH_MAX];
  hg_parts_index index = {0};
  hg_quality quality = {0};
  train_graph g = train_graph_default();
  hg_partition_options options = sliced("ptscotch");
  g.directed = true;
  g.n = 2 * RING;
  options.balance = HG_BALANCE_EDGES;
  if (!check_ok(train_graph_write(world, &g, directed))) return;
  if (!check_ok(train_file_write(world, write_rings, directed, path))) return;
  train_graph_remove(world, directed);
  path_beside(path, "parts.hg", parts);
  check_ok(hg_slices_partition_file(world, path, 2, &options, parts));
  if (is_chief(world)) {
    check_ok(hg_store_read_parts_index(parts, 0, &index));
    check_ok(hg_quality_parse(index.quality_json, &quality));
    check(quality.edge_imbalance < 1.15, "largest / mean part: %g of edges", quality.edge_imbalance);
    unlink(parts);
  }
  hg_parts_index_free(&index);
  train_graph_remove(world, path);
}

// A file whose mark is wrong, without reading it whole
static hg_status write_lopsided(const void *what, const char *path)
{
  const char *directed = what;
  hg_graph graph = {0};
  hg_status rc = hg_store_read_graph(directed, &graph);
  graph.symmetric = true;
  if (rc == HG_OK) rc = hg_store_write_graph(path, &graph, "test");
  hg_graph_free(&graph);
  return rc;
}

static void refuses_a_graph_that_is_marked_symmetric_and_is_not(hg_world *world)
{
  char directed[HG_PATH_MAX], path[HG_PATH_MAX], parts[HG_PATH_MAX];
  train_graph g = train_graph_default();
  hg_partition_options options = sliced("ptscotch");
  g.directed = true;
  if (!check_ok(train_graph_write(world, &g, directed))) return;
  if (!check_ok(train_file_write(world, write_lopsided, directed, path))) return;
  train_graph_remove(world, directed);
  path_beside(path, "parts.hg", parts);
  hg_status rc = hg_slices_partition_file(world, path, 2, &options, parts);
  check(rc == HG_ERR_INPUT && strstr(hg_error_text(), "marked symmetric"), "found %d, '%s'", rc, hg_error_text());
  train_graph_remove(world, path);
}

const mpi_case slices_cases[] = {
    {"slices/cuts_as_one_process_does", cuts_as_one_process_does, "1 2 3 4 7"},
    {"slices/cuts_graphs_of_few_nodes", cuts_graphs_of_few_nodes, "1 2 3 4 7"},
    {"slices/ptscotch_cuts_as_one_process", ptscotch_cuts_as_one_process, "1 2 3 4 7"},
    {"slices/ptscotch_balances_edges_as_they_are", ptscotch_balances_edges_as_they_are, "1 2 3"},
    {"slices/ldg_cuts_as_one_process", ldg_cuts_as_one_process, "1 2 3 4 7"},
    {"slices/adds_reverses", adds_reverses, "1 2 3 4 7"},
    {"slices/training_follows_one_rank", training_follows_one_rank, "2 3 4 7"},
    {"slices/refuses_two_balances", refuses_two_balances, "! 2"},
    {"slices/refuses_hosts", refuses_hosts, "! 2"},
    {"slices/refuses_more_parts_than_nodes", refuses_more_parts_than_nodes, "! 1 3"},
    {"slices/refuses_a_graph_that_is_marked_symmetric_and_is_not", refuses_a_graph_that_is_marked_symmetric_and_is_not,
     "! 3"},
    {0},
};
