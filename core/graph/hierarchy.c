#include "core/graph/hierarchy.h"

#include <math.h>
#include <string.h>

#include "core/base/alloc.h"
#include "core/base/threads.h"
#include "core/graph/coarsen.h"
#include "core/tensor/row_blocks.h"

void hg_members_mean(const hg_csr *members, hg_off first, hg_off n, int n_dims, const hg_real *fine, hg_real *coarse)
{
  for (hg_off row = first; row < first + n; row++) {
    hg_off from = members->indptr[row], to = members->indptr[row + 1];
    for (int d = 0; d < n_dims; d++) {
      double sum = 0;
      for (hg_off e = from; e < to; e++) sum += (double)fine[(hg_off)members->indices[e] * n_dims + d];
      coarse[row * n_dims + d] = to > from ? (hg_real)(sum / (double)(to - from)) : 0;
    }
  }
}

static hg_status make_finest(hg_level *level, const hg_collection *collection, double scale)
{
  const hg_graph *g = &collection->united;
  hg_status rc = HG_OK;
  level->n = g->nodes.n;
  level->graph_ptr = collection->graph_ptr;
  level->adjacency = g->adjacency;
  if (!g->symmetric) HG_TRY(hg_csr_transpose(&level->transposed, &g->adjacency));
  if (!g->nodes.positions) return HG_OK;
  level->n_dims = g->nodes.n_dims;
  hg_off count = level->n * level->n_dims;
  HG_TRY(HG_ALLOC(level->positions, count, "positions"));
  for (hg_off e = 0; e < count; e++) level->positions[e] = (hg_real)((double)g->nodes.positions[e] * scale);
done:
  return rc;
}

static hg_status make_coarser(hg_hierarchy *h, const hg_nodes *nodes, bool symmetric, hg_pairing pairing)
{
  double *positions = NULL;
  hg_status rc = HG_OK;
  if (!nodes->positions)
    return hg_fail(HG_ERR_INPUT, "the graphs' nodes have no positions, and clusters are made of them");
  HG_TRY(HG_ALLOC(positions, nodes->n * nodes->n_dims, "positions in double precision"));
  for (hg_off e = 0; e < nodes->n * nodes->n_dims; e++) positions[e] = (double)nodes->positions[e];
  for (hg_level *fine = h->levels; fine + 1 < h->levels + h->n_levels; fine++) {
    const hg_csr *reversed = symmetric ? &fine->adjacency : &fine->transposed;
    HG_TRY(hg_coarsen(fine + 1, fine, reversed, h->n_graphs, pairing, &positions));
  }
done:
  hg_free(&positions);
  return rc;
}

hg_status hg_hierarchy_create(hg_hierarchy *hierarchy, const hg_collection *collection, int n_coarsenings,
                              hg_pairing pairing, double scale)
{
  const hg_graph *g = &collection->united;
  hg_status rc = HG_OK;
  memset(hierarchy, 0, sizeof *hierarchy);
  HG_TRY(HG_ALLOC(hierarchy->levels, (hg_off)n_coarsenings + 1, "levels"));
  hierarchy->n_graphs = collection->n_graphs;
  hierarchy->n_levels = n_coarsenings + 1;
  HG_TRY(make_finest(&hierarchy->levels[0], collection, scale));
  if (n_coarsenings > 0) HG_TRY(make_coarser(hierarchy, &g->nodes, g->symmetric, pairing));
done:
  if (rc != HG_OK) hg_hierarchy_free(hierarchy);
  return rc;
}

void hg_hierarchy_free(hg_hierarchy *hierarchy)
{
  for (int l = 0; l < hierarchy->n_levels; l++) {
    hg_level *level = &hierarchy->levels[l];
    if (l > 0) {
      hg_free(&level->graph_ptr);
      hg_csr_free(&level->adjacency);
    }
    hg_csr_free(&level->transposed);
    hg_csr_free(&level->members);
    hg_free(&level->positions);
  }
  hg_free(&hierarchy->levels);
  memset(hierarchy, 0, sizeof *hierarchy);
}

static size_t csr_bytes(const hg_csr *a)
{
  if (!a->indptr) return 0;
  return (size_t)(a->n_rows + 1) * sizeof *a->indptr + (size_t)hg_csr_entries(a) * sizeof *a->indices;
}

size_t hg_hierarchy_bytes(const hg_hierarchy *hierarchy)
{
  size_t bytes = (size_t)hierarchy->n_levels * sizeof *hierarchy->levels;
  for (int l = 0; l < hierarchy->n_levels; l++) {
    const hg_level *level = &hierarchy->levels[l];
    if (l > 0) bytes += csr_bytes(&level->adjacency) + (size_t)(hierarchy->n_graphs + 1) * sizeof *level->graph_ptr;
    bytes += csr_bytes(&level->transposed) + csr_bytes(&level->members);
    bytes += (size_t)(level->n * level->n_dims) * sizeof *level->positions;
  }
  return bytes;
}

static double row_lengths(const hg_graph *g, hg_off i)
{
  const float *p = g->nodes.positions;
  int n_dims = g->nodes.n_dims;
  double sum = 0;
  for (hg_off e = g->adjacency.indptr[i]; e < g->adjacency.indptr[i + 1]; e++) {
    double square = 0;
    for (int d = 0; d < n_dims; d++) {
      double delta = (double)p[(hg_off)g->adjacency.indices[e] * n_dims + d] - (double)p[i * n_dims + d];
      square += delta * delta;
    }
    sum += sqrt(square);
  }
  return sum;
}

double hg_collection_mean_edge(const hg_collection *collection)
{
  const hg_graph *g = &collection->united;
  hg_off edges = hg_csr_entries(&g->adjacency);
  double sums[HG_ROW_BLOCKS] = {0}, total = 0;
  if (!g->nodes.positions || edges == 0) return 0;
#pragma omp parallel for schedule(static) default(none) shared(g, sums, edges) \
    num_threads(hg_threads()) if (edges > HG_PARALLEL_FROM)
  for (int block = 0; block < HG_ROW_BLOCKS; block++) {
    hg_off first, end;
    hg_block(g->nodes.n, HG_ROW_BLOCKS, block, &first, &end);
    for (hg_off i = first; i < end; i++) sums[block] += row_lengths(g, i);
  }
  for (int block = 0; block < HG_ROW_BLOCKS; block++) total += sums[block];
  return total / (double)edges;
}
