#include <dirent.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "core/base/alloc.h"
#include "core/base/files.h"
#include "core/graph/import_fields.h"

enum { PATH_SIZE = 4096 };

typedef struct {
  char path[PATH_SIZE];
  hg_id_map map;
  bool *weights_ignored;
} edge_file;

// "folder/name.csv.gz", or without .gz where that is what is there; false when neither is.
static bool find_file(char path[PATH_SIZE], const char *folder, const char *name)
{
  snprintf(path, PATH_SIZE, "%.3000s/%.500s.csv", folder, name);
  if (hg_file_exists(path)) return true;
  snprintf(path, PATH_SIZE, "%.3000s/%.500s.csv.gz", folder, name);
  return hg_file_exists(path);
}

static hg_status need_file(char path[PATH_SIZE], const char *folder, const char *name)
{
  if (find_file(path, folder, name)) return HG_OK;
  return hg_fail(HG_ERR_INPUT, "%s: no such file, expected an Open Graph Benchmark folder with raw/ in it", path);
}

// The only number of raw/num-node-list or num-edge-list.
static hg_status read_size(const char *path, hg_off *size)
{
  hg_status rc = HG_OK;
  int64_t *list = NULL;
  hg_off count;
  HG_TRY(hg_import_text_list(path, &list, &count));
  if (count > 1)
    HG_TRY(hg_fail(HG_ERR_INPUT, "%s: lists %" PRId64 " graphs: the importer does not support graph collections yet",
                   path, count));
  if (count == 0) HG_TRY(hg_fail(HG_ERR_INPUT, "%s: the file is empty, expected a number", path));
  *size = list[0];
done:
  hg_free(&list);
  return rc;
}

static hg_status each_edge(void *source, hg_status (*edge)(void *context, hg_gid from, hg_gid to), void *context)
{
  const edge_file *file = source;
  return hg_import_text_edges(file->path, &file->map, file->weights_ignored, edge, context);
}

static hg_status read_edges(hg_graph *g, const char *folder, const hg_import_options *options, hg_import_report *report)
{
  hg_status rc = HG_OK;
  edge_file file = {.weights_ignored = &report->weights_ignored};
  char path[PATH_SIZE];
  hg_off n, edges;
  HG_TRY(need_file(path, folder, "raw/num-node-list"));
  HG_TRY(read_size(path, &n));
  HG_TRY(hg_import_check_nodes(path, n));
  file.map = hg_id_map_range(0, n);
  HG_TRY(need_file(file.path, folder, "raw/edge"));
  HG_TRY(hg_csr_build(&g->adjacency, n, each_edge, &file, options->symmetrize, &report->build));
  g->nodes.n = n;
  if (!find_file(path, folder, "raw/num-edge-list")) goto done;
  HG_TRY(read_size(path, &edges));
  if (edges != report->build.edges_in)
    HG_TRY(hg_fail(HG_ERR_INPUT, "%s: found %" PRId64 " edges, expected %" PRId64 " (num-edge-list)", file.path,
                   report->build.edges_in, edges));
done:
  return rc;
}

static hg_status read_nodes(hg_nodes *nodes, const char *folder, hg_task task)
{
  hg_status rc = HG_OK;
  char path[PATH_SIZE];
  float *values = NULL;
  hg_off width;
  if (find_file(path, folder, "raw/node-feat")) {
    HG_TRY(hg_import_text_matrix(path, nodes->n, &values, &width));
    HG_TRY(hg_import_dense(nodes, path, &values, width));
  }
  if (find_file(path, folder, "raw/node-label")) {
    HG_TRY(hg_import_text_matrix(path, nodes->n, &values, &width));
    HG_TRY(hg_import_truth(nodes, path, "node", values, (int)width, task));
  }
done:
  hg_free(&values);
  return rc;
}

// The only folder under split/; "" when there is none.
static hg_status only_scheme(const char *folder, char scheme[256])
{
  char path[PATH_SIZE];
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

static hg_status read_splits(hg_nodes *nodes, const char *folder, const char *scheme)
{
  static const char *const names[HG_SPLIT_COUNT] = {NULL, "train", "valid", "test"};
  hg_status rc = HG_OK;
  int64_t *ids = NULL;
  for (hg_split split = HG_SPLIT_TRAIN; split < HG_SPLIT_COUNT; split++) {
    char path[PATH_SIZE], name[512];
    hg_off count;
    snprintf(name, sizeof name, "split/%.255s/%s", scheme, names[split]);
    HG_TRY(need_file(path, folder, name));
    HG_TRY(hg_import_text_list(path, &ids, &count));
    HG_TRY(hg_import_mark(nodes, path, "node", ids, count, split));
    hg_free(&ids);
  }
done:
  hg_free(&ids);
  return rc;
}

hg_status hg_import_ogb(hg_imported *out, const char *path, const hg_import_options *options, hg_import_report *report)
{
  hg_graph *g = &out->graph;
  hg_status rc = HG_OK;
  char scheme[256];
  HG_TRY(read_edges(g, path, options, report));
  HG_TRY(read_nodes(&g->nodes, path, options->task));
  if (options->scheme)
    snprintf(scheme, sizeof scheme, "%.255s", options->scheme);
  else
    HG_TRY(only_scheme(path, scheme));
  if (scheme[0]) HG_TRY(read_splits(&g->nodes, path, scheme));
done:
  return rc;
}
