#include <ctype.h>
#include <inttypes.h>
#include <string.h>

#include "core/graph/import_fields.h"

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

hg_status hg_import_text_pairs(const char *path, bool *weights_ignored, hg_import_pair use, void *user)
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

hg_status hg_import_text_edges(const char *path, const hg_id_map *map, bool *weights_ignored,
                               hg_status (*edge)(void *context, hg_gid from, hg_gid to), void *context)
{
  forwarder f = {map, edge, context};
  return hg_import_text_pairs(path, weights_ignored, forward, &f);
}
