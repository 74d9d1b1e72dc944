#include <stdlib.h>

#include "core/base/alloc.h"
#include "partition/reorder.h"
#include "partition/undirected.h"

// A node with what it is sorted by.
typedef struct {
  hg_off degree;
  hg_lid node;
} ranked;

static int compare(const void *a, const void *b)
{
  const ranked *x = a, *y = b;
  if (x->degree != y->degree) return x->degree < y->degree ? -1 : 1;
  return (x->node > y->node) - (x->node < y->node);
}

static hg_off degree_of(const hg_undirected *u, hg_lid i) { return u->indptr[i + 1] - u->indptr[i]; }

// Appends the neighbours of i that are not yet queued, by rising degree; returns the new tail.
static hg_off queue_neighbours(const hg_undirected *u, hg_lid i, uint8_t *queued, ranked *row, hg_lid *queue,
                               hg_off tail)
{
  size_t found = 0;
  for (hg_off e = u->indptr[i]; e < u->indptr[i + 1]; e++) {
    hg_lid j = u->indices[e];
    if (queued[j]) continue;
    queued[j] = 1;
    row[found++] = (ranked){degree_of(u, j), j};
  }
  qsort(row, found, sizeof *row, compare);
  for (size_t r = 0; r < found; r++) queue[tail++] = row[r].node;
  return tail;
}

hg_status hg_order_rcm(const hg_graph *graph, hg_lid *order)
{
  hg_status rc = HG_OK;
  hg_undirected u = {0};
  uint8_t *queued = NULL;
  ranked *seeds = NULL, *row = NULL;
  hg_off n = graph->nodes.n, head = 0, tail = 0;
  HG_TRY(hg_undirected_create(&u, graph));
  HG_TRY(HG_ALLOC(queued, n, "queued nodes"));
  HG_TRY(HG_ALLOC(seeds, n, "nodes by degree"));
  HG_TRY(HG_ALLOC(row, n, "neighbours by degree"));
  for (hg_lid i = 0; i < n; i++) seeds[i] = (ranked){degree_of(&u, i), i};
  qsort(seeds, (size_t)n, sizeof *seeds, compare);
  for (hg_off s = 0; s < n; s++) {
    if (queued[seeds[s].node]) continue;
    queued[seeds[s].node] = 1;
    order[tail++] = seeds[s].node;
    while (head < tail) {
      hg_lid i = order[head++];
      tail = queue_neighbours(&u, i, queued, row, order, tail);
    }
  }
  for (hg_off i = 0; i < n / 2; i++) {
    hg_lid swap = order[i];
    order[i] = order[n - 1 - i];
    order[n - 1 - i] = swap;
  }
done:
  hg_undirected_free(&u);
  hg_free(&queued);
  hg_free(&seeds);
  hg_free(&row);
  return rc;
}
