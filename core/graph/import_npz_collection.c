#include <inttypes.h>
#include <math.h>
#include <stdio.h>

#include "core/base/alloc.h"
#include "core/graph/import_fields.h"
#include "core/graph/import_npz.h"

// Graph g has the nodes node_ptr[g] .. node_ptr[g+1]-1 and the columns edge_ptr[g] .. edge_ptr[g+1]-1 of edge_index,
// whose two rows are sources and targets, numbered from 0 within the graph.
typedef struct {
  const hg_npz *npz;
  hg_off n_graphs, entries;
  const hg_off *node_ptr;
  hg_off *edge_ptr;   // [n_graphs + 1]
  int32_t *ends;      // [2 x entries] in either order
  hg_off row, column; // edge e goes from ends[e * column] to ends[row + e * column]
} file_edges;

static hg_status each_edge(void *source, hg_status (*edge)(void *context, hg_gid from, hg_gid to), void *context)
{
  const file_edges *f = source;
  hg_status rc = HG_OK;
  for (hg_off g = 0; g < f->n_graphs; g++) {
    hg_off first = f->node_ptr[g], n = f->node_ptr[g + 1] - first;
    for (hg_off e = f->edge_ptr[g]; e < f->edge_ptr[g + 1]; e++) {
      hg_gid from = f->ends[e * f->column], to = f->ends[f->row + e * f->column];
      if (from < 0 || from >= n || to < 0 || to >= n)
        return hg_fail(HG_ERR_INPUT,
                       "%s: edge_index: graph %" PRId64 ", edge %" PRId64 ": found node %" PRId64
                       ", expected 0 to %" PRId64 " (numbers from 0 in each graph)",
                       hg_npz_path(f->npz), g, e - f->edge_ptr[g], from < 0 || from >= n ? from : to, n - 1);
      HG_TRY(edge(context, first + from, first + to));
    }
  }
done:
  return rc;
}

static hg_status read_node_pointers(hg_npz *npz, hg_collection *c)
{
  const char *key = hg_npz_has(npz, "node_ptr") ? "node_ptr" : "graph_ptr";
  hg_status rc = HG_OK;
  hg_off count;
  HG_TRY(hg_npz_i64(npz, key, &c->graph_ptr, &count));
  if (count < 2)
    return hg_fail(HG_ERR_INPUT, "%s: %s: found %" PRId64 " elements, expected the graphs and 1", hg_npz_path(npz), key,
                   count);
  c->n_graphs = c->items.n = count - 1;
  c->united.nodes.n = c->graph_ptr[c->n_graphs];
  HG_TRY(hg_npz_check_pointers(npz, key, c->graph_ptr, c->n_graphs, c->united.nodes.n));
  for (hg_off g = 0; g < c->n_graphs; g++)
    if (c->graph_ptr[g + 1] == c->graph_ptr[g])
      return hg_fail(HG_ERR_INPUT, "%s: %s: graph %" PRId64 " is empty, expected at least one node", hg_npz_path(npz),
                     key, g);
  HG_TRY(hg_import_check_nodes(hg_npz_path(npz), c->united.nodes.n));
done:
  return rc;
}

// [2 x edges]; also columns first, as NumPy saves the transpose of a list of pairs
static hg_status read_ends(hg_npz *npz, file_edges *f)
{
  hg_status rc = HG_OK;
  hg_npy a = {0};
  HG_TRY(hg_npz_begin(npz, "edge_index", &a));
  if (a.n_dims != 2 || a.shape[0] != 2)
    HG_TRY(hg_fail(HG_ERR_INPUT, "%s: found %s, expected 2 rows: the sources and the targets of the edges", a.name,
                   hg_npy_describe(&a)));
  f->entries = a.shape[1];
  f->row = a.fortran ? 1 : f->entries;
  f->column = a.fortran ? 2 : 1;
  HG_TRY(HG_ALLOC(f->ends, a.count, "edge_index"));
  HG_TRY(hg_npy_i32_any_order(&a, f->ends, a.count));
  HG_TRY(hg_npz_end(npz));
done:
  return rc;
}

static hg_status read_edges(hg_npz *npz, hg_collection *c, bool symmetrize, hg_import_report *report)
{
  hg_status rc = HG_OK;
  file_edges f = {.npz = npz, .n_graphs = c->n_graphs, .node_ptr = c->graph_ptr};
  hg_off count;
  HG_TRY(hg_npz_i64(npz, "edge_ptr", &f.edge_ptr, &count));
  HG_TRY(hg_npz_expect_count(npz, "edge_ptr", count, c->n_graphs + 1, "the graphs and 1"));
  HG_TRY(read_ends(npz, &f));
  HG_TRY(hg_npz_check_pointers(npz, "edge_ptr", f.edge_ptr, c->n_graphs, f.entries));
  HG_TRY(hg_csr_build(&c->united.adjacency, c->united.nodes.n, each_edge, &f, symmetrize, &report->build));
done:
  hg_free(&f.edge_ptr);
  hg_free(&f.ends);
  return rc;
}

static hg_status expect_finite(const hg_npz *npz, const char *key, const hg_collection *c, const float *values,
                               hg_off width)
{
  for (hg_off g = 0; g < c->n_graphs; g++)
    for (hg_off e = c->graph_ptr[g] * width; e < c->graph_ptr[g + 1] * width; e++)
      if (!isfinite(values[e]))
        return hg_fail(HG_ERR_INPUT,
                       "%s: %s: graph %" PRId64 ", node %" PRId64 ", column %" PRId64
                       ": found %g, expected a finite number",
                       hg_npz_path(npz), key, g, e / width - c->graph_ptr[g], e % width, (double)values[e]);
  return HG_OK;
}

// [nodes x width], or a list of one number a node; *width is 0 when the archive has no such array.
static hg_status read_node_rows(hg_npz *npz, const char *key, const hg_collection *c, float **values, int *width)
{
  hg_status rc = HG_OK;
  hg_off shape[2];
  *width = 0;
  if (!hg_npz_has(npz, key)) return HG_OK;
  HG_TRY(hg_npz_f32(npz, key, values, shape));
  HG_TRY(hg_npz_expect_count(npz, key, shape[0], c->united.nodes.n, "rows: the nodes of all graphs"));
  HG_TRY(expect_finite(npz, key, c, *values, shape[1]));
  HG_TRY(hg_to_i32(width, shape[1], key));
  if (*width == 0) hg_free(values);
done:
  return rc;
}

// One integer a graph is its class; else numbers, where one that is no integer is a target.
static hg_status read_truth(hg_npz *npz, const char *key, hg_nodes *items, hg_task task)
{
  hg_status rc = HG_OK;
  int64_t *labels = NULL;
  float *values = NULL;
  hg_off shape[2];
  int32_t columns;
  hg_npy a = {0};
  char name[300];
  snprintf(name, sizeof name, "%.200s: %s", hg_npz_path(npz), key);
  HG_TRY(hg_npz_begin(npz, key, &a));
  if (a.n_dims < 1 || a.shape[0] != items->n)
    HG_TRY(hg_fail(HG_ERR_INPUT, "%s: found %s, expected a row for each of %" PRId64 " graphs", name,
                   hg_npy_describe(&a), items->n));
  if (a.kind == 'f' || a.count != items->n || task > HG_TASK_CLASSES) {
    if (task == HG_TASK_NONE && a.count == items->n) task = HG_TASK_REGRESSION;
    HG_TRY(hg_npz_f32(npz, key, &values, shape));
    HG_TRY(hg_to_i32(&columns, shape[1], name));
    HG_TRY(hg_import_truth(items, name, "graph", values, columns, task));
  } else {
    HG_TRY(hg_npz_i64(npz, key, &labels, NULL));
    HG_TRY(hg_import_labels(items, name, "graph", labels));
  }
done:
  hg_free(&labels);
  hg_free(&values);
  return rc;
}

static hg_status read_positions(hg_npz *npz, hg_collection *c)
{
  hg_nodes *nodes = &c->united.nodes;
  hg_status rc = read_node_rows(npz, "pos", c, &nodes->positions, &nodes->n_dims);
  if (rc != HG_OK || !hg_npz_has(npz, "pos")) return rc;
  return hg_npz_check_dims(npz, nodes->n_dims);
}

hg_status hg_npz_read_collection(hg_npz *npz, hg_collection *c, const hg_import_options *options,
                                 hg_import_report *report)
{
  hg_status rc = HG_OK;
  hg_nodes *nodes = &c->united.nodes;
  HG_TRY(read_node_pointers(npz, c));
  HG_TRY(read_edges(npz, c, options->symmetrize, report));
  HG_TRY(read_node_rows(npz, "x", c, &nodes->features.dense, &nodes->features.width));
  HG_TRY(read_positions(npz, c));
  if (hg_npz_has(npz, "y") || hg_npz_has(npz, "labels"))
    HG_TRY(read_truth(npz, hg_npz_has(npz, "y") ? "y" : "labels", &c->items, options->task));
  HG_TRY(hg_npz_read_splits(npz, &c->items, "graph"));
done:
  return rc;
}
