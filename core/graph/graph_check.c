#include <inttypes.h>
#include <math.h>

#include "core/base/alloc.h"
#include "core/graph/graph.h"

// Every message counts nodes as the complete graph does: `first` is the number of row 0.

static hg_status check_pointers(const hg_off *indptr, hg_off n, hg_gid first, const char *what)
{
  if (!indptr) return hg_fail(HG_ERR_INPUT, "%s have no row pointers", what);
  if (indptr[0] != 0) return hg_fail(HG_ERR_INPUT, "%s start at %" PRId64 ", expected 0", what, indptr[0]);
  for (hg_off i = 0; i < n; i++) {
    if (indptr[i + 1] < indptr[i])
      return hg_fail(HG_ERR_INPUT, "%s: the row pointer of node %" PRId64 " falls from %" PRId64 " to %" PRId64, what,
                     first + i, indptr[i], indptr[i + 1]);
  }
  return HG_OK;
}

static hg_status check_edges(const hg_csr *a, hg_gid first)
{
  hg_status rc = check_pointers(a->indptr, a->n_rows, first, "edges");
  if (rc != HG_OK) return rc;
  if (a->values) return hg_fail(HG_ERR_INPUT, "edges carry values, expected none");
  for (hg_off i = 0; i < a->n_rows; i++) {
    hg_gid last = -1;
    for (hg_off e = a->indptr[i]; e < a->indptr[i + 1]; e++) {
      hg_gid j = a->indices[e];
      if (j < 0 || j >= a->n_cols)
        return hg_fail(HG_ERR_INPUT, "node %" PRId64 ": in-neighbour %" PRId64 " is outside 0..%" PRId64, first + i, j,
                       a->n_cols - 1);
      if (j == first + i) return hg_fail(HG_ERR_INPUT, "node %" PRId64 " has a self-loop", first + i);
      if (j <= last)
        return hg_fail(HG_ERR_INPUT,
                       "node %" PRId64 ": in-neighbour %" PRId64 " follows %" PRId64 ", expected ascending order",
                       first + i, j, last);
      last = j;
    }
  }
  return HG_OK;
}

static hg_status check_finite(const float *values, hg_off rows, int width, hg_gid first, const char *what)
{
  for (hg_off i = 0; i < rows; i++) {
    for (int k = 0; k < width; k++) {
      if (!isfinite(values[i * width + k]))
        return hg_fail(HG_ERR_INPUT, "node %" PRId64 ": %s %d is %g, expected a finite number", first + i, what, k,
                       (double)values[i * width + k]);
    }
  }
  return HG_OK;
}

static hg_status check_sparse_features(const hg_features *x, hg_off n, hg_gid first)
{
  hg_status rc = check_pointers(x->indptr, n, first, "sparse features");
  if (rc != HG_OK) return rc;
  if (!x->indices || !x->values) return hg_fail(HG_ERR_INPUT, "sparse features lack indices or values");
  for (hg_off i = 0; i < n; i++) {
    int32_t last = -1;
    for (hg_off e = x->indptr[i]; e < x->indptr[i + 1]; e++) {
      int32_t k = x->indices[e];
      if (k < 0 || k >= x->width)
        return hg_fail(HG_ERR_INPUT, "node %" PRId64 ": feature %" PRId32 " is outside 0..%d", first + i, k,
                       x->width - 1);
      if (k <= last)
        return hg_fail(HG_ERR_INPUT,
                       "node %" PRId64 ": feature %" PRId32 " follows %" PRId32 ", expected ascending order", first + i,
                       k, last);
      if (!isfinite(x->values[e]))
        return hg_fail(HG_ERR_INPUT, "node %" PRId64 ": feature %" PRId32 " is %g, expected a finite number", first + i,
                       k, (double)x->values[e]);
      last = k;
    }
  }
  return HG_OK;
}

static hg_status check_features(const hg_features *x, hg_off n, hg_gid first)
{
  bool sparse = x->indptr || x->indices || x->values;
  if (x->width < 0) return hg_fail(HG_ERR_INPUT, "the width of the features is %d", x->width);
  if (x->width == 0 && (x->dense || sparse)) return hg_fail(HG_ERR_INPUT, "features of width 0 have data");
  if (x->width > 0 && (x->dense != NULL) == sparse)
    return hg_fail(HG_ERR_INPUT, "features are %s, expected dense or sparse", sparse ? "dense and sparse" : "missing");
  if (x->width == 0) return HG_OK;
  return sparse ? check_sparse_features(x, n, first) : check_finite(x->dense, n, x->width, first, "feature");
}

static hg_status check_classes(const hg_nodes *nodes, hg_gid first, const char *noun)
{
  for (hg_off i = 0; i < nodes->n; i++) {
    if (nodes->labels[i] < -1 || nodes->labels[i] >= nodes->n_classes)
      return hg_fail(HG_ERR_INPUT, "%s %" PRId64 ": label %" PRId32 " is outside -1..%d", noun, first + i,
                     nodes->labels[i], nodes->n_classes - 1);
  }
  return HG_OK;
}

static hg_status check_label_bits(const hg_nodes *nodes, hg_gid first, const char *noun)
{
  hg_off bytes = hg_label_bytes(nodes->n_classes);
  int used = nodes->n_classes % 8;
  for (hg_off i = 0; used != 0 && i < nodes->n; i++) {
    if (nodes->label_bits[(i + 1) * bytes - 1] >> used != 0)
      return hg_fail(HG_ERR_INPUT, "%s %" PRId64 ": a label bit beyond label %d is set", noun, first + i,
                     nodes->n_classes - 1);
  }
  return HG_OK;
}

static hg_status check_targets(const hg_nodes *nodes, hg_gid first, const char *noun)
{
  for (hg_off e = 0; e < nodes->n * nodes->n_classes; e++) {
    // NOLINTNEXTLINE(clang-analyzer-core.NullDereference): hg_graph_check looked for it
    if (isinf(nodes->targets[e]))
      return hg_fail(HG_ERR_INPUT, "%s %" PRId64 ": target %" PRId64 " is infinite", noun, first + e / nodes->n_classes,
                     e % nodes->n_classes);
  }
  return HG_OK;
}

static hg_status check_task(const hg_nodes *nodes, hg_gid first, const char *noun)
{
  hg_task task = nodes->task;
  if ((nodes->labels != NULL) != (task == HG_TASK_CLASSES) ||
      (nodes->label_bits != NULL) != (task == HG_TASK_MULTILABEL) ||
      (nodes->targets != NULL) != (task == HG_TASK_REGRESSION))
    return hg_fail(HG_ERR_INPUT, "the labels that are there do not fit the task %d", (int)task);
  if (task == HG_TASK_NONE) return HG_OK;
  if (nodes->n_classes < 1) return hg_fail(HG_ERR_INPUT, "there are %d classes, expected at least 1", nodes->n_classes);
  if (task == HG_TASK_CLASSES) return check_classes(nodes, first, noun);
  return task == HG_TASK_MULTILABEL ? check_label_bits(nodes, first, noun) : check_targets(nodes, first, noun);
}

static hg_status check_split(const hg_nodes *nodes, hg_gid first, const char *noun)
{
  for (hg_off i = 0; nodes->split && i < nodes->n; i++) {
    if (nodes->split[i] >= HG_SPLIT_COUNT)
      return hg_fail(HG_ERR_INPUT, "%s %" PRId64 ": split %d is outside 0..%d", noun, first + i, nodes->split[i],
                     HG_SPLIT_COUNT - 1);
  }
  return HG_OK;
}

// What is known of nodes, or of the graphs of a collection: all but features and positions
static hg_status check_truth(const hg_nodes *nodes, hg_gid first, const char *noun)
{
  hg_status rc = HG_OK;
  HG_TRY(check_task(nodes, first, noun));
  HG_TRY(check_split(nodes, first, noun));
  if (!nodes->original_ids) return hg_fail(HG_ERR_INPUT, "the %ss have no original ids", noun);
done:
  return rc;
}

hg_status hg_items_check(const hg_nodes *items) { return check_truth(items, 0, "graph"); }

static hg_status check_positions(const hg_nodes *nodes, hg_gid first)
{
  if (nodes->n_dims < 0 || (nodes->n_dims > 0) != (nodes->positions != NULL))
    return hg_fail(HG_ERR_INPUT, "%d dimensions %s positions", nodes->n_dims, nodes->positions ? "with" : "without");
  return check_finite(nodes->positions, nodes->n, nodes->n_dims, first, "position");
}

// Edges, features and positions of rows first, first + 1, ...
static hg_status check_structure(const hg_graph *slice, hg_gid first)
{
  const hg_csr *a = &slice->adjacency;
  if (a->n_cols > INT32_MAX || a->n_rows < 0 || first < 0 || first > a->n_cols - a->n_rows)
    return hg_fail(HG_ERR_INPUT, "rows %" PRId64 "..%" PRId64 " of %" PRId64 " nodes, expected at most %d", first,
                   first + a->n_rows - 1, a->n_cols, INT32_MAX);
  if (a->n_rows != slice->nodes.n)
    return hg_fail(HG_ERR_INPUT, "%" PRId64 " rows of edges for %" PRId64 " nodes", a->n_rows, slice->nodes.n);
  hg_status rc = HG_OK;
  HG_TRY(check_edges(a, first));
  HG_TRY(check_features(&slice->nodes.features, slice->nodes.n, first));
  HG_TRY(check_positions(&slice->nodes, first));
done:
  return rc;
}

hg_status hg_graph_check_rows(const hg_graph *slice, hg_gid first)
{
  hg_status rc = check_structure(slice, first);
  return rc != HG_OK ? rc : check_truth(&slice->nodes, first, "node");
}

hg_status hg_graph_check_edges(const hg_graph *slice, hg_gid first)
{
  hg_graph edges = {.adjacency = slice->adjacency, .nodes.n = slice->nodes.n};
  return check_structure(&edges, first);
}

hg_status hg_nodes_check(const hg_nodes *nodes, hg_gid first)
{
  hg_status rc = HG_OK;
  HG_TRY(check_features(&nodes->features, nodes->n, first));
  HG_TRY(check_positions(nodes, first));
  HG_TRY(check_truth(nodes, first, "node"));
done:
  return rc;
}

hg_status hg_graph_check_structure(const hg_graph *graph)
{
  const hg_csr *a = &graph->adjacency;
  if (a->n_rows != a->n_cols)
    return hg_fail(HG_ERR_INPUT, "the adjacency is %" PRId64 " x %" PRId64 ", expected a square", a->n_rows, a->n_cols);
  hg_status rc = HG_OK;
  bool symmetric;
  HG_TRY(check_structure(graph, 0));
  if (!graph->symmetric) return HG_OK;
  HG_TRY(hg_graph_is_symmetric(graph, &symmetric));
  if (!symmetric) rc = hg_fail(HG_ERR_INPUT, "the graph is marked symmetric and has an edge without its reverse");
done:
  return rc;
}

hg_status hg_graph_check(const hg_graph *graph)
{
  hg_status rc = hg_graph_check_structure(graph);
  return rc != HG_OK ? rc : check_truth(&graph->nodes, 0, "node");
}
