#include "core/base/alloc.h"
#include "partition/groups.h"
#include "partition/reorder.h"

enum { BLOCK_NODES = 1000 };

// Recursive bisection numbers the blocks so that those which were split last are neighbours: near blocks, near numbers.
hg_status hg_order_metis(const hg_graph *graph, hg_lid *order)
{
  hg_status rc = HG_OK;
  hg_off n = graph->nodes.n, blocks = (n + BLOCK_NODES - 1) / BLOCK_NODES, *start = NULL;
  int32_t *block_of = NULL;
  if (blocks < 2) return hg_order_none(graph, order);
  HG_TRY(HG_ALLOC(block_of, n, "blocks of the nodes"));
  HG_TRY(HG_ALLOC(start, blocks + 1, "block starts"));
  HG_TRY(hg_metis_bisect(graph, (int)blocks, block_of));
  hg_groups_sort((hg_lid)n, blocks, block_of, NULL, order, start);
done:
  hg_free(&block_of);
  hg_free(&start);
  return rc;
}
