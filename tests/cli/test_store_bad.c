#include <criterion/criterion.h>
#include <fcntl.h>
#include <hdf5.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/base/alloc.h"
#include "core/base/files.h"
#include "tests/support/run.h"
#include "tests/support/sample_graph.h"
#include "tests/support/spoil_h5.h"

/**
 * Damaged files: each case spoils a good one, and every command that reads it must say what is wrong in one line and
 * end with status 2.
 */

static char *folder;

static void make_folder(void) { folder = temporary_folder(); }
static void remove_folder(void) { temporary_folder_remove(&folder); }

TestSuite(store_bad, .init = make_folder, .fini = remove_folder, .timeout = 120);

static const hsize_t huge = 1000000000000, huge_matrix[2] = {60, 2000000000}, sixty = 60, sixty_one = 61, one = 1,
                     square[2] = {60, 60};
static const double zeros[3600];

static void no_format(hid_t f) { H5Adelete(f, "halognn_format"); }
static void other_format(hid_t f) { h5_set_text(f, "/", "halognn_format", "picture"); }
static void format_is_number(hid_t f) { h5_set_number(f, "/", "halognn_format", 3); }
static void future_version(hid_t f) { h5_set_number(f, "/", "halognn_version", 99); }
static void no_fingerprint(hid_t f) { H5Adelete(f, "fingerprint"); }
static void symmetric_2(hid_t f) { h5_set_number(f, "/", "symmetric", 2); }
static void no_indptr(hid_t f) { H5Ldelete(f, "/csr/indptr", H5P_DEFAULT); }
static void no_csr(hid_t f) { H5Ldelete(f, "/csr", H5P_DEFAULT); }
static void no_indices(hid_t f) { H5Ldelete(f, "/csr/indices", H5P_DEFAULT); }
static void indptr_float(hid_t f) { h5_replace(f, "/csr/indptr", H5T_NATIVE_DOUBLE, 1, &sixty_one, zeros); }
static void indptr_short(hid_t f) { h5_replace(f, "/csr/indptr", H5T_NATIVE_INT32, 1, &sixty_one, zeros); }
static void indptr_matrix(hid_t f) { h5_replace(f, "/csr/indptr", H5T_NATIVE_INT64, 2, square, zeros); }
static void indptr_empty(hid_t f) { h5_replace(f, "/csr/indptr", H5T_NATIVE_INT64, 1, &(hsize_t){0}, zeros); }
static void indptr_falls(hid_t f) { h5_poke_long(f, "/csr/indptr", 30, 5); }
static void indptr_late(hid_t f) { h5_poke_long(f, "/csr/indptr", 0, 1); }
static void indptr_beyond(hid_t f) { h5_poke_long(f, "/csr/indptr", 60, INT64_MAX); }
static void indptr_negative(hid_t f) { h5_poke_long(f, "/csr/indptr", 0, INT64_MIN); }
static void indptr_huge(hid_t f) { h5_replace(f, "/csr/indptr", H5T_NATIVE_INT64, 1, &huge, NULL); }
static void indices_huge(hid_t f) { h5_replace(f, "/csr/indices", H5T_NATIVE_INT32, 1, &huge, NULL); }
static void indices_unsigned(hid_t f) { h5_replace(f, "/csr/indices", H5T_NATIVE_UINT32, 1, &sixty, zeros); }
static void indices_fewer(hid_t f) { h5_replace(f, "/csr/indices", H5T_NATIVE_INT32, 1, &sixty, zeros); }
static void edge_outside(hid_t f) { h5_poke_long(f, "/csr/indices", 0, 60); }
static void edge_negative(hid_t f) { h5_poke_long(f, "/csr/indices", 0, -1); }
static void features_nan(hid_t f) { h5_poke(f, "/features", 7, H5T_NATIVE_FLOAT, &(float){NAN}); }
static void features_double(hid_t f) { h5_replace(f, "/features", H5T_NATIVE_DOUBLE, 2, square, zeros); }
static void features_list(hid_t f) { h5_replace(f, "/features", H5T_NATIVE_FLOAT, 1, &sixty, zeros); }
static void features_fewer(hid_t f) { h5_replace(f, "/features", H5T_NATIVE_FLOAT, 2, (hsize_t[]){59, 60}, zeros); }
static void features_huge(hid_t f) { h5_replace(f, "/features", H5T_NATIVE_FLOAT, 2, huge_matrix, NULL); }
static void features_text(hid_t f) { h5_replace(f, "/features", H5T_C_S1, 1, &sixty, zeros); }
static void labels_outside(hid_t f) { h5_poke_long(f, "/labels", 59, 4); }
static void labels_no_task(hid_t f) { H5Adelete_by_name(f, "/labels", "task", H5P_DEFAULT); }
static void labels_bad_task(hid_t f) { h5_set_text(f, "/labels", "task", "guess"); }
static void labels_no_classes(hid_t f) { h5_set_number(f, "/labels", "n_classes", 0); }
static void labels_as_bits(hid_t f) { h5_set_text(f, "/labels", "task", "multilabel"); }
static void split_twice(hid_t f) { h5_poke_long(f, "/split/train", 1, 0), h5_poke_long(f, "/split/train", 0, 0); }
static void split_outside(hid_t f) { h5_replace(f, "/split/test", H5T_NATIVE_INT64, 1, &one, &(int64_t){60}); }
static void split_negative(hid_t f) { h5_replace(f, "/split/test", H5T_NATIVE_INT64, 1, &one, &(int64_t){-1}); }
static void split_missing(hid_t f) { H5Ldelete(f, "/split/val", H5P_DEFAULT); }
static void split_more(hid_t f) { h5_replace(f, "/split/val", H5T_NATIVE_INT64, 1, &sixty_one, zeros); }
static void positions_fewer(hid_t f) { h5_replace(f, "/positions", H5T_NATIVE_FLOAT, 2, (hsize_t[]){30, 2}, zeros); }
static void ids_unwritten(hid_t f) { h5_replace(f, "/original_ids", H5T_NATIVE_INT64, 1, &sixty, NULL); }
static void csr_is_dataset(hid_t f)
{
  H5Ldelete(f, "/csr", H5P_DEFAULT), h5_replace(f, "/csr", H5T_NATIVE_INT64, 1, &sixty, zeros);
}
static void indptr_is_group(hid_t f)
{
  H5Ldelete(f, "/csr/indptr", H5P_DEFAULT);
  H5Gclose(H5Gcreate2(f, "/csr/indptr", H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT));
}

static void huge_chunks(hid_t f)
{
  H5Ldelete(f, "/labels", H5P_DEFAULT);
  hid_t space = H5Screate_simple(1, &sixty, (hsize_t[]){H5S_UNLIMITED}), options = H5Pcreate(H5P_DATASET_CREATE);
  H5Pset_chunk(options, 1, (hsize_t[]){1000000000});
  H5Pset_deflate(options, 9);
  H5Dclose(H5Dcreate2(f, "/labels", H5T_NATIVE_INT32, space, H5P_DEFAULT, options, H5P_DEFAULT));
  H5Pclose(options), H5Sclose(space);
  h5_set_text(f, "/labels", "task", "classes");
  h5_set_number(f, "/labels", "n_classes", 4);
}

static void external_data(hid_t f)
{
  H5Ldelete(f, "/original_ids", H5P_DEFAULT);
  hid_t space = H5Screate_simple(1, &sixty, NULL), options = H5Pcreate(H5P_DATASET_CREATE);
  H5Pset_external(options, "/etc/passwd", 0, 480);
  H5Dclose(H5Dcreate2(f, "/original_ids", H5T_NATIVE_INT64, space, H5P_DEFAULT, options, H5P_DEFAULT));
  H5Pclose(options), H5Sclose(space);
}

typedef struct {
  const char *name;
  void (*spoil)(hid_t file);
  const char *message;
} bad_file;

static const bad_file bad_graphs[] = {
    {"no_format", no_format, "attribute halognn_format of / is missing"},
    {"other_format", other_format, "halognn_format of / is 'picture', expected graph, parts, collection or checkpoint"},
    {"format_is_number", format_is_number, "attribute halognn_format of / is no text, expected one"},
    {"future_version", future_version, "attribute halognn_version of / is 99, expected 1 to 1"},
    {"no_fingerprint", no_fingerprint, "attribute fingerprint of / is missing"},
    {"symmetric_2", symmetric_2, "attribute symmetric of / is 2, expected 0 to 1"},
    {"no_indptr", no_indptr, "/csr/indptr: is missing"},
    {"no_csr", no_csr, "/csr/indptr: is missing"},
    {"no_indices", no_indices, "/csr/indices: is missing"},
    {"csr_is_dataset", csr_is_dataset, "/csr/indptr: is missing"},
    {"indptr_is_group", indptr_is_group, "/csr/indptr: cannot be opened as a dataset"},
    {"indptr_float", indptr_float, "/csr/indptr: found float64, expected int64"},
    {"indptr_short", indptr_short, "/csr/indptr: found int32, expected int64"},
    {"indptr_matrix", indptr_matrix, "/csr/indptr: found 2 dimensions, expected 1"},
    {"indptr_empty", indptr_empty, "/csr/indptr: found 0 elements, expected 1 to 2^31"},
    {"indptr_falls", indptr_falls, "/csr/indptr: falls from "},
    {"indptr_late", indptr_late, "/csr/indptr: starts at 1, expected 0"},
    {"indptr_beyond", indptr_beyond, "/csr/indptr: row 59 ends at 9223372036854775807, but there are "},
    {"indptr_negative", indptr_negative, "/csr/indptr: starts at -9223372036854775808, expected 0"},
    {"indptr_huge", indptr_huge, "/csr/indptr: claims 8000000000000 bytes, but the file holds 0 of it"},
    {"indices_huge", indices_huge, "/csr/indices: claims 4000000000000 bytes, but the file holds 0 of it"},
    {"indices_unsigned", indices_unsigned, "/csr/indices: found uint32, expected int32"},
    {"indices_fewer", indices_fewer, "/csr/indptr: row 59 ends at "},
    {"edge_outside", edge_outside, "node 0: in-neighbour 60 is outside 0..59"},
    {"edge_negative", edge_negative, "node 0: in-neighbour -1 is outside 0..59"},
    {"features_nan", features_nan, "node 7: feature 0 is nan, expected a finite number"},
    {"features_double", features_double, "/features: found float64, expected float32"},
    {"features_list", features_list, "/features: found 1 dimensions, expected 2"},
    {"features_fewer", features_fewer, "/features: found 59 rows, expected 60"},
    {"features_huge", features_huge, "/features: claims 480000000000 bytes, but the file holds 0 of it"},
    {"features_text", features_text, "/features: found an element of class 3, expected float32"},
    {"labels_outside", labels_outside, "node 59: label 4 is outside -1..3"},
    {"labels_no_task", labels_no_task, "attribute task of /labels is missing"},
    {"labels_bad_task", labels_bad_task,
     "attribute task of /labels is 'guess', expected classes, multilabel or regression"},
    {"labels_no_classes", labels_no_classes, "attribute n_classes of /labels is 0, expected 1 to "},
    {"labels_as_bits", labels_as_bits, "/labels: found int32, expected uint8"},
    {"split_twice", split_twice, "/split/train: 0 follows 0, expected ascending nodes below 60"},
    {"split_outside", split_outside, "/split/test: 60 follows -1, expected ascending nodes below 60"},
    {"split_negative", split_negative, "/split/test: -1 follows -1, expected ascending nodes below 60"},
    {"split_missing", split_missing, "/split/val: is missing"},
    {"split_more", split_more, "/split/val: the splits list more than the 60 nodes"},
    {"positions_fewer", positions_fewer, "/positions: found 30 rows, expected 60"},
    {"ids_unwritten", ids_unwritten, "/original_ids: claims 480 bytes, but the file holds 0 of it"},
    {"huge_chunks", huge_chunks, "/labels: found chunks of more than 64 MiB"},
    {"external_data", external_data, "/original_ids: found data in another file, expected it in this one"},
};

static void offsets_end(hid_t f) { h5_poke_long(f, "/parts/offsets", 3, 59); }
static void offsets_fall(hid_t f) { h5_poke_long(f, "/parts/offsets", 1, 50); }
static void halo_own(hid_t f) { h5_poke_long(f, "/parts/halo_ids", 0, 0); }
static void halo_outside(hid_t f) { h5_poke_long(f, "/parts/halo_ids", 0, 60); }
static void halo_more(hid_t f) { h5_poke_long(f, "/parts/halo_offsets", 3, 1000000); }
static void interior_more(hid_t f) { h5_poke_long(f, "/parts/n_interior", 1, 21); }
static void covers_are(hid_t f, hsize_t n, const int *kinds)
{
  int mark = 1;
  h5_replace(f, "/parts/covers", H5T_NATIVE_INT, 2, (const hsize_t[]){n, 3}, kinds);
  h5_replace(f, "/parts/halo_in_covers", H5T_NATIVE_INT, 1, (const hsize_t[]){1}, &mark);
}
static void covers_fewer(hid_t f) { covers_are(f, 1, (const int[]){-1, 1, 1}); }
static void covers_odd(hid_t f) { covers_are(f, 1, (const int[]){-1, 1, 0}); }
static void covers_early(hid_t f) { covers_are(f, 1, (const int[]){-2, 1, 1}); }
static void covers_many(hid_t f) { covers_are(f, 32, (const int[96]){0}); }
static void covers_unknown(hid_t f)
{
  int mark = 2;
  h5_poke(f, "/parts/halo_in_covers", 3, H5T_NATIVE_INT, &mark);
}
static void no_parts(hid_t f) { H5Ldelete(f, "/parts", H5P_DEFAULT); }
static void quality_no_json(hid_t f) { h5_set_text(f, "/parts", "quality", "{\"edge_cut\": "); }

static const bad_file bad_parts[] = {
    {"offsets_end", offsets_end, "/parts/offsets: ends at 59, expected the 60 nodes"},
    {"offsets_fall", offsets_fall, "/parts/offsets: falls from 50 to 40 at part 2"},
    {"halo_own", halo_own, "/parts/halo_ids: part 0: found 0 after -1"},
    {"halo_outside", halo_outside, "/parts/halo_ids: part 0: found 60 after -1"},
    {"halo_more", halo_more, "/parts/halo_ids: found "},
    {"interior_more", interior_more, "/parts/n_interior: part 1 has 21 interior nodes of 20"},
    {"covers_fewer", covers_fewer, "/parts/halo_in_covers: found 1 elements, expected "},
    {"covers_odd", covers_odd, "/parts/covers: found steps -1 and widths 1 and 0, expected at least -1, 1 and 1"},
    {"covers_early", covers_early, "/parts/covers: found steps -2 and widths 1 and 1, expected at least -1, 1 and 1"},
    {"covers_many", covers_many, "/parts/covers: found 32 x 3 numbers, expected at most 31 x 3"},
    {"covers_unknown", covers_unknown, "/parts/halo_in_covers: found 2, expected bits of 1 covers"},
    {"no_parts", no_parts, "/parts/offsets: is missing"},
    {"quality_no_json", quality_no_json, "attribute quality of /parts is no JSON object"},
};

static void write_sample(const char *path, bool parts)
{
  hg_graph graph = sample_graph(sample_default(31));
  hg_parts_index index = sample_parts(&graph, 3);
  index.covers = (hg_known_covers){.n = 1, .kinds = {{HG_COVER_ALL, 1, 1}}};
  cr_assert_eq(HG_ALLOC(index.covers.halo, index.halo_offsets[3], "covers"), HG_OK);
  hg_status rc =
      parts ? hg_store_write_parts(path, &graph, &index, "test") : hg_store_write_graph(path, &graph, "test");
  cr_assert_eq(rc, HG_OK, "%s", hg_error_text());
  hg_parts_index_free(&index), hg_graph_free(&graph);
}

// Status 2, nothing on standard output, one line on standard error that names the file and says what is wrong.
static void expect_refused(const char *name, const char *path, const char *message, run_result result)
{
  cr_expect_eq(result.status, 2, "%s: status %d, %s", name, result.status, result.err);
  cr_expect_str_eq(result.out, "", "%s: printed %s", name, result.out);
  cr_expect_eq(strncmp(result.err, "halognn: ", 9), 0, "%s: %s", name, result.err);
  const char *end = strchr(result.err, '\n');
  cr_expect(end && end[1] == '\0', "%s: not one line: %s", name, result.err);
  cr_expect(strstr(result.err, path) && strstr(result.err, message), "%s: found '%s', expected '%s'", name, result.err,
            message);
  run_free(&result);
}

static void expect_refused_by_all(const char *name, const char *path, const char *message)
{
  char output[4200];
  snprintf(output, sizeof output, "%s/output.hg", folder); // the buffers of path_in hold `path`, too
  expect_refused(name, path, message, run_program(20, HALOGNN, "info", path, NULL));
  expect_refused(name, path, message, run_program(20, HALOGNN, "partition", path, "-k", "2", "-o", output, NULL));
  cr_expect_not(hg_file_exists(output), "%s: something was written", name);
}

Test(store_bad, each_damaged_graph_is_refused_with_its_reason)
{
  const char *path = path_in(folder, "graph.hg");
  for (size_t k = 0; k < sizeof bad_graphs / sizeof *bad_graphs; k++) {
    write_sample(path, false);
    h5_spoil(path, bad_graphs[k].spoil);
    expect_refused_by_all(bad_graphs[k].name, path, bad_graphs[k].message);
  }
}

Test(store_bad, each_damaged_parts_file_is_refused_with_its_reason)
{
  const char *path = path_in(folder, "parts.hg");
  for (size_t k = 0; k < sizeof bad_parts / sizeof *bad_parts; k++) {
    write_sample(path, true);
    h5_spoil(path, bad_parts[k].spoil);
    expect_refused(bad_parts[k].name, path, bad_parts[k].message, run_program(20, HALOGNN, "info", path, NULL));
  }
}

Test(store_bad, what_is_no_hdf5_file_is_refused)
{
  const char *path = path_in(folder, "x.hg");
  unsigned char garbage[5000];
  for (size_t k = 0; k < sizeof garbage; k++) garbage[k] = (unsigned char)(k * 37 + k / 7);
  expect_refused_by_all("missing", path, "there is no such file");
  write_file(path, garbage, 0);
  expect_refused_by_all("empty", path, "found an empty file");
  write_file(path, garbage, sizeof garbage);
  expect_refused_by_all("garbage", path, "found no HDF5 file");
  write_text(path, "0 1\n1 2\n");
  expect_refused_by_all("edge list", path, "found no HDF5 file");
  write_file(path, "\x89HDF\r\n\x1a\n", 8);
  expect_refused_by_all("signature alone", path, "cannot be opened, is it cut off or damaged?");
  expect_refused_by_all("folder", folder, "found a folder, expected an .hg file");
  expect_refused_by_all("device", "/dev/null", "found no regular file, expected an .hg file");
}

Test(store_bad, a_truncated_file_is_refused)
{
  const char *path = path_in(folder, "graph.hg");
  write_sample(path, false);
  struct stat info;
  cr_assert_eq(stat(path, &info), 0);
  for (int eighth = 7; eighth > 0; eighth -= 2) {
    cr_assert_eq(truncate(path, info.st_size * eighth / 8), 0);
    expect_refused_by_all("truncated", path, path);
  }
}

// The features are found by their bytes; one bit of them is flipped.
Test(store_bad, a_flipped_bit_under_a_checksum_is_refused)
{
  const char *path = path_in(folder, "graph.hg");
  write_sample(path, false);
  hg_graph graph = sample_graph(sample_default(31));
  int file = open(path, O_RDWR);
  static unsigned char bytes[1 << 20];
  ssize_t size = read(file, bytes, sizeof bytes);
  unsigned char *at = memmem(bytes, (size_t)size, graph.nodes.features.dense, 64);
  cr_assert(at);
  at[20] ^= 1;
  cr_assert_eq(pwrite(file, at + 20, 1, at + 20 - bytes), 1);
  close(file);
  expect_refused_by_all("flipped", path, "/features: is damaged: data error detected by Fletcher32 checksum");
  hg_graph_free(&graph);
}

Test(store_bad, a_parts_file_is_no_graph_to_partition)
{
  const char *path = path_in(folder, "parts.hg"), *output = path_in(folder, "output.hg");
  write_sample(path, true);
  expect_refused("parts", path, "found no graph to partition",
                 run_program(20, HALOGNN, "partition", path, "-k", "2", "-o", output, NULL));
}
