#include "tests/support/make_npz.h"

#include <criterion/criterion.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zip.h>

#include "tests/support/run.h"

enum { MAX_ARRAYS = 32 };

// The .npy bytes (malloc); NumPy pads the header with spaces to a multiple of 64.
static unsigned char *npy_bytes(int version, npz_array a, size_t *size)
{
  char dict[512];
  int fortran = a.shape[0] == 'F'; // "F(2, 3)": columns first
  int length = snprintf(dict, sizeof dict, "{'descr': '%s', 'fortran_order': %s, 'shape': %s, }", a.descr,
                        fortran ? "True" : "False", a.shape + fortran);
  size_t width = version == 1 ? 2 : 4, start = 8 + width, padded = (start + (size_t)length + 1 + 63) / 64 * 64 - start;
  *size = start + padded + a.bytes;
  unsigned char *bytes = malloc(*size + 1);
  cr_assert_not_null(bytes);
  memcpy(bytes, "\x93NUMPY", 6);
  bytes[6] = (unsigned char)version;
  bytes[7] = 0;
  for (size_t k = 0; k < width; k++) bytes[8 + k] = (unsigned char)(padded >> 8 * k);
  memset(bytes + start, ' ', padded);
  memcpy(bytes + start, dict, (size_t)length);
  bytes[start + padded - 1] = '\n';
  if (a.bytes) memcpy(bytes + start + padded, a.data, a.bytes);
  return bytes;
}

static void add(zip_t *zip, bool deflate, npz_array a)
{
  char member[128];
  size_t size = a.bytes;
  unsigned char *bytes = NULL; // libzip does not free a buffer of no bytes
  snprintf(member, sizeof member, "%s.npy", a.key);
  if (strcmp(a.descr, "raw") == 0) {
    if (size) bytes = malloc(size);
    if (bytes) memcpy(bytes, a.data, size);
  } else {
    bytes = npy_bytes(1, a, &size);
  }
  zip_source_t *source = zip_source_buffer(zip, bytes, size, 1);
  zip_int64_t index = zip_file_add(zip, member, source, ZIP_FL_ENC_UTF_8);
  cr_assert(index >= 0, "%s: %s", member, zip_strerror(zip));
  cr_assert_eq(zip_set_file_compression(zip, (zip_uint64_t)index, deflate ? ZIP_CM_DEFLATE : ZIP_CM_STORE, 0), 0);
}

void make_npz(const char *path, bool deflate, const npz_array *arrays)
{
  int code;
  zip_t *zip = zip_open(path, ZIP_CREATE | ZIP_TRUNCATE, &code);
  cr_assert_not_null(zip, "%s: zip error %d", path, code);
  for (; arrays->key; arrays++)
    if (arrays->descr) add(zip, deflate, *arrays);
  cr_assert_eq(zip_close(zip), 0, "%s: %s", path, zip_strerror(zip));
}

void make_npy(const char *path, int version, npz_array array)
{
  size_t size;
  unsigned char *bytes = npy_bytes(version, array, &size);
  write_file(path, bytes, size);
  free(bytes);
}

// `arrays` has room for MAX_ARRAYS
static void make_changed(const char *path, bool deflate, npz_array *arrays, const npz_array *changes)
{
  for (; changes && changes->key; changes++) {
    size_t k = 0;
    while (arrays[k].key && strcmp(arrays[k].key, changes->key) != 0) k++;
    cr_assert(k < MAX_ARRAYS);
    arrays[k] = *changes;
  }
  make_npz(path, deflate, arrays);
}

void make_tiny_npz(const char *path, bool deflate, const npz_array *changes)
{
  static const float ones[5] = {1, 1, 1, 1, 1}, values[6] = {1, 0.5F, 0, 2, 3, 4};
  static const int32_t indices[5] = {1, 2, 2, 0, 1}, indptr[5] = {0, 2, 3, 5, 5}, columns[6] = {2, 0, 1, 1, 0, 2},
                       rows[5] = {0, 2, 4, 5, 6};
  static const int64_t shape[2] = {4, 4}, attr_shape[2] = {4, 3}, labels[4] = {0, 1, 1, -1}, train[1] = {0},
                       val[1] = {1}, test[1] = {2};
  npz_array arrays[MAX_ARRAYS + 1] = {
      {"adj_data", "<f4", "(5,)", ones, sizeof ones},
      {"adj_indices", "<i4", "(5,)", indices, sizeof indices},
      {"adj_indptr", "<i4", "(5,)", indptr, sizeof indptr},
      {"adj_shape", "<i8", "(2,)", shape, sizeof shape},
      {"attr_data", "<f4", "(6,)", values, sizeof values},
      {"attr_indices", "<i4", "(6,)", columns, sizeof columns},
      {"attr_indptr", "<i4", "(5,)", rows, sizeof rows},
      {"attr_shape", "<i8", "(2,)", attr_shape, sizeof attr_shape},
      {"labels", "<i8", "(4,)", labels, sizeof labels},
      {"train_idx", "<i8", "(1,)", train, sizeof train},
      {"val_idx", "<i8", "(1,)", val, sizeof val},
      {"test_idx", "<i8", "(1,)", test, sizeof test},
  };
  make_changed(path, deflate, arrays, changes);
}

void make_tiny_collection_npz(const char *path, bool deflate, const npz_array *changes)
{
  static const int64_t nodes[4] = {0, 3, 4, 6}, edges[4] = {0, 3, 3, 4}, train[1] = {0}, val[1] = {2}, test[1] = {1};
  static const uint8_t ends[8] = {0, 1, 1, 0, 1, 2, 0, 1};
  static const float x[12] = {0, 0.5F, 1, 1.5F, 2, 2.5F, 3, 3.5F, 4, 4.5F, 5, 5.5F},
                     pos[12] = {0, 0, 1, 0, 0, 1, 5, 5, 2, 2, 3, 3};
  static const int8_t y[3] = {1, 0, 2};
  npz_array arrays[MAX_ARRAYS + 1] = {
      {"node_ptr", "<i8", "(4,)", nodes, sizeof nodes},   {"edge_ptr", "<i8", "(4,)", edges, sizeof edges},
      {"edge_index", "|u1", "(2, 4)", ends, sizeof ends}, {"x", "<f4", "(6, 2)", x, sizeof x},
      {"pos", "<f4", "(6, 2)", pos, sizeof pos},          {"y", "|i1", "(3,)", y, sizeof y},
      {"train_idx", "<i8", "(1,)", train, sizeof train},  {"val_idx", "<i8", "(1,)", val, sizeof val},
      {"test_idx", "<i8", "(1,)", test, sizeof test},
  };
  make_changed(path, deflate, arrays, changes);
}
