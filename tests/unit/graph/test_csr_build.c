#include <criterion/criterion.h>
#include <stdlib.h>

#include "core/base/alloc.h"
#include "core/base/rng.h"
#include "core/graph/csr_build.h"

typedef struct {
  hg_off m;
  hg_gid (*ends)[2];
  int calls, lies; // from the second call on, `lies` edges more (or fewer)
} edges;

static hg_status each(void *source, hg_status (*edge)(void *context, hg_gid from, hg_gid to), void *context)
{
  edges *e = source;
  hg_off m = e->calls++ == 0 ? e->m : e->m + e->lies;
  hg_status rc = HG_OK;
  for (hg_off k = 0; k < m && rc == HG_OK; k++) rc = edge(context, e->ends[k % e->m][0], e->ends[k % e->m][1]);
  return rc;
}

static edges random_edges(uint64_t seed, hg_off n, hg_off m)
{
  const hg_rng rng = {seed, HG_STREAM_TEST};
  edges e = {.m = m, .ends = calloc((size_t)m + 1, sizeof *e.ends)};
  for (hg_off k = 0; k < m; k++)
    for (uint32_t side = 0; side < 2; side++)
      e.ends[k][side] = (hg_gid)hg_rng_below(rng, (uint64_t)k, side, (uint64_t)n);
  return e;
}

// count[i * n + j]: edges j -> i as given
static int *naive_counts(const edges *e, hg_off n)
{
  int *count = calloc((size_t)(n * n) + 1, sizeof *count);
  for (hg_off k = 0; k < e->m; k++) count[e->ends[k][1] * n + e->ends[k][0]]++;
  return count;
}

static hg_build_counts naive_expected(const int *count, const edges *e, hg_off n, bool symmetrize)
{
  hg_build_counts c = {.edges_in = e->m};
  for (hg_off i = 0; i < n; i++) {
    bool touched = false;
    for (hg_off j = 0; j < n; j++) {
      int given = count[i * n + j], back = count[j * n + i];
      if (i == j) {
        c.self_loops += given;
        continue;
      }
      if (given > 1) c.duplicates += given - 1;
      if (symmetrize && given == 0 && back > 0) c.reversed_added++;
      touched = touched || given || back;
    }
    c.isolated += !touched;
  }
  return c;
}

static void expect_same(const hg_csr *a, const int *count, hg_off n, bool symmetrize, uint64_t seed)
{
  hg_off e = 0;
  for (hg_off i = 0; i < n; i++) {
    cr_assert_eq(a->indptr[i], e, "seed %d, row %d", (int)seed, (int)i);
    for (hg_off j = 0; j < n; j++) {
      if (i == j || (count[i * n + j] == 0 && !(symmetrize && count[j * n + i] > 0))) continue;
      cr_assert(e < hg_csr_entries(a), "seed %d: too few edges", (int)seed);
      cr_assert_eq(a->indices[e], j, "seed %d, row %d: found %d, expected %d", (int)seed, (int)i, a->indices[e],
                   (int)j);
      e++;
    }
  }
  cr_assert_eq(hg_csr_entries(a), e, "seed %d: too many edges", (int)seed);
}

Test(csr_build, random_graphs_equal_the_adjacency_matrix_with_and_without_symmetrizing)
{
  const hg_off sizes[] = {1, 2, 7, 40, 150};
  size_t before = hg_alloc_bytes();
  for (uint64_t seed = 0; seed < 60; seed++) {
    hg_off n = sizes[seed % 5], m = (hg_off)(seed * seed * 3 % 4001);
    edges e = random_edges(seed, n, m);
    int *count = naive_counts(&e, n);
    bool symmetrize = seed % 2;
    hg_csr a = {0};
    hg_build_counts found, expected = naive_expected(count, &e, n, symmetrize);
    cr_assert_eq(hg_csr_build(&a, n, each, &e, symmetrize, &found), HG_OK, "seed %d: %s", (int)seed, hg_error_text());
    cr_assert_eq(hg_csr_check(&a), HG_OK, "seed %d: %s", (int)seed, hg_error_text());
    expect_same(&a, count, n, symmetrize, seed);
    cr_expect_eq(found.edges_in, expected.edges_in, "seed %d", (int)seed);
    cr_expect_eq(found.self_loops, expected.self_loops, "seed %d", (int)seed);
    cr_expect_eq(found.duplicates, expected.duplicates, "seed %d", (int)seed);
    cr_expect_eq(found.reversed_added, expected.reversed_added, "seed %d", (int)seed);
    cr_expect_eq(found.isolated, expected.isolated, "seed %d: %d, %d", (int)seed, (int)found.isolated,
                 (int)expected.isolated);
    hg_csr_free(&a);
    free(count);
    free(e.ends);
  }
  cr_expect_eq(hg_alloc_bytes(), before, "memory was not given back");
}

Test(csr_build, a_hub_row_longer_than_the_insertion_sort_is_sorted)
{
  enum { N = 70000 };
  edges e = {.m = N - 1, .ends = calloc(N, sizeof *e.ends)};
  for (hg_off k = 0; k < N - 1; k++) e.ends[k][0] = 1 + k * 33331 % (N - 1), e.ends[k][1] = 0;
  hg_csr a = {0};
  hg_build_counts counts;
  cr_assert_eq(hg_csr_build(&a, N, each, &e, false, &counts), HG_OK, "%s", hg_error_text());
  cr_assert_eq(a.indptr[1], N - 1);
  for (hg_off k = 0; k < N - 1; k++) cr_assert_eq(a.indices[k], k + 1);
  cr_expect_eq(counts.isolated, 0);
  hg_csr_free(&a);
  free(e.ends);
}

Test(csr_build, no_nodes_and_no_edges_work)
{
  edges none = {.m = 0};
  hg_csr a = {0};
  hg_build_counts counts;
  cr_assert_eq(hg_csr_build(&a, 0, each, &none, true, NULL), HG_OK);
  cr_expect_eq(hg_csr_entries(&a), 0);
  hg_csr_free(&a);
  cr_assert_eq(hg_csr_build(&a, 5, each, &none, false, &counts), HG_OK);
  cr_expect_eq(counts.isolated, 5);
  hg_csr_free(&a);
}

static void expect_failure(edges e, hg_off n, const char *message)
{
  size_t before = hg_alloc_bytes();
  hg_csr a = {.n_rows = 77};
  hg_build_counts counts = {.duplicates = 9};
  cr_expect_eq(hg_csr_build(&a, n, each, &e, false, &counts), HG_ERR_INPUT);
  cr_expect_str_eq(hg_error_text(), message);
  cr_expect_eq(a.n_rows, 77, "the output was touched");
  cr_expect_eq(counts.duplicates, 9);
  cr_expect_eq(hg_alloc_bytes(), before);
}

Test(csr_build, ends_that_are_no_nodes_fail)
{
  hg_gid beyond[1][2] = {{1, 4}}, negative[1][2] = {{-1, 2}};
  expect_failure((edges){1, beyond, 0, 0}, 4, "edge 1 -> 4: found node 4, expected 0 to 3");
  expect_failure((edges){1, negative, 0, 0}, 4, "edge -1 -> 2: found node -1, expected 0 to 3");
  expect_failure((edges){1, beyond, 0, 0}, 1LL << 40, "nodes: found 1099511627776, expected at most 2147483647");
}

Test(csr_build, a_source_that_changes_its_edges_fails)
{
  hg_gid ends[2][2] = {{0, 1}, {2, 1}};
  expect_failure((edges){2, ends, 0, 1}, 3, "the edges changed while they were read: more edges at node 1");
  expect_failure((edges){2, ends, 0, -1}, 3, "the edges changed while they were read: found fewer the second time");
}

Test(csr_build, memory_stays_within_the_result_and_16_bytes_a_node)
{
  enum { N = 20000, M = 400000 };
  edges e = random_edges(3, N, M);
  size_t before = hg_alloc_bytes();
  hg_csr a = {0};
  cr_assert_eq(hg_csr_build(&a, N, each, &e, false, NULL), HG_OK);
  size_t result = hg_alloc_bytes() - before, extra = hg_alloc_peak_bytes() - before - result;
  cr_expect(extra <= 16 * N, "%zu bytes above the result of %zu", extra, result);
  hg_csr_free(&a);
  free(e.ends);
}
