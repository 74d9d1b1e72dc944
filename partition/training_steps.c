#include "partition/training_steps.h"

static bool is_read(const hg_nodes *nodes, hg_off i, bool scored)
{
  if (!nodes->split || !hg_label_known(nodes, i)) return false;
  return scored ? nodes->split[i] != HG_SPLIT_NONE : nodes->split[i] == HG_SPLIT_TRAIN;
}

// from the nodes of 0 steps to all others, which have `most`
static void spread(const hg_graph *graph, int most, int32_t *steps)
{
  const hg_csr *a = &graph->adjacency;
  hg_off n = graph->nodes.n;
  for (int step = 0; step + 1 < most; step++)
    for (hg_off i = 0; i < n; i++)
      for (hg_off e = a->indptr[i]; steps[i] == step && e < a->indptr[i + 1]; e++)
        if (steps[a->indices[e]] > step + 1) steps[a->indices[e]] = step + 1;
}

static void find_steps(const hg_graph *graph, int most, bool scored, int32_t *steps)
{
  for (hg_off i = 0; i < graph->nodes.n; i++) steps[i] = is_read(&graph->nodes, i, scored) ? 0 : most;
  spread(graph, most, steps);
}

void hg_training_steps(const hg_graph *graph, int most, int32_t *steps) { find_steps(graph, most, false, steps); }

void hg_scored_steps(const hg_graph *graph, int most, int32_t *steps) { find_steps(graph, most, true, steps); }
