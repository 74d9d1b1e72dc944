#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/alloc.h"
#include "partition/host_rows.h"
#include "runtime/cli/command.h"
#include "runtime/cli/info.h"

typedef struct {
  const char *path;
  bool json;
  int hosts; ///< 0: not asked for
} arguments;

enum { KEY_HOSTS = 256 };

static const struct argp_option options[] = {
    {"json", 'j', NULL, 0, "print a JSON object for a script", 0},
    {"hosts", KEY_HOSTS, "H", 0, "of a parts file: rows that cross between H hosts of consecutive parts", 0},
    {0}};

static int read_hosts(const char *text, int *hosts)
{
  char *end;
  long value = strtol(text, &end, 10);
  *hosts = value >= 1 && value <= 1 << 20 ? (int)value : 0;
  if (end != text && !*end && *hosts) return 0;
  return hg_command_error("--hosts: found '%s', expected a whole number from 1 to 1048576", text);
}

static error_t on_option(int key, char *arg, struct argp_state *state)
{
  arguments *a = state->input;
  switch (key) {
  case 'j':
    a->json = true;
    return 0;
  case KEY_HOSTS:
    return read_hosts(arg, &a->hosts);
  case ARGP_KEY_ARG:
    if (a->path) return hg_command_error("found a second FILE, '%s'", arg);
    a->path = arg;
    return 0;
  case ARGP_KEY_END:
    return a->path ? 0 : hg_command_error("expected a FILE");
  default:
    return ARGP_ERR_UNKNOWN;
  }
}

static json_t *covers_json(const hg_known_covers *covers)
{
  json_t *kinds = json_array();
  for (int c = 0; c < covers->n; c++) {
    const hg_cover_kind *k = &covers->kinds[c];
    json_array_append_new(kinds, json_pack("{s:i, s:i, s:i}", "steps", k->steps, "source", k->source, "sum", k->sum));
  }
  return kinds;
}

static hg_status parts_json(const char *path, const hg_parts_index *index, json_t **out)
{
  json_error_t error;
  json_t *quality = json_loads(index->quality_json, 0, &error), *nodes = json_array(), *interior = json_array(),
         *halo = json_array();
  if (!json_is_object(quality)) {
    json_decref(quality), json_decref(nodes), json_decref(interior), json_decref(halo);
    return hg_fail(HG_ERR_INPUT, "%s: attribute quality of /parts is no JSON object", path);
  }
  for (int p = 0; p < index->n_parts; p++) {
    json_array_append_new(nodes, json_integer(index->offsets[p + 1] - index->offsets[p]));
    json_array_append_new(interior, json_integer(index->n_interior[p]));
    json_array_append_new(halo, json_integer(index->halo_offsets[p + 1] - index->halo_offsets[p]));
  }
  *out = json_pack("{s:i, s:s, s:o, s:o, s:o, s:o, s:o}", "count", index->n_parts, "recipe", index->recipe, "quality",
                   quality, "nodes", nodes, "interior", interior, "halo", halo, "covers", covers_json(&index->covers));
  return *out ? HG_OK : hg_fail(HG_ERR_INPUT, "%s: attribute recipe of /parts is no UTF-8 text", path);
}

static void print_graph(const char *path, const hg_store_header *h, const hg_graph_facts *facts, bool parts)
{
  char size[32];
  hg_info_line("file", "%s", path);
  hg_info_line("kind", "%s, %s", parts ? "parts" : "graph", hg_info_file_size(path, size));
  hg_info_line("nodes", "%" PRId64, h->n_nodes);
  hg_info_line("edges", "%" PRId64 ", %s", h->n_edges,
               h->symmetric ? "symmetric (both directions counted)" : "directed");
  hg_info_line("degree", "min %" PRId64 ", mean %.2f, max %" PRId64, facts->degree_min, facts->degree_mean,
               facts->degree_max);
  hg_info_line("isolated nodes", "%" PRId64, facts->isolated);
  hg_info_features_and_labels(h, facts->unlabelled);
  if (h->n_dims > 0) hg_info_line("positions", "%d dimensions", h->n_dims);
  hg_info_line("made by", "%s", h->creator);
  hg_info_line("fingerprint", "%016" PRIx64, h->fingerprint);
}

static void print_covers(const hg_known_covers *covers)
{
  for (int c = 0; c < covers->n; c++) {
    const hg_cover_kind *k = &covers->kinds[c];
    char edges[64] = "all edges";
    if (k->steps != HG_COVER_ALL) snprintf(edges, sizeof edges, "edges to %d steps from a training node", k->steps);
    hg_info_line("covers", "of %s, rows of %d and of %d", edges, k->source, k->sum);
  }
}

static void print_parts(const hg_parts_index *index, json_t *quality)
{
  enum { MOST_LINES = 64 };
  const char *key;
  json_t *value;
  hg_info_line("parts", "%d", index->n_parts);
  hg_info_line("recipe", "%s", index->recipe);
  json_object_foreach(quality, key, value)
  {
    char *text = json_is_real(value) ? NULL : json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT);
    if (text)
      hg_info_line(key, "%s", text);
    else
      hg_info_line(key, "%.6g", json_real_value(value));
    free(text); // allow(malloc): jansson's
  }
  print_covers(&index->covers);
  printf("%-20s %12s %12s %12s\n", "part", "nodes", "interior", "halo");
  for (int p = 0; p < index->n_parts && p < MOST_LINES; p++)
    printf("%-20d %12" PRId64 " %12" PRId64 " %12" PRId64 "\n", p, index->offsets[p + 1] - index->offsets[p],
           index->n_interior[p], index->halo_offsets[p + 1] - index->halo_offsets[p]);
  if (index->n_parts > MOST_LINES) printf("(%d more with --json)\n", index->n_parts - MOST_LINES);
}

static const char *const host_keys[] = {
    "hosts",     "host_rows", "host_rows_unique", "host_rows_max", "host_rows_unique_max", "host_pairs_of_parts",
    "host_pairs"};

// Adds what --hosts asks for to the quality of the parts.
static hg_status add_hosts(const arguments *a, const hg_parts_index *index, json_t *quality)
{
  hg_host_rows r;
  if (a->hosts == 0) return HG_OK;
  hg_status rc = hg_host_rows_count(&r, index, a->hosts);
  if (rc != HG_OK) return hg_context(rc, "%s", a->path);
  const hg_off values[] = {r.hosts, r.rows, r.unique, r.rows_max, r.unique_max, r.pairs, r.host_pairs};
  for (size_t v = 0; v < sizeof values / sizeof *values; v++)
    json_object_set_new(quality, host_keys[v], json_integer(values[v]));
  return HG_OK;
}

static hg_status info_graph(const arguments *a, bool parts)
{
  hg_status rc = HG_OK;
  hg_store_header header;
  hg_graph_facts facts;
  hg_parts_index index = {0};
  json_t *object = NULL, *part = NULL;
  HG_TRY(hg_store_read_header(a->path, &header));
  HG_TRY(hg_graph_facts_read(a->path, &header, &facts));
  if (parts) {
    HG_TRY(hg_store_read_parts_index(a->path, -1, &index));
    HG_TRY(parts_json(a->path, &index, &part));
    HG_TRY(add_hosts(a, &index, json_object_get(part, "quality")));
  }
  if (a->json) {
    object = hg_info_json(a->path, &header, &facts);
    if (object) json_object_set_new(object, "kind", json_string(parts ? "parts" : "graph"));
    if (object && parts) json_object_set(object, "parts", part);
    HG_TRY(hg_info_print_json(object));
  } else {
    print_graph(a->path, &header, &facts, parts);
    if (parts) print_parts(&index, json_object_get(part, "quality"));
  }
done:
  json_decref(object);
  json_decref(part);
  hg_parts_index_free(&index);
  return rc;
}

typedef struct {
  json_t *attributes, *datasets; ///< "/object attribute" and "/object": text
} item_list;

static hg_status on_item(void *context, const char *object, const char *attribute, const char *text)
{
  item_list *list = context;
  char name[1024];
  snprintf(name, sizeof name, "%s%s%s", object, attribute ? " " : "", attribute ? attribute : "");
  if (json_object_set_new(attribute ? list->attributes : list->datasets, name, json_string(text)) == 0) return HG_OK;
  return hg_fail(HG_ERR_INPUT, "%s holds text that is no UTF-8", object);
}

static void print_items(json_t *items)
{
  const char *name;
  json_t *text;
  json_object_foreach(items, name, text) hg_info_line(name, "%s", json_string_value(text));
}

// A checkpoint belongs to training, which knows what it means; here its attributes and shapes are shown as they are.
static hg_status info_checkpoint(const arguments *a)
{
  hg_status rc = HG_OK;
  item_list list = {json_object(), json_object()};
  json_t *object = NULL;
  HG_TRY(hg_store_list(a->path, on_item, &list));
  if (a->json) {
    object = json_pack("{s:s, s:s, s:O, s:O}", "path", a->path, "kind", "checkpoint", "attributes", list.attributes,
                       "datasets", list.datasets);
    HG_TRY(hg_info_print_json(object));
  } else {
    hg_info_line("file", "%s", a->path);
    hg_info_line("kind", "checkpoint");
    print_items(list.attributes);
    print_items(list.datasets);
  }
done:
  json_decref(object);
  json_decref(list.attributes);
  json_decref(list.datasets);
  return rc;
}

hg_status hg_cmd_info(int argc, char **argv)
{
  const struct argp argp = {
      .options = options,
      .parser = on_option,
      .args_doc = "FILE",
      .doc =
          "Shows what a graph, collection, parts or checkpoint file holds. Graphs are read to their end and checked."};
  arguments a = {0};
  bool helped = false;
  hg_store_kind kind;
  hg_status rc = hg_command_parse(&argp, argc, argv, &a, &helped);
  if (rc != HG_OK || helped) return rc;
  rc = hg_store_kind_of(a.path, &kind);
  if (rc != HG_OK) return rc;
  if (a.hosts && kind != HG_STORE_PARTS)
    return hg_fail(HG_ERR_INPUT, "%s: holds no parts, expected a parts file with --hosts", a.path);
  if (kind == HG_STORE_COLLECTION) return hg_info_collection(a.path, a.json);
  return kind == HG_STORE_CHECKPOINT ? info_checkpoint(&a) : info_graph(&a, kind == HG_STORE_PARTS);
}
