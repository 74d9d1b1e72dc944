#include "partition/training_first.h"

#include <string.h>

#include "core/base/alloc.h"
#include "partition/groups.h"
#include "partition/training_steps.h"

// 0, 1, 2 steps to a training node, and more: these by their steps to a scored node
enum { MOST_STEPS = 3, GROUPS = MOST_STEPS + MOST_STEPS + 1 };

// nodes of at most so many steps
static double count(hg_off n, const int32_t *steps, int most)
{
  hg_off found = 0;
  for (hg_off i = 0; i < n; i++) found += steps[i] <= most;
  return (double)found;
}

static bool is_near_few(hg_off n, const int32_t *steps) { return count(n, steps, 1) <= HG_TRAINING_NEAR * (double)n; }

static bool is_worth_it(hg_off n, const int32_t *steps)
{
  double trained = count(n, steps, 0);
  return trained > 0 && trained <= HG_TRAINING_FEW * (double)n && is_near_few(n, steps);
}

static void add_scored(const hg_graph *graph, int32_t *steps, int32_t *group)
{
  hg_off n = graph->nodes.n;
  hg_scored_steps(graph, MOST_STEPS, steps);
  if (!is_near_few(n, steps)) return;
  for (hg_off i = 0; i < n; i++) group[i] += group[i] == MOST_STEPS ? steps[i] : 0;
}

hg_status hg_training_first(const hg_graph *graph, int k, const int32_t *part_of, hg_lid *sequence,
                            hg_reordered *result)
{
  hg_lid n = (hg_lid)graph->nodes.n, *sorted = NULL;
  int32_t *group = NULL, *scored = NULL;
  hg_off *start = NULL;
  hg_fetches found;
  hg_status rc = HG_OK;
  if (!graph->nodes.split) return HG_OK;
  HG_TRY(HG_ALLOC(group, n, "steps to training nodes"));
  HG_TRY(HG_ALLOC(sorted, n, "order of the nodes"));
  HG_TRY(HG_ALLOC(start, 2 * (hg_off)k + GROUPS + 1, "group starts"));
  hg_training_steps(graph, MOST_STEPS, group);
  if (is_worth_it(n, group)) {
    HG_TRY(HG_ALLOC(scored, n, "steps to scored nodes"));
    add_scored(graph, scored, group);
    hg_groups_sort(n, GROUPS, group, sequence, sorted, start);
    memcpy(sequence, sorted, (size_t)n * sizeof *sequence);
    hg_groups_find(graph, part_of, group);
    hg_groups_sort(n, 2 * (hg_off)k, group, sequence, sorted, start);
    HG_TRY(hg_fetches_count(graph, part_of, sorted, &found));
    result->fetches_after = found.fetched;
  }
done:
  hg_free(&group);
  hg_free(&scored);
  hg_free(&sorted);
  hg_free(&start);
  return rc;
}
