#include "runtime/observe/predictions.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zip.h>

#include "core/base/alloc.h"
#include "core/base/files.h"

enum { MOST_ARRAYS = 5, HEADER = 128 }; // bytes of an .npy header: magic, version, length, dictionary, padding
static const zip_uint16_t first_of_1980 = 1 << 5 | 1; // as a date of DOS: the oldest that a zip archive can hold

void hg_predictions_free(hg_predictions *predictions)
{
  hg_free(&predictions->original_ids);
  hg_free(&predictions->outputs);
  hg_free(&predictions->embeddings);
  hg_free(&predictions->position_gradients);
}

typedef struct {
  int64_t id;
  hg_off row;
} id_row;

static int by_id(const void *a, const void *b)
{
  const id_row *x = a, *y = b;
  return (x->id > y->id) - (x->id < y->id);
}

static hg_status reorder(float **rows, const id_row *order, hg_off n, int width)
{
  float *sorted = NULL;
  hg_status rc = HG_ALLOC(sorted, n * width, "sorted predictions");
  if (rc != HG_OK) return rc;
  for (hg_off i = 0; i < n; i++)
    memcpy(sorted + i * width, *rows + order[i].row * width, (size_t)width * sizeof *sorted);
  hg_free(rows);
  *rows = sorted;
  return HG_OK;
}

hg_status hg_predictions_sort(hg_predictions *p)
{
  id_row *order = NULL;
  hg_status rc = HG_OK;
  HG_TRY(HG_ALLOC(order, p->n, "order of predictions"));
  for (hg_off i = 0; i < p->n; i++) order[i] = (id_row){p->original_ids[i], i};
  qsort(order, (size_t)p->n, sizeof *order, by_id);
  HG_TRY(reorder(&p->outputs, order, p->n, p->n_classes));
  HG_TRY(reorder(&p->embeddings, order, p->n, p->n_embedding));
  if (p->position_gradients) HG_TRY(reorder(&p->position_gradients, order, p->n, p->n_dims));
  for (hg_off i = 0; i < p->n; i++) p->original_ids[i] = order[i].id;
done:
  hg_free(&order);
  return rc;
}

// the class with the largest probability; of a multi-label task the bit (p > 1/2) of label c
static int32_t decide(const hg_predictions *p, hg_off i, int c)
{
  const float *row = p->outputs + i * p->n_classes;
  if (p->task == HG_TASK_MULTILABEL) return row[c] > 0.5F;
  int best = 0;
  for (int k = 1; k < p->n_classes; k++)
    if (row[k] > row[best]) best = k;
  return best;
}

static int decisions_a_node(const hg_predictions *p)
{
  return p->task == HG_TASK_REGRESSION ? 0 : p->task == HG_TASK_MULTILABEL ? p->n_classes : 1;
}

// An .npz file is a zip archive of .npy arrays.

typedef struct {
  const char *name, *dtype;
  const void *data;
  hg_off rows;
  int cols; // 0: one dimension
  size_t item;
} array;

static void npy_header(const array *a, char header[HEADER])
{
  char shape[64], text[HEADER];
  if (a->cols)
    snprintf(shape, sizeof shape, "(%lld, %d)", (long long)a->rows, a->cols);
  else
    snprintf(shape, sizeof shape, "(%lld,)", (long long)a->rows);
  snprintf(text, sizeof text, "{'descr': '%s', 'fortran_order': False, 'shape': %s, }", a->dtype, shape);
  memset(header, ' ', HEADER);
  const unsigned char start[] = {0x93, 'N', 'U', 'M', 'P', 'Y', 1, 0, HEADER - 10, 0};
  memcpy(header, start, sizeof start);
  // NOLINTNEXTLINE(bugprone-not-null-terminated-result): a header has no terminator
  memcpy(header + sizeof start, text, strlen(text));
  header[HEADER - 1] = '\n';
}

// *buffer holds the member until the archive is closed
static hg_status add_array(zip_t *zip, const array *a, char **buffer)
{
  size_t bytes = (size_t)(a->rows * (a->cols ? a->cols : 1)) * a->item;
  char name[64];
  hg_status rc = hg_alloc(buffer, (hg_off)(bytes + HEADER), 1, "npz member");
  if (rc != HG_OK) return rc;
  npy_header(a, *buffer);
  if (bytes) memcpy(*buffer + HEADER, a->data, bytes);
  snprintf(name, sizeof name, "%s.npy", a->name);
  zip_source_t *source = zip_source_buffer(zip, *buffer, bytes + HEADER, 0);
  if (!source) return hg_fail(HG_ERR_MEMORY, "out of memory: %s", zip_strerror(zip));
  zip_int64_t index = zip_file_add(zip, name, source, ZIP_FL_ENC_UTF_8);
  if (index < 0) {
    zip_source_free(source);
    return hg_fail(HG_ERR_IO, "%s: %s", name, zip_strerror(zip));
  }
  // the same predictions make the same file, whenever it is written
  if (zip_file_set_dostime(zip, (zip_uint64_t)index, 0, first_of_1980, 0) == 0) return HG_OK;
  return hg_fail(HG_ERR_IO, "%s: %s", name, zip_strerror(zip));
}

static hg_status write_zip(const char *temporary, const array *arrays, int n)
{
  char *buffers[MOST_ARRAYS] = {0};
  int code = 0;
  zip_t *zip = zip_open(temporary, ZIP_CREATE | ZIP_TRUNCATE, &code);
  hg_status rc = zip ? HG_OK : hg_fail(HG_ERR_IO, "%s: cannot write: %s", temporary, strerror(errno));
  for (int k = 0; k < n && rc == HG_OK; k++) rc = add_array(zip, &arrays[k], &buffers[k]);
  if (rc == HG_OK && zip_close(zip) != 0)
    rc = hg_fail(HG_ERR_IO, "%s: cannot write: %s", temporary, zip_strerror(zip));
  else if (rc == HG_OK)
    zip = NULL;
  if (zip) zip_discard(zip);
  for (int k = 0; k < n; k++) hg_free(&buffers[k]);
  return rc;
}

static hg_status write_npz(const hg_predictions *p, const char *temporary)
{
  int32_t *decisions = NULL;
  int per_node = decisions_a_node(p), n = 0;
  array arrays[MOST_ARRAYS];
  hg_status rc = HG_OK;
  HG_TRY(HG_ALLOC(decisions, p->n * per_node, "predictions"));
  for (hg_off i = 0; i < p->n; i++)
    for (int c = 0; c < per_node; c++) decisions[i * per_node + c] = decide(p, i, c);
  arrays[n++] = (array){"original_ids", "<i8", p->original_ids, p->n, 0, sizeof(int64_t)};
  if (per_node)
    arrays[n++] = (array){"predictions", "<i4", decisions, p->n, per_node > 1 ? per_node : 0, sizeof(int32_t)};
  arrays[n++] = (array){per_node ? "probabilities" : "values", "<f4", p->outputs, p->n, p->n_classes, sizeof(float)};
  arrays[n++] = (array){"embeddings", "<f4", p->embeddings, p->n, p->n_embedding, sizeof(float)};
  if (p->position_gradients)
    arrays[n++] = (array){"position_gradients", "<f4", p->position_gradients, p->n, p->n_dims, sizeof(float)};
  HG_TRY(write_zip(temporary, arrays, n));
done:
  hg_free(&decisions);
  return rc;
}

static void csv_columns(FILE *out, const char *name, int n)
{
  for (int k = 0; k < n; k++) n == 1 ? fprintf(out, ",%s", name) : fprintf(out, ",%s_%d", name, k);
}

static void csv_line(const hg_predictions *p, hg_off i, FILE *out)
{
  fprintf(out, "%lld", (long long)p->original_ids[i]);
  for (int c = 0; c < decisions_a_node(p); c++) fprintf(out, ",%d", decide(p, i, c));
  for (int c = 0; c < p->n_classes; c++) fprintf(out, ",%.9g", (double)p->outputs[i * p->n_classes + c]);
  for (int c = 0; c < p->n_embedding; c++) fprintf(out, ",%.9g", (double)p->embeddings[i * p->n_embedding + c]);
  fputc('\n', out);
}

static hg_status write_csv(const hg_predictions *p, const char *temporary)
{
  FILE *out = fopen(temporary, "w");
  if (!out) return hg_fail(HG_ERR_IO, "%s: cannot write: %s", temporary, strerror(errno));
  fputs("original_id", out);
  csv_columns(out, "prediction", decisions_a_node(p));
  csv_columns(out, decisions_a_node(p) ? "probability" : "value", p->n_classes);
  csv_columns(out, "embedding", p->n_embedding);
  fputc('\n', out);
  for (hg_off i = 0; i < p->n; i++) csv_line(p, i, out);
  bool written = !ferror(out);
  if (fclose(out) != 0) written = false;
  return written ? HG_OK : hg_fail(HG_ERR_IO, "%s: cannot write: %s", temporary, strerror(errno));
}

static bool has_suffix(const char *path, const char *suffix)
{
  size_t n = strlen(path), m = strlen(suffix);
  return n > m && strcmp(path + n - m, suffix) == 0;
}

hg_status hg_predictions_check_path(const char *path)
{
  if (has_suffix(path, ".npz") || has_suffix(path, ".csv")) return HG_OK;
  return hg_fail(HG_ERR_INPUT, "%s: found a file name of another kind, expected one that ends in .npz or .csv", path);
}

hg_status hg_predictions_write(const hg_predictions *predictions, const char *path)
{
  hg_new_file file = {0};
  hg_status rc = HG_OK;
  HG_TRY(hg_predictions_check_path(path));
  HG_TRY(hg_new_file_begin(&file, path));
  HG_TRY((has_suffix(path, ".npz") ? write_npz : write_csv)(predictions, file.temporary));
  HG_TRY(hg_new_file_commit(&file));
done:
  hg_new_file_abandon(&file);
  return rc;
}
