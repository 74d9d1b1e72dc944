#include "comm/slice_parts.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "comm/reduce.h"
#include "comm/slice_columns.h"
#include "core/base/alloc.h"

static const char *const phase = "cutting parts";

// What is needed while parts are cut.
typedef struct {
  const hg_slice *slice; // its edges are gone
  hg_slice_parts *out;
  int k;
  hg_csr a;                 // rows as they came, columns as old numbers
  int32_t *part;            // [rows]
  hg_lid *new_of;           // [rows] global ids
  hg_off *next;             // where the next row of each group goes
  hg_slice_columns columns; // of `a`
  int32_t *column_part;     // [columns.marks.count]
  hg_lid *column_new;       // [columns.marks.count]
} cutting;

static void cutting_free(cutting *c)
{
  hg_csr_free(&c->a);
  hg_slice_columns_free(&c->columns);
  hg_free(&c->part);
  hg_free(&c->new_of);
  hg_free(&c->next);
  hg_free(&c->column_part);
  hg_free(&c->column_new);
}

static hg_status send_rows(cutting *c, hg_slice *slice, const int32_t *part_of)
{
  hg_status rc = HG_OK;
  hg_world *world = slice->world;
  hg_route *route = &c->out->route;
  int32_t *to = NULL;
  HG_TRY_ALL(world, phase, HG_ALLOC(to, hg_slice_n(slice), "ranks of nodes"));
  for (hg_off i = 0; i < hg_slice_n(slice); i++) to[i] = (int32_t)((int64_t)part_of[i] * hg_world_size(world) / c->k);
  HG_TRY(hg_route_create(route, world, to, hg_slice_n(slice)));
  c->a.n_rows = route->n_out;
  c->a.n_cols = slice->a.n_cols;
  HG_TRY_ALL(world, phase, HG_ALLOC(c->part, route->n_out, "parts of nodes"));
  HG_TRY(hg_route_move(route, part_of, sizeof *part_of, c->part));
  HG_TRY(hg_route_move_pointers(route, slice->a.indptr, &c->a.indptr));
  HG_TRY_ALL(world, phase, HG_ALLOC(c->a.indices, c->a.indptr[route->n_out], "edges of the parts"));
  HG_TRY(hg_route_move_entries(route, slice->a.indptr, slice->a.indices, sizeof *slice->a.indices, c->a.indptr,
                               c->a.indices));
  hg_csr_free(&slice->a);
done:
  hg_free(&to);
  return rc;
}

// The parts of all columns; room for their global ids
static hg_status find_columns(cutting *c, const int32_t *part_of)
{
  hg_status rc = HG_OK;
  HG_TRY(hg_slice_columns_create(&c->columns, c->slice, &c->a));
  rc = HG_ALLOC(c->column_part, c->columns.marks.count, "parts of columns");
  if (rc == HG_OK) rc = HG_ALLOC(c->column_new, c->columns.marks.count, "global ids of columns");
  HG_TRY_ALL(c->slice->world, phase, rc);
  HG_TRY(hg_slice_columns_look_up(&c->columns, part_of, c->column_part));
done:
  return rc;
}

// Edges of row i that come from another part
static hg_off count_foreign(const cutting *c, hg_off i)
{
  hg_off count = 0;
  for (hg_off e = c->a.indptr[i]; e < c->a.indptr[i + 1]; e++)
    count += c->column_part[hg_column_number(&c->columns.marks, c->a.indices[e])] != c->part[i];
  return count;
}

// The index, and room for where each group of rows goes: 2 x (part - first) + whether it is a boundary node
static hg_status create_index(cutting *c)
{
  hg_status rc = HG_OK;
  hg_slice_parts *out = c->out;
  out->index.n_parts = c->k;
  HG_TRY(HG_ALLOC(out->index.offsets, (hg_off)c->k + 1, "part offsets"));
  HG_TRY(HG_ALLOC(out->index.n_interior, c->k, "interior counts"));
  HG_TRY(HG_ALLOC(out->index.halo_offsets, (hg_off)c->k + 1, "halo offsets"));
  HG_TRY(HG_ALLOC(out->cut, out->end - out->first, "cut edges"));
  HG_TRY(HG_ALLOC(out->order, out->route.n_out, "order of nodes"));
  HG_TRY(HG_ALLOC(c->new_of, out->route.n_out, "global ids"));
  HG_TRY(HG_ALLOC(c->next, 2 * (hg_off)(out->end - out->first) + 2, "groups of nodes"));
done:
  return rc;
}

// new_of = the group of each row; next [group + 1] = its size; cut edges
static void find_groups(cutting *c)
{
  const hg_slice_parts *out = c->out;
  for (hg_off i = 0; i < c->a.n_rows; i++) {
    int part = c->part[i] - out->first;
    hg_off foreign = count_foreign(c, i), group = 2 * (hg_off)part + (foreign > 0);
    out->cut[part] += foreign;
    c->new_of[i] = (hg_lid)group;
    c->next[group + 1]++;
  }
}

// The global ids of this rank's rows: part by part, interior nodes first, in the order in which they came
static hg_status number_rows(cutting *c)
{
  hg_status rc = HG_OK;
  hg_slice_parts *out = c->out;
  hg_parts_index *index = &out->index;
  HG_TRY_ALL(c->slice->world, phase, create_index(c));
  find_groups(c);
  for (int p = out->first; p < out->end; p++) {
    const hg_off *sizes = c->next + 1 + 2 * (hg_off)(p - out->first);
    index->n_interior[p] = sizes[0];
    index->offsets[p + 1] = sizes[0] + sizes[1];
  }
  hg_sum_int64(c->slice->world, index->n_interior, c->k);
  hg_sum_int64(c->slice->world, index->offsets, c->k + 1);
  for (int p = 0; p < c->k; p++) index->offsets[p + 1] += index->offsets[p];
  for (hg_off g = 0; g < 2 * (hg_off)(out->end - out->first); g++) c->next[g + 1] += c->next[g];
  for (hg_off i = 0; i < c->a.n_rows; i++) {
    hg_off at = c->next[c->new_of[i]]++;
    out->order[at] = (hg_lid)i;
    c->new_of[i] = (hg_lid)(index->offsets[out->first] + at);
  }
done:
  return rc;
}

// Global ids, of the nodes of the slices and then of all columns
static hg_status number_columns(cutting *c)
{
  hg_status rc = HG_OK;
  hg_lid *of_slice = NULL;
  HG_TRY_ALL(c->slice->world, phase, HG_ALLOC(of_slice, c->out->route.n_in, "global ids of the slice"));
  HG_TRY(hg_route_back(&c->out->route, c->new_of, sizeof *c->new_of, of_slice));
  HG_TRY(hg_slice_columns_look_up(&c->columns, of_slice, c->column_new));
done:
  hg_free(&of_slice);
  return rc;
}

static int compare_lids(const void *a, const void *b)
{
  hg_lid x = *(const hg_lid *)a, y = *(const hg_lid *)b;
  return (x > y) - (x < y);
}

static int compare_gids(const void *a, const void *b)
{
  hg_gid x = *(const hg_gid *)a, y = *(const hg_gid *)b;
  return (x > y) - (x < y);
}

static hg_status renumber_edges(cutting *c)
{
  hg_status rc = HG_OK;
  hg_csr *rows = &c->out->rows.adjacency;
  hg_off n = c->a.n_rows;
  HG_TRY(hg_csr_create(rows, n, c->a.n_cols, c->a.indptr[n], false, "edges of the parts"));
  for (hg_off r = 0; r < n; r++) {
    hg_off i = c->out->order[r], to = rows->indptr[r];
    for (hg_off e = c->a.indptr[i]; e < c->a.indptr[i + 1]; e++)
      rows->indices[to++] = c->column_new[hg_column_number(&c->columns.marks, c->a.indices[e])];
    rows->indptr[r + 1] = to;
    qsort(rows->indices + rows->indptr[r], (size_t)(to - rows->indptr[r]), sizeof *rows->indices, compare_lids);
  }
done:
  return rc;
}

// The halo of part p, once each, when `ids` is given; its size. stamp[u] = p + 1 of columns that were met.
static hg_off collect_halo(const cutting *c, int p, int32_t *stamp, hg_gid *ids)
{
  const hg_parts_index *index = &c->out->index;
  hg_gid first = index->offsets[c->out->first];
  hg_off count = 0;
  for (hg_gid row = index->offsets[p] + index->n_interior[p]; row < index->offsets[p + 1]; row++) {
    hg_lid i = c->out->order[row - first];
    for (hg_off e = c->a.indptr[i]; e < c->a.indptr[i + 1]; e++) {
      hg_lid u = hg_column_number(&c->columns.marks, c->a.indices[e]);
      if (c->column_part[u] == p || stamp[u] == p + 1) continue;
      stamp[u] = p + 1;
      if (ids) ids[count] = c->column_new[u];
      count++;
    }
  }
  return count;
}

static hg_status collect_halos(cutting *c)
{
  hg_status rc = HG_OK;
  hg_slice_parts *out = c->out;
  hg_off *halo = out->index.halo_offsets, used = 0;
  int32_t *stamp = NULL;
  HG_TRY_ALL(c->slice->world, phase, HG_ALLOC(stamp, c->columns.marks.count, "halo marks"));
  for (int p = out->first; p < out->end; p++) used += halo[p + 1] = collect_halo(c, p, stamp, NULL);
  hg_sum_int64(c->slice->world, halo, c->k + 1);
  for (int p = 0; p < c->k; p++) halo[p + 1] += halo[p];
  HG_TRY_ALL(c->slice->world, phase, HG_ALLOC(out->index.halo_ids, used, "halo ids"));
  if (c->columns.marks.count > 0) memset(stamp, 0, (size_t)c->columns.marks.count * sizeof *stamp);
  for (int p = out->first; p < out->end; p++) {
    hg_gid *ids = out->index.halo_ids + (halo[p] - halo[out->first]);
    hg_off n = collect_halo(c, p, stamp, ids);
    qsort(ids, (size_t)n, sizeof *ids, compare_gids);
  }
done:
  hg_free(&stamp);
  return rc;
}

// The first part of rank r: those p with p x ranks / k = r begin there.
static int first_part(int r, int k, int ranks) { return (int)(((int64_t)r * k + ranks - 1) / ranks); }

hg_status hg_slice_parts_cut(hg_slice_parts *parts, hg_slice *slice, int k, const int32_t *part_of)
{
  hg_status rc = HG_OK;
  int ranks = hg_world_size(slice->world), rank = hg_world_rank(slice->world);
  cutting c = {.slice = slice, .out = parts, .k = k};
  *parts = (hg_slice_parts){
      .world = slice->world, .first = first_part(rank, k, ranks), .end = first_part(rank + 1, k, ranks)};
  HG_TRY(send_rows(&c, slice, part_of));
  HG_TRY(find_columns(&c, part_of));
  HG_TRY(number_rows(&c));
  HG_TRY(number_columns(&c));
  HG_TRY(collect_halos(&c));
  HG_TRY_ALL(slice->world, phase, renumber_edges(&c));
done:
  cutting_free(&c);
  if (rc != HG_OK) hg_slice_parts_free(parts);
  return rc;
}

void hg_slice_parts_free(hg_slice_parts *parts)
{
  hg_route_free(&parts->route);
  hg_graph_free(&parts->rows);
  hg_parts_index_free(&parts->index);
  hg_free(&parts->order);
  hg_free(&parts->cut);
}
