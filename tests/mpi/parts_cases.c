// Exchanges over the parts that every partitioner makes of real graphs, against the whole graph on each rank.
#include <inttypes.h>
#include <string.h>

#include "comm/exchange.h"
#include "comm/reduce.h"
#include "core/base/alloc.h"
#include "core/base/rng.h"
#include "core/graph/csr_build.h"
#include "partition/parts.h"
#include "tests/support/mpi_case.h"

enum { NODES = 300, WIDTH = 3 };

typedef enum { GRAPH_RANDOM, GRAPH_PATH, GRAPH_STAR, GRAPH_TWO_HALVES, GRAPH_NO_EDGES, GRAPHS } shape;
static const char *const shape_names[GRAPHS] = {"random", "path", "star", "two halves", "no edges"};

typedef struct {
  hg_graph whole; // in the order of the parts
  hg_parts_index index;
  hg_part part;
  hg_links links;
} fixture;

static hg_gid random_neighbour(hg_gid i, uint32_t k, hg_gid n)
{
  return (hg_gid)hg_rng_below((hg_rng){17, HG_STREAM_TEST}, (uint64_t)i, k, (uint64_t)n);
}

static hg_status each_edge(void *source, hg_status (*edge)(void *context, hg_gid from, hg_gid to), void *context)
{
  hg_status rc = HG_OK;
  shape kind = *(const shape *)source;
  for (hg_gid i = 0; i < NODES; i++) {
    hg_gid half = NODES / 2, base = i < half ? 0 : half;
    if (kind == GRAPH_PATH && i > 0) HG_TRY(edge(context, i - 1, i));
    if (kind == GRAPH_STAR) HG_TRY(edge(context, 0, i));
    for (uint32_t k = 0; k < 3 && kind == GRAPH_RANDOM; k++) HG_TRY(edge(context, random_neighbour(i, k, NODES), i));
    if (kind == GRAPH_TWO_HALVES) HG_TRY(edge(context, base + random_neighbour(i, 0, half), i));
  }
done:
  return rc;
}

static hg_status build(fixture *f, shape kind, int n_parts, int rank, const char *method)
{
  hg_status rc = HG_OK;
  hg_graph graph = {.nodes.n = NODES, .symmetric = true};
  hg_build_counts counts;
  hg_partition_options options = hg_partition_options_default();
  int32_t *part_of = NULL;
  hg_lid *order = NULL;
  options.method = method;
  HG_TRY(hg_csr_build(&graph.adjacency, NODES, each_edge, &kind, true, &counts));
  HG_TRY(HG_ALLOC(graph.nodes.original_ids, NODES, "ids"));
  for (hg_gid i = 0; i < NODES; i++) graph.nodes.original_ids[i] = i;
  HG_TRY(HG_ALLOC(part_of, NODES, "parts"));
  HG_TRY(HG_ALLOC(order, NODES, "order"));
  if (method) {
    HG_TRY(hg_partition_graph(&graph, n_parts, &options, part_of));
  } else { // all in the last part: the others are empty
    for (int i = 0; i < NODES; i++) part_of[i] = n_parts - 1;
  }
  HG_TRY(hg_parts_build(&graph, n_parts, part_of, order, &f->index));
  HG_TRY(hg_graph_permute(&f->whole, &graph, order));
  HG_TRY(hg_part_extract(&f->part, &f->whole, &f->index, rank));
  HG_TRY(hg_part_check(&f->part));
done:
  hg_graph_free(&graph);
  hg_free(&part_of);
  hg_free(&order);
  return rc;
}

static void end(fixture *f)
{
  hg_links_free(&f->links);
  hg_part_free(&f->part);
  hg_parts_index_free(&f->index);
  hg_graph_free(&f->whole);
}

static hg_real value(hg_gid id, int column) { return (hg_real)((id * 13 + column * 5) % 101 - 50); }

// y[row] = sum over the row's columns j of value(id of j), which is exact: the values are small integers.
static hg_real aggregate(const hg_csr *a, hg_off row, int column)
{
  hg_real sum = 0;
  for (hg_off e = a->indptr[row]; e < a->indptr[row + 1]; e++) sum += value(a->indices[e], column);
  return sum;
}

static void check_aggregates(const fixture *f, const hg_matrix *x, const char *what)
{
  const hg_csr *a = &f->part.a;
  for (hg_lid i = 0; i < f->part.n_owned; i++)
    for (int c = 0; c < WIDTH; c++) {
      hg_real found = 0, expected = aggregate(&f->whole.adjacency, f->part.first + i, c);
      for (hg_off e = a->indptr[i]; e < a->indptr[i + 1]; e++) found += x->data[(hg_off)a->indices[e] * WIDTH + c];
      check(found == expected, "%s: node %d of the part: %g, on the whole graph %g", what, i, (double)found,
            (double)expected);
    }
}

static void compare_with_whole_graph(hg_world *world, fixture *f, const char *what)
{
  hg_matrix x = {0};
  hg_exchange *fill = NULL;
  check_ok(hg_links_create(&f->links, world, &f->part));
  check_ok(hg_matrix_create(&x, (hg_off)f->part.n_owned + f->part.n_halo, WIDTH, "x"));
  check_ok(hg_exchange_create(&fill, world, &f->links, HG_FILL_HALO, &x, 0));
  for (hg_lid i = 0; i < f->part.n_owned; i++)
    for (int c = 0; c < WIDTH; c++) x.data[(hg_off)i * WIDTH + c] = value(f->part.first + i, c);
  hg_exchange_begin(fill);
  hg_exchange_end(fill);
  check_aggregates(f, &x, what);
  int64_t bytes = hg_exchange_traffic(fill).bytes_sent;
  hg_sum_int64(world, &bytes, 1);
  int64_t halo = f->index.halo_offsets[f->part.n_parts];
  check(bytes == halo * WIDTH * (int64_t)sizeof(hg_real), "%s: %" PRId64 " bytes were sent for %" PRId64 " halo nodes",
        what, bytes, halo);
  hg_exchange_free(&fill);
  hg_matrix_free(&x);
}

static void run(hg_world *world, const char *method)
{
  for (int kind = 0; kind < GRAPHS; kind++) {
    fixture f = {0};
    hg_status rc = build(&f, (shape)kind, hg_world_size(world), hg_world_rank(world), method);
    if (check(rc == HG_OK, "%s, %s: %s", method ? method : "empty parts", shape_names[kind], hg_error_text()))
      compare_with_whole_graph(world, &f, shape_names[kind]);
    end(&f);
  }
}

static void every_partitioner_gives_the_whole_graph(hg_world *world)
{
  for (const hg_partitioner *p = hg_partitioners; p->name; p++) run(world, p->name);
}

static void empty_parts_give_the_whole_graph(hg_world *world) { run(world, NULL); }

const mpi_case parts_cases[] = {
    {"parts/every_partitioner_gives_the_whole_graph", every_partitioner_gives_the_whole_graph, "1 2 3 4 7"},
    {"parts/empty_parts_give_the_whole_graph", empty_parts_give_the_whole_graph, "1 2 3 7"},
    {0},
};
