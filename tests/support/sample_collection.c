#include "tests/support/sample_collection.h"

#include <math.h>
#include <string.h>

#include "core/base/alloc.h"
#include "core/base/rng.h"

enum { MOST_NODES = 20 };
enum { DRAW_SIZE, DRAW_EDGE, DRAW_FEATURE, DRAW_POSITION, DRAW_COINCIDE, DRAW_LABEL, DRAW_SPLIT, DRAW_DIRECTION };

static double draw(uint64_t seed, hg_off a, uint32_t what)
{
  return hg_rng_uniform((hg_rng){seed, HG_STREAM_TEST}, (uint64_t)a, what);
}

static hg_off size_of(hg_off g, uint64_t seed)
{
  return g % 7 == 6 ? 1 : 1 + (hg_off)(draw(seed, g, DRAW_SIZE) * MOST_NODES);
}

static hg_status make_nodes(hg_nodes *nodes, int width, int n_dims, uint64_t seed)
{
  hg_off n = nodes->n;
  hg_status rc = HG_OK;
  nodes->features.width = width;
  if (width > 0) HG_TRY(HG_ALLOC(nodes->features.dense, n * width, "features"));
  for (hg_off e = 0; e < n * width; e++) nodes->features.dense[e] = (float)draw(seed, e, DRAW_FEATURE) - 0.5f;
  nodes->n_dims = n_dims;
  if (n_dims > 0) HG_TRY(HG_ALLOC(nodes->positions, n * n_dims, "positions"));
  for (hg_off e = 0; e < n * n_dims; e++) nodes->positions[e] = (float)draw(seed, e, DRAW_POSITION);
done:
  return rc;
}

// some nodes stand where the one before stands
static void let_coincide(hg_nodes *nodes, const hg_off *graph_ptr, hg_off n_graphs, uint64_t seed)
{
  size_t row = (size_t)nodes->n_dims * sizeof *nodes->positions;
  if (row == 0) return;
  for (hg_off g = 0; g < n_graphs; g++) {
    for (hg_off i = graph_ptr[g] + 1; i < graph_ptr[g + 1]; i++) {
      if (draw(seed, i, DRAW_COINCIDE) > 0.1) continue;
      memcpy(nodes->positions + i * nodes->n_dims, nodes->positions + (i - 1) * nodes->n_dims, row);
    }
  }
}

// near enough for about five neighbours in a graph of the largest size
static bool joined(const hg_nodes *nodes, hg_off i, hg_off j, uint64_t seed)
{
  if (i == j) return false;
  if (nodes->n_dims == 0) return draw(seed, (i < j ? i : j) * MOST_NODES + (i < j ? j - i : i - j), DRAW_EDGE) < 0.3;
  double square = 0;
  for (int d = 0; d < nodes->n_dims; d++) {
    double delta = (double)nodes->positions[i * nodes->n_dims + d] - (double)nodes->positions[j * nodes->n_dims + d];
    square += delta * delta;
  }
  return sqrt(square) < 0.5 * pow(0.25, 1.0 / nodes->n_dims) * sqrt(nodes->n_dims);
}

static hg_status make_edges(hg_collection *c, uint64_t seed)
{
  const hg_nodes *nodes = &c->united.nodes;
  hg_csr *a = &c->united.adjacency;
  hg_off entries = 0;
  hg_status rc = HG_OK;
  HG_TRY(hg_csr_create(a, nodes->n, nodes->n, nodes->n * MOST_NODES, false, "edges"));
  for (hg_off g = 0; g < c->n_graphs; g++) {
    for (hg_off i = c->graph_ptr[g]; i < c->graph_ptr[g + 1]; i++) {
      for (hg_off j = c->graph_ptr[g]; g % 5 != 4 && j < c->graph_ptr[g + 1]; j++)
        if (joined(nodes, i, j, seed)) a->indices[entries++] = (hg_lid)j;
      a->indptr[i + 1] = entries;
    }
  }
done:
  return rc;
}

static hg_status make_items(hg_nodes *items, hg_task task, int classes, uint64_t seed)
{
  hg_off n = items->n, bytes = hg_label_bytes(classes);
  hg_status rc = HG_OK;
  items->task = task;
  items->n_classes = classes;
  HG_TRY(HG_ALLOC(items->original_ids, n, "original ids of graphs"));
  HG_TRY(HG_ALLOC(items->split, n, "split of graphs"));
  if (task == HG_TASK_CLASSES) HG_TRY(HG_ALLOC(items->labels, n, "labels"));
  if (task == HG_TASK_MULTILABEL) HG_TRY(HG_ALLOC(items->label_bits, n * bytes, "label bits"));
  if (task == HG_TASK_REGRESSION) HG_TRY(HG_ALLOC(items->targets, n * classes, "targets"));
  for (hg_off g = 0; g < n; g++) {
    double part = draw(seed, g, DRAW_SPLIT);
    items->split[g] = part < 0.6 ? HG_SPLIT_TRAIN : part < 0.8 ? HG_SPLIT_VAL : HG_SPLIT_TEST;
    items->original_ids[g] = 1000 + 3 * g;
    for (int k = 0; k < classes; k++) {
      double u = draw(seed, g * classes + k, DRAW_LABEL);
      if (items->labels && k == 0) items->labels[g] = (int32_t)(u * classes);
      if (items->label_bits) items->label_bits[g * bytes + k / 8] |= (uint8_t)((u < 0.3) << (k % 8));
      if (items->targets) items->targets[g * classes + k] = (float)(2 * u - 1);
    }
  }
done:
  return rc;
}

hg_status sample_collection(hg_collection *out, hg_off n_graphs, int width, int n_dims, hg_task task, int n_classes,
                            uint64_t seed)
{
  hg_status rc = HG_OK;
  memset(out, 0, sizeof *out);
  out->n_graphs = out->items.n = n_graphs;
  out->united.symmetric = true;
  HG_TRY(HG_ALLOC(out->graph_ptr, n_graphs + 1, "graph pointers"));
  for (hg_off g = 0; g < n_graphs; g++) out->graph_ptr[g + 1] = out->graph_ptr[g] + size_of(g, seed);
  out->united.nodes.n = out->graph_ptr[n_graphs];
  HG_TRY(make_nodes(&out->united.nodes, width, n_dims, seed));
  let_coincide(&out->united.nodes, out->graph_ptr, n_graphs, seed);
  HG_TRY(make_edges(out, seed));
  HG_TRY(make_items(&out->items, task, task == HG_TASK_NONE ? 0 : n_classes, seed));
done:
  if (rc != HG_OK) hg_collection_free(out);
  return rc;
}

void sample_collection_direct(hg_collection *collection, uint64_t seed)
{
  hg_csr *a = &collection->united.adjacency;
  hg_off kept = 0;
  for (hg_off i = 0, e = 0; i < a->n_rows; i++) {
    for (; e < a->indptr[i + 1]; e++) {
      hg_off j = a->indices[e], low = i < j ? i : j, high = i < j ? j : i;
      double u = draw(seed, low * a->n_rows + high, DRAW_DIRECTION);
      if (u < 0.5 || (u < 0.75) == (i < j)) a->indices[kept++] = (hg_lid)j;
    }
    a->indptr[i + 1] = kept;
  }
  collection->united.symmetric = false;
}
