#include <inttypes.h>
#include <string.h>

#include "core/base/alloc.h"
#include "core/base/files.h"
#include "core/graph/store_layout.h"

static hg_status put_features(const hg_h5 *file, const hg_features *x, hg_off n)
{
  if (x->width == 0) return HG_OK;
  if (x->dense) return hg_h5_write(file, "/features", HG_H5_F32, n, x->width, x->dense);
  hg_status rc = HG_OK;
  HG_TRY(hg_h5_make_group(file, "/features"));
  HG_TRY(hg_h5_write_number(file, "/features", "width", x->width));
  HG_TRY(hg_h5_write(file, "/features/indptr", HG_H5_I64, n + 1, 0, x->indptr));
  HG_TRY(hg_h5_write(file, "/features/indices", HG_H5_I32, x->indptr[n], 0, x->indices));
  HG_TRY(hg_h5_write(file, "/features/values", HG_H5_F32, x->indptr[n], 0, x->values));
done:
  return rc;
}

hg_status hg_store_put_task(const hg_h5 *file, hg_task task, int n_classes)
{
  static const char *const tasks[] = {"none", "classes", "multilabel", "regression"};
  hg_status rc = HG_OK;
  HG_TRY(hg_h5_write_text(file, "/labels", "task", tasks[task]));
  HG_TRY(hg_h5_write_number(file, "/labels", "n_classes", n_classes));
done:
  return rc;
}

static hg_status put_labels(const hg_h5 *file, const hg_nodes *nodes)
{
  hg_status rc = HG_OK;
  switch (nodes->task) {
  case HG_TASK_NONE:
    return HG_OK;
  case HG_TASK_CLASSES:
    HG_TRY(hg_h5_write(file, "/labels", HG_H5_I32, nodes->n, 0, nodes->labels));
    break;
  case HG_TASK_MULTILABEL:
    HG_TRY(hg_h5_write(file, "/labels", HG_H5_U8, nodes->n, hg_label_bytes(nodes->n_classes), nodes->label_bits));
    break;
  case HG_TASK_REGRESSION:
    HG_TRY(hg_h5_write(file, "/labels", HG_H5_F32, nodes->n, nodes->n_classes, nodes->targets));
    break;
  }
  HG_TRY(hg_store_put_task(file, nodes->task, nodes->n_classes));
done:
  return rc;
}

static hg_status put_split(const hg_h5 *file, const hg_nodes *nodes)
{
  static const char *const names[] = {"", "/split/train", "/split/val", "/split/test"};
  if (!nodes->split) return HG_OK;
  hg_status rc = HG_OK;
  int64_t *list = NULL;
  HG_TRY(hg_h5_make_group(file, "/split"));
  HG_TRY(HG_ALLOC(list, nodes->n, "split list"));
  for (int which = HG_SPLIT_TRAIN; which < HG_SPLIT_COUNT; which++) {
    hg_off count = 0;
    for (hg_off i = 0; i < nodes->n; i++) {
      if (nodes->split[i] == which) list[count++] = i;
    }
    HG_TRY(hg_h5_write(file, names[which], HG_H5_I64, count, 0, list));
  }
done:
  hg_free(&list);
  return rc;
}

static hg_status put_adjacency(const hg_h5 *file, const hg_csr *a)
{
  hg_status rc = HG_OK;
  HG_TRY(hg_h5_make_group(file, "/csr"));
  HG_TRY(hg_h5_write(file, "/csr/indptr", HG_H5_I64, a->n_rows + 1, 0, a->indptr));
  HG_TRY(hg_h5_write(file, "/csr/indices", HG_H5_I32, a->indptr[a->n_rows], 0, a->indices));
done:
  return rc;
}

hg_status hg_store_put_head(const hg_h5 *file, const char *format, uint64_t fingerprint, const char *creator)
{
  hg_status rc = HG_OK;
  HG_TRY(hg_h5_write_text(file, "/", "halognn_format", format));
  HG_TRY(hg_h5_write_number(file, "/", "halognn_version", HG_STORE_VERSION));
  HG_TRY(hg_h5_write_text(file, "/", "creator", creator ? creator : ""));
  HG_TRY(hg_h5_write_u64(file, "/", "fingerprint", fingerprint));
done:
  return rc;
}

// What hg_store_read_structure reads
static hg_status put_structure(const hg_h5 *file, const hg_graph *graph)
{
  const hg_nodes *nodes = &graph->nodes;
  hg_status rc = HG_OK;
  HG_TRY(hg_h5_write_number(file, "/", "symmetric", graph->symmetric));
  HG_TRY(put_adjacency(file, &graph->adjacency));
  HG_TRY(put_features(file, &nodes->features, nodes->n));
  if (nodes->n_dims > 0) HG_TRY(hg_h5_write(file, "/positions", HG_H5_F32, nodes->n, nodes->n_dims, nodes->positions));
done:
  return rc;
}

static hg_status put_truth(const hg_h5 *file, const hg_nodes *items)
{
  hg_status rc = HG_OK;
  HG_TRY(put_labels(file, items));
  HG_TRY(put_split(file, items));
  if (items->original_ids) HG_TRY(hg_h5_write(file, "/original_ids", HG_H5_I64, items->n, 0, items->original_ids));
done:
  return rc;
}

hg_status hg_store_put_index(const hg_h5 *file, const hg_parts_index *index)
{
  hg_status rc = HG_OK;
  hg_off parts = index->n_parts;
  HG_TRY(hg_h5_make_group(file, "/parts"));
  HG_TRY(hg_h5_write(file, "/parts/offsets", HG_H5_I64, parts + 1, 0, index->offsets));
  HG_TRY(hg_h5_write(file, "/parts/n_interior", HG_H5_I64, parts, 0, index->n_interior));
  HG_TRY(hg_h5_write(file, "/parts/halo_offsets", HG_H5_I64, parts + 1, 0, index->halo_offsets));
  HG_TRY(hg_h5_write(file, "/parts/halo_ids", HG_H5_I64, index->halo_offsets[parts], 0, index->halo_ids));
  HG_TRY(hg_h5_write_text(file, "/parts", "quality", index->quality_json ? index->quality_json : "{}"));
  HG_TRY(hg_h5_write_text(file, "/parts", "recipe", index->recipe));
  HG_TRY(hg_h5_write_u64(file, "/parts", "fingerprint", index->fingerprint));
  if (index->covers.n > 0) {
    HG_TRY(hg_h5_write(file, "/parts/covers", HG_H5_I32, index->covers.n, HG_COVER_NUMBERS, index->covers.kinds));
    HG_TRY(hg_h5_write(file, "/parts/halo_in_covers", HG_H5_I32, index->halo_offsets[parts], 0, index->covers.halo));
  }
done:
  return rc;
}

// What a file holds: a graph, maybe with its parts, or a collection; the others are NULL. `put` writes it.
typedef struct content content;
struct content {
  hg_status (*put)(const hg_h5 *file, const content *what, const char *creator);
  const hg_graph *graph;
  const hg_parts_index *parts;
  const hg_collection *collection;
};

static hg_status put_graph(const hg_h5 *file, const content *what, const char *creator)
{
  const hg_graph *graph = what->graph;
  const hg_parts_index *parts = what->parts;
  hg_status rc = HG_OK;
  HG_TRY(hg_store_put_head(file, parts ? "parts" : "graph", parts ? parts->fingerprint : hg_graph_fingerprint(graph),
                           creator));
  HG_TRY(put_structure(file, graph));
  HG_TRY(put_truth(file, &graph->nodes));
  if (parts) HG_TRY(hg_store_put_index(file, parts));
done:
  return rc;
}

static hg_status put_collection(const hg_h5 *file, const content *what, const char *creator)
{
  const hg_collection *c = what->collection;
  hg_status rc = HG_OK;
  HG_TRY(hg_store_put_head(file, "collection", hg_collection_fingerprint(c), creator));
  HG_TRY(hg_h5_write(file, "/graph_ptr", HG_H5_I64, c->n_graphs + 1, 0, c->graph_ptr));
  HG_TRY(put_structure(file, &c->united));
  HG_TRY(put_truth(file, &c->items));
done:
  return rc;
}

static hg_status write_file(const char *path, const content *what, const char *creator)
{
  hg_status rc = HG_OK;
  hg_new_file out = {0};
  hg_h5 file = {0};
  HG_TRY(hg_new_file_begin(&out, path));
  HG_TRY(hg_h5_create(&file, out.temporary, path));
  HG_TRY(what->put(&file, what, creator));
  HG_TRY(hg_h5_close(&file));
  HG_TRY(hg_new_file_commit(&out));
done:
  if (rc != HG_OK) hg_h5_drop(&file);
  hg_new_file_abandon(&out);
  return rc;
}

hg_status hg_store_write_graph(const char *path, const hg_graph *graph, const char *creator)
{
  return write_file(path, &(content){.put = put_graph, .graph = graph}, creator);
}

hg_status hg_store_write_parts(const char *path, const hg_graph *graph, const hg_parts_index *index,
                               const char *creator)
{
  return write_file(path, &(content){.put = put_graph, .graph = graph, .parts = index}, creator);
}

hg_status hg_store_write_collection(const char *path, const hg_collection *collection, const char *creator)
{
  return write_file(path, &(content){.put = put_collection, .collection = collection}, creator);
}
