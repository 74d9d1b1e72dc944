#include <inttypes.h>
#include <string.h>

#include "core/base/alloc.h"
#include "core/graph/import_fields.h"
#include "core/graph/npy.h"
#include "core/graph/text.h"

static bool is_npy(const char *path)
{
  size_t n = strlen(path);
  return n > 4 && strcmp(path + n - 4, ".npy") == 0;
}

static hg_status ids_of_file(hg_id_map *map, const char *path)
{
  hg_status rc = HG_OK;
  hg_text text = {0};
  char *line;
  HG_TRY(hg_text_open(&text, path));
  for (;;) {
    int64_t id;
    HG_TRY(hg_text_data_line(&text, &line));
    if (!line) break;
    HG_TRY(hg_text_int(&text, &line, &id, "a node number"));
    HG_TRY(hg_id_map_add(map, id));
  }
done:
  hg_text_close(&text);
  return rc;
}

hg_status hg_import_side_ids(hg_id_map *map, const hg_import_options *options)
{
  hg_status rc = HG_OK;
  if (options->features && !is_npy(options->features)) HG_TRY(ids_of_file(map, options->features));
  if (options->labels) HG_TRY(ids_of_file(map, options->labels));
done:
  return rc;
}

// The number at the start of the line as a node that this file has not named before.
static hg_status new_node(const hg_text *t, char **cursor, const hg_id_map *map, uint8_t *seen, hg_gid *node)
{
  int64_t id;
  hg_status rc = hg_text_int(t, cursor, &id, "a node number");
  if (rc != HG_OK) return rc;
  *node = hg_id_map_find(map, id);
  if (*node < 0) return hg_text_fail(t, "found node %" PRId64 ", which the graph does not have", id);
  if (seen[*node]) return hg_text_fail(t, "found node %" PRId64 " for the second time", id);
  seen[*node] = 1;
  return HG_OK;
}

static hg_status row_of_numbers(const hg_text *t, char *cursor, float *row, hg_off width)
{
  hg_status rc = HG_OK;
  for (hg_off k = 0; k < width; k++) HG_TRY(hg_text_float(t, &cursor, &row[k], "a number"));
  if (!hg_text_is_end(cursor)) rc = hg_text_fail(t, "found more than %" PRId64 " numbers", width);
done:
  return rc;
}

// Lines "id v1 v2 ...": an [n x width] matrix; rows of nodes that the file leaves out hold `missing`.
static hg_status keyed_matrix(const char *path, const hg_id_map *map, float missing, float **values, hg_off *width)
{
  hg_status rc = HG_OK;
  hg_text text = {0};
  uint8_t *seen = NULL;
  char *line;
  *width = 0;
  HG_TRY(HG_ALLOC(seen, map->n, "nodes seen"));
  HG_TRY(hg_text_open(&text, path));
  for (;;) {
    hg_gid node;
    HG_TRY(hg_text_data_line(&text, &line));
    if (!line) break;
    HG_TRY(new_node(&text, &line, map, seen, &node));
    if (!*values) {
      *width = hg_text_fields(line);
      if (*width == 0) HG_TRY(hg_text_fail(&text, "found a node number alone, expected numbers behind it"));
      HG_TRY(HG_ALLOC(*values, map->n * *width, path));
      for (hg_off i = 0; i < map->n * *width; i++) (*values)[i] = missing;
    }
    HG_TRY(row_of_numbers(&text, line, *values + node * *width, *width));
  }
  if (!*values) HG_TRY(hg_fail(HG_ERR_INPUT, "%s: found no lines, expected \"node v1 v2 ...\"", path));
done:
  hg_text_close(&text);
  hg_free(&seen);
  return rc;
}

static hg_status npy_features(hg_nodes *nodes, const char *path)
{
  hg_status rc = HG_OK;
  hg_npy_file file = {0};
  float *values = NULL;
  HG_TRY(hg_npy_open(&file, path));
  const hg_npy *a = &file.array;
  if (a->n_dims != 2 || a->shape[0] != nodes->n)
    HG_TRY(hg_fail(HG_ERR_INPUT, "%s: found %s, expected %" PRId64 " rows of features", path, hg_npy_describe(a),
                   nodes->n));
  HG_TRY(HG_ALLOC(values, a->count, "features"));
  HG_TRY(hg_npy_f32(&file.array, values, a->count));
  HG_TRY(hg_import_dense(nodes, path, &values, a->shape[1]));
done:
  hg_npy_close(&file);
  hg_free(&values);
  return rc;
}

static hg_status read_splits(hg_nodes *nodes, const hg_id_map *map, const char *path)
{
  hg_status rc = HG_OK;
  hg_text text = {0};
  uint8_t *seen = NULL;
  char *line;
  HG_TRY(HG_ALLOC(seen, map->n, "nodes seen"));
  HG_TRY(HG_ALLOC(nodes->split, nodes->n, "split"));
  HG_TRY(hg_text_open(&text, path));
  for (;;) {
    hg_gid node;
    hg_split split = HG_SPLIT_NONE;
    HG_TRY(hg_text_data_line(&text, &line));
    if (!line) break;
    HG_TRY(new_node(&text, &line, map, seen, &node));
    const char *word = hg_text_word(&line);
    if (!word || !hg_import_split_word(word, &split))
      HG_TRY(hg_text_fail(&text, "found '%.40s', expected train, val, test or none", word ? word : ""));
    nodes->split[node] = (uint8_t)split;
  }
done:
  hg_text_close(&text);
  hg_free(&seen);
  return rc;
}

hg_status hg_import_side_files(hg_nodes *nodes, const hg_id_map *map, const hg_import_options *options)
{
  hg_status rc = HG_OK;
  float *features = NULL, *labels = NULL;
  hg_off width;
  if (options->features && is_npy(options->features))
    HG_TRY(npy_features(nodes, options->features));
  else if (options->features) {
    HG_TRY(keyed_matrix(options->features, map, 0, &features, &width));
    HG_TRY(hg_import_dense(nodes, options->features, &features, width));
  }
  if (options->labels) {
    HG_TRY(keyed_matrix(options->labels, map, __builtin_nanf(""), &labels, &width));
    HG_TRY(hg_import_truth(nodes, options->labels, "node", labels, (int)width, options->task));
  }
  if (options->splits) HG_TRY(read_splits(nodes, map, options->splits));
done:
  hg_free(&features);
  hg_free(&labels);
  return rc;
}

hg_status hg_import_text_matrix(const char *path, hg_off rows, float **values, hg_off *columns)
{
  hg_status rc = HG_OK;
  hg_text text = {0};
  char *line;
  hg_off row = 0;
  *columns = 0;
  HG_TRY(hg_text_open(&text, path));
  for (;; row++) {
    HG_TRY(hg_text_data_line(&text, &line));
    if (!line) break;
    if (row == rows) HG_TRY(hg_text_fail(&text, "found more than the %" PRId64 " rows that were expected", rows));
    if (row == 0) {
      *columns = hg_text_fields(line);
      HG_TRY(HG_ALLOC(*values, rows * *columns, path));
    }
    HG_TRY(row_of_numbers(&text, line, *values + row * *columns, *columns));
  }
  if (row < rows) HG_TRY(hg_fail(HG_ERR_INPUT, "%s: found %" PRId64 " rows, expected %" PRId64, path, row, rows));
done:
  hg_text_close(&text);
  return rc;
}

hg_status hg_import_text_list(const char *path, int64_t **values, hg_off *count)
{
  hg_status rc = HG_OK;
  hg_text text = {0};
  hg_off capacity = 0;
  char *line;
  *values = NULL;
  *count = 0;
  HG_TRY(hg_text_open(&text, path));
  for (;;) {
    HG_TRY(hg_text_data_line(&text, &line));
    if (!line) break;
    HG_TRY(hg_grow(values, &capacity, *count + 1, sizeof **values, path));
    HG_TRY(hg_text_int(&text, &line, &(*values)[(*count)++], "a whole number"));
    if (!hg_text_is_end(line)) HG_TRY(hg_text_fail(&text, "found more than one number"));
  }
done:
  hg_text_close(&text);
  if (rc != HG_OK) hg_free(values);
  return rc;
}

hg_status hg_import_counted_nodes(hg_nodes *nodes, hg_off n, const hg_import_options *options)
{
  const hg_id_map rows = hg_id_map_range(1, n);
  nodes->n = n;
  hg_status rc = hg_import_original_ids(nodes, &rows);
  return rc == HG_OK ? hg_import_side_files(nodes, &rows, options) : rc;
}
