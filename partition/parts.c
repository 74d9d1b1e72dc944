#include "partition/parts.h"

#include <inttypes.h>

#include "core/base/alloc.h"
#include "partition/groups.h"

static hg_status check_part_of(const hg_graph *graph, int k, const int32_t *part_of)
{
  if (k < 1) return hg_fail(HG_ERR_INPUT, "%d parts asked for, expected at least 1", k);
  for (hg_off i = 0; i < graph->nodes.n; i++)
    if (part_of[i] < 0 || part_of[i] >= k)
      return hg_fail(HG_ERR_INTERNAL, "node %" PRId64 " is in part %d of %d", i, part_of[i], k);
  return HG_OK;
}

static hg_status sort_nodes(const hg_graph *graph, int k, const int32_t *part_of, const hg_lid *sequence, hg_lid *order,
                            hg_parts_index *index)
{
  hg_status rc = HG_OK;
  int32_t *group = NULL;
  hg_off *start = NULL;
  HG_TRY(HG_ALLOC(group, graph->nodes.n, "node groups"));
  HG_TRY(HG_ALLOC(start, 2 * (hg_off)k + 1, "group starts"));
  hg_groups_find(graph, part_of, group);
  hg_groups_sort((hg_lid)graph->nodes.n, 2 * (hg_off)k, group, sequence, order, start);
  for (int p = 0; p < k; p++) {
    index->n_interior[p] = start[2 * p + 1] - start[2 * p];
    index->offsets[p + 1] = start[2 * p + 2];
  }
done:
  hg_free(&group);
  hg_free(&start);
  return rc;
}

// Calls for each part its halo nodes once, in the order in which its rows meet them; writes them when `found` is given.
static hg_off visit_halo(const hg_graph *graph, const hg_parts_index *index, int p, const hg_lid *order,
                         const int32_t *part_of, int32_t *stamp, hg_lid *found)
{
  const hg_csr *a = &graph->adjacency;
  hg_off count = 0;
  for (hg_gid row = index->offsets[p] + index->n_interior[p]; row < index->offsets[p + 1]; row++) {
    hg_lid i = order[row];
    for (hg_off e = a->indptr[i]; e < a->indptr[i + 1]; e++) {
      hg_lid j = a->indices[e];
      if (part_of[j] == p || stamp[j] == p + 1) continue;
      stamp[j] = p + 1;
      if (found) found[count] = j;
      count++;
    }
  }
  return count;
}

// Halo nodes of all parts, unsorted, as old numbers; fills halo_offsets.
static hg_status collect_halos(const hg_graph *graph, const hg_lid *order, const int32_t *part_of,
                               hg_parts_index *index, hg_lid **halo)
{
  hg_status rc = HG_OK;
  int32_t *stamp = NULL;
  hg_off n = graph->nodes.n;
  HG_TRY(HG_ALLOC(stamp, n, "halo marks"));
  for (int p = 0; p < index->n_parts; p++)
    index->halo_offsets[p + 1] = index->halo_offsets[p] + visit_halo(graph, index, p, order, part_of, stamp, NULL);
  for (hg_off i = 0; i < n; i++) stamp[i] = 0;
  HG_TRY(HG_ALLOC(*halo, index->halo_offsets[index->n_parts], "halo nodes"));
  for (int p = 0; p < index->n_parts; p++)
    (void)visit_halo(graph, index, p, order, part_of, stamp, *halo + index->halo_offsets[p]);
done:
  hg_free(&stamp);
  return rc;
}

// Sorts every part's halo nodes by global id at once, in O(halo + nodes): the lists (part -> node) are transposed to
// (node -> parts), and reading those in the order of global ids fills each part's list in ascending order.
static hg_status sort_halos(hg_off n, const hg_lid *order, const hg_lid *halo, hg_parts_index *index)
{
  hg_status rc = HG_OK;
  int k = index->n_parts;
  hg_off *start = NULL, *next = NULL;
  int32_t *needed_by = NULL;
  HG_TRY(HG_ALLOC(start, n + 1, "halo starts"));
  HG_TRY(HG_ALLOC(next, k, "halo positions"));
  HG_TRY(HG_ALLOC(needed_by, index->halo_offsets[k], "halo parts"));
  HG_TRY(HG_ALLOC(index->halo_ids, index->halo_offsets[k], "halo ids"));
  for (hg_off h = 0; h < index->halo_offsets[k]; h++) start[halo[h]]++;
  for (hg_off i = 0; i < n; i++)
    start[i + 1] += start[i]; // the end of each node's list; filling it backwards leaves its start
  for (int p = k - 1; p >= 0; p--)
    for (hg_off h = index->halo_offsets[p]; h < index->halo_offsets[p + 1]; h++) needed_by[--start[halo[h]]] = p;
  for (int p = 0; p < k; p++) next[p] = index->halo_offsets[p];
  for (hg_gid id = 0; id < n; id++)
    for (hg_off h = start[order[id]]; h < start[order[id] + 1]; h++) index->halo_ids[next[needed_by[h]]++] = id;
done:
  hg_free(&start);
  hg_free(&next);
  hg_free(&needed_by);
  return rc;
}

hg_status hg_parts_build_ordered(const hg_graph *graph, int k, const int32_t *part_of, const hg_lid *sequence,
                                 hg_lid *order, hg_parts_index *index)
{
  hg_status rc = HG_OK;
  hg_lid *halo = NULL;
  *index = (hg_parts_index){.n_parts = k};
  HG_TRY(check_part_of(graph, k, part_of));
  HG_TRY(HG_ALLOC(index->offsets, (hg_off)k + 1, "part offsets"));
  HG_TRY(HG_ALLOC(index->n_interior, k, "interior counts"));
  HG_TRY(HG_ALLOC(index->halo_offsets, (hg_off)k + 1, "halo offsets"));
  HG_TRY(sort_nodes(graph, k, part_of, sequence, order, index));
  HG_TRY(collect_halos(graph, order, part_of, index, &halo));
  HG_TRY(sort_halos(graph->nodes.n, order, halo, index));
  index->fingerprint = hg_graph_fingerprint(graph);
done:
  hg_free(&halo);
  if (rc != HG_OK) hg_parts_index_free(index);
  return rc;
}

hg_status hg_parts_build(const hg_graph *graph, int k, const int32_t *part_of, hg_lid *order, hg_parts_index *index)
{
  return hg_parts_build_ordered(graph, k, part_of, NULL, order, index);
}
