#include "core/graph/import_fields.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/base/alloc.h"

enum { MAX_CLASSES = 1 << 20 }; // a label beyond it is a number of something else

hg_status hg_import_check_nodes(const char *name, hg_off n)
{
  enum { BYTES_A_NODE = 32 }; // row pointers, cursors, original ids, labels
  if (n < 0 || n >= INT32_MAX)
    return hg_fail(HG_ERR_INPUT, "%s: found %" PRId64 " nodes, expected 0 to %d", name, n, INT32_MAX - 1);
  double have = (double)sysconf(_SC_PHYS_PAGES) * (double)sysconf(_SC_PAGESIZE), need = (double)n * BYTES_A_NODE;
  if (need > have)
    return hg_fail(HG_ERR_INPUT, "%s: claims %" PRId64 " nodes, which need %.1f GB; this machine has %.1f GB", name, n,
                   need * 1e-9, have * 1e-9);
  return HG_OK;
}

hg_status hg_import_original_ids(hg_nodes *nodes, const hg_id_map *map)
{
  hg_status rc = HG_ALLOC(nodes->original_ids, nodes->n, "original ids");
  if (rc != HG_OK) return rc;
  for (hg_off i = 0; i < nodes->n; i++) nodes->original_ids[i] = hg_id_map_original(map, i);
  return HG_OK;
}

hg_status hg_import_labels(hg_nodes *nodes, const char *name, const char *noun, const int64_t *labels)
{
  hg_status rc = HG_OK;
  int64_t top = -1;
  int32_t *out = NULL;
  HG_TRY(HG_ALLOC(out, nodes->n, "labels"));
  for (hg_off i = 0; i < nodes->n; i++) {
    if (labels[i] < -1 || labels[i] >= MAX_CLASSES)
      HG_TRY(hg_fail(HG_ERR_INPUT, "%s: %s %" PRId64 ": found label %" PRId64 ", expected -1 (unknown) or 0 to %d",
                     name, noun, i, labels[i], MAX_CLASSES - 1));
    out[i] = (int32_t)labels[i];
    if (labels[i] > top) top = labels[i];
  }
  if (top < 0) goto done; // nothing is labelled: no task
  nodes->task = HG_TASK_CLASSES;
  nodes->n_classes = (int)top + 1;
  nodes->labels = out;
  out = NULL;
done:
  hg_free(&out);
  return rc;
}

static hg_status whole_labels(hg_nodes *nodes, const char *name, const char *noun, const float *values)
{
  int64_t *labels = NULL;
  hg_status rc = HG_OK;
  HG_TRY(HG_ALLOC(labels, nodes->n, "labels"));
  for (hg_off i = 0; i < nodes->n; i++) {
    if (!isnan(values[i]) && (values[i] != rintf(values[i]) || fabsf(values[i]) > MAX_CLASSES))
      HG_TRY(hg_fail(HG_ERR_INPUT, "%s: %s %" PRId64 ": found label %g, expected a whole number", name, noun, i,
                     (double)values[i]));
    labels[i] = isnan(values[i]) ? -1 : (int64_t)values[i];
  }
  HG_TRY(hg_import_labels(nodes, name, noun, labels));
done:
  hg_free(&labels);
  return rc;
}

static hg_status multi_label(hg_nodes *nodes, const char *name, const char *noun, const float *values, int columns)
{
  hg_off row_bytes = hg_label_bytes(columns);
  hg_status rc = HG_ALLOC(nodes->label_bits, nodes->n * row_bytes, "label bits");
  if (rc != HG_OK) return rc;
  for (hg_off i = 0; i < nodes->n * columns; i++) {
    if (values[i] != 0 && values[i] != 1 && !isnan(values[i]))
      return hg_fail(HG_ERR_INPUT, "%s: %s %" PRId64 ", label %" PRId64 ": found %g, expected 0 or 1", name, noun,
                     i / columns, i % columns, (double)values[i]);
    hg_off c = i % columns;
    if (values[i] == 1) nodes->label_bits[i / columns * row_bytes + c / 8] |= (uint8_t)(1U << c % 8);
  }
  nodes->task = HG_TASK_MULTILABEL;
  nodes->n_classes = columns;
  return HG_OK;
}

static hg_status regression(hg_nodes *nodes, const char *name, const char *noun, const float *values, int columns)
{
  hg_status rc = HG_ALLOC(nodes->targets, nodes->n * columns, "targets");
  if (rc != HG_OK) return rc;
  for (hg_off i = 0; i < nodes->n * columns; i++) {
    if (isinf(values[i]))
      return hg_fail(HG_ERR_INPUT, "%s: %s %" PRId64 ": found an infinite target", name, noun, i / columns);
    nodes->targets[i] = values[i];
  }
  nodes->task = HG_TASK_REGRESSION;
  nodes->n_classes = columns;
  return HG_OK;
}

static hg_task guess_task(const float *values, hg_off n, int columns)
{
  bool whole = true, bits = true;
  for (hg_off i = 0; i < n * columns; i++) {
    whole =
        whole && (isnan(values[i]) || (values[i] == rintf(values[i]) && values[i] >= -1 && values[i] < MAX_CLASSES));
    bits = bits && (isnan(values[i]) || values[i] == 0 || values[i] == 1);
  }
  if (columns == 1 && whole) return HG_TASK_CLASSES;
  return columns > 1 && bits ? HG_TASK_MULTILABEL : HG_TASK_REGRESSION;
}

hg_status hg_import_truth(hg_nodes *nodes, const char *name, const char *noun, const float *values, int columns,
                          hg_task task)
{
  if (nodes->n == 0) return HG_OK;
  if (columns < 1 || columns > MAX_CLASSES)
    return hg_fail(HG_ERR_INPUT, "%s: found %d columns of labels, expected 1 to %d", name, columns, MAX_CLASSES);
  if (task == HG_TASK_NONE) task = guess_task(values, nodes->n, columns);
  if (task == HG_TASK_MULTILABEL) return multi_label(nodes, name, noun, values, columns);
  if (task == HG_TASK_REGRESSION) return regression(nodes, name, noun, values, columns);
  if (columns != 1)
    return hg_fail(HG_ERR_INPUT, "%s: found %d columns of labels, expected one for classes", name, columns);
  return whole_labels(nodes, name, noun, values);
}

static const char *const split_names[HG_SPLIT_COUNT] = {"no split", "train", "val", "test"};

hg_status hg_import_mark(hg_nodes *nodes, const char *name, const char *noun, const int64_t *ids, hg_off count,
                         hg_split split)
{
  hg_status rc = HG_OK;
  if (!nodes->split) HG_TRY(HG_ALLOC(nodes->split, nodes->n, "split"));
  for (hg_off k = 0; k < count; k++) {
    if (ids[k] < 0 || ids[k] >= nodes->n)
      HG_TRY(hg_fail(HG_ERR_INPUT, "%s: entry %" PRId64 ": found %s %" PRId64 ", expected 0 to %" PRId64, name, k, noun,
                     ids[k], nodes->n - 1));
    uint8_t *now = &nodes->split[ids[k]];
    if (*now != HG_SPLIT_NONE && *now != split)
      HG_TRY(hg_fail(HG_ERR_INPUT, "%s: %s %" PRId64 " is in %s and in %s", name, noun, ids[k], split_names[*now],
                     split_names[split]));
    *now = (uint8_t)split;
  }
done:
  return rc;
}

bool hg_import_split_word(const char *word, hg_split *split)
{
  static const struct {
    const char *word;
    hg_split split;
  } words[] = {{"train", HG_SPLIT_TRAIN},    {"val", HG_SPLIT_VAL},   {"valid", HG_SPLIT_VAL},
               {"validation", HG_SPLIT_VAL}, {"test", HG_SPLIT_TEST}, {"none", HG_SPLIT_NONE},
               {"-", HG_SPLIT_NONE}};
  for (size_t k = 0; k < sizeof words / sizeof *words; k++) {
    if (strcmp(word, words[k].word) != 0) continue;
    *split = words[k].split;
    return true;
  }
  return false;
}

hg_status hg_import_finite(const char *name, const float *values, hg_off rows, hg_off columns)
{
  for (hg_off i = 0; i < rows * columns; i++)
    if (!isfinite(values[i]))
      return hg_fail(HG_ERR_INPUT, "%s: row %" PRId64 ", column %" PRId64 ": found %g, expected a finite number", name,
                     i / columns, i % columns, (double)values[i]);
  return HG_OK;
}

hg_status hg_import_dense(hg_nodes *nodes, const char *name, float **values, hg_off width)
{
  hg_status rc = HG_OK;
  int32_t columns;
  HG_TRY(hg_to_i32(&columns, width, "features"));
  if (width == 0 || nodes->n == 0) {
    hg_free(values);
    goto done;
  }
  HG_TRY(hg_import_finite(name, *values, nodes->n, width));
  nodes->features = (hg_features){.width = columns, .dense = *values};
  *values = NULL;
done:
  return rc;
}

static hg_status check_row(const char *name, const hg_features *f, hg_off i, hg_off entries)
{
  hg_off first = f->indptr[i], end = f->indptr[i + 1];
  if (end < first || first < 0 || end > entries)
    return hg_fail(HG_ERR_INPUT,
                   "%s: row pointers: row %" PRId64 ": found %" PRId64 " to %" PRId64 ", expected 0 to %" PRId64
                   " rising",
                   name, i, first, end, entries);
  for (hg_off e = first; e < end; e++) {
    if (f->indices[e] < 0 || f->indices[e] >= f->width)
      return hg_fail(HG_ERR_INPUT, "%s: row %" PRId64 ": found column %d, expected 0 to %d", name, i, f->indices[e],
                     f->width - 1);
    if (!isfinite(f->values[e]))
      return hg_fail(HG_ERR_INPUT, "%s: row %" PRId64 ", column %d: found %g, expected a finite number", name, i,
                     f->indices[e], (double)f->values[e]);
  }
  return HG_OK;
}

typedef struct {
  int32_t column;
  float value;
} entry;

static int by_column(const void *a, const void *b)
{
  const entry *x = a, *y = b;
  return (x->column > y->column) - (x->column < y->column);
}

// Writes the row's entries at `to` (never behind `first`): ascending, each column once, no zeros. Returns how many.
static hg_off tidy_row(hg_features *f, hg_off first, hg_off n, hg_off to, entry *scratch)
{
  bool ascending = true;
  for (hg_off k = 0; k < n; k++) {
    scratch[k] = (entry){f->indices[first + k], f->values[first + k]};
    ascending = ascending && (k == 0 || scratch[k - 1].column <= scratch[k].column);
  }
  if (!ascending) qsort(scratch, (size_t)n, sizeof *scratch, by_column);
  hg_off kept = 0;
  for (hg_off k = 0; k < n;) {
    entry sum = scratch[k];
    for (k++; k < n && scratch[k].column == sum.column; k++) sum.value += scratch[k].value;
    if (sum.value == 0) continue;
    f->indices[to + kept] = sum.column;
    f->values[to + kept++] = sum.value;
  }
  return kept;
}

hg_status hg_import_sparse(hg_nodes *nodes, const char *name, hg_features *f, hg_off entries)
{
  hg_status rc = HG_OK;
  entry *scratch = NULL;
  hg_off longest = 0, kept = 0, n = nodes->n;
  if (f->indptr[0] != 0)
    HG_TRY(hg_fail(HG_ERR_INPUT, "%s: row pointers: found %" PRId64 " first, expected 0", name, f->indptr[0]));
  for (hg_off i = 0; i < n; i++) {
    HG_TRY(check_row(name, f, i, entries));
    if (f->indptr[i + 1] - f->indptr[i] > longest) longest = f->indptr[i + 1] - f->indptr[i];
  }
  if (f->indptr[n] != entries)
    HG_TRY(hg_fail(HG_ERR_INPUT, "%s: row pointers: found %" PRId64 " last, expected %" PRId64 " (the entries)", name,
                   f->indptr[n], entries));
  HG_TRY(HG_ALLOC(scratch, longest, "a row of features"));
  for (hg_off i = 0, first = 0; i < n; i++) {
    hg_off end = f->indptr[i + 1];
    kept += tidy_row(f, first, end - first, kept, scratch);
    f->indptr[i + 1] = kept;
    first = end;
  }
  nodes->features = *f;
  *f = (hg_features){0};
done:
  hg_free(&scratch);
  return rc;
}
