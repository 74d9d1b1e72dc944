#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "partition/cover.h"

enum { MOST_NODES = 400, MOST_EDGES = 20000 };

typedef struct {
  hg_bipartite graph;
  hg_off indptr[MOST_NODES + 1];
  hg_lid indices[MOST_EDGES];
} sample;

static sample s; // large, so not on the stack; a test is a process of its own

static uint32_t draws;

static uint32_t below(uint32_t n)
{
  uint32_t state = draws++ * 2654435761u;
  state ^= state >> 16;
  state *= 0x85ebca6bu;
  state ^= state >> 13;
  state *= 0xc2b2ae35u;
  return (state ^ state >> 16) % n;
}

// each pair with a chance of `percent`
static void make(hg_lid n_left, hg_lid n_right, uint32_t percent)
{
  hg_off edges = 0;
  s.graph = (hg_bipartite){n_left, n_right, s.indptr, s.indices};
  for (hg_lid l = 0; l < n_left; l++) {
    for (hg_lid r = 0; r < n_right; r++)
      if (below(100) < percent && edges < MOST_EDGES) s.indices[edges++] = r;
    s.indptr[l + 1] = edges;
  }
}

static void expect_covers(const hg_cover *c)
{
  hg_lid left = 0, right = 0;
  for (hg_lid l = 0; l < s.graph.n_left; l++) {
    left += c->left[l];
    for (hg_off e = s.indptr[l]; e < s.indptr[l + 1]; e++)
      cr_assert(c->left[l] || c->right[s.indices[e]], "edge %d -> %d has no end in the cover", l, s.indices[e]);
  }
  for (hg_lid r = 0; r < s.graph.n_right; r++) right += c->right[r];
  cr_assert_eq(c->n_left, left);
  cr_assert_eq(c->n_right, right);
}

// of a least cover the left nodes are enough; fewer of them need more of the others than a row each
static void expect_completed(const hg_cover *c, int64_t left_weight, int64_t right_weight)
{
  hg_cover again;
  cr_assert_eq(hg_cover_complete(&again, &s.graph, c->left, left_weight, right_weight), HG_OK);
  expect_covers(&again);
  cr_assert_eq(again.weight, c->weight);
  hg_cover_free(&again);
}

static hg_lid left_nodes; // of the last cover

static int64_t cover_weight(int64_t left_weight, int64_t right_weight)
{
  hg_cover c;
  cr_assert_eq(hg_cover_create(&c, &s.graph, left_weight, right_weight), HG_OK);
  expect_covers(&c);
  int64_t weight = c.weight;
  left_nodes = c.n_left;
  expect_completed(&c, left_weight, right_weight);
  cr_assert_eq(weight, c.n_left * left_weight + c.n_right * right_weight);
  hg_cover_free(&c);
  return weight;
}

// The best of all sets of left nodes, with the right nodes that they leave uncovered; of those the most left nodes.
static int64_t least_weight(int64_t left_weight, int64_t right_weight, hg_lid *n_left)
{
  int64_t least = INT64_MAX;
  for (uint32_t chosen = 0; chosen < 1u << s.graph.n_left; chosen++) {
    uint32_t needed = 0;
    for (hg_lid l = 0; l < s.graph.n_left; l++)
      for (hg_off e = s.indptr[l]; !(chosen >> l & 1) && e < s.indptr[l + 1]; e++) needed |= 1u << s.indices[e];
    int64_t weight = __builtin_popcount(chosen) * left_weight + __builtin_popcount(needed) * right_weight;
    if (weight < least || (weight == least && __builtin_popcount(chosen) > *n_left))
      *n_left = (hg_lid)__builtin_popcount(chosen);
    if (weight < least) least = weight;
  }
  return least;
}

Test(cover, weighs_what_the_best_of_all_covers_weighs)
{
  static const int64_t weights[][2] = {{1, 1}, {4, 4}, {2, 3}, {5, 1}, {1, 7}, {256, 40}};
  for (int k = 0; k < 9000; k++) {
    const int64_t drawn[] = {1 + below(9), 1 + below(9)}, *w = k % 3 ? drawn : weights[k / 3 % 6];
    make((hg_lid)below(8), (hg_lid)below(8), below(100));
    hg_lid n_left = 0;
    cr_assert_eq(cover_weight(w[0], w[1]), least_weight(w[0], w[1], &n_left), "graph %d", k);
    cr_assert_eq(left_nodes, n_left, "graph %d: %d left nodes, %d in another least cover", k, left_nodes, n_left);
  }
}

// Kuhn's augmenting paths on copies of the nodes, as many as a node weighs: by duality a largest matching has as many
// edges as a least cover weighs.
typedef struct {
  int left_copies, right_copies;
  int partner[MOST_NODES * 4]; // the left copy that a right copy is matched with, -1: none
  bool seen[MOST_NODES * 4];
} matching;

static bool find_partner(matching *m, int left)
{
  int node = left / m->left_copies;
  for (hg_off e = s.indptr[node]; e < s.indptr[node + 1]; e++) {
    for (int copy = 0; copy < m->right_copies; copy++) {
      int right = s.indices[e] * m->right_copies + copy;
      if (m->seen[right]) continue;
      m->seen[right] = true;
      if (m->partner[right] >= 0 && !find_partner(m, m->partner[right])) continue;
      m->partner[right] = left;
      return true;
    }
  }
  return false;
}

static int64_t largest_matching(int left_copies, int right_copies)
{
  static matching m;
  int64_t size = 0;
  m.left_copies = left_copies;
  m.right_copies = right_copies;
  for (size_t k = 0; k < sizeof m.partner / sizeof *m.partner; k++) m.partner[k] = -1;
  for (int left = 0; left < s.graph.n_left * left_copies; left++) {
    memset(m.seen, 0, sizeof m.seen);
    size += find_partner(&m, left);
  }
  return size;
}

Test(cover, of_large_graphs_weighs_what_a_largest_matching_has_edges)
{
  for (int k = 0; k < 60; k++) {
    int left = 1 + k % 3, right = 1 + k / 3 % 3;
    make((hg_lid)(100 + below(200)), (hg_lid)(100 + below(200)), k % 2 ? 1 : 1 + below(10));
    cr_assert_eq(cover_weight(left, right), largest_matching(left, right), "graph %d, weights %d, %d", k, left, right);
  }
}

Test(cover, of_a_star_is_its_middle_and_of_nothing_is_empty)
{
  make(1, 300, 100);
  cr_expect_eq(cover_weight(1, 1), 1);
  cr_expect_eq(cover_weight(300, 1), 300);
  cr_expect_eq(cover_weight(301, 1), 300);
  make(300, 1, 100);
  cr_expect_eq(cover_weight(1, 1), 1);
  make(20, 20, 0);
  cr_expect_eq(cover_weight(1, 1), 0);
  make(0, 0, 0);
  cr_expect_eq(cover_weight(1, 1), 0);
}

Test(cover, with_more_sums_than_sources_is_refused)
{
  hg_cover c;
  make(1, 20, 100);
  cr_assert_eq(hg_cover_complete(&c, &s.graph, (const bool[]){false}, 19, 1), HG_ERR_INPUT);
  cr_expect_str_eq(hg_error_text(), "20 sums for 1 sources, expected fewer numbers than the sources'");
  cr_assert_eq(hg_cover_complete(&c, &s.graph, (const bool[]){false}, 20, 1), HG_OK);
  cr_expect_eq(c.weight, 20);
  hg_cover_free(&c);
}

// A path visits all nodes in turn: only chains of reductions and long augmenting paths solve it.
Test(cover, of_a_long_path_is_every_second_node)
{
  enum { N = 300 };
  s.graph = (hg_bipartite){N, N, s.indptr, s.indices};
  for (hg_lid l = 0; l < N; l++) {
    s.indices[2 * l] = l;
    if (l + 1 < N) s.indices[2 * l + 1] = l + 1;
    s.indptr[l + 1] = l + 1 < N ? 2 * (l + 1) : 2 * N - 1;
  }
  cr_expect_eq(cover_weight(1, 1), N);
}
