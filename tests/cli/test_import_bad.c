#include <criterion/criterion.h>
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>

#include "tests/support/make_npz.h"
#include "tests/support/run.h"

// Each bad input through the built program: status 2, one line on standard error that names the file, nothing written.
enum { LIMIT_S = 20 };

static char *folder;

static void open_folder(void) { folder = temporary_folder(); }
static void close_folder(void) { temporary_folder_remove(&folder); }

TestSuite(import_bad, .init = open_folder, .fini = close_folder);
TestSuite(import_good, .init = open_folder, .fini = close_folder);

// Whether the folder holds the output, or a temporary file of it.
static bool something_was_written(void)
{
  const char *argv[] = {"find", folder, "-type", "f", "-name", "*.hg*", NULL};
  run_result r = run_in(NULL, LIMIT_S, argv);
  bool found = r.out[0] != '\0';
  run_free(&r);
  return found;
}

static void expect_refused(const char *format, const char *name, const char *option, const char *value,
                           const char *message)
{
  const char *input = path_in(folder, name),
             *argv[] = {HALOGNN, "import", format, input, "-o", path_in(folder, "out.hg"), option, value, NULL};
  run_result r = run_in(NULL, LIMIT_S, argv);
  const char *line = run_command_line(argv), *end = strchr(r.err, '\n');
  cr_expect_eq(r.status, 2, "status %d, expected 2 (%s)\n%s", r.status, message, line);
  cr_expect_str_empty(r.out, "%s", line);
  cr_expect(strncmp(r.err, "halognn: ", 9) == 0 && end && end[1] == '\0', "expected one line: %s\n%s", r.err, line);
  cr_expect(strstr(r.err, value ? value : input), "the file is not named: %s\n%s", r.err, line);
  cr_expect(strstr(r.err, message), "found: %sexpected: %s\n%s", r.err, message, line);
  cr_expect(!something_was_written(), "something was written\n%s", line);
  run_free(&r);
}

// Arrays that replace those of the tiny graph of make_npz.h; `raw` as dtype takes the bytes as the member.
typedef struct {
  npz_array change;
  const char *message;
} bad_array;

#define ARRAY(type, ...) (const type[]){__VA_ARGS__}, sizeof((const type[]){__VA_ARGS__})

static const bad_array bad_arrays[] = {
    {{"adj_indptr", NULL, NULL, NULL, 0}, "found no array adj_indptr, expected the gnn-benchmark layout"},
    {{"adj_indices", NULL, NULL, NULL, 0}, "found no array adj_indices (the arrays are: adj_data, "},
    {{"adj_shape", NULL, NULL, NULL, 0}, "found no array adj_shape"},
    {{"attr_shape", NULL, NULL, NULL, 0}, "found no array attr_shape"},
    {{"attr_data", NULL, NULL, NULL, 0}, "found no array attr_data"},
    {{"attr_indices", NULL, NULL, NULL, 0}, "found no array attr_indices"},
    {{"adj_shape", "<i8", "(2,)", ARRAY(int64_t, 4, 5)}, "adj_shape: found 4 x 5, expected a square matrix"},
    {{"adj_shape", "<i8", "(2,)", ARRAY(int64_t, -4, -4)}, "found -4 nodes, expected 0 to 2147483646"},
    {{"adj_shape", "<i8", "(2,)", ARRAY(int64_t, 1LL << 40, 1LL << 40)},
     "found 1099511627776 nodes, expected 0 to 2147483646"},
    {{"adj_shape", "<i8", "(2,)", ARRAY(int64_t, 5, 5)},
     "adj_indptr: found 5 elements, expected 6 (the nodes of adj_shape and 1)"},
    {{"adj_shape", "<i8", "(3,)", ARRAY(int64_t, 4, 4, 4)}, "adj_shape: found 3 numbers, expected 2"},
    {{"adj_shape", "<f8", "(2,)", ARRAY(double, 4, 4)}, "adj_shape: found f8[2], expected integers"},
    {{"adj_indptr", "<i4", "(5,)", ARRAY(int32_t, 0, 3, 2, 5, 5)},
     "adj_indptr: falls from 3 to 2 at 2, expected it to rise"},
    {{"adj_indptr", "<i4", "(5,)", ARRAY(int32_t, 1, 2, 3, 5, 5)}, "adj_indptr: found 1 first, expected 0"},
    {{"adj_indptr", "<i4", "(5,)", ARRAY(int32_t, 0, 2, 3, 5, 6)},
     "adj_indptr: found 6 last, expected 5 (the entries)"},
    {{"adj_indptr", "<i4", "(5,)", ARRAY(int32_t, 0, -2, 3, 5, 5)}, "adj_indptr: falls from 0 to -2"},
    {{"adj_indptr", "<i8", "(5,)", ARRAY(int64_t, 0, INT64_MAX, 3, 5, 5)},
     "adj_indptr: falls from 9223372036854775807 to 3"},
    {{"adj_indices", "<i4", "(5,)", ARRAY(int32_t, 1, 2, 4, 0, 1)},
     "adj_indices: edge 1 -> 4: found node 4, expected 0 to 3"},
    {{"adj_indices", "<i4", "(5,)", ARRAY(int32_t, 1, 2, -1, 0, 1)},
     "adj_indices: edge 1 -> -1: found node -1, expected 0 to 3"},
    {{"adj_indices", "<i8", "(5,)", ARRAY(int64_t, 1, 2, 1LL << 33, 0, 1)},
     "adj_indices: element 2 does not fit in 32 bits"},
    {{"adj_indices", "<f4", "(5,)", ARRAY(float, 1, 2, 2, 0, 1)}, "adj_indices: found f4[5], expected integers"},
    {{"adj_indices", ">i4", "(5,)", ARRAY(int32_t, 0, 0, 0, 0, 0)},
     "adj_indices: found big-endian numbers, expected little-endian"},
    {{"adj_indices", "|O", "(5,)", ARRAY(int64_t, 0, 0, 0, 0, 0)},
     "adj_indices: found pickled objects, expected integers"},
    {{"adj_indices", "<i4", "(1000000000000,)", ARRAY(int32_t, 1)},
     "adj_indices: the header claims i4[1000000000000] = 1000000000000 "
     "elements of 4 bytes, found 4 bytes"},
    {{"adj_indices", "raw", "", "\x93NUMPY\x01\x00\x10\x00{'descr'", 18},
     "adj_indices: broken .npy header: its length is beyond the end"},
    {{"adj_indices", "raw", "", "", 0}, "adj_indices: found 0 bytes, expected a .npy array"},
    {{"adj_indices", "raw", "", "1 2 3 4 5 6 7 8 9 10", 20},
     "adj_indices: not a .npy array: the magic bytes are wrong"},
    {{"adj_data", "<f4", "(4,)", ARRAY(float, 1, 1, 1, 1)}, "adj_data: found 4 elements, expected 5 (as adj_indices)"},
    {{"adj_data", "<f4", "(5,)", ARRAY(float, 1, 1, NAN, 1, 1)},
     "adj_data: entry 2: found nan, expected a finite weight"},
    {{"attr_shape", "<i8", "(2,)", ARRAY(int64_t, 3, 3)}, "attr_shape: found 3 rows, expected 4 (the nodes)"},
    {{"attr_shape", "<i8", "(2,)", ARRAY(int64_t, 4, 1LL << 40)},
     "attr_shape: features: found 1099511627776, expected at most 2147483647"},
    {{"attr_shape", "<i8", "(2,)", ARRAY(int64_t, 4, 2)}, "attr: row 0: found column 2, expected 0 to 1"},
    {{"attr_indptr", "<i4", "(5,)", ARRAY(int32_t, 0, 4, 2, 5, 6)},
     "attr: row pointers: row 1: found 4 to 2, expected 0 to 6 rising"},
    {{"attr_indptr", "<i4", "(5,)", ARRAY(int32_t, 0, 2, 4, 5, 5)},
     "attr: row pointers: found 5 last, expected 6 (the entries)"},
    {{"attr_indices", "<i4", "(6,)", ARRAY(int32_t, 2, 0, -7, 1, 0, 2)},
     "attr: row 1: found column -7, expected 0 to 2"},
    {{"attr_data", "<f4", "(6,)", ARRAY(float, 1, 0, 0, 2, INFINITY, 4)},
     "attr: row 2, column 0: found inf, expected a finite number"},
    {{"attr_data", "<f4", "(5,)", ARRAY(float, 1, 0, 0, 2, 3)},
     "attr_data: found 5 elements, expected 6 (as attr_indices)"},
    {{"attr_matrix", "<f4", "(4, 1)", ARRAY(float, 1, NAN, 2, 3)},
     "attr_matrix: row 1, column 0: found nan, expected a finite number"},
    {{"attr_matrix", "<f4", "(3, 1)", ARRAY(float, 1, 2, 3)},
     "attr_matrix: found 3 elements, expected 4 (rows: the nodes)"},
    {{"attr_matrix", "<f4", "F(4, 2)", ARRAY(float, 1, 2, 3, 4, 5, 6, 7, 8)},
     "attr_matrix: found columns first (fortran_order)"},
    {{"attr_matrix", "<U1", "(4, 1)", ARRAY(int32_t, 65, 66, 67, 68)}, "attr_matrix: found U1[4, 1], expected numbers"},
    {{"labels", "<i8", "(3,)", ARRAY(int64_t, 0, 1, 1)}, "labels: found i8[3], expected a row for each of 4 nodes"},
    {{"labels", "<i8", "(4,)", ARRAY(int64_t, 0, 1, -2, 1)},
     "labels: node 2: found label -2, expected -1 (unknown) or 0 to 1048575"},
    {{"labels", "<i8", "(4,)", ARRAY(int64_t, 0, 1, 1LL << 31, 1)},
     "labels: node 2: found label 2147483648, expected -1 (unknown)"},
    {{"labels", "<U1", "(4,)", ARRAY(int32_t, 65, 66, 67, 68)}, "labels: found U1[4], expected integers"},
    {{"train_idx", "<i8", "(1,)", ARRAY(int64_t, 4)}, "train_idx: entry 0: found node 4, expected 0 to 3"},
    {{"val_idx", "<i8", "(1,)", ARRAY(int64_t, -1)}, "val_idx: entry 0: found node -1, expected 0 to 3"},
    {{"test_idx", "<i8", "(1,)", ARRAY(int64_t, 0)}, "test_idx: node 0 is in train and in test"},
    {{"test_idx", "<f8", "(1,)", ARRAY(double, 2)}, "test_idx: found f8[1], expected integers"},
    {{"pos", "<f4", "(4, 1)", ARRAY(float, 0, 1, NAN, 2)}, "pos: row 2, column 0: found nan, expected a finite number"},
    {{"pos", "<f4", "(2, 2)", ARRAY(float, 0, 1, 2, 3)}, "pos: found 2 elements, expected 4 (rows: the nodes)"},
    {{"node_ptr", "<i8", "(2,)", ARRAY(int64_t, 0, 4)}, "found no array edge_ptr (the arrays are: "},
};

Test(import_bad, npz_archives_with_a_wrong_array)
{
  for (size_t k = 0; k < sizeof bad_arrays / sizeof *bad_arrays; k++) {
    const npz_array changes[] = {bad_arrays[k].change, {0}};
    make_tiny_npz(path_in(folder, "bad.npz"), k % 2, changes);
    expect_refused("npz", "bad.npz", NULL, NULL, bad_arrays[k].message);
  }
}

Test(import_bad, files_that_are_no_npz)
{
  expect_refused("npz", "missing.npz", NULL, NULL, "cannot open: No such file or directory");
  write_text(path_in(folder, "bad.npz"), "");
  expect_refused("npz", "bad.npz", NULL, NULL, "the file is empty");
  write_text(path_in(folder, "bad.npz"), "0 1\n1 2\n");
  expect_refused("npz", "bad.npz", NULL, NULL, "Not a zip archive");
  expect_refused("npz", ".", NULL, NULL, "found no regular file");
}

static size_t read_whole(const char *path, unsigned char *bytes, size_t room)
{
  FILE *file = fopen(path, "rb");
  cr_assert_not_null(file);
  size_t n = fread(bytes, 1, room, file);
  fclose(file);
  return n;
}

Test(import_bad, npz_archives_cut_anywhere)
{
  unsigned char bytes[16384];
  make_tiny_npz(path_in(folder, "whole.npz"), true, NULL);
  size_t n = read_whole(path_in(folder, "whole.npz"), bytes, sizeof bytes);
  for (size_t cut = 1; cut < 8; cut++) {
    write_file(path_in(folder, "bad.npz"), bytes, n * cut / 8);
    expect_refused("npz", "bad.npz", NULL, NULL, "cannot read as .npz");
  }
}

// The byte at `from_mark` behind the last occurrence of the zip directory's mark for `member`.
static void patch_directory(unsigned char *bytes, size_t n, const char *member, size_t from_mark, const void *patch,
                            size_t size)
{
  size_t length = strlen(member);
  for (size_t at = 0; at + 46 + length <= n; at++) {
    if (memcmp(bytes + at, "PK\x01\x02", 4) != 0 || memcmp(bytes + at + 46, member, length) != 0) continue;
    memcpy(bytes + at + from_mark, patch, size);
    return;
  }
  cr_assert_fail("%s is not in the archive", member);
}

Test(import_bad, npz_directories_that_claim_too_much)
{
  unsigned char bytes[16384];
  for (int deflate = 0; deflate < 2; deflate++) {
    make_tiny_npz(path_in(folder, "whole.npz"), deflate, NULL);
    size_t n = read_whole(path_in(folder, "whole.npz"), bytes, sizeof bytes);
    patch_directory(bytes, n, "adj_indptr.npy", 24, "\xff\xff\xff\x7f", 4); // bytes unpacked
    write_file(path_in(folder, "bad.npz"), bytes, n);
    expect_refused("npz", "bad.npz", NULL, NULL, "adj_indptr: the archive claims 2147483647 bytes");
  }
}

Test(import_bad, npz_members_with_flipped_bytes)
{
  unsigned char bytes[16384];
  make_tiny_npz(path_in(folder, "whole.npz"), false, NULL);
  size_t n = read_whole(path_in(folder, "whole.npz"), bytes, sizeof bytes);
  const char shape[] = "\x04\0\0\0\0\0\0\0\x04";
  for (size_t at = 0; at + sizeof shape <= n; at++)
    if (memcmp(bytes + at, shape, sizeof shape - 1) == 0) bytes[at] ^= 2;
  write_file(path_in(folder, "bad.npz"), bytes, n);
  expect_refused("npz", "bad.npz", NULL, NULL, "adj_shape: CRC error");
}

typedef struct {
  const char *format, *text, *message;
} bad_text;

static const bad_text bad_texts[] = {
    {"edgelist", "", "found no nodes"},
    {"edgelist", "# nothing\n", "found no nodes"},
    {"edgelist", "0 1\n2\n", "line 2: found nothing, expected a second node number"},
    {"edgelist", "0 1\n1 x\n", "line 2: found 'x', expected a second node number"},
    {"edgelist", "0 1\n1.5 2\n", "line 2: found '1.5', expected a node number"},
    {"edgelist", "0 99999999999999999999\n", "line 1: found '99999999999999999999', expected a second node number"},
    {"edgelist", "0 1 heavy\n", "line 1: found 'heavy', expected a weight"},
    {"edgelist", "{\"edges\": []}\n", "line 1: found '{\"edges\":', expected a node number"},
    {"mtx", "", "the file is empty, expected a Matrix Market file"},
    {"mtx", "1 2\n", "line 1: found first word '1', expected %%MatrixMarket"},
    {"mtx", "%%MatrixMarket matrix array real general\n2 2\n", "line 1: found format 'array', expected coordinate"},
    {"mtx", "%%MatrixMarket matrix coordinate complex general\n2 2 0\n",
     "found field 'complex', expected pattern, real, integer"},
    {"mtx", "%%MatrixMarket matrix coordinate real hermitian\n2 2 0\n",
     "found symmetry 'hermitian', expected general, symmetric"},
    {"mtx", "%%MatrixMarket matrix coordinate real general\n", "found no line of sizes"},
    {"mtx", "%%MatrixMarket matrix coordinate real general\n2 3 0\n",
     "line 2: found 2 x 3 with 0 entries, expected a square matrix"},
    {"mtx", "%%MatrixMarket matrix coordinate real general\n9000000000 9000000000 0\n",
     "found 9000000000 nodes, expected 0 to"},
    {"mtx", "%%MatrixMarket matrix coordinate real general\n2 2 1\n1 3 1\n", "line 3: found node 3, expected 1 to 2"},
    {"mtx", "%%MatrixMarket matrix coordinate real general\n2 2 1\n0 1 1\n", "line 3: found node 0, expected 1 to 2"},
    {"mtx", "%%MatrixMarket matrix coordinate real general\n2 2 2\n1 2 1\n", "found 1 entries, expected 2"},
    {"mtx", "%%MatrixMarket matrix coordinate real general\n2 2 1\n1 2 1\n2 1 1\n", "found 2 entries, expected 1"},
    {"mtx", "%%MatrixMarket matrix coordinate real general\n2 2 1\n1 2\n", "line 3: found nothing, expected a value"},
    {"mtx", "%%MatrixMarket matrix coordinate real general\n2 2 1\n1 2 nan\n",
     "line 3: found a value that is no number"},
    {"metis", "", "the file is empty, expected \"nodes edges\""},
    {"metis", "2 1 5\n2\n1\n", "line 1: found format 5, expected 000 to 111"},
    {"metis", "2 1\n2\n", "found lines for 1 nodes, expected 2"},
    {"metis", "2 1\n2\n1\n2\n", "line 4: found more lines than the 2 nodes"},
    {"metis", "2 1\n3\n1\n", "line 2: found node 3, expected 1 to 2"},
    {"metis", "2 2\n2\n1\n", "found 2 neighbours, expected 2 x 2"},
    {"metis", "2 1 1\n2\n1 1\n", "line 2: found nothing, expected the weight of an edge"},
    {"metis", "2 1 0 0 7\n2\n1\n", "line 1: expected \"nodes edges [format [weights]]\""},
};

Test(import_bad, text_files)
{
  for (size_t k = 0; k < sizeof bad_texts / sizeof *bad_texts; k++) {
    write_text(path_in(folder, "bad.txt"), bad_texts[k].text);
    expect_refused(bad_texts[k].format, "bad.txt", NULL, NULL, bad_texts[k].message);
  }
}

Test(import_bad, damaged_text_files)
{
  unsigned char bytes[4096];
  const char *path = path_in(folder, "bad.gz");
  gzFile file = gzopen(path, "wb");
  for (int k = 0; k < 2000; k++) gzprintf(file, "%d %d\n", k, k * 7 % 2000);
  gzclose(file);
  size_t n = read_whole(path, bytes, sizeof bytes);
  write_file(path, bytes, n / 2);
  expect_refused("edgelist", "bad.gz", NULL, NULL, "the file is cut short");
  bytes[n / 2] ^= 0xff;
  write_file(path, bytes, n);
  expect_refused("edgelist", "bad.gz", NULL, NULL, "bad.gz: ");
  write_file(path, "0 1\n\0\0\0\n", 8);
  expect_refused("edgelist", "bad.gz", NULL, NULL, "line 2: found a zero byte, expected text");
  expect_refused("edgelist", ".", NULL, NULL, "found a folder, expected a file");
  expect_refused("ogb", "missing", NULL, NULL, "no such file, expected an Open Graph Benchmark folder");
  expect_refused("graphbolt", "missing", NULL, NULL, "metadata.yaml: cannot open");
}

static const struct {
  const char *option, *text, *message;
} bad_sides[] = {
    {"--features", "", "found no lines, expected \"node v1 v2 ...\""},
    {"--features", "0 1 2\n1 1\n", "line 2: found nothing, expected a number"},
    {"--features", "0 1 2\n1 1 2 3\n", "line 2: found more than 2 numbers"},
    {"--features", "0 1\n0 2\n", "line 2: found node 0 for the second time"},
    {"--features", "0 nan\n", "row 0, column 0: found nan, expected a finite number"},
    {"--features", "0\n", "line 1: found a node number alone"},
    {"--labels", "0 1\n1 one\n", "line 2: found 'one', expected a number"},
    {"--labels", "0 1\nx 1\n", "line 2: found 'x', expected a node number"},
    {"--splits", "0 train\n1 testing\n", "line 2: found 'testing', expected train, val, test or none"},
    {"--splits", "0 train\n9 test\n", "line 2: found node 9, which the graph does not have"},
    {"--splits", "0 train\n0 test\n", "line 2: found node 0 for the second time"},
    {"--splits", "0\n", "line 1: found '', expected train, val, test or none"},
};

Test(import_bad, side_files)
{
  write_text(path_in(folder, "edges.txt"), "0 1\n1 2\n");
  for (size_t k = 0; k < sizeof bad_sides / sizeof *bad_sides; k++) {
    char side[512];
    snprintf(side, sizeof side, "%s/side.txt", folder);
    write_text(side, bad_sides[k].text);
    expect_refused("edgelist", "edges.txt", bad_sides[k].option, side, bad_sides[k].message);
  }
}

static const struct {
  const char *arguments[8], *message;
} bad_usage[] = {
    {{NULL}, "expected FORMAT and INPUT; see `halognn import --help`"},
    {{"npz", "a.npz", NULL}, "expected -o GRAPH.hg"},
    {{"npz", "a.npz", "b.npz", "-o", "c.hg", NULL}, "found a third argument 'b.npz'"},
    {{"npy", "a.npz", "-o", "c.hg", NULL}, "found format 'npy', expected one of npz, edgelist"},
    {{"npz", "a.npz", "-o", "c.hg", "--split", "planetiod", NULL}, "did you mean 'planetoid'?"},
    {{"npz", "a.npz", "-o", "c.hg", "--split-seed", "-1", NULL},
     "--split-seed: found '-1', expected a whole number from 0 up"},
    {{"npz", "a.npz", "-o", "c.hg", "--train-per-class", "many", NULL},
     "--train-per-class: found 'many', expected a whole number from 1 up"},
    {{"npz", "a.npz", "-o", "c.hg", "--val-fraction", "1.5", NULL},
     "--val-fraction: found '1.5', expected a number from 0 to 1"},
    {{"npz", "a.npz", "-o", "c.hg", "--labels", "y.txt", NULL},
     "--labels goes with edgelist, mtx and metis; npz has its own"},
    {{"mtx", "a.mtx", "-o", "c.hg", "--nodes", "5", NULL}, "--nodes goes with edgelist"},
    {{"npz", "a.npz", "-o", "/nowhere/c.hg", NULL},
     "/nowhere/c.hg: cannot write in the folder /nowhere: No such file or directory"},
    {{"npz", "a.npz", "-o", "c.hg", "--task", "ranking", NULL},
     "--task: found 'ranking', expected one of auto, classes"},
};

Test(import_bad, usage)
{
  for (size_t k = 0; k < sizeof bad_usage / sizeof *bad_usage; k++) {
    const char *argv[12] = {HALOGNN, "import"};
    for (size_t i = 0; bad_usage[k].arguments[i]; i++) argv[2 + i] = bad_usage[k].arguments[i];
    run_result r = run_in(folder, LIMIT_S, argv);
    cr_expect_eq(r.status, 2, "%s", run_command_line(argv));
    cr_expect(strstr(r.err, bad_usage[k].message), "found: %sexpected: %s", r.err, bad_usage[k].message);
    run_free(&r);
  }
}

Test(import_bad, a_split_that_the_labels_do_not_allow)
{
  const npz_array changes[] = {{"labels", NULL, NULL, NULL, 0}, {0}};
  make_tiny_npz(path_in(folder, "bad.npz"), true, changes);
  expect_refused("npz", "bad.npz", "--split=planetoid", NULL, "a planetoid split needs class labels");
  expect_refused("npz", "bad.npz", "--split=random", NULL, "a random split needs labels or targets");
}

Test(import_bad, an_older_output_survives_a_failure)
{
  write_text(path_in(folder, "out.hg"), "old");
  write_text(path_in(folder, "bad.npz"), "no archive");
  run_result r =
      run_program(LIMIT_S, HALOGNN, "import", "npz", path_in(folder, "bad.npz"), "-o", path_in(folder, "out.hg"), NULL);
  unsigned char bytes[8];
  cr_expect_eq(r.status, 2);
  cr_expect_eq(read_whole(path_in(folder, "out.hg"), bytes, sizeof bytes), 3);
  run_free(&r);
}

static void expect_report(const char *input, const char *option, const char *report)
{
  const char *argv[] = {HALOGNN, "import", "npz", input, "-o", path_in(folder, "out.hg"), option, NULL};
  run_result r = run_in(NULL, LIMIT_S, argv);
  cr_expect_eq(r.status, 0, "%s", r.err);
  cr_expect_str_eq(r.out, report);
  cr_expect_str_empty(r.err);
  cr_expect_eq(access(path_in(folder, "out.hg"), R_OK), 0);
  run_free(&r);
}

Test(import_good, one_line_says_what_was_read)
{
  const char *path = path_in(folder, "tiny.npz");
  make_tiny_npz(path, true, NULL);
  expect_report(path, NULL,
                "tiny.npz: 4 nodes, 5 edges (directed), 0 self-loops dropped, 0 duplicates dropped, 1 isolated, 1 "
                "unlabelled, 2 classes, "
                "3 sparse features, split 1/1/1\n");
  expect_report(
      path, "--symmetrize",
      "tiny.npz: 4 nodes, 6 edges (symmetric, 1 reversed added), 0 self-loops dropped, 0 duplicates dropped, 1 "
      "isolated, 1 unlabelled, 2 classes, 3 sparse features, split 1/1/1\n");
  expect_report(
      path, "--split=none",
      "tiny.npz: 4 nodes, 5 edges (directed), 0 self-loops dropped, 0 duplicates dropped, 1 isolated, 1 unlabelled, 2 "
      "classes, 3 sparse features, no split\n");
}

Test(import_good, cora_is_cora)
{
  expect_report(shared_data("cora.npz"), NULL,
                "cora.npz: 2708 nodes, 10556 edges (symmetric), 0 self-loops dropped, 0 duplicates dropped, 0 "
                "isolated, 0 unlabelled, 7 classes, 1433 "
                "sparse features, split 140/500/1000\n");
}

Test(import_good, the_list_names_every_format)
{
  run_result r = run_program(LIMIT_S, HALOGNN, "import", "--list", NULL);
  const char *const names[] = {"npz ", "edgelist ", "mtx ", "metis ", "ogb ", "graphbolt "};
  cr_expect_eq(r.status, 0);
  for (size_t k = 0; k < sizeof names / sizeof *names; k++) cr_expect(strstr(r.out, names[k]), "%s", names[k]);
  run_free(&r);
}
