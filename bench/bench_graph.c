#include <string.h>

#include "bench/bench.h"
#include "core/base/rng.h"
#include "core/graph/store.h"

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
