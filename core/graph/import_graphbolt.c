#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <yaml.h>

#include "core/base/alloc.h"
#include "core/base/files.h"
#include "core/graph/import_fields.h"
#include "core/graph/npy.h"

// DGL GraphBolt, OnDiskDataset: metadata.yaml and what it names. One type of nodes and of edges.
enum { PATH_SIZE = 4096 };

typedef struct {
  char folder[PATH_SIZE / 2], file[PATH_SIZE]; // where metadata.yaml is, and itself
  yaml_document_t document;
} metadata;

typedef struct {
  char path[PATH_SIZE];
  bool is_csv;
} array_file;

static yaml_node_t *value_of(metadata *m, const yaml_node_t *map, const char *key)
{
  if (!map || map->type != YAML_MAPPING_NODE) return NULL;
  for (const yaml_node_pair_t *pair = map->data.mapping.pairs.start; pair < map->data.mapping.pairs.top; pair++) {
    const yaml_node_t *name = yaml_document_get_node(&m->document, pair->key);
    if (name && name->type == YAML_SCALAR_NODE && strcmp((const char *)name->data.scalar.value, key) == 0)
      return yaml_document_get_node(&m->document, pair->value);
  }
  return NULL;
}

// NULL when it is missing or empty
static const char *text_of(metadata *m, const yaml_node_t *map, const char *key)
{
  const yaml_node_t *value = value_of(m, map, key);
  if (!value || value->type != YAML_SCALAR_NODE) return NULL;
  const char *text = (const char *)value->data.scalar.value;
  return *text && strcmp(text, "null") != 0 && strcmp(text, "~") != 0 ? text : NULL;
}

static int items_of(const yaml_node_t *list)
{
  if (!list || list->type != YAML_SEQUENCE_NODE) return 0;
  return (int)(list->data.sequence.items.top - list->data.sequence.items.start);
}

static yaml_node_t *item_of(metadata *m, const yaml_node_t *list, int k)
{
  return yaml_document_get_node(&m->document, list->data.sequence.items.start[k]);
}

static hg_status fail_at(const metadata *m, const yaml_node_t *node, const char *what)
{
  return hg_fail(HG_ERR_INPUT, "%s: line %zu: %s", m->file, node ? node->start_mark.line + 1 : 1, what);
}

static hg_status load(metadata *m, const char *path)
{
  size_t length = strlen(path);
  bool is_file = length > 5 && strcmp(path + length - 5, ".yaml") == 0;
  const char *slash = is_file ? strrchr(path, '/') : NULL;
  int keep = !is_file ? (int)length : slash ? (int)(slash - path) : 0;
  if (length >= sizeof m->folder) return hg_fail(HG_ERR_INPUT, "%s: the path is too long", path);
  snprintf(m->folder, sizeof m->folder, "%.*s", is_file && !slash ? 1 : keep, is_file && !slash ? "." : path);
  snprintf(m->file, sizeof m->file, "%s%s", path, is_file ? "" : "/metadata.yaml");
  FILE *file = fopen(m->file, "rb");
  if (!file) return hg_fail(HG_ERR_INPUT, "%s: cannot open: %s", m->file, strerror(errno));
  yaml_parser_t parser;
  hg_status rc = HG_OK;
  if (!yaml_parser_initialize(&parser))
    rc = hg_fail(HG_ERR_MEMORY, "out of memory: YAML parser");
  else {
    yaml_parser_set_input_file(&parser, file);
    if (!yaml_parser_load(&parser, &m->document))
      rc = hg_fail(HG_ERR_INPUT, "%s: line %zu: %s", m->file, parser.problem_mark.line + 1,
                   parser.problem ? parser.problem : "no YAML");
    yaml_parser_delete(&parser);
  }
  fclose(file);
  return rc;
}

static hg_status file_of(metadata *m, const yaml_node_t *entry, array_file *file)
{
  const char *path = text_of(m, entry, "path"), *format = text_of(m, entry, "format");
  if (!path) return fail_at(m, entry, "found no path");
  if (!format || (strcmp(format, "numpy") != 0 && strcmp(format, "csv") != 0)) {
    char text[128];
    snprintf(text, sizeof text, "found format '%.40s', expected numpy or csv", format ? format : "");
    return fail_at(m, entry, text);
  }
  file->is_csv = strcmp(format, "csv") == 0;
  if (*path == '/')
    snprintf(file->path, sizeof file->path, "%.*s", PATH_SIZE - 1, path);
  else
    snprintf(file->path, sizeof file->path, "%s/%.*s", m->folder, PATH_SIZE / 2 - 2, path);
  return HG_OK;
}

// The only item of a list that has one for each type of node or edge.
static hg_status only_type(metadata *m, const yaml_node_t *list, const char *what, yaml_node_t **item)
{
  char text[128];
  int n = items_of(list);
  *item = NULL;
  if (n != 1) {
    snprintf(text, sizeof text, "found %d types of %s, expected one: heterogeneous graphs are not supported", n, what);
    return fail_at(m, list, text);
  }
  *item = item_of(m, list, 0);
  return HG_OK;
}

static hg_status read_number(metadata *m, const yaml_node_t *map, const char *key, hg_off *number)
{
  const char *text = text_of(m, map, key);
  char *end = NULL, message[128];
  errno = 0;
  *number = text ? strtoll(text, &end, 10) : -1;
  if (text && end != text && !*end && !errno && *number >= 0) return HG_OK;
  snprintf(message, sizeof message, "%s: found '%.40s', expected a number", key, text ? text : "");
  return fail_at(m, map, message);
}

typedef struct {
  array_file file;
  hg_id_map map;
  bool *weights_ignored;
} edge_file;

typedef hg_status (*edge_user)(void *context, hg_gid from, hg_gid to);

static hg_status use_edges(const hg_npy *a, const int64_t *from, const int64_t *to, hg_off step, hg_off n, hg_off nodes,
                           edge_user edge, void *context)
{
  hg_status rc = HG_OK;
  for (hg_off k = 0; k < n; k++) {
    int64_t u = from[k * step], v = to[k * step];
    if (u < 0 || u >= nodes || v < 0 || v >= nodes)
      HG_TRY(hg_fail(HG_ERR_INPUT, "%s: found edge %" PRId64 " -> %" PRId64 ", expected nodes 0 to %" PRId64, a->name,
                     u, v, nodes - 1));
    HG_TRY(edge(context, u, v));
  }
done:
  return rc;
}

enum { CHUNK = 8192 };

// Pairs stand side by side: [E, 2] by rows, or [2, E] by columns.
static hg_status each_pair(hg_npy *a, hg_off nodes, edge_user edge, void *context)
{
  hg_status rc = HG_OK;
  int64_t pairs[2 * CHUNK];
  for (hg_off at = 0, n = a->count / 2; at < n; at += CHUNK) {
    hg_off now = n - at < CHUNK ? n - at : CHUNK;
    HG_TRY(hg_npy_i64_any_order(a, pairs, 2 * now));
    HG_TRY(use_edges(a, pairs, pairs + 1, 2, now, nodes, edge, context));
  }
done:
  return rc;
}

// All sources stand before all targets: a second reader of the same file starts at the targets.
static hg_status each_of_halves(hg_npy *from, const char *path, hg_off nodes, edge_user edge, void *context)
{
  hg_status rc = HG_OK;
  hg_npy_file second = {0};
  int64_t sources[CHUNK], targets[CHUNK];
  hg_off n = from->count / 2;
  HG_TRY(hg_npy_open(&second, path));
  for (hg_off at = 0; at < n; at += CHUNK)
    HG_TRY(hg_npy_i64_any_order(&second.array, targets, n - at < CHUNK ? n - at : CHUNK));
  for (hg_off at = 0; at < n; at += CHUNK) {
    hg_off now = n - at < CHUNK ? n - at : CHUNK;
    HG_TRY(hg_npy_i64_any_order(from, sources, now));
    HG_TRY(hg_npy_i64_any_order(&second.array, targets, now));
    HG_TRY(use_edges(from, sources, targets, 1, now, nodes, edge, context));
  }
done:
  hg_npy_close(&second);
  return rc;
}

static hg_status each_edge(void *source, edge_user edge, void *context)
{
  const edge_file *f = source;
  hg_status rc = HG_OK;
  hg_npy_file file = {0};
  if (f->file.is_csv) return hg_import_text_edges(f->file.path, &f->map, f->weights_ignored, edge, context);
  HG_TRY(hg_npy_open(&file, f->file.path));
  hg_npy *a = &file.array;
  if (a->n_dims != 2 || (a->shape[0] != 2 && a->shape[1] != 2))
    HG_TRY(hg_fail(HG_ERR_INPUT, "%s: found %s, expected edges as [2, E]", f->file.path, hg_npy_describe(a)));
  if ((a->shape[0] == 2) != a->fortran)
    HG_TRY(each_of_halves(a, f->file.path, f->map.n, edge, context));
  else
    HG_TRY(each_pair(a, f->map.n, edge, context));
done:
  hg_npy_close(&file);
  return rc;
}

static hg_status read_graph(metadata *m, hg_graph *g, const hg_import_options *options, hg_import_report *report)
{
  hg_status rc = HG_OK;
  edge_file f = {.weights_ignored = &report->weights_ignored};
  yaml_node_t *graph = value_of(m, yaml_document_get_root_node(&m->document), "graph"), *nodes, *edges;
  hg_off n;
  if (!graph) HG_TRY(fail_at(m, NULL, "found no key graph, expected a GraphBolt data set"));
  HG_TRY(only_type(m, value_of(m, graph, "nodes"), "nodes", &nodes));
  HG_TRY(only_type(m, value_of(m, graph, "edges"), "edges", &edges));
  HG_TRY(read_number(m, nodes, "num", &n));
  HG_TRY(hg_import_check_nodes(m->file, n));
  HG_TRY(file_of(m, edges, &f.file));
  f.map = hg_id_map_range(0, n);
  HG_TRY(hg_csr_build(&g->adjacency, n, each_edge, &f, options->symmetrize, &report->build));
  g->nodes.n = n;
done:
  return rc;
}

// A matrix of `rows` rows. One dimension is one column.
static hg_status read_matrix(const array_file *file, hg_off rows, float **values, hg_off *columns)
{
  hg_status rc = HG_OK;
  hg_npy_file npy = {0};
  if (file->is_csv) return hg_import_text_matrix(file->path, rows, values, columns);
  HG_TRY(hg_npy_open(&npy, file->path));
  const hg_npy *a = &npy.array;
  if (a->n_dims < 1 || a->n_dims > 2 || a->shape[0] != rows)
    HG_TRY(hg_fail(HG_ERR_INPUT, "%s: found %s, expected %" PRId64 " rows", file->path, hg_npy_describe(a), rows));
  HG_TRY(HG_ALLOC(*values, a->count, file->path));
  HG_TRY(hg_npy_f32(&npy.array, *values, a->count));
  *columns = a->n_dims == 2 ? a->shape[1] : 1;
done:
  hg_npy_close(&npy);
  return rc;
}

static hg_status read_list(const array_file *file, int64_t **values, hg_off *count)
{
  hg_status rc = HG_OK;
  hg_npy_file npy = {0};
  if (file->is_csv) return hg_import_text_list(file->path, values, count);
  HG_TRY(hg_npy_open(&npy, file->path));
  const hg_npy *a = &npy.array;
  if (a->n_dims < 1 || a->shape[0] != a->count)
    HG_TRY(hg_fail(HG_ERR_INPUT, "%s: found %s, expected a list of nodes", file->path, hg_npy_describe(a)));
  HG_TRY(HG_ALLOC(*values, a->count, file->path));
  HG_TRY(hg_npy_i64(&npy.array, *values, a->count));
  *count = a->count;
done:
  hg_npy_close(&npy);
  return rc;
}

// The node feature called feat, or the only one.
static hg_status read_features(metadata *m, hg_nodes *nodes)
{
  hg_status rc = HG_OK;
  yaml_node_t *list = value_of(m, yaml_document_get_root_node(&m->document), "feature_data"), *chosen = NULL;
  array_file file = {0};
  float *values = NULL;
  hg_off width;
  int found = 0;
  for (int k = 0; k < items_of(list); k++) {
    yaml_node_t *item = item_of(m, list, k);
    const char *domain = text_of(m, item, "domain"), *name = text_of(m, item, "name");
    if (!domain || strcmp(domain, "node") != 0) continue;
    bool is_feat = name && strcmp(name, "feat") == 0;
    if (is_feat || !chosen) chosen = item;
    found = is_feat ? 1 : found + 1;
    if (is_feat) break;
  }
  if (!chosen) goto done;
  if (found > 1) HG_TRY(fail_at(m, list, "found several node features and none of the name feat"));
  HG_TRY(file_of(m, chosen, &file));
  HG_TRY(read_matrix(&file, nodes->n, &values, &width));
  HG_TRY(hg_import_dense(nodes, file.path, &values, width));
done:
  hg_free(&values);
  return rc;
}

typedef struct {
  float *values; // [n x columns], NaN where unknown; NULL before the first set with labels
  hg_off columns;
} label_table;

static hg_status add_labels(label_table *table, const hg_nodes *nodes, const array_file *file, const int64_t *ids,
                            hg_off count)
{
  hg_status rc = HG_OK;
  float *values = NULL;
  hg_off columns;
  HG_TRY(read_matrix(file, count, &values, &columns));
  if (count == 0) goto done;
  if (!table->values) {
    table->columns = columns;
    HG_TRY(HG_ALLOC(table->values, nodes->n * columns, "labels"));
    for (hg_off i = 0; i < nodes->n * columns; i++) table->values[i] = NAN;
  }
  if (columns != table->columns)
    HG_TRY(
        hg_fail(HG_ERR_INPUT, "%s: found %" PRId64 " columns, expected %" PRId64, file->path, columns, table->columns));
  for (hg_off k = 0; k < count; k++)
    memcpy(table->values + ids[k] * columns, values + k * columns, (size_t)columns * sizeof *values);
done:
  hg_free(&values);
  return rc;
}

static hg_status read_set(metadata *m, const yaml_node_t *set, hg_nodes *nodes, hg_split split, label_table *table)
{
  hg_status rc = HG_OK;
  yaml_node_t *typed, *data, *labels = NULL, *seeds = NULL;
  array_file file = {0};
  int64_t *ids = NULL;
  hg_off count;
  HG_TRY(only_type(m, set, "nodes in the set", &typed));
  data = value_of(m, typed, "data");
  for (int k = 0; k < items_of(data); k++) {
    yaml_node_t *item = item_of(m, data, k);
    const char *name = text_of(m, item, "name");
    if (name && strcmp(name, "labels") == 0)
      labels = item;
    else if (name && (strcmp(name, "seeds") == 0 || strcmp(name, "seed_nodes") == 0))
      seeds = item;
  }
  if (!seeds) HG_TRY(fail_at(m, typed, "found no data of the name seeds"));
  HG_TRY(file_of(m, seeds, &file));
  HG_TRY(read_list(&file, &ids, &count));
  HG_TRY(hg_import_mark(nodes, file.path, "node", ids, count, split));
  if (!labels) goto done;
  HG_TRY(file_of(m, labels, &file));
  HG_TRY(add_labels(table, nodes, &file, ids, count));
done:
  hg_free(&ids);
  return rc;
}

// metadata.yaml knows the classes better than the labels that happen to occur
static hg_status apply_classes(metadata *m, const yaml_node_t *task, hg_nodes *nodes)
{
  hg_off classes;
  if (nodes->task != HG_TASK_CLASSES || !text_of(m, task, "num_classes")) return HG_OK;
  hg_status rc = read_number(m, task, "num_classes", &classes);
  if (rc != HG_OK) return rc;
  if (classes < nodes->n_classes || classes > 1 << 20) {
    char text[128];
    snprintf(text, sizeof text, "num_classes: found %" PRId64 ", expected at least %d (the largest label and 1)",
             classes, nodes->n_classes);
    return fail_at(m, task, text);
  }
  nodes->n_classes = (int)classes;
  return HG_OK;
}

static hg_status choose_task(metadata *m, const char *wanted, yaml_node_t **task)
{
  yaml_node_t *list = value_of(m, yaml_document_get_root_node(&m->document), "tasks");
  *task = NULL;
  for (int k = 0; k < items_of(list) && !*task; k++) {
    yaml_node_t *item = item_of(m, list, k);
    const char *name = text_of(m, item, "name");
    if (!wanted || (name && strcmp(name, wanted) == 0)) *task = item;
  }
  if (*task || !wanted) return HG_OK;
  return hg_fail(HG_ERR_INPUT, "%s: found no task '%s'", m->file, wanted);
}

static hg_status read_task(metadata *m, hg_nodes *nodes, const hg_import_options *options)
{
  static const char *const keys[HG_SPLIT_COUNT] = {NULL, "train_set", "validation_set", "test_set"};
  hg_status rc = HG_OK;
  label_table table = {0};
  yaml_node_t *task;
  HG_TRY(choose_task(m, options->scheme, &task));
  for (hg_split split = HG_SPLIT_TRAIN; task && split < HG_SPLIT_COUNT; split++) {
    yaml_node_t *set = value_of(m, task, keys[split]);
    if (set) HG_TRY(read_set(m, set, nodes, split, &table));
  }
  if (!table.values) goto done;
  HG_TRY(hg_import_truth(nodes, m->file, "node", table.values, (int)table.columns, options->task));
  HG_TRY(apply_classes(m, task, nodes));
done:
  hg_free(&table.values);
  return rc;
}

hg_status hg_import_graphbolt(hg_imported *out, const char *path, const hg_import_options *options,
                              hg_import_report *report)
{
  hg_graph *g = &out->graph;
  hg_status rc = HG_OK;
  metadata m = {0};
  HG_TRY(load(&m, path));
  HG_TRY(read_graph(&m, g, options, report));
  HG_TRY(read_features(&m, &g->nodes));
  HG_TRY(read_task(&m, &g->nodes, options));
done:
  yaml_document_delete(&m.document);
  return rc;
}
