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
  counted.degree_mean = n > 0 ? (double)header->n_edges / (double)n : 0;
  for (hg_off i = 0; i < n; i++) counted.isolated += !joined[i];
  *facts = counted;
done:
  hg_free(&joined);
  hg_graph_free(&block);
  return rc;
}
