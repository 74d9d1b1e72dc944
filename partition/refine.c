#include "partition/refine.h"

#include <math.h>

#include "core/base/alloc.h"
#include "core/base/timer.h"
#include "partition/balance.h"

enum {
  MOST_PASSES = 12,
  PATIENCE = 2,
  AHEAD = 6,        // edges, of what is fetched early
  MOST_VISITS = 96, // of places, for each node and edge: bounds the time where nodes have neighbours in many parts
};
static const double ENOUGH = 0.005; // a pass that gains less of the largest part and of all together is one too many

// A row of a part counts floor + (rows of the part / rows of the largest)^8. A high floor lowers all rows together, a
// low one the largest alone, at the others' cost.
static const double FIRST_FLOOR = 0.5, LEAST_FLOOR = 0.01, SINK = 0.6, RISE = 1.5;
static const double ROOM = 0.995; // below this share of the rows at the start, all rows together may grow again

typedef struct {
  hg_lid node;
  int32_t from;
} move;

// A node: its part, and where the parts are that it has out-neighbours in.
typedef struct {
  hg_off start;
  int32_t n_places, part;
} node;

// What going to a part would save of what going anywhere costs: rows of in-neighbours that are sent there already
typedef struct {
  double sender; // what they count for their senders
  hg_off rows;
} credit;

typedef struct {
  const hg_csr *a;
  int k;
  hg_lid n;
  node *nodes;                 // [n]
  int32_t *parts, *counts;     // parts of each node's out-neighbours, unordered, and how many each has
  int64_t *sent, *received;    // [k] rows
  double *w_sent, *w_received; // [k] what a row counts
  int64_t total;
  double floor; // of w_sent and w_received
  hg_balance balance;
  int per_host;    // parts of a host: nodes stay on theirs
  credit *credits; // [k] of one node; 0 but for those in `touched`
  int *touched, n_touched;
  hg_off visits; // of places, since the start
  // moves since the start, and how many of them make the best state
  move *moves;
  hg_off n_moves, n_kept, room;
  hg_refine_rows start_rows;
  bool keeps_total; // all rows together may not be more than at the start
} refinement;

// -1: none
static int32_t find_place(const int32_t *parts, int32_t n, int32_t part)
{
  for (int32_t e = 0; e < n; e++)
    if (parts[e] == part) return e;
  return -1;
}

static bool has_place(const refinement *r, hg_lid j, int32_t part)
{
  return find_place(r->parts + r->nodes[j].start, r->nodes[j].n_places, part) >= 0;
}

static void count_row(refinement *r, int32_t owner, int32_t part, int sign)
{
  if (owner == part) return;
  r->sent[owner] += sign;
  r->received[part] += sign;
  r->total += sign;
}

// j has one out-neighbour more in `part`
static void add_place(refinement *r, hg_lid j, int32_t part)
{
  node *v = &r->nodes[j];
  int32_t at = find_place(r->parts + v->start, v->n_places, part);
  if (at >= 0) {
    r->counts[v->start + at]++;
    return;
  }
  r->parts[v->start + v->n_places] = part;
  r->counts[v->start + v->n_places++] = 1;
  count_row(r, v->part, part, 1);
}

static void remove_place(refinement *r, hg_lid j, int32_t part)
{
  node *v = &r->nodes[j];
  hg_off at = v->start + find_place(r->parts + v->start, v->n_places, part), last = v->start + v->n_places - 1;
  if (--r->counts[at] > 0) return;
  r->parts[at] = r->parts[last];
  r->counts[at] = r->counts[last];
  v->n_places--;
  count_row(r, v->part, part, -1);
}

// the rows of node i alone, as if it were in part `owner`
static void count_own(refinement *r, hg_lid i, int32_t owner, int sign)
{
  const node *v = &r->nodes[i];
  for (hg_off e = v->start; e < v->start + v->n_places; e++) count_row(r, owner, r->parts[e], sign);
}

static void move_node(refinement *r, hg_lid i, int32_t to)
{
  int32_t from = r->nodes[i].part;
  count_own(r, i, from, -1);
  r->nodes[i].part = to;
  count_own(r, i, to, 1);
  for (hg_off e = r->a->indptr[i]; e < r->a->indptr[i + 1]; e++) {
    remove_place(r, r->a->indices[e], from);
    add_place(r, r->a->indices[e], to);
  }
  hg_balance_move(&r->balance, i, from, to);
}

static void touch(refinement *r, int32_t part, double sender, int rows)
{
  credit *c = &r->credits[part];
  if (c->sender <= 0) r->touched[r->n_touched++] = part; // weights are above 0
  c->sender += sender;
  c->rows += rows;
}

// The row of in-neighbour j: returned is what leaving `from` saves; each part that has the row already gets credit.
static double weigh_in_neighbour(refinement *r, hg_lid j, int32_t from)
{
  const node v = r->nodes[j];
  const int32_t *parts = r->parts + v.start;
  double w = r->w_sent[v.part];
  bool home = false;
  int32_t here = -1;
  for (int32_t e = 0; e < v.n_places; e++) {
    touch(r, parts[e], w, 1);
    home |= parts[e] == v.part;
    if (parts[e] == from) here = e;
  }
  r->visits += v.n_places;
  if (!home) touch(r, v.part, w, 1);
  bool last = v.part != from && here >= 0 && r->counts[v.start + here] == 1;
  return last ? w + r->w_received[from] : 0;
}

// What the node's own rows cost their sender and receivers if it were in `part`; `all` of its parts as receivers
static double weigh_own(const refinement *r, hg_lid i, int32_t part, double all)
{
  int there = has_place(r, i, part);
  return r->w_sent[part] * (r->nodes[i].n_places - there) + all - there * r->w_received[part];
}

// The part that node i gains most by going to, or -1
static int32_t best_part(refinement *r, hg_lid i)
{
  const hg_off begin = r->a->indptr[i], end = r->a->indptr[i + 1], all = hg_csr_entries(r->a);
  const node v = r->nodes[i];
  double entering = 0, saved = 0, receivers = 0, best_gain = 1e-6;
  int32_t best = -1;
  r->n_touched = 0;
  for (hg_off e = begin; e < end; e++) {
    if (e + 2 * AHEAD < all) __builtin_prefetch(&r->nodes[r->a->indices[e + 2 * AHEAD]]);
    if (e + AHEAD < all) __builtin_prefetch(r->parts + r->nodes[r->a->indices[e + AHEAD]].start);
    saved += weigh_in_neighbour(r, r->a->indices[e], v.part);
    entering += r->w_sent[r->nodes[r->a->indices[e]].part];
  }
  for (hg_off e = v.start; e < v.start + v.n_places; e++) {
    touch(r, r->parts[e], 1e-300, 0); // a candidate
    receivers += r->w_received[r->parts[e]];
  }
  saved += weigh_own(r, i, v.part, receivers);
  for (int t = 0; t < r->n_touched; t++) {
    int32_t q = r->touched[t];
    const credit c = r->credits[q];
    r->credits[q] = (credit){0};
    if (q == v.part || q / r->per_host != v.part / r->per_host) continue;
    double cost = entering - c.sender + (double)(end - begin - c.rows) * r->w_received[q];
    double gain = saved - cost - weigh_own(r, i, q, receivers);
    bool wins = gain > best_gain || (gain == best_gain && best >= 0 && q < best);
    if (!wins || !hg_balance_allows(&r->balance, i, v.part, q)) continue;
    best = q;
    best_gain = gain;
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

static hg_status run_pass(refinement *r, hg_refine_rows *best)
{
  hg_status rc = HG_OK;
  hg_refine_rows now = rows_now(r);
  set_weights(r, hg_refine_most(&now));
  for (hg_lid i = 0; i < r->n; i++) {
    int32_t from = r->nodes[i].part, to = best_part(r, i);
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

static hg_status prepare(refinement *r, const hg_graph *graph, const hg_partition_options *options,
                         const int32_t *part_of)
{
  hg_status rc = HG_OK;
  const hg_csr *a = &graph->adjacency;
  hg_off room = 0;
  HG_TRY(hg_balance_create(&r->balance, graph, r->k, options, part_of));
  HG_TRY(HG_ALLOC(r->nodes, r->n, "parts of out-neighbours"));
  for (hg_off e = 0; e < a->indptr[r->n]; e++) r->nodes[a->indices[e]].start++;
  for (hg_lid i = 0; i < r->n; i++) {
    hg_off most = r->nodes[i].start < r->k ? r->nodes[i].start : r->k;
    r->nodes[i] = (node){room, 0, part_of[i]};
    room += most;
  }
  HG_TRY(HG_ALLOC(r->parts, room, "parts of out-neighbours"));
  HG_TRY(HG_ALLOC(r->counts, room, "parts of out-neighbours"));
  HG_TRY(HG_ALLOC(r->sent, r->k, "rows sent"));
  HG_TRY(HG_ALLOC(r->received, r->k, "rows received"));
  HG_TRY(HG_ALLOC(r->w_sent, r->k, "weights of parts"));
  HG_TRY(HG_ALLOC(r->w_received, r->k, "weights of parts"));
  HG_TRY(HG_ALLOC(r->credits, r->k, "gains"));
  HG_TRY(HG_ALLOC(r->touched, r->k, "gains"));
  for (hg_lid i = 0; i < r->n; i++)
    for (hg_off e = a->indptr[i]; e < a->indptr[i + 1]; e++) add_place(r, a->indices[e], part_of[i]);
  r->per_host = options->hosts > 1 ? r->k / options->hosts : r->k;
  r->start_rows = rows_now(r);
  r->keeps_total = options->objective == HG_OBJECTIVE_VOLUME;
done:
  return rc;
}

static void free_all(refinement *r)
{
  hg_balance_free(&r->balance);
  hg_free(&r->nodes);
  hg_free(&r->parts);
  hg_free(&r->counts);
  hg_free(&r->sent);
  hg_free(&r->received);
  hg_free(&r->w_sent);
  hg_free(&r->w_received);
  hg_free(&r->credits);
  hg_free(&r->touched);
  hg_free(&r->moves);
}

static double gain(const hg_refine_rows *before, const hg_refine_rows *after)
{
  return 2 - (double)hg_refine_most(after) / (double)hg_refine_most(before) -
         (double)after->total / (double)before->total;
}

static hg_status run_passes(refinement *r, hg_refined *refined)
{
  hg_status rc = HG_OK;
  int in_vain = 0;
  hg_off allowed = MOST_VISITS * (hg_csr_entries(r->a) + r->n), last_visits = 0;
  while (refined->passes < MOST_PASSES && in_vain < PATIENCE && refined->after.total > 0) {
    hg_refine_rows last = refined->after;
    hg_off before = r->visits;
    if (before + last_visits > allowed) break;
    HG_TRY(run_pass(r, &refined->after));
    last_visits = r->visits - before;
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
  refinement r = {.a = &graph->adjacency, .k = k, .n = (hg_lid)graph->nodes.n, .floor = FIRST_FLOOR};
  *refined = (hg_refined){0};
  HG_TRY(prepare(&r, graph, options, part_of));
  refined->before = refined->after = r.start_rows;
  HG_TRY(run_passes(&r, refined));
  while (r.n_moves > r.n_kept) {
    const move *m = &r.moves[--r.n_moves];
    r.nodes[m->node].part = m->from;
  }
  for (hg_lid i = 0; i < r.n; i++) part_of[i] = r.nodes[i].part;
  refined->moves = r.n_kept;
  refined->seconds = hg_now_s() - started;
done:
  free_all(&r);
  return rc;
}
