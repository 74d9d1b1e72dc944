#include "tests/unit/partition/graphs.h"

#include <criterion/criterion.h>
#include <math.h>

#include "core/base/alloc.h"
#include "core/base/rng.h"

const char *const graph_kind_names[GRAPH_KINDS] = {"directed", "symmetric", "pieces", "isolated",
                                                   "star",     "complete",  "empty",  "grid"};

static bool joined(graph_kind kind, hg_lid n, uint64_t seed, hg_lid j, hg_lid i)
{
  hg_lid low = i < j ? i : j, high = i < j ? j : i, side = (hg_lid)sqrt((double)n);
  double draw = hg_rng_uniform((hg_rng){seed, HG_STREAM_TEST}, (uint64_t)low * (uint64_t)n + (uint64_t)high, 0);
  bool near = draw < 4.0 / n;
  switch (kind) {
  case GRAPH_DIRECTED:
    return hg_rng_uniform((hg_rng){seed, HG_STREAM_TEST}, (uint64_t)j * (uint64_t)n + (uint64_t)i, 1) < 4.0 / n;
  case GRAPH_SYMMETRIC:
    return near;
  case GRAPH_PIECES:
    return near && (low < n / 2) == (high < n / 2);
  case GRAPH_ISOLATED:
    return near && low % 3 && high % 3;
  case GRAPH_STAR:
    return low == 0;
  case GRAPH_COMPLETE:
    return true;
  case GRAPH_GRID:
    return high - low == side || (high - low == 1 && high % side);
  default:
    return false;
  }
}

static void make_nodes(hg_nodes *nodes, hg_lid n, uint64_t seed)
{
  hg_rng rng = {seed, HG_STREAM_TEST};
  nodes->n = n;
  nodes->features.width = 2;
  nodes->task = HG_TASK_CLASSES;
  nodes->n_classes = 3;
  cr_assert_eq(HG_ALLOC(nodes->features.dense, 2 * n, "features"), HG_OK);
  cr_assert_eq(HG_ALLOC(nodes->labels, n, "labels"), HG_OK);
  cr_assert_eq(HG_ALLOC(nodes->split, n, "split"), HG_OK);
  cr_assert_eq(HG_ALLOC(nodes->original_ids, n, "ids"), HG_OK);
  for (hg_lid i = 0; i < n; i++) {
    nodes->features.dense[2 * i] = (float)i;
    nodes->features.dense[2 * i + 1] = (float)hg_rng_uniform(rng, (uint64_t)i, 2);
    nodes->labels[i] = (int32_t)hg_rng_below(rng, (uint64_t)i, 3, 3);
    nodes->split[i] = (uint8_t)hg_rng_below(rng, (uint64_t)i, 4, HG_SPLIT_COUNT);
    nodes->original_ids[i] = 1000 + i;
  }
}

void make_graph(hg_graph *graph, graph_kind kind, hg_lid n, uint64_t seed)
{
  hg_off entries = 0;
  *graph = (hg_graph){.symmetric = kind != GRAPH_DIRECTED};
  for (hg_lid i = 0; i < n; i++)
    for (hg_lid j = 0; j < n; j++) entries += i != j && joined(kind, n, seed, j, i);
  cr_assert_eq(hg_csr_create(&graph->adjacency, n, n, entries, false, "adjacency"), HG_OK);
  entries = 0;
  for (hg_lid i = 0; i < n; i++) {
    for (hg_lid j = 0; j < n; j++)
      if (i != j && joined(kind, n, seed, j, i)) graph->adjacency.indices[entries++] = j;
    graph->adjacency.indptr[i + 1] = entries;
  }
  make_nodes(&graph->nodes, n, seed);
}

bool has_edge(const hg_graph *graph, hg_lid j, hg_lid i)
{
  for (hg_off e = graph->adjacency.indptr[i]; e < graph->adjacency.indptr[i + 1]; e++)
    if (graph->adjacency.indices[e] == j) return true;
  return false;
}

hg_off naive_cut(const hg_graph *graph, const int32_t *part_of)
{
  hg_off cut = 0;
  for (hg_lid i = 0; i < graph->nodes.n; i++)
    for (hg_lid j = 0; j < graph->nodes.n; j++) cut += part_of[i] != part_of[j] && has_edge(graph, j, i);
  return cut;
}

hg_off naive_volume(const hg_graph *graph, int k, const int32_t *part_of)
{
  hg_off volume = 0;
  for (int p = 0; p < k; p++)
    for (hg_lid j = 0; j < graph->nodes.n; j++) {
      bool needed = false;
      for (hg_lid i = 0; i < graph->nodes.n && part_of[j] != p; i++)
        needed = needed || (part_of[i] == p && has_edge(graph, j, i));
      volume += needed;
    }
  return volume;
}
