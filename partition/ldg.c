#include "core/base/alloc.h"
#include "partition/balance.h"

enum { MOST_PASSES = 20 };
static const double FEW = 0.002; // a pass that moves less of the nodes is the last

typedef struct {
  const hg_csr *a;
  int k;
  int32_t *part_of; // -1: not yet
  hg_balance balance;
  double *load;         // [k] largest of weight / allowed weight; 1 is full
  int n_leaves, *least; // [2 n_leaves] a tournament: least[1] is the part of least load; -1 beyond k
  double *neighbours;   // [k] 0 but for those in `touched`
  int *touched, n_touched;
} stream;

static double score_of(const stream *s, int part) { return s->neighbours[part] * (1 - s->load[part]); }

static int lesser(const stream *s, int p, int q)
{
  if (p < 0 || q < 0) return p < 0 ? q : p;
  return s->load[q] < s->load[p] ? q : p;
}

static void update_load(stream *s, int part)
{
  s->load[part] = hg_balance_load(&s->balance, part);
  for (int node = (s->n_leaves + part) / 2; node > 0; node /= 2)
    s->least[node] = lesser(s, s->least[2 * node], s->least[2 * node + 1]);
}

static void count_neighbours(stream *s, hg_lid i)
{
  s->n_touched = 0;
  for (hg_off e = s->a->indptr[i]; e < s->a->indptr[i + 1]; e++) {
    int32_t p = s->part_of[s->a->indices[e]];
    if (p < 0) continue;
    if (s->neighbours[p]++ == 0) s->touched[s->n_touched++] = p;
  }
}

// Of the parts that have neighbours and the emptiest one, which no other part without neighbours beats.
static int choose(stream *s, hg_lid i)
{
  count_neighbours(s, i);
  int best = s->least[1];
  double best_score = score_of(s, best);
  for (int t = 0; t < s->n_touched; t++) {
    int p = s->touched[t];
    double score = score_of(s, p);
    bool wins = score > best_score ||
                (score == best_score && (s->load[p] < s->load[best] || (p < best && s->load[p] == s->load[best])));
    if (wins && hg_balance_allows(&s->balance, i, -1, p)) {
      best = p;
      best_score = score;
    }
  }
  for (int t = 0; t < s->n_touched; t++) s->neighbours[s->touched[t]] = 0;
  return best;
}

static hg_lid run_pass(stream *s, hg_lid n)
{
  hg_lid moved = 0;
  for (hg_lid i = 0; i < n; i++) {
    int32_t from = s->part_of[i];
    if (from >= 0) {
      hg_balance_move(&s->balance, i, from, -1);
      update_load(s, from);
    }
    int to = choose(s, i);
    hg_balance_move(&s->balance, i, -1, to);
    update_load(s, to);
    s->part_of[i] = to;
    moved += to != from;
  }
  return moved;
}

static hg_status prepare(stream *s, const hg_graph *graph, const hg_partition_options *options)
{
  hg_status rc = HG_OK;
  HG_TRY(hg_balance_create(&s->balance, graph, s->k, options, NULL));
  for (s->n_leaves = 1; s->n_leaves < s->k;) s->n_leaves *= 2;
  HG_TRY(HG_ALLOC(s->load, s->k, "loads of parts"));
  HG_TRY(HG_ALLOC(s->least, 2 * (hg_off)s->n_leaves, "loads of parts"));
  HG_TRY(HG_ALLOC(s->neighbours, s->k, "neighbours in parts"));
  HG_TRY(HG_ALLOC(s->touched, s->k, "neighbours in parts"));
  for (int p = 0; p < s->n_leaves; p++) s->least[s->n_leaves + p] = p < s->k ? p : -1;
  for (int node = s->n_leaves - 1; node > 0; node--)
    s->least[node] = lesser(s, s->least[2 * node], s->least[2 * node + 1]);
  for (hg_off i = 0; i < graph->nodes.n; i++) s->part_of[i] = -1;
done:
  return rc;
}

hg_status hg_partition_ldg(const hg_graph *graph, int k, const hg_partition_options *options, int32_t *part_of)
{
  hg_status rc = HG_OK;
  stream s = {.a = &graph->adjacency, .k = k, .part_of = part_of};
  hg_lid n = (hg_lid)graph->nodes.n, moved = n;
  HG_TRY(prepare(&s, graph, options));
  for (int pass = 0; pass < MOST_PASSES && (double)moved >= FEW * n; pass++) moved = run_pass(&s, n);
done:
  hg_balance_free(&s.balance);
  hg_free(&s.load);
  hg_free(&s.least);
  hg_free(&s.neighbours);
  hg_free(&s.touched);
  return rc;
}
