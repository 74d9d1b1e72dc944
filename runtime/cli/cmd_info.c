#include <inttypes.h>
#include <jansson.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "core/base/alloc.h"
#include "core/graph/store.h"
#include "runtime/cli/command.h"
#include "runtime/cli/graph_facts.h"

typedef struct {
  const char *path;
  bool json;
} arguments;

static const struct argp_option options[] = {{"json", 'j', NULL, 0, "print a JSON object for a script", 0}, {0}};

static error_t on_option(int key, char *arg, struct argp_state *state)
{
  arguments *a = state->input;
  switch (key) {
  case 'j':
    a->json = true;
    return 0;
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

static const char *task_name(hg_task task)
{
  static const char *const names[] = {"none", "classes", "multilabel", "regression"};
  return names[task];
}

static json_t *graph_json(const char *path, const hg_store_header *h, const hg_graph_facts *facts)
{
  char fingerprint[32];
  struct stat info;
  snprintf(fingerprint, sizeof fingerprint, "%016" PRIx64, h->fingerprint);
  const char *features = h->feature_width == 0 ? "none" : h->sparse_features ? "sparse" : "dense";
  return json_pack("{s:s, s:I, s:I, s:b, s:{s:s, s:i, s:I}, s:s, s:i, s:{s:I, s:I, s:I, s:I}, s:{s:I, s:f, s:I}, s:I, "
                   "s:I, s:i, s:I, "
                   "s:s, s:s}",
                   "path", path, "nodes", (json_int_t)h->n_nodes, "edges", (json_int_t)h->n_edges, "symmetric",
                   h->symmetric, "features", "kind", features, "width", h->feature_width, "entries",
                   (json_int_t)h->feature_entries, "task", task_name(h->task), "classes", h->n_classes, "split",
                   "train", (json_int_t)h->n_split[HG_SPLIT_TRAIN], "val", (json_int_t)h->n_split[HG_SPLIT_VAL], "test",
                   (json_int_t)h->n_split[HG_SPLIT_TEST], "none", (json_int_t)h->n_split[HG_SPLIT_NONE], "degree",
                   "min", (json_int_t)facts->degree_min, "mean", facts->degree_mean, "max",
                   (json_int_t)facts->degree_max, "isolated", (json_int_t)facts->isolated, "unlabelled",
                   (json_int_t)facts->unlabelled, "dimensions", h->n_dims, "bytes",
                   stat(path, &info) == 0 ? (json_int_t)info.st_size : (json_int_t)0, "creator", h->creator,
                   "fingerprint", fingerprint);
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
  *out = json_pack("{s:i, s:s, s:o, s:o, s:o, s:o}", "count", index->n_parts, "recipe", index->recipe, "quality",
                   quality, "nodes", nodes, "interior", interior, "halo", halo);
  return *out ? HG_OK : hg_fail(HG_ERR_INPUT, "%s: attribute recipe of /parts is no UTF-8 text", path);
}

static void line(const char *name, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

static void line(const char *name, const char *fmt, ...)
{
  char text[1024];
  va_list ap;
  va_start(ap, fmt);
  vsnprintf(text, sizeof text, fmt, ap);
  va_end(ap);
  printf("%-20s %s\n", name, text);
}

static const char *size_text(double bytes, char text[32])
{
  static const char *const units[] = {"bytes", "KiB", "MiB", "GiB", "TiB"};
  int unit = 0;
  for (; bytes >= 1024 && unit < 4; unit++) bytes /= 1024;
  snprintf(text, 32, unit == 0 ? "%.0f %s" : "%.1f %s", bytes, units[unit]);
  return text;
}

static void print_features_and_labels(const hg_store_header *h, const hg_graph_facts *facts)
{
  double entries = (double)h->n_nodes * h->feature_width;
  if (h->feature_width == 0)
    line("features", "none");
  else if (!h->sparse_features)
    line("features", "dense, width %d", h->feature_width);
  else
    line("features", "sparse, width %d, %" PRId64 " entries (%.2f %%)", h->feature_width, h->feature_entries,
         entries > 0 ? 100 * (double)h->feature_entries / entries : 0);
  if (h->task == HG_TASK_NONE)
    line("task", "none, no labels");
  else
    line("task", "%s, %d %s", task_name(h->task), h->n_classes, h->task == HG_TASK_REGRESSION ? "targets" : "classes");
  if (h->task == HG_TASK_CLASSES || h->task == HG_TASK_REGRESSION)
    line("unlabelled nodes", "%" PRId64, facts->unlabelled);
  line("split", "%" PRId64 " train, %" PRId64 " validation, %" PRId64 " test, %" PRId64 " in none",
       h->n_split[HG_SPLIT_TRAIN], h->n_split[HG_SPLIT_VAL], h->n_split[HG_SPLIT_TEST], h->n_split[HG_SPLIT_NONE]);
}

static void print_graph(const char *path, const hg_store_header *h, const hg_graph_facts *facts, bool parts)
{
  char size[32];
  struct stat info;
  line("file", "%s", path);
  line("kind", "%s, %s", parts ? "parts" : "graph", size_text(stat(path, &info) == 0 ? (double)info.st_size : 0, size));
  line("nodes", "%" PRId64, h->n_nodes);
  line("edges", "%" PRId64 ", %s", h->n_edges, h->symmetric ? "symmetric (both directions counted)" : "directed");
  line("degree", "min %" PRId64 ", mean %.2f, max %" PRId64, facts->degree_min, facts->degree_mean, facts->degree_max);
  line("isolated nodes", "%" PRId64, facts->isolated);
  print_features_and_labels(h, facts);
  if (h->n_dims > 0) line("positions", "%d dimensions", h->n_dims);
  line("made by", "%s", h->creator);
  line("fingerprint", "%016" PRIx64, h->fingerprint);
}

static void print_parts(const hg_parts_index *index, json_t *quality)
{
  enum { MOST_LINES = 64 };
  const char *key;
  json_t *value;
  line("parts", "%d", index->n_parts);
  line("recipe", "%s", index->recipe);
  json_object_foreach(quality, key, value)
  {
    char *text = json_is_real(value) ? NULL : json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT);
    if (text)
      line(key, "%s", text);
    else
      line(key, "%.6g", json_real_value(value));
    free(text); // allow(malloc): jansson's
  }
  printf("%-20s %12s %12s %12s\n", "part", "nodes", "interior", "halo");
  for (int p = 0; p < index->n_parts && p < MOST_LINES; p++)
    printf("%-20d %12" PRId64 " %12" PRId64 " %12" PRId64 "\n", p, index->offsets[p + 1] - index->offsets[p],
           index->n_interior[p], index->halo_offsets[p + 1] - index->halo_offsets[p]);
  if (index->n_parts > MOST_LINES) printf("(%d more with --json)\n", index->n_parts - MOST_LINES);
}

static hg_status print_json(json_t *object)
{
  char *text = object ? json_dumps(object, JSON_INDENT(2)) : NULL;
  if (!text) return hg_fail(HG_ERR_INPUT, "the file holds text that is no UTF-8");
  printf("%s\n", text);
  free(text); // allow(malloc): jansson's
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
  }
  if (a->json) {
    object = graph_json(a->path, &header, &facts);
    if (object) json_object_set_new(object, "kind", json_string(parts ? "parts" : "graph"));
    if (object && parts) json_object_set(object, "parts", part);
    HG_TRY(print_json(object));
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
  json_object_foreach(items, name, text) line(name, "%s", json_string_value(text));
}

// A checkpoint belongs to training, which knows what it means; here its attributes and shapes are shown as they are.
static hg_status info_any(const arguments *a, const char *kind)
{
  hg_status rc = HG_OK;
  item_list list = {json_object(), json_object()};
  json_t *object = NULL;
  HG_TRY(hg_store_list(a->path, on_item, &list));
  if (a->json) {
    object = json_pack("{s:s, s:s, s:O, s:O}", "path", a->path, "kind", kind, "attributes", list.attributes, "datasets",
                       list.datasets);
    HG_TRY(print_json(object));
  } else {
    line("file", "%s", a->path);
    line("kind", "%s", kind);
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
      .doc = "Shows what a graph, parts or checkpoint file holds. A graph is read to its end and checked."};
  arguments a = {0};
  bool helped = false;
  hg_store_kind kind;
  hg_status rc = hg_command_parse(&argp, argc, argv, &a, &helped);
  if (rc != HG_OK || helped) return rc;
  rc = hg_store_kind_of(a.path, &kind);
  if (rc != HG_OK) return rc;
  if (kind == HG_STORE_GRAPH || kind == HG_STORE_PARTS) return info_graph(&a, kind == HG_STORE_PARTS);
  return info_any(&a, kind == HG_STORE_CHECKPOINT ? "checkpoint" : "collection");
}
