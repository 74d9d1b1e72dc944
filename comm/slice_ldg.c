// Stanton and Kliot 2012, several passes after Nishimura and Ugander 2013: partition/ldg.c on slices.
#include "comm/reduce.h"
#include "comm/slice_columns.h"
#include "core/base/alloc.h"

enum { PASSES = 20, BLOCKS = 16, SETTLED = 1000 }; // it ends when less than one node in SETTLED has moved

typedef struct {
  const hg_slice *slice;
  hg_gid first; // node of the slice
  int k;
  bool by_edges;            // what parts weigh
  hg_slice_columns columns; // in-neighbours
  int32_t *part_of;         // [nodes of the slice], -1: none yet
  int32_t *column_part;     // [columns], as of the last block
  int64_t *weight;          // [k] of all ranks, as of the last block; and what this rank has changed since
  int64_t *change;          // [k]
  hg_off *neighbours;       // [k] of the node at hand
  double allowed;           // what a part may weigh
} stream;

static int64_t weight_of(const stream *s, hg_off i)
{
  return s->by_edges ? s->slice->a.indptr[i + 1] - s->slice->a.indptr[i] : 1;
}

// What part p weighs if the other ranks do as this one: each has its share of the room that was left.
static double load(const stream *s, int p)
{
  return (double)s->weight[p] + (double)s->change[p] * hg_world_size(s->slice->world);
}

static int emptiest(const stream *s)
{
  int best = 0;
  for (int p = 1; p < s->k; p++)
    if (load(s, p) < load(s, best)) best = p;
  return best;
}

// The part with most of the node's neighbours, weighted by how empty it is; `w` is not in any part's weight.
static int choose(const stream *s, int64_t w)
{
  int best = -1;
  double most = 0;
  for (int p = 0; p < s->k; p++) {
    double now = load(s, p), score = (double)s->neighbours[p] * (1 - now / s->allowed);
    if (score > most && now + (double)w <= s->allowed) best = p, most = score;
  }
  return best;
}

static bool place(stream *s, hg_off i)
{
  const hg_csr *a = &s->slice->a;
  int old = s->part_of[i];
  int64_t w = weight_of(s, i);
  for (int p = 0; p < s->k; p++) s->neighbours[p] = 0;
  for (hg_off e = a->indptr[i]; e < a->indptr[i + 1]; e++) {
    hg_gid own = a->indices[e] - s->first; // nodes of this slice are known as they are now
    int32_t part = own >= 0 && own < a->n_rows ? s->part_of[own]
                                               : s->column_part[hg_column_number(&s->columns.marks, a->indices[e])];
    if (part >= 0) s->neighbours[part]++;
  }
  if (old >= 0) s->change[old] -= w;
  int chosen = choose(s, w);
  if (chosen < 0) chosen = old >= 0 && load(s, old) + (double)w <= s->allowed ? old : emptiest(s);
  s->change[chosen] += w;
  s->part_of[i] = chosen;
  return chosen != old;
}

// One block of each rank's nodes; how many moved here. Collective.
static hg_status run_block(stream *s, int block, int64_t *moved)
{
  hg_status rc = HG_OK;
  hg_off n = hg_slice_n(s->slice);
  for (hg_off i = n * block / BLOCKS; i < n * (block + 1) / BLOCKS; i++) *moved += place(s, i);
  hg_sum_int64(s->slice->world, s->change, s->k);
  for (int p = 0; p < s->k; p++) {
    s->weight[p] += s->change[p];
    s->change[p] = 0;
  }
  HG_TRY(hg_slice_columns_look_up(&s->columns, s->part_of, s->column_part));
done:
  return rc;
}

static hg_status begin(stream *s)
{
  hg_status rc = HG_OK;
  HG_TRY(HG_ALLOC(s->column_part, s->columns.marks.count, "parts of neighbours"));
  HG_TRY(HG_ALLOC(s->weight, s->k, "weights of parts"));
  HG_TRY(HG_ALLOC(s->change, s->k, "weights of parts"));
  HG_TRY(HG_ALLOC(s->neighbours, s->k, "neighbours by part"));
  for (hg_lid u = 0; u < s->columns.marks.count; u++) s->column_part[u] = -1;
  for (hg_off i = 0; i < hg_slice_n(s->slice); i++) s->part_of[i] = -1;
done:
  return rc;
}

hg_status hg_slice_ldg(const hg_slice *slice, int k, const hg_partition_options *options, int32_t *part_of)
{
  hg_status rc = HG_OK;
  stream s = {.slice = slice, .k = k, .by_edges = options->balance & HG_BALANCE_EDGES, .part_of = part_of};
  s.first = slice->first[hg_world_rank(slice->world)];
  int64_t sizes[] = {hg_slice_n(slice), 0};
  for (hg_off i = 0; i < sizes[0]; i++) sizes[1] += weight_of(&s, i);
  hg_sum_int64(slice->world, sizes, 2);
  s.allowed = options->imbalance * (double)sizes[1] / k;
  if (s.allowed < 1) s.allowed = 1;
  HG_TRY(hg_slice_columns_create(&s.columns, slice, &slice->a));
  HG_TRY_ALL(slice->world, "streaming nodes", begin(&s));
  for (int pass = 0; pass < PASSES; pass++) {
    int64_t moved = 0;
    for (int block = 0; block < BLOCKS; block++) HG_TRY(run_block(&s, block, &moved));
    hg_sum_int64(slice->world, &moved, 1);
    if (moved * SETTLED < sizes[0]) break;
  }
done:
  hg_slice_columns_free(&s.columns);
  hg_free(&s.column_part);
  hg_free(&s.weight);
  hg_free(&s.change);
  hg_free(&s.neighbours);
  return rc;
}
