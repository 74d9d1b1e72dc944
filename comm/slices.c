#include "comm/slices.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "comm/reduce.h"
#include "comm/slice_parts.h"
#include "core/base/alloc.h"
#include "core/base/log.h"
#include "core/base/timer.h"
#include "partition/cache.h"
#include "partition/quality.h"

// Of one partition of a graph file
typedef struct {
  hg_world *world;
  const char *path;
  int k;
  const hg_partition_options *options;
  hg_store_header header;
} job;

static bool is_chief(const job *j) { return hg_world_rank(j->world) == 0; }

static bool streams(const job *j) { return strcmp(j->options->method, "ldg_slices") == 0; }

static hg_status check(job *j, const char *parts_path)
{
  hg_status rc = HG_OK;
  HG_TRY(hg_store_read_header(j->path, &j->header));
  HG_TRY(hg_partition_check_kind(j->path, j->header.kind));
  HG_TRY(hg_context(hg_partition_check(j->header.n_nodes, j->k, j->options), "%s", j->path));
  HG_TRY(hg_parts_try_path(j->path, j->k, j->options, parts_path));
#ifndef HALOGNN_PTSCOTCH
  if (!streams(j))
    HG_TRY(hg_fail(HG_ERR_INPUT, "%s: this program was built without it (HALOGNN_PTSCOTCH=OFF), expected ldg_slices",
                   j->options->method));
#endif
  if (j->options->objective != HG_OBJECTIVE_CUT && j->k > 1)
    hg_log(HG_LOG_INFO, "%s cuts few edges, whatever the objective; its parts are not refined", j->options->method);
done:
  return rc;
}

static hg_status count_nodes(const job *j, hg_off n, const int32_t *part_of, int64_t **counts)
{
  hg_status rc = HG_OK;
  HG_TRY_ALL(j->world, "partitioning", HG_ALLOC(*counts, j->k, "nodes of parts"));
  for (hg_off i = 0; i < n; i++) (*counts)[part_of[i]]++;
  hg_sum_int64(j->world, *counts, j->k);
done:
  return rc;
}

static int largest_part(const int64_t *counts, int k)
{
  int largest = 0;
  for (int p = 1; p < k; p++)
    if (counts[p] > counts[largest]) largest = p;
  return largest;
}

// The first node of part `from`, in the order of the file, goes to part `to`. Collective.
static void move_first(const job *j, hg_off n, int32_t *part_of, int from, int to)
{
  hg_off i = 0;
  while (i < n && part_of[i] != from) i++;
  double first = i < n ? -hg_world_rank(j->world) : -INT32_MAX; // the lowest rank that has one
  hg_max_doubles(j->world, &first, 1);
  if ((int)-first == hg_world_rank(j->world)) part_of[i] = to;
}

// Parts that are empty, which happens in small graphs alone, get a node of the largest one.
static hg_status repair_empty(const job *j, hg_off n, int32_t *part_of)
{
  hg_status rc = HG_OK;
  int64_t *counts = NULL;
  HG_TRY(count_nodes(j, n, part_of, &counts));
  for (int p = 0; p < j->k; p++) {
    if (counts[p] > 0) continue;
    int from = largest_part(counts, j->k);
    move_first(j, n, part_of, from, p);
    counts[from]--;
    counts[p]++;
  }
done:
  hg_free(&counts);
  return rc;
}

static hg_status check_parts(const job *j, hg_off n, const int32_t *part_of)
{
  for (hg_off i = 0; i < n; i++)
    if (part_of[i] < 0 || part_of[i] >= j->k)
      return hg_fail(HG_ERR_INTERNAL, "%s put a node into part %d of %d", j->options->method, part_of[i], j->k);
  return HG_OK;
}

#ifdef HALOGNN_PTSCOTCH
static hg_status cut(const job *j, const hg_slice *slice, int32_t *part_of)
{
  hg_status rc = HG_OK;
  hg_slice both = {0};
  if (!j->header.symmetric) HG_TRY(hg_slice_symmetrise(slice, &both));
  HG_TRY(hg_slice_ptscotch(j->header.symmetric ? slice : &both, slice->a.indptr, j->k, j->options, part_of));
done:
  hg_slice_free(&both);
  return rc;
}
#endif

// part_of [nodes of the slice] is created
static hg_status choose_parts(const job *j, const hg_slice *slice, int32_t **part_of)
{
  hg_status rc = HG_OK;
  HG_TRY_ALL(j->world, "partitioning", HG_ALLOC(*part_of, hg_slice_n(slice), "parts of the nodes"));
  if (j->k == 1) goto done;
  if (streams(j)) HG_TRY(hg_slice_ldg(slice, j->k, j->options, *part_of));
#ifdef HALOGNN_PTSCOTCH
  if (!streams(j)) HG_TRY(cut(j, slice, *part_of));
#endif
  HG_TRY_ALL(j->world, "partitioning", check_parts(j, hg_slice_n(slice), *part_of));
  HG_TRY(repair_empty(j, hg_slice_n(slice), *part_of));
done:
  return rc;
}

static double ratio(int64_t largest, int64_t total, int k) { return total ? (double)largest * k / (double)total : 0; }

enum { EDGES, CUT, LABELS, COUNTS };

// Edges, cut edges and training nodes of each part, [k x COUNTS], of all ranks
static void count_parts(const hg_slice_parts *parts, int64_t *counts)
{
  const hg_graph *rows = &parts->rows;
  const hg_gid *offsets = parts->index.offsets;
  hg_gid first = offsets[parts->first];
  for (int p = parts->first; p < parts->end; p++) {
    int64_t *c = counts + (hg_off)p * COUNTS;
    c[EDGES] = rows->adjacency.indptr[offsets[p + 1] - first] - rows->adjacency.indptr[offsets[p] - first];
    c[CUT] = parts->cut[p - parts->first];
    for (hg_gid i = offsets[p] - first; rows->nodes.split && i < offsets[p + 1] - first; i++)
      c[LABELS] += rows->nodes.split[i] == HG_SPLIT_TRAIN;
  }
  hg_sum_int64(parts->world, counts, parts->index.n_parts * COUNTS);
}

static void fill_quality(const job *j, const hg_parts_index *index, const int64_t *counts, hg_quality *q)
{
  int64_t totals[COUNTS] = {0}, most[COUNTS] = {0}, nodes_max = 0, interior = 0;
  *q = (hg_quality){.n_parts = j->k, .volume = index->halo_offsets[j->k], .halo_min = INT64_MAX};
  for (int p = 0; p < j->k; p++) {
    int64_t halo = index->halo_offsets[p + 1] - index->halo_offsets[p],
            nodes = index->offsets[p + 1] - index->offsets[p];
    if (halo > q->halo_max) q->halo_max = halo;
    if (halo < q->halo_min) q->halo_min = halo;
    if (nodes > nodes_max) nodes_max = nodes;
    interior += index->n_interior[p];
    for (int c = 0; c < COUNTS; c++) {
      int64_t count = counts[(hg_off)p * COUNTS + c];
      totals[c] += count;
      if (count > most[c]) most[c] = count;
    }
  }
  q->edge_cut = totals[CUT];
  q->interior_fraction = (double)interior / (double)j->header.n_nodes;
  q->node_imbalance = ratio(nodes_max, j->header.n_nodes, j->k);
  q->edge_imbalance = ratio(most[EDGES], totals[EDGES], j->k);
  q->label_imbalance = ratio(most[LABELS], totals[LABELS], j->k);
  snprintf(q->order, sizeof q->order, "none");
}

static void warn_of_imbalance(const job *j, const hg_quality *q)
{
  bool edges = j->options->balance & HG_BALANCE_EDGES;
  double found = edges ? q->edge_imbalance : q->node_imbalance;
  double mean = (double)(edges ? j->header.n_edges : j->header.n_nodes) / j->k;
  if (found * mean >= j->options->imbalance * mean + 1) // less than a node or an edge is rounding
    hg_log(HG_LOG_WARN, "%s: the largest of %d parts has %.2f times the mean of %s, allowed was %.2f",
           j->options->method, j->k, found, edges ? "edges" : "nodes", j->options->imbalance);
}

// The figures that the file keeps. Collective; seconds since `start` without what writing will take.
static hg_status measure(const job *j, hg_slice_parts *parts, double start)
{
  hg_status rc = HG_OK;
  int64_t *counts = NULL;
  hg_quality q;
  double most[] = {hg_now_s() - start, (double)hg_peak_rss_bytes()};
  HG_TRY_ALL(j->world, "measuring parts", HG_ALLOC(counts, (hg_off)j->k * COUNTS, "counts of parts"));
  count_parts(parts, counts);
  hg_max_doubles(j->world, most, 2);
  fill_quality(j, &parts->index, counts, &q);
  q.seconds = most[0];
  q.peak_bytes = (size_t)most[1];
  if (is_chief(j)) warn_of_imbalance(j, &q);
  hg_parts_recipe(j->k, j->options, parts->index.recipe);
  parts->index.fingerprint = j->header.fingerprint;
  HG_TRY_ALL(j->world, "measuring parts", hg_quality_json(&q, &parts->index.quality_json));
done:
  hg_free(&counts);
  return rc;
}

hg_status hg_slices_partition_file(hg_world *world, const char *graph_path, int k, const hg_partition_options *options,
                                   const char *parts_path)
{
  hg_status rc = HG_OK;
  job j = {.world = world, .path = graph_path, .k = k, .options = options};
  hg_slice slice = {0};
  hg_slice_parts parts = {0};
  int32_t *part_of = NULL;
  char creator[sizeof parts.index.recipe + 16];
  double start = hg_now_s();
  HG_TRY_ALL(world, "partitioning", is_chief(&j) ? check(&j, parts_path) : HG_OK);
  hg_broadcast(world, &j.header, sizeof j.header, 0);
  HG_TRY(hg_slice_read(&slice, world, graph_path));
  HG_TRY(choose_parts(&j, &slice, &part_of));
  hg_alloc_trim(); // PT-Scotch's memory must not stand beside the parts
  HG_TRY(hg_slice_parts_cut(&parts, &slice, k, part_of));
  HG_TRY(hg_slice_parts_load(&parts, &slice, graph_path));
  HG_TRY(measure(&j, &parts, start));
  snprintf(creator, sizeof creator, "partition %s", parts.index.recipe);
  HG_TRY(hg_slice_parts_write(&parts, &j.header, parts_path, creator));
done:
  hg_free(&part_of);
  hg_slice_free(&slice);
  hg_slice_parts_free(&parts);
  return rc;
}
