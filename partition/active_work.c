#include "partition/active_work.h"

#include "core/base/alloc.h"

static const hg_off MOST = (hg_off)1 << 30; // METIS adds weights in 32 bits

// steps[i]: edges of the shortest way from i to a training node, `layers` when it is longer
static void count_steps(const hg_graph *graph, int layers, int32_t *steps)
{
  const hg_csr *a = &graph->adjacency;
  hg_lid n = (hg_lid)graph->nodes.n;
  for (hg_lid i = 0; i < n; i++) steps[i] = graph->nodes.split && graph->nodes.split[i] == HG_SPLIT_TRAIN ? 0 : layers;
  for (int step = 0; step + 1 < layers; step++)
    for (hg_lid i = 0; i < n; i++)
      for (hg_off e = a->indptr[i]; steps[i] == step && e < a->indptr[i + 1]; e++)
        if (steps[a->indices[e]] > step + 1) steps[a->indices[e]] = step + 1;
}

static hg_off width_of(const hg_graph *graph, int layers, int hidden, int layer)
{
  int in = layer == 0 ? graph->nodes.features.width : hidden;
  int out = layer + 1 == layers ? graph->nodes.n_classes : hidden;
  int width = in < out ? in : out;
  return width > 1 ? width : 1;
}

hg_status hg_active_work(const hg_graph *graph, int layers, int hidden, hg_off *work)
{
  hg_status rc = HG_OK;
  int32_t *steps = NULL;
  hg_off *width = NULL, total = 0; // [layers + 1] of the first 0, 1, ... layers together
  const hg_off *indptr = graph->adjacency.indptr;
  HG_TRY(HG_ALLOC(steps, graph->nodes.n, "steps to training nodes"));
  HG_TRY(HG_ALLOC(width, (hg_off)layers + 1, "widths of layers"));
  for (int l = 0; l < layers; l++) width[l + 1] = width[l] + width_of(graph, layers, hidden, l);
  count_steps(graph, layers, steps);
  for (hg_off i = 0; i < graph->nodes.n; i++) {
    work[i] = (indptr[i + 1] - indptr[i] + 1) * width[layers - steps[i]];
    total += work[i];
  }
  hg_off divisor = total / MOST + 1;
  for (hg_off i = 0; i < graph->nodes.n; i++)
    if (work[i] > 0) work[i] = work[i] < divisor ? 1 : work[i] / divisor;
done:
  hg_free(&steps);
  hg_free(&width);
  return rc;
}
