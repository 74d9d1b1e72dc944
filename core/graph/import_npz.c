#include "core/graph/import_npz.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "core/base/alloc.h"
#include "core/graph/import_fields.h"

// The gnn-benchmark layout (Shchur et al. 2018): CSR adj_* and attr_* or dense attr_matrix, labels or y, *_idx, pos.
// Row u, column v of the adjacency is the edge u -> v, so that v aggregates from u.
typedef struct {
  hg_off n, entries;
  hg_off *indptr;   // [n + 1]
  int32_t *columns; // [entries]
} file_csr;

static hg_status each_edge(void *source, hg_status (*edge)(void *context, hg_gid from, hg_gid to), void *context)
{
  const file_csr *f = source;
  hg_status rc = HG_OK;
  for (hg_off u = 0; u < f->n; u++)
    for (hg_off e = f->indptr[u]; e < f->indptr[u + 1]; e++) HG_TRY(edge(context, u, f->columns[e]));
done:
  return rc;
}

static hg_status read_shape(hg_npz *npz, const char *key, int64_t shape[2])
{
  int64_t *values = NULL;
  hg_off count;
  hg_status rc = hg_npz_i64(npz, key, &values, &count);
  if (rc == HG_OK && count != 2)
    rc = hg_fail(HG_ERR_INPUT, "%s: %s: found %" PRId64 " numbers, expected 2", hg_npz_path(npz), key, count);
  if (rc == HG_OK) memcpy(shape, values, 2 * sizeof *shape);
  hg_free(&values);
  return rc;
}

hg_status hg_npz_expect_count(const hg_npz *npz, const char *key, hg_off found, hg_off expected, const char *what)
{
  if (found == expected) return HG_OK;
  return hg_fail(HG_ERR_INPUT, "%s: %s: found %" PRId64 " elements, expected %" PRId64 " (%s)", hg_npz_path(npz), key,
                 found, expected, what);
}

hg_status hg_npz_check_pointers(const hg_npz *npz, const char *key, const hg_off *indptr, hg_off n, hg_off entries)
{
  if (indptr[0] != 0)
    return hg_fail(HG_ERR_INPUT, "%s: %s: found %" PRId64 " first, expected 0", hg_npz_path(npz), key, indptr[0]);
  for (hg_off i = 0; i < n; i++)
    if (indptr[i + 1] < indptr[i])
      return hg_fail(HG_ERR_INPUT, "%s: %s: falls from %" PRId64 " to %" PRId64 " at %" PRId64 ", expected it to rise",
                     hg_npz_path(npz), key, indptr[i], indptr[i + 1], i + 1);
  if (indptr[n] != entries)
    return hg_fail(HG_ERR_INPUT, "%s: %s: found %" PRId64 " last, expected %" PRId64 " (the entries)", hg_npz_path(npz),
                   key, indptr[n], entries);
  return HG_OK;
}

// adj_data is looked at in chunks and not kept: the models have no use for weights yet.
static hg_status look_at_weights(hg_npz *npz, hg_off entries, bool *ignored)
{
  hg_status rc = HG_OK;
  float chunk[4096];
  hg_npy a = {0};
  HG_TRY(hg_npz_begin(npz, "adj_data", &a));
  HG_TRY(hg_npz_expect_count(npz, "adj_data", a.count, entries, "as adj_indices"));
  for (hg_off at = 0; at < entries;) {
    hg_off now = entries - at < 4096 ? entries - at : 4096;
    HG_TRY(hg_npy_f32(&a, chunk, now));
    for (hg_off k = 0; k < now; k++) {
      if (!isfinite(chunk[k]))
        HG_TRY(hg_fail(HG_ERR_INPUT, "%s: entry %" PRId64 ": found %g, expected a finite weight", a.name, at + k,
                       (double)chunk[k]));
      if (chunk[k] != 1) *ignored = true;
    }
    at += now;
  }
  HG_TRY(hg_npz_end(npz));
done:
  return rc;
}

static hg_status read_adjacency(hg_npz *npz, hg_graph *g, bool symmetrize, hg_import_report *report)
{
  hg_status rc = HG_OK;
  file_csr f = {0};
  int64_t shape[2];
  hg_off count;
  HG_TRY(read_shape(npz, "adj_shape", shape));
  if (shape[0] != shape[1])
    HG_TRY(hg_fail(HG_ERR_INPUT, "%s: adj_shape: found %" PRId64 " x %" PRId64 ", expected a square matrix",
                   hg_npz_path(npz), shape[0], shape[1]));
  f.n = shape[0];
  HG_TRY(hg_import_check_nodes(hg_npz_path(npz), f.n));
  HG_TRY(hg_npz_i64(npz, "adj_indptr", &f.indptr, &count));
  HG_TRY(hg_npz_expect_count(npz, "adj_indptr", count, f.n + 1, "the nodes of adj_shape and 1"));
  HG_TRY(hg_npz_i32(npz, "adj_indices", &f.columns, &f.entries));
  HG_TRY(hg_npz_check_pointers(npz, "adj_indptr", f.indptr, f.n, f.entries));
  if (hg_npz_has(npz, "adj_data")) HG_TRY(look_at_weights(npz, f.entries, &report->weights_ignored));
  HG_TRY(hg_context(hg_csr_build(&g->adjacency, f.n, each_edge, &f, symmetrize, &report->build), "%s: adj_indices",
                    hg_npz_path(npz)));
  g->nodes.n = f.n;
done:
  hg_free(&f.indptr);
  hg_free(&f.columns);
  return rc;
}

static hg_status read_sparse_features(hg_npz *npz, hg_nodes *nodes)
{
  hg_status rc = HG_OK;
  hg_features f = {0};
  int64_t shape[2];
  hg_off pointers, columns, values[2];
  char name[300];
  snprintf(name, sizeof name, "%.200s: attr", hg_npz_path(npz));
  HG_TRY(read_shape(npz, "attr_shape", shape));
  if (shape[0] != nodes->n)
    HG_TRY(hg_fail(HG_ERR_INPUT, "%s_shape: found %" PRId64 " rows, expected %" PRId64 " (the nodes)", name, shape[0],
                   nodes->n));
  if (shape[1] < 0) HG_TRY(hg_fail(HG_ERR_INPUT, "%s_shape: found %" PRId64 " columns", name, shape[1]));
  HG_TRY(hg_context(hg_to_i32(&f.width, shape[1], "features"), "%s_shape", name));
  HG_TRY(hg_npz_i64(npz, "attr_indptr", &f.indptr, &pointers));
  HG_TRY(hg_npz_expect_count(npz, "attr_indptr", pointers, nodes->n + 1, "the nodes and 1"));
  HG_TRY(hg_npz_i32(npz, "attr_indices", &f.indices, &columns));
  HG_TRY(hg_npz_f32(npz, "attr_data", &f.values, values));
  HG_TRY(hg_npz_expect_count(npz, "attr_data", values[0] * values[1], columns, "as attr_indices"));
  if (f.width > 0) HG_TRY(hg_import_sparse(nodes, name, &f, columns));
done:
  hg_free(&f.indptr);
  hg_free(&f.indices);
  hg_free(&f.values);
  return rc;
}

// An [n x f] or [n] array of numbers; HG_ERR_INPUT when its rows are not the nodes.
static hg_status read_rows(hg_npz *npz, const char *key, hg_off n, float **values, hg_off *width)
{
  hg_off shape[2];
  hg_status rc = hg_npz_f32(npz, key, values, shape);
  if (rc == HG_OK) rc = hg_npz_expect_count(npz, key, shape[0], n, "rows: the nodes");
  *width = rc == HG_OK ? shape[1] : 0;
  return rc;
}

static hg_status read_dense_features(hg_npz *npz, hg_nodes *nodes)
{
  hg_status rc = HG_OK;
  float *values = NULL;
  hg_off width;
  char name[300];
  snprintf(name, sizeof name, "%.200s: attr_matrix", hg_npz_path(npz));
  HG_TRY(read_rows(npz, "attr_matrix", nodes->n, &values, &width));
  HG_TRY(hg_import_dense(nodes, name, &values, width));
done:
  hg_free(&values);
  return rc;
}

// One label a node stays in integers: a float32 would round large ones silently.
static hg_status read_labels(hg_npz *npz, hg_nodes *nodes, hg_task task)
{
  hg_status rc = HG_OK;
  int64_t *labels = NULL;
  float *values = NULL;
  hg_off width;
  hg_npy a = {0};
  char name[300];
  snprintf(name, sizeof name, "%.200s: labels", hg_npz_path(npz));
  HG_TRY(hg_npz_begin(npz, "labels", &a));
  if (a.n_dims < 1 || a.shape[0] != nodes->n)
    HG_TRY(hg_fail(HG_ERR_INPUT, "%s: found %s, expected a row for each of %" PRId64 " nodes", name,
                   hg_npy_describe(&a), nodes->n));
  if (a.kind == 'f' || a.count != nodes->n || task > HG_TASK_CLASSES) {
    HG_TRY(read_rows(npz, "labels", nodes->n, &values, &width));
    HG_TRY(hg_import_truth(nodes, name, "node", values, (int)width, task));
  } else {
    HG_TRY(hg_npz_i64(npz, "labels", &labels, NULL));
    HG_TRY(hg_import_labels(nodes, name, "node", labels));
  }
done:
  hg_free(&labels);
  hg_free(&values);
  return rc;
}

static hg_status read_targets(hg_npz *npz, hg_nodes *nodes, hg_task task)
{
  hg_status rc = HG_OK;
  float *values = NULL;
  hg_off width;
  char name[300];
  snprintf(name, sizeof name, "%.200s: y", hg_npz_path(npz));
  HG_TRY(read_rows(npz, "y", nodes->n, &values, &width));
  HG_TRY(hg_import_truth(nodes, name, "node", values, (int)width, task == HG_TASK_NONE ? HG_TASK_REGRESSION : task));
done:
  hg_free(&values);
  return rc;
}

hg_status hg_npz_check_dims(const hg_npz *npz, hg_off width)
{
  if (width >= 1 && width <= 16) return HG_OK;
  return hg_fail(HG_ERR_INPUT, "%s: pos: found %" PRId64 " coordinates, expected 1 to 16", hg_npz_path(npz), width);
}

static hg_status read_positions(hg_npz *npz, hg_nodes *nodes)
{
  hg_status rc = HG_OK;
  hg_off width;
  char name[300];
  snprintf(name, sizeof name, "%.200s: pos", hg_npz_path(npz));
  HG_TRY(read_rows(npz, "pos", nodes->n, &nodes->positions, &width));
  HG_TRY(hg_npz_check_dims(npz, width));
  nodes->n_dims = (int)width;
  HG_TRY(hg_import_finite(name, nodes->positions, nodes->n, width));
done:
  return rc;
}

hg_status hg_npz_read_splits(hg_npz *npz, hg_nodes *items, const char *noun)
{
  static const char *const keys[HG_SPLIT_COUNT] = {NULL, "train_idx", "val_idx", "test_idx"};
  hg_status rc = HG_OK;
  int64_t *ids = NULL;
  for (hg_split split = HG_SPLIT_TRAIN; split < HG_SPLIT_COUNT; split++) {
    char name[300];
    hg_off count;
    if (!hg_npz_has(npz, keys[split])) continue;
    snprintf(name, sizeof name, "%.200s: %s", hg_npz_path(npz), keys[split]);
    HG_TRY(hg_npz_i64(npz, keys[split], &ids, &count));
    HG_TRY(hg_import_mark(items, name, noun, ids, count, split));
    hg_free(&ids);
  }
done:
  hg_free(&ids);
  return rc;
}

static hg_status recognise(hg_npz *npz)
{
  if (hg_npz_has(npz, "adj_indptr")) return HG_OK;
  char list[300];
  hg_npz_list(npz, list, sizeof list);
  return hg_fail(
      HG_ERR_INPUT,
      "%s: found no array adj_indptr, expected the gnn-benchmark layout: adj_indptr, adj_indices, adj_shape, ... "
      "(the arrays are: %s)",
      hg_npz_path(npz), list);
}

static hg_status read_graph(hg_npz *npz, hg_graph *g, const hg_import_options *options, hg_import_report *report)
{
  hg_status rc = HG_OK;
  hg_nodes *nodes = &g->nodes;
  HG_TRY(recognise(npz));
  HG_TRY(read_adjacency(npz, g, options->symmetrize, report));
  if (hg_npz_has(npz, "attr_matrix"))
    HG_TRY(read_dense_features(npz, nodes));
  else if (hg_npz_has(npz, "attr_indptr"))
    HG_TRY(read_sparse_features(npz, nodes));
  if (hg_npz_has(npz, "labels"))
    HG_TRY(read_labels(npz, nodes, options->task));
  else if (hg_npz_has(npz, "y"))
    HG_TRY(read_targets(npz, nodes, options->task));
  HG_TRY(hg_npz_read_splits(npz, nodes, "node"));
  if (hg_npz_has(npz, "pos")) HG_TRY(read_positions(npz, nodes));
done:
  return rc;
}

hg_status hg_import_npz_archive(hg_imported *out, hg_npz *npz, const hg_import_options *options,
                                hg_import_report *report)
{
  out->is_collection = hg_npz_has(npz, "node_ptr") || hg_npz_has(npz, "graph_ptr");
  return out->is_collection ? hg_npz_read_collection(npz, &out->collection, options, report)
                            : read_graph(npz, &out->graph, options, report);
}

hg_status hg_import_npz(hg_imported *out, const char *path, const hg_import_options *options, hg_import_report *report)
{
  hg_npz *npz = NULL;
  hg_status rc = HG_OK;
  HG_TRY(hg_npz_open(&npz, path));
  HG_TRY(hg_import_npz_archive(out, npz, options, report));
done:
  hg_npz_close(&npz);
  return rc;
}
