#include "partition/partitioner.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "core/base/alloc.h"
#include "core/base/log.h"
#include "core/base/suggest.h"
#include "partition/active_work.h"
#include "partition/balance.h"
#include "partition/refine.h"
#include "partition/repair.h"

enum {
  ATTEMPTS = 3,
  N_METHODS = 6,
  RETRY_EDGES =
      1000000, // a larger graph is not partitioned again for its balance alone: it seldom helps and takes minutes
};

const hg_partitioner hg_partitioners[] = {
    {"metis", "multilevel k-way, least communication volume or edge cut", hg_partition_metis, true},
    {"ldg", "streaming greedily, several passes: for graphs too large for METIS", hg_partition_ldg, true},
    {"random", "nodes at random, parts of equal size", hg_partition_random, false},
    {"block", "consecutive nodes, parts of equal size", hg_partition_block, false},
    {0},
};

const hg_partitioner hg_sliced_partitioners[] = {
    {"ptscotch", "PT-Scotch on all ranks, each with its slice of the graph; least edge cut", NULL, false},
    {"ldg_slices", "ldg on all ranks, each with its slice of the graph; least memory", NULL, false},
    {0},
};

bool hg_partition_sliced(const hg_partition_options *options)
{
  for (const hg_partitioner *p = hg_sliced_partitioners; p->name; p++)
    if (strcmp(options->method, p->name) == 0) return true;
  return false;
}

hg_partition_options hg_partition_options_default(void)
{
  return (hg_partition_options){.method = "metis",
                                .objective = HG_OBJECTIVE_VOLUME,
                                .balance = HG_BALANCE_NODES,
                                .imbalance = 1.05,
                                .seed = 1,
                                .order = HG_ORDER_AUTO,
                                .refine = true,
                                .layers = 2,
                                .hidden = 16,
                                .slabs = 1};
}

hg_status hg_partitioner_find(const char *name, const hg_partitioner **found)
{
  const hg_partitioner *const tables[] = {hg_partitioners, hg_sliced_partitioners};
  const char *names[N_METHODS + 1] = {0};
  char list[256] = "";
  int count = 0;
  for (int t = 0; t < 2; t++)
    for (*found = tables[t]; (*found)->name; (*found)++) {
      if (strcmp(name, (*found)->name) == 0) return HG_OK;
      size_t used = strlen(list);
      snprintf(list + used, sizeof list - used, "%s%s", count ? ", " : "", (*found)->name);
      names[count++] = (*found)->name;
    }
  *found = NULL;
  const char *near = hg_suggest(name, names);
  return hg_fail(HG_ERR_INPUT, "unknown partition method '%s'%s%s%s: expected one of %s", name,
                 near ? ", did you mean '" : "", near ? near : "", near ? "'?" : "", list);
}

hg_off hg_balance_weight(const hg_graph *graph, const hg_partition_options *options, int bit, hg_lid i)
{
  const hg_nodes *nodes = &graph->nodes;
  for (int kind = 0; kind < HG_BALANCE_KINDS && options; kind++)
    if (bit == 1 << kind && options->weights[kind]) return options->weights[kind][i];
  if (bit == HG_BALANCE_EDGES) return graph->adjacency.indptr[i + 1] - graph->adjacency.indptr[i];
  if (bit == HG_BALANCE_LABELS) return nodes->split && nodes->split[i] == HG_SPLIT_TRAIN;
  return bit == HG_BALANCE_NODES;
}

// What needs the whole graph in one process, or more than one weight a node
static hg_status check_sliced(const hg_partition_options *o)
{
  if (o->balance > HG_BALANCE_EDGES) // or the sum of two
    return hg_fail(HG_ERR_INPUT, "%s: balances nodes or edges, one of them, expected no other balance", o->method);
  if (o->hosts > 1)
    return hg_fail(HG_ERR_INPUT, "%s: makes one level of parts, found %d hosts, expected 1", o->method, o->hosts);
  if (o->slabs > 1)
    return hg_fail(HG_ERR_INPUT, "%s: its parts are not cut into slabs, found %d, expected 1", o->method, o->slabs);
  if (o->order != HG_ORDER_AUTO && o->order != HG_ORDER_NONE)
    return hg_fail(HG_ERR_INPUT, "%s: keeps the nodes of a part in the file's order, expected the order none or auto",
                   o->method);
  return HG_OK;
}

hg_status hg_partition_check(hg_off n, int k, const hg_partition_options *options)
{
  if (k < 1) return hg_fail(HG_ERR_INPUT, "%d parts asked for, expected at least 1", k);
  if (k > n)
    return hg_fail(HG_ERR_INPUT,
                   "%d parts asked for, but the graph has only %" PRId64 " node%s: a part cannot be empty", k, n,
                   n == 1 ? "" : "s");
  if (!(options->imbalance >= 1 && options->imbalance <= 1000))
    return hg_fail(HG_ERR_INPUT, "imbalance %g, expected largest part / mean part: 1 or more, as 1.05",
                   options->imbalance);
  if (options->balance < 0 || options->balance >= 1 << HG_BALANCE_KINDS)
    return hg_fail(HG_ERR_INPUT, "balance %d is no set of nodes, edges, labels, active", options->balance);
  if (options->balance & HG_BALANCE_ACTIVE && (options->layers < 1 || options->hidden < 1))
    return hg_fail(HG_ERR_INPUT, "balance of active work: %d layers of %d columns, expected at least 1 of 1",
                   options->layers, options->hidden);
  if (options->hosts < 0 || (options->hosts > 1 && k % options->hosts != 0))
    return hg_fail(HG_ERR_INPUT, "%d parts on %d hosts, expected as many on each", k, options->hosts);
  return hg_partition_sliced(options) ? check_sliced(options) : HG_OK;
}

// How far the parts are from what was asked: empty parts first, then the worst imbalance above the allowed one.
typedef struct {
  int empty;
  double excess;     ///< largest - allowed, in units of the mean part; 0 or less is fine
  double imbalance;  ///< largest / mean of the constraint that is worst
  const char *worst; ///< its name
} verdict;

static hg_status judge(const hg_graph *graph, int k, const hg_partition_options *options, const int32_t *part_of,
                       verdict *v)
{
  static const char *const names[] = {"nodes", "edges", "labelled nodes", "active work"};
  hg_balance balance;
  hg_status rc = hg_balance_create(&balance, graph, k, options, part_of);
  *v = (verdict){0, -INFINITY, 0, names[0]};
  if (rc != HG_OK) return rc;
  for (int p = 0; p < k; p++) v->empty += balance.nodes[p] == 0;
  for (int c = 0; c < balance.n_bits; c++) {
    hg_off total = 0, largest = 0;
    for (int p = 0; p < k; p++) {
      total += balance.weight[c][p];
      if (balance.weight[c][p] > largest) largest = balance.weight[c][p];
    }
    if (total == 0) continue;
    double mean = (double)total / k, excess = (double)(largest - balance.allowed[c]) / mean;
    if (excess > v->excess) *v = (verdict){v->empty, excess, (double)largest / mean, names[balance.kinds[c]]};
  }
  hg_balance_free(&balance);
  return HG_OK;
}

static bool better(const verdict *a, const verdict *b)
{
  if (a->empty != b->empty) return a->empty < b->empty;
  return fmax(a->excess, 0) < fmax(b->excess, 0);
}

// Runs the method with seed, seed + 1, ... until the parts are in order; part_of keeps the best that was seen.
static hg_status run_until_good(const hg_graph *graph, int k, const hg_partition_options *options, int32_t *part_of,
                                verdict *best)
{
  const hg_partitioner *method;
  int32_t *trial = NULL;
  size_t bytes = (size_t)graph->nodes.n * sizeof *part_of;
  hg_status rc = hg_partitioner_find(options->method, &method);
  if (rc != HG_OK || !method) return rc;
  HG_TRY(HG_ALLOC(trial, graph->nodes.n, "parts of the nodes"));
  for (int attempt = 0; attempt < ATTEMPTS; attempt++) {
    hg_partition_options now = *options;
    verdict v;
    now.seed += (uint64_t)attempt;
    HG_TRY(hg_context(method->run(graph, k, &now, trial), "%s", method->name));
    for (hg_off i = 0; i < graph->nodes.n; i++)
      if (trial[i] < 0 || trial[i] >= k)
        HG_TRY(hg_fail(HG_ERR_INTERNAL, "%s put node %" PRId64 " into part %d of %d", method->name, i, trial[i], k));
    HG_TRY(judge(graph, k, options, trial, &v));
    if (attempt == 0 || better(&v, best)) {
      *best = v;
      memcpy(part_of, trial, bytes);
    }
    bool worth = best->empty > 0 || (best->excess > 0 && hg_csr_entries(&graph->adjacency) <= RETRY_EDGES);
    if (!worth || method->run != hg_partition_metis) break; // another seed changes nothing in the others' sizes
  }
done:
  hg_free(&trial);
  return rc;
}

bool hg_partition_refines(const hg_partition_options *options)
{
  const hg_partitioner *method;
  return options->refine && options->objective != HG_OBJECTIVE_CUT &&
         hg_partitioner_find(options->method, &method) == HG_OK && method && method->cuts_well;
}

static hg_status refine(const hg_graph *graph, int k, const hg_partition_options *options, int32_t *part_of,
                        hg_refined *refined)
{
  hg_status rc = hg_refine(graph, k, options, part_of, refined);
  if (rc != HG_OK) return hg_context(rc, "refining the parts");
  hg_log(HG_LOG_INFO,
         "refined the parts: %" PRId64 " to %" PRId64 " rows by the part that sends or receives most, %" PRId64
         " to %" PRId64 " of all parts; %d passes, %.3f s",
         hg_refine_most(&refined->before), hg_refine_most(&refined->after), refined->before.total, refined->after.total,
         refined->passes, refined->seconds);
  return HG_OK;
}

hg_status hg_partition_level(const hg_graph *graph, int k, const hg_partition_options *options, int32_t *part_of)
{
  hg_status rc = HG_OK;
  verdict v = {0};
  HG_TRY(run_until_good(graph, k, options, part_of, &v));
  if (v.empty) {
    HG_TRY(hg_repair_empty(graph, k, part_of));
    hg_log(HG_LOG_INFO, "%s left %d of %d parts empty: filled from the largest ones", options->method, v.empty, k);
  }
done:
  return rc;
}

// 2 <= k; what options->balance needs is there
static hg_status partition(const hg_graph *graph, int k, const hg_partition_options *options, int32_t *part_of,
                           hg_refined *refined)
{
  hg_status rc = HG_OK;
  verdict v = {0};
  if (options->hosts > 1)
    HG_TRY(hg_partition_two_level(graph, k, options, part_of));
  else
    HG_TRY(hg_partition_level(graph, k, options, part_of));
  if (hg_partition_refines(options)) HG_TRY(refine(graph, k, options, part_of, refined));
  HG_TRY(judge(graph, k, options, part_of, &v));
  if (v.excess > 0)
    hg_log(HG_LOG_WARN, "%s: the largest of %d parts has %.2f times the mean of %s, allowed was %.2f", options->method,
           k, v.imbalance, v.worst, options->imbalance);
done:
  return rc;
}

hg_status hg_partition_refined(const hg_graph *graph, int k, const hg_partition_options *options, int32_t *part_of,
                               hg_refined *refined)
{
  hg_status rc = HG_OK;
  hg_off *work = NULL;
  hg_partition_options with_work = *options;
  const hg_partitioner *method;
  *refined = (hg_refined){0};
  HG_TRY(hg_partitioner_find(options->method, &method));
  HG_TRY(hg_partition_check(graph->nodes.n, k, options));
  if (!method->run)
    HG_TRY(hg_fail(HG_ERR_INPUT, "%s makes parts of slices alone: `halognn partition` and `train` can, this cannot",
                   method->name));
  if (k == 1) {
    memset(part_of, 0, (size_t)graph->nodes.n * sizeof *part_of);
    goto done;
  }
  if (options->balance & HG_BALANCE_ACTIVE) {
    HG_TRY(HG_ALLOC(work, graph->nodes.n, "active work"));
    HG_TRY(hg_active_work(graph, options->layers, options->hidden, work));
    with_work.weights[HG_BALANCE_KINDS - 1] = work;
  }
  HG_TRY(partition(graph, k, &with_work, part_of, refined));
done:
  hg_free(&work);
  return rc;
}

hg_status hg_partition_graph(const hg_graph *graph, int k, const hg_partition_options *options, int32_t *part_of)
{
  hg_refined refined;
  return hg_partition_refined(graph, k, options, part_of, &refined);
}
