#include <inttypes.h>
#include <string.h>

#include "core/base/alloc.h"
#include "core/graph/graph.h"

// new_of[old] = new, and proof that `order` is a permutation
static hg_status invert(const hg_lid *order, hg_off n, hg_lid *new_of)
{
  for (hg_off i = 0; i < n; i++) new_of[i] = -1;
  for (hg_off i = 0; i < n; i++) {
    if (order[i] < 0 || order[i] >= n || new_of[order[i]] >= 0)
      return hg_fail(HG_ERR_INTERNAL, "order[%" PRId64 "] = %" PRId32 " is no permutation of %" PRId64 " nodes", i,
                     order[i], n);
    new_of[order[i]] = (hg_lid)i;
  }
  return HG_OK;
}

/*
 * Goes over the sources in their new order and appends each to the rows of the nodes that it points to, so that
 * rows come out ascending without a sort. `outgoing` row j lists the nodes i of j -> i: the adjacency itself when
 * it is symmetric.
 */
static hg_status permute_edges(hg_csr *out, const hg_csr *a, const hg_csr *outgoing, const hg_lid *order,
                               const hg_lid *new_of)
{
  hg_status rc = HG_OK;
  hg_off *next = NULL;
  HG_TRY(hg_csr_create(out, a->n_rows, a->n_cols, a->indptr[a->n_rows], false, "reordered edges"));
  HG_TRY(HG_ALLOC(next, a->n_rows, "row cursors"));
  for (hg_off i = 0; i < a->n_rows; i++) {
    next[i] = out->indptr[i];
    out->indptr[i + 1] = out->indptr[i] + a->indptr[order[i] + 1] - a->indptr[order[i]];
  }
  for (hg_off j = 0; j < a->n_rows; j++) {
    for (hg_off e = outgoing->indptr[order[j]]; e < outgoing->indptr[order[j] + 1]; e++) {
      hg_lid i = new_of[outgoing->indices[e]];
      if (next[i] == out->indptr[i + 1]) {
        rc = hg_fail(HG_ERR_INTERNAL, "node %" PRId32 ": the graph is marked symmetric and is not",
                     outgoing->indices[e]);
        goto done;
      }
      out->indices[next[i]++] = (hg_lid)j;
    }
  }
done:
  hg_free(&next);
  return rc;
}

static hg_status permute_adjacency(hg_csr *out, const hg_graph *graph, const hg_lid *order, const hg_lid *new_of)
{
  hg_csr transposed = {0};
  hg_status rc = HG_OK;
  if (!graph->symmetric) HG_TRY(hg_csr_transpose(&transposed, &graph->adjacency));
  rc = permute_edges(out, &graph->adjacency, graph->symmetric ? &graph->adjacency : &transposed, order, new_of);
done:
  hg_csr_free(&transposed);
  return rc;
}

// *out = rows order[0], order[1], ... of `rows`, each `bytes` long; NULL stays NULL
static hg_status permute_rows(void *out, const void *rows, hg_off n, size_t bytes, const hg_lid *order,
                              const char *what)
{
  if (!rows) return HG_OK;
  hg_status rc = hg_alloc(out, n, bytes, what);
  if (rc != HG_OK) return rc;
  unsigned char *to;
  memcpy(&to, out, sizeof to);
  for (hg_off i = 0; i < n; i++)
    memcpy(to + (size_t)i * bytes, (const unsigned char *)rows + (size_t)order[i] * bytes, bytes);
  return HG_OK;
}

static hg_status permute_sparse(hg_features *out, const hg_features *x, hg_off n, const hg_lid *order)
{
  hg_status rc = HG_OK;
  HG_TRY(HG_ALLOC(out->indptr, n + 1, "feature pointers"));
  HG_TRY(HG_ALLOC(out->indices, x->indptr[n], "feature indices"));
  HG_TRY(HG_ALLOC(out->values, x->indptr[n], "feature values"));
  for (hg_off i = 0; i < n; i++) {
    hg_off from = x->indptr[order[i]], to = out->indptr[i], count = x->indptr[order[i] + 1] - from;
    memcpy(out->indices + to, x->indices + from, (size_t)count * sizeof *x->indices);
    memcpy(out->values + to, x->values + from, (size_t)count * sizeof *x->values);
    out->indptr[i + 1] = to + count;
  }
done:
  return rc;
}

static hg_status permute_nodes(hg_nodes *out, const hg_nodes *from, const hg_lid *order)
{
  hg_off n = from->n;
  size_t width = (size_t)from->features.width, classes = (size_t)from->n_classes, dims = (size_t)from->n_dims;
  hg_status rc = HG_OK;
  *out = (hg_nodes){.n = n, .task = from->task, .n_classes = from->n_classes, .n_dims = from->n_dims};
  out->features.width = from->features.width;
  HG_TRY(permute_rows(&out->features.dense, from->features.dense, n, width * sizeof(float), order, "features"));
  if (from->features.indptr) HG_TRY(permute_sparse(&out->features, &from->features, n, order));
  HG_TRY(permute_rows(&out->labels, from->labels, n, sizeof *out->labels, order, "labels"));
  HG_TRY(permute_rows(&out->label_bits, from->label_bits, n, (size_t)hg_label_bytes(from->n_classes), order,
                      "label bits"));
  HG_TRY(permute_rows(&out->targets, from->targets, n, classes * sizeof(float), order, "targets"));
  HG_TRY(permute_rows(&out->split, from->split, n, 1, order, "split"));
  HG_TRY(permute_rows(&out->positions, from->positions, n, dims * sizeof(float), order, "positions"));
  HG_TRY(permute_rows(&out->original_ids, from->original_ids, n, sizeof(int64_t), order, "original ids"));
done:
  return rc;
}

hg_status hg_graph_permute(hg_graph *out, const hg_graph *graph, const hg_lid *order)
{
  hg_status rc = HG_OK;
  hg_lid *new_of = NULL;
  hg_graph made = {.symmetric = graph->symmetric};
  HG_TRY(HG_ALLOC(new_of, graph->nodes.n, "new numbers"));
  HG_TRY(invert(order, graph->nodes.n, new_of));
  HG_TRY(permute_adjacency(&made.adjacency, graph, order, new_of));
  HG_TRY(permute_nodes(&made.nodes, &graph->nodes, order));
  *out = made;
  made = (hg_graph){0};
done:
  hg_free(&new_of);
  hg_graph_free(&made);
  return rc;
}

// What moving rows in place needs: a mark a row, and room for the longest row.
typedef struct {
  hg_off n;
  const hg_lid *order;
  uint8_t *moved; // [n]
  unsigned char *row;
} cycles;

// Row i becomes row order[i]
static void move_rows(const cycles *c, void *data, size_t bytes)
{
  unsigned char *rows = data;
  if (!rows || bytes == 0) return;
  memset(c->moved, 0, (size_t)c->n);
  for (hg_off first = 0; first < c->n; first++) {
    if (c->moved[first]) continue;
    hg_off i = first;
    memcpy(c->row, rows + (size_t)first * bytes, bytes);
    for (; c->order[i] != first; i = c->order[i]) {
      memcpy(rows + (size_t)i * bytes, rows + (size_t)c->order[i] * bytes, bytes);
      c->moved[i] = 1;
    }
    memcpy(rows + (size_t)i * bytes, c->row, bytes);
    c->moved[i] = 1;
  }
}

static void move_nodes(hg_nodes *nodes, const cycles *c)
{
  size_t width = (size_t)nodes->features.width, classes = (size_t)nodes->n_classes, dims = (size_t)nodes->n_dims;
  move_rows(c, nodes->features.dense, width * sizeof(float));
  move_rows(c, nodes->labels, sizeof *nodes->labels);
  move_rows(c, nodes->label_bits, (size_t)hg_label_bytes(nodes->n_classes));
  move_rows(c, nodes->targets, classes * sizeof(float));
  move_rows(c, nodes->split, 1);
  move_rows(c, nodes->positions, dims * sizeof(float));
  move_rows(c, nodes->original_ids, sizeof(int64_t));
}

static size_t longest_row(const hg_nodes *nodes)
{
  size_t width = (size_t)nodes->features.width, classes = (size_t)nodes->n_classes, dims = (size_t)nodes->n_dims;
  return (width > classes ? width : classes) * sizeof(float) + dims * sizeof(float) + sizeof(int64_t);
}

static hg_status reorder_nodes(hg_nodes *nodes, const hg_lid *order)
{
  hg_status rc = HG_OK;
  hg_features sparse = {.width = nodes->features.width};
  cycles c = {.n = nodes->n, .order = order};
  HG_TRY(HG_ALLOC(c.moved, nodes->n, "rows that were moved"));
  HG_TRY(hg_alloc(&c.row, (hg_off)longest_row(nodes), 1, "a row that is moved"));
  if (nodes->features.indptr) {
    HG_TRY(permute_sparse(&sparse, &nodes->features, nodes->n, order));
    hg_features_free(&nodes->features);
    nodes->features = sparse;
    sparse = (hg_features){0};
  }
  move_nodes(nodes, &c);
done:
  hg_free(&c.moved);
  hg_free(&c.row);
  hg_features_free(&sparse);
  return rc;
}

hg_status hg_nodes_reorder(hg_nodes *nodes, const hg_lid *order)
{
  hg_status rc = HG_OK;
  hg_lid *new_of = NULL;
  HG_TRY(HG_ALLOC(new_of, nodes->n, "new numbers"));
  HG_TRY(invert(order, nodes->n, new_of));
  HG_TRY(reorder_nodes(nodes, order));
done:
  hg_free(&new_of);
  return rc;
}

hg_status hg_graph_reorder(hg_graph *graph, const hg_lid *order)
{
  hg_status rc = HG_OK;
  hg_lid *new_of = NULL;
  hg_csr adjacency = {0};
  HG_TRY(HG_ALLOC(new_of, graph->nodes.n, "new numbers"));
  HG_TRY(invert(order, graph->nodes.n, new_of));
  HG_TRY(permute_adjacency(&adjacency, graph, order, new_of));
  HG_TRY(reorder_nodes(&graph->nodes, order)); // the last that can fail, and then nothing was moved
  hg_csr_free(&graph->adjacency);
  graph->adjacency = adjacency;
  adjacency = (hg_csr){0};
done:
  hg_free(&new_of);
  hg_csr_free(&adjacency);
  return rc;
}
