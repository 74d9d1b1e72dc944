#include "comm/grid.h"

#include <inttypes.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "comm/world_mpi.h"
#include "core/base/alloc.h"

enum { ALIGNED_FROM = 4 }; // times HG_GRID_ALIGN columns a rank, shares differ by a quarter at most

bool hg_grid_aligns(int width, int columns)
{
  int64_t block_each = (int64_t)HG_GRID_ALIGN * columns;
  return width >= ALIGNED_FROM * block_each || width % block_each == 0;
}

int hg_grid_first_column(int width, int place, int columns)
{
  if (!hg_grid_aligns(width, columns)) return (int)((int64_t)width * place / columns);
  int64_t blocks = ((int64_t)width + HG_GRID_ALIGN - 1) / HG_GRID_ALIGN;
  int64_t first = blocks * place / columns * HG_GRID_ALIGN;
  return first < width ? (int)first : width;
}

static hg_status check_columns(const hg_world *world, const hg_part *part, int columns)
{
  int size = hg_world_size(world);
  if (columns < 1 || size % columns != 0)
    return hg_fail(HG_ERR_INPUT, "%d ranks in columns of %d, expected a number that divides them", size, columns);
  if (part->n_parts != size)
    return hg_fail(HG_ERR_INPUT, "the graph is in %d parts, but %d ranks run", part->n_parts, size);
  return HG_OK;
}

static bool is_inside(const hg_part *group, hg_gid id)
{
  return id >= group->first && id < group->first + group->n_owned;
}

// rows before the first one that has a neighbour outside of the group's part
static hg_lid count_inner(const hg_part *group, const hg_part *part)
{
  for (hg_lid i = 0; i < part->n_owned; i++)
    for (hg_off e = part->a.indptr[i]; e < part->a.indptr[i + 1]; e++) {
      hg_lid j = part->a.indices[e];
      if (j >= part->n_owned && !is_inside(group, part->halo_ids[j - part->n_owned])) return i;
    }
  return part->n_owned;
}

// sizes of the group's part, from the offsets of all parts
static hg_status take_sizes(hg_grid *grid, const hg_part *part)
{
  hg_part *p = &grid->part;
  hg_status rc = HG_OK;
  int b = grid->columns;
  *p = (hg_part){
      .part = grid->number, .n_parts = grid->n_groups, .n_global = part->n_global, .m_global = part->m_global};
  HG_TRY(HG_ALLOC(p->owner_first, grid->n_groups + 1, "part offsets"));
  HG_TRY(HG_ALLOC(p->halo_offsets, grid->n_groups + 1, "halo offsets"));
  HG_TRY(HG_ALLOC(grid->row_offsets, b + 1, "rows of a group"));
  HG_TRY(HG_ALLOC(grid->entry_offsets, b + 1, "edges of a group"));
  HG_TRY(HG_ALLOC(grid->inner, b, "inner rows of a group"));
  for (int g = 0; g <= grid->n_groups; g++) p->owner_first[g] = part->owner_first[g * b];
  p->first = p->owner_first[grid->number];
  HG_TRY(hg_to_i32(&p->n_owned, p->owner_first[grid->number + 1] - p->first, "nodes of a group's part"));
  for (int c = 0; c <= b; c++)
    grid->row_offsets[c] = (hg_lid)(part->owner_first[grid->number * b + c] - p->first); // fits: n_owned does
done:
  return rc;
}

// Positions for MPI, of counts that begin at 0.
static hg_status place_counts(int *at, const int *counts, int n, const char *what)
{
  int64_t total = 0;
  hg_status rc = HG_OK;
  for (int k = 0; k < n && rc == HG_OK; k++) {
    at[k] = (int)total;
    total += counts[k];
    if (total > INT_MAX)
      rc = hg_fail(HG_ERR_INPUT, "%d ranks share more than %d %s; use fewer columns, or more parts", n, INT_MAX, what);
  }
  return rc;
}

static int by_id(const void *a, const void *b)
{
  const hg_gid *x = a, *y = b;
  return (*x > *y) - (*x < *y);
}

// ids [n] become the part's halo: ascending, each once
static hg_status take_halo(hg_part *p, hg_gid *ids, hg_off n)
{
  hg_off kept = 0;
  hg_status rc = HG_OK;
  if (n > 0) qsort(ids, (size_t)n, sizeof *ids, by_id);
  for (hg_off k = 0; k < n; k++)
    if (kept == 0 || ids[k] != ids[kept - 1]) ids[kept++] = ids[k];
  if (p->n_owned > INT32_MAX - kept)
    return hg_fail(HG_ERR_INPUT, "a group's part has %d nodes and %" PRId64 " halo nodes, together more than 2^31 - 1",
                   p->n_owned, kept);
  p->n_halo = (hg_lid)kept;
  HG_TRY(HG_ALLOC(p->halo_ids, kept, "halo ids"));
  if (kept > 0) memcpy(p->halo_ids, ids, (size_t)kept * sizeof *ids);
  for (int q = 0, h = 0; q < p->n_parts; q++) {
    while (h < p->n_halo && p->halo_ids[h] < p->owner_first[q + 1]) h++;
    p->halo_offsets[q + 1] = h;
  }
done:
  return rc;
}

// What the ranks of a group tell each other of their halos.
typedef struct {
  hg_gid *mine, *all;
  int *counts, *at; // [columns]
  int n_mine;
} halo_lists;

static hg_status list_mine(halo_lists *l, const hg_grid *grid, const hg_part *part)
{
  hg_status rc = HG_OK;
  HG_TRY(HG_ALLOC(l->mine, part->n_halo, "halo ids"));
  HG_TRY(HG_ALLOC(l->counts, grid->columns, "halo counts"));
  HG_TRY(HG_ALLOC(l->at, grid->columns, "halo counts"));
  for (hg_lid h = 0; h < part->n_halo; h++)
    if (!is_inside(&grid->part, part->halo_ids[h])) l->mine[l->n_mine++] = part->halo_ids[h];
done:
  return rc;
}

static hg_status place_all(halo_lists *l, int b)
{
  hg_status rc = place_counts(l->at, l->counts, b, "halo nodes");
  if (rc == HG_OK) rc = HG_ALLOC(l->all, (hg_off)l->at[b - 1] + l->counts[b - 1], "halo ids");
  return rc;
}

static hg_status gather_halo(hg_grid *grid, hg_world *world, const hg_part *part)
{
  halo_lists l = {0};
  MPI_Comm group = hg_world_comm(grid->group);
  int b = grid->columns;
  hg_status rc = HG_OK;
  HG_TRY_ALL(world, "joining parts", list_mine(&l, grid, part));
  MPI_Allgather(&l.n_mine, 1, MPI_INT, l.counts, 1, MPI_INT, group);
  HG_TRY_ALL(world, "joining parts", place_all(&l, b));
  MPI_Allgatherv(l.mine, l.n_mine, MPI_INT64_T, l.all, l.counts, l.at, MPI_INT64_T, group);
  HG_TRY_ALL(world, "joining parts", take_halo(&grid->part, l.all, (hg_off)l.at[b - 1] + l.counts[b - 1]));
done:
  hg_free(&l.mine);
  hg_free(&l.all);
  hg_free(&l.counts);
  hg_free(&l.at);
  return rc;
}

hg_status hg_grid_create(hg_grid *grid, hg_world *world, const hg_part *part, int columns)
{
  hg_status rc = HG_OK;
  *grid = (hg_grid){0};
  HG_TRY_ALL(world, "joining parts", check_columns(world, part, columns));
  grid->columns = columns;
  grid->n_groups = part->n_parts / columns;
  grid->number = part->part / columns;
  grid->place = part->part % columns;
  HG_TRY(hg_world_split(&grid->group, world, grid->number, grid->place));
  HG_TRY(hg_world_split(&grid->column, world, grid->place, grid->number));
  HG_TRY_ALL(world, "joining parts", take_sizes(grid, part));
  hg_lid inner = count_inner(&grid->part, part);
  hg_off entries = hg_csr_entries(&part->a);
  MPI_Allgather(&inner, 1, MPI_INT32_T, grid->inner, 1, MPI_INT32_T, hg_world_comm(grid->group));
  MPI_Allgather(&entries, 1, MPI_INT64_T, grid->entry_offsets + 1, 1, MPI_INT64_T, hg_world_comm(grid->group));
  for (int c = 0; c < columns; c++) grid->entry_offsets[c + 1] += grid->entry_offsets[c];
  HG_TRY(gather_halo(grid, world, part));
done:
  if (rc != HG_OK) hg_grid_free(grid);
  return rc;
}

// position of an id in the group's halo, where it is
static hg_lid find_halo(const hg_part *group, hg_gid id)
{
  const hg_gid *found = bsearch(&id, group->halo_ids, (size_t)group->n_halo, sizeof id, by_id);
  return found ? (hg_lid)(found - group->halo_ids) : 0; // always: the halo is that of all of its parts
}

// The columns of one row in the group's numbering, ascending: a rank's own nodes stand between those of lower and
// higher ones of its group, and its halo's others after all of them.
static void renumber_row(const hg_grid *grid, const hg_part *part, const hg_lid *row, hg_off entries, hg_lid *to)
{
  const hg_part *g = &grid->part;
  const hg_lid own = grid->row_offsets[grid->place];
  hg_off n_own = 0, n = 0;
  while (n_own < entries && row[n_own] < part->n_owned) n_own++;
  for (hg_off e = n_own; e < entries; e++) {
    hg_gid id = part->halo_ids[row[e] - part->n_owned];
    if (is_inside(g, id) && id < part->first) to[n++] = (hg_lid)(id - g->first);
  }
  for (hg_off e = 0; e < n_own; e++) to[n++] = own + row[e];
  for (hg_off e = n_own; e < entries; e++) {
    hg_gid id = part->halo_ids[row[e] - part->n_owned];
    if (is_inside(g, id) && id > part->first) to[n++] = (hg_lid)(id - g->first);
  }
  for (hg_off e = n_own; e < entries; e++) {
    hg_gid id = part->halo_ids[row[e] - part->n_owned];
    if (!is_inside(g, id)) to[n++] = g->n_owned + find_halo(g, id);
  }
}

// How the group's edges are gathered.
typedef struct {
  int *counts, *at; // [columns] of rows, then of edges
  int32_t *lengths; // [rows of the group]
} edge_lists;

static hg_status place_edges(edge_lists *l, hg_grid *grid, const hg_part *part)
{
  hg_part *g = &grid->part;
  int b = grid->columns;
  hg_off entries = grid->entry_offsets[b];
  hg_status rc = HG_OK;
  if (entries > INT_MAX)
    return hg_fail(HG_ERR_INPUT,
                   "a part that %d ranks share has %" PRId64 " edges, at most %d are possible: use fewer "
                   "columns, or more parts",
                   b, entries, INT_MAX);
  HG_TRY(HG_ALLOC(l->counts, 2 * b, "rows of a group"));
  HG_TRY(HG_ALLOC(l->at, 2 * b, "rows of a group"));
  HG_TRY(HG_ALLOC(l->lengths, g->n_owned, "lengths of rows"));
  HG_TRY(HG_ALLOC(g->nodes.original_ids, g->n_owned, "original ids"));
  HG_TRY(hg_csr_create(&g->a, g->n_owned, (hg_off)g->n_owned + g->n_halo, entries, false, "edges of a group"));
  for (int c = 0; c < b; c++) {
    l->counts[c] = grid->row_offsets[c + 1] - grid->row_offsets[c];
    l->at[c] = grid->row_offsets[c];
    l->counts[b + c] = (int)(grid->entry_offsets[c + 1] - grid->entry_offsets[c]);
    l->at[b + c] = (int)grid->entry_offsets[c];
  }
  const hg_csr *a = &part->a;
  hg_off first = grid->entry_offsets[grid->place];
  for (hg_lid i = 0; i < part->n_owned; i++) {
    hg_off length = a->indptr[i + 1] - a->indptr[i];
    l->lengths[grid->row_offsets[grid->place] + i] = (int32_t)length; // fits: all of them do
    renumber_row(grid, part, a->indices + a->indptr[i], length, g->a.indices + first + a->indptr[i]);
  }
done:
  return rc;
}

hg_status hg_grid_gather(hg_grid *grid, hg_world *world, const hg_part *part)
{
  hg_part *g = &grid->part;
  edge_lists l = {0};
  MPI_Comm group = hg_world_comm(grid->group);
  int b = grid->columns;
  hg_status rc = HG_OK;
  HG_TRY_ALL(world, "joining parts", place_edges(&l, grid, part));
  MPI_Allgatherv(MPI_IN_PLACE, 0, MPI_DATATYPE_NULL, l.lengths, l.counts, l.at, MPI_INT32_T, group);
  MPI_Allgatherv(part->nodes.original_ids, part->n_owned, MPI_INT64_T, g->nodes.original_ids, l.counts, l.at,
                 MPI_INT64_T, group);
  MPI_Allgatherv(MPI_IN_PLACE, 0, MPI_DATATYPE_NULL, g->a.indices, l.counts + b, l.at + b, MPI_INT32_T, group);
  for (hg_lid i = 0; i < g->n_owned; i++) g->a.indptr[i + 1] = g->a.indptr[i] + l.lengths[i];
  HG_TRY_ALL(world, "joining parts", hg_csr_check(&g->a));
done:
  hg_free(&l.counts);
  hg_free(&l.at);
  hg_free(&l.lengths);
  return rc;
}

void hg_grid_free(hg_grid *grid)
{
  hg_part_free(&grid->part);
  hg_free(&grid->row_offsets);
  hg_free(&grid->entry_offsets);
  hg_free(&grid->inner);
  hg_world_split_free(&grid->group);
  hg_world_split_free(&grid->column);
}
