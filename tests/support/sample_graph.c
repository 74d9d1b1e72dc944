#include "tests/support/sample_graph.h"

#include <criterion/criterion.h>
#include <math.h>
#include <string.h>

#include "core/base/alloc.h"
#include "core/base/rng.h"

enum { DRAW_EDGE, DRAW_FEATURE, DRAW_LABEL, DRAW_SPLIT, DRAW_POSITION };

sample sample_default(uint64_t seed)
{
  return (sample){.n = 60,
                  .density = 0.1,
                  .seed = seed,
                  .width = 5,
                  .n_dims = 2,
                  .task = HG_TASK_CLASSES,
                  .n_classes = 4,
                  .split = true};
}

static double draw(uint64_t seed, uint64_t a, uint32_t b)
{
  return hg_rng_uniform((hg_rng){seed, HG_STREAM_TEST}, a, b);
}

static bool has_edge(const sample *what, hg_off i, hg_off j)
{
  if (i == j) return false;
  if (!what->directed && i < j) return has_edge(what, j, i);
  return draw(what->seed, (uint64_t)(i * what->n + j), DRAW_EDGE) < what->density;
}

static void make_edges(const sample *what, hg_csr *a)
{
  hg_off m = 0, n = what->n;
  a->n_rows = a->n_cols = n;
  cr_assert_eq(HG_ALLOC(a->indptr, n + 1, "row pointers"), HG_OK);
  for (hg_off i = 0; i < n; i++) {
    for (hg_off j = 0; j < n; j++) m += has_edge(what, i, j);
    a->indptr[i + 1] = m;
  }
  cr_assert_eq(HG_ALLOC(a->indices, m, "edges"), HG_OK);
  m = 0;
  for (hg_off i = 0; i < n; i++) {
    for (hg_off j = 0; j < n; j++) {
      if (has_edge(what, i, j)) a->indices[m++] = (hg_lid)j;
    }
  }
}

static void make_features(const sample *what, hg_features *x)
{
  hg_off n = what->n, entries = 0;
  x->width = what->width;
  if (what->width == 0) return;
  if (!what->sparse_features) {
    cr_assert_eq(HG_ALLOC(x->dense, n * x->width, "features"), HG_OK);
    for (hg_off e = 0; e < n * x->width; e++) x->dense[e] = (float)draw(what->seed, (uint64_t)e, DRAW_FEATURE) - 0.5f;
    return;
  }
  cr_assert_eq(HG_ALLOC(x->indptr, n + 1, "feature pointers"), HG_OK);
  cr_assert_eq(HG_ALLOC(x->indices, n * x->width, "feature indices"), HG_OK);
  cr_assert_eq(HG_ALLOC(x->values, n * x->width, "feature values"), HG_OK);
  for (hg_off e = 0; e < n * x->width; e++) {
    double u = draw(what->seed, (uint64_t)e, DRAW_FEATURE);
    if (u < 0.3) {
      x->indices[entries] = (int32_t)(e % x->width);
      x->values[entries++] = (float)u;
    }
    x->indptr[e / x->width + 1] = entries;
  }
}

static void make_labels(const sample *what, hg_nodes *nodes)
{
  hg_off n = what->n, bytes = hg_label_bytes(what->n_classes);
  int classes = nodes->n_classes = what->n_classes;
  nodes->task = what->task;
  if (what->task == HG_TASK_CLASSES) cr_assert_eq(HG_ALLOC(nodes->labels, n, "labels"), HG_OK);
  if (what->task == HG_TASK_MULTILABEL) cr_assert_eq(HG_ALLOC(nodes->label_bits, n * bytes, "label bits"), HG_OK);
  if (what->task == HG_TASK_REGRESSION) cr_assert_eq(HG_ALLOC(nodes->targets, n * classes, "targets"), HG_OK);
  for (hg_off e = 0; what->task != HG_TASK_NONE && e < n * classes; e++) {
    double u = draw(what->seed, (uint64_t)e, DRAW_LABEL);
    hg_off i = e / classes, k = e % classes;
    if (nodes->labels) nodes->labels[i] = (int32_t)(u * (classes + 1)) - 1;
    if (nodes->label_bits) nodes->label_bits[i * bytes + k / 8] |= (uint8_t)((u < 0.3) << (k % 8));
    if (nodes->targets) nodes->targets[e] = u < 0.1 ? NAN : (float)u;
  }
}

static void make_rest(const sample *what, hg_nodes *nodes)
{
  hg_off n = what->n;
  if (what->split) cr_assert_eq(HG_ALLOC(nodes->split, n, "split"), HG_OK);
  for (hg_off i = 0; what->split && i < n; i++)
    nodes->split[i] = (uint8_t)(4 * draw(what->seed, (uint64_t)i, DRAW_SPLIT));
  nodes->n_dims = what->n_dims;
  if (what->n_dims > 0) cr_assert_eq(HG_ALLOC(nodes->positions, n * what->n_dims, "positions"), HG_OK);
  for (hg_off e = 0; e < n * what->n_dims; e++)
    nodes->positions[e] = (float)draw(what->seed, (uint64_t)e, DRAW_POSITION);
  cr_assert_eq(HG_ALLOC(nodes->original_ids, n, "original ids"), HG_OK);
  for (hg_off i = 0; i < n; i++) nodes->original_ids[i] = 1000000000000 + 7 * i;
}

hg_graph sample_graph(sample what)
{
  hg_graph graph = {.symmetric = !what.directed, .nodes.n = what.n};
  make_edges(&what, &graph.adjacency);
  make_features(&what, &graph.nodes.features);
  make_labels(&what, &graph.nodes);
  make_rest(&what, &graph.nodes);
  return graph;
}

static bool same(const void *a, const void *b, hg_off count, size_t size)
{
  if (!a || !b) return a == b;
  return memcmp(a, b, (size_t)count * size) == 0;
}

static const char *features_difference(const hg_features *a, const hg_features *b, hg_off n)
{
  if (a->width != b->width) return "feature width";
  if (!same(a->dense, b->dense, n * a->width, sizeof *a->dense)) return "dense features";
  if (!same(a->indptr, b->indptr, n + 1, sizeof *a->indptr)) return "feature pointers";
  hg_off entries = a->indptr ? a->indptr[n] : 0;
  if (!same(a->indices, b->indices, entries, sizeof *a->indices)) return "feature indices";
  return same(a->values, b->values, entries, sizeof *a->values) ? NULL : "feature values";
}

const char *graph_difference(const hg_graph *a, const hg_graph *b)
{
  const hg_nodes *x = &a->nodes, *y = &b->nodes;
  hg_off n = x->n;
  if (n != y->n || a->adjacency.n_rows != b->adjacency.n_rows || a->adjacency.n_cols != b->adjacency.n_cols)
    return "nodes";
  if (a->symmetric != b->symmetric) return "symmetric";
  if (!same(a->adjacency.indptr, b->adjacency.indptr, n + 1, sizeof(hg_off))) return "row pointers";
  if (!same(a->adjacency.indices, b->adjacency.indices, a->adjacency.indptr[n], sizeof(hg_lid))) return "edges";
  if (x->task != y->task || x->n_classes != y->n_classes || x->n_dims != y->n_dims)
    return "task, classes or dimensions";
  if (!same(x->labels, y->labels, n, sizeof *x->labels)) return "labels";
  if (!same(x->label_bits, y->label_bits, n * hg_label_bytes(x->n_classes), 1)) return "label bits";
  if (!same(x->targets, y->targets, n * x->n_classes, sizeof *x->targets)) return "targets";
  if (!same(x->split, y->split, n, 1)) return "split";
  if (!same(x->positions, y->positions, n * x->n_dims, sizeof *x->positions)) return "positions";
  if (!same(x->original_ids, y->original_ids, n, sizeof *x->original_ids)) return "original ids";
  return features_difference(&x->features, &y->features, n);
}

const char *collection_difference(const hg_collection *a, const hg_collection *b)
{
  const hg_graph x = {.adjacency = {.n_rows = a->n_graphs, .indptr = a->graph_ptr}, .nodes = a->items},
                 y = {.adjacency = {.n_rows = b->n_graphs, .indptr = b->graph_ptr}, .nodes = b->items};
  if (a->n_graphs != b->n_graphs) return "graphs";
  const char *outside = graph_difference(&x, &y);
  return outside ? outside : graph_difference(&a->united, &b->united);
}

// The halo of part p: columns of its rows that it does not own, ascending; returns how many and writes them when `ids`
// is there.
static hg_off halo_of(const hg_graph *graph, const hg_parts_index *index, int p, hg_gid *ids)
{
  hg_off count = 0, n = graph->nodes.n, from = index->offsets[p], to = index->offsets[p + 1];
  const hg_csr *a = &graph->adjacency;
  for (hg_gid j = 0; j < n; j++) {
    bool needed = false;
    for (hg_off e = a->indptr[from]; e < a->indptr[to] && (j < from || j >= to); e++) needed |= a->indices[e] == j;
    if (needed && ids) ids[count] = j;
    count += needed;
  }
  return count;
}

hg_parts_index sample_parts(const hg_graph *graph, int n_parts)
{
  hg_parts_index index = {.n_parts = n_parts, .fingerprint = 0xfeedfacecafebeefu, .recipe = "block k=3"};
  const char *quality = "{\"edge_cut\": 17, \"volume\": 9}";
  cr_assert_eq(HG_ALLOC(index.offsets, n_parts + 1, "offsets"), HG_OK);
  cr_assert_eq(HG_ALLOC(index.n_interior, n_parts, "interior"), HG_OK);
  cr_assert_eq(HG_ALLOC(index.halo_offsets, n_parts + 1, "halo offsets"), HG_OK);
  cr_assert_eq(HG_ALLOC(index.quality_json, strlen(quality) + 1, "quality"), HG_OK);
  memcpy(index.quality_json, quality, strlen(quality));
  for (int p = 0; p <= n_parts; p++) index.offsets[p] = graph->nodes.n * p / n_parts;
  for (int p = 0; p < n_parts; p++) index.halo_offsets[p + 1] = index.halo_offsets[p] + halo_of(graph, &index, p, NULL);
  cr_assert_eq(HG_ALLOC(index.halo_ids, index.halo_offsets[n_parts], "halo ids"), HG_OK);
  for (int p = 0; p < n_parts; p++) halo_of(graph, &index, p, index.halo_ids + index.halo_offsets[p]);
  return index;
}
