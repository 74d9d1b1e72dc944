#include "core/graph/import.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "core/base/alloc.h"
#include "core/base/suggest.h"
#include "core/graph/import_fields.h"
#include "core/graph/store.h"

const hg_import_format hg_import_formats[] = {
    {"npz", ".npz",
     "a graph: adj_*, attr_* or attr_matrix, labels or y, *_idx, pos; or many: node_ptr, edge_ptr, edge_index, x, y, "
     "pos",
     hg_import_npz},
    {"edgelist", ".txt .csv .gz", "a line an edge: source, target; any 64-bit node numbers", hg_import_edgelist},
    {"mtx", ".mtx .mtx.gz", "Matrix Market coordinate, square; row u, column v is the edge u -> v", hg_import_mtx},
    {"metis", ".graph", "METIS text: a line a node with its neighbours, numbered from 1", hg_import_metis},
    {"ogb", "folder", "Open Graph Benchmark node or graph task: raw/*.csv.gz and split/SCHEME/*.csv.gz", hg_import_ogb},
    {"graphbolt", "folder", "DGL GraphBolt on-disk data set: metadata.yaml with npy and csv files",
     hg_import_graphbolt},
    {"mnist-idx", "folder", "images and labels of MNIST and its relatives: superpixel graphs or grids",
     hg_import_mnist},
    {"planetoid-npz", ".npz", "the same as npz", hg_import_npz},
    {0},
};

hg_status hg_import_find(const char *name, const hg_import_format **format)
{
  const char *names[sizeof hg_import_formats / sizeof *hg_import_formats];
  char list[256];
  size_t n = 0, used = 0;
  for (const hg_import_format *f = hg_import_formats; f->name; f++) {
    if (strcmp(f->name, name) == 0) {
      *format = f;
      return HG_OK;
    }
    names[n++] = f->name;
    used += (size_t)snprintf(list + used, sizeof list - used, "%s%s", used ? ", " : "", f->name);
  }
  names[n] = NULL;
  const char *near = hg_suggest(name, names);
  return hg_fail(HG_ERR_INPUT, "found format '%s', expected one of %s%s%s%s", name, list,
                 near ? "; did you mean '" : "", near ? near : "", near ? "'?" : "");
}

static hg_status count_labels(const hg_nodes *nodes, hg_import_report *report)
{
  if (nodes->task == HG_TASK_NONE) return HG_OK;
  for (hg_off i = 0; i < nodes->n; i++) {
    if (hg_nodes_labelled(nodes, i)) continue;
    report->unlabelled++;
    report->unlabelled_in_split += nodes->split && nodes->split[i] != HG_SPLIT_NONE;
  }
  if (!nodes->labels) return HG_OK;
  uint8_t *seen = NULL;
  hg_status rc = HG_ALLOC(seen, nodes->n_classes, "classes seen");
  if (rc != HG_OK) return rc;
  for (hg_off i = 0; i < nodes->n; i++)
    if (nodes->labels[i] >= 0) seen[nodes->labels[i]] = 1;
  for (int c = 0; c < nodes->n_classes; c++) report->empty_classes += !seen[c];
  hg_free(&seen);
  return rc;
}

void hg_imported_free(hg_imported *imported)
{
  hg_graph_free(&imported->graph);
  hg_collection_free(&imported->collection);
}

hg_nodes *hg_imported_items(hg_imported *imported)
{
  return imported->is_collection ? &imported->collection.items : &imported->graph.nodes;
}

hg_status hg_import_finish(hg_imported *out, const char *path, const hg_import_options *options,
                           hg_import_report *report)
{
  hg_status rc = HG_OK;
  hg_nodes *items = hg_imported_items(out);
  hg_graph *g = out->is_collection ? &out->collection.united : &out->graph;
  if (items->n == 0) HG_TRY(hg_fail(HG_ERR_INPUT, "%s: found no %s", path, out->is_collection ? "graphs" : "nodes"));
  const hg_id_map rows = hg_id_map_range(0, items->n);
  if (!items->original_ids) HG_TRY(hg_import_original_ids(items, &rows));
  HG_TRY(count_labels(items, report));
  if (options->symmetrize)
    g->symmetric = true;
  else
    HG_TRY(hg_graph_is_symmetric(g, &g->symmetric));
  HG_TRY(hg_context(out->is_collection ? hg_collection_check(&out->collection) : hg_graph_check(g), "%s", path));
done:
  return rc;
}

hg_status hg_import_read(hg_imported *out, const hg_import_format *format, const char *path,
                         const hg_import_options *options, hg_import_report *report)
{
  hg_status rc = HG_OK;
  hg_imported made = {0};
  *report = (hg_import_report){0};
  HG_TRY(format->read(&made, path, options, report));
  HG_TRY(hg_import_finish(&made, path, options, report));
  *out = made;
  made = (hg_imported){0};
done:
  hg_imported_free(&made);
  return rc;
}

hg_status hg_import_write(const char *path, const hg_imported *imported, const char *creator)
{
  return imported->is_collection ? hg_store_write_collection(path, &imported->collection, creator)
                                 : hg_store_write_graph(path, &imported->graph, creator);
}
