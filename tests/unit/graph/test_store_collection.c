#include <criterion/criterion.h>
#include <fcntl.h>
#include <math.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/base/alloc.h"
#include "tests/support/run.h"
#include "tests/support/sample_collection.h"
#include "tests/support/sample_graph.h"
#include "tests/support/spoil_h5.h"

static char *folder;

static void make_folder(void) { folder = temporary_folder(); }
static void remove_folder(void) { temporary_folder_remove(&folder); }

TestSuite(store_collection, .init = make_folder, .fini = remove_folder);

static hg_collection make(hg_off n_graphs, int width, int n_dims, hg_task task, int n_classes, uint64_t seed)
{
  hg_collection c;
  cr_assert_eq(sample_collection(&c, n_graphs, width, n_dims, task, n_classes, seed), HG_OK, "%s", hg_error_text());
  return c;
}

// 12 graphs, 3 features, 2-D, 4 classes
static const char *write_sample(const char *name, uint64_t seed)
{
  const char *path = path_in(folder, name);
  hg_collection c = make(12, 3, 2, HG_TASK_CLASSES, 4, seed);
  cr_assert_eq(hg_store_write_collection(path, &c, "test"), HG_OK, "%s", hg_error_text());
  hg_collection_free(&c);
  return path;
}

Test(store_collection, comes_back_bit_for_bit)
{
  const char *path = path_in(folder, "c.hg");
  for (uint64_t seed = 0; seed < 48; seed++) {
    hg_task task = (hg_task)(seed % 4);
    hg_collection c = make((hg_off[]){1, 2, 13, 60}[seed / 4 % 4], (int[]){0, 1, 7}[seed % 3], (int)(seed / 3 % 4),
                           task, 1 + (int)(seed % 10), seed),
                  back = {0};
    if (seed % 5 == 0) sample_collection_direct(&c, seed);
    if (seed % 7 == 0) hg_free(&c.items.split);
    cr_assert_eq(hg_store_write_collection(path, &c, "test"), HG_OK, "seed %d: %s", (int)seed, hg_error_text());
    cr_assert_eq(hg_store_read_collection(path, &back), HG_OK, "seed %d: %s", (int)seed, hg_error_text());
    const char *difference = collection_difference(&c, &back);
    cr_expect_null(difference, "seed %d: %s differ", (int)seed, difference);
    cr_expect_eq(hg_collection_fingerprint(&c), hg_collection_fingerprint(&back));
    hg_collection_free(&c), hg_collection_free(&back);
  }
}

Test(store_collection, the_header_says_what_it_holds)
{
  const char *path = path_in(folder, "c.hg");
  hg_collection c = make(30, 6, 3, HG_TASK_REGRESSION, 2, 9);
  hg_store_header h;
  hg_store_kind kind;
  hg_off counts[HG_SPLIT_COUNT] = {0};
  cr_assert_eq(hg_store_write_collection(path, &c, "a line"), HG_OK);
  cr_assert_eq(hg_store_kind_of(path, &kind), HG_OK);
  cr_assert_eq(hg_store_read_header(path, &h), HG_OK, "%s", hg_error_text());
  for (int g = 0; g < 30; g++) counts[c.items.split[g]]++;
  cr_expect_eq(kind, HG_STORE_COLLECTION);
  cr_expect_eq(h.kind, HG_STORE_COLLECTION);
  cr_expect_eq(h.n_graphs, 30);
  cr_expect_eq(h.n_nodes, c.united.nodes.n);
  cr_expect_eq(h.n_edges, hg_csr_entries(&c.united.adjacency));
  cr_expect_eq(h.feature_entries, 6 * h.n_nodes);
  cr_expect_eq(h.task, HG_TASK_REGRESSION);
  cr_expect(h.n_classes == 2 && h.feature_width == 6 && h.n_dims == 3 && h.symmetric && !h.sparse_features);
  cr_expect_arr_eq(h.n_split, counts, sizeof counts);
  cr_expect_eq(h.fingerprint, hg_collection_fingerprint(&c));
  cr_expect_str_eq(h.creator, "a line");
  hg_collection_free(&c);
}

Test(store_collection, ids_that_are_not_there_count_from_0)
{
  const char *path = write_sample("c.hg", 3);
  hid_t file = H5Fopen(path, H5F_ACC_RDWR, H5P_DEFAULT);
  H5Ldelete(file, "/original_ids", H5P_DEFAULT);
  H5Fclose(file);
  hg_collection c = {0};
  cr_assert_eq(hg_store_read_collection(path, &c), HG_OK, "%s", hg_error_text());
  for (int g = 0; g < 12; g++) cr_expect_eq(c.items.original_ids[g], g);
  hg_collection_free(&c);
}

static void expect_failure(hg_status rc, const char *message)
{
  cr_expect_eq(rc, HG_ERR_INPUT);
  cr_expect(strstr(hg_error_text(), message), "found '%s', expected '%s'", hg_error_text(), message);
}

Test(store_collection, no_kind_is_read_as_another)
{
  const char *path = write_sample("c.hg", 4), *plain = path_in(folder, "g.hg");
  hg_graph graph = sample_graph(sample_default(4)), back = {0};
  hg_parts_index index = {0};
  hg_collection c = {0};
  cr_assert_eq(hg_store_write_graph(plain, &graph, "test"), HG_OK);
  expect_failure(hg_store_read_graph(path, &back), "c.hg: found a collection of graphs, expected a graph");
  expect_failure(hg_store_read_rows(path, 0, 1, &back), "found a collection of graphs, expected a graph or parts");
  expect_failure(hg_store_read_parts_index(path, 0, &index), "found no parts");
  expect_failure(hg_store_read_collection(plain, &c), "g.hg: found a graph, expected a collection of graphs");
  hg_graph_free(&graph);
}

static const hsize_t few = 5, huge = 1000000000000;
static const double zeros[64];

static void no_pointers(hid_t f) { H5Ldelete(f, "/graph_ptr", H5P_DEFAULT); }
static void pointers_float(hid_t f) { h5_replace(f, "/graph_ptr", H5T_NATIVE_DOUBLE, 1, &few, zeros); }
static void pointers_short(hid_t f) { h5_replace(f, "/graph_ptr", H5T_NATIVE_INT32, 1, &few, zeros); }
static void pointers_none(hid_t f) { h5_replace(f, "/graph_ptr", H5T_NATIVE_INT64, 1, &(hsize_t){0}, zeros); }
static void pointers_huge(hid_t f) { h5_replace(f, "/graph_ptr", H5T_NATIVE_INT64, 1, &huge, NULL); }
static void pointers_many(hid_t f) { h5_replace(f, "/graph_ptr", H5T_NATIVE_UINT8, 2, (hsize_t[]){8, 8}, zeros); }
static void pointers_few(hid_t f) { h5_replace(f, "/graph_ptr", H5T_NATIVE_INT64, 1, &few, zeros); }
static void pointers_late(hid_t f) { h5_poke_long(f, "/graph_ptr", 0, 1); }
static void pointers_negative(hid_t f) { h5_poke_long(f, "/graph_ptr", 0, INT64_MIN); }
static void pointers_fall(hid_t f) { h5_poke_long(f, "/graph_ptr", 3, 1); }
static void pointers_beyond(hid_t f) { h5_poke_long(f, "/graph_ptr", 12, INT64_MAX); }
static void pointers_more(hid_t f)
{
  static const int64_t many[2000];
  h5_replace(f, "/graph_ptr", H5T_NATIVE_INT64, 1, &(hsize_t){2000}, many);
}
static void empty_graph(hid_t f)
{
  int64_t borders[4] = {0};
  hid_t set = H5Dopen2(f, "/graph_ptr", H5P_DEFAULT), space = H5Dget_space(set),
        memory = H5Screate_simple(1, &(hsize_t){4}, NULL);
  H5Sselect_hyperslab(space, H5S_SELECT_SET, &(hsize_t){0}, NULL, &(hsize_t){4}, NULL);
  H5Dread(set, H5T_NATIVE_INT64, memory, space, H5P_DEFAULT, borders);
  H5Sclose(memory), H5Sclose(space), H5Dclose(set);
  h5_poke_long(f, "/graph_ptr", 2, borders[1]);
}
static void moved_border(hid_t f) { h5_poke_long(f, "/graph_ptr", 1, 1); }
static void sparse(hid_t f)
{
  H5Ldelete(f, "/features", H5P_DEFAULT);
  H5Gclose(H5Gcreate2(f, "/features", H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT));
  hid_t group = H5Gopen2(f, "/features", H5P_DEFAULT), space = H5Screate(H5S_SCALAR);
  hid_t id = H5Acreate2(group, "width", H5T_NATIVE_INT64, space, H5P_DEFAULT, H5P_DEFAULT);
  H5Awrite(id, H5T_NATIVE_INT64, &(int64_t){3});
  hid_t nodes = H5Dopen2(f, "/csr/indptr", H5P_DEFAULT), rows = H5Dget_space(nodes);
  static const int64_t starts[2000];
  hsize_t n;
  H5Sget_simple_extent_dims(rows, &n, NULL);
  H5Aclose(id), H5Sclose(space), H5Gclose(group), H5Dclose(nodes), H5Sclose(rows);
  h5_replace(f, "/features/indptr", H5T_NATIVE_INT64, 1, &n, starts);
  h5_replace(f, "/features/indices", H5T_NATIVE_INT32, 1, &few, zeros);
  h5_replace(f, "/features/values", H5T_NATIVE_FLOAT, 1, &few, zeros);
}
static void label_outside(hid_t f) { h5_poke_long(f, "/labels", 11, 4); }
static void split_outside(hid_t f) { h5_replace(f, "/split/test", H5T_NATIVE_INT64, 1, &(hsize_t){1}, &(int64_t){12}); }
static void split_of_nodes(hid_t f) { h5_replace(f, "/split/train", H5T_NATIVE_INT64, 1, &(hsize_t){13}, zeros); }
static void ids_of_nodes(hid_t f) { h5_replace(f, "/original_ids", H5T_NATIVE_INT64, 1, &(hsize_t){13}, zeros); }
static void positions_nan(hid_t f) { h5_poke(f, "/positions", 4, H5T_NATIVE_FLOAT, &(float){NAN}); }
static void positions_fewer(hid_t f) { h5_replace(f, "/positions", H5T_NATIVE_FLOAT, 2, (hsize_t[]){12, 2}, zeros); }
static void features_inf(hid_t f) { h5_poke(f, "/features", 6, H5T_NATIVE_FLOAT, &(float){INFINITY}); }
static void edge_beyond(hid_t f) { h5_poke_long(f, "/csr/indices", 0, INT32_MAX); }
static void is_graph(hid_t f) { h5_set_text(f, "/", "halognn_format", "graph"); }

Test(store_collection, each_damaged_file_is_refused_with_its_reason)
{
  static const struct {
    void (*spoil)(hid_t file);
    const char *message;
  } cases[] = {
      {no_pointers, "/graph_ptr: is missing"},
      {pointers_float, "/graph_ptr: found float64, expected int64"},
      {pointers_short, "/graph_ptr: found int32, expected int64"},
      {pointers_none, "/graph_ptr: found 0 elements, expected the graphs"},
      {pointers_huge, "/graph_ptr: claims 8000000000000 bytes, but the file holds 0 of it"},
      {pointers_many, "/graph_ptr: found uint8, expected int64"},
      {pointers_few, "/labels: found 12 rows, expected 4"},
      {pointers_late, "the first graph starts at node 1, expected 0"},
      {pointers_negative, "the first graph starts at node -9223372036854775808, expected 0"},
      {pointers_fall, "graph 2: ends at node 1 and starts at "},
      {pointers_beyond, "the last graph ends at node 9223372036854775807, expected the "},
      {pointers_more, "/graph_ptr: found 2000 elements, expected the graphs (at most as many as the "},
      {empty_graph, "expected at least one node"},
      {moved_border, "in another graph, expected 0 to 0"},
      {sparse, "/features: found a sparse matrix, expected a dense one in a collection"},
      {label_outside, "graph 11: label 4 is outside -1..3"},
      {split_outside, "/split/test: 12 follows -1, expected ascending graphs below 12"},
      {split_of_nodes, "/split/train: the splits list more than the 12 graphs"},
      {ids_of_nodes, "/original_ids: found 13 rows, expected 12"},
      {positions_nan, "node 4: position 0 is nan, expected a finite number"},
      {positions_fewer, "/positions: found 12 rows, expected "},
      {features_inf, "node 6: feature 0 is inf, expected a finite number"},
      {edge_beyond, "in-neighbour 2147483647 is outside 0.."},
      {is_graph, "/labels: found 12 rows, expected "},
  };
  for (size_t k = 0; k < sizeof cases / sizeof *cases; k++) {
    const char *path = write_sample("c.hg", 6);
    hg_collection c = {0};
    h5_spoil(path, cases[k].spoil);
    size_t before = hg_alloc_bytes();
    hg_status rc = hg_store_read_collection(path, &c);
    expect_failure(rc, cases[k].message);
    cr_expect(strstr(hg_error_text(), path), "%s", hg_error_text());
    cr_expect_eq(hg_alloc_bytes(), before);
  }
}

Test(store_collection, no_flipped_byte_goes_unnoticed)
{
  const char *path = write_sample("c.hg", 7);
  hg_collection c = make(12, 3, 2, HG_TASK_CLASSES, 4, 7);
  struct stat info;
  cr_assert_eq(stat(path, &info), 0);
  int file = open(path, O_RDWR), refused = 0;
  for (off_t at = 0; at < info.st_size; at += 11) {
    unsigned char byte, flipped;
    cr_assert_eq(pread(file, &byte, 1, at), 1);
    flipped = byte ^ 0x10;
    cr_assert_eq(pwrite(file, &flipped, 1, at), 1);
    hg_collection back = {0};
    hg_status rc = hg_store_read_collection(path, &back);
    if (rc == HG_OK)
      cr_expect_null(collection_difference(&c, &back), "byte %ld was flipped", (long)at);
    else
      cr_expect_eq(rc, HG_ERR_INPUT, "byte %ld: status %d: %s", (long)at, rc, hg_error_text());
    refused += rc != HG_OK;
    hg_collection_free(&back);
    cr_assert_eq(pwrite(file, &byte, 1, at), 1);
  }
  cr_expect_gt(refused, 100, "only %d flips were noticed", refused);
  close(file);
  hg_collection_free(&c);
}

Test(store_collection, a_file_cut_off_anywhere_is_refused)
{
  const char *path = write_sample("c.hg", 8);
  struct stat info;
  cr_assert_eq(stat(path, &info), 0);
  for (off_t size = info.st_size - 1; size >= 0; size -= 1 + info.st_size / 40) {
    hg_collection back = {0};
    cr_assert_eq(truncate(path, size), 0);
    cr_expect_eq(hg_store_read_collection(path, &back), HG_ERR_INPUT, "cut to %ld bytes", (long)size);
  }
}
