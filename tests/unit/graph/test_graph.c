#include <criterion/criterion.h>
#include <math.h>
#include <string.h>

#include "core/base/alloc.h"
#include "core/base/rng.h"
#include "core/graph/graph.h"
#include "tests/support/sample_graph.h"

static void shuffle(hg_lid *order, hg_off n, uint64_t seed)
{
  hg_rng rng = {seed, HG_STREAM_TEST};
  for (hg_off i = 0; i < n; i++) order[i] = (hg_lid)i;
  for (hg_off i = n - 1; i > 0; i--) {
    hg_off k = (hg_off)hg_rng_below(rng, (uint64_t)i, 99, (uint64_t)i + 1);
    hg_lid was = order[i];
    order[i] = order[k], order[k] = was;
  }
}

static sample random_sample(uint64_t seed)
{
  sample what = sample_default(seed);
  what.n = (hg_off[]){0, 1, 2, 17, 61}[seed % 5];
  what.density = (double[]){0, 0.05, 0.4, 1}[seed % 4];
  what.directed = seed % 3 == 0;
  what.sparse_features = seed % 2 == 0;
  what.task = (hg_task)(seed % 4);
  what.n_classes = what.task == HG_TASK_NONE ? 0 : (int[]){1, 8, 9, 23}[seed % 4];
  what.split = seed % 7 != 0;
  what.n_dims = (int)(seed % 4);
  return what;
}

Test(graph, random_graphs_keep_all_invariants)
{
  for (uint64_t seed = 0; seed < 60; seed++) {
    hg_graph graph = sample_graph(random_sample(seed));
    cr_expect_eq(hg_graph_check(&graph), HG_OK, "seed %d: %s", (int)seed, hg_error_text());
    hg_graph_free(&graph);
  }
}

Test(graph, permuting_there_and_back_is_the_identity)
{
  for (uint64_t seed = 0; seed < 60; seed++) {
    hg_graph graph = sample_graph(random_sample(seed)), there = {0}, back = {0};
    hg_lid order[64] = {0}, inverse[64] = {0};
    shuffle(order, graph.nodes.n, seed);
    for (hg_off i = 0; i < graph.nodes.n; i++) inverse[order[i]] = (hg_lid)i;
    cr_assert_eq(hg_graph_permute(&there, &graph, order), HG_OK, "seed %d: %s", (int)seed, hg_error_text());
    cr_expect_eq(hg_graph_check(&there), HG_OK, "seed %d: %s", (int)seed, hg_error_text());
    cr_assert_eq(hg_graph_permute(&back, &there, inverse), HG_OK, "seed %d: %s", (int)seed, hg_error_text());
    const char *difference = graph_difference(&graph, &back);
    cr_expect_null(difference, "seed %d: %s differ", (int)seed, difference);
    cr_assert_eq(hg_graph_reorder(&back, order), HG_OK, "seed %d: %s", (int)seed, hg_error_text());
    difference = graph_difference(&there, &back);
    cr_expect_null(difference, "seed %d: in place %s differ", (int)seed, difference);
    hg_graph_free(&graph), hg_graph_free(&there), hg_graph_free(&back);
  }
}

static bool joined(const hg_csr *a, hg_lid i, hg_lid j)
{
  for (hg_off e = a->indptr[i]; e < a->indptr[i + 1]; e++) {
    if (a->indices[e] == j) return true;
  }
  return false;
}

Test(graph, permuting_moves_edges_and_data_with_their_nodes)
{
  sample what = sample_default(4);
  what.directed = true;
  hg_graph graph = sample_graph(what), moved = {0};
  hg_lid order[64];
  shuffle(order, graph.nodes.n, 4);
  cr_assert_eq(hg_graph_permute(&moved, &graph, order), HG_OK);
  for (hg_lid i = 0; i < graph.nodes.n; i++) {
    cr_expect_eq(moved.nodes.labels[i], graph.nodes.labels[order[i]]);
    cr_expect_eq(moved.nodes.original_ids[i], graph.nodes.original_ids[order[i]]);
    cr_expect_eq(moved.nodes.features.dense[5 * i + 3], graph.nodes.features.dense[5 * order[i] + 3]);
    for (hg_lid j = 0; j < graph.nodes.n; j++)
      cr_assert_eq(joined(&moved.adjacency, i, j), joined(&graph.adjacency, order[i], order[j]), "edge %d -> %d", j, i);
  }
  hg_graph_free(&graph), hg_graph_free(&moved);
}

Test(graph, permute_refuses_what_is_no_permutation)
{
  hg_graph graph = sample_graph(sample_default(5)), moved = {0};
  hg_lid order[64];
  shuffle(order, graph.nodes.n, 5);
  order[7] = order[8];
  cr_expect_eq(hg_graph_permute(&moved, &graph, order), HG_ERR_INTERNAL);
  order[7] = 60;
  cr_expect_eq(hg_graph_permute(&moved, &graph, order), HG_ERR_INTERNAL);
  cr_expect_null(moved.adjacency.indptr);
  hg_graph same = sample_graph(sample_default(5));
  cr_expect_eq(hg_graph_reorder(&graph, order), HG_ERR_INTERNAL);
  cr_expect_null(graph_difference(&graph, &same), "what failed changed the graph");
  hg_graph_free(&same);
  hg_graph_free(&graph);
}

Test(graph, permute_refuses_a_graph_that_only_claims_to_be_symmetric)
{
  sample what = sample_default(6);
  what.directed = true;
  hg_graph graph = sample_graph(what), moved = {0};
  hg_lid order[64];
  shuffle(order, graph.nodes.n, 6);
  graph.symmetric = true;
  cr_expect_eq(hg_graph_permute(&moved, &graph, order), HG_ERR_INTERNAL);
  hg_graph_free(&graph);
}

Test(graph, symmetry_is_found_and_each_missing_reverse_too)
{
  for (uint64_t seed = 0; seed < 40; seed++) {
    sample what = random_sample(seed);
    hg_graph graph = sample_graph(what);
    bool expected = true, found;
    for (hg_lid i = 0; i < what.n; i++) {
      for (hg_lid j = 0; j < what.n; j++) expected &= joined(&graph.adjacency, i, j) == joined(&graph.adjacency, j, i);
    }
    cr_assert_eq(hg_graph_is_symmetric(&graph, &found), HG_OK);
    cr_expect_eq(found, expected, "seed %d", (int)seed);
    hg_graph_free(&graph);
  }
}

Test(graph, positions_follow_the_features_when_appended)
{
  for (uint64_t seed = 0; seed < 60; seed++) {
    sample what = random_sample(seed);
    what.sparse_features = false;
    what.n_dims = 1 + (int)(seed % 3);
    hg_graph graph = sample_graph(what), kept = sample_graph(what);
    const hg_nodes *was = &kept.nodes;
    int width = what.width + what.n_dims;
    cr_assert_eq(hg_nodes_append_positions(&graph.nodes), HG_OK, "seed %d: %s", (int)seed, hg_error_text());
    cr_assert_eq(graph.nodes.features.width, width, "seed %d", (int)seed);
    for (hg_off i = 0; i < what.n; i++)
      for (int k = 0; k < width; k++) {
        float expected =
            k < what.width ? was->features.dense[i * what.width + k] : was->positions[i * what.n_dims + k - what.width];
        cr_assert_eq(graph.nodes.features.dense[i * width + k], expected, "seed %d, node %d", (int)seed, (int)i);
      }
    cr_expect_eq(hg_graph_check(&graph), HG_OK, "seed %d: %s", (int)seed, hg_error_text());
    hg_graph_free(&graph), hg_graph_free(&kept);
  }
}

Test(graph, positions_are_features_where_there_are_no_others)
{
  hg_graph graph = sample_graph(sample_default(3));
  hg_features_free(&graph.nodes.features);
  graph.nodes.features.width = 0;
  cr_assert_eq(hg_nodes_append_positions(&graph.nodes), HG_OK, "%s", hg_error_text());
  cr_expect_eq(graph.nodes.features.width, 2);
  cr_expect_arr_eq(graph.nodes.features.dense, graph.nodes.positions, (size_t)graph.nodes.n * 2 * sizeof(float));
  hg_graph_free(&graph);
}

Test(graph, positions_are_appended_to_dense_features_alone)
{
  sample what = sample_default(3);
  what.sparse_features = true;
  hg_graph sparse = sample_graph(what);
  cr_expect_eq(hg_nodes_append_positions(&sparse.nodes), HG_ERR_INPUT);
  cr_expect_str_eq(hg_error_text(), "found sparse features, expected dense ones, or none, to append positions to");
  cr_expect_eq(sparse.nodes.features.width, 5);
  what.n_dims = 0;
  hg_graph nowhere = sample_graph(what);
  cr_expect_eq(hg_nodes_append_positions(&nowhere.nodes), HG_ERR_INPUT);
  cr_expect_str_eq(hg_error_text(), "found no positions, expected some to append to the features");
  hg_graph_free(&sparse), hg_graph_free(&nowhere);
}

Test(graph, fingerprint_sees_a_change_in_each_array)
{
  hg_graph graph = sample_graph(sample_default(8));
  const uint64_t was = hg_graph_fingerprint(&graph);
  cr_expect_eq(hg_graph_fingerprint(&graph), was);
  unsigned char *arrays[] = {(unsigned char *)(graph.adjacency.indices + 3),
                             (unsigned char *)(graph.adjacency.indptr + 5),
                             (unsigned char *)graph.nodes.features.dense,
                             (unsigned char *)(graph.nodes.labels + 59),
                             graph.nodes.split + 59,
                             (unsigned char *)graph.nodes.positions,
                             (unsigned char *)graph.nodes.original_ids};
  for (size_t k = 0; k < sizeof arrays / sizeof *arrays; k++) {
    *arrays[k] ^= 1;
    cr_expect_neq(hg_graph_fingerprint(&graph), was, "array %zu", k);
    *arrays[k] ^= 1;
  }
  graph.nodes.n_classes++;
  cr_expect_neq(hg_graph_fingerprint(&graph), was);
  hg_graph_free(&graph);
}

Test(graph, fingerprint_never_changes_its_meaning)
{
  sample what = sample_default(9);
  what.n = 3, what.density = 1, what.width = 0, what.task = HG_TASK_NONE, what.n_classes = 0, what.split = false,
  what.n_dims = 0;
  hg_graph graph = sample_graph(what);
  cr_expect_eq(hg_graph_fingerprint(&graph), 0xc63267f0aef103cdu,
               "parts files on disk would no longer be recognised: %llx",
               (unsigned long long)hg_graph_fingerprint(&graph));
  hg_graph_free(&graph);
}

Test(graph, bytes_are_those_that_were_allocated)
{
  for (uint64_t seed = 1; seed < 12; seed += 2) { // dense features: the sparse sample reserves more than it fills
    size_t before = hg_alloc_bytes();
    hg_graph graph = sample_graph(random_sample(seed));
    cr_expect_eq(hg_graph_bytes(&graph), hg_alloc_bytes() - before, "seed %d", (int)seed);
    hg_graph_free(&graph);
    cr_expect_eq(hg_alloc_bytes(), before, "seed %d: leaked", (int)seed);
  }
}

static void edge_too_far(hg_graph *g) { g->adjacency.indices[g->adjacency.indptr[3]] = 60; }
static void edge_negative(hg_graph *g) { g->adjacency.indices[g->adjacency.indptr[3]] = -1; }
static void edge_to_itself(hg_graph *g) { g->adjacency.indices[g->adjacency.indptr[3]] = 3; }
static void edge_twice(hg_graph *g)
{
  g->adjacency.indices[g->adjacency.indptr[3] + 1] = g->adjacency.indices[g->adjacency.indptr[3]];
}
static void pointer_falls(hg_graph *g) { g->adjacency.indptr[5] = g->adjacency.indptr[4] - 2; }
static void pointer_starts_late(hg_graph *g) { g->adjacency.indptr[0] = 1; }
static void feature_nan(hg_graph *g) { g->nodes.features.dense[5 * 11 + 2] = NAN; }
static void feature_infinite(hg_graph *g) { g->nodes.features.dense[5 * 59 + 4] = INFINITY; }
static void features_gone(hg_graph *g) { hg_free(&g->nodes.features.dense); }
static void label_too_large(hg_graph *g) { g->nodes.labels[40] = 4; }
static void label_too_small(hg_graph *g) { g->nodes.labels[0] = -2; }
static void labels_gone(hg_graph *g) { g->nodes.task = HG_TASK_NONE; }
static void split_unknown(hg_graph *g) { g->nodes.split[2] = 4; }
static void position_nan(hg_graph *g) { g->nodes.positions[2 * 7 + 1] = NAN; }
static void ids_gone(hg_graph *g) { hg_free(&g->nodes.original_ids); }
static void no_class(hg_graph *g) { g->nodes.n_classes = 0; }
static void not_square(hg_graph *g) { g->adjacency.n_cols = 61; }
static void one_node_more(hg_graph *g) { g->nodes.n = 61; }

Test(graph, check_names_the_node_and_the_rule)
{
  static const struct {
    void (*damage)(hg_graph *);
    const char *message;
  } cases[] = {
      {edge_too_far, "node 3: in-neighbour 60 is outside 0..59"},
      {edge_negative, "node 3: in-neighbour -1 is outside 0..59"},
      {edge_to_itself, "node 3 has a self-loop"},
      {edge_twice, "node 3: in-neighbour "},
      {pointer_falls, "edges: the row pointer of node 4 falls from "},
      {pointer_starts_late, "edges start at 1, expected 0"},
      {feature_nan, "node 11: feature 2 is nan, expected a finite number"},
      {feature_infinite, "node 59: feature 4 is inf, expected a finite number"},
      {features_gone, "features are missing, expected dense or sparse"},
      {label_too_large, "node 40: label 4 is outside -1..3"},
      {label_too_small, "node 0: label -2 is outside -1..3"},
      {labels_gone, "the labels that are there do not fit the task 0"},
      {split_unknown, "node 2: split 4 is outside 0..3"},
      {position_nan, "node 7: position 1 is nan, expected a finite number"},
      {ids_gone, "the nodes have no original ids"},
      {no_class, "there are 0 classes, expected at least 1"},
      {not_square, "the adjacency is 60 x 61, expected a square"},
      {one_node_more, "60 rows of edges for 61 nodes"},
  };
  for (size_t k = 0; k < sizeof cases / sizeof *cases; k++) {
    sample what = sample_default(10);
    what.density = 0.3;
    hg_graph graph = sample_graph(what);
    cases[k].damage(&graph);
    cr_expect_eq(hg_graph_check(&graph), HG_ERR_INPUT, "%s", cases[k].message);
    cr_expect_eq(strncmp(hg_error_text(), cases[k].message, strlen(cases[k].message)), 0, "found '%s', expected '%s'",
                 hg_error_text(), cases[k].message);
    hg_graph_free(&graph);
  }
}

Test(graph, check_finds_a_lie_about_symmetry_and_bits_beyond_the_labels)
{
  sample what = sample_default(12);
  what.directed = true, what.task = HG_TASK_MULTILABEL, what.n_classes = 11;
  hg_graph graph = sample_graph(what);
  graph.symmetric = true;
  cr_expect_eq(hg_graph_check(&graph), HG_ERR_INPUT);
  cr_expect_str_eq(hg_error_text(), "the graph is marked symmetric and has an edge without its reverse");
  graph.symmetric = false;
  cr_expect_eq(hg_graph_check(&graph), HG_OK);
  graph.nodes.label_bits[2 * 6 + 1] |= 0x08;
  cr_expect_eq(hg_graph_check(&graph), HG_ERR_INPUT);
  cr_expect_str_eq(hg_error_text(), "node 6: a label bit beyond label 10 is set");
  hg_graph_free(&graph);
}

Test(graph, check_of_sparse_features_names_the_entry)
{
  sample what = sample_default(13);
  what.sparse_features = true, what.width = 40;
  hg_graph graph = sample_graph(what);
  hg_features *x = &graph.nodes.features;
  hg_off e = x->indptr[9];
  int32_t was = x->indices[e];
  x->indices[e] = 40;
  cr_expect_eq(hg_graph_check(&graph), HG_ERR_INPUT);
  cr_expect_str_eq(hg_error_text(), "node 9: feature 40 is outside 0..39");
  x->indices[e] = x->indices[e + 1];
  cr_expect_eq(hg_graph_check(&graph), HG_ERR_INPUT);
  cr_expect(strstr(hg_error_text(), "expected ascending order"), "%s", hg_error_text());
  x->indices[e] = was;
  x->values[e] = NAN;
  cr_expect_eq(hg_graph_check(&graph), HG_ERR_INPUT);
  cr_expect(strstr(hg_error_text(), " is nan, expected a finite number"), "%s", hg_error_text());
  hg_graph_free(&graph);
}

Test(graph, dense_features_are_the_sparse_ones_with_their_zeros)
{
  sample what = sample_default(9);
  what.sparse_features = true;
  what.width = 37;
  hg_graph g = sample_graph(what), other = sample_graph(what);
  hg_features *f = &g.nodes.features, *sparse = &other.nodes.features;
  cr_assert_eq(hg_features_densify(f, g.nodes.n), HG_OK);
  cr_assert(f->dense && !f->indptr && !f->indices && !f->values && f->width == 37);
  for (hg_off i = 0; i < g.nodes.n; i++) {
    hg_off e = sparse->indptr[i];
    for (int k = 0; k < 37; k++) {
      bool here = e < sparse->indptr[i + 1] && sparse->indices[e] == k;
      cr_assert_eq(f->dense[i * 37 + k], here ? sparse->values[e] : 0);
      e += here;
    }
  }
  const float *before = f->dense;
  cr_expect(hg_features_densify(f, g.nodes.n) == HG_OK && f->dense == before, "dense ones stay");
  hg_graph_free(&g);
  hg_graph_free(&other);
}
