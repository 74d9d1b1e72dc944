#include "core/graph/collection.h"

#include <inttypes.h>

#include "core/base/alloc.h"

void hg_collection_free(hg_collection *collection)
{
  hg_graph_free(&collection->united);
  hg_free(&collection->graph_ptr);
  hg_nodes_free(&collection->items);
  *collection = (hg_collection){0};
}

static hg_status check_pointers(const hg_collection *c)
{
  hg_off n = c->united.nodes.n;
  if (c->n_graphs < 0 || !c->graph_ptr)
    return hg_fail(HG_ERR_INPUT, "%" PRId64 " graphs %s pointers", c->n_graphs, c->graph_ptr ? "with" : "without");
  if (c->graph_ptr[0] != 0)
    return hg_fail(HG_ERR_INPUT, "the first graph starts at node %" PRId64 ", expected 0", c->graph_ptr[0]);
  for (hg_off g = 0; g < c->n_graphs; g++) {
    if (c->graph_ptr[g + 1] <= c->graph_ptr[g])
      return hg_fail(HG_ERR_INPUT,
                     "graph %" PRId64 ": ends at node %" PRId64 " and starts at %" PRId64
                     ", expected at least one node",
                     g, c->graph_ptr[g + 1], c->graph_ptr[g]);
  }
  if (c->graph_ptr[c->n_graphs] != n)
    return hg_fail(HG_ERR_INPUT, "the last graph ends at node %" PRId64 ", expected the %" PRId64 " nodes",
                   c->graph_ptr[c->n_graphs], n);
  return HG_OK;
}

// Rows are ascending: their first and last columns say it for all of them.
static hg_status check_blocks(const hg_collection *c)
{
  const hg_csr *a = &c->united.adjacency;
  for (hg_off g = 0; g < c->n_graphs; g++) {
    hg_off first = c->graph_ptr[g], end = c->graph_ptr[g + 1];
    for (hg_off i = first; i < end; i++) {
      if (a->indptr[i] == a->indptr[i + 1]) continue;
      hg_lid low = a->indices[a->indptr[i]], high = a->indices[a->indptr[i + 1] - 1];
      if (low < first || high >= end)
        return hg_fail(HG_ERR_INPUT,
                       "graph %" PRId64 ": node %" PRId64 " has the in-neighbour %" PRId32
                       " in another graph, expected %" PRId64 " to %" PRId64,
                       g, i, low < first ? low : high, first, end - 1);
    }
  }
  return HG_OK;
}

static hg_status check_halves(const hg_collection *c)
{
  const hg_nodes *nodes = &c->united.nodes, *items = &c->items;
  if (nodes->task != HG_TASK_NONE || nodes->split || nodes->original_ids)
    return hg_fail(HG_ERR_INPUT, "the nodes have labels, a split or ids, expected them of the graphs");
  if (nodes->features.indptr) return hg_fail(HG_ERR_INPUT, "found sparse features, expected dense ones");
  if (items->features.width != 0 || items->n_dims != 0)
    return hg_fail(HG_ERR_INPUT, "the graphs have features or positions, expected them of the nodes");
  if (items->n != c->n_graphs)
    return hg_fail(HG_ERR_INPUT, "truth of %" PRId64 " graphs, expected %" PRId64, items->n, c->n_graphs);
  return HG_OK;
}

hg_status hg_collection_check(const hg_collection *collection)
{
  hg_status rc = HG_OK;
  HG_TRY(check_pointers(collection));
  HG_TRY(check_halves(collection));
  HG_TRY(hg_graph_check_structure(&collection->united));
  HG_TRY(check_blocks(collection));
  HG_TRY(hg_items_check(&collection->items));
done:
  return rc;
}

// The graphs and what is known of them as if they were nodes without neighbours.
static hg_graph outer(const hg_collection *c)
{
  return (hg_graph){.adjacency = {.n_rows = c->n_graphs, .indptr = c->graph_ptr}, .nodes = c->items};
}

uint64_t hg_collection_fingerprint(const hg_collection *collection)
{
  const hg_graph graphs = outer(collection);
  uint64_t inside = hg_graph_fingerprint(&collection->united), outside = hg_graph_fingerprint(&graphs);
  return inside ^ (outside + 0x9e3779b97f4a7c15u + (inside << 6) + (inside >> 2));
}

size_t hg_collection_bytes(const hg_collection *collection)
{
  const hg_graph graphs = outer(collection);
  return hg_graph_bytes(&collection->united) + hg_graph_bytes(&graphs);
}
