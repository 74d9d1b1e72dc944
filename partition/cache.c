#include "partition/cache.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "core/base/alloc.h"
#include "core/base/files.h"
#include "core/base/timer.h"
#include "core/graph/store.h"
#include "partition/active_work.h"
#include "partition/cut_slabs.h"
#include "partition/known_covers.h"
#include "partition/parts.h"
#include "partition/quality.h"
#include "partition/reorder.h"
#include "partition/training_first.h"

enum { RECIPE_MAX = sizeof((hg_parts_index *)0)->recipe };

// All that decides the parts of a graph, as "k4-metis-volume-refined-nodes-1.05-seed1-auto"; both the name of a cached
// file and its key.
static void write_plain_recipe(int k, const hg_partition_options *o, char recipe[RECIPE_MAX])
{
  bool sliced = hg_partition_sliced(o); // they know one objective, and one order
  const char *order = sliced ? "none" : hg_orders[o->order].name;
  char hosts[32] = "";
  if (o->hosts > 1) snprintf(hosts, sizeof hosts, "-hosts%d", o->hosts);
  if (strcmp(o->method, "block") == 0) {
    snprintf(recipe, RECIPE_MAX, "k%d%s-block-%s", k, hosts, order);
    return;
  }
  if (strcmp(o->method, "random") == 0) {
    snprintf(recipe, RECIPE_MAX, "k%d%s-random-seed%" PRIu64 "-%s", k, hosts, o->seed, order);
    return;
  }
  static const char *const objectives[] = {"volume", "cut", "largest"}; // in the order of hg_objective
  int balance = o->balance ? o->balance : HG_BALANCE_NODES;
  char active[48] = "";
  if (balance & HG_BALANCE_ACTIVE) snprintf(active, sizeof active, "-active%dx%d", o->layers, o->hidden);
  snprintf(recipe, RECIPE_MAX, "k%d%s-%.64s-%s%s%s%s%s%s-%g-seed%" PRIu64 "-%s", k, hosts, o->method,
           objectives[sliced ? HG_OBJECTIVE_CUT : o->objective], k > 1 && hg_partition_refines(o) ? "-refined" : "",
           balance & HG_BALANCE_NODES ? "-nodes" : "", balance & HG_BALANCE_EDGES ? "-edges" : "",
           balance & HG_BALANCE_LABELS ? "-labels" : "", active, o->imbalance, o->seed, order);
}

// Where parts are cut depends on the balance for each method.
void hg_parts_recipe(int k, const hg_partition_options *o, char recipe[RECIPE_MAX])
{
  write_plain_recipe(k, o, recipe);
  size_t used = strlen(recipe);
  if (o->slabs <= 1) return;
  snprintf(recipe + used, RECIPE_MAX - used, "-slabs%d", o->slabs);
  used = strlen(recipe);
  if (strcmp(o->method, "metis") != 0 && o->balance > HG_BALANCE_NODES)
    snprintf(recipe + used, RECIPE_MAX - used, "-balance%d", o->balance);
}

hg_status hg_parts_cache_path(const char *graph_path, int k, const hg_partition_options *options, char *path,
                              size_t size)
{
  char recipe[RECIPE_MAX];
  const hg_partitioner *method;
  hg_status rc = hg_partitioner_find(options->method, &method); // before an odd name becomes a path
  if (rc != HG_OK) return rc;
  size_t stem = strlen(graph_path);
  if (stem > 3 && strcmp(graph_path + stem - 3, ".hg") == 0) stem -= 3;
  hg_parts_recipe(k, options, recipe);
  int length = snprintf(path, size, "%.*s.parts/%s.hg", (int)stem, graph_path, recipe);
  if (length < 0 || (size_t)length >= size) return hg_fail(HG_ERR_INPUT, "%s: the path is too long", graph_path);
  return HG_OK;
}

bool hg_parts_cache_valid(const char *parts_path, const char *graph_path, int k, const hg_partition_options *options)
{
  char recipe[RECIPE_MAX];
  hg_store_kind kind;
  hg_store_header graph, parts;
  hg_parts_index index = {0};
  if (!hg_file_exists(parts_path)) return false;
  hg_parts_recipe(k, options, recipe);
  bool valid = hg_store_kind_of(parts_path, &kind) == HG_OK && kind == HG_STORE_PARTS &&
               hg_store_read_header(parts_path, &parts) == HG_OK && hg_store_read_header(graph_path, &graph) == HG_OK &&
               hg_store_read_parts_index(parts_path, 0, &index) == HG_OK && index.n_parts == k &&
               parts.fingerprint == graph.fingerprint && strcmp(index.recipe, recipe) == 0;
  hg_parts_index_free(&index);
  return valid;
}

hg_status hg_parts_try_path(const char *graph_path, int k, const hg_partition_options *options, const char *parts_path)
{
  hg_status rc = HG_OK;
  hg_new_file file;
  char cache[sizeof file.path];
  HG_TRY(hg_parts_cache_path(graph_path, k, options, cache, sizeof cache));
  bool cached = strcmp(cache, parts_path) == 0;
  if (cached) {
    *strrchr(cache, '/') = '\0';
    HG_TRY(hg_make_directories(cache));
  }
  rc = hg_new_file_begin(&file, parts_path);
  if (rc == HG_OK)
    hg_new_file_abandon(&file);
  else if (cached)
    rc = hg_fail(HG_ERR_IO, "%s", hg_error_text());
done:
  return rc;
}

static hg_status measure_active(const hg_graph *graph, int k, const hg_partition_options *options,
                                const int32_t *part_of, double *imbalance)
{
  hg_status rc = HG_OK;
  hg_off *work = NULL, *sum = NULL, total = 0, largest = 0;
  HG_TRY(HG_ALLOC(work, graph->nodes.n, "active work"));
  HG_TRY(HG_ALLOC(sum, k, "active work"));
  HG_TRY(hg_active_work(graph, options->layers, options->hidden, work));
  for (hg_off i = 0; i < graph->nodes.n; i++) sum[part_of[i]] += work[i];
  for (int p = 0; p < k; p++) {
    total += sum[p];
    if (sum[p] > largest) largest = sum[p];
  }
  *imbalance = total > 0 ? (double)largest * k / (double)total : 0;
done:
  hg_free(&work);
  hg_free(&sum);
  return rc;
}

// `graph` becomes that in the order of the parts; index and its figures are made.
static hg_status make_parts(hg_graph *graph, int k, const hg_partition_options *options, hg_parts_index *index)
{
  hg_status rc = HG_OK;
  int32_t *part_of = NULL;
  hg_lid *order = NULL, *sequence = NULL;
  hg_reordered reordered;
  hg_quality quality;
  hg_refined refined;
  double start = hg_now_s(), active_imbalance = 0, cover_seconds;
  int slabs = options->slabs > 1 ? options->slabs : 1, parts = k / slabs;
  hg_partition_options whole = *options; // of the parts that are cut: a host has some of them, or shares them
  if (slabs > 1 && whole.hosts > 1 && parts % whole.hosts != 0) whole.hosts = 1;
  HG_TRY(hg_slabs_check(graph, k, slabs));
  HG_TRY(HG_ALLOC(part_of, graph->nodes.n, "parts of the nodes"));
  HG_TRY(HG_ALLOC(order, graph->nodes.n, "order of the nodes"));
  HG_TRY(HG_ALLOC(sequence, graph->nodes.n, "order of the nodes"));
  HG_TRY(hg_partition_refined(graph, parts, &whole, part_of, &refined));
  if (options->balance & HG_BALANCE_ACTIVE) HG_TRY(measure_active(graph, parts, &whole, part_of, &active_imbalance));
  double reorder_start = hg_now_s();
  HG_TRY(hg_reorder(graph, parts, part_of, options->order, sequence, &reordered));
  if (slabs == 1 && options->order == HG_ORDER_AUTO)
    HG_TRY(hg_training_first(graph, parts, part_of, sequence, &reordered));
  double reorder_seconds = hg_now_s() - reorder_start;
  if (slabs > 1) HG_TRY(hg_slabs_cut(graph, parts, slabs, options->balance, part_of, sequence));
  HG_TRY(hg_parts_build_ordered(graph, k, part_of, sequence, order, index));
  HG_TRY(hg_graph_reorder(graph, order));
  HG_TRY(hg_quality_measure(graph, index, &quality));
  quality.seconds = hg_now_s() - start - reorder_seconds - quality.cover_seconds;
  HG_TRY(hg_known_covers_add(index, graph, options, &cover_seconds));
  quality.cover_seconds += cover_seconds;
  quality.refined = refined;
  quality.active_imbalance = active_imbalance;
  quality.reorder_seconds = reorder_seconds;
  snprintf(quality.order, sizeof quality.order, "%s", hg_orders[reordered.order].name);
  quality.fetches_before = reordered.fetches_before;
  quality.fetches_after = reordered.fetches_after;
  quality.peak_bytes = hg_peak_rss_bytes();
  HG_TRY(hg_quality_json(&quality, &index->quality_json));
  hg_parts_recipe(k, options, index->recipe);
done:
  hg_free(&part_of);
  hg_free(&order);
  hg_free(&sequence);
  return rc;
}

hg_status hg_partition_check_kind(const char *path, hg_store_kind kind)
{
  if (kind == HG_STORE_GRAPH) return HG_OK;
  if (kind == HG_STORE_COLLECTION)
    return hg_fail(HG_ERR_INPUT, "%s: holds many graphs, which are given to the ranks as a whole: nothing to partition",
                   path);
  return hg_fail(HG_ERR_INPUT, "%s: found no graph to partition, expected what `halognn import` or `generate` writes",
                 path);
}

hg_status hg_partition_file(const char *graph_path, int k, const hg_partition_options *options, const char *parts_path)
{
  hg_status rc = HG_OK;
  hg_store_kind kind;
  hg_graph graph = {0};
  hg_parts_index index = {0};
  char creator[RECIPE_MAX + 16];
  HG_TRY(hg_store_kind_of(graph_path, &kind));
  HG_TRY(hg_partition_check_kind(graph_path, kind));
  HG_TRY(hg_parts_try_path(graph_path, k, options, parts_path));
  HG_TRY(hg_store_read_graph(graph_path, &graph));
  HG_TRY(hg_context(make_parts(&graph, k, options, &index), "%s", graph_path));
  snprintf(creator, sizeof creator, "partition %s", index.recipe);
  HG_TRY(hg_store_write_parts(parts_path, &graph, &index, creator));
done:
  hg_graph_free(&graph);
  hg_parts_index_free(&index);
  return rc;
}
