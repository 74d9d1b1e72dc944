#include "core/graph/import_fields.h"
#include "core/graph/text.h"

// The file is read three times (numbers, degrees, edges) rather than kept: memory stays that of the result.
typedef struct {
  const char *path;
  hg_id_map map;
  bool *weights_ignored;
} edge_file;

static hg_status add_ids(void *user, const hg_text *text, int64_t from, int64_t to)
{
  (void)text;
  hg_status rc = hg_id_map_add(user, from);
  return rc == HG_OK ? hg_id_map_add(user, to) : rc;
}

static hg_status each_edge(void *source, hg_status (*edge)(void *context, hg_gid from, hg_gid to), void *context)
{
  const edge_file *file = source;
  return hg_import_text_edges(file->path, &file->map, file->weights_ignored, edge, context);
}

hg_status hg_import_edgelist(hg_imported *out, const char *path, const hg_import_options *options,
                             hg_import_report *report)
{
  hg_graph *g = &out->graph;
  hg_status rc = HG_OK;
  edge_file file = {.path = path, .weights_ignored = &report->weights_ignored};
  if (options->nodes > 0) {
    HG_TRY(hg_import_check_nodes("--nodes", options->nodes));
    file.map = hg_id_map_range(0, options->nodes);
  } else {
    HG_TRY(hg_import_text_pairs(path, &report->weights_ignored, add_ids, &file.map));
    HG_TRY(hg_import_side_ids(&file.map, options));
    HG_TRY(hg_id_map_finish(&file.map));
  }
  HG_TRY(hg_csr_build(&g->adjacency, file.map.n, each_edge, &file, options->symmetrize, &report->build));
  g->nodes.n = file.map.n;
  HG_TRY(hg_import_original_ids(&g->nodes, &file.map));
  HG_TRY(hg_import_side_files(&g->nodes, &file.map, options));
done:
  hg_id_map_free(&file.map);
  return rc;
}
