#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <zlib.h>

#include "core/base/alloc.h"
#include "core/base/files.h"
#include "core/base/rng.h"
#include "core/base/threads.h"
#include "core/graph/idx.h"
#include "core/graph/import.h"
#include "tests/support/run.h"
#include "tests/support/sample_graph.h"

static char *folder;
static hg_import_report report;

static void open_folder(void) { folder = temporary_folder(); }
static void close_folder(void) { temporary_folder_remove(&folder); }

TestSuite(idx, .init = open_folder, .fini = close_folder);
TestSuite(import_mnist, .init = open_folder, .fini = close_folder);

enum { N_TRAIN = 30, N_TEST = 7, WIDTH = 14, HEIGHT = 12, ROOM = 16 + N_TRAIN * WIDTH * HEIGHT };

// An idx file of `count` items as its header says, with `given` items in it.
typedef struct {
  uint32_t magic, count, rows, columns;
  int given;
} idx_file;

static size_t make_idx(idx_file f, uint8_t bytes[ROOM])
{
  const uint32_t header[] = {f.magic, f.count, f.rows, f.columns};
  size_t n = (f.magic & 255) == 3 ? 16 : 8, items = (size_t)f.given * (n == 16 ? WIDTH * HEIGHT : 1);
  hg_rng rng = {.seed = (uint64_t)f.given, .stream = HG_STREAM_TEST};
  for (size_t k = 0; k < n; k++) bytes[k] = (uint8_t)(header[k / 4] >> 8 * (3 - k % 4));
  cr_assert_leq(n + items, ROOM);
  for (size_t k = 0; k < items; k++) bytes[n + k] = (uint8_t)(n == 16 ? hg_rng_below(rng, k / 3, 0, 256) : k * 7 % 5);
  return n + items;
}

static void write_gz(const char *path, const uint8_t *bytes, size_t n)
{
  gzFile file = gzopen(path, "wb");
  cr_assert(file && gzwrite(file, bytes, (unsigned)n) == (int)n && gzclose(file) == Z_OK);
}

static const idx_file train_images = {0x803, N_TRAIN, HEIGHT, WIDTH, N_TRAIN},
                      test_images = {0x803, N_TEST, HEIGHT, WIDTH, N_TEST},
                      train_labels = {0x801, N_TRAIN, 0, 0, N_TRAIN}, test_labels = {0x801, N_TEST, 0, 0, N_TEST};

static void write_idx(const char *name, idx_file file, bool gz)
{
  uint8_t bytes[ROOM];
  size_t n = make_idx(file, bytes);
  if (gz)
    write_gz(path_in(folder, name), bytes, n);
  else
    write_file(path_in(folder, name), bytes, n);
}

static void write_set(void)
{
  write_idx("train-images-idx3-ubyte.gz", train_images, true);
  write_idx("train-labels-idx1-ubyte", train_labels, false);
  write_idx("t10k-images-idx3-ubyte", test_images, false);
  write_idx("t10k-labels-idx1-ubyte.gz", test_labels, true);
}

static hg_import_options small(void)
{
  hg_import_options o = hg_import_default();
  o.mnist.superpixels = 20;
  return o;
}

static hg_status import(const char *from, hg_import_options options, hg_imported *made)
{
  const hg_import_format *format;
  memset(made, 0, sizeof *made);
  cr_assert_eq(hg_import_find("mnist-idx", &format), HG_OK);
  return hg_import_read(made, format, from, &options, &report);
}

static hg_imported good(hg_import_options options)
{
  hg_imported made;
  cr_assert_eq(import(folder, options, &made), HG_OK, "%s", hg_error_text());
  cr_assert(made.is_collection);
  return made;
}

Test(idx, plain_and_gzip_files_give_the_same_items)
{
  for (int gz = 0; gz < 2; gz++) {
    hg_idx idx;
    uint8_t bytes[ROOM];
    make_idx(train_images, bytes);
    write_idx("images", train_images, gz);
    cr_assert_eq(hg_idx_read(&idx, path_in(folder, "images"), 3, 0), HG_OK, "%s", hg_error_text());
    cr_expect(idx.count == N_TRAIN && idx.total == N_TRAIN && idx.rows == HEIGHT && idx.columns == WIDTH);
    cr_expect_arr_eq(idx.bytes, bytes + 16, N_TRAIN * WIDTH * HEIGHT);
    hg_idx_free(&idx);
    cr_assert_eq(hg_idx_read(&idx, path_in(folder, "images"), 3, 2), HG_OK, "%s", hg_error_text());
    cr_expect(idx.count == 2 && idx.total == N_TRAIN);
    cr_expect_arr_eq(idx.bytes, bytes + 16, 2 * WIDTH * HEIGHT);
    hg_idx_free(&idx);
  }
}

static void expect_bad_idx(int n_dims, const char *message)
{
  hg_idx idx = {0};
  size_t before = hg_alloc_bytes();
  const char *path = path_in(folder, "file");
  cr_expect_eq(hg_idx_read(&idx, path, n_dims, 0), HG_ERR_INPUT, "expected: %s", message);
  cr_expect(strstr(hg_error_text(), message) && strstr(hg_error_text(), path), "found: %s\nexpected: %s",
            hg_error_text(), message);
  cr_expect(!idx.bytes && hg_alloc_bytes() == before, "memory was not given back: %s", message);
}

Test(idx, a_bad_header_or_size_is_refused)
{
  static const struct {
    idx_file file;
    bool gz;
    int n_dims;
    const char *message;
  } cases[] = {
      {{0x801, 3, 0, 0, 3}, false, 3, "found magic number 0x00000801, expected 0x00000803 (idx, images of"},
      {{0x803, 3, HEIGHT, WIDTH, 3}, true, 1, "found magic number 0x00000803, expected 0x00000801"},
      {{0xd03, 3, HEIGHT, WIDTH, 3}, false, 3, "found magic number 0x00000d03"},
      {{0x803, 0, HEIGHT, WIDTH, 0}, false, 3, "found 0 items, expected at least 1"},
      {{0x803, 3, 0, WIDTH, 3}, false, 3, "found images of 0 x 14, expected sides of 1 to 4096"},
      {{0x803, 3, HEIGHT, 0xffffffff, 3}, false, 3, "found images of 12 x 4294967295"},
      {{0x803, 0xffffffff, 4096, 4096, 3},
       false,
       3,
       "the header claims 72057594021150720 bytes, a file of 520 bytes cannot hold them"},
      {{0x803, 0x7fffffff, HEIGHT, WIDTH, 3}, true, 3, "the header claims 360777252696 bytes, a file of "},
      {{0x801, 4, 0, 0, 3}, false, 1, "cut short: found 3 of the header's 4 items"},
      {{0x803, 4, HEIGHT, WIDTH, 3}, true, 3, "cut short: found 3 of the header's 4 items"},
      {{0x803, 2, HEIGHT, WIDTH, 3}, true, 3, "found more bytes than the header's 2 items"},
      {{0x801, 2, 0, 0, 3}, false, 1, "found more bytes than the header's 2 items"},
  };
  for (size_t k = 0; k < sizeof cases / sizeof *cases; k++) {
    write_idx("file", cases[k].file, cases[k].gz);
    expect_bad_idx(cases[k].n_dims, cases[k].message);
  }
}

Test(idx, every_truncation_is_refused)
{
  uint8_t bytes[ROOM], packed[2 * ROOM];
  size_t n = make_idx((idx_file){0x803, 2, HEIGHT, WIDTH, 2}, bytes);
  write_gz(path_in(folder, "whole"), bytes, n);
  FILE *file = fopen(path_in(folder, "whole"), "rb");
  size_t n_packed = fread(packed, 1, sizeof packed, file);
  fclose(file);
  for (size_t k = 0; k < n; k += k < 20 ? 1 : 13) {
    write_file(path_in(folder, "file"), bytes, k);
    expect_bad_idx(3, k < 4 ? "expected an idx file" : k < 16 ? "the header is cut short" : "");
  }
  for (size_t k = 2; k < n_packed; k += k < 20 || k + 20 > n_packed ? 1 : 13) { // a byte alone is a plain file
    write_file(path_in(folder, "file"), packed, k);
    expect_bad_idx(3, "");
  }
  packed[n_packed - 6] ^= 1;
  write_file(path_in(folder, "file"), packed, n_packed);
  expect_bad_idx(3, "cannot read: incorrect data check");
}

Test(idx, a_path_that_is_no_file_is_refused)
{
  expect_bad_idx(3, "cannot open: No such file or directory");
  cr_assert_eq(hg_make_directories(path_in(folder, "file")), HG_OK);
  expect_bad_idx(3, "found no regular file, expected an idx file");
}

Test(import_mnist, images_become_graphs_with_labels_and_split)
{
  write_set();
  hg_import_options options = small();
  hg_imported made = good(options);
  const hg_collection *c = &made.collection;
  uint8_t label_bytes[ROOM];
  make_idx(train_labels, label_bytes);
  cr_expect_eq(c->n_graphs, N_TRAIN + N_TEST);
  cr_expect(c->items.task == HG_TASK_CLASSES && c->items.n_classes == 5);
  for (hg_off g = 0; g < c->n_graphs; g++) {
    int nodes = (int)(c->graph_ptr[g + 1] - c->graph_ptr[g]);
    cr_expect_eq(c->items.original_ids[g], g);
    cr_expect_eq(c->items.split[g],
                 g >= N_TRAIN ? HG_SPLIT_TEST
                 : g >= 28    ? HG_SPLIT_VAL
                              : HG_SPLIT_TRAIN,
                 "%d", (int)g);
    cr_expect(nodes > 10 && nodes < 30, "graph %d has %d nodes", (int)g, nodes);
  }
  for (int g = 0; g < N_TRAIN; g++) cr_expect_eq(c->items.labels[g], label_bytes[8 + g]);
  cr_expect(c->united.symmetric && c->united.nodes.n_dims == 2 && c->united.nodes.features.width == 1);
  cr_expect_eq(report.build.edges_in, hg_csr_entries(&c->united.adjacency));
  cr_expect_eq(report.build.isolated, 0);
  hg_imported_free(&made);
}

Test(import_mnist, a_grid_is_the_image_itself)
{
  write_set();
  hg_import_options options = small();
  options.mnist.kind = HG_IMAGE_GRID;
  hg_imported made = good(options);
  const hg_collection *c = &made.collection;
  uint8_t pixels[ROOM];
  make_idx(train_images, pixels);
  cr_assert_eq(c->united.nodes.n, (N_TRAIN + N_TEST) * WIDTH * HEIGHT);
  for (int i = 0; i < N_TRAIN * WIDTH * HEIGHT; i++) {
    const float *place = c->united.nodes.positions + 2 * (hg_off)i;
    int p = i % (WIDTH * HEIGHT);
    cr_assert_float_eq(c->united.nodes.features.dense[i], pixels[16 + i] / 255.0, 1e-7, "node %d", i);
    cr_assert(place[0] == (float)(p % WIDTH) && place[1] == (float)(p / WIDTH), "node %d", i);
  }
  cr_expect_eq(hg_csr_entries(&c->united.adjacency), (N_TRAIN + N_TEST) * 2 * (13 * 12 + 14 * 11 + 2 * 13 * 11));
  hg_imported_free(&made);
  options.mnist.grid_neighbours = 4;
  made = good(options);
  cr_expect_eq(hg_csr_entries(&made.collection.united.adjacency), (N_TRAIN + N_TEST) * 2 * (13 * 12 + 14 * 11));
  hg_imported_free(&made);
}

Test(import_mnist, a_limit_takes_the_first_images_and_keeps_classes_and_ids)
{
  write_set();
  hg_import_options options = small();
  options.mnist.limit = 3, options.mnist.n_val = 1;
  hg_imported made = good(options);
  const hg_nodes *items = &made.collection.items;
  const int64_t ids[] = {0, 1, 2, N_TRAIN, N_TRAIN + 1, N_TRAIN + 2};
  const uint8_t split[] = {HG_SPLIT_TRAIN, HG_SPLIT_TRAIN, HG_SPLIT_VAL, HG_SPLIT_TEST, HG_SPLIT_TEST, HG_SPLIT_TEST};
  cr_assert_eq(items->n, 6);
  cr_expect_eq(items->n_classes, 5);
  cr_expect_arr_eq(items->original_ids, ids, sizeof ids);
  cr_expect_arr_eq(items->split, split, sizeof split);
  hg_imported_free(&made);
  options.mnist.limit = 20;
  made = good(options);
  cr_expect_eq(made.collection.items.n, 20 + N_TEST);
  hg_imported_free(&made);
}

Test(import_mnist, the_graphs_do_not_depend_on_the_threads)
{
  write_set();
  for (int nearest = 0; nearest <= 3; nearest += 3) {
    hg_import_options options = small();
    options.mnist.nearest = nearest;
    hg_threads_set(1);
    hg_imported one = good(options);
    hg_threads_set(3);
    hg_imported three = good(options);
    const char *difference = graph_difference(&one.collection.united, &three.collection.united);
    cr_expect_null(difference, "%s differ", difference);
    cr_expect_eq(hg_collection_fingerprint(&one.collection), hg_collection_fingerprint(&three.collection));
    hg_imported_free(&one), hg_imported_free(&three);
  }
}

Test(import_mnist, what_does_not_fit_is_refused)
{
  static const struct {
    const char *name;
    idx_file file;
    const char *message;
  } cases[] = {
      {"train-labels-idx1-ubyte", {0x801, 29, 0, 0, 29}, "train-labels-idx1-ubyte: found 29 labels, expected 30"},
      {"t10k-images-idx3-ubyte", {0x803, 6, HEIGHT, WIDTH, 6}, "t10k-labels-idx1-ubyte.gz: found 7 labels, expected 6"},
      {"t10k-images-idx3-ubyte",
       {0x803, 7, HEIGHT / 2, WIDTH * 2, 7},
       "found t10k images of 6 x 28, expected 12 x 14 as those of train"},
      {"train-labels-idx1-ubyte",
       {0x803, 30, HEIGHT, WIDTH, 30},
       "train-labels-idx1-ubyte: found magic number 0x00000803"},
  };
  hg_imported made;
  size_t before = hg_alloc_bytes();
  for (size_t k = 0; k < sizeof cases / sizeof *cases; k++) {
    write_set();
    write_idx(cases[k].name, cases[k].file, false);
    cr_expect_eq(import(folder, small(), &made), HG_ERR_INPUT, "expected: %s", cases[k].message);
    cr_expect(strstr(hg_error_text(), cases[k].message), "found: %s\nexpected: %s", hg_error_text(), cases[k].message);
  }
  write_set();
  hg_import_options options = small();
  options.mnist.n_val = N_TRAIN;
  cr_expect_eq(import(folder, options, &made), HG_ERR_INPUT);
  cr_expect(strstr(hg_error_text(), "found 30 training images, expected more than the 30 for validation"), "%s",
            hg_error_text());
  options = small(), options.mnist.superpixels = 169;
  cr_expect_eq(import(folder, options, &made), HG_ERR_INPUT);
  cr_expect(strstr(hg_error_text(), "images have 168 pixels, expected at least the 169 superpixels that are wanted"),
            "%s", hg_error_text());
  remove(path_in(folder, "t10k-labels-idx1-ubyte.gz"));
  cr_expect_eq(import(folder, small(), &made), HG_ERR_INPUT);
  cr_expect(strstr(hg_error_text(), "found no t10k-labels-idx1-ubyte, nor with .gz: expected the four idx files"), "%s",
            hg_error_text());
  cr_expect_eq(hg_alloc_bytes(), before);
}

// Our graphs of the first digits beside those of scikit-image with the same parameters.
Test(import_mnist, digits_are_near_those_of_another_slic)
{
  hg_import_options options = hg_import_default();
  options.mnist.limit = 200;
  char raw[4096], npz[4096];
  snprintf(raw, sizeof raw, "%s", shared_data("raw/mnist"));
  snprintf(npz, sizeof npz, "%s", shared_data("mnist_superpixels.npz"));
  hg_imported ours, theirs;
  const hg_import_format *format;
  cr_assert_eq(import(raw, options, &ours), HG_OK, "%s", hg_error_text());
  cr_assert_eq(hg_import_find("npz", &format), HG_OK);
  cr_assert_eq(hg_import_read(&theirs, format, npz, &options, &report), HG_OK, "%s", hg_error_text());
  const hg_collection *a = &ours.collection, *b = &theirs.collection;
  double sums[2][4] = {{0}}; // intensities and their squares, nodes, edges of each
  for (int k = 0; k < 2; k++) {
    const hg_collection *c = k == 0 ? a : b;
    hg_off n = c->graph_ptr[200];
    for (hg_off i = 0; i < n; i++) {
      double x = c->united.nodes.features.dense[i];
      sums[k][0] += x / (double)n, sums[k][1] += x * x / (double)n;
    }
    sums[k][2] = (double)n / 200, sums[k][3] = (double)c->united.adjacency.indptr[n] / 200;
  }
  static const double tolerance[] = {0.06, 0.06, 0.08, 0.08};
  static const char *const what[] = {"mean intensity", "mean square", "nodes a graph", "edges a graph"};
  for (int k = 0; k < 4; k++)
    cr_expect(fabs(sums[0][k] / sums[1][k] - 1) < tolerance[k], "%s: %g, expected about %g", what[k], sums[0][k],
              sums[1][k]);
  cr_expect_arr_eq(a->items.labels, b->items.labels, 200 * sizeof *a->items.labels);
  hg_imported_free(&ours), hg_imported_free(&theirs);
}
