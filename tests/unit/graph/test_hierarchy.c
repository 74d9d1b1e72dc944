#include "core/graph/hierarchy.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "core/base/alloc.h"
#include "core/base/threads.h"
#include "core/tensor/row_blocks.h"
#include "tests/support/close.h"
#include "tests/support/sample_collection.h"

enum { MOST = 20 };

// one graph by hand: `edges` are pairs source, target
static hg_collection by_hand(hg_off n, int n_dims, const float *positions, int n_edges, const int (*edges)[2],
                             bool directed)
{
  hg_collection c = {.n_graphs = 1, .united.nodes = {.n = n, .n_dims = n_dims}, .united.symmetric = !directed};
  bool joined[MOST][MOST] = {{false}};
  hg_csr *a = &c.united.adjacency;
  hg_off entries = 0;
  for (int e = 0; e < n_edges; e++) {
    joined[edges[e][1]][edges[e][0]] = true;
    if (!directed) joined[edges[e][0]][edges[e][1]] = true;
  }
  cr_assert_eq(HG_ALLOC(c.graph_ptr, 2, "graph pointers"), HG_OK);
  cr_assert_eq(HG_ALLOC(c.united.nodes.positions, n * n_dims, "positions"), HG_OK);
  cr_assert_eq(hg_csr_create(a, n, n, n * n, false, "edges"), HG_OK);
  c.graph_ptr[1] = n;
  memcpy(c.united.nodes.positions, positions, (size_t)(n * n_dims) * sizeof *positions);
  for (hg_off i = 0; i < n; i++) {
    for (hg_off j = 0; j < n; j++)
      if (joined[i][j]) a->indices[entries++] = (hg_lid)j;
    a->indptr[i + 1] = entries;
  }
  return c;
}

static void expect_lists(const hg_csr *a, hg_off n, const char *expected, const char *what)
{
  char found[256] = "";
  cr_expect_eq(a->n_rows, n, "%s: %d rows", what, (int)a->n_rows);
  for (hg_off i = 0; i < a->n_rows; i++) {
    if (i > 0) strncat(found, "|", sizeof found - strlen(found) - 1);
    for (hg_off e = a->indptr[i]; e < a->indptr[i + 1]; e++)
      snprintf(found + strlen(found), sizeof found - strlen(found), "%s%d", e > a->indptr[i] ? " " : "", a->indices[e]);
  }
  cr_expect_str_eq(found, expected, "%s: %s, expected %s", what, found, expected);
}

static void expect_clusters(const hg_collection *c, hg_pairing pairing, hg_off n, const char *members,
                            const char *edges)
{
  hg_hierarchy h;
  cr_assert_eq(hg_hierarchy_create(&h, c, 1, pairing, 1), HG_OK, "%s", hg_error_text());
  expect_lists(&h.levels[1].members, n, members, "members");
  expect_lists(&h.levels[1].adjacency, n, edges, "edges");
  hg_hierarchy_free(&h);
}

static const int four_edges[][2] = {{0, 1}, {0, 2}, {2, 3}};
static const float four_places[] = {0, 1, -3, -4};

Test(hierarchy, far_neighbours_pair_first_by_distance_and_near_ones_by_similarity)
{
  hg_collection c = by_hand(4, 1, four_places, 3, four_edges, false);
  expect_clusters(&c, HG_PAIRING_DISTANCE, 3, "0 2|1|3", "1 2|0|0");
  expect_clusters(&c, HG_PAIRING_SIMILARITY, 2, "0 1|2 3", "1|0");
  hg_collection_free(&c);
}

Test(hierarchy, coarser_levels_are_made_of_coarser_positions_and_end_in_one_node)
{
  hg_collection c = by_hand(4, 1, four_places, 3, four_edges, false);
  hg_hierarchy h;
  cr_assert_eq(hg_hierarchy_create(&h, &c, 4, HG_PAIRING_DISTANCE, 2), HG_OK);
  cr_assert_eq(h.n_levels, 5);
  expect_lists(&h.levels[2].members, 2, "0 1|2", "members of level 2");
  expect_lists(&h.levels[3].members, 1, "0 1", "members of level 3");
  expect_lists(&h.levels[3].adjacency, 1, "", "edges of level 3");
  expect_lists(&h.levels[4].members, 1, "0", "members of level 4");
  expect_close(h.levels[0].positions, (const hg_real[]){0, 2, -6, -8}, 4, 0, "level 0, times 2");
  expect_close(h.levels[1].positions, (const hg_real[]){-3, 2, -8}, 3, 0, "level 1, times 2");
  expect_close(h.levels[2].positions, (const hg_real[]){-0.5, -8}, 2, 0, "level 2, times 2");
  expect_close(h.levels[4].positions, (const hg_real[]){-4.25}, 1, 0, "level 4, times 2");
  cr_expect_eq(h.levels[0].adjacency.indices, c.united.adjacency.indices, "the collection's edges are not copied");
  hg_hierarchy_free(&h);
  hg_collection_free(&c);
}

Test(hierarchy, neighbours_of_small_degree_pair_first_and_then_those_of_low_number)
{
  const int edges[][2] = {{0, 1}, {0, 2}, {1, 3}, {1, 4}};
  const float places[] = {0, 0, 1, 0, -1, 0, 2, 0, 1, 1};
  hg_collection c = by_hand(5, 2, places, 4, edges, false);
  expect_clusters(&c, HG_PAIRING_DISTANCE, 3, "0 2|1 3|4", "1|0 2|1");
  expect_clusters(&c, HG_PAIRING_SIMILARITY, 3, "0 2|1 3|4", "1|0 2|1");
  hg_collection_free(&c);
}

Test(hierarchy, coinciding_nodes_are_the_most_similar)
{
  const int edges[][2] = {{0, 1}, {0, 2}, {0, 3}, {2, 4}};
  const float places[] = {0, 1e-30f, 0, 0, 5};
  hg_collection c = by_hand(5, 1, places, 4, edges, false);
  expect_clusters(&c, HG_PAIRING_SIMILARITY, 3, "0 3|1|2 4", "1 2|0|0");
  expect_clusters(&c, HG_PAIRING_DISTANCE, 3, "0 1|2 4|3", "1 2|0|0");
  memset(c.united.nodes.positions, 0, 5 * sizeof(float));
  expect_clusters(&c, HG_PAIRING_DISTANCE, 3, "0 1|2 4|3", "1 2|0|0");
  expect_clusters(&c, HG_PAIRING_SIMILARITY, 3, "0 1|2 4|3", "1 2|0|0");
  hg_collection_free(&c);
}

Test(hierarchy, both_directions_make_neighbours_and_edges_keep_theirs)
{
  const int edges[][2] = {{1, 0}, {0, 2}, {2, 0}, {3, 2}};
  const float places[] = {0, 1, 5, 5.5f};
  hg_collection c = by_hand(4, 1, places, 4, edges, true);
  hg_hierarchy h;
  cr_assert_eq(hg_hierarchy_create(&h, &c, 1, HG_PAIRING_DISTANCE, 1), HG_OK);
  expect_lists(&h.levels[0].transposed, 4, "2|0|0|2", "reversed edges of level 0");
  expect_lists(&h.levels[1].members, 3, "0 2|1|3", "members");
  expect_lists(&h.levels[1].adjacency, 3, "1 2||", "edges");
  expect_lists(&h.levels[1].transposed, 3, "|0|0", "reversed edges");
  hg_hierarchy_free(&h);
  hg_collection_free(&c);
}

// What a level is by the definition: one graph as a matrix, places in double.
typedef struct {
  int n, dims;
  bool edge[MOST][MOST]; // [i][j]: j -> i
  double place[MOST][3];
} naive_graph;

static double naive_weight(const naive_graph *g, int i, int j, hg_pairing pairing)
{
  double square = 0;
  int degree_i = 0, degree_j = 0;
  for (int d = 0; d < g->dims; d++) square += pow(g->place[j][d] - g->place[i][d], 2);
  for (int k = 0; k < g->n; k++) {
    degree_i += g->edge[i][k] || g->edge[k][i];
    degree_j += g->edge[j][k] || g->edge[k][j];
  }
  double cut = 1.0 / degree_i + 1.0 / degree_j, length = sqrt(square);
  if (pairing == HG_PAIRING_DISTANCE) return length * cut;
  return length > 0 ? cut / length : 1e100 * cut;
}

// fills `cluster` of g's nodes; returns the coarser graph
static naive_graph naive_coarsen(const naive_graph *g, hg_pairing pairing, int *cluster)
{
  naive_graph coarse = {.dims = g->dims};
  int size[MOST] = {0};
  for (int i = 0; i < g->n; i++) cluster[i] = -1;
  for (int i = 0; i < g->n; i++) {
    int best = -1;
    if (cluster[i] >= 0) continue;
    for (int j = 0; j < g->n; j++) {
      if (cluster[j] >= 0 || j == i || !(g->edge[i][j] || g->edge[j][i])) continue;
      if (best < 0 || naive_weight(g, i, j, pairing) > naive_weight(g, i, best, pairing)) best = j;
    }
    cluster[i] = coarse.n;
    if (best >= 0) cluster[best] = coarse.n;
    coarse.n++;
  }
  for (int i = 0; i < g->n; i++) {
    size[cluster[i]]++;
    for (int d = 0; d < g->dims; d++) coarse.place[cluster[i]][d] += g->place[i][d];
    for (int j = 0; j < g->n; j++)
      if (g->edge[i][j] && cluster[i] != cluster[j]) coarse.edge[cluster[i]][cluster[j]] = true;
  }
  for (int k = 0; k < coarse.n; k++)
    for (int d = 0; d < g->dims; d++) coarse.place[k][d] /= size[k];
  return coarse;
}

static naive_graph naive_finest(const hg_collection *c, hg_off graph)
{
  hg_off first = c->graph_ptr[graph];
  naive_graph g = {.n = (int)(c->graph_ptr[graph + 1] - first), .dims = c->united.nodes.n_dims};
  for (int i = 0; i < g.n; i++) {
    for (int d = 0; d < g.dims; d++) g.place[i][d] = (double)c->united.nodes.positions[(first + i) * g.dims + d];
    for (hg_off e = c->united.adjacency.indptr[first + i]; e < c->united.adjacency.indptr[first + i + 1]; e++)
      g.edge[i][c->united.adjacency.indices[e] - first] = true;
  }
  return g;
}

static void expect_edges(const hg_csr *a, hg_off first, const naive_graph *g, bool transposed, const char *what)
{
  for (int i = 0; i < g->n; i++) {
    hg_off e = a->indptr[first + i];
    for (int j = 0; j < g->n; j++) {
      if (!(transposed ? g->edge[j][i] : g->edge[i][j])) continue;
      cr_assert(e < a->indptr[first + i + 1] && a->indices[e] == first + j, "%s: row %d lacks %d", what, i, j);
      e++;
    }
    cr_assert_eq(e, a->indptr[first + i + 1], "%s: row %d has too many edges", what, i);
  }
}

static void expect_level(const hg_level *level, const hg_level *fine, hg_off graph, const naive_graph *g,
                         const int *cluster, const char *what)
{
  hg_off first = level->graph_ptr[graph], fine_first = fine->graph_ptr[graph];
  cr_assert_eq(level->graph_ptr[graph + 1] - first, g->n, "%s: %d nodes, expected %d", what,
               (int)(level->graph_ptr[graph + 1] - first), g->n);
  expect_edges(&level->adjacency, first, g, false, what);
  if (level->transposed.indptr) expect_edges(&level->transposed, first, g, true, what);
  for (int k = 0; k < g->n; k++) {
    hg_off e = level->members.indptr[first + k];
    for (int i = 0; i < fine->graph_ptr[graph + 1] - fine_first; i++)
      if (cluster[i] == k) cr_assert_eq(level->members.indices[e++], fine_first + i, "%s: cluster %d", what, k);
    cr_assert_eq(e, level->members.indptr[first + k + 1], "%s: cluster %d has too many members", what, k);
    for (int d = 0; d < g->dims; d++) {
      double found = (double)level->positions[(first + k) * g->dims + d], expected = 3 * g->place[k][d];
      cr_assert(fabs(found - expected) < 1e-5, "%s: node %d at %g, expected %g", what, k, found, expected);
    }
  }
}

static void expect_as_naive(const hg_collection *c, hg_pairing pairing, uint64_t seed)
{
  hg_hierarchy h;
  cr_assert_eq(hg_hierarchy_create(&h, c, 3, pairing, 3), HG_OK, "%s", hg_error_text());
  for (hg_off graph = 0; graph < c->n_graphs; graph++) {
    naive_graph g = naive_finest(c, graph);
    for (int l = 1; l < h.n_levels; l++) {
      int cluster[MOST];
      char what[96];
      snprintf(what, sizeof what, "seed %d, graph %d, level %d", (int)seed, (int)graph, l);
      g = naive_coarsen(&g, pairing, cluster);
      expect_level(&h.levels[l], &h.levels[l - 1], graph, &g, cluster, what);
    }
  }
  for (int l = 0; l < h.n_levels; l++) {
    cr_expect_eq(hg_csr_check(&h.levels[l].adjacency), HG_OK, "%s", hg_error_text());
    cr_expect_eq(h.levels[l].graph_ptr[c->n_graphs], h.levels[l].n);
    cr_expect_eq(h.levels[l].adjacency.n_cols, h.levels[l].n);
    if (l > 0) cr_expect_eq(h.levels[l].members.n_cols, h.levels[l - 1].n);
  }
  hg_hierarchy_free(&h);
}

Test(hierarchy, random_collections_are_coarsened_as_the_definition_says)
{
  for (uint64_t seed = 0; seed < 24; seed++) {
    hg_collection c;
    cr_assert_eq(sample_collection(&c, 30, 0, 1 + (int)(seed % 3), HG_TASK_NONE, 0, seed), HG_OK);
    if (seed % 4 == 3) sample_collection_direct(&c, seed);
    cr_assert_eq(hg_collection_check(&c), HG_OK, "seed %d: %s", (int)seed, hg_error_text());
    expect_as_naive(&c, seed % 2 ? HG_PAIRING_SIMILARITY : HG_PAIRING_DISTANCE, seed);
    hg_collection_free(&c);
  }
}

// Clusters are of the unscaled positions: rounding must not tell equal edges apart.
Test(hierarchy, clusters_do_not_depend_on_the_scale)
{
  float places[2 * 16];
  int edges[24][2], n_edges = 0;
  for (int i = 0; i < 16; i++) {
    places[2 * i] = (float)(100 + i % 4);
    places[2 * i + 1] = (float)(200 + i / 4);
    if (i % 4 < 3) edges[n_edges][0] = i, edges[n_edges++][1] = i + 1;
    if (i / 4 < 3) edges[n_edges][0] = i, edges[n_edges++][1] = i + 4;
  }
  hg_collection c = by_hand(16, 2, places, n_edges, edges, false);
  const double scales[] = {1, 0.1, 1 / 3.0, 1e-20};
  for (int s = 0; s < 4; s++) {
    hg_hierarchy h;
    cr_assert_eq(hg_hierarchy_create(&h, &c, 2, HG_PAIRING_DISTANCE, scales[s]), HG_OK);
    expect_lists(&h.levels[1].members, 9, "0 1|2 3|4 8|5 6|7 11|9 13|10 14|12|15", "members");
    hg_hierarchy_free(&h);
  }
  hg_collection_free(&c);
}

static void expect_same_rows(const hg_csr *a, const hg_csr *b, const char *what)
{
  cr_assert_eq(a->n_rows, b->n_rows, "%s", what);
  if (!a->indptr || !b->indptr) return;
  cr_expect_arr_eq(a->indptr, b->indptr, (size_t)(a->n_rows + 1) * sizeof *a->indptr, "%s", what);
  cr_expect_arr_eq(a->indices, b->indices, (size_t)a->indptr[a->n_rows] * sizeof *a->indices, "%s", what);
}

Test(hierarchy, every_number_of_threads_gives_the_same_bits)
{
  for (uint64_t seed = 0; seed < 2; seed++) {
    hg_collection c;
    hg_hierarchy one, more;
    cr_assert_eq(sample_collection(&c, 3000, 0, 2, HG_TASK_NONE, 0, seed), HG_OK);
    if (seed) sample_collection_direct(&c, seed);
    cr_assert_gt(hg_csr_entries(&c.united.adjacency), HG_PARALLEL_FROM, "one thread would do it alone");
    hg_threads_set(1);
    double mean = hg_collection_mean_edge(&c);
    cr_assert_eq(hg_hierarchy_create(&one, &c, 3, HG_PAIRING_SIMILARITY, 1 / mean), HG_OK);
    hg_threads_set(5);
    cr_expect_eq(hg_collection_mean_edge(&c), mean);
    cr_assert_eq(hg_hierarchy_create(&more, &c, 3, HG_PAIRING_SIMILARITY, 1 / mean), HG_OK);
    for (int l = 0; l < one.n_levels; l++) {
      const hg_level *a = &one.levels[l], *b = &more.levels[l];
      expect_same_rows(&a->adjacency, &b->adjacency, "edges");
      expect_same_rows(&a->transposed, &b->transposed, "reversed edges");
      expect_same_rows(&a->members, &b->members, "members");
      cr_expect_arr_eq(a->positions, b->positions, (size_t)(a->n * a->n_dims) * sizeof *a->positions);
      cr_expect_arr_eq(a->graph_ptr, b->graph_ptr, (size_t)(c.n_graphs + 1) * sizeof *a->graph_ptr);
    }
    hg_hierarchy_free(&one);
    hg_hierarchy_free(&more);
    hg_collection_free(&c);
  }
}

Test(hierarchy, the_mean_edge_is_the_mean_of_all_edges)
{
  hg_collection c = by_hand(4, 1, four_places, 3, four_edges, false);
  expect_close(&(hg_real){(hg_real)hg_collection_mean_edge(&c)}, &(hg_real){(hg_real)(5.0 / 3)}, 1, 1e-7, "mean");
  hg_collection_free(&c);
  c = by_hand(4, 1, four_places, 0, NULL, false);
  cr_expect_eq(hg_collection_mean_edge(&c), 0, "without edges");
  hg_collection_free(&c);
  cr_assert_eq(sample_collection(&c, 10, 1, 0, HG_TASK_NONE, 0, 1), HG_OK);
  cr_expect_eq(hg_collection_mean_edge(&c), 0, "without positions");
  hg_collection_free(&c);
}

Test(hierarchy, without_positions_there_is_one_level_or_an_error)
{
  hg_collection c;
  hg_hierarchy h;
  cr_assert_eq(sample_collection(&c, 10, 1, 0, HG_TASK_NONE, 0, 1), HG_OK);
  cr_assert_eq(hg_hierarchy_create(&h, &c, 0, HG_PAIRING_DISTANCE, 1), HG_OK);
  cr_expect_null(h.levels[0].positions);
  hg_hierarchy_free(&h);
  cr_expect_eq(hg_hierarchy_create(&h, &c, 1, HG_PAIRING_DISTANCE, 1), HG_ERR_INPUT);
  cr_expect_str_eq(hg_error_text(), "the graphs' nodes have no positions, and clusters are made of them");
  hg_collection_free(&c);
}

Test(hierarchy, an_empty_collection_has_empty_levels)
{
  hg_collection c;
  hg_hierarchy h;
  cr_assert_eq(sample_collection(&c, 0, 1, 2, HG_TASK_NONE, 0, 1), HG_OK);
  cr_assert_eq(hg_hierarchy_create(&h, &c, 2, HG_PAIRING_DISTANCE, 1), HG_OK, "%s", hg_error_text());
  cr_expect_eq(h.levels[2].n, 0);
  hg_hierarchy_free(&h);
  hg_collection_free(&c);
}

Test(hierarchy, its_bytes_are_what_was_allocated)
{
  for (uint64_t seed = 0; seed < 2; seed++) {
    hg_collection c;
    hg_hierarchy h;
    cr_assert_eq(sample_collection(&c, 50, 3, 2, HG_TASK_NONE, 0, 5), HG_OK);
    if (seed) sample_collection_direct(&c, seed);
    size_t before = hg_alloc_bytes();
    cr_assert_eq(hg_hierarchy_create(&h, &c, 3, HG_PAIRING_DISTANCE, 1), HG_OK);
    cr_expect_eq(hg_hierarchy_bytes(&h), hg_alloc_bytes() - before);
    hg_hierarchy_free(&h);
    cr_expect_eq(hg_alloc_bytes(), before);
    hg_collection_free(&c);
  }
}
