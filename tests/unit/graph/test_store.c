#include <criterion/criterion.h>
#include <fcntl.h>
#include <hdf5.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/base/alloc.h"
#include "core/base/files.h"
#include "tests/support/run.h"
#include "tests/support/sample_graph.h"

const char *__lsan_default_suppressions(void);

// HDF5 1.10 forgets an object header of its own when it refuses a damaged one; handles that we forget are counted
// below.
const char *__lsan_default_suppressions(void) { return "leak:libhdf5_serial"; }

static char *folder;

static void make_folder(void) { folder = temporary_folder(); }
static void remove_folder(void) { temporary_folder_remove(&folder); }

TestSuite(store, .init = make_folder, .fini = remove_folder);

static sample random_sample(uint64_t seed)
{
  sample what = sample_default(seed);
  what.n = (hg_off[]){0, 1, 2, 17, 61}[seed % 5];
  what.directed = seed % 3 == 0;
  what.sparse_features = seed % 2 == 0;
  what.width = (int[]){0, 1, 5, 130}[seed / 2 % 4];
  what.task = (hg_task)(seed % 4);
  what.n_classes = what.task == HG_TASK_NONE ? 0 : (int[]){1, 8, 9, 23}[seed / 4 % 4];
  what.split = seed % 7 != 0;
  what.n_dims = (int)(seed % 4);
  return what;
}

Test(store, a_graph_comes_back_bit_for_bit)
{
  const char *path = path_in(folder, "graph.hg");
  for (uint64_t seed = 0; seed < 60; seed++) {
    hg_graph graph = sample_graph(random_sample(seed)), back = {0};
    cr_assert_eq(hg_store_write_graph(path, &graph, "test"), HG_OK, "seed %d: %s", (int)seed, hg_error_text());
    cr_assert_eq(hg_store_read_graph(path, &back), HG_OK, "seed %d: %s", (int)seed, hg_error_text());
    const char *difference = graph_difference(&graph, &back);
    cr_expect_null(difference, "seed %d: %s differ", (int)seed, difference);
    hg_graph_free(&graph), hg_graph_free(&back);
  }
}

// Many chunks in each dataset, and a slice that starts and ends inside one.
Test(store, a_large_graph_comes_back_whole_and_in_slices)
{
  const char *path = path_in(folder, "large.hg");
  sample what = sample_default(3);
  what.n = 2500, what.density = 0.03, what.width = 70;
  hg_graph graph = sample_graph(what), back = {0}, slice = {0};
  cr_assert_eq(hg_store_write_graph(path, &graph, "test"), HG_OK, "%s", hg_error_text());
  cr_assert_eq(hg_store_read_graph(path, &back), HG_OK, "%s", hg_error_text());
  cr_expect_null(graph_difference(&graph, &back));
  cr_assert_eq(hg_store_read_rows(path, 1201, 777, &slice), HG_OK, "%s", hg_error_text());
  cr_expect_eq(memcmp(slice.nodes.features.dense, graph.nodes.features.dense + 1201 * 70, 777 * 70 * sizeof(float)), 0);
  cr_expect_eq(memcmp(slice.nodes.split, graph.nodes.split + 1201, 777), 0);
  hg_graph_free(&graph), hg_graph_free(&back), hg_graph_free(&slice);
}

static void expect_slice(const hg_graph *graph, const hg_graph *slice, hg_off first, uint64_t seed)
{
  const hg_csr *a = &graph->adjacency, *b = &slice->adjacency;
  const hg_nodes *x = &graph->nodes, *y = &slice->nodes;
  cr_expect_eq(b->n_cols, x->n);
  for (hg_off i = 0; i < y->n; i++) {
    hg_off count = b->indptr[i + 1] - b->indptr[i];
    cr_assert_eq(count, a->indptr[first + i + 1] - a->indptr[first + i], "seed %d, row %d", (int)seed, (int)i);
    cr_expect_eq(memcmp(b->indices + b->indptr[i], a->indices + a->indptr[first + i], (size_t)count * sizeof(hg_lid)),
                 0);
    cr_expect_eq(y->original_ids[i], x->original_ids[first + i]);
    if (x->labels) cr_expect_eq(y->labels[i], x->labels[first + i]);
    if (x->split) cr_expect_eq(y->split[i], x->split[first + i], "seed %d, split of %d", (int)seed, (int)i);
    if (x->n_dims) cr_expect_eq(y->positions[i * y->n_dims], x->positions[(first + i) * x->n_dims]);
    if (!x->features.indptr) continue;
    count = y->features.indptr[i + 1] - y->features.indptr[i];
    cr_assert_eq(count, x->features.indptr[first + i + 1] - x->features.indptr[first + i]);
    cr_expect_eq(memcmp(y->features.values + y->features.indptr[i], x->features.values + x->features.indptr[first + i],
                        (size_t)count * sizeof(float)),
                 0);
  }
}

Test(store, slices_of_every_cut_make_up_the_graph)
{
  const char *path = path_in(folder, "graph.hg");
  for (uint64_t seed = 0; seed < 20; seed++) {
    hg_graph graph = sample_graph(random_sample(seed));
    cr_assert_eq(hg_store_write_graph(path, &graph, "test"), HG_OK);
    for (hg_off first = 0; first <= graph.nodes.n; first += 1 + graph.nodes.n / 4) {
      for (hg_off n = 0; n <= graph.nodes.n - first; n += 1 + graph.nodes.n / 5) {
        hg_graph slice = {0};
        cr_assert_eq(hg_store_read_rows(path, first, n, &slice), HG_OK, "seed %d: %s", (int)seed, hg_error_text());
        expect_slice(&graph, &slice, first, seed);
        hg_graph_free(&slice);
      }
    }
    hg_graph_free(&graph);
  }
}

Test(store, a_slice_outside_the_graph_is_refused)
{
  const char *path = path_in(folder, "graph.hg");
  hg_graph graph = sample_graph(sample_default(1)), slice = {0};
  cr_assert_eq(hg_store_write_graph(path, &graph, "test"), HG_OK);
  cr_expect_eq(hg_store_read_rows(path, 50, 11, &slice), HG_ERR_INPUT);
  cr_expect(strstr(hg_error_text(), "holds 60 nodes, asked for 11 from 50"), "%s", hg_error_text());
  cr_expect_eq(hg_store_read_rows(path, -1, 1, &slice), HG_ERR_INPUT);
  cr_expect_eq(hg_store_read_rows(path, INT64_MAX, 1, &slice), HG_ERR_INPUT);
  cr_expect_eq(hg_store_read_rows(path, 1, INT64_MAX, &slice), HG_ERR_INPUT);
  hg_graph_free(&graph);
}

Test(store, header_says_what_the_graph_is)
{
  const char *path = path_in(folder, "graph.hg");
  sample what = sample_default(2);
  what.task = HG_TASK_MULTILABEL, what.n_classes = 11, what.sparse_features = true;
  hg_graph graph = sample_graph(what);
  hg_store_header header;
  hg_store_kind kind;
  cr_assert_eq(hg_store_write_graph(path, &graph, "test"), HG_OK);
  cr_assert_eq(hg_store_read_header(path, &header), HG_OK, "%s", hg_error_text());
  cr_assert_eq(hg_store_kind_of(path, &kind), HG_OK);
  cr_expect_eq(kind, HG_STORE_GRAPH);
  cr_expect_eq(header.n_nodes, 60);
  cr_expect_eq(header.n_edges, graph.adjacency.indptr[60]);
  cr_expect_eq(header.task, HG_TASK_MULTILABEL);
  cr_expect_eq(header.n_classes, 11);
  cr_expect_eq(header.feature_width, 5);
  cr_expect_eq(header.n_dims, 2);
  cr_expect(header.sparse_features);
  cr_expect(header.symmetric);
  cr_expect_eq(header.fingerprint, hg_graph_fingerprint(&graph));
  hg_off counts[HG_SPLIT_COUNT] = {0};
  for (int i = 0; i < 60; i++) counts[graph.nodes.split[i]]++;
  for (int k = 0; k < HG_SPLIT_COUNT; k++) cr_expect_eq(header.n_split[k], counts[k], "split %d", k);
  hg_graph_free(&graph);
}

Test(store, parts_come_back_whole_and_for_one_part)
{
  const char *path = path_in(folder, "parts.hg");
  hg_graph graph = sample_graph(sample_default(4));
  hg_parts_index index = sample_parts(&graph, 3), back = {0};
  hg_store_kind kind;
  hg_store_header header;
  cr_assert_eq(hg_store_write_parts(path, &graph, &index, "test"), HG_OK, "%s", hg_error_text());
  cr_assert_eq(hg_store_kind_of(path, &kind), HG_OK);
  cr_expect_eq(kind, HG_STORE_PARTS);
  cr_assert_eq(hg_store_read_header(path, &header), HG_OK);
  cr_expect_eq(header.fingerprint, index.fingerprint);
  for (int part = -1; part < 3; part++) {
    hg_off from = part < 0 ? 0 : index.halo_offsets[part], to = index.halo_offsets[part < 0 ? 3 : part + 1];
    cr_assert_eq(hg_store_read_parts_index(path, part, &back), HG_OK, "%s", hg_error_text());
    cr_expect_eq(back.n_parts, 3);
    cr_expect_eq(back.fingerprint, index.fingerprint);
    cr_expect_str_eq(back.recipe, index.recipe);
    cr_expect_str_eq(back.quality_json, index.quality_json);
    cr_expect_eq(memcmp(back.offsets, index.offsets, 4 * sizeof(hg_gid)), 0);
    cr_expect_eq(memcmp(back.halo_offsets, index.halo_offsets, 4 * sizeof(hg_off)), 0);
    cr_expect_eq(memcmp(back.halo_ids, index.halo_ids + from, (size_t)(to - from) * sizeof(hg_gid)), 0, "part %d",
                 part);
    hg_parts_index_free(&back);
  }
  cr_expect_eq(hg_store_read_parts_index(path, 3, &back), HG_ERR_INPUT);
  cr_expect(strstr(hg_error_text(), "asked for part 3, found parts 0..2"), "%s", hg_error_text());
  hg_parts_index_free(&index), hg_graph_free(&graph);
}

Test(store, quality_of_any_length_is_kept)
{
  const char *path = path_in(folder, "parts.hg");
  hg_graph graph = sample_graph(sample_default(5));
  hg_parts_index index = sample_parts(&graph, 2), back = {0};
  hg_free(&index.quality_json);
  cr_assert_eq(HG_ALLOC(index.quality_json, 200001, "quality"), HG_OK);
  memset(index.quality_json, 'q', 200000);
  cr_assert_eq(hg_store_write_parts(path, &graph, &index, "test"), HG_OK, "%s", hg_error_text());
  cr_assert_eq(hg_store_read_parts_index(path, -1, &back), HG_OK, "%s", hg_error_text());
  cr_expect_str_eq(back.quality_json, index.quality_json);
  hg_parts_index_free(&index), hg_parts_index_free(&back), hg_graph_free(&graph);
}

Test(store, what_is_no_graph_is_not_read_as_one)
{
  const char *path = path_in(folder, "parts.hg"), *plain = path_in(folder, "graph.hg");
  hg_graph graph = sample_graph(sample_default(6)), back = {0};
  hg_parts_index index = sample_parts(&graph, 2), none = {0};
  cr_assert_eq(hg_store_write_parts(path, &graph, &index, "test"), HG_OK);
  cr_assert_eq(hg_store_write_graph(plain, &graph, "test"), HG_OK);
  cr_expect_eq(hg_store_read_graph(path, &back), HG_ERR_INPUT);
  cr_expect(strstr(hg_error_text(), "found parts, expected a graph"), "%s", hg_error_text());
  cr_expect_eq(hg_store_read_parts_index(plain, -1, &none), HG_ERR_INPUT);
  cr_expect(strstr(hg_error_text(), "found no parts"), "%s", hg_error_text());
  hg_parts_index_free(&index), hg_graph_free(&graph);
}

Test(store, a_file_appears_complete_or_not_at_all)
{
  hg_graph graph = sample_graph(sample_default(7));
  const char *path = path_in(folder, "missing/graph.hg");
  cr_expect_eq(hg_store_write_graph(path, &graph, "test"), HG_ERR_INPUT);
  cr_expect_not(hg_file_exists(path));
  cr_expect_eq(hg_store_write_graph(folder, &graph, "test"), HG_ERR_INPUT);
  cr_expect(strstr(hg_error_text(), "found a folder"), "%s", hg_error_text());
  hg_graph_free(&graph);
}

Test(store, the_same_graph_makes_the_same_file)
{
  const char *one = path_in(folder, "one.hg"), *two = path_in(folder, "two.hg");
  hg_graph graph = sample_graph(sample_default(8));
  cr_assert_eq(hg_store_write_graph(one, &graph, "test"), HG_OK);
  sleep(1);
  cr_assert_eq(hg_store_write_graph(two, &graph, "test"), HG_OK);
  run_result result = run_program(10, "cmp", one, two, NULL);
  cr_expect_eq(result.status, 0, "%s", result.out);
  run_free(&result);
  hg_graph_free(&graph);
}

// Data, checksums and metadata: whatever byte is flipped, the graph that is read is the one that was written, or there
// is an error.
Test(store, no_flipped_byte_goes_unnoticed)
{
  const char *path = path_in(folder, "graph.hg");
  hg_graph graph = sample_graph(sample_default(9));
  cr_assert_eq(hg_store_write_graph(path, &graph, "test"), HG_OK);
  struct stat info;
  cr_assert_eq(stat(path, &info), 0);
  int file = open(path, O_RDWR), refused = 0;
  for (off_t at = 0; at < info.st_size; at += 7) {
    unsigned char byte, flipped;
    cr_assert_eq(pread(file, &byte, 1, at), 1);
    flipped = byte ^ 0x10;
    cr_assert_eq(pwrite(file, &flipped, 1, at), 1);
    hg_graph back = {0};
    hg_status rc = hg_store_read_graph(path, &back);
    if (rc == HG_OK)
      cr_expect_null(graph_difference(&graph, &back), "byte %ld was flipped: %s", (long)at,
                     graph_difference(&graph, &back));
    else
      cr_expect_eq(rc, HG_ERR_INPUT, "byte %ld: status %d: %s", (long)at, rc, hg_error_text());
    refused += rc != HG_OK;
    hg_graph_free(&back);
    cr_assert_eq(pwrite(file, &byte, 1, at), 1);
  }
  cr_expect_gt(refused, 100, "only %d flips were noticed", refused);
  close(file);
  hg_graph_free(&graph);
}

Test(store, a_file_cut_off_anywhere_is_refused)
{
  const char *path = path_in(folder, "graph.hg");
  hg_graph graph = sample_graph(sample_default(10));
  cr_assert_eq(hg_store_write_graph(path, &graph, "test"), HG_OK);
  struct stat info;
  cr_assert_eq(stat(path, &info), 0);
  for (off_t size = info.st_size - 1; size >= 0; size -= 1 + info.st_size / 50) {
    cr_assert_eq(truncate(path, size), 0);
    hg_graph back = {0};
    cr_expect_eq(hg_store_read_graph(path, &back), HG_ERR_INPUT, "cut to %ld bytes", (long)size);
    cr_expect(strstr(hg_error_text(), path), "%s", hg_error_text());
  }
  hg_graph_free(&graph);
}

static hsize_t open_handles(void)
{
  const H5I_type_t types[] = {H5I_FILE, H5I_GROUP, H5I_DATATYPE, H5I_DATASPACE, H5I_DATASET, H5I_ATTR, H5I_GENPROP_LST};
  hsize_t sum = 0, count = 0;
  for (size_t k = 0; k < sizeof types / sizeof *types; k++) sum += H5Inmembers(types[k], &count) >= 0 ? count : 0;
  return sum;
}

Test(store, nothing_is_left_by_an_error)
{
  const char *path = path_in(folder, "graph.hg");
  hg_graph graph = sample_graph(sample_default(11)), back = {0};
  graph.nodes.features.dense[17] = 1.0f / 0.0f;
  cr_assert_eq(hg_store_write_graph(path, &graph, "test"), HG_OK);
  size_t before = hg_alloc_bytes();
  hsize_t handles = open_handles();
  cr_expect_eq(hg_store_read_graph(path, &back), HG_ERR_INPUT);
  cr_expect(strstr(hg_error_text(), "graph.hg: node 3: feature 2 is inf"), "%s", hg_error_text());
  struct stat info;
  cr_assert_eq(stat(path, &info), 0);
  for (off_t size = info.st_size - 1; size > 0; size -= 97) {
    cr_assert_eq(truncate(path, size), 0);
    cr_expect_neq(hg_store_read_rows(path, 1, 7, &back), HG_OK);
  }
  cr_expect_eq(hg_alloc_bytes(), before);
  cr_expect_eq(open_handles(), handles);
  hg_graph_free(&graph);
}

static hg_status count_item(void *context, const char *object, const char *attribute, const char *text)
{
  int *counts = context;
  counts[attribute != NULL]++;
  if (!attribute && strcmp(object, "/positions") == 0) cr_expect_str_eq(text, "float32 60 x 2");
  if (attribute && strcmp(attribute, "creator") == 0) cr_expect_str_eq(text, "a line");
  return strcmp(object, "/split/val") == 0 ? hg_fail(HG_ERR_IO, "enough") : HG_OK;
}

Test(store, listing_goes_through_everything_and_stops_when_told)
{
  const char *path = path_in(folder, "graph.hg");
  sample what = sample_default(12);
  what.split = false;
  hg_graph graph = sample_graph(what);
  int counts[2] = {0};
  cr_assert_eq(hg_store_write_graph(path, &graph, "a line"), HG_OK);
  cr_expect_eq(hg_store_list(path, count_item, counts), HG_OK, "%s", hg_error_text());
  cr_expect_eq(counts[0], 6, "%d datasets", counts[0]);
  cr_expect_eq(counts[1], 7, "%d attributes", counts[1]);
  hg_graph_free(&graph);
  graph = sample_graph(sample_default(12));
  cr_assert_eq(hg_store_write_graph(path, &graph, "a line"), HG_OK);
  cr_expect_eq(hg_store_list(path, count_item, counts), HG_ERR_IO);
  cr_expect_str_eq(hg_error_text(), "enough");
  hg_graph_free(&graph);
}
