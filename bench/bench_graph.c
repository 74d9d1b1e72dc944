#include <string.h>

#include "bench/bench.h"
#include "core/base/rng.h"
#include "core/graph/store.h"
#include "partition/cache.h"
#include "partition/parts.h"
#include "runtime/config/config.h"

enum { NODES = 169343, MEAN_DEGREE = 14 }; // ogbn-arxiv, symmetrised

static hg_status read_graph(const char *path, hg_csr *adjacency)
{
  hg_graph graph;
  hg_status rc = hg_store_read_graph(path, &graph);
  if (rc != HG_OK) return rc;
  *adjacency = graph.adjacency;
  memset(&graph.adjacency, 0, sizeof graph.adjacency);
  hg_graph_free(&graph);
  return HG_OK;
}

// Geometric degrees: many small ones, a few of some hundred. Neighbours are anywhere: the order of nodes helps nobody.
static hg_off degree(hg_rng rng, hg_off i)
{
  hg_off d = 0;
  while (hg_rng_uniform(rng, (uint64_t)i, (uint32_t)d) < (double)MEAN_DEGREE / (MEAN_DEGREE + 1)) d++;
  return d;
}

hg_status hg_bench_graph(const hg_bench_options *options, hg_csr *adjacency)
{
  hg_status rc = HG_OK;
  hg_rng degrees = {1, HG_STREAM_GENERATE}, neighbours = {2, HG_STREAM_GENERATE};
  memset(adjacency, 0, sizeof *adjacency);
  if (options->graph) return read_graph(options->graph, adjacency);
  hg_off entries = 0;
  for (hg_off i = 0; i < NODES; i++) entries += degree(degrees, i);
  HG_TRY(hg_csr_create(adjacency, NODES, NODES, entries, false, "graph of the benchmark"));
  for (hg_off i = 0; i < NODES; i++) adjacency->indptr[i + 1] = adjacency->indptr[i] + degree(degrees, i);
  for (hg_off e = 0; e < entries; e++) adjacency->indices[e] = (hg_lid)hg_rng_below(neighbours, (uint64_t)e, 0, NODES);
done:
  return rc;
}

// from the one part that training on one rank makes of the graph file and keeps beside it
static hg_status read_in_training_order(const char *graph, hg_csr *adjacency)
{
  hg_partition_options options = hg_partition_options_default();
  hg_part part = {0};
  char path[HG_PATH_MAX];
  hg_status rc = HG_OK;
  HG_TRY(hg_parts_cache_path(graph, 1, &options, path, sizeof path));
  if (!hg_parts_cache_valid(path, graph, 1, &options)) HG_TRY(hg_partition_file(graph, 1, &options, path));
  HG_TRY(hg_part_read(&part, path, 0));
  *adjacency = part.a;
  memset(&part.a, 0, sizeof part.a);
done:
  hg_part_free(&part);
  return rc;
}

static bool same_entries(const hg_csr *a, const hg_csr *b)
{
  size_t n = (size_t)a->n_rows, entries = (size_t)hg_csr_entries(a);
  return a->n_rows == b->n_rows && memcmp(a->indptr, b->indptr, (n + 1) * sizeof *a->indptr) == 0 &&
         memcmp(a->indices, b->indices, entries * sizeof *a->indices) == 0;
}

hg_status hg_bench_graphs_create(hg_bench_graphs *graphs, const hg_bench_options *options)
{
  hg_csr *file = &graphs->adjacency[HG_BENCH_FILE_ORDER], *training = &graphs->adjacency[HG_BENCH_TRAINING_ORDER];
  hg_status rc = HG_OK;
  memset(graphs, 0, sizeof *graphs);
  HG_TRY(hg_bench_graph(options, file));
  graphs->n_orders = 1;
  if (!options->graph) return HG_OK;
  HG_TRY(read_in_training_order(options->graph, training));
  if (!same_entries(file, training)) graphs->n_orders = 2;
done:
  if (rc != HG_OK) hg_bench_graphs_free(graphs);
  return rc;
}

void hg_bench_graphs_free(hg_bench_graphs *graphs)
{
  for (int order = 0; order < 2; order++) hg_csr_free(&graphs->adjacency[order]);
}
