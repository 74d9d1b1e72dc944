#include "comm/slice_graph.h"

#include <inttypes.h>
#include <string.h>

#include "comm/reduce.h"
#include "comm/route.h"
#include "core/base/alloc.h"
#include "core/graph/store_slices.h"

hg_off hg_slice_n(const hg_slice *slice) { return slice->a.n_rows; }

void hg_slice_free(hg_slice *slice)
{
  hg_free(&slice->first);
  hg_csr_free(&slice->a);
}

int hg_slice_owner(const hg_slice *slice, hg_gid i)
{
  int low = 0, high = hg_world_size(slice->world) - 1; // the last rank whose first node is at most i
  while (low < high) {
    int middle = low + (high - low + 1) / 2;
    if (slice->first[middle] <= i)
      low = middle;
    else
      high = middle - 1;
  }
  return low;
}

static uint64_t mix(hg_gid from, hg_gid to)
{
  uint64_t z = (uint64_t)from << 32 ^ (uint64_t)to; // splitmix64's finaliser (Steele et al. 2014)
  z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
  z = (z ^ z >> 27) * 0x94d049bb133111eb;
  return z ^ z >> 31;
}

// The sum of hash(i, j) - hash(j, i) over all edges is 0 of symmetric graphs, and of others by chance alone.
static bool seems_symmetric(const hg_slice *slice)
{
  hg_gid first = slice->first[hg_world_rank(slice->world)];
  uint64_t sum = 0;
  int64_t halves[2]; // hg_sum_int64 must not overflow
  for (hg_off i = 0; i < slice->a.n_rows; i++)
    for (hg_off e = slice->a.indptr[i]; e < slice->a.indptr[i + 1]; e++)
      sum += mix(first + i, slice->a.indices[e]) - mix(slice->a.indices[e], first + i);
  halves[0] = (int64_t)(sum & UINT32_MAX), halves[1] = (int64_t)(sum >> 32);
  hg_sum_int64(slice->world, halves, 2);
  return (uint64_t)halves[0] + ((uint64_t)halves[1] << 32) == 0;
}

hg_status hg_slice_read(hg_slice *slice, hg_world *world, const char *path)
{
  int ranks = hg_world_size(world), rank = hg_world_rank(world);
  hg_status rc = HG_OK;
  hg_graph read = {0};
  *slice = (hg_slice){.world = world};
  HG_TRY_ALL(world, "reading slices", HG_ALLOC(slice->first, (hg_off)ranks + 1, "slices"));
  HG_TRY_ALL(world, "reading slices", rank == 0 ? hg_store_cut_rows(path, ranks, slice->first) : HG_OK);
  hg_broadcast(world, slice->first, ((size_t)ranks + 1) * sizeof *slice->first, 0);
  HG_TRY_ALL(world, "reading slices",
             hg_store_read_row_edges(path, slice->first[rank], slice->first[rank + 1] - slice->first[rank], &read));
  slice->a = read.adjacency;
  read.adjacency = (hg_csr){0};
  if (read.symmetric && !seems_symmetric(slice))
    HG_TRY_ALL(world, "reading slices",
               hg_fail(HG_ERR_INPUT, "%s: the graph is marked symmetric and has an edge without its reverse", path));
done:
  hg_graph_free(&read);
  if (rc != HG_OK) hg_slice_free(slice);
  return rc;
}

typedef struct {
  hg_lid row, column;
} edge;

// Reversed edges on their way: by the rank of their row, and in the order of their columns
typedef struct {
  edge *out;
  hg_off *send, *next, *arrive; // [ranks + 1]
} reversal;

static hg_status reversal_create(reversal *r, hg_off n_edges, int ranks)
{
  hg_status rc = HG_OK;
  HG_TRY(HG_ALLOC(r->out, n_edges, "reversed edges"));
  HG_TRY(HG_ALLOC(r->send, (hg_off)ranks + 1, "edges for each rank"));
  HG_TRY(HG_ALLOC(r->next, (hg_off)ranks + 1, "edges for each rank"));
  HG_TRY(HG_ALLOC(r->arrive, (hg_off)ranks + 1, "edges of each rank"));
done:
  return rc;
}

static void reversal_fill(reversal *r, const hg_slice *slice)
{
  const hg_csr *a = &slice->a;
  int ranks = hg_world_size(slice->world);
  hg_gid first = slice->first[hg_world_rank(slice->world)];
  for (hg_off e = 0; e < a->indptr[a->n_rows]; e++) r->send[hg_slice_owner(slice, a->indices[e]) + 1]++;
  for (int p = 0; p < ranks; p++) r->send[p + 1] += r->send[p];
  memcpy(r->next, r->send, ((size_t)ranks + 1) * sizeof *r->next);
  for (hg_off i = 0; i < a->n_rows; i++)
    for (hg_off e = a->indptr[i]; e < a->indptr[i + 1]; e++)
      r->out[r->next[hg_slice_owner(slice, a->indices[e])]++] = (edge){a->indices[e], (hg_lid)(first + i)};
}

// What comes to this rank: *came edges, by their columns
static hg_status swap_reversed(const hg_slice *slice, edge **came, hg_off *n_came)
{
  int ranks = hg_world_size(slice->world);
  hg_status rc = HG_OK;
  reversal r = {0};
  HG_TRY_ALL(slice->world, "reversing edges", reversal_create(&r, slice->a.indptr[slice->a.n_rows], ranks));
  reversal_fill(&r, slice);
  hg_route_offsets(slice->world, r.send, r.arrive);
  *n_came = r.arrive[ranks];
  HG_TRY_ALL(slice->world, "reversing edges", HG_ALLOC(*came, *n_came, "reversed edges"));
  hg_route_swap(slice->world, r.out, r.send, *came, r.arrive, sizeof *r.out);
done:
  hg_free(&r.out);
  hg_free(&r.send);
  hg_free(&r.next);
  hg_free(&r.arrive);
  return rc;
}

// a[0..n) and b[0..m), both ascending, become one list without duplicates; its length
static hg_off unite(const hg_lid *a, hg_off n, const hg_lid *b, hg_off m, hg_lid *out)
{
  hg_off i = 0, j = 0, count = 0;
  while (i < n || j < m) {
    hg_lid least = j == m || (i < n && a[i] <= b[j]) ? a[i] : b[j];
    if (i < n && a[i] == least) i++;
    if (j < m && b[j] == least) j++;
    out[count++] = least;
  }
  return count;
}

static hg_status unite_rows(const hg_csr *a, hg_gid first, const edge *came, hg_off n_came, hg_csr *both)
{
  hg_status rc = HG_OK;
  hg_off n = a->n_rows, *start = NULL, used = 0;
  hg_lid *columns = NULL;
  HG_TRY(HG_ALLOC(start, n + 2, "reversed edges of each row"));
  HG_TRY(HG_ALLOC(columns, n_came, "reversed edges"));
  HG_TRY(hg_csr_create(both, n, a->n_cols, a->indptr[n] + n_came, false, "edges and their reverses"));
  for (hg_off e = 0; e < n_came; e++) start[came[e].row - first + 2]++;
  for (hg_off i = 0; i <= n; i++) start[i + 1] += start[i];
  for (hg_off e = 0; e < n_came; e++) columns[start[came[e].row - first + 1]++] = came[e].column;
  for (hg_off i = 0; i < n; i++) {
    used += unite(a->indices + a->indptr[i], a->indptr[i + 1] - a->indptr[i], columns + start[i],
                  start[i + 1] - start[i], both->indices + used);
    both->indptr[i + 1] = used;
  }
done:
  hg_free(&start);
  hg_free(&columns);
  return rc;
}

hg_status hg_slice_symmetrise(const hg_slice *slice, hg_slice *both)
{
  int ranks = hg_world_size(slice->world);
  hg_status rc = HG_OK;
  edge *came = NULL;
  hg_off n_came = 0;
  *both = (hg_slice){.world = slice->world};
  HG_TRY(swap_reversed(slice, &came, &n_came));
  rc = HG_ALLOC(both->first, (hg_off)ranks + 1, "slices");
  if (rc == HG_OK) {
    memcpy(both->first, slice->first, ((size_t)ranks + 1) * sizeof *both->first);
    rc = unite_rows(&slice->a, slice->first[hg_world_rank(slice->world)], came, n_came, &both->a);
  }
  HG_TRY_ALL(slice->world, "reversing edges", rc);
done:
  hg_free(&came);
  if (rc != HG_OK) hg_slice_free(both);
  return rc;
}
