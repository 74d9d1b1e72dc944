#include "runtime/train/rank_plan.h"

#include <stdlib.h>
#include <string.h>

#include "core/base/alloc.h"
#include "core/base/threads.h"
#include "core/base/timer.h"
#include "partition/reorder.h"
#include "partition/training_first.h"
#include "runtime/train/check_model.h"

// The graph in the order of its parts.
typedef struct {
  hg_graph graph;
  hg_parts_index index;
} ordered;

static void free_ordered(ordered *o)
{
  hg_graph_free(&o->graph);
  hg_parts_index_free(&o->index);
}

static hg_status put_in_order(ordered *o, const hg_graph *graph, int ranks, const int32_t *part_of, hg_order_kind kind)
{
  hg_lid *order = NULL, *sequence = NULL;
  hg_reordered reordered;
  hg_status rc = HG_OK;
  HG_TRY(HG_ALLOC(order, graph->nodes.n, "order of the nodes"));
  HG_TRY(HG_ALLOC(sequence, graph->nodes.n, "order of the nodes"));
  HG_TRY(hg_reorder(graph, ranks, part_of, kind, sequence, &reordered));
  if (kind == HG_ORDER_AUTO) HG_TRY(hg_training_first(graph, ranks, part_of, sequence, &reordered));
  HG_TRY(hg_parts_build_ordered(graph, ranks, part_of, sequence, order, &o->index));
  HG_TRY(hg_graph_permute(&o->graph, graph, order));
done:
  hg_free(&order);
  hg_free(&sequence);
  return rc;
}

// A part, and how much of the graph's rows and edges it has.
typedef struct {
  int part;
  double work;
} load;

static int by_work(const void *a, const void *b)
{
  const load *x = a, *y = b;
  if (x->work != y->work) return x->work < y->work ? 1 : -1;
  return x->part - y->part;
}

// the parts with most work first
static void sort_parts(const ordered *o, load *loads)
{
  const hg_off *indptr = o->graph.adjacency.indptr;
  double nodes = (double)o->graph.nodes.n, edges = (double)hg_csr_entries(&o->graph.adjacency);
  for (int p = 0; p < o->index.n_parts; p++) {
    hg_off first = o->index.offsets[p], end = o->index.offsets[p + 1];
    loads[p] =
        (load){p, (double)(end - first) / nodes + (edges > 0 ? (double)(indptr[end] - indptr[first]) / edges : 0)};
  }
  qsort(loads, (size_t)o->index.n_parts, sizeof *loads, by_work);
}

// as many parts as ranks are on a host, where there are processors for all of them
static int actors(const hg_rank_plan_options *o, int ranks)
{
  int n = o->ranks_per_host < ranks ? o->ranks_per_host : ranks, room = hg_processors() / o->threads;
  if (n > room) n = room;
  return n > 1 ? n : 1;
}

static hg_part_extent extent_of(const hg_rank_plan *plan, const ordered *o, int part)
{
  const hg_off *indptr = o->graph.adjacency.indptr, *halo = o->index.halo_offsets;
  hg_off first = o->index.offsets[part], end = o->index.offsets[part + 1];
  return (hg_part_extent){.nodes = end - first,
                          .edges = indptr[end] - indptr[first],
                          .halo = halo[part + 1] - halo[part],
                          .sent = plan->rows.sent[HG_SEND_SOURCES][part]};
}

static hg_status try_parts(hg_rank_plan *plan, const hg_config *config, const ordered *o,
                           const hg_rank_plan_options *options)
{
  hg_halo_options ways[HG_WAYS];
  int ranks = o->index.n_parts, n = actors(options, ranks);
  load *loads = NULL;
  hg_alone_source *sources = NULL;
  hg_status rc = HG_OK;
  HG_TRY(HG_ALLOC(loads, ranks, "work of parts"));
  HG_TRY(HG_ALLOC(sources, n, "parts to time"));
  sort_parts(o, loads);
  for (int way = 0; way < HG_WAYS; way++) {
    ways[way] = config->model.halo;
    ways[way].precision = way < HG_PACK_COUNT ? (hg_pack_format)way : HG_PACK_REAL;
    if (way == HG_WAY_NONZERO_INT4) ways[way].precision = HG_PACK_INT4;
    bool skips = way == HG_WAY_NONZERO || way == HG_WAY_NONZERO_INT4 || way == HG_WAY_COMPUTED;
    ways[way].compute_first = way == HG_WAY_COMPUTED ? HG_COMPUTE_FIRST_ALWAYS : HG_COMPUTE_FIRST_NEVER;
    ways[way].skip_zeros = skips ? HG_SKIP_ZEROS_ALWAYS : HG_SKIP_ZEROS_NEVER;
    if (way == HG_WAY_COVERS) ways[way].staleness = (hg_staleness){0};
    ways[way].aggregation = way == HG_WAY_COVERS ? HG_AGGREGATION_COVERS : HG_AGGREGATION_SOURCES;
  }
  for (int k = 0; k < n; k++)
    sources[k] = (hg_alone_source){.graph = &o->graph,
                                   .index = &o->index,
                                   .part = loads[k].part,
                                   .sent = plan->rows.sent[HG_SEND_SOURCES][loads[k].part]};
  plan->largest = extent_of(plan, o, loads[0].part);
  HG_TRY(hg_alone_plan_memory(plan->memory, ways, hg_can_cover(config) ? HG_WAYS : HG_WAY_COVERS, config, &sources[0]));
  if (options->seconds > 0)
    HG_TRY(hg_rehearse(&plan->rehearsal, config, sources, n, options->threads, options->seconds));
done:
  hg_free(&loads);
  hg_free(&sources);
  return rc;
}

hg_status hg_rank_plan_make(hg_rank_plan *plan, const hg_config *config, const hg_graph *graph, int ranks,
                            const hg_rank_plan_options *options)
{
  hg_partition_options how = hg_config_partition(config);
  int32_t *part_of = NULL;
  ordered parts = {0};
  hg_status rc = HG_OK;
  *plan = (hg_rank_plan){0};
  if (config->partition.hosts < 0 && ranks % options->ranks_per_host == 0) how.hosts = ranks / options->ranks_per_host;
  HG_TRY(HG_ALLOC(part_of, graph->nodes.n, "parts of nodes"));
  double started = hg_now_s();
  HG_TRY(hg_partition_graph(graph, ranks, &how, part_of));
  HG_TRY(put_in_order(&parts, graph, ranks, part_of, how.order));
  plan->partition_seconds = hg_now_s() - started;
  HG_TRY(hg_halo_rows_count(&plan->rows, graph, ranks, part_of));
  int shared = config->train.active_sets ? 2 + 2 + 1 : 2; // directions of all rows, of active ones, and evaluations'
  plan->shared_bytes = (double)shared * config->model.hidden * (double)sizeof(hg_real);
  if (options->ranks_per_host > 1 && options->ranks_per_host < ranks && ranks % options->ranks_per_host == 0)
    HG_TRY(hg_host_rows_count(&plan->between, &parts.index, ranks / options->ranks_per_host));
  HG_TRY(hg_reduced_traffic_count(&plan->reduced, config, graph, ranks, part_of));
  HG_TRY(try_parts(plan, config, &parts, options));
done:
  hg_free(&part_of);
  free_ordered(&parts);
  if (rc != HG_OK) hg_rank_plan_free(plan);
  return rc;
}

void hg_rank_plan_free(hg_rank_plan *plan)
{
  hg_halo_rows_free(&plan->rows);
  hg_rehearsal_free(&plan->rehearsal);
}

// Rows of a scheme, of which those between hosts cross once: after it. Memory is an upper bound: a rank has room for
// what it serves, `rooms` times: to share it, and to pack it.
static void add_merged(const hg_rank_plan *plan, hg_traffic_plan *traffic, int k, int rooms, const char *name,
                       const char *how)
{
  const hg_host_rows *b = &plan->between;
  const hg_halo_rows *rows = &plan->rows;
  if (k < 0) return;
  const hg_scheme plain = traffic->schemes[k];
  double all = (double)rows->total[HG_SEND_SOURCES], crossing = all - (double)(b->rows - b->unique);
  if (all == 0 || plain.total == 0) return; // nothing to merge
  double row = plain.total / all, exchanges = plain.messages / (double)rows->messages_both_ways;
  hg_scheme *s = &traffic->schemes[k + 1];
  memmove(s + 1, s, (size_t)(traffic->n_schemes++ - k - 1) * sizeof plain);
  *s = plain;
  s->name = name;
  s->how = how;
  s->total = row * crossing;
  s->largest = row / 2 * (double)b->part_rows;
  s->packed = plain.largest > 0 ? plain.packed * s->largest / plain.largest : 0;
  s->messages = exchanges * (double)b->part_messages;
  s->far = (double)b->unique / crossing;
  s->way = -1;
  s->memory += rooms * plan->shared_bytes * (double)b->part_served;
}

// -1: there is none
static int scheme_of(const hg_traffic_plan *traffic, int way)
{
  for (int k = 0; k < traffic->n_schemes; k++)
    if (traffic->schemes[k].way == way) return k;
  return -1;
}

static void tell_reduced(const hg_reduced_traffic *reduced, hg_scheme *s)
{
  s->total = reduced->total;
  s->largest = reduced->largest;
  s->messages = reduced->messages;
}

void hg_rank_plan_tell(const hg_rank_plan *plan, hg_traffic_plan *traffic)
{
  const double all = (double)plan->rows.total[HG_SEND_SOURCES];
  for (hg_scheme *s = traffic->schemes; s < traffic->schemes + traffic->n_schemes; s++) {
    if (s->way >= 0) s->memory = (double)plan->memory[s->way].total;
    s->far_known = s->way >= 0 && s->way != HG_WAY_COVERS && plan->between.hosts > 0;
    s->far = s->far_known && all > 0 ? (double)plan->between.rows / all : 0;
    if (s->way == HG_WAY_COVERS && plan->reduced.known) tell_reduced(&plan->reduced, s);
  }
  if (plan->between.hosts == 0) return;
  add_merged(plan, traffic, scheme_of(traffic, HG_PACK_REAL), 1, "merged hosts",
             "exact: what several ranks of a host need crosses once (halo.hosts: merged)");
  add_merged(plan, traffic, scheme_of(traffic, HG_WAY_NONZERO), 2, "merged nonzero",
             "exact: the same without zeros; estimated");
  add_merged(plan, traffic, scheme_of(traffic, HG_WAY_COMPUTED), 2, "merged computed",
             "exact: the second layer's halo is computed, the rest merged without zeros; estimated");
}

hg_status hg_rank_plans_tell_columns(const hg_rank_plan *plans, int n, const hg_config *config, const hg_graph *graph,
                                     hg_traffic_plan *traffic)
{
  const hg_part_extent whole = {.nodes = graph->nodes.n, .edges = hg_csr_entries(&graph->adjacency)};
  hg_status rc = HG_OK;
  for (hg_scheme *s = traffic->schemes; s < traffic->schemes + traffic->n_schemes; s++) {
    hg_memory memory;
    const hg_part_extent *part = s->part_groups ? NULL : &whole;
    if (s->work != HG_WORK_COLUMNS || !s->runs || traffic->ranks == 1) continue;
    int groups = s->part_groups ? s->part_groups : 1;
    for (int k = 0; k < n && s->part_groups; k++)
      if (plans[k].rows.n_parts == groups) part = &plans[k].largest;
    if (!part) HG_TRY(hg_fail(HG_ERR_INTERNAL, "a grid of %d parts that were not planned", groups));
    HG_TRY(hg_alone_plan_columns(&memory, config, graph, part, groups, traffic->ranks / groups));
    s->memory = (double)memory.total;
  }
done:
  return rc;
}
