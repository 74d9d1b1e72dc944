#include <inttypes.h>
#include <math.h>
#include <metis.h>
#include <omp.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>

#include "core/base/alloc.h"
#include "partition/partitioner.h"

enum {
  MAX_CONSTRAINTS = HG_BALANCE_KINDS,
  RECURSIVE_MAX_PARTS = 8,
  MIN_NODES_PER_PART =
      3, // below, METIS leaves parts empty and complains on standard output ("cannot bisect ... 0 vertices")
  CHEAP_ENTRIES = 32000000, // up to this many entries several ways are tried and the best is kept
};

// Entries x parts from which on METIS's refinement of the volume, whose time grows with both, is left to hg_refine,
// which is done sooner and ends with fewer rows where graphs are hard to cut.
static const double SLOW_VOLUME = 1e8;

// What METIS gets: an undirected graph in its own integers.
typedef struct {
  idx_t n, n_constraints;
  idx_t *xadj;    ///< [n + 1]
  idx_t *adjncy;  ///< [xadj[n]]
  idx_t *weights; ///< [n x n_constraints], or NULL: 1 each
  real_t allowed[MAX_CONSTRAINTS];
} metis_graph;

static void metis_graph_free(metis_graph *g)
{
  hg_free(&g->xadj);
  hg_free(&g->adjncy);
  hg_free(&g->weights);
}

// The union of two ascending rows without `self`; counts, and writes it when `out` is given.
static hg_off merge_rows(const hg_csr *a, const hg_csr *t, hg_lid self, idx_t *out)
{
  hg_off x = a->indptr[self], x_end = a->indptr[self + 1], y = t->indptr[self], y_end = t->indptr[self + 1], count = 0;
  while (x < x_end || y < y_end) {
    hg_lid from_a = x < x_end ? a->indices[x] : INT32_MAX, from_t = y < y_end ? t->indices[y] : INT32_MAX;
    hg_lid j = from_a < from_t ? from_a : from_t;
    x += from_a == j;
    y += from_t == j;
    if (j == self) continue;
    if (out) out[count] = j;
    count++;
  }
  return count;
}

// METIS needs each edge both ways and breaks (unchecked) when one is missing: the union with the transpose is taken
// even when the graph says that it is symmetric, since that word comes from a file.
static hg_status make_undirected(metis_graph *g, const hg_csr *a)
{
  hg_status rc = HG_OK;
  hg_csr t = {0};
  hg_off entries = 0, limit = sizeof(idx_t) == 4 ? INT32_MAX : INT64_MAX;
  HG_TRY(hg_csr_transpose(&t, a));
  HG_TRY(HG_ALLOC(g->xadj, a->n_rows + 1, "METIS row pointers"));
  for (hg_lid i = 0; i < a->n_rows; i++) {
    entries += merge_rows(a, &t, i, NULL);
    if (entries <= limit) g->xadj[i + 1] = (idx_t)entries;
  }
  if (entries > limit)
    HG_TRY(hg_fail(HG_ERR_INPUT,
                   "the graph has %" PRId64
                   " adjacency entries and this METIS counts with 32 bits (at most 2147483647): use "
                   "the method ldg",
                   entries));
  HG_TRY(HG_ALLOC(g->adjncy, entries, "METIS adjacency"));
  for (hg_lid i = 0; i < a->n_rows; i++) (void)merge_rows(a, &t, i, g->adjncy + g->xadj[i]);
done:
  hg_csr_free(&t);
  return rc;
}

// One constraint for each balance bit that weighs anything. What a single node weighs must be allowed on top of the
// mean, or METIS spoils the cut for a balance that cannot be had (a few labels, or a hub with many edges).
static hg_status set_constraints(metis_graph *g, const hg_graph *graph, int k, const hg_partition_options *options)
{
  int balance = options->balance ? options->balance : HG_BALANCE_NODES, bits[MAX_CONSTRAINTS], n_bits = 0;
  for (int bit = HG_BALANCE_NODES; bit <= HG_BALANCE_ACTIVE; bit *= 2) {
    double total = 0, largest = 0;
    for (hg_lid i = 0; i < g->n && balance & bit; i++) {
      double weight = (double)hg_balance_weight(graph, options, bit, i);
      total += weight;
      largest = fmax(largest, weight);
    }
    if (total <= 0) continue;
    g->allowed[n_bits] = (real_t)fmax(fmax(options->imbalance, 1.001), 1 + largest * k / total);
    bits[n_bits++] = bit;
  }
  g->n_constraints = n_bits ? n_bits : 1;
  if (n_bits == 0) g->allowed[0] = (real_t)fmax(options->imbalance, 1.001);
  if (n_bits == 0 || (n_bits == 1 && bits[0] == HG_BALANCE_NODES)) return HG_OK;
  hg_status rc = HG_ALLOC(g->weights, (hg_off)g->n * n_bits, "METIS weights");
  for (hg_lid i = 0; i < g->n && rc == HG_OK; i++)
    for (int c = 0; c < n_bits; c++)
      g->weights[(hg_off)i * n_bits + c] = (idx_t)hg_balance_weight(graph, options, bits[c], i);
  return rc;
}

// METIS reports its errors to itself by SIGTERM and SIGABRT, with handlers that jump to a buffer of the calling thread.
// A SIGTERM of the user must therefore not reach another thread, and our handlers are put back whole (METIS uses
// signal(), which loses flags).
typedef struct {
  struct sigaction term, abort;
} saved_handlers;

static void guard_signals(saved_handlers *saved)
{
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGTERM);
  sigaddset(&set, SIGABRT);
#pragma omp parallel
  if (omp_get_thread_num() > 0) pthread_sigmask(SIG_BLOCK, &set, NULL);
  sigaction(SIGTERM, NULL, &saved->term);
  sigaction(SIGABRT, NULL, &saved->abort);
}

static void restore_signals(const saved_handlers *saved)
{
  sigaction(SIGTERM, &saved->term, NULL);
  sigaction(SIGABRT, &saved->abort, NULL);
}

typedef enum { WAY_VOLUME, WAY_CUT, WAY_RECURSIVE } way;

static hg_status run_metis(metis_graph *g, idx_t k, way how, uint64_t seed, idx_t *part_of)
{
  idx_t options[METIS_NOPTIONS], objective;
  METIS_SetDefaultOptions(options);
  options[METIS_OPTION_SEED] = (idx_t)(seed & 0x7fffffff);
  options[METIS_OPTION_NUMBERING] = 0;
  if (how != WAY_RECURSIVE) options[METIS_OPTION_OBJTYPE] = how == WAY_VOLUME ? METIS_OBJTYPE_VOL : METIS_OBJTYPE_CUT;
  saved_handlers saved;
  guard_signals(&saved);
  int code = how == WAY_RECURSIVE
                 ? METIS_PartGraphRecursive(&g->n, &g->n_constraints, g->xadj, g->adjncy, g->weights, NULL, NULL, &k,
                                            NULL, g->allowed, options, &objective, part_of)
                 : METIS_PartGraphKway(&g->n, &g->n_constraints, g->xadj, g->adjncy, g->weights, NULL, NULL, &k, NULL,
                                       g->allowed, options, &objective, part_of);
  restore_signals(&saved);
  if (code == METIS_OK) return HG_OK;
  if (code == METIS_ERROR_MEMORY)
    return hg_fail(HG_ERR_MEMORY, "METIS ran out of memory on %" PRId64 " nodes and %" PRId64 " adjacency entries",
                   (hg_off)g->n, (hg_off)g->xadj[g->n]);
  if (code == METIS_ERROR_INPUT) return hg_fail(HG_ERR_INTERNAL, "METIS refuses its input");
  return hg_fail(HG_ERR_INTERNAL, "METIS failed, or was interrupted by SIGTERM (code %d)", code);
}

// The objective of an undirected graph: pairs (node, other part that has a neighbour of it), or entries between parts.
static hg_off count_objective(const metis_graph *g, hg_objective objective, const idx_t *part_of, idx_t *seen, idx_t k)
{
  hg_off count = 0;
  memset(seen, 0xff, (size_t)k * sizeof *seen);
  for (idx_t i = 0; i < g->n; i++)
    for (idx_t e = g->xadj[i]; e < g->xadj[i + 1]; e++) {
      idx_t p = part_of[g->adjncy[e]];
      if (p == part_of[i] || (objective != HG_OBJECTIVE_CUT && seen[p] == i)) continue;
      seen[p] = i;
      count++;
    }
  return count;
}

// How far the heaviest part is above what is allowed, over all constraints; an empty part counts as infinitely far.
static double count_excess(const metis_graph *g, idx_t k, const idx_t *part_of, hg_off *weight)
{
  double excess = 0;
  for (idx_t c = 0; c < g->n_constraints; c++) {
    hg_off total = 0, largest = 0, smallest = INT64_MAX;
    memset(weight, 0, (size_t)k * sizeof *weight);
    for (idx_t i = 0; i < g->n; i++) {
      hg_off w = g->weights ? g->weights[(hg_off)i * g->n_constraints + c] : 1;
      weight[part_of[i]] += w;
      total += w;
    }
    for (idx_t p = 0; p < k; p++) {
      if (weight[p] > largest) largest = weight[p];
      if (weight[p] < smallest) smallest = weight[p];
    }
    if (!g->weights && smallest == 0) return INFINITY;
    excess = fmax(excess, (double)largest * k / (double)total - (double)g->allowed[c]);
  }
  return excess;
}

// Tries the ways that `cheap` admits; balance first, then the objective decides.
static hg_status choose_way(metis_graph *g, idx_t k, const hg_partition_options *options, int32_t *part_of)
{
  hg_status rc = HG_OK;
  idx_t *trial = NULL, *seen = NULL;
  hg_off *weight = NULL, best = 0;
  double best_excess = 0;
  bool cheap = g->xadj[g->n] <= CHEAP_ENTRIES;
  HG_TRY(HG_ALLOC(trial, g->n, "METIS parts"));
  HG_TRY(HG_ALLOC(seen, k, "part marks"));
  HG_TRY(HG_ALLOC(weight, k, "part weights"));
  bool slow = (double)g->xadj[g->n] * k > SLOW_VOLUME && hg_partition_refines(options);
  way first = options->objective == HG_OBJECTIVE_VOLUME && !slow ? WAY_VOLUME : WAY_CUT;
  for (way how = first; how <= WAY_RECURSIVE; how++) {
    if (how != first && !cheap) break;
    if (how == WAY_RECURSIVE && k > RECURSIVE_MAX_PARTS) break;
    HG_TRY(run_metis(g, k, how, options->seed, trial));
    hg_off objective = count_objective(g, options->objective, trial, seen, k);
    double excess = count_excess(g, k, trial, weight);
    if (how != first && (excess > best_excess || (excess >= best_excess && objective >= best))) continue;
    best = objective;
    best_excess = excess;
    for (idx_t i = 0; i < g->n; i++) part_of[i] = (int32_t)trial[i];
  }
done:
  hg_free(&trial);
  hg_free(&seen);
  hg_free(&weight);
  return rc;
}

hg_status hg_partition_metis(const hg_graph *graph, int k, const hg_partition_options *options, int32_t *part_of)
{
  hg_status rc = HG_OK;
  metis_graph g = {0};
  if (graph->nodes.n < (hg_off)MIN_NODES_PER_PART * k) return hg_partition_block(graph, k, options, part_of);
  g.n = (idx_t)graph->nodes.n;
  HG_TRY(make_undirected(&g, &graph->adjacency));
  if (g.xadj[g.n] == 0) { // nothing to cut, and METIS is not made for it
    HG_TRY(hg_partition_block(graph, k, options, part_of));
    goto done;
  }
  HG_TRY(set_constraints(&g, graph, k, options));
  HG_TRY(choose_way(&g, k, options, part_of));
done:
  metis_graph_free(&g);
  return rc;
}

hg_status hg_metis_bisect(const hg_graph *graph, int k, int32_t *block_of)
{
  static const hg_partition_options even = {
      .method = "metis", .objective = HG_OBJECTIVE_CUT, .balance = HG_BALANCE_NODES, .imbalance = 1.05, .seed = 1};
  hg_status rc = HG_OK;
  metis_graph g = {.n = (idx_t)graph->nodes.n};
  idx_t *block = NULL;
  HG_TRY(make_undirected(&g, &graph->adjacency));
  if (g.xadj[g.n] == 0) {
    HG_TRY(hg_partition_block(graph, k, &even, block_of));
    goto done;
  }
  HG_TRY(set_constraints(&g, graph, k, &even));
  HG_TRY(HG_ALLOC(block, g.n, "METIS blocks"));
  HG_TRY(run_metis(&g, k, WAY_RECURSIVE, even.seed, block));
  for (idx_t i = 0; i < g.n; i++) block_of[i] = (int32_t)block[i];
done:
  metis_graph_free(&g);
  hg_free(&block);
  return rc;
}
