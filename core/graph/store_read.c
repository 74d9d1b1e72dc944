#include <inttypes.h>

#include "core/base/alloc.h"
#include "core/graph/store_reader.h"

// indptr[0..n] of rows first.., moved to start at 0; *start is where their entries lie among `entries`
static hg_status read_pointers(const hg_store_reader *in, const char *name, hg_off first, hg_off n, hg_off entries,
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
  if (indptr[0] < 0 || indptr[n] > entries || (first + n == in->header.n_nodes && indptr[n] != entries))
    return hg_fail(HG_ERR_INPUT, "%s: %s: row %" PRId64 " ends at %" PRId64 ", but there are %" PRId64 " entries",
                   in->h5.path, name, first + n - 1, indptr[n], entries);
  for (hg_off i = 0; i <= n; i++) indptr[i] -= *start;
  return HG_OK;
}

static hg_status read_adjacency(const hg_store_reader *in, hg_off first, hg_off n, hg_csr *a)
{
  hg_status rc = HG_OK;
  hg_off start;
  a->n_rows = n;
  a->n_cols = in->header.n_nodes;
  HG_TRY(HG_ALLOC(a->indptr, n + 1, "row pointers"));
  HG_TRY(read_pointers(in, "/csr/indptr", first, n, in->header.n_edges, a->indptr, &start));
  HG_TRY(HG_ALLOC(a->indices, a->indptr[n], "edges"));
  HG_TRY(hg_h5_read_rows(&in->h5, "/csr/indices", HG_H5_I32, start, a->indptr[n], a->indices));
done:
  return rc;
}

static hg_status read_features(const hg_store_reader *in, hg_off first, hg_off n, hg_features *x)
{
  hg_status rc = HG_OK;
  hg_off start;
  x->width = in->header.feature_width;
  if (in->header.feature_width == 0) return HG_OK;
  if (!in->header.sparse_features) {
    HG_TRY(HG_ALLOC(x->dense, n * in->header.feature_width, "features"));
    return hg_h5_read_rows(&in->h5, "/features", HG_H5_F32, first, n, x->dense);
  }
  HG_TRY(HG_ALLOC(x->indptr, n + 1, "feature pointers"));
  HG_TRY(read_pointers(in, "/features/indptr", first, n, in->header.feature_entries, x->indptr, &start));
  HG_TRY(HG_ALLOC(x->indices, x->indptr[n], "feature indices"));
  HG_TRY(HG_ALLOC(x->values, x->indptr[n], "feature values"));
  HG_TRY(hg_h5_read_rows(&in->h5, "/features/indices", HG_H5_I32, start, x->indptr[n], x->indices));
  HG_TRY(hg_h5_read_rows(&in->h5, "/features/values", HG_H5_F32, start, x->indptr[n], x->values));
done:
  return rc;
}

static hg_status read_labels(const hg_store_reader *in, hg_off first, hg_off n, hg_nodes *nodes)
{
  hg_status rc = HG_OK;
  nodes->task = in->header.task;
  nodes->n_classes = in->header.n_classes;
  switch (in->header.task) {
  case HG_TASK_NONE:
    break;
  case HG_TASK_CLASSES:
    HG_TRY(HG_ALLOC(nodes->labels, n, "labels"));
    HG_TRY(hg_h5_read_rows(&in->h5, "/labels", HG_H5_I32, first, n, nodes->labels));
    break;
  case HG_TASK_MULTILABEL:
    HG_TRY(HG_ALLOC(nodes->label_bits, n * hg_label_bytes(in->header.n_classes), "label bits"));
    HG_TRY(hg_h5_read_rows(&in->h5, "/labels", HG_H5_U8, first, n, nodes->label_bits));
    break;
  case HG_TASK_REGRESSION:
    HG_TRY(HG_ALLOC(nodes->targets, n * in->header.n_classes, "targets"));
    HG_TRY(hg_h5_read_rows(&in->h5, "/labels", HG_H5_F32, first, n, nodes->targets));
    break;
  }
done:
  return rc;
}

// Marks those of one block of a split list that lie in the slice; *last is the list's element before the block.
static hg_status mark_split(const hg_store_reader *in, int which, const int64_t *list, hg_off count, hg_off first,
                            hg_nodes *nodes, int64_t *last)
{
  for (hg_off e = 0; e < count; e++) {
    if (list[e] <= *last || list[e] >= in->n_items)
      return hg_fail(HG_ERR_INPUT, "%s: %s: %" PRId64 " follows %" PRId64 ", expected ascending %ss below %" PRId64,
                     in->h5.path, hg_store_split_names[which], list[e], *last, in->noun, in->n_items);
    *last = list[e];
    if (*last < first || *last >= first + nodes->n) continue;
    if (nodes->split[*last - first] != HG_SPLIT_NONE)
      return hg_fail(HG_ERR_INPUT, "%s: %s: %s %" PRId64 " is also in %s", in->h5.path, hg_store_split_names[which],
                     in->noun, *last, hg_store_split_names[nodes->split[*last - first]]);
    nodes->split[*last - first] = (uint8_t)which;
  }
  return HG_OK;
}

enum { SPLIT_BLOCK = 1 << 16 };

// The block of a list in which the first element >= `first` lies, by bisection over the blocks' first elements.
static hg_status find_block(const hg_store_reader *in, int which, hg_off first, hg_off *block)
{
  hg_off low = 0, high = (in->header.n_split[which] + SPLIT_BLOCK - 1) / SPLIT_BLOCK;
  while (high - low > 1) {
    hg_off middle = low + (high - low) / 2;
    int64_t start;
    hg_status rc = hg_h5_read_rows(&in->h5, hg_store_split_names[which], HG_H5_I64, middle * SPLIT_BLOCK, 1, &start);
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
static hg_status read_split(const hg_store_reader *in, hg_off first, hg_nodes *nodes)
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
    for (hg_off at = block * SPLIT_BLOCK; at < in->header.n_split[which] && last < first + nodes->n;
         at += SPLIT_BLOCK) {
      hg_off count = in->header.n_split[which] - at < SPLIT_BLOCK ? in->header.n_split[which] - at : SPLIT_BLOCK;
      HG_TRY(hg_h5_read_rows(&in->h5, hg_store_split_names[which], HG_H5_I64, at, count, list));
      HG_TRY(mark_split(in, which, list, count, first, nodes, &last));
    }
  }
done:
  hg_free(&list);
  return rc;
}

static hg_status read_positions(const hg_store_reader *in, hg_off first, hg_nodes *nodes)
{
  nodes->n_dims = in->header.n_dims;
  if (nodes->n_dims == 0) return HG_OK;
  hg_status rc = HG_ALLOC(nodes->positions, nodes->n * nodes->n_dims, "positions");
  return rc == HG_OK ? hg_h5_read_rows(&in->h5, "/positions", HG_H5_F32, first, nodes->n, nodes->positions) : rc;
}

static hg_status read_ids(const hg_store_reader *in, hg_off first, hg_nodes *items)
{
  hg_status rc = HG_ALLOC(items->original_ids, items->n, "original ids");
  if (rc != HG_OK) return rc;
  if (in->has_ids) return hg_h5_read_rows(&in->h5, "/original_ids", HG_H5_I64, first, items->n, items->original_ids);
  for (hg_off i = 0; i < items->n; i++) items->original_ids[i] = first + i;
  return HG_OK;
}

hg_status hg_store_read_structure(const hg_store_reader *in, hg_off first, hg_off n, hg_graph *slice)
{
  hg_status rc = HG_OK;
  HG_TRY(hg_store_read_edges(in, first, n, slice));
  HG_TRY(hg_store_read_inputs(in, first, n, &slice->nodes));
done:
  return rc;
}

hg_status hg_store_read_edges(const hg_store_reader *in, hg_off first, hg_off n, hg_graph *slice)
{
  slice->symmetric = in->header.symmetric;
  slice->nodes.n = n;
  return read_adjacency(in, first, n, &slice->adjacency);
}

hg_status hg_store_read_inputs(const hg_store_reader *in, hg_off first, hg_off n, hg_nodes *nodes)
{
  hg_status rc = HG_OK;
  nodes->n = n;
  HG_TRY(read_features(in, first, n, &nodes->features));
  HG_TRY(read_positions(in, first, nodes));
done:
  return rc;
}

hg_status hg_store_read_truth(const hg_store_reader *in, hg_off first, hg_off n, hg_nodes *items)
{
  hg_status rc = HG_OK;
  items->n = n;
  HG_TRY(read_labels(in, first, n, items));
  HG_TRY(read_split(in, first, items));
  HG_TRY(read_ids(in, first, items));
done:
  return rc;
}
