#include "core/base/rng.h"
#include "partition/partitioner.h"

// A random permutation (Fisher and Yates, as in Knuth 3.4.2) cut into equal pieces: parts differ by one node at most.
hg_status hg_partition_random(const hg_graph *graph, int k, const hg_partition_options *options, int32_t *part_of)
{
  hg_rng rng = {options->seed, HG_STREAM_PARTITION};
  hg_status rc = hg_partition_block(graph, k, options, part_of);
  for (hg_off i = graph->nodes.n - 1; i > 0 && rc == HG_OK; i--) {
    uint64_t j = hg_rng_below(rng, (uint64_t)i, 0, (uint64_t)i + 1);
    int32_t swap = part_of[i];
    part_of[i] = part_of[j];
    part_of[j] = swap;
  }
  return rc;
}
