#include "core/graph/csr_build.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/alloc.h"

// While a row is under construction its entries are unsigned keys 2 * from + reversed: n < 2^31, so the low bit is
// free to say whether an edge was given this way round or added by symmetrising. Sorting by key keeps equal
// neighbours together, given ones first.
typedef struct {
  hg_csr *a;
  hg_off n, placed;
  hg_off *cursor; // [n] where the next entry of each row goes
  bool symmetrize;
  hg_build_counts *counts;
} builder;

static hg_status check_ends(const builder *b, hg_gid from, hg_gid to)
{
  if (from >= 0 && from < b->n && to >= 0 && to < b->n) return HG_OK;
  hg_gid wrong = from >= 0 && from < b->n ? to : from;
  return hg_fail(HG_ERR_INPUT, "edge %" PRId64 " -> %" PRId64 ": found node %" PRId64 ", expected 0 to %" PRId64, from,
                 to, wrong, b->n - 1);
}

static hg_status count_edge(void *context, hg_gid from, hg_gid to)
{
  builder *b = context;
  hg_status rc = check_ends(b, from, to);
  if (rc != HG_OK) return rc;
  b->counts->edges_in++;
  if (from == to) {
    b->counts->self_loops++;
    return HG_OK;
  }
  b->a->indptr[to + 1]++;
  if (b->symmetrize) b->a->indptr[from + 1]++;
  return HG_OK;
}

static hg_status put(builder *b, hg_gid row, uint32_t key)
{
  hg_off at = b->cursor[row];
  if (at >= b->a->indptr[row + 1])
    return hg_fail(HG_ERR_INPUT, "the edges changed while they were read: more edges at node %" PRId64, row);
  b->a->indices[at] = (hg_lid)key;
  b->cursor[row]++;
  b->placed++;
  return HG_OK;
}

static hg_status place_edge(void *context, hg_gid from, hg_gid to)
{
  builder *b = context;
  hg_status rc = check_ends(b, from, to);
  if (rc != HG_OK || from == to) return rc;
  rc = put(b, to, (uint32_t)from << 1);
  if (rc == HG_OK && b->symmetrize) rc = put(b, from, ((uint32_t)to << 1) | 1);
  return rc;
}

static void insertion_sort(uint32_t *keys, hg_off n)
{
  for (hg_off i = 1; i < n; i++) {
    uint32_t key = keys[i];
    hg_off j = i;
    for (; j > 0 && keys[j - 1] > key; j--) keys[j] = keys[j - 1];
    keys[j] = key;
  }
}

// Four passes of a byte each; `scratch` has room for n keys.
static void radix_sort(uint32_t *keys, uint32_t *scratch, hg_off n)
{
  for (unsigned shift = 0; shift < 32; shift += 8) {
    hg_off start[257] = {0};
    for (hg_off i = 0; i < n; i++) start[((keys[i] >> shift) & 255) + 1]++;
    for (int d = 0; d < 256; d++) start[d + 1] += start[d];
    for (hg_off i = 0; i < n; i++) scratch[start[(keys[i] >> shift) & 255]++] = keys[i];
    memcpy(keys, scratch, (size_t)n * sizeof *keys);
  }
}

static void sort_row(uint32_t *keys, hg_off n, uint32_t *scratch)
{
  enum { SHORT = 96 }; // below, insertion beats counting 4 x 256 digits
  hg_off i = 1;
  while (i < n && keys[i - 1] <= keys[i]) i++;
  if (i >= n) return;
  if (n <= SHORT)
    insertion_sort(keys, n);
  else
    radix_sort(keys, scratch, n);
}

// Turns sorted keys into columns at `to` (never behind `keys`), each neighbour once; counts what was dropped and added.
static hg_off unpack_row(hg_lid *to, const uint32_t *keys, hg_off n, hg_build_counts *counts)
{
  hg_off kept = 0;
  for (hg_off i = 0; i < n;) {
    uint32_t j = keys[i] >> 1;
    hg_off given = 0;
    for (; i < n && keys[i] >> 1 == j; i++) given += !(keys[i] & 1);
    if (given > 0)
      counts->duplicates += given - 1;
    else
      counts->reversed_added++;
    to[kept++] = (hg_lid)j;
  }
  return kept;
}

static hg_status sort_rows(builder *b)
{
  hg_status rc = HG_OK;
  hg_csr *a = b->a;
  uint32_t *scratch = NULL, *keys = (uint32_t *)a->indices;
  hg_off longest = 0;
  for (hg_off i = 0; i < b->n; i++)
    if (a->indptr[i + 1] - a->indptr[i] > longest) longest = a->indptr[i + 1] - a->indptr[i];
  HG_TRY(HG_ALLOC(scratch, longest, "the longest row"));
  hg_off first = 0, kept = 0;
  for (hg_off i = 0; i < b->n; i++) {
    hg_off end = a->indptr[i + 1];
    sort_row(keys + first, end - first, scratch);
    kept += unpack_row(a->indices + kept, keys + first, end - first, b->counts);
    a->indptr[i + 1] = kept;
    first = end;
  }
done:
  hg_free(&scratch);
  return rc;
}

// Gives unused room back when it is a quarter or more of the array.
static hg_status shrink(hg_csr *a, hg_off room)
{
  hg_off used = a->indptr[a->n_rows];
  if (used >= room - room / 4) return HG_OK;
  hg_lid *smaller = NULL;
  hg_status rc = HG_ALLOC(smaller, used, "edges");
  if (rc != HG_OK) return rc;
  memcpy(smaller, a->indices, (size_t)used * sizeof *smaller);
  hg_free(&a->indices);
  a->indices = smaller;
  return HG_OK;
}

static hg_status count_isolated(const hg_csr *a, hg_build_counts *counts)
{
  uint8_t *seen = NULL;
  hg_status rc = HG_ALLOC(seen, a->n_rows, "nodes with edges");
  if (rc != HG_OK) return rc;
  for (hg_off i = 0; i < a->n_rows; i++) {
    if (a->indptr[i + 1] > a->indptr[i]) seen[i] = 1;
    for (hg_off e = a->indptr[i]; e < a->indptr[i + 1]; e++) seen[a->indices[e]] = 1;
  }
  for (hg_off i = 0; i < a->n_rows; i++) counts->isolated += !seen[i];
  hg_free(&seen);
  return HG_OK;
}

hg_status hg_csr_build(hg_csr *adjacency, hg_off n, hg_edge_source each, void *source, bool symmetrize,
                       hg_build_counts *counts)
{
  hg_status rc = HG_OK;
  hg_csr a = {.n_rows = n, .n_cols = n};
  hg_build_counts local = {0};
  builder b = {.a = &a, .n = n, .symmetrize = symmetrize, .counts = &local};
  int32_t fits;
  HG_TRY(hg_to_i32(&fits, n, "nodes"));
  HG_TRY(HG_ALLOC(a.indptr, n + 1, "row pointers"));
  HG_TRY(each(source, count_edge, &b));
  for (hg_off i = 0; i < n; i++) a.indptr[i + 1] += a.indptr[i];
  hg_off room = a.indptr[n];
  HG_TRY(HG_ALLOC(a.indices, room, "edges"));
  HG_TRY(HG_ALLOC(b.cursor, n, "row cursors"));
  memcpy(b.cursor, a.indptr, (size_t)n * sizeof *b.cursor);
  HG_TRY(each(source, place_edge, &b));
  if (b.placed != room)
    HG_TRY(hg_fail(HG_ERR_INPUT, "the edges changed while they were read: found fewer the second time"));
  hg_free(&b.cursor);
  HG_TRY(sort_rows(&b));
  HG_TRY(shrink(&a, room));
  HG_TRY(count_isolated(&a, &local));
  if (counts) *counts = local;
  *adjacency = a;
  a = (hg_csr){0};
done:
  hg_free(&b.cursor);
  hg_free(&a.indptr);
  hg_free(&a.indices);
  return rc;
}
