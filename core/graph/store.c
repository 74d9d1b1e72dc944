#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "core/base/alloc.h"
#include "core/graph/store_layout.h"

// A file being read: its shapes, all of them checked against one another before the first byte is allocated.
typedef struct {
  hg_h5 h5;
  hg_store_kind kind;
  hg_off n, m;
  bool symmetric;
  hg_task task;
  int n_classes, width, n_dims;
  bool sparse, has_split, has_ids;
  hg_off feature_entries;
  hg_off n_split[HG_SPLIT_COUNT];
  uint64_t fingerprint;
  char *creator;
} reader;

static const char *const split_names[] = {"", "/split/train", "/split/val", "/split/test"};

hg_status hg_store_check_head(const hg_h5 *file, hg_store_kind *kind)
{
  static const char *const formats[] = {"graph", "parts", "collection", "checkpoint", NULL};
  char format[64];
  int64_t version;
  hg_status rc = hg_h5_read_text(file, "/", "halognn_format", format, sizeof format);
  if (rc != HG_OK) return rc;
  for (int k = 0; formats[k]; k++) {
    if (strcmp(format, formats[k]) != 0) continue;
    *kind = (hg_store_kind)k;
    return k == HG_STORE_CHECKPOINT ? HG_OK
                                    : hg_h5_read_number(file, "/", "halognn_version", 1, HG_STORE_VERSION, &version);
  }
  return hg_fail(HG_ERR_INPUT,
                 "%s: attribute halognn_format of / is '%s', expected graph, parts, collection or checkpoint",
                 file->path, format);
}

hg_status hg_store_kind_of(const char *path, hg_store_kind *kind)
{
  hg_h5 file = {0};
  hg_status rc = hg_h5_open(&file, path);
  if (rc == HG_OK) rc = hg_store_check_head(&file, kind);
  hg_h5_drop(&file);
  return rc;
}

static hg_status expect_rows(const reader *in, const char *name, hg_off found, hg_off expected)
{
  if (found == expected) return HG_OK;
  return hg_fail(HG_ERR_INPUT, "%s: %s: found %" PRId64 " rows, expected %" PRId64, in->h5.path, name, found, expected);
}

static hg_status inspect_adjacency(reader *in)
{
  hg_status rc = HG_OK;
  hg_h5_shape shape;
  int64_t symmetric;
  HG_TRY(hg_h5_inspect(&in->h5, "/csr/indptr", HG_H5_I64, 1, &shape));
  if (shape.dims[0] < 1 || shape.dims[0] - 1 > INT32_MAX)
    return hg_fail(HG_ERR_INPUT, "%s: /csr/indptr: found %" PRId64 " elements, expected 1 to 2^31", in->h5.path,
                   shape.dims[0]);
  in->n = shape.dims[0] - 1;
  HG_TRY(hg_h5_inspect(&in->h5, "/csr/indices", HG_H5_I32, 1, &shape));
  in->m = shape.dims[0];
  HG_TRY(hg_h5_read_number(&in->h5, "/", "symmetric", 0, 1, &symmetric));
  in->symmetric = symmetric == 1;
  rc = hg_h5_read_u64(&in->h5, "/", "fingerprint", &in->fingerprint);
done:
  return rc;
}

static hg_status inspect_sparse(reader *in)
{
  hg_status rc = HG_OK;
  hg_h5_shape shape;
  int64_t width;
  HG_TRY(hg_h5_read_number(&in->h5, "/features", "width", 1, INT32_MAX, &width));
  HG_TRY(hg_h5_inspect(&in->h5, "/features/indptr", HG_H5_I64, 1, &shape));
  HG_TRY(expect_rows(in, "/features/indptr", shape.dims[0], in->n + 1));
  HG_TRY(hg_h5_inspect(&in->h5, "/features/indices", HG_H5_I32, 1, &shape));
  in->feature_entries = shape.dims[0];
  HG_TRY(hg_h5_inspect(&in->h5, "/features/values", HG_H5_F32, 1, &shape));
  HG_TRY(expect_rows(in, "/features/values", shape.dims[0], in->feature_entries));
  in->sparse = true;
  in->width = (int)width;
done:
  return rc;
}

static hg_status inspect_features(reader *in)
{
  hg_status rc = HG_OK;
  hg_h5_shape shape;
  if (!hg_h5_exists(&in->h5, "/features")) return HG_OK;
  if (hg_h5_is_group(&in->h5, "/features")) return inspect_sparse(in);
  HG_TRY(hg_h5_inspect(&in->h5, "/features", HG_H5_F32, 2, &shape));
  HG_TRY(expect_rows(in, "/features", shape.dims[0], in->n));
  HG_TRY(hg_to_i32(&in->width, shape.dims[1], "features"));
done:
  return rc;
}

static hg_status inspect_labels(reader *in)
{
  static const struct {
    const char *name;
    hg_h5_type type;
    int rank;
  } tasks[] = {
      {"none", HG_H5_I32, 0}, {"classes", HG_H5_I32, 1}, {"multilabel", HG_H5_U8, 2}, {"regression", HG_H5_F32, 2}};
  if (!hg_h5_exists(&in->h5, "/labels")) return HG_OK;
  hg_status rc = HG_OK;
  hg_h5_shape shape;
  char name[64];
  int64_t classes;
  HG_TRY(hg_h5_read_text(&in->h5, "/labels", "task", name, sizeof name));
  int task = HG_TASK_REGRESSION;
  while (task > HG_TASK_NONE && strcmp(name, tasks[task].name) != 0) task--;
  if (task == HG_TASK_NONE)
    return hg_fail(HG_ERR_INPUT, "%s: attribute task of /labels is '%s', expected classes, multilabel or regression",
                   in->h5.path, name);
  HG_TRY(hg_h5_read_number(&in->h5, "/labels", "n_classes", 1, INT32_MAX - 8, &classes));
  HG_TRY(hg_h5_inspect(&in->h5, "/labels", tasks[task].type, tasks[task].rank, &shape));
  HG_TRY(expect_rows(in, "/labels", shape.dims[0], in->n));
  in->task = (hg_task)task;
  in->n_classes = (int)classes;
  hg_off width = task == HG_TASK_CLASSES ? 1 : task == HG_TASK_MULTILABEL ? hg_label_bytes(in->n_classes) : classes;
  if (shape.dims[1] != width)
    rc = hg_fail(HG_ERR_INPUT, "%s: /labels: found %" PRId64 " columns, expected %" PRId64 " for %d %s", in->h5.path,
                 shape.dims[1], width, in->n_classes, task == HG_TASK_REGRESSION ? "targets" : "labels");
done:
  return rc;
}

static hg_status inspect_split(reader *in)
{
  if (!hg_h5_exists(&in->h5, "/split")) return HG_OK;
  hg_off left = in->n;
  for (int k = HG_SPLIT_TRAIN; k < HG_SPLIT_COUNT; k++) {
    hg_h5_shape shape;
    hg_status rc = hg_h5_inspect(&in->h5, split_names[k], HG_H5_I64, 1, &shape);
    if (rc != HG_OK) return rc;
    in->n_split[k] = shape.dims[0];
    if (shape.dims[0] > left)
      return hg_fail(HG_ERR_INPUT, "%s: %s: the splits list more than the %" PRId64 " nodes", in->h5.path,
                     split_names[k], in->n);
    left -= shape.dims[0];
  }
  in->n_split[HG_SPLIT_NONE] = left;
  in->has_split = true;
  return HG_OK;
}

static hg_status inspect_positions_and_ids(reader *in)
{
  hg_status rc = HG_OK;
  hg_h5_shape shape;
  if (hg_h5_exists(&in->h5, "/positions")) {
    HG_TRY(hg_h5_inspect(&in->h5, "/positions", HG_H5_F32, 2, &shape));
    HG_TRY(expect_rows(in, "/positions", shape.dims[0], in->n));
    HG_TRY(hg_to_i32(&in->n_dims, shape.dims[1], "dimensions"));
  }
  in->has_ids = hg_h5_exists(&in->h5, "/original_ids");
  if (in->has_ids) {
    HG_TRY(hg_h5_inspect(&in->h5, "/original_ids", HG_H5_I64, 1, &shape));
    HG_TRY(expect_rows(in, "/original_ids", shape.dims[0], in->n));
  }
done:
  return rc;
}

static hg_status reader_open(reader *in, const char *path)
{
  hg_status rc = HG_OK;
  *in = (reader){0};
  HG_TRY(hg_h5_open(&in->h5, path));
  HG_TRY(hg_store_check_head(&in->h5, &in->kind));
  if (in->kind != HG_STORE_GRAPH && in->kind != HG_STORE_PARTS)
    return hg_fail(HG_ERR_INPUT, "%s: found a %s file, expected a graph or parts", path,
                   in->kind == HG_STORE_CHECKPOINT ? "checkpoint" : "collection");
  HG_TRY(inspect_adjacency(in));
  HG_TRY(inspect_features(in));
  HG_TRY(inspect_labels(in));
  HG_TRY(inspect_split(in));
  HG_TRY(inspect_positions_and_ids(in));
  rc = hg_h5_read_long_text(&in->h5, "/", "creator", &in->creator);
done:
  return rc;
}

static void reader_close(reader *in)
{
  hg_free(&in->creator);
  hg_h5_drop(&in->h5);
}

// indptr[0..n] of rows first.., moved to start at 0; *start is where their entries lie among `entries`
static hg_status read_pointers(const reader *in, const char *name, hg_off first, hg_off n, hg_off entries,
                               hg_off *indptr, hg_off *start)
{
  hg_status rc = hg_h5_read_rows(&in->h5, name, HG_H5_I64, first, n + 1, indptr);
  if (rc != HG_OK) return rc;
  *start = indptr[0];
  for (hg_off i = 0; i < n; i++) {
    if (indptr[i + 1] < indptr[i])
      return hg_fail(HG_ERR_INPUT, "%s: %s: falls from %" PRId64 " to %" PRId64 " at row %" PRId64, in->h5.path, name,
                     indptr[i], indptr[i + 1], first + i + 1);
  }
  if (first == 0 && indptr[0] != 0)
    return hg_fail(HG_ERR_INPUT, "%s: %s: starts at %" PRId64 ", expected 0", in->h5.path, name, indptr[0]);
  if (indptr[0] < 0 || indptr[n] > entries || (first + n == in->n && indptr[n] != entries))
    return hg_fail(HG_ERR_INPUT, "%s: %s: row %" PRId64 " ends at %" PRId64 ", but there are %" PRId64 " entries",
                   in->h5.path, name, first + n - 1, indptr[n], entries);
  for (hg_off i = 0; i <= n; i++) indptr[i] -= *start;
  return HG_OK;
}

static hg_status read_adjacency(const reader *in, hg_off first, hg_off n, hg_csr *a)
{
  hg_status rc = HG_OK;
  hg_off start;
  a->n_rows = n;
  a->n_cols = in->n;
  HG_TRY(HG_ALLOC(a->indptr, n + 1, "row pointers"));
  HG_TRY(read_pointers(in, "/csr/indptr", first, n, in->m, a->indptr, &start));
  HG_TRY(HG_ALLOC(a->indices, a->indptr[n], "edges"));
  HG_TRY(hg_h5_read_rows(&in->h5, "/csr/indices", HG_H5_I32, start, a->indptr[n], a->indices));
done:
  return rc;
}

static hg_status read_features(const reader *in, hg_off first, hg_off n, hg_features *x)
{
  hg_status rc = HG_OK;
  hg_off start;
  x->width = in->width;
  if (in->width == 0) return HG_OK;
  if (!in->sparse) {
    HG_TRY(HG_ALLOC(x->dense, n * in->width, "features"));
    return hg_h5_read_rows(&in->h5, "/features", HG_H5_F32, first, n, x->dense);
  }
  HG_TRY(HG_ALLOC(x->indptr, n + 1, "feature pointers"));
  HG_TRY(read_pointers(in, "/features/indptr", first, n, in->feature_entries, x->indptr, &start));
  HG_TRY(HG_ALLOC(x->indices, x->indptr[n], "feature indices"));
  HG_TRY(HG_ALLOC(x->values, x->indptr[n], "feature values"));
  HG_TRY(hg_h5_read_rows(&in->h5, "/features/indices", HG_H5_I32, start, x->indptr[n], x->indices));
  HG_TRY(hg_h5_read_rows(&in->h5, "/features/values", HG_H5_F32, start, x->indptr[n], x->values));
done:
  return rc;
}

static hg_status read_labels(const reader *in, hg_off first, hg_off n, hg_nodes *nodes)
{
  hg_status rc = HG_OK;
  nodes->task = in->task;
  nodes->n_classes = in->n_classes;
  switch (in->task) {
  case HG_TASK_NONE:
    break;
  case HG_TASK_CLASSES:
    HG_TRY(HG_ALLOC(nodes->labels, n, "labels"));
    HG_TRY(hg_h5_read_rows(&in->h5, "/labels", HG_H5_I32, first, n, nodes->labels));
    break;
  case HG_TASK_MULTILABEL:
    HG_TRY(HG_ALLOC(nodes->label_bits, n * hg_label_bytes(in->n_classes), "label bits"));
    HG_TRY(hg_h5_read_rows(&in->h5, "/labels", HG_H5_U8, first, n, nodes->label_bits));
    break;
  case HG_TASK_REGRESSION:
    HG_TRY(HG_ALLOC(nodes->targets, n * in->n_classes, "targets"));
    HG_TRY(hg_h5_read_rows(&in->h5, "/labels", HG_H5_F32, first, n, nodes->targets));
    break;
  }
done:
  return rc;
}

// Marks those of one block of a split list that lie in the slice; *last is the list's element before the block.
static hg_status mark_split(const reader *in, int which, const int64_t *list, hg_off count, hg_off first,
                            hg_nodes *nodes, int64_t *last)
{
  for (hg_off e = 0; e < count; e++) {
    if (list[e] <= *last || list[e] >= in->n)
      return hg_fail(HG_ERR_INPUT, "%s: %s: %" PRId64 " follows %" PRId64 ", expected ascending nodes below %" PRId64,
                     in->h5.path, split_names[which], list[e], *last, in->n);
    *last = list[e];
    if (*last < first || *last >= first + nodes->n) continue;
    if (nodes->split[*last - first] != HG_SPLIT_NONE)
      return hg_fail(HG_ERR_INPUT, "%s: %s: node %" PRId64 " is also in %s", in->h5.path, split_names[which], *last,
                     split_names[nodes->split[*last - first]]);
    nodes->split[*last - first] = (uint8_t)which;
  }
  return HG_OK;
}

enum { SPLIT_BLOCK = 1 << 16 };

// The block of a list in which the first element >= `first` lies, by bisection over the blocks' first elements.
static hg_status find_block(const reader *in, int which, hg_off first, hg_off *block)
{
  hg_off low = 0, high = (in->n_split[which] + SPLIT_BLOCK - 1) / SPLIT_BLOCK;
  while (high - low > 1) {
    hg_off middle = low + (high - low) / 2;
    int64_t start;
    hg_status rc = hg_h5_read_rows(&in->h5, split_names[which], HG_H5_I64, middle * SPLIT_BLOCK, 1, &start);
    if (rc != HG_OK) return rc;
    if (start <= first)
      low = middle;
    else
      high = middle;
  }
  *block = low;
  return HG_OK;
}

// The lists are read in blocks: memory stays small, and only blocks that meet the slice are read.
static hg_status read_split(const reader *in, hg_off first, hg_nodes *nodes)
{
  hg_status rc = HG_OK;
  int64_t *list = NULL;
  hg_off block;
  if (!in->has_split) return HG_OK;
  HG_TRY(HG_ALLOC(nodes->split, nodes->n, "split"));
  HG_TRY(HG_ALLOC(list, SPLIT_BLOCK, "block of a split list"));
  for (int which = HG_SPLIT_TRAIN; which < HG_SPLIT_COUNT; which++) {
    int64_t last = -1;
    HG_TRY(find_block(in, which, first, &block));
    for (hg_off at = block * SPLIT_BLOCK; at < in->n_split[which] && last < first + nodes->n; at += SPLIT_BLOCK) {
      hg_off count = in->n_split[which] - at < SPLIT_BLOCK ? in->n_split[which] - at : SPLIT_BLOCK;
      HG_TRY(hg_h5_read_rows(&in->h5, split_names[which], HG_H5_I64, at, count, list));
      HG_TRY(mark_split(in, which, list, count, first, nodes, &last));
    }
  }
done:
  hg_free(&list);
  return rc;
}

static hg_status read_positions_and_ids(const reader *in, hg_off first, hg_nodes *nodes)
{
  hg_status rc = HG_OK;
  nodes->n_dims = in->n_dims;
  if (in->n_dims > 0) {
    HG_TRY(HG_ALLOC(nodes->positions, nodes->n * in->n_dims, "positions"));
    HG_TRY(hg_h5_read_rows(&in->h5, "/positions", HG_H5_F32, first, nodes->n, nodes->positions));
  }
  HG_TRY(HG_ALLOC(nodes->original_ids, nodes->n, "original ids"));
  if (in->has_ids) HG_TRY(hg_h5_read_rows(&in->h5, "/original_ids", HG_H5_I64, first, nodes->n, nodes->original_ids));
  for (hg_off i = 0; !in->has_ids && i < nodes->n; i++) nodes->original_ids[i] = first + i;
done:
  return rc;
}

static hg_status reader_read(const reader *in, hg_off first, hg_off n, hg_graph *slice)
{
  hg_status rc = HG_OK;
  slice->symmetric = in->symmetric;
  slice->nodes.n = n;
  HG_TRY(read_adjacency(in, first, n, &slice->adjacency));
  HG_TRY(read_features(in, first, n, &slice->nodes.features));
  HG_TRY(read_labels(in, first, n, &slice->nodes));
  HG_TRY(read_split(in, first, &slice->nodes));
  HG_TRY(read_positions_and_ids(in, first, &slice->nodes));
done:
  return rc;
}

hg_status hg_store_read_graph(const char *path, hg_graph *graph)
{
  hg_status rc = HG_OK;
  reader in = {0};
  hg_graph read = {0};
  HG_TRY(reader_open(&in, path));
  if (in.kind != HG_STORE_GRAPH) HG_TRY(hg_fail(HG_ERR_INPUT, "%s: found parts, expected a graph", path));
  HG_TRY(reader_read(&in, 0, in.n, &read));
  HG_TRY(hg_context(hg_graph_check(&read), "%s", path));
  *graph = read;
  read = (hg_graph){0};
done:
  hg_graph_free(&read);
  reader_close(&in);
  return rc;
}

hg_status hg_store_read_rows(const char *path, hg_gid first, hg_off n, hg_graph *slice)
{
  hg_status rc = HG_OK;
  reader in = {0};
  hg_graph read = {0};
  HG_TRY(reader_open(&in, path));
  if (first < 0 || n < 0 || n > in.n - first)
    HG_TRY(hg_fail(HG_ERR_INPUT, "%s: holds %" PRId64 " nodes, asked for %" PRId64 " from %" PRId64, path, in.n, n,
                   first));
  HG_TRY(reader_read(&in, first, n, &read));
  HG_TRY(hg_context(hg_graph_check_rows(&read, first), "%s", path));
  *slice = read;
  read = (hg_graph){0};
done:
  hg_graph_free(&read);
  reader_close(&in);
  return rc;
}

hg_status hg_store_read_header(const char *path, hg_store_header *header)
{
  reader in = {0};
  hg_status rc = reader_open(&in, path);
  if (rc == HG_OK) {
    *header = (hg_store_header){.n_nodes = in.n,
                                .n_edges = in.m,
                                .feature_entries = in.sparse ? in.feature_entries : in.n * in.width,
                                .task = in.task,
                                .n_classes = in.n_classes,
                                .feature_width = in.width,
                                .n_dims = in.n_dims,
                                .sparse_features = in.sparse,
                                .symmetric = in.symmetric,
                                .fingerprint = in.fingerprint};
    snprintf(header->creator, sizeof header->creator, "%s", in.creator);
    memcpy(header->n_split, in.n_split, sizeof header->n_split);
  }
  reader_close(&in);
  return rc;
}
