#include "core/base/threads.h"
#include "partition/partitioner.h"

hg_status hg_partition_block(const hg_graph *graph, int k, const hg_partition_options *options, int32_t *part_of)
{
  (void)options;
  for (int p = 0; p < k; p++) {
    hg_off first, end;
    hg_block(graph->nodes.n, k, p, &first, &end);
    for (hg_off i = first; i < end; i++) part_of[i] = p;
  }
  return HG_OK;
}
