#include "partition/active_work.h"

#include "core/base/alloc.h"
#include "partition/training_steps.h"

static const hg_off MOST = (hg_off)1 << 30; // METIS adds weights in 32 bits

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
  hg_training_steps(graph, layers, steps);
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
