#include "runtime/train/epoch_time.h"

#include <math.h>

enum { DIRECTIONS = 2 };

// One rank's view of the network.
typedef struct {
  double far;               // share of its rows that leave the host
  double latency_s, byte_s; // of a message, and of a byte, between hosts
  double near_s, copy_s;    // the same inside one
} view;

static view view_of(const hg_network *n, const hg_rehearsal *r, int ranks)
{
  int here = n->ranks_per_host < ranks ? n->ranks_per_host : ranks;
  return (view){.far = ranks > here ? 1 - (here - 1.0) / (ranks - 1.0) : 0,
                .latency_s = n->latency_s,
                .byte_s = here / n->bytes_s,
                .near_s = n->near_s,
                .copy_s = 1 / r->copy_bytes_s};
}

static double travelling(const view *v, double messages, double bytes)
{
  return v->far * (messages * v->latency_s + bytes * v->byte_s);
}

static double copying(const view *v, double messages, double bytes)
{
  return (1 - v->far) * (messages * v->near_s + bytes * v->copy_s);
}

static double above_zero(double x) { return x > 0 ? x : 0; }

static bool computes_first(const hg_scheme *s) { return s->way == HG_WAY_COMPUTED; }

// whether rows cross before a layer, and back
static bool crosses(const hg_scheme *s, const hg_rehearsal *r, const hg_layer_time *l)
{
  return l->exchanges && !(computes_first(s) && l == r->layers + 1);
}

static int exchanging_layers(const hg_scheme *s, const hg_rehearsal *r, double *columns)
{
  int n = 0;
  *columns = 0;
  for (const hg_layer_time *l = r->layers; l < r->layers + r->n_layers; l++) {
    if (!crosses(s, r, l)) continue;
    n++;
    *columns += l->columns;
  }
  return n;
}

// share of a narrow layer's time in which it aggregates
static double aggregating(const hg_rehearsal *r)
{
  double a = r->seconds[HG_PHASE_AGGREGATE], rest = r->seconds[HG_PHASE_TRANSFORM];
  if (r->layers[r->n_layers - 1].makes_hidden) rest += r->seconds[HG_PHASE_ELEMENTWISE];
  return a + rest > 0 ? a / (a + rest) : 0;
}

static double exposed_rows(const hg_scheme *s, const hg_rehearsal *r, const view *v)
{
  double columns, exposed = 0, share = aggregating(r);
  int n = exchanging_layers(s, r, &columns);
  for (const hg_layer_time *l = r->layers; l < r->layers + r->n_layers; l++) {
    if (!crosses(s, r, l)) continue;
    double bytes = s->largest / DIRECTIONS * l->columns / columns * l->crossing,
           messages = s->messages / DIRECTIONS / n;
    double works = l->narrow ? share : 1, travels = travelling(v, messages, bytes);
    double packed = s->packed / DIRECTIONS * l->columns / columns * l->crossing;
    double by_processor = copying(v, messages, bytes) + (bytes + packed) * v->copy_s;
    exposed += DIRECTIONS * by_processor + above_zero(travels - works * l->interior * l->forward_s) +
               above_zero(travels - works * l->owned * l->backward_s);
  }
  return exposed;
}

// of P ranks' numbers: messages and bytes that a rank sends one after the other
static double sum_seconds(const view *v, int ranks, double bytes)
{
  double steps = 2 * ceil(log2(ranks)), sent = 2 * bytes * (ranks - 1) / ranks;
  return v->far > 0 ? steps * v->latency_s + sent * v->byte_s : steps * v->near_s + sent * v->copy_s;
}

// weight gradients' sums, from the last layer's down: what is left of them when the first layer is through
static double exposed_sums(const hg_rehearsal *r, const view *v, int ranks)
{
  double now = 0, done = 0;
  if (ranks == 1) return 0;
  for (int l = r->n_layers - 1; l >= 0; l--) {
    now += r->layers[l].backward_s;
    done = (done > now ? done : now) + sum_seconds(v, ranks, r->layers[l].sums_bytes);
  }
  return done - now + sum_seconds(v, ranks, 0); // and of the losses
}

// what the first layer, and a narrow second one's products, take for the halo's rows too
static double computed_seconds(const hg_scheme *s, const hg_rehearsal *r)
{
  if (!computes_first(s) || r->rows == 0) return 0;
  const hg_layer_time *first = r->layers, *second = r->layers + 1;
  double work = first->forward_s + first->backward_s;
  if (second->narrow) work += (1 - aggregating(r)) * (second->forward_s + second->backward_s);
  return work * (double)r->halo / (double)r->rows;
}

static void time_parts(hg_scheme *s, const hg_rehearsal *r, const view *v, int ranks)
{
  view counted = *v;
  if (s->far_known) counted.far = s->far;
  s->exposed_s = exposed_rows(s, r, &counted) + exposed_sums(r, v, ranks);
  s->epoch_s = r->epoch_s + computed_seconds(s, r) + s->exposed_s;
}

static void time_columns(hg_scheme *s, const hg_rehearsal *r, const view *v, int ranks, const hg_extent *graph)
{
  double groups = s->part_groups ? s->part_groups : 1, members = ranks / groups, edge_s = 0;
  for (const hg_layer_time *l = r->layers; l < r->layers + r->n_layers; l++)
    if (l->columns) edge_s += DIRECTIONS * (r->edge_s[0] + r->edge_s[1] * l->columns / members);
  double rest = (r->epoch_s - r->seconds[HG_PHASE_AGGREGATE]) * (double)graph->nodes / ranks;
  double work = edge_s * (double)graph->edges / groups + (r->rows > 0 ? rest / (double)r->rows : 0);
  s->exposed_s = travelling(v, s->messages, s->largest) + copying(v, s->messages, s->largest) + s->largest * v->copy_s +
                 exposed_sums(r, v, ranks);
  s->epoch_s = work + s->exposed_s;
}

void hg_epoch_times(hg_traffic_plan *plan, const hg_rehearsal *rehearsal, const hg_network *network,
                    const hg_extent *graph)
{
  const view v = view_of(network, rehearsal, plan->ranks);
  for (int k = 0; k < plan->n_schemes; k++) {
    hg_scheme *s = &plan->schemes[k];
    if (s->work == HG_WORK_NOT_TOLD) continue;
    if (s->work == HG_WORK_PARTS)
      time_parts(s, rehearsal, &v, plan->ranks);
    else
      time_columns(s, rehearsal, &v, plan->ranks, graph);
    bool better = plan->chosen < 0 || s->epoch_s < plan->schemes[plan->chosen].epoch_s;
    if (s->runs && s->exact && better) plan->chosen = k;
  }
}
