// predict --position-gradients as a user runs it: what the file holds, and what has no such gradients.
#include <criterion/criterion.h>
#include <math.h>
#include <string.h>
#include <unistd.h>

#include "core/base/alloc.h"
#include "core/graph/npz.h"
#include "core/graph/store.h"
#include "tests/cli/program.h"
#include "tests/support/sample_collection.h"

static char *folder;

static const char config_text[] = "name: small\n"
                                  "dataset: {path: g.hg}\n"
                                  "model: {type: geogcn, hidden: 5, filters: 3}\n"
                                  "train: {epochs: 4}\n";

static void runs(int ranks, const char *words)
{
  run_result r = expect_status(folder, ranks, 0, words);
  run_free(&r);
}

// g.hg: 150 nodes in 3 dimensions
static void set_up(void)
{
  folder = temporary_folder();
  write_text(path_in(folder, "c.yaml"), config_text);
  runs(0, "generate geometric --nodes 150 --degree 6 --features 4 --classes 3 --dims 3 --seed 1 -o g.hg");
}

static void tear_down(void) { temporary_folder_remove(&folder); }

TestSuite(cli_position_gradients, .init = set_up, .fini = tear_down);

Test(cli_position_gradients, have_a_row_a_node_in_the_original_order_on_any_number_of_ranks)
{
  runs(2, "train c.yaml --quiet --output r");
  runs(0, "predict r -o plain.npz");
  runs(0, "predict r --position-gradients -o one.npz");
  runs(3, "predict r --position-gradients -o three.npz");
  runs(0, "predict r --position-gradients");
  runs(2, "train c.yaml --quiet --output covers --set halo.aggregation=covers");
  runs(3, "predict covers --position-gradients -o by_covers.npz");
  python_agrees(
      folder,
      "import numpy as np\n"
      "plain, one, three = np.load('plain.npz'), np.load('one.npz'), np.load('three.npz')\n"
      "own = np.load('r/predictions.npz')\n"
      "assert set(one) - set(plain) == {'position_gradients'}, (set(one), set(plain))\n"
      "a, b = one['position_gradients'], three['position_gradients']\n"
      "assert a.shape == b.shape == (150, 3) and a.dtype == np.float32, (a.shape, b.shape, a.dtype)\n"
      "assert (one['original_ids'] == np.arange(150)).all() and (three['original_ids'] == np.arange(150)).all()\n"
      "c = np.load('by_covers.npz')['position_gradients']\n"
      "assert np.abs(a - c).max() <= 1e-3 * np.abs(a).max(), np.abs(a - c).max()\n"
      "assert np.isfinite(a).all() and (np.abs(a).max(1) > 0).mean() > 0.9\n"
      "assert np.abs(a - b).max() <= 1e-4 * np.abs(a).max(), np.abs(a - b).max()\n"
      "assert np.abs(a.sum(0, dtype=np.float64)).max() <= 1e-4 * np.abs(a).sum(), a.sum(0)\n"
      "assert (own['position_gradients'] == a).all()\n"
      "for key in plain:\n"
      "    assert (plain[key] == one[key]).all(), key\n");
}

static float *read_rows(const char *name, const char *key, hg_off rows, hg_off cols)
{
  hg_npz *npz = NULL;
  float *found = NULL;
  hg_off shape[2];
  cr_assert_eq(hg_npz_open(&npz, path_in(folder, name)), HG_OK, "%s", hg_error_text());
  cr_assert_eq(hg_npz_f32(npz, key, &found, shape), HG_OK, "%s", hg_error_text());
  cr_assert(shape[0] == rows && shape[1] == cols, "%s: %lld x %lld", key, (long long)shape[0], (long long)shape[1]);
  hg_npz_close(&npz);
  return found;
}

enum { NODES = 150, DIMS = 3, MOVES = NODES * DIMS, COPIES = 2 * MOVES + 1 };

// `copies` of an array of n items, one after the other
static void repeat(void *array, hg_off n, size_t size, hg_off copies)
{
  char **items = array, *all = NULL;
  size_t bytes = (size_t)n * size;
  cr_assert_eq(hg_alloc(&all, n * copies, size, "copies"), HG_OK);
  for (hg_off k = 0; k < copies; k++) memcpy(all + (size_t)k * bytes, *items, bytes);
  hg_free(items);
  *items = all;
}

// the same graph `copies` times in one, without an edge between them
static void repeat_graph(hg_graph *graph, hg_off copies)
{
  hg_nodes *nodes = &graph->nodes;
  hg_csr *a = &graph->adjacency, one = *a;
  hg_off n = nodes->n, m = one.indptr[n];
  cr_assert_eq(hg_csr_create(a, n * copies, n * copies, m * copies, false, "copies"), HG_OK);
  for (hg_off k = 0; k < copies; k++) {
    for (hg_off i = 0; i < n; i++) a->indptr[k * n + i + 1] = k * m + one.indptr[i + 1];
    for (hg_off e = 0; e < m; e++) a->indices[k * m + e] = (hg_lid)(k * n) + one.indices[e];
  }
  hg_csr_free(&one);
  repeat(&nodes->features.dense, n, (size_t)nodes->features.width * sizeof(float), copies);
  repeat(&nodes->labels, n, sizeof *nodes->labels, copies);
  repeat(&nodes->split, n, sizeof *nodes->split, copies);
  repeat(&nodes->positions, n, (size_t)nodes->n_dims * sizeof(float), copies);
  repeat(&nodes->original_ids, n, sizeof *nodes->original_ids, copies);
  nodes->n = n * copies;
  for (hg_off i = 0; i < nodes->n; i++) nodes->original_ids[i] = i;
}

// the mean cross-entropy of the probabilities of each copy
static void losses_of(const char *name, const hg_nodes *nodes, double *losses)
{
  float *p = read_rows(name, "probabilities", nodes->n, nodes->n_classes);
  for (hg_off k = 0; k < nodes->n / NODES; k++) {
    double sum = 0, n = 0;
    for (hg_off i = k * NODES; i < (k + 1) * NODES; i++) {
      if (nodes->labels[i] < 0 || nodes->split[i] == HG_SPLIT_NONE) continue;
      sum -= log((double)p[i * nodes->n_classes + nodes->labels[i]]);
      n++;
    }
    losses[k] = sum / n;
  }
  hg_free(&p);
}

// Of each coordinate of each node: two copies of the graph have it moved, one up, one down; the last has none moved.
// The gradient is between the slopes of both sides, which differ where a ReLU switches in between.
Test(cli_position_gradients, are_finite_differences_of_the_loss)
{
  hg_graph graph;
  static double losses[COPIES];
  double largest = 0, step = 2e-3;
  int narrow = 0;
  runs(0, "train c.yaml --quiet --output r --set model.normalize_positions=none --set model.activation=elu "
          "--set train.epochs=20 --set train.learning_rate=0.05");
  runs(0, "predict r --position-gradients -o g.npz");
  float *gradient = read_rows("g.npz", "position_gradients", NODES, DIMS);
  cr_assert_eq(hg_store_read_graph(path_in(folder, "g.hg"), &graph), HG_OK, "%s", hg_error_text());
  repeat_graph(&graph, COPIES);
  for (hg_off k = 0; k < 2 * MOVES; k++) graph.nodes.positions[k * MOVES + k / 2] += (float)(k % 2 ? -step : step);
  cr_assert_eq(hg_store_write_graph(path_in(folder, "moved.hg"), &graph, "test"), HG_OK, "%s", hg_error_text());
  runs(0, "predict r --dataset moved.hg -o moved.npz");
  losses_of("moved.npz", &graph.nodes, losses);
  for (int e = 0; e < MOVES; e++) largest = fmax(largest, fabs((double)gradient[e]));
  for (int e = 0; e < MOVES; e++) {
    double up = (losses[2 * e] - losses[COPIES - 1]) / step, down = (losses[COPIES - 1] - losses[2 * e + 1]) / step;
    double found = (double)gradient[e], error = fmax(found - fmax(up, down), fmin(up, down) - found);
    narrow += fabs(up - down) < 0.01 * fabs(found);
    cr_expect(error <= 3e-4 * largest, "node %d, coordinate %d: gradient %g, slopes %g and %g", e / DIMS, e % DIMS,
              found, up, down);
  }
  cr_expect(narrow > MOVES * 2 / 3, "only %d of %d slopes are the same on both sides", narrow, (int)MOVES);
  hg_free(&gradient);
  hg_graph_free(&graph);
}

static void expect_no_gradients(int ranks, const char *words, const char *message)
{
  expect_refusal(folder, ranks, 2, words, message);
  cr_expect_neq(access(path_in(folder, "p.npz"), F_OK), 0, "halognn %s left a file", words);
}

Test(cli_position_gradients, of_what_has_none_are_refused)
{
  hg_collection c;
  cr_assert_eq(sample_collection(&c, 40, 4, 3, HG_TASK_CLASSES, 3, 1), HG_OK, "%s", hg_error_text());
  cr_assert_eq(hg_store_write_collection(path_in(folder, "graphs.hg"), &c, "test"), HG_OK, "%s", hg_error_text());
  hg_collection_free(&c);
  runs(0, "generate geometric --nodes 70 --degree 6 --features 4 --classes 0 --dims 3 -o plain.hg");
  runs(0, "train c.yaml --quiet --output r");
  runs(0, "train c.yaml --quiet --output gcn --set model.type=gcn");
  runs(0, "train c.yaml --quiet --output graphs --set dataset.path=graphs.hg --set train.epochs=1");
  expect_no_gradients(0, "predict r --position-gradients -o p.csv",
                      "--position-gradients: found p.csv, expected a file that ends in .npz");
  expect_no_gradients(2, "predict gcn --position-gradients -o p.npz", "model.type: gcn does not see positions");
  expect_no_gradients(0, "predict graphs --position-gradients -o p.npz",
                      "gradients of positions are for tasks on nodes, found one on whole graphs");
  expect_no_gradients(3, "predict graphs --position-gradients -o p.npz",
                      "gradients of positions are for tasks on nodes, found one on whole graphs");
  expect_no_gradients(2, "predict r --dataset plain.hg --position-gradients -o p.npz",
                      "plain.hg: found no labelled nodes, whose loss has a gradient");
}
