#include <dirent.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "core/base/alloc.h"
#include "core/base/files.h"
#include "core/graph/import_ogb.h"

typedef struct {
  char path[HG_OGB_PATH];
  hg_id_map map;
  bool *weights_ignored;
} edge_file;

bool hg_ogb_find_file(char path[HG_OGB_PATH], const char *folder, const char *name)
{
  snprintf(path, HG_OGB_PATH, "%.3000s/%.500s.csv", folder, name);
  if (hg_file_exists(path)) return true;
  snprintf(path, HG_OGB_PATH, "%.3000s/%.500s.csv.gz", folder, name);
  return hg_file_exists(path);
}

hg_status hg_ogb_need_file(char path[HG_OGB_PATH], const char *folder, const char *name)
{
  if (hg_ogb_find_file(path, folder, name)) return HG_OK;
  return hg_fail(HG_ERR_INPUT, "%s: no such file, expected an Open Graph Benchmark folder with raw/ in it", path);
}

static hg_status each_edge(void *source, hg_status (*edge)(void *context, hg_gid from, hg_gid to), void *context)
{
  const edge_file *file = source;
  return hg_import_text_edges(file->path, &file->map, file->weights_ignored, edge, context);
}

static hg_status expect_edges(const edge_file *file, const char *folder, hg_off found)
{
  hg_status rc = HG_OK;
  char path[HG_OGB_PATH];
  int64_t *list = NULL;
  hg_off count;
  if (!hg_ogb_find_file(path, folder, "raw/num-edge-list")) return HG_OK;
  HG_TRY(hg_import_text_list(path, &list, &count));
  if (count != 1)
    HG_TRY(hg_fail(HG_ERR_INPUT, "%s: found %" PRId64 " numbers, expected 1 as in num-node-list", path, count));
  if (found != list[0])
    HG_TRY(hg_fail(HG_ERR_INPUT, "%s: found %" PRId64 " edges, expected %" PRId64 " (num-edge-list)", file->path, found,
                   list[0]));
done:
  hg_free(&list);
  return rc;
}

static hg_status read_graph(hg_graph *g, const char *folder, hg_off n, const hg_import_options *options,
                            hg_import_report *report)
{
  hg_status rc = HG_OK;
  edge_file file = {.map = hg_id_map_range(0, n), .weights_ignored = &report->weights_ignored};
  HG_TRY(hg_ogb_need_file(file.path, folder, "raw/edge"));
  HG_TRY(hg_csr_build(&g->adjacency, n, each_edge, &file, options->symmetrize, &report->build));
  g->nodes.n = n;
  HG_TRY(expect_edges(&file, folder, report->build.edges_in));
  HG_TRY(hg_ogb_read_features(&g->nodes, folder));
  HG_TRY(hg_ogb_read_labels(&g->nodes, folder, "raw/node-label", "node", options->task));
done:
  return rc;
}

hg_status hg_ogb_read_features(hg_nodes *nodes, const char *folder)
{
  hg_status rc = HG_OK;
  char path[HG_OGB_PATH];
  float *values = NULL;
  hg_off width;
  if (!hg_ogb_find_file(path, folder, "raw/node-feat")) return HG_OK;
  HG_TRY(hg_import_text_matrix(path, nodes->n, &values, &width));
  HG_TRY(hg_import_dense(nodes, path, &values, width));
done:
  hg_free(&values);
  return rc;
}

hg_status hg_ogb_read_labels(hg_nodes *items, const char *folder, const char *name, const char *noun, hg_task task)
{
  hg_status rc = HG_OK;
  char path[HG_OGB_PATH];
  float *values = NULL;
  hg_off width;
  if (!hg_ogb_find_file(path, folder, name)) return HG_OK;
  HG_TRY(hg_import_text_matrix(path, items->n, &values, &width));
  HG_TRY(hg_import_truth(items, path, noun, values, (int)width, task));
done:
  hg_free(&values);
  return rc;
}

// The only folder under split/; "" when there is none.
static hg_status only_scheme(const char *folder, char scheme[256])
{
  char path[HG_OGB_PATH];
  hg_status rc = HG_OK;
  scheme[0] = '\0';
  snprintf(path, sizeof path, "%.3000s/split", folder);
  DIR *dir = opendir(path);
  if (!dir) return HG_OK;
  for (const struct dirent *e = readdir(dir); e && rc == HG_OK; e = readdir(dir)) {
    if (e->d_name[0] == '.') continue;
    if (scheme[0])
      rc = hg_fail(HG_ERR_INPUT, "%s: found several splits, '%s' and '%s': choose with --scheme", path, scheme,
                   e->d_name);
    else
      snprintf(scheme, 256, "%.255s", e->d_name);
  }
  closedir(dir);
  return rc;
}

static hg_status read_splits(hg_nodes *items, const char *folder, const char *scheme, const char *noun)
{
  static const char *const names[HG_SPLIT_COUNT] = {NULL, "train", "valid", "test"};
  hg_status rc = HG_OK;
  int64_t *ids = NULL;
  for (hg_split split = HG_SPLIT_TRAIN; split < HG_SPLIT_COUNT; split++) {
    char path[HG_OGB_PATH], name[512];
    hg_off count;
    snprintf(name, sizeof name, "split/%.255s/%s", scheme, names[split]);
    HG_TRY(hg_ogb_need_file(path, folder, name));
    HG_TRY(hg_import_text_list(path, &ids, &count));
    HG_TRY(hg_import_mark(items, path, noun, ids, count, split));
    hg_free(&ids);
  }
done:
  hg_free(&ids);
  return rc;
}

hg_status hg_import_ogb(hg_imported *out, const char *path, const hg_import_options *options, hg_import_report *report)
{
  hg_status rc = HG_OK;
  int64_t *sizes = NULL;
  hg_off count;
  char file[HG_OGB_PATH], scheme[256];
  HG_TRY(hg_ogb_need_file(file, path, "raw/num-node-list"));
  HG_TRY(hg_import_text_list(file, &sizes, &count));
  if (count == 0) HG_TRY(hg_fail(HG_ERR_INPUT, "%s: the file is empty, expected a number", file));
  out->is_collection = count > 1;
  if (out->is_collection) {
    out->collection.n_graphs = count;
    HG_TRY(hg_ogb_read_collection(&out->collection, path, sizes, options, report));
  } else {
    HG_TRY(hg_import_check_nodes(file, sizes[0]));
    HG_TRY(read_graph(&out->graph, path, sizes[0], options, report));
  }
  if (options->scheme)
    snprintf(scheme, sizeof scheme, "%.255s", options->scheme);
  else
    HG_TRY(only_scheme(path, scheme));
  if (scheme[0]) HG_TRY(read_splits(hg_imported_items(out), path, scheme, out->is_collection ? "graph" : "node"));
done:
  hg_free(&sizes);
  return rc;
}
