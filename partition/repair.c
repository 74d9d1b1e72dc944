#include "partition/repair.h"

#include "core/base/alloc.h"

// A node of part `from` that has an in-neighbour elsewhere, or else the part's first node at or after `start`.
static hg_lid find_seed(const hg_graph *graph, const int32_t *part_of, int from)
{
  const hg_csr *a = &graph->adjacency;
  hg_lid first = -1;
  for (hg_lid i = 0; i < graph->nodes.n; i++) {
    if (part_of[i] != from) continue;
    if (first < 0) first = i;
    for (hg_off e = a->indptr[i]; e < a->indptr[i + 1]; e++)
      if (part_of[a->indices[e]] != from) return i;
  }
  return first;
}

// Moves `count` nodes of part `from` to part `to`, breadth first; jumps to the next node of the part when a component
// ends.
static void move_region(const hg_graph *graph, int32_t *part_of, int from, int to, hg_off count, hg_lid *queue)
{
  const hg_csr *a = &graph->adjacency;
  hg_off head = 0, tail = 0;
  hg_lid next = 0;
  hg_lid seed = find_seed(graph, part_of, from);
  queue[tail++] = seed;
  part_of[seed] = to;
  while (tail < count) {
    if (head == tail) {
      while (part_of[next] != from) next++;
      part_of[next] = to;
      queue[tail++] = next;
      continue;
    }
    hg_lid i = queue[head++];
    for (hg_off e = a->indptr[i]; e < a->indptr[i + 1] && tail < count; e++) {
      hg_lid j = a->indices[e];
      if (part_of[j] != from) continue;
      part_of[j] = to;
      queue[tail++] = j;
    }
  }
}

hg_status hg_repair_empty(const hg_graph *graph, int k, int32_t *part_of)
{
  hg_status rc = HG_OK;
  hg_off *size = NULL;
  hg_lid *queue = NULL;
  hg_off n = graph->nodes.n, mean = (n + k - 1) / k;
  HG_TRY(HG_ALLOC(size, k, "part sizes"));
  HG_TRY(HG_ALLOC(queue, n, "nodes to move"));
  for (hg_off i = 0; i < n; i++) size[part_of[i]]++;
  for (int p = 0; p < k; p++) {
    if (size[p] > 0) continue;
    int largest = 0;
    for (int q = 1; q < k; q++)
      if (size[q] > size[largest]) largest = q;
    hg_off count =
        size[largest] / 2 < mean ? size[largest] / 2 : mean; // k <= nodes: the largest part has two nodes or more
    move_region(graph, part_of, largest, p, count, queue);
    size[largest] -= count;
    size[p] += count;
  }
done:
  hg_free(&size);
  hg_free(&queue);
  return rc;
}
