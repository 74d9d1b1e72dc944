#include "partition/groups.h"

#include <string.h>

static bool has_halo_neighbour(const hg_csr *a, const int32_t *part_of, hg_lid i)
{
  for (hg_off e = a->indptr[i]; e < a->indptr[i + 1]; e++)
    if (part_of[a->indices[e]] != part_of[i]) return true;
  return false;
}

void hg_groups_find(const hg_graph *graph, const int32_t *part_of, int32_t *group)
{
#pragma omp parallel for schedule(static)
  for (hg_off i = 0; i < graph->nodes.n; i++)
    group[i] = 2 * part_of[i] + has_halo_neighbour(&graph->adjacency, part_of, (hg_lid)i);
}

void hg_groups_sort(hg_lid n, hg_off n_groups, const int32_t *group, const hg_lid *sequence, hg_lid *order,
                    hg_off *start)
{
  memset(start, 0, ((size_t)n_groups + 1) * sizeof *start);
  for (hg_lid i = 0; i < n; i++) start[group[i] + 1]++;
  for (hg_off g = 0; g < n_groups; g++) start[g + 1] += start[g];
  for (hg_lid p = 0; p < n; p++) {
    hg_lid i = sequence ? sequence[p] : p;
    order[start[group[i]]++] = i;
  }
  memmove(start + 1, start, (size_t)n_groups * sizeof *start); // each start has moved to its group's end
  start[0] = 0;
}
