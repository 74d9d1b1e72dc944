#include <string.h>

#include "comm/reduce.h"
#include "comm/slice_parts.h"
#include "core/base/alloc.h"
#include "core/base/files.h"
#include "core/graph/store_slices.h"

// Rows of n_in x width elements of `size` bytes, where there are any; *to is created
static hg_status move_array(const hg_route *route, const void *from, size_t bytes, void *to, const char *what)
{
  hg_status rc = HG_OK;
  void *out = NULL;
  if (!from) return HG_OK; // so it is on every rank: the file has it or not
  HG_TRY_ALL(route->world, "moving nodes to their parts", hg_alloc(&out, route->n_out, bytes, what));
  memcpy(to, &out, sizeof out);
  HG_TRY(hg_route_move(route, from, bytes, out));
done:
  return rc;
}

static hg_status move_sparse(const hg_route *route, const hg_features *from, hg_features *to)
{
  hg_status rc = HG_OK;
  if (!from->indptr) return HG_OK;
  HG_TRY(hg_route_move_pointers(route, from->indptr, &to->indptr));
  hg_off entries = to->indptr ? to->indptr[route->n_out] : 0;
  rc = HG_ALLOC(to->indices, entries, "feature indices");
  if (rc == HG_OK) rc = HG_ALLOC(to->values, entries, "feature values");
  HG_TRY_ALL(route->world, "moving nodes to their parts", rc);
  HG_TRY(hg_route_move_entries(route, from->indptr, from->indices, sizeof *from->indices, to->indptr, to->indices));
  HG_TRY(hg_route_move_entries(route, from->indptr, from->values, sizeof *from->values, to->indptr, to->values));
done:
  return rc;
}

// The features, of which there is most, are freed when they have moved.
static hg_status move_nodes(const hg_route *route, hg_nodes *from, hg_nodes *to)
{
  size_t width = (size_t)from->features.width, classes = (size_t)from->n_classes, dims = (size_t)from->n_dims;
  hg_status rc = HG_OK;
  *to = (hg_nodes){.n = route->n_out, .task = from->task, .n_classes = from->n_classes, .n_dims = from->n_dims};
  to->features.width = from->features.width;
  HG_TRY(move_array(route, from->features.dense, width * sizeof(float), &to->features.dense, "features"));
  HG_TRY(move_sparse(route, &from->features, &to->features));
  hg_features_free(&from->features);
  HG_TRY(move_array(route, from->labels, sizeof *from->labels, &to->labels, "labels"));
  HG_TRY(move_array(route, from->label_bits, (size_t)hg_label_bytes(from->n_classes), &to->label_bits, "label bits"));
  HG_TRY(move_array(route, from->targets, classes * sizeof(float), &to->targets, "targets"));
  HG_TRY(move_array(route, from->split, 1, &to->split, "split"));
  HG_TRY(move_array(route, from->positions, dims * sizeof(float), &to->positions, "positions"));
  HG_TRY(move_array(route, from->original_ids, sizeof *from->original_ids, &to->original_ids, "original ids"));
done:
  return rc;
}

hg_status hg_slice_parts_load(hg_slice_parts *parts, const hg_slice *slice, const char *graph_path)
{
  hg_status rc = HG_OK;
  hg_nodes nodes = {0};
  hg_gid first = slice->first[hg_world_rank(parts->world)];
  HG_TRY_ALL(parts->world, "reading nodes", hg_store_read_row_nodes(graph_path, first, parts->route.n_in, &nodes));
  HG_TRY(move_nodes(&parts->route, &nodes, &parts->rows.nodes));
  hg_nodes_free(&nodes);
  HG_TRY_ALL(parts->world, "reading nodes", hg_nodes_reorder(&parts->rows.nodes, parts->order));
done:
  hg_nodes_free(&nodes);
  return rc;
}

// What lies before the rows of this rank. Collective.
static hg_status find_place(const hg_slice_parts *parts, hg_store_place *place)
{
  enum { FIELDS = 2 + HG_SPLIT_COUNT };
  const hg_nodes *nodes = &parts->rows.nodes;
  int ranks = hg_world_size(parts->world), rank = hg_world_rank(parts->world);
  hg_status rc = HG_OK;
  int64_t *all = NULL;
  HG_TRY_ALL(parts->world, "writing parts", HG_ALLOC(all, (hg_off)ranks * FIELDS, "places in the file"));
  int64_t *mine = all + (hg_off)rank * FIELDS;
  mine[0] = parts->rows.adjacency.indptr[nodes->n];
  mine[1] = nodes->features.indptr ? nodes->features.indptr[nodes->n] : 0;
  for (hg_off i = 0; nodes->split && i < nodes->n; i++) mine[2 + nodes->split[i]]++;
  hg_sum_int64(parts->world, all, ranks * FIELDS);
  *place = (hg_store_place){.row = parts->index.offsets[parts->first], .halo = parts->index.halo_offsets[parts->first]};
  for (int r = 0; r < rank; r++) {
    place->edge += all[(hg_off)r * FIELDS];
    place->feature_entry += all[(hg_off)r * FIELDS + 1];
    for (int s = 0; s < HG_SPLIT_COUNT; s++) place->split[s] += all[(hg_off)r * FIELDS + 2 + s];
  }
done:
  hg_free(&all);
  return rc;
}

// Rank 0 makes the file; *ids is put back, since it holds rank 0's ids and not all
static hg_status begin_file(hg_slice_parts *parts, const hg_store_header *shape, const char *path, const char *creator,
                            hg_new_file *file)
{
  hg_gid *ids = parts->index.halo_ids;
  hg_status rc = hg_new_file_begin(file, path);
  if (rc != HG_OK) return rc;
  parts->index.halo_ids = NULL;
  rc = hg_store_begin_parts(file->temporary, path, shape, parts->rows.nodes.split != NULL, &parts->index, creator);
  parts->index.halo_ids = ids;
  return rc;
}

// This rank's turn: the next one, maybe on another host, opens the file when all of it is written.
static hg_status add_rows(const hg_slice_parts *parts, const hg_new_file *file, const char *path,
                          const hg_store_place *place)
{
  const hg_off *halo = parts->index.halo_offsets;
  hg_off n_halo = halo[parts->end] - halo[parts->first];
  hg_status rc = hg_store_add_rows(file->temporary, path, place, &parts->rows, parts->index.halo_ids, n_halo);
  return rc == HG_OK ? hg_new_file_sync(file) : rc;
}

hg_status hg_slice_parts_write(hg_slice_parts *parts, const hg_store_header *shape, const char *path,
                               const char *creator)
{
  hg_status rc = HG_OK;
  hg_world *world = parts->world;
  hg_new_file file = {0};
  hg_store_place place;
  int rank = hg_world_rank(world);
  HG_TRY(find_place(parts, &place));
  HG_TRY_ALL(world, "writing parts", rank == 0 ? begin_file(parts, shape, path, creator, &file) : HG_OK);
  hg_broadcast(world, &file, sizeof file, 0);
  for (int turn = 0; turn < hg_world_size(world); turn++)
    HG_TRY_ALL(world, "writing parts", turn == rank ? add_rows(parts, &file, path, &place) : HG_OK);
  HG_TRY_ALL(world, "writing parts", rank == 0 ? hg_new_file_commit(&file) : HG_OK);
done:
  if (rank == 0) hg_new_file_abandon(&file);
  return rc;
}
