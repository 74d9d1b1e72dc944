#include "runtime/cli/graph_facts.h"

#include "core/base/alloc.h"

enum { BLOCK_BYTES = 64 << 20 };

// Rows whose data fill a block, on average
static hg_off rows_of_block(const hg_store_header *h)
{
  double nodes = h->n_nodes > 0 ? (double)h->n_nodes : 1;
  double row = 64 + 4 * (double)h->n_edges / nodes + 12 * (double)h->feature_entries / nodes + 4.0 * h->n_classes +
               4.0 * h->n_dims;
  hg_off rows = (hg_off)(BLOCK_BYTES / row);
  return rows < 1 ? 1 : rows > h->n_nodes ? h->n_nodes : rows;
}

static void count_block(const hg_graph *block, hg_off first, uint8_t *joined, hg_graph_facts *facts)
{
  const hg_csr *a = &block->adjacency;
  for (hg_off i = 0; i < block->nodes.n; i++) {
    hg_off degree = a->indptr[i + 1] - a->indptr[i];
    if (degree < facts->degree_min) facts->degree_min = degree;
    if (degree > facts->degree_max) facts->degree_max = degree;
    if (degree > 0) joined[first + i] = 1;
    facts->unlabelled += !hg_nodes_labelled(&block->nodes, i);
  }
  for (hg_off e = 0; e < a->indptr[block->nodes.n]; e++) joined[a->indices[e]] = 1;
}

static void finish(hg_graph_facts *facts, hg_off n, hg_off edges, const uint8_t *joined)
{
  facts->degree_mean = n > 0 ? (double)edges / (double)n : 0;
  for (hg_off i = 0; i < n; i++) facts->isolated += !joined[i];
}

hg_status hg_graph_facts_read(const char *path, const hg_store_header *header, hg_graph_facts *facts)
{
  hg_status rc = HG_OK;
  uint8_t *joined = NULL;
  hg_graph block = {0};
  hg_off n = header->n_nodes, rows = rows_of_block(header);
  hg_graph_facts counted = {.degree_min = n > 0 ? INT64_MAX : 0};
  HG_TRY(HG_ALLOC(joined, n, "nodes with edges"));
  for (hg_off first = 0; first < n; first += rows) {
    HG_TRY(hg_store_read_rows(path, first, rows < n - first ? rows : n - first, &block));
    count_block(&block, first, joined, &counted);
    hg_graph_free(&block);
  }
  finish(&counted, n, header->n_edges, joined);
  *facts = counted;
done:
  hg_free(&joined);
  hg_graph_free(&block);
  return rc;
}

// Of pointers[graph_ptr[g + 1]] - pointers[graph_ptr[g]] over the graphs g, or of their nodes without pointers
static hg_spread spread_of(const hg_collection *c, const hg_off *pointers)
{
  hg_off n = c->united.nodes.n, sum = pointers ? pointers[n] : n;
  hg_spread spread = {.min = c->n_graphs > 0 ? INT64_MAX : 0};
  for (hg_off g = 0; g < c->n_graphs; g++) {
    hg_off first = c->graph_ptr[g], end = c->graph_ptr[g + 1];
    hg_off value = pointers ? pointers[end] - pointers[first] : end - first;
    if (value < spread.min) spread.min = value;
    if (value > spread.max) spread.max = value;
  }
  spread.mean = c->n_graphs > 0 ? (double)sum / (double)c->n_graphs : 0;
  return spread;
}

hg_status hg_collection_facts_read(const char *path, hg_collection_facts *facts)
{
  hg_status rc = HG_OK;
  uint8_t *joined = NULL;
  hg_collection c = {0};
  HG_TRY(hg_store_read_collection(path, &c));
  hg_off n = c.united.nodes.n;
  hg_collection_facts counted = {.united.degree_min = n > 0 ? INT64_MAX : 0};
  HG_TRY(HG_ALLOC(joined, n, "nodes with edges"));
  count_block(&c.united, 0, joined, &counted.united);
  finish(&counted.united, n, hg_csr_entries(&c.united.adjacency), joined);
  for (hg_off g = 0; g < c.n_graphs; g++) counted.united.unlabelled += !hg_nodes_labelled(&c.items, g);
  counted.nodes = spread_of(&c, NULL);
  counted.edges = spread_of(&c, c.united.adjacency.indptr);
  *facts = counted;
done:
  hg_free(&joined);
  hg_collection_free(&c);
  return rc;
}
