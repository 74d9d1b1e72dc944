// predict --position-gradients as a user runs it: what the file holds, and what has no such gradients.
#include <criterion/criterion.h>
#include <math.h>
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

// the mean cross-entropy of the probabilities in a file
static double loss_of(const char *name, const hg_nodes *nodes)
{
  float *p = read_rows(name, "probabilities", nodes->n, nodes->n_classes);
  double sum = 0, n = 0;
  for (hg_off i = 0; i < nodes->n; i++) {
    if (nodes->labels[i] < 0 || nodes->split[i] == HG_SPLIT_NONE) continue;
    sum -= log((double)p[i * nodes->n_classes + nodes->labels[i]]);
    n++;
  }
  hg_free(&p);
  return sum / n;
}

Test(cli_position_gradients, say_how_the_loss_changes_when_nodes_move)
{
  hg_graph graph;
  double largest = 0, squares = 0;
  runs(0, "train c.yaml --quiet --output r --set model.normalize_positions=none");
  runs(0, "predict r --position-gradients -o before.npz");
  cr_assert_eq(hg_store_read_graph(path_in(folder, "g.hg"), &graph), HG_OK, "%s", hg_error_text());
  hg_off count = graph.nodes.n * graph.nodes.n_dims;
  float *d = read_rows("before.npz", "position_gradients", graph.nodes.n, graph.nodes.n_dims);
  for (hg_off e = 0; e < count; e++) {
    largest = fmax(largest, fabs((double)d[e]));
    squares += (double)d[e] * (double)d[e];
  }
  double step = 1e-2 / largest;
  for (hg_off e = 0; e < count; e++) graph.nodes.positions[e] -= (float)(step * (double)d[e]);
  cr_assert_eq(hg_store_write_graph(path_in(folder, "moved.hg"), &graph, "test"), HG_OK, "%s", hg_error_text());
  runs(0, "predict r --dataset moved.hg -o after.npz");
  double found = loss_of("before.npz", &graph.nodes) - loss_of("after.npz", &graph.nodes), expected = step * squares;
  cr_expect(fabs(found - expected) < 0.1 * expected, "the loss fell by %g, expected %g", found, expected);
  hg_free(&d);
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
