#include "partition/refine.h"

#include <math.h>

#include "core/base/alloc.h"
#include "core/base/timer.h"
#include "partition/balance.h"

enum { MOST_PASSES = 12, PATIENCE = 2 };
static const double ENOUGH = 0.005; // a pass that gains less of the largest part and of all together is one too many

// A row of a part counts floor + (rows of the part / rows of the largest)^8. A high floor lowers all rows together, a
// low one the largest alone, at the others' cost.
static const double FIRST_FLOOR = 0.5, LEAST_FLOOR = 0.01, SINK = 0.6, RISE = 1.5;
static const double ROOM = 0.995; // below this share of the rows at the start, all rows together may grow again

// A part in which a node has out-neighbours, and how many.
typedef struct {
  int32_t part, count;
} place;

typedef struct {
  hg_lid node;
  int32_t from;
} move;

typedef struct {
  const hg_csr *a;
  int k;
  int32_t *part_of;
  hg_off *start;               // [n + 1] into places: room for the parts of each node's out-neighbours
  int32_t *n_places;           // [n]
  place *places;               // unordered
  int64_t *sent, *received;    // [k] rows
  double *w_sent, *w_received; // [k] what a row counts
  int64_t total;
  double floor; // of w_sent and w_received
  hg_balance balance;
  // what the candidates of one node gain; 0 but for those in `touched`
  double *credit; // [k]
  int *touched, n_touched;
  bool *is_touched;
  // moves since the start, and how many of them make the best state
  move *moves;
  hg_off n_moves, n_kept, room;
  hg_refine_rows start_rows;
  bool keeps_total; // all rows together may not be more than at the start
} refinement;

static place *find_place(const refinement *r, hg_lid j, int32_t part)
{
  place *p = r->places + r->start[j];
  for (int32_t e = 0; e < r->n_places[j]; e++)
    if (p[e].part == part) return &p[e];
  return NULL;
}

// j has one out-neighbour more in `part`
static void add_place(refinement *r, hg_lid j, int32_t part)
{
  place *p = find_place(r, j, part);
  if (p) {
    p->count++;
    return;
  }
  r->places[r->start[j] + r->n_places[j]++] = (place){part, 1};
  int32_t owner = r->part_of[j];
  if (owner == part) return;
  r->sent[owner]++;
  r->received[part]++;
  r->total++;
}

static void remove_place(refinement *r, hg_lid j, int32_t part)
{
  place *p = find_place(r, j, part);
  if (--p->count > 0) return;
  *p = r->places[r->start[j] + --r->n_places[j]];
  int32_t owner = r->part_of[j];
  if (owner == part) return;
  r->sent[owner]--;
  r->received[part]--;
  r->total--;
}

// the rows of node i alone, as if it were in part `owner`: adds `sign` times
static void count_own(refinement *r, hg_lid i, int32_t owner, int sign)
{
  const place *p = r->places + r->start[i];
  for (int32_t e = 0; e < r->n_places[i]; e++) {
    if (p[e].part == owner) continue;
    r->sent[owner] += sign;
    r->received[p[e].part] += sign;
    r->total += sign;
  }
}

static void move_node(refinement *r, hg_lid i, int32_t to)
{
  int32_t from = r->part_of[i];
  count_own(r, i, from, -1);
  r->part_of[i] = to;
  count_own(r, i, to, 1);
  for (hg_off e = r->a->indptr[i]; e < r->a->indptr[i + 1]; e++) {
    remove_place(r, r->a->indices[e], from);
    add_place(r, r->a->indices[e], to);
  }
  hg_balance_move(&r->balance, i, from, to);
}

static void touch(refinement *r, int32_t part, double credit)
{
  if (!r->is_touched[part]) {
    r->is_touched[part] = true;
    r->touched[r->n_touched++] = part;
  }
  r->credit[part] += credit;
}

// The row of in-neighbour j: returned is what leaving saves; `entering` grows by the sender's share of what j's row costs
// any part, and each part that has it already gets both shares back as credit.
static double weigh_in_neighbour(refinement *r, hg_lid j, int32_t from, double *entering)
{
  int32_t owner = r->part_of[j];
  const place *p = r->places + r->start[j];
  double saved = 0, w = r->w_sent[owner];
  bool home = false;
  for (int32_t e = 0; e < r->n_places[j]; e++) {
    int32_t q = p[e].part;
    if (q == from) {
      if (p[e].count == 1 && owner != from) saved = w + r->w_received[from];
      continue;
    }
    touch(r, q, w + r->w_received[q]);
    home |= q == owner;
  }
  if (!home && owner != from) touch(r, owner, w + r->w_received[owner]);
  *entering += w;
  return saved;
}

// The part that node i gains most by going to, or -1
static int32_t best_part(refinement *r, hg_lid i)
{
  const hg_off begin = r->a->indptr[i], end = r->a->indptr[i + 1];
  int32_t from = r->part_of[i], best = -1;
  double saved = 0, entering = 0, best_gain = 1e-6, sources = (double)(end - begin);
  r->n_touched = 0;
  for (hg_off e = begin; e < end; e++) saved += weigh_in_neighbour(r, r->a->indices[e], from, &entering);
  const place *p = r->places + r->start[i];
  int32_t n_own = r->n_places[i];
  double inside = find_place(r, i, from) ? 1 : 0, own = 0;
  for (int32_t e = 0; e < n_own; e++)
    if (p[e].part != from) {
      touch(r, p[e].part, 0);
      own += r->w_received[p[e].part];
    }
  saved += r->w_sent[from] * (n_own - inside) + own;
  for (int t = 0; t < r->n_touched; t++) {
    int32_t q = r->touched[t];
    double there = find_place(r, i, q) ? 1 : 0;
    double cost = entering + sources * r->w_received[q] - r->credit[q] + r->w_sent[q] * (n_own - there) + own -
                  there * r->w_received[q] + inside * r->w_received[from];
    double gain = saved - cost;
    bool wins = gain > best_gain || (gain == best_gain && best >= 0 && q < best);
    if (wins && hg_balance_allows(&r->balance, i, from, q)) {
      best = q;
      best_gain = gain;
    }
    r->credit[q] = 0;
    r->is_touched[q] = false;
  }
  return best;
}

static int64_t largest(const int64_t *rows, int k)
{
  int64_t most = 0;
  for (int p = 0; p < k; p++)
    if (rows[p] > most) most = rows[p];
  return most;
}

static hg_refine_rows rows_now(const refinement *r)
{
  return (hg_refine_rows){largest(r->sent, r->k), largest(r->received, r->k), r->total};
}

// A state to keep. Nothing may be worse than at the start.
static bool better(const refinement *r, const hg_refine_rows *now, const hg_refine_rows *best)
{
  if (now->sent > r->start_rows.sent || now->received > r->start_rows.received) return false;
  if (r->keeps_total && now->total > r->start_rows.total) return false;
  return hg_refine_most(now) < hg_refine_most(best) ||
         (hg_refine_most(now) == hg_refine_most(best) && now->total < best->total);
}

static double eighth_power(double x)
{
  double square = x * x, fourth = square * square;
  return fourth * fourth;
}

static void set_weights(refinement *r, int64_t largest_part)
{
  double unit = 1 / (double)(largest_part > 0 ? largest_part : 1);
  for (int p = 0; p < r->k; p++) {
    r->w_sent[p] = r->floor + eighth_power((double)r->sent[p] * unit);
    r->w_received[p] = r->floor + eighth_power((double)r->received[p] * unit);
  }
}

static hg_status log_move(refinement *r, hg_lid i, int32_t from)
{
  hg_status rc = hg_grow(&r->moves, &r->room, r->n_moves + 1, sizeof *r->moves, "moves of nodes");
  if (rc == HG_OK) r->moves[r->n_moves++] = (move){i, from};
  return rc;
}

static hg_status run_pass(refinement *r, hg_lid n, hg_refine_rows *best)
{
  hg_status rc = HG_OK;
  hg_refine_rows now = rows_now(r);
  set_weights(r, hg_refine_most(&now));
  for (hg_lid i = 0; i < n; i++) {
    int32_t from = r->part_of[i], to = best_part(r, i);
    if (to < 0) continue;
    HG_TRY(log_move(r, i, from));
    move_node(r, i, to);
    now = rows_now(r);
    set_weights(r, hg_refine_most(&now));
    if (!better(r, &now, best)) continue;
    *best = now;
    r->n_kept = r->n_moves;
  }
  bool room = !r->keeps_total || (double)now.total <= ROOM * (double)r->start_rows.total;
  r->floor = fmax(LEAST_FLOOR, r->floor * (room ? SINK : RISE));
done:
  return rc;
}

static hg_status prepare(refinement *r, const hg_graph *graph, const hg_partition_options *options)
{
  hg_status rc = HG_OK;
  const hg_csr *a = &graph->adjacency;
  hg_lid n = (hg_lid)graph->nodes.n;
  HG_TRY(hg_balance_create(&r->balance, graph, r->k, options, r->part_of));
  HG_TRY(HG_ALLOC(r->start, (hg_off)n + 1, "parts of out-neighbours"));
  HG_TRY(HG_ALLOC(r->n_places, n, "parts of out-neighbours"));
  for (hg_off e = 0; e < a->indptr[n]; e++) r->start[a->indices[e] + 1]++;
  for (hg_lid i = 0; i < n; i++) r->start[i + 1] = r->start[i] + (r->start[i + 1] < r->k ? r->start[i + 1] : r->k);
  HG_TRY(HG_ALLOC(r->places, r->start[n], "parts of out-neighbours"));
  HG_TRY(HG_ALLOC(r->sent, r->k, "rows sent"));
  HG_TRY(HG_ALLOC(r->received, r->k, "rows received"));
  HG_TRY(HG_ALLOC(r->w_sent, r->k, "weights of parts"));
  HG_TRY(HG_ALLOC(r->w_received, r->k, "weights of parts"));
  HG_TRY(HG_ALLOC(r->credit, r->k, "gains"));
  HG_TRY(HG_ALLOC(r->touched, r->k, "gains"));
  HG_TRY(HG_ALLOC(r->is_touched, r->k, "gains"));
  for (hg_lid i = 0; i < n; i++)
    for (hg_off e = a->indptr[i]; e < a->indptr[i + 1]; e++) add_place(r, a->indices[e], r->part_of[i]);
done:
  return rc;
}

static void free_all(refinement *r)
{
  hg_balance_free(&r->balance);
  hg_free(&r->start);
  hg_free(&r->n_places);
  hg_free(&r->places);
  hg_free(&r->sent);
  hg_free(&r->received);
  hg_free(&r->w_sent);
  hg_free(&r->w_received);
  hg_free(&r->credit);
  hg_free(&r->touched);
  hg_free(&r->is_touched);
  hg_free(&r->moves);
}

static double gain(const hg_refine_rows *before, const hg_refine_rows *after)
{
  return 2 - (double)hg_refine_most(after) / (double)hg_refine_most(before) -
         (double)after->total / (double)before->total;
}

static hg_status run_passes(refinement *r, hg_lid n, hg_refined *refined)
{
  hg_status rc = HG_OK;
  int in_vain = 0;
  while (refined->passes < MOST_PASSES && in_vain < PATIENCE && refined->after.total > 0) {
    hg_refine_rows last = refined->after;
    HG_TRY(run_pass(r, n, &refined->after));
    refined->passes++;
    in_vain = refined->after.total > 0 && gain(&last, &refined->after) < ENOUGH ? in_vain + 1 : 0;
  }
done:
  return rc;
}

hg_status hg_refine(const hg_graph *graph, int k, const hg_partition_options *options, int32_t *part_of,
                    hg_refined *refined)
{
  hg_status rc = HG_OK;
  double started = hg_now_s();
  refinement r = {.a = &graph->adjacency, .k = k, .part_of = part_of, .floor = FIRST_FLOOR};
  *refined = (hg_refined){0};
  HG_TRY(prepare(&r, graph, options));
  r.start_rows = rows_now(&r);
  r.keeps_total = options->objective == HG_OBJECTIVE_VOLUME;
  refined->before = refined->after = r.start_rows;
  HG_TRY(run_passes(&r, (hg_lid)graph->nodes.n, refined));
  while (r.n_moves > r.n_kept) {
    const move *m = &r.moves[--r.n_moves];
    part_of[m->node] = m->from;
  }
  refined->moves = r.n_kept;
  refined->seconds = hg_now_s() - started;
done:
  free_all(&r);
  return rc;
}
