#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "core/base/alloc.h"
#include "core/graph/store_reader.h"

const char *const hg_store_split_names[HG_SPLIT_COUNT] = {"", "/split/train", "/split/val", "/split/test"};

static hg_status expect_rows(const hg_store_reader *in, const char *name, hg_off found, hg_off expected)
{
  if (found == expected) return HG_OK;
  return hg_fail(HG_ERR_INPUT, "%s: %s: found %" PRId64 " rows, expected %" PRId64, in->h5.path, name, found, expected);
}

static hg_status inspect_adjacency(hg_store_reader *in)
{
  hg_status rc = HG_OK;
  hg_h5_shape shape;
  int64_t symmetric;
  HG_TRY(hg_h5_inspect(&in->h5, "/csr/indptr", HG_H5_I64, 1, &shape));
  if (shape.dims[0] < 1 || shape.dims[0] - 1 > INT32_MAX)
    return hg_fail(HG_ERR_INPUT, "%s: /csr/indptr: found %" PRId64 " elements, expected 1 to 2^31", in->h5.path,
                   shape.dims[0]);
  in->header.n_nodes = shape.dims[0] - 1;
  HG_TRY(hg_h5_inspect(&in->h5, "/csr/indices", HG_H5_I32, 1, &shape));
  in->header.n_edges = shape.dims[0];
  HG_TRY(hg_h5_read_number(&in->h5, "/", "symmetric", 0, 1, &symmetric));
  in->header.symmetric = symmetric == 1;
  rc = hg_h5_read_u64(&in->h5, "/", "fingerprint", &in->header.fingerprint);
done:
  return rc;
}

static hg_status inspect_sparse(hg_store_reader *in)
{
  hg_status rc = HG_OK;
  hg_h5_shape shape;
  int64_t width;
  HG_TRY(hg_h5_read_number(&in->h5, "/features", "width", 1, INT32_MAX, &width));
  HG_TRY(hg_h5_inspect(&in->h5, "/features/indptr", HG_H5_I64, 1, &shape));
  HG_TRY(expect_rows(in, "/features/indptr", shape.dims[0], in->header.n_nodes + 1));
  HG_TRY(hg_h5_inspect(&in->h5, "/features/indices", HG_H5_I32, 1, &shape));
  in->header.feature_entries = shape.dims[0];
  HG_TRY(hg_h5_inspect(&in->h5, "/features/values", HG_H5_F32, 1, &shape));
  HG_TRY(expect_rows(in, "/features/values", shape.dims[0], in->header.feature_entries));
  in->header.sparse_features = true;
  in->header.feature_width = (int)width;
done:
  return rc;
}

static hg_status inspect_features(hg_store_reader *in)
{
  hg_status rc = HG_OK;
  hg_h5_shape shape;
  if (!hg_h5_exists(&in->h5, "/features")) return HG_OK;
  if (hg_h5_is_group(&in->h5, "/features")) return inspect_sparse(in);
  HG_TRY(hg_h5_inspect(&in->h5, "/features", HG_H5_F32, 2, &shape));
  HG_TRY(expect_rows(in, "/features", shape.dims[0], in->header.n_nodes));
  HG_TRY(hg_to_i32(&in->header.feature_width, shape.dims[1], "features"));
  in->header.feature_entries = shape.dims[0] * shape.dims[1];
done:
  return rc;
}

static hg_status inspect_labels(hg_store_reader *in)
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
  HG_TRY(expect_rows(in, "/labels", shape.dims[0], in->n_items));
  in->header.task = (hg_task)task;
  in->header.n_classes = (int)classes;
  hg_off width = task == HG_TASK_CLASSES      ? 1
                 : task == HG_TASK_MULTILABEL ? hg_label_bytes(in->header.n_classes)
                                              : classes;
  if (shape.dims[1] != width)
    rc = hg_fail(HG_ERR_INPUT, "%s: /labels: found %" PRId64 " columns, expected %" PRId64 " for %d %s", in->h5.path,
                 shape.dims[1], width, in->header.n_classes, task == HG_TASK_REGRESSION ? "targets" : "labels");
done:
  return rc;
}

static hg_status inspect_split(hg_store_reader *in)
{
  if (!hg_h5_exists(&in->h5, "/split")) return HG_OK;
  hg_off left = in->n_items;
  for (int k = HG_SPLIT_TRAIN; k < HG_SPLIT_COUNT; k++) {
    hg_h5_shape shape;
    hg_status rc = hg_h5_inspect(&in->h5, hg_store_split_names[k], HG_H5_I64, 1, &shape);
    if (rc != HG_OK) return rc;
    in->header.n_split[k] = shape.dims[0];
    if (shape.dims[0] > left)
      return hg_fail(HG_ERR_INPUT, "%s: %s: the splits list more than the %" PRId64 " %ss", in->h5.path,
                     hg_store_split_names[k], in->n_items, in->noun);
    left -= shape.dims[0];
  }
  in->header.n_split[HG_SPLIT_NONE] = left;
  in->has_split = true;
  return HG_OK;
}

static hg_status inspect_positions(hg_store_reader *in)
{
  if (!hg_h5_exists(&in->h5, "/positions")) return HG_OK;
  hg_status rc = HG_OK;
  hg_h5_shape shape;
  HG_TRY(hg_h5_inspect(&in->h5, "/positions", HG_H5_F32, 2, &shape));
  HG_TRY(expect_rows(in, "/positions", shape.dims[0], in->header.n_nodes));
  HG_TRY(hg_to_i32(&in->header.n_dims, shape.dims[1], "dimensions"));
done:
  return rc;
}

static hg_status inspect_ids(hg_store_reader *in)
{
  hg_h5_shape shape;
  in->has_ids = hg_h5_exists(&in->h5, "/original_ids");
  if (!in->has_ids) return HG_OK;
  hg_status rc = hg_h5_inspect(&in->h5, "/original_ids", HG_H5_I64, 1, &shape);
  return rc == HG_OK ? expect_rows(in, "/original_ids", shape.dims[0], in->n_items) : rc;
}

static hg_status inspect_items(hg_store_reader *in)
{
  hg_status rc = HG_OK;
  hg_h5_shape shape;
  in->noun = "node";
  in->n_items = in->header.n_nodes;
  if (in->header.kind != HG_STORE_COLLECTION) return HG_OK;
  if (in->header.sparse_features)
    return hg_fail(HG_ERR_INPUT, "%s: /features: found a sparse matrix, expected a dense one in a collection",
                   in->h5.path);
  HG_TRY(hg_h5_inspect(&in->h5, "/graph_ptr", HG_H5_I64, 1, &shape));
  if (shape.dims[0] < 1 || shape.dims[0] - 1 > in->header.n_nodes)
    return hg_fail(HG_ERR_INPUT,
                   "%s: /graph_ptr: found %" PRId64 " elements, expected the graphs (at most as many as the %" PRId64
                   " nodes) and 1",
                   in->h5.path, shape.dims[0], in->header.n_nodes);
  in->noun = "graph";
  in->n_items = in->header.n_graphs = shape.dims[0] - 1;
done:
  return rc;
}

static hg_status read_creator(hg_store_reader *in)
{
  char *creator = NULL;
  hg_status rc = hg_h5_read_long_text(&in->h5, "/", "creator", &creator);
  if (rc == HG_OK) snprintf(in->header.creator, sizeof in->header.creator, "%s", creator);
  hg_free(&creator);
  return rc;
}

hg_status hg_store_reader_open(hg_store_reader *in, const char *path)
{
  hg_status rc = HG_OK;
  *in = (hg_store_reader){0};
  HG_TRY(hg_h5_open(&in->h5, path));
  HG_TRY(hg_store_check_head(&in->h5, &in->header.kind));
  if (in->header.kind == HG_STORE_CHECKPOINT)
    return hg_fail(HG_ERR_INPUT, "%s: found a checkpoint file, expected a graph or parts", path);
  HG_TRY(inspect_adjacency(in));
  HG_TRY(inspect_features(in));
  HG_TRY(inspect_positions(in));
  HG_TRY(inspect_items(in));
  HG_TRY(inspect_labels(in));
  HG_TRY(inspect_split(in));
  HG_TRY(inspect_ids(in));
  HG_TRY(read_creator(in));
done:
  return rc;
}

void hg_store_reader_close(hg_store_reader *in) { hg_h5_drop(&in->h5); }
