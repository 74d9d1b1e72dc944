#include "runtime/cli/info.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

void hg_info_line(const char *name, const char *fmt, ...)
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

const char *hg_info_file_size(const char *path, char text[32])
{
  struct stat info;
  return size_text(stat(path, &info) == 0 ? (double)info.st_size : 0, text);
}

static const char *task_name(hg_task task)
{
  static const char *const names[] = {"none", "classes", "multilabel", "regression"};
  return names[task];
}

void hg_info_features_and_labels(const hg_store_header *h, hg_off unlabelled)
{
  double entries = (double)h->n_nodes * h->feature_width;
  if (h->feature_width == 0)
    hg_info_line("features", "none");
  else if (!h->sparse_features)
    hg_info_line("features", "dense, width %d", h->feature_width);
  else
    hg_info_line("features", "sparse, width %d, %" PRId64 " entries (%.2f %%)", h->feature_width, h->feature_entries,
                 entries > 0 ? 100 * (double)h->feature_entries / entries : 0);
  if (h->task == HG_TASK_NONE)
    hg_info_line("task", "none, no labels");
  else
    hg_info_line("task", "%s, %d %s", task_name(h->task), h->n_classes,
                 h->task == HG_TASK_REGRESSION ? "targets" : "classes");
  if (h->task == HG_TASK_CLASSES || h->task == HG_TASK_REGRESSION)
    hg_info_line(h->kind == HG_STORE_COLLECTION ? "unlabelled graphs" : "unlabelled nodes", "%" PRId64, unlabelled);
  hg_info_line("split", "%" PRId64 " train, %" PRId64 " validation, %" PRId64 " test, %" PRId64 " in none",
               h->n_split[HG_SPLIT_TRAIN], h->n_split[HG_SPLIT_VAL], h->n_split[HG_SPLIT_TEST],
               h->n_split[HG_SPLIT_NONE]);
}

json_t *hg_info_json(const char *path, const hg_store_header *h, const hg_graph_facts *facts)
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

hg_status hg_info_print_json(json_t *object)
{
  char *text = object ? json_dumps(object, JSON_INDENT(2)) : NULL;
  if (!text) return hg_fail(HG_ERR_INPUT, "the file holds text that is no UTF-8");
  printf("%s\n", text);
  free(text); // allow(malloc): jansson's
  return HG_OK;
}
