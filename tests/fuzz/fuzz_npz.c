// libFuzzer target: whatever bytes an .npz archive has, importing it ends in a graph that keeps all invariants or in
// an error with a message, and gives all memory back. An input whose first byte is odd describes arrays, from which a
// sound archive is made: mutations of an archive itself rarely get past its checksums.
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "core/base/alloc.h"
#include "core/graph/import_npz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { MAX_MEMBERS = 16, ROOM = 1 << 16, LOCAL_HEADER = 30, CENTRAL_HEADER = 46, END_HEADER = 22 };

static const char *const keys[] = {
    "adj_shape", "adj_indptr",  "adj_indices", "adj_data",   "attr_shape", "attr_indptr", "attr_indices",
    "attr_data", "attr_matrix", "labels",      "y",          "train_idx",  "val_idx",     "test_idx",
    "pos",       "node_ptr",    "edge_ptr",    "edge_index", "x"};
static const char *const types[] = {"|i1", "<i2", "<i4", "<i8", "|u1", "<u2", "<u4", "<u8", "<f4", "<f8", "|b1", "<U3"};
static const size_t type_sizes[] = {1, 2, 4, 8, 1, 2, 4, 8, 4, 8, 1, 12};

typedef struct {
  uint8_t bytes[ROOM];
  size_t used;
} buffer;

static void put(buffer *b, const void *bytes, size_t n)
{
  if (n > ROOM - b->used) n = ROOM - b->used;
  memcpy(b->bytes + b->used, bytes, n);
  b->used += n;
}

static void put_number(buffer *b, uint64_t value, int width)
{
  uint8_t bytes[8];
  for (int k = 0; k < width; k++) bytes[k] = (uint8_t)(value >> 8 * k);
  put(b, bytes, (size_t)width);
}

typedef struct {
  const uint8_t *at, *end;
} input;

static unsigned take(input *in) { return in->at < in->end ? *in->at++ : 0; }

// One array: key, dtype, dimensions, two lengths, then its elements (zeros when the input is at its end).
static void put_array(buffer *b, input *in, const char **key)
{
  unsigned type = take(in) % (sizeof types / sizeof *types), form = take(in), rows = take(in),
           columns = form & 1 ? take(in) : 1;
  char header[128];
  int n = snprintf(header, sizeof header,
                   form & 1 ? "{'descr': '%s', 'fortran_order': %s, 'shape': (%u, %u), }\n"
                            : "{'descr': '%s', 'fortran_order': %s, 'shape': (%u,), }\n",
                   types[type], form & 2 ? "True" : "False", rows, columns);
  *key = keys[take(in) % (sizeof keys / sizeof *keys)];
  put(b, "\x93NUMPY\x01\x00", 8);
  put_number(b, (uint64_t)n, 2);
  put(b, header, (size_t)n);
  for (size_t k = 0; k < rows * columns * type_sizes[type]; k++) put_number(b, take(in), 1);
}

static void put_names(buffer *b, uint32_t crc, size_t size, size_t name_length)
{
  put_number(b, crc, 4);
  put_number(b, size, 4);
  put_number(b, size, 4);
  put_number(b, name_length, 2);
  put_number(b, 0, 2);
}

// A stored member; its directory entry goes to `directory`.
static void put_member(buffer *archive, buffer *directory, const buffer *array, const char *key)
{
  char name[64];
  int length = snprintf(name, sizeof name, "%s.npy", key);
  uint32_t crc = (uint32_t)crc32(0, array->bytes, (uInt)array->used);
  size_t offset = archive->used;
  put(archive, "PK\x03\x04\x14\0\0\0\0\0\0\0\x21\0", 14);
  put_names(archive, crc, array->used, (size_t)length);
  put(archive, name, (size_t)length);
  put(archive, array->bytes, array->used);
  put(directory, "PK\x01\x02\x14\0\x14\0\0\0\0\0\0\0\x21\0", 16);
  put_names(directory, crc, array->used, (size_t)length);
  put(directory, "\0\0\0\0\0\0\0\0\0", 10);
  put_number(directory, offset, 4);
  put(directory, name, (size_t)length);
}

static void build(buffer *archive, input in)
{
  static buffer directory, array;
  unsigned members = 0;
  archive->used = directory.used = 0;
  while (in.at < in.end && members < MAX_MEMBERS) {
    const char *key;
    array.used = 0;
    put_array(&array, &in, &key);
    put_member(archive, &directory, &array, key);
    members++;
  }
  size_t offset = archive->used;
  put(archive, directory.bytes, directory.used);
  put(archive, "PK\x05\x06\0\0\0\0", 8);
  put_number(archive, members, 2);
  put_number(archive, members, 2);
  put_number(archive, directory.used, 4);
  put_number(archive, offset, 4);
  put_number(archive, 0, 2);
}

static void demand(bool holds, const char *what)
{
  if (holds) return;
  fprintf(stderr, "%s: %s\n", what, hg_error_text());
  abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
  static buffer archive;
  hg_npz *npz = NULL;
  hg_imported made = {0};
  hg_import_report report = {0};
  hg_import_options options = hg_import_default();
  if (size == 0) return 0;
  options.symmetrize = data[0] & 2;
  options.task = (hg_task)(data[0] >> 2 & 3);
  if (data[0] & 1) build(&archive, (input){data + 1, data + size});
  size_t before = hg_alloc_bytes();
  hg_status rc = data[0] & 1 ? hg_npz_open_memory(&npz, archive.bytes, archive.used, "input")
                             : hg_npz_open_memory(&npz, data + 1, size - 1, "input");
  if (rc == HG_OK) rc = hg_import_npz_archive(&made, npz, &options, &report);
  demand(rc == HG_OK || rc == HG_ERR_INPUT, "found a failure that is no input error");
  demand(rc == HG_OK || hg_error_text()[0] != '\0', "no message");
  if (rc == HG_OK && hg_imported_items(&made)->n > 0) // nothing at all is refused, by hg_import_finish
    demand(hg_import_finish(&made, "input", &options, &report) == HG_OK, "a graph was read that is not sound");
  hg_imported_free(&made);
  hg_npz_close(&npz);
  demand(hg_alloc_bytes() == before, "memory was not given back");
  return 0;
}
