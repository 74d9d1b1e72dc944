// A parts file that grows: the datasets first, then rows of one process after the other.

#include "core/base/alloc.h"
#include "core/graph/store_reader.h"
#include "core/graph/store_slices.h"

static hg_status make_features(const hg_h5 *file, const hg_store_header *shape)
{
  hg_status rc = HG_OK;
  if (shape->feature_width == 0) return HG_OK;
  if (!shape->sparse_features)
    return hg_h5_write(file, "/features", HG_H5_F32, shape->n_nodes, shape->feature_width, NULL);
  HG_TRY(hg_h5_make_group(file, "/features"));
  HG_TRY(hg_h5_write_number(file, "/features", "width", shape->feature_width));
  HG_TRY(hg_h5_write(file, "/features/indptr", HG_H5_I64, shape->n_nodes + 1, 0, NULL));
  HG_TRY(hg_h5_write(file, "/features/indices", HG_H5_I32, shape->feature_entries, 0, NULL));
  HG_TRY(hg_h5_write(file, "/features/values", HG_H5_F32, shape->feature_entries, 0, NULL));
done:
  return rc;
}

static hg_status make_labels(const hg_h5 *file, const hg_store_header *shape)
{
  hg_status rc = HG_OK;
  hg_off n = shape->n_nodes;
  if (shape->task == HG_TASK_NONE) return HG_OK;
  if (shape->task == HG_TASK_CLASSES) HG_TRY(hg_h5_write(file, "/labels", HG_H5_I32, n, 0, NULL));
  if (shape->task == HG_TASK_MULTILABEL)
    HG_TRY(hg_h5_write(file, "/labels", HG_H5_U8, n, hg_label_bytes(shape->n_classes), NULL));
  if (shape->task == HG_TASK_REGRESSION) HG_TRY(hg_h5_write(file, "/labels", HG_H5_F32, n, shape->n_classes, NULL));
  HG_TRY(hg_store_put_task(file, shape->task, shape->n_classes));
done:
  return rc;
}

static hg_status make_split(const hg_h5 *file, const hg_store_header *shape)
{
  hg_status rc = HG_OK;
  HG_TRY(hg_h5_make_group(file, "/split"));
  for (int which = HG_SPLIT_TRAIN; which < HG_SPLIT_COUNT; which++)
    HG_TRY(hg_h5_write(file, hg_store_split_names[which], HG_H5_I64, shape->n_split[which], 0, NULL));
done:
  return rc;
}

static hg_status make_datasets(const hg_h5 *file, const hg_store_header *shape, bool has_split)
{
  hg_status rc = HG_OK;
  HG_TRY(hg_h5_write_number(file, "/", "symmetric", shape->symmetric));
  HG_TRY(hg_h5_make_group(file, "/csr"));
  HG_TRY(hg_h5_write(file, "/csr/indptr", HG_H5_I64, shape->n_nodes + 1, 0, NULL));
  HG_TRY(hg_h5_write(file, "/csr/indices", HG_H5_I32, shape->n_edges, 0, NULL));
  HG_TRY(make_features(file, shape));
  if (shape->n_dims > 0) HG_TRY(hg_h5_write(file, "/positions", HG_H5_F32, shape->n_nodes, shape->n_dims, NULL));
  HG_TRY(make_labels(file, shape));
  if (has_split) HG_TRY(make_split(file, shape));
  HG_TRY(hg_h5_write(file, "/original_ids", HG_H5_I64, shape->n_nodes, 0, NULL));
done:
  return rc;
}

hg_status hg_store_begin_parts(const char *temporary, const char *path, const hg_store_header *shape, bool has_split,
                               const hg_parts_index *index, const char *creator)
{
  hg_status rc = HG_OK;
  hg_h5 file = {0};
  HG_TRY(hg_h5_create(&file, temporary, path));
  HG_TRY(hg_store_put_head(&file, "parts", index->fingerprint, creator));
  HG_TRY(make_datasets(&file, shape, has_split));
  HG_TRY(hg_store_put_index(&file, index));
  HG_TRY(hg_h5_close(&file));
done:
  hg_h5_drop(&file);
  return rc;
}

// indptr of n rows whose entries begin at `entry`; the next process writes its first element, which is our last, again
static hg_status add_pointers(const hg_h5 *file, const char *name, hg_gid row, hg_off n, const hg_off *indptr,
                              hg_off entry)
{
  hg_status rc = HG_OK;
  hg_off *moved = NULL;
  HG_TRY(HG_ALLOC(moved, n + 1, "row pointers"));
  for (hg_off i = 0; i <= n; i++) moved[i] = indptr[i] + entry;
  HG_TRY(hg_h5_write_rows(file, name, HG_H5_I64, row, n + 1, moved));
done:
  hg_free(&moved);
  return rc;
}

static hg_status add_features(const hg_h5 *file, const hg_store_place *at, const hg_features *x, hg_off n)
{
  hg_status rc = HG_OK;
  if (x->width == 0) return HG_OK;
  if (x->dense) return hg_h5_write_rows(file, "/features", HG_H5_F32, at->row, n, x->dense);
  HG_TRY(add_pointers(file, "/features/indptr", at->row, n, x->indptr, at->feature_entry));
  HG_TRY(hg_h5_write_rows(file, "/features/indices", HG_H5_I32, at->feature_entry, x->indptr[n], x->indices));
  HG_TRY(hg_h5_write_rows(file, "/features/values", HG_H5_F32, at->feature_entry, x->indptr[n], x->values));
done:
  return rc;
}

static hg_status add_labels(const hg_h5 *file, const hg_store_place *at, const hg_nodes *nodes)
{
  if (nodes->labels) return hg_h5_write_rows(file, "/labels", HG_H5_I32, at->row, nodes->n, nodes->labels);
  if (nodes->label_bits) return hg_h5_write_rows(file, "/labels", HG_H5_U8, at->row, nodes->n, nodes->label_bits);
  if (nodes->targets) return hg_h5_write_rows(file, "/labels", HG_H5_F32, at->row, nodes->n, nodes->targets);
  return HG_OK;
}

static hg_status add_split(const hg_h5 *file, const hg_store_place *at, const hg_nodes *nodes)
{
  hg_status rc = HG_OK;
  int64_t *list = NULL;
  if (!nodes->split) return HG_OK;
  HG_TRY(HG_ALLOC(list, nodes->n, "split list"));
  for (int which = HG_SPLIT_TRAIN; which < HG_SPLIT_COUNT; which++) {
    hg_off count = 0;
    for (hg_off i = 0; i < nodes->n; i++)
      if (nodes->split[i] == which) list[count++] = at->row + i;
    HG_TRY(hg_h5_write_rows(file, hg_store_split_names[which], HG_H5_I64, at->split[which], count, list));
  }
done:
  hg_free(&list);
  return rc;
}

static hg_status add_rows(const hg_h5 *file, const hg_store_place *at, const hg_graph *rows)
{
  const hg_csr *a = &rows->adjacency;
  const hg_nodes *nodes = &rows->nodes;
  hg_off n = nodes->n;
  hg_status rc = HG_OK;
  HG_TRY(add_pointers(file, "/csr/indptr", at->row, n, a->indptr, at->edge));
  HG_TRY(hg_h5_write_rows(file, "/csr/indices", HG_H5_I32, at->edge, a->indptr[n], a->indices));
  HG_TRY(add_features(file, at, &nodes->features, n));
  if (nodes->n_dims > 0) HG_TRY(hg_h5_write_rows(file, "/positions", HG_H5_F32, at->row, n, nodes->positions));
  HG_TRY(add_labels(file, at, nodes));
  HG_TRY(add_split(file, at, nodes));
  HG_TRY(hg_h5_write_rows(file, "/original_ids", HG_H5_I64, at->row, n, nodes->original_ids));
done:
  return rc;
}

hg_status hg_store_add_rows(const char *temporary, const char *path, const hg_store_place *place, const hg_graph *rows,
                            const hg_gid *halo_ids, hg_off n_halo)
{
  hg_status rc = HG_OK;
  hg_h5 file = {0};
  HG_TRY(hg_h5_reopen(&file, temporary, path));
  HG_TRY(add_rows(&file, place, rows));
  HG_TRY(hg_h5_write_rows(&file, "/parts/halo_ids", HG_H5_I64, place->halo, n_halo, halo_ids));
  HG_TRY(hg_h5_close(&file));
done:
  hg_h5_drop(&file);
  return rc;
}
