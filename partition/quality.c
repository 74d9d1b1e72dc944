#include "partition/quality.h"

#include <inttypes.h>
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/alloc.h"

static double ratio(hg_off largest, hg_off total, int k) { return total ? (double)largest * k / (double)total : 0; }

// One part's row of the counts.
typedef struct {
  hg_off edges, labels, cut;
} part_counts;

static part_counts count_part(const hg_graph *graph, hg_gid first, hg_gid end)
{
  const hg_csr *a = &graph->adjacency;
  part_counts c = {.edges = a->indptr[end] - a->indptr[first]};
  for (hg_gid i = first; i < end; i++) c.labels += hg_balance_weight(graph, NULL, HG_BALANCE_LABELS, (hg_lid)i);
  for (hg_off e = a->indptr[first]; e < a->indptr[end]; e++) c.cut += a->indices[e] < first || a->indices[e] >= end;
  return c;
}

static hg_status count_rows(const hg_graph *graph, hg_parts_index *index, hg_quality *q)
{
  hg_status rc = HG_OK;
  hg_halo_rows rows = {0};
  const hg_cover_kind every_edge = {.steps = HG_COVER_ALL, .source = 1, .sum = 1};
  HG_TRY(hg_halo_rows_cover(&rows, graph, index, every_edge, NULL));
  for (int mode = 0; mode < HG_SEND_MODES; mode++) {
    q->rows[mode] = rows.total[mode];
    q->rows_max[mode] = rows.largest[mode];
  }
  q->messages = rows.pairs;
  q->messages_max = rows.most_messages;
  q->cover_seconds = rows.seconds;
  q->rows_known = true;
done:
  hg_halo_rows_free(&rows);
  return rc;
}

hg_status hg_quality_measure(const hg_graph *graph, hg_parts_index *index, hg_quality *quality)
{
  int k = index->n_parts;
  hg_off n = graph->nodes.n, nodes_max = 0, edges = 0, edges_max = 0, labels = 0, labels_max = 0, interior = 0;
  if (index->offsets[k] != n)
    return hg_fail(HG_ERR_INTERNAL, "the parts hold %" PRId64 " nodes and the graph %" PRId64, index->offsets[k], n);
  hg_quality q = {.n_parts = k, .volume = index->halo_offsets[k], .halo_min = INT64_MAX};
  for (int p = 0; p < k; p++) {
    part_counts c = count_part(graph, index->offsets[p], index->offsets[p + 1]);
    hg_off nodes = index->offsets[p + 1] - index->offsets[p],
           halo = index->halo_offsets[p + 1] - index->halo_offsets[p];
    q.edge_cut += c.cut;
    edges += c.edges;
    labels += c.labels;
    interior += index->n_interior[p];
    if (nodes > nodes_max) nodes_max = nodes;
    if (c.edges > edges_max) edges_max = c.edges;
    if (c.labels > labels_max) labels_max = c.labels;
    if (halo > q.halo_max) q.halo_max = halo;
    if (halo < q.halo_min) q.halo_min = halo;
  }
  q.interior_fraction = n ? (double)interior / (double)n : 0;
  q.node_imbalance = ratio(nodes_max, n, k);
  q.edge_imbalance = ratio(edges_max, edges, k);
  q.label_imbalance = ratio(labels_max, labels, k);
  *quality = q;
  return count_rows(graph, index, quality);
}

// The row counts of one mode in a JSON object: keys of the sum and of the largest part. The sum of sources is "volume".
static const char *const row_keys[HG_SEND_MODES][2] = {
    {NULL, "source_rows_max"}, {"partial_rows", "partial_rows_max"}, {"cover_rows", "cover_rows_max"}};

static void put_rows(json_t *object, const hg_quality *q)
{
  if (!q->rows_known) return;
  for (int mode = 0; mode < HG_SEND_MODES; mode++) {
    if (row_keys[mode][0]) json_object_set_new(object, row_keys[mode][0], json_integer(q->rows[mode]));
    json_object_set_new(object, row_keys[mode][1], json_integer(q->rows_max[mode]));
  }
  json_object_set_new(object, "messages", json_integer(q->messages));
  json_object_set_new(object, "messages_max", json_integer(q->messages_max));
  json_object_set_new(object, "cover_seconds", json_real(q->cover_seconds));
}

static void get_rows(const json_t *object, hg_quality *q)
{
  q->rows_known = json_is_integer(json_object_get(object, "cover_rows"));
  if (!q->rows_known) return;
  for (int mode = 0; mode < HG_SEND_MODES; mode++) {
    const char *key = row_keys[mode][0] ? row_keys[mode][0] : "volume";
    q->rows[mode] = json_integer_value(json_object_get(object, key));
    q->rows_max[mode] = json_integer_value(json_object_get(object, row_keys[mode][1]));
  }
  q->messages = json_integer_value(json_object_get(object, "messages"));
  q->messages_max = json_integer_value(json_object_get(object, "messages_max"));
  q->cover_seconds = json_real_value(json_object_get(object, "cover_seconds"));
}

static void put_refined(json_t *object, const hg_refined *r)
{
  if (r->passes == 0) return;
  json_object_set_new(object, "refine_passes", json_integer(r->passes));
  json_object_set_new(object, "refine_moves", json_integer(r->moves));
  json_object_set_new(object, "refine_seconds", json_real(r->seconds));
  json_object_set_new(object, "unrefined_source_rows_max", json_integer(r->before.sent));
  json_object_set_new(object, "unrefined_halo_max", json_integer(r->before.received));
  json_object_set_new(object, "unrefined_volume", json_integer(r->before.total));
}

static void get_refined(const json_t *object, hg_quality *q)
{
  hg_refined *r = &q->refined;
  r->passes = (int)json_integer_value(json_object_get(object, "refine_passes"));
  if (r->passes <= 0 || !q->rows_known) return;
  r->moves = json_integer_value(json_object_get(object, "refine_moves"));
  r->seconds = json_real_value(json_object_get(object, "refine_seconds"));
  r->before.sent = json_integer_value(json_object_get(object, "unrefined_source_rows_max"));
  r->before.received = json_integer_value(json_object_get(object, "unrefined_halo_max"));
  r->before.total = json_integer_value(json_object_get(object, "unrefined_volume"));
  r->after = (hg_refine_rows){q->rows_max[HG_SEND_SOURCES], q->halo_max, q->volume};
}

hg_status hg_quality_json(const hg_quality *q, char **json)
{
  *json = NULL;
  json_t *object = json_pack(
      "{s:i, s:I, s:I, s:I, s:I, s:f, s:f, s:f, s:f, s:f, s:I, s:s, s:f, s:I, s:I}", "parts", q->n_parts, "edge_cut",
      (json_int_t)q->edge_cut, "volume", (json_int_t)q->volume, "halo_max", (json_int_t)q->halo_max, "halo_min",
      (json_int_t)q->halo_min, "interior_fraction", q->interior_fraction, "node_imbalance", q->node_imbalance,
      "edge_imbalance", q->edge_imbalance, "label_imbalance", q->label_imbalance, "seconds", q->seconds, "peak_bytes",
      (json_int_t)q->peak_bytes, "order", q->order, "reorder_seconds", q->reorder_seconds, "fetches_before",
      (json_int_t)q->fetches_before, "fetches_after", (json_int_t)q->fetches_after);
  if (object) put_rows(object, q);
  if (object) put_refined(object, &q->refined);
  if (object && q->active_imbalance > 0)
    json_object_set_new(object, "active_imbalance", json_real(q->active_imbalance));
  char *text = object ? json_dumps(object, JSON_COMPACT) : NULL;
  json_decref(object);
  if (!text) return hg_fail(HG_ERR_INTERNAL, "the figures of the partition are not finite");
  hg_status rc = HG_ALLOC(*json, strlen(text) + 1, "figures of the partition");
  if (rc == HG_OK) memcpy(*json, text, strlen(text) + 1);
  free(text); // allow(malloc): jansson's
  return rc;
}

hg_status hg_quality_parse(const char *json, hg_quality *quality)
{
  json_error_t error;
  json_int_t cut = 0, volume = 0, halo_max = 0, halo_min = 0, peak = 0, before = 0, after = 0;
  const char *order = "";
  hg_quality q = {0};
  json_t *object = json_loads(json ? json : "", 0, &error);
  if (!object) return hg_fail(HG_ERR_INPUT, "figures of the partition: %s", error.text);
  int failed = json_unpack_ex(
      object, &error, 0, "{s:i, s:I, s:I, s:I, s:I, s:F, s:F, s:F, s:F, s:F, s:I, s?s, s?F, s?I, s?I}", "parts",
      &q.n_parts, "edge_cut", &cut, "volume", &volume, "halo_max", &halo_max, "halo_min", &halo_min,
      "interior_fraction", &q.interior_fraction, "node_imbalance", &q.node_imbalance, "edge_imbalance",
      &q.edge_imbalance, "label_imbalance", &q.label_imbalance, "seconds", &q.seconds, "peak_bytes", &peak, "order",
      &order, "reorder_seconds", &q.reorder_seconds, "fetches_before", &before, "fetches_after", &after);
  snprintf(q.order, sizeof q.order, "%s", failed ? "" : order);
  if (!failed) get_rows(object, &q);
  if (failed) {
    json_decref(object);
    return hg_fail(HG_ERR_INPUT, "figures of the partition: %s", error.text);
  }
  q.edge_cut = cut;
  q.volume = volume;
  q.halo_max = halo_max;
  q.halo_min = halo_min;
  q.fetches_before = before;
  q.fetches_after = after;
  q.peak_bytes = peak > 0 ? (size_t)peak : 0;
  get_refined(object, &q);
  q.active_imbalance = json_real_value(json_object_get(object, "active_imbalance"));
  json_decref(object);
  *quality = q;
  return HG_OK;
}

// Fitted to METIS 5.1.0 (CPU time of one core, growth of the resident set) on csbm of 2.3 M edges and rmat of 2.6 M,
// both of 169,343 nodes, and a grid of 10^6 nodes. Memory: 62 to 68 bytes an edge on the first two, whose coarse graphs
// stay large, and 43 on the grid. The volume refinement costs about edges x k where parts are hard to tell apart (csbm:
// 2.0 s, 8.8 s, 20.7 s for k = 2, 8, 16) and little on a grid.
void hg_partition_predict(hg_off n, hg_off m, hg_off data_bytes, int k, const hg_partition_options *options,
                          size_t *bytes, double *seconds)
{
  double nodes = (double)n, edges = (double)m, levels = log2(k), program = 16 << 20;
  double graph = 8 * nodes + 4 * edges + (double)data_bytes;
  double peak = graph + 8 * nodes + 4 * edges + 20 * nodes; // the graph, its edges in their new order, order and groups
  double time = 5e-8 * (nodes + edges);
  if (strcmp(options->method, "metis") == 0 && k > 1) {
    peak = fmax(peak, graph + 16 * nodes + 64 * edges);
    time += 3e-7 * edges * (1 + 0.2 * levels); // k-way, edge cut
    if (k <= 8) time += 2e-7 * edges * levels; // recursive bisection
    bool refined = edges * k > 1e8 && hg_partition_refines(options);
    if (options->objective == HG_OBJECTIVE_VOLUME && !refined) time += 3e-7 * edges * k; // k-way, volume
  }
  if (strcmp(options->method, "ldg") == 0 && k > 1) time += 3e-7 * edges; // 10 to 20 passes
  if (hg_partition_refines(options) && k > 1) time += 4e-8 * edges * fmin(k, 1 + edges / (nodes + 1));
  *bytes = (size_t)(peak + program);
  *seconds = time;
}
