#include <criterion/criterion.h>
#include <math.h>
#include <string.h>

#include "core/base/threads.h"
#include "core/graph/generate.h"
#include "tests/support/sample_graph.h"

static hg_generate_options small(uint64_t seed)
{
  hg_generate_options o = hg_generate_options_default();
  o.nodes = 500, o.degree = 6, o.classes = 3, o.features = 7, o.seed = seed;
  return o;
}

static hg_graph make(const char *kind, hg_generate_options o)
{
  hg_graph graph = {0};
  hg_build_counts counts;
  cr_assert_eq(hg_generate(kind, &o, &graph, &counts), HG_OK, "%s seed %d: %s", kind, (int)o.seed, hg_error_text());
  return graph;
}

Test(generate, every_kind_makes_valid_symmetric_graphs_of_any_size)
{
  for (const hg_generator *kind = hg_generators; kind->name; kind++) {
    for (uint64_t seed = 0; seed < 12; seed++) {
      hg_generate_options o = small(seed);
      o.nodes = (hg_off[]){1, 2, 3, 64, 65, 997}[seed % 6];
      o.degree = o.nodes > 8 ? 6 : 1;
      o.classes = o.nodes >= 3 ? 3 : 1;
      o.dims = (int)(seed % 3) + 1;
      o.knn = seed % 2 == 0;
      o.power = seed % 3 == 0 ? 2.5 : 0;
      o.diagonals = seed % 2 == 1;
      hg_graph graph = make(kind->name, o);
      cr_expect_eq(hg_graph_check(&graph), HG_OK, "%s seed %d: %s", kind->name, (int)seed, hg_error_text());
      cr_expect(graph.symmetric);
      cr_expect_eq(graph.nodes.n, o.nodes);
      hg_graph_free(&graph);
    }
  }
}

Test(generate, a_graph_is_a_function_of_the_seed_and_not_of_the_threads)
{
  for (const hg_generator *kind = hg_generators; kind->name; kind++) {
    hg_threads_set(1);
    hg_graph one = make(kind->name, small(1));
    hg_threads_set(3);
    hg_graph again = make(kind->name, small(1)), other = make(kind->name, small(2));
    const char *difference = graph_difference(&one, &again);
    cr_expect_null(difference, "%s: %s differ", kind->name, difference);
    cr_expect(graph_difference(&one, &other), "%s: another seed makes the same graph", kind->name);
    hg_graph_free(&one), hg_graph_free(&again), hg_graph_free(&other);
  }
}

Test(generate, csbm_has_the_degree_and_the_homophily_asked_for)
{
  hg_generate_options o = small(3);
  o.nodes = 20000, o.degree = 10, o.classes = 5, o.homophily = 0.7;
  hg_graph graph = make("csbm", o);
  const hg_csr *a = &graph.adjacency;
  hg_off same = 0, m = a->indptr[o.nodes];
  for (hg_off i = 0; i < o.nodes; i++) {
    for (hg_off e = a->indptr[i]; e < a->indptr[i + 1]; e++)
      same += graph.nodes.labels[i] == graph.nodes.labels[a->indices[e]];
  }
  cr_expect(fabs((double)m / (double)o.nodes - 10) < 0.1, "mean degree %g", (double)m / (double)o.nodes);
  cr_expect(fabs((double)same / (double)m - 0.7) < 0.01, "homophily %g", (double)same / (double)m);
  hg_graph_free(&graph);
}

static double top_share(const hg_graph *graph, double fraction)
{
  hg_off n = graph->nodes.n, m = graph->adjacency.indptr[n], counts[20001] = {0}, taken = 0, edges = 0;
  for (hg_off i = 0; i < n; i++) counts[graph->adjacency.indptr[i + 1] - graph->adjacency.indptr[i]]++;
  for (hg_off d = 20000; d >= 0 && taken < (hg_off)(fraction * (double)n); d--)
    taken += counts[d], edges += d * counts[d];
  return (double)edges / (double)m;
}

Test(generate, power_law_and_rmat_have_hubs_and_plain_csbm_has_none)
{
  hg_generate_options o = small(4);
  o.nodes = 20000, o.degree = 10, o.features = 0;
  hg_graph plain = make("csbm", o), rmat = make("rmat", o);
  o.power = 2.2;
  hg_graph power = make("csbm", o);
  cr_expect(top_share(&plain, 0.01) < 0.03, "plain csbm: %g", top_share(&plain, 0.01));
  cr_expect(top_share(&power, 0.01) > 0.1, "power csbm: %g", top_share(&power, 0.01));
  cr_expect(top_share(&rmat, 0.01) > 0.1, "rmat: %g", top_share(&rmat, 0.01));
  hg_graph_free(&plain), hg_graph_free(&rmat), hg_graph_free(&power);
}

// The nearest class mean, estimated from the other nodes, tells the class far better than chance.
Test(generate, features_tell_the_class_by_as_much_as_the_signal_says)
{
  hg_generate_options o = small(5);
  o.nodes = 3000, o.features = 16, o.classes = 4, o.signal = 1;
  for (const hg_generator *kind = hg_generators; kind->name; kind++) {
    hg_graph graph = make(kind->name, o);
    double means[4][16] = {{0}};
    int counts[4] = {0}, right = 0;
    for (hg_off i = 0; i < o.nodes; i++) {
      counts[graph.nodes.labels[i]]++;
      for (int k = 0; k < 16; k++) means[graph.nodes.labels[i]][k] += (double)graph.nodes.features.dense[i * 16 + k];
    }
    for (hg_off i = 0; i < o.nodes; i++) {
      double least = INFINITY;
      int best = 0;
      for (int c = 0; c < 4; c++) {
        double sum = 0;
        for (int k = 0; k < 16; k++)
          sum += pow((double)graph.nodes.features.dense[i * 16 + k] - means[c][k] / fmax(1, counts[c]), 2);
        if (counts[c] > 0 && sum < least) least = sum, best = c;
      }
      right += best == graph.nodes.labels[i];
    }
    cr_expect(right > 0.9 * (double)o.nodes, "%s: %d of %d right", kind->name, right, (int)o.nodes);
    hg_graph_free(&graph);
  }
}

static double distance2(const hg_graph *graph, hg_off i, hg_off j)
{
  double sum = 0;
  int dims = graph->nodes.n_dims;
  for (int k = 0; k < dims; k++)
    sum += pow((double)graph->nodes.positions[i * dims + k] - (double)graph->nodes.positions[j * dims + k], 2);
  return sum;
}

static bool joined(const hg_csr *a, hg_off i, hg_off j)
{
  for (hg_off e = a->indptr[i]; e < a->indptr[i + 1]; e++) {
    if (a->indices[e] == j) return true;
  }
  return false;
}

Test(generate, geometric_joins_exactly_the_pairs_within_the_radius)
{
  for (int dims = 1; dims <= 3; dims++) {
    hg_generate_options o = small(6);
    o.dims = dims;
    o.radius = 0.17;
    hg_graph graph = make("geometric", o);
    for (hg_off i = 0; i < o.nodes; i++) {
      for (hg_off j = 0; j < o.nodes; j++)
        cr_assert_eq(joined(&graph.adjacency, i, j), i != j && distance2(&graph, i, j) < 0.17 * 0.17,
                     "%d dimensions, %d %d", dims, (int)i, (int)j);
    }
    hg_graph_free(&graph);
  }
}

// Among all others, fewer than k are strictly nearer than a neighbour of whom one of the two must have chosen the
// other.
static int nearer(const hg_graph *graph, hg_off i, hg_off j)
{
  int count = 0;
  for (hg_off other = 0; other < graph->nodes.n; other++)
    count += other != i && distance2(graph, i, other) < distance2(graph, i, j);
  return count;
}

Test(generate, nearest_neighbours_are_the_nearest)
{
  for (int dims = 1; dims <= 3; dims++) {
    hg_generate_options o = small(7);
    o.dims = dims, o.knn = true, o.degree = 5, o.nodes = 150;
    hg_graph graph = make("geometric", o);
    for (hg_off i = 0; i < o.nodes; i++) {
      for (hg_off j = 0; j < o.nodes; j++) {
        bool expected = i != j && (nearer(&graph, i, j) < 5 || nearer(&graph, j, i) < 5);
        cr_assert_eq(joined(&graph.adjacency, i, j), expected, "%d dimensions, %d %d", dims, (int)i, (int)j);
      }
    }
    hg_graph_free(&graph);
  }
}

Test(generate, grids_have_the_neighbours_of_their_cells)
{
  for (int dims = 1; dims <= 3; dims++) {
    for (int diagonals = 0; diagonals < 2; diagonals++) {
      hg_generate_options o = small(8);
      o.nodes = 119, o.dims = dims, o.diagonals = diagonals;
      hg_graph graph = make("grid", o);
      for (hg_off i = 0; i < o.nodes; i++) {
        for (hg_off j = 0; j < o.nodes; j++) {
          double sum = 0, largest = 0;
          for (int k = 0; k < dims; k++) {
            double d = fabs((double)graph.nodes.positions[i * dims + k] - (double)graph.nodes.positions[j * dims + k]);
            sum += d, largest = fmax(largest, d);
          }
          cr_assert_eq(joined(&graph.adjacency, i, j), diagonals ? largest == 1 : sum == 1, "%d dimensions, %d %d",
                       dims, (int)i, (int)j);
        }
      }
      hg_graph_free(&graph);
    }
  }
}

Test(generate, split_has_the_fractions_asked_for)
{
  hg_generate_options o = small(9);
  o.train = 0.1, o.val = 0.3;
  hg_graph graph = make("csbm", o);
  int counts[HG_SPLIT_COUNT] = {0};
  for (hg_off i = 0; i < o.nodes; i++) counts[graph.nodes.split[i]]++;
  cr_expect_eq(counts[HG_SPLIT_TRAIN], 50);
  cr_expect_eq(counts[HG_SPLIT_VAL], 150);
  cr_expect_eq(counts[HG_SPLIT_TEST], 300);
  hg_graph_free(&graph);
  o.train = 0;
  graph = make("csbm", o);
  cr_expect_null(graph.nodes.split);
  hg_graph_free(&graph);
}

Test(generate, nothing_but_structure_when_nothing_else_is_wanted)
{
  for (const hg_generator *kind = hg_generators; kind->name; kind++) {
    hg_generate_options o = small(10);
    o.classes = o.features = 0;
    hg_graph graph = make(kind->name, o);
    cr_expect_eq(hg_graph_check(&graph), HG_OK, "%s", hg_error_text());
    cr_expect_eq(graph.nodes.task, HG_TASK_NONE);
    cr_expect_null(graph.nodes.features.dense);
    cr_expect_null(graph.nodes.split);
    hg_graph_free(&graph);
  }
}

static void no_nodes(hg_generate_options *o) { o->nodes = 0; }
static void too_many_nodes(hg_generate_options *o) { o->nodes = (hg_off)1 << 31; }
static void degree_nan(hg_generate_options *o) { o->degree = NAN; }
static void degree_too_large(hg_generate_options *o) { o->degree = 501; }
static void fractions(hg_generate_options *o) { o->train = 0.7, o->val = 0.4; }
static void quadrants(hg_generate_options *o) { o->a = 0.9; }
static void dims(hg_generate_options *o) { o->dims = 4; }
static void power(hg_generate_options *o) { o->power = 1.5; }
static void classes(hg_generate_options *o) { o->classes = -1; }

Test(generate, options_without_sense_are_named)
{
  static const struct {
    void (*spoil)(hg_generate_options *);
    const char *message;
  } cases[] = {
      {no_nodes, "--nodes is 0, expected 1 to 2147483647"},
      {too_many_nodes, "--nodes is 2147483648, expected 1 to 2147483647"},
      {degree_nan, "--degree is nan, expected 0 to 500"},
      {degree_too_large, "--degree is 501, expected 0 to 500"},
      {fractions, "--train and --val are 1.1 together, expected at most 1"},
      {quadrants, "--a, --b and --c are 1.28 together, expected at most 1"},
      {dims, "--dims is 4, expected 1 to 3"},
      {power, "--power is 1.5, expected 2.01 to 100"},
      {classes, "--classes is -1, expected 0 to 500"},
  };
  for (size_t k = 0; k < sizeof cases / sizeof *cases; k++) {
    hg_generate_options o = small(11);
    hg_graph graph = {0};
    hg_build_counts counts;
    cases[k].spoil(&o);
    cr_expect_eq(hg_generate("csbm", &o, &graph, &counts), HG_ERR_INPUT, "%s", cases[k].message);
    cr_expect_str_eq(hg_error_text(), cases[k].message);
    cr_expect_null(graph.adjacency.indptr);
  }
}

Test(generate, an_unknown_kind_gets_the_list_and_the_nearest)
{
  hg_generate_options o = small(12);
  hg_graph graph = {0};
  hg_build_counts counts;
  cr_expect_eq(hg_generate("rmate", &o, &graph, &counts), HG_ERR_INPUT);
  cr_expect_str_eq(hg_error_text(),
                   "unknown kind of graph 'rmate', expected one of csbm, rmat, geometric, grid; did you mean 'rmat'?");
}

Test(generate, rmat_without_a_way_to_edges_says_so)
{
  hg_generate_options o = small(13);
  hg_graph graph = {0};
  hg_build_counts counts;
  o.a = o.b = o.c = 0; // all edges fall on the last id of the power of two
  cr_expect_eq(hg_generate("rmat", &o, &graph, &counts), HG_ERR_INPUT);
  cr_expect_str_eq(hg_error_text(), "--a, --b and --c leave no edges among the first 500 nodes");
}
