#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/alloc.h"
#include "core/graph/npy.h"
#include "core/graph/npz.h"
#include "tests/support/make_npz.h"
#include "tests/support/run.h"

static char *folder;

static void open_folder(void) { folder = temporary_folder(); }
static void close_folder(void) { temporary_folder_remove(&folder); }

TestSuite(npy, .init = open_folder, .fini = close_folder);
TestSuite(npz, .init = open_folder, .fini = close_folder);

typedef struct {
  const char *descr;
  size_t size;
  const void *data; // three elements: -1 (or 1 where there is no sign), 0, 2
  int first;
} dtype_case;

static const int8_t i1[] = {-1, 0, 2};
static const int16_t i2[] = {-1, 0, 2};
static const int32_t i4[] = {-1, 0, 2};
static const int64_t i8[] = {-1, 0, 2};
static const uint8_t u1[] = {1, 0, 2}, b1[] = {1, 0, 1};
static const uint16_t u2[] = {1, 0, 2};
static const uint32_t u4[] = {1, 0, 2};
static const uint64_t u8[] = {1, 0, 2};
static const float f4[] = {-1, 0, 2};
static const double f8[] = {-1, 0, 2};

static const dtype_case dtypes[] = {
    {"|i1", 1, i1, -1}, {"<i2", 2, i2, -1}, {"<i4", 4, i4, -1}, {"<i8", 8, i8, -1},
    {"|u1", 1, u1, 1},  {"<u2", 2, u2, 1},  {"<u4", 4, u4, 1},  {"<u8", 8, u8, 1},
    {"|b1", 1, b1, 1},  {"<f4", 4, f4, -1}, {"<f8", 8, f8, -1},
};

Test(npy, each_dtype_and_version_is_converted)
{
  const char *path = path_in(folder, "a.npy");
  for (size_t k = 0; k < sizeof dtypes / sizeof *dtypes; k++) {
    const dtype_case *d = &dtypes[k];
    int last = d->descr[1] == 'b' ? 1 : 2;
    for (int version = 1; version <= 3; version++) {
      hg_npy_file file;
      float f[3];
      make_npy(path, version, (npz_array){"a", d->descr, "(3,)", d->data, 3 * d->size});
      cr_assert_eq(hg_npy_open(&file, path), HG_OK, "%s: %s", d->descr, hg_error_text());
      cr_assert_eq(file.array.count, 3);
      cr_assert_eq(hg_npy_f32(&file.array, f, 3), HG_OK, "%s: %s", d->descr, hg_error_text());
      cr_expect(f[0] == (float)d->first && f[1] == 0 && f[2] == (float)last, "%s: %g %g %g", d->descr, (double)f[0],
                (double)f[1], (double)f[2]);
      hg_npy_close(&file);
      if (d->descr[1] == 'f') continue;
      int64_t i[3];
      int32_t narrow[3];
      cr_assert_eq(hg_npy_open(&file, path), HG_OK);
      cr_assert_eq(hg_npy_i64(&file.array, i, 2), HG_OK, "%s: %s", d->descr, hg_error_text());
      cr_assert_eq(hg_npy_i64(&file.array, i + 2, 1), HG_OK, "in two pieces");
      cr_expect(i[0] == d->first && i[1] == 0 && i[2] == last, "%s", d->descr);
      hg_npy_close(&file);
      cr_assert_eq(hg_npy_open(&file, path), HG_OK);
      cr_assert_eq(hg_npy_i32(&file.array, narrow, 3), HG_OK, "%s: %s", d->descr, hg_error_text());
      cr_expect(narrow[0] == d->first && narrow[1] == 0 && narrow[2] == last, "%s", d->descr);
      hg_npy_close(&file);
    }
  }
}

Test(npy, shapes_are_read)
{
  const char *path = path_in(folder, "a.npy");
  hg_npy_file file;
  int64_t i[6] = {0};
  make_npy(path, 1, (npz_array){"a", "<i8", "(2, 3)", i, sizeof i});
  cr_assert_eq(hg_npy_open(&file, path), HG_OK, "%s", hg_error_text());
  cr_expect(file.array.n_dims == 2 && file.array.shape[0] == 2 && file.array.shape[1] == 3 && !file.array.fortran);
  cr_expect_str_eq(hg_npy_describe(&file.array), "i8[2, 3]");
  hg_npy_close(&file);
  make_npy(path, 1, (npz_array){"a", "<i8", "()", i, 8});
  cr_assert_eq(hg_npy_open(&file, path), HG_OK, "%s", hg_error_text());
  cr_expect(file.array.n_dims == 0 && file.array.count == 1);
  hg_npy_close(&file);
  make_npy(path, 1, (npz_array){"a", "<i8", "(0, 7)", NULL, 0});
  cr_assert_eq(hg_npy_open(&file, path), HG_OK, "%s", hg_error_text());
  cr_expect_eq(file.array.count, 0);
  hg_npy_close(&file);
  make_npy(path, 1, (npz_array){"a", "<i8", "F(1, 6)", i, sizeof i});
  cr_assert_eq(hg_npy_open(&file, path), HG_OK, "%s", hg_error_text());
  cr_expect(!file.array.fortran, "one long dimension has no order");
  hg_npy_close(&file);
}

typedef struct {
  const char *descr, *shape;
  size_t bytes;
  const char *message; // behind "a.npy: "
} bad_header;

static const bad_header bad_headers[] = {
    {"<f4", "(1000000000000,)", 8,
     "the header claims f4[1000000000000] = 1000000000000 elements of 4 bytes, found 8 bytes"},
    {"<f4", "(4000000000, 4000000000, 4000000000)", 8, "the header claims more elements than can exist"},
    {"<f4", "(2, 3)", 20, "the header claims f4[2, 3] = 6 elements of 4 bytes, found 20 bytes"},
    {">f4", "(2,)", 8, "found big-endian numbers, expected little-endian"},
    {"<f4", "(-2,)", 8, "broken .npy header: found a shape that is no list of at most four lengths"},
    {"<f4", "(1, 1, 1, 1, 2)", 8, "broken .npy header: found a shape that is no list of at most four lengths"},
    {"<f4", "(2", 8, "broken .npy header: found a shape that is no list of at most four lengths"},
    {"<f4", "2", 8, "broken .npy header: found a shape that is no list of at most four lengths"},
    {"<q4", "(2,)", 8, "broken .npy header: found an unknown descr"},
    {"f", "(2,)", 8, "broken .npy header: found an unknown descr"},
    {"<f4', 'x': '", "(2,)", 8, "broken .npy header: found an unknown key"},
};

Test(npy, broken_headers_are_refused_with_the_cause)
{
  const char *path = path_in(folder, "a.npy");
  char expected[400];
  for (size_t k = 0; k < sizeof bad_headers / sizeof *bad_headers; k++) {
    const bad_header *bad = &bad_headers[k];
    hg_npy_file file;
    char zeros[64] = {0};
    make_npy(path, 1, (npz_array){"a", bad->descr, bad->shape, zeros, bad->bytes});
    cr_expect_eq(hg_npy_open(&file, path), HG_ERR_INPUT, "case %zu", k);
    snprintf(expected, sizeof expected, "%s: %s", path, bad->message);
    cr_expect_str_eq(hg_error_text(), expected, "case %zu", k);
    hg_npy_close(&file);
  }
}

static void expect_refused(const void *bytes, size_t size, const char *message)
{
  char expected[400];
  hg_npy_file file;
  const char *path = path_in(folder, "a.npy");
  write_file(path, bytes, size);
  cr_expect_eq(hg_npy_open(&file, path), HG_ERR_INPUT);
  snprintf(expected, sizeof expected, "%s: %s", path, message);
  cr_expect_str_eq(hg_error_text(), expected);
}

Test(npy, files_that_are_no_arrays_are_refused)
{
  hg_npy_file file;
  expect_refused("", 0, "found 0 bytes, expected a .npy array");
  expect_refused("\x93NUMPY\x01", 7, "found 7 bytes, expected a .npy array");
  expect_refused("PK\x03\x04 is a zip archive", 20, "not a .npy array: the magic bytes are wrong");
  expect_refused("\x93NUMPY\x04\x00\x10\x00 some header", 22, "found .npy version 4, expected 1, 2 or 3");
  expect_refused("\x93NUMPY\x02\x00\x10\x00", 10, "broken .npy header: it is cut short");
  expect_refused("\x93NUMPY\x01\x00\xff\xff{", 11, "broken .npy header: its length is beyond the end of the array");
  expect_refused("\x93NUMPY\x01\x00\x05\x00none ", 15, "broken .npy header: found no {");
  expect_refused("\x93NUMPY\x01\x00\x05\x00{    ", 15, "broken .npy header: descr, fortran_order or shape is missing");
  cr_expect_eq(hg_npy_open(&file, path_in(folder, "missing.npy")), HG_ERR_INPUT);
  cr_expect(strstr(hg_error_text(), "missing.npy: cannot open: No such file or directory"));
  cr_expect_eq(hg_npy_open(&file, folder), HG_ERR_INPUT);
}

Test(npy, what_cannot_be_converted_is_refused)
{
  const char *path = path_in(folder, "a.npy");
  const int64_t big[] = {1, 1LL << 40};
  const uint64_t huge[] = {1ULL << 63};
  hg_npy_file file;
  int64_t i[4];
  int32_t narrow[4];
  float f[4];
  make_npy(path, 1, (npz_array){"a", "<i8", "(2,)", big, sizeof big});
  cr_assert_eq(hg_npy_open(&file, path), HG_OK);
  cr_expect_eq(hg_npy_i32(&file.array, narrow, 2), HG_ERR_INPUT);
  cr_expect(strstr(hg_error_text(), "element 1 does not fit in 32 bits"), "%s", hg_error_text());
  hg_npy_close(&file);
  make_npy(path, 1, (npz_array){"a", "<u8", "(1,)", huge, sizeof huge});
  cr_assert_eq(hg_npy_open(&file, path), HG_OK);
  cr_expect_eq(hg_npy_i64(&file.array, i, 1), HG_ERR_INPUT);
  hg_npy_close(&file);
  make_npy(path, 1, (npz_array){"a", "<U1", "(2,)", big, 8});
  cr_assert_eq(hg_npy_open(&file, path), HG_OK, "unicode can be looked at");
  cr_expect_eq(hg_npy_i64(&file.array, i, 2), HG_ERR_INPUT);
  cr_expect(strstr(hg_error_text(), "found U1[2], expected integers"), "%s", hg_error_text());
  cr_expect_eq(hg_npy_f32(&file.array, f, 2), HG_ERR_INPUT);
  hg_npy_close(&file);
  make_npy(path, 1, (npz_array){"a", "<f4", "(2,)", f4, 8});
  cr_assert_eq(hg_npy_open(&file, path), HG_OK);
  cr_expect_eq(hg_npy_i64(&file.array, i, 2), HG_ERR_INPUT);
  cr_expect_eq(hg_npy_f32(&file.array, f, 3), HG_ERR_INPUT, "one element too many");
  hg_npy_close(&file);
  make_npy(path, 1, (npz_array){"a", "<i8", "F(2, 2)", (int64_t[4]){1, 2, 3, 4}, 32});
  cr_assert_eq(hg_npy_open(&file, path), HG_OK);
  cr_expect_eq(hg_npy_i64(&file.array, i, 4), HG_ERR_INPUT, "columns first");
  cr_expect_eq(hg_npy_i64_any_order(&file.array, i, 4), HG_OK);
  hg_npy_close(&file);
}

Test(npz, stored_and_deflated_archives_hold_the_same)
{
  for (int deflate = 0; deflate < 2; deflate++) {
    const char *path = path_in(folder, "a.npz");
    hg_npz *npz = NULL;
    int64_t *labels = NULL;
    hg_off count;
    char list[200];
    make_tiny_npz(path, deflate, NULL);
    cr_assert_eq(hg_npz_open(&npz, path), HG_OK, "%s", hg_error_text());
    cr_expect(hg_npz_has(npz, "labels") && !hg_npz_has(npz, "label"));
    cr_assert_eq(hg_npz_i64(npz, "labels", &labels, &count), HG_OK, "%s", hg_error_text());
    cr_expect(count == 4 && labels[0] == 0 && labels[3] == -1);
    hg_npz_list(npz, list, sizeof list);
    cr_expect(strncmp(list, "adj_data, adj_indices, ", 23) == 0, "%s", list);
    hg_npz_list(npz, list, 20);
    cr_expect_str_eq(list, "adj_data, adj_in...");
    hg_free(&labels);
    hg_npz_close(&npz);
  }
}

Test(npz, a_flipped_byte_is_found_by_the_checksum)
{
  const char *path = path_in(folder, "a.npz");
  npz_array arrays[] = {{"labels", "<i8", "(3,)", i8, sizeof i8}, {0}};
  make_npz(path, false, arrays);
  FILE *file = fopen(path, "r+b");
  unsigned char bytes[4096];
  size_t n = fread(bytes, 1, sizeof bytes, file), at = 0;
  fclose(file);
  while (at + 24 <= n && memcmp(bytes + at, i8, sizeof i8) != 0) at++;
  cr_assert(at + 24 <= n);
  bytes[at + 8] ^= 1;
  write_file(path, bytes, n);
  hg_npz *npz = NULL;
  int64_t *labels = NULL;
  cr_assert_eq(hg_npz_open(&npz, path), HG_OK, "%s", hg_error_text());
  cr_expect_eq(hg_npz_i64(npz, "labels", &labels, NULL), HG_ERR_INPUT);
  cr_expect(strstr(hg_error_text(), "a.npz: labels: "), "%s", hg_error_text());
  cr_expect(strstr(hg_error_text(), "CRC error"), "%s", hg_error_text());
  cr_expect_null(labels);
  hg_npz_close(&npz);
}

Test(npz, what_is_no_archive_is_refused)
{
  hg_npz *npz = NULL;
  const char *path = path_in(folder, "a.npz");
  write_text(path, "");
  cr_expect_eq(hg_npz_open(&npz, path), HG_ERR_INPUT);
  cr_expect(strstr(hg_error_text(), "the file is empty"), "%s", hg_error_text());
  write_text(path, "this is no zip archive at all, whatever its name says");
  cr_expect_eq(hg_npz_open(&npz, path), HG_ERR_INPUT);
  cr_expect(strstr(hg_error_text(), "cannot read as .npz (a zip archive): Not a zip archive"), "%s", hg_error_text());
  cr_expect_eq(hg_npz_open(&npz, path_in(folder, "missing.npz")), HG_ERR_INPUT);
  cr_expect_null(npz);
}
