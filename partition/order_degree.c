#include "core/base/alloc.h"
#include "partition/reorder.h"

hg_status hg_order_none(const hg_graph *graph, hg_lid *order)
{
  for (hg_off i = 0; i < graph->nodes.n; i++) order[i] = (hg_lid)i;
  return HG_OK;
}

// Counting sort; stable, so equal degrees keep the order of numbers.
hg_status hg_order_degree(const hg_graph *graph, hg_lid *order)
{
  hg_status rc = HG_OK;
  const hg_off *indptr = graph->adjacency.indptr;
  hg_off n = graph->nodes.n, most = 0, *start = NULL;
  for (hg_off i = 0; i < n; i++)
    if (indptr[i + 1] - indptr[i] > most) most = indptr[i + 1] - indptr[i];
  HG_TRY(HG_ALLOC(start, most + 2, "nodes of each degree"));
  for (hg_off i = 0; i < n; i++) start[most - (indptr[i + 1] - indptr[i]) + 1]++;
  for (hg_off d = 0; d <= most; d++) start[d + 1] += start[d];
  for (hg_off i = 0; i < n; i++) order[start[most - (indptr[i + 1] - indptr[i])]++] = (hg_lid)i;
done:
  hg_free(&start);
  return rc;
}
