#include <ctype.h>
#include <inttypes.h>
#include <string.h>

#include "core/base/alloc.h"
#include "core/graph/import_fields.h"
#include "core/graph/text.h"

// The file is read three times (numbers, degrees, edges) rather than kept: memory stays that of the result.
typedef struct {
  const char *path;
  hg_id_map map;
  bool *weights_ignored;
} edge_file;

typedef hg_status (*pair_user)(void *user, const hg_text *text, int64_t from, int64_t to);

// A line such as "id_1,id_2" or "source target" before the first edge.
static bool is_heading(const char *line)
{
  line += strspn(line, " \t\"");
  return isalpha((unsigned char)*line) || *line == '_';
}

// The third field, where there is one: a weight (further fields, such as times, mean nothing to us).
static hg_status look_at_weight(const hg_text *text, char *cursor, bool *weights_ignored)
{
  float weight;
  if (hg_text_is_end(cursor)) return HG_OK;
  hg_status rc = hg_text_float(text, &cursor, &weight, "a weight");
  if (rc == HG_OK && weight != 1) *weights_ignored = true;
  return rc;
}

static hg_status each_pair(const char *path, bool *weights_ignored, pair_user use, void *user)
{
  hg_status rc = HG_OK;
  hg_text text = {0};
  char *line;
  bool first = true;
  HG_TRY(hg_text_open(&text, path));
  for (;; first = false) {
    int64_t from, to;
    HG_TRY(hg_text_data_line(&text, &line));
    if (!line) break;
    if (first && is_heading(line)) continue;
    HG_TRY(hg_text_int(&text, &line, &from, "a node number"));
    HG_TRY(hg_text_int(&text, &line, &to, "a second node number"));
    HG_TRY(look_at_weight(&text, line, weights_ignored));
    HG_TRY(use(user, &text, from, to));
  }
done:
  hg_text_close(&text);
  return rc;
}

static hg_status add_ids(void *user, const hg_text *text, int64_t from, int64_t to)
{
  (void)text;
  hg_status rc = hg_id_map_add(user, from);
  return rc == HG_OK ? hg_id_map_add(user, to) : rc;
}

typedef struct {
  const hg_id_map *map;
  hg_status (*edge)(void *context, hg_gid from, hg_gid to);
  void *context;
} forwarder;

static hg_status forward(void *user, const hg_text *text, int64_t from, int64_t to)
{
  const forwarder *f = user;
  hg_gid u = hg_id_map_find(f->map, from), v = hg_id_map_find(f->map, to);
  if (u < 0 || v < 0)
    return hg_text_fail(text, "found node %" PRId64 ", expected %" PRId64 " to %" PRId64, u < 0 ? from : to,
                        f->map->first, f->map->first + f->map->n - 1);
  return f->edge(f->context, u, v);
}

static hg_status each_edge(void *source, hg_status (*edge)(void *context, hg_gid from, hg_gid to), void *context)
{
  edge_file *file = source;
  forwarder f = {&file->map, edge, context};
  return each_pair(file->path, file->weights_ignored, forward, &f);
}

hg_status hg_import_edgelist(hg_graph *g, const char *path, const hg_import_options *options, hg_import_report *report)
{
  hg_status rc = HG_OK;
  edge_file file = {.path = path, .weights_ignored = &report->weights_ignored};
  if (options->nodes > 0) {
    HG_TRY(hg_import_check_nodes("--nodes", options->nodes));
    file.map = hg_id_map_range(0, options->nodes);
  } else {
    HG_TRY(each_pair(path, &report->weights_ignored, add_ids, &file.map));
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
