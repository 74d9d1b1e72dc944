// libFuzzer target: whatever an .hg file holds, reading it ends in a graph that keeps all invariants or in an input
// error with a message, and gives memory and HDF5 handles back. An input whose first byte is odd lists edits that are
// made to a sound parts file (with bit 1: a sound collection) through the HDF5 library (its metadata has checksums,
// which mutations of bytes rarely get past); else the input is the file itself.
#include <fcntl.h>
#include <hdf5.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/base/alloc.h"
#include "core/base/files.h"
#include "core/graph/generate.h"
#include "partition/parts.h"
#include "tests/support/sample_collection.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
const char *__lsan_default_suppressions(void);

// HDF5 1.10 forgets some of its own blocks when it refuses a damaged file.
const char *__lsan_default_suppressions(void) { return "leak:libhdf5"; }

enum { NODES = 12, GRAPHS = 4, ROOM = 1 << 20, LARGEST = 64 };

typedef struct {
  const uint8_t *at, *end;
} input;

static unsigned take(input *in) { return in->at < in->end ? *in->at++ : 0; }

static void demand(bool holds, const char *what)
{
  if (holds) return;
  fprintf(stderr, "%s: %s\n", what, hg_error_text());
  abort();
}

typedef struct {
  uint8_t bytes[ROOM];
  size_t size;
} sound_file;

static sound_file parts_file, collection_file;
static int memory = -1;
static char folder[64] = "/dev/shm/fuzz_store.XXXXXX", path[80];

static void write_sound_parts(const char *name)
{
  hg_generate_options options = hg_generate_options_default();
  hg_graph graph = {0}, ordered = {0};
  hg_build_counts counts;
  hg_parts_index index = {0};
  int32_t part_of[NODES];
  hg_lid order[NODES];
  options.nodes = NODES, options.degree = 3, options.classes = 2, options.features = 3;
  for (int i = 0; i < NODES; i++) part_of[i] = i % 2;
  demand(hg_generate("geometric", &options, &graph, &counts) == HG_OK, "generate");
  demand(hg_parts_build(&graph, 2, part_of, order, &index) == HG_OK, "parts");
  demand(hg_graph_permute(&ordered, &graph, order) == HG_OK, "permute");
  demand(hg_store_write_parts(name, &ordered, &index, "fuzz") == HG_OK, "write");
  hg_parts_index_free(&index);
  hg_graph_free(&graph);
  hg_graph_free(&ordered);
}

static void write_sound_collection(const char *name)
{
  hg_collection collection;
  demand(sample_collection(&collection, GRAPHS, 3, 2, HG_TASK_CLASSES, 2, 1) == HG_OK, "collection");
  demand(hg_store_write_collection(name, &collection, "fuzz") == HG_OK, "write");
  hg_collection_free(&collection);
}

static void keep(void (*write)(const char *name), sound_file *file)
{
  write(path);
  int handle = open(path, O_RDONLY);
  ssize_t got = read(handle, file->bytes, sizeof file->bytes);
  demand(handle >= 0 && got > 0 && got < ROOM, "sound file");
  file->size = (size_t)got;
  close(handle);
}

static void clean_up(void)
{
  unlink(path);
  rmdir(folder);
}

// The file lies in memory, but has a name: HDF5 does not open what has none.
static void prepare(void)
{
  demand(mkdtemp(folder) != NULL, "temporary folder");
  snprintf(path, sizeof path, "%s/input.hg", folder);
  atexit(clean_up);
  keep(write_sound_parts, &parts_file);
  keep(write_sound_collection, &collection_file);
  memory = open(path, O_RDWR);
  demand(memory >= 0, "memory file");
}

static const char *const objects[] = {"/csr/indptr",
                                      "/csr/indices",
                                      "/features",
                                      "/labels",
                                      "/split/train",
                                      "/split/val",
                                      "/split/test",
                                      "/positions",
                                      "/original_ids",
                                      "/parts/offsets",
                                      "/parts/halo_ids",
                                      "/parts/n_interior",
                                      "/parts/halo_offsets",
                                      "/features/indptr",
                                      "/features/indices",
                                      "/features/values",
                                      "/",
                                      "/parts",
                                      "/csr",
                                      "/split",
                                      "/graph_ptr"};
static const char *const attributes[] = {"halognn_format", "halognn_version", "symmetric", "fingerprint", "creator",
                                         "task",           "n_classes",       "width",     "quality",     "recipe"};
static const char *const texts[] = {"graph", "parts", "checkpoint", "collection", "classes", "multilabel", "regression",
                                    "{}",    ""};

static int64_t value_of(input *in)
{
  static const int64_t values[] = {INT64_MIN, INT64_MAX, INT32_MAX, INT32_MIN, -1, NODES, NODES + 1, 1000000000000};
  unsigned k = take(in);
  return k >= 0xf8 ? values[k - 0xf8] : k;
}

static hid_t type_of(unsigned k)
{
  const hid_t types[] = {H5T_STD_I64LE,  H5T_STD_I32LE, H5T_IEEE_F32LE, H5T_STD_U8LE,
                         H5T_IEEE_F64LE, H5T_STD_I32BE, H5T_C_S1,       H5T_STD_U64LE};
  return types[k % 8];
}

static void replace_dataset(hid_t file, const char *name, input *in)
{
  uint8_t bytes[LARGEST * LARGEST * 8] = {0};
  unsigned form = take(in);
  hid_t type = type_of(take(in));
  hsize_t dims[2] = {take(in) % LARGEST, take(in) % LARGEST}, chunk[2] = {1 + take(in) % 8, 1 + take(in) % 8};
  bool unwritten = form & 4;
  if (unwritten && form & 8) dims[0] = (hsize_t)1 << take(in) % 62;
  hid_t space = form & 2 ? H5Screate(H5S_NULL) : H5Screate_simple(form & 1 ? 2 : 1, dims, NULL),
        options = H5Pcreate(H5P_DATASET_CREATE);
  if (form & 0x10) H5Pset_chunk(options, form & 1 ? 2 : 1, chunk);
  if (form & 0x20) H5Pset_fletcher32(options);
  if (form & 0x40) H5Pset_deflate(options, 1);
  H5Ldelete(file, name, H5P_DEFAULT);
  hid_t set = H5Dcreate2(file, name, type, space, H5P_DEFAULT, options, H5P_DEFAULT);
  for (size_t k = 0; k < sizeof bytes / 8 && in->at < in->end && !unwritten; k++)
    memcpy(bytes + 8 * k, &(int64_t){value_of(in)}, 8);
  if (set >= 0 && !unwritten) H5Dwrite(set, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, bytes);
  if (set >= 0) H5Dclose(set);
  H5Pclose(options);
  H5Sclose(space);
}

static void poke(hid_t file, const char *name, input *in)
{
  hid_t set = H5Dopen2(file, name, H5P_DEFAULT);
  if (set < 0) return;
  hid_t space = H5Dget_space(set), single = H5Screate_simple(1, &(hsize_t){1}, NULL);
  hsize_t start[H5S_MAX_RANK] = {take(in)}, count[H5S_MAX_RANK];
  for (int k = 0; k < H5S_MAX_RANK; k++) count[k] = 1;
  int64_t value = value_of(in);
  double real = take(in) & 1 ? (double)value : NAN;
  hid_t type = H5Dget_type(set);
  // HDF5 allocates the index of all chunks when the first is written: not for what claims 10^12 of them
  bool writable = H5Sget_simple_extent_npoints(space) < ROOM;
  if (writable && H5Sselect_hyperslab(space, H5S_SELECT_SET, start, NULL, count, NULL) >= 0) {
    if (H5Tget_class(type) == H5T_FLOAT)
      H5Dwrite(set, H5T_NATIVE_DOUBLE, single, space, H5P_DEFAULT, &real);
    else
      H5Dwrite(set, H5T_NATIVE_INT64, single, space, H5P_DEFAULT, &value);
  }
  H5Tclose(type), H5Sclose(single), H5Sclose(space), H5Dclose(set);
}

static void set_attribute(hid_t file, const char *object, const char *name, input *in)
{
  bool is_text = take(in) & 1;
  const char *text = texts[take(in) % (sizeof texts / sizeof *texts)];
  int64_t value = value_of(in);
  hid_t space = H5Screate(H5S_SCALAR), type = H5Tcopy(is_text ? H5T_C_S1 : H5T_NATIVE_INT64);
  if (is_text) H5Tset_size(type, strlen(text) + 1);
  H5Adelete_by_name(file, object, name, H5P_DEFAULT);
  hid_t id = H5Acreate_by_name(file, object, name, type, space, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
  if (id >= 0) H5Awrite(id, type, is_text ? (const void *)text : &value), H5Aclose(id);
  H5Tclose(type);
  H5Sclose(space);
}

static void edit(hid_t file, input *in)
{
  unsigned kind = take(in);
  const char *object = objects[take(in) % (sizeof objects / sizeof *objects)];
  const char *attribute = attributes[take(in) % (sizeof attributes / sizeof *attributes)];
  switch (kind % 6) {
  case 0:
    replace_dataset(file, object, in);
    break;
  case 1:
    poke(file, object, in);
    break;
  case 2:
    set_attribute(file, object, attribute, in);
    break;
  case 3:
    H5Ldelete(file, object, H5P_DEFAULT);
    break;
  case 4:
    H5Adelete_by_name(file, object, attribute, H5P_DEFAULT);
    break;
  default:
    H5Ldelete(file, object, H5P_DEFAULT);
    hid_t group = H5Gcreate2(file, object, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
    if (group >= 0) H5Gclose(group);
  }
}

static void make_file(const uint8_t *data, size_t size)
{
  bool edits = data[0] & 1;
  const sound_file *base = data[0] & 2 ? &collection_file : &parts_file;
  const uint8_t *bytes = edits ? base->bytes : data + 1;
  size_t count = edits ? base->size : size - 1;
  demand(ftruncate(memory, 0) == 0 && pwrite(memory, bytes, count, 0) == (ssize_t)count, "memory file");
  if (!edits) return;
  input in = {data + 1, data + size};
  hid_t file = H5Fopen(path, H5F_ACC_RDWR, H5P_DEFAULT);
  demand(file >= 0, "the sound file cannot be opened");
  while (in.at < in.end) edit(file, &in);
  H5Fclose(file);
}

static void sound_status(hg_status rc)
{
  demand(rc == HG_OK || rc == HG_ERR_INPUT, "found a failure that is no input error");
  demand(rc == HG_OK || hg_error_text()[0] != '\0', "no message");
}

static hg_status ignore(void *context, const char *object, const char *attribute, const char *text)
{
  size_t *seen = context;
  *seen += strlen(object) + (attribute ? strlen(attribute) : 0) + strlen(text);
  return HG_OK;
}

static void read_all(void)
{
  hg_store_kind kind;
  hg_store_header header;
  hg_graph graph = {0};
  hg_collection collection = {0};
  hg_parts_index index = {0};
  size_t seen = 0;
  sound_status(hg_store_kind_of(path, &kind));
  sound_status(hg_store_list(path, ignore, &seen));
  sound_status(hg_store_read_graph(path, &graph));
  hg_graph_free(&graph);
  hg_status whole = hg_store_read_collection(path, &collection);
  sound_status(whole);
  if (whole == HG_OK) demand(hg_collection_check(&collection) == HG_OK, "a collection was read that is not sound");
  hg_collection_free(&collection);
  hg_status rc = hg_store_read_header(path, &header);
  sound_status(rc);
  for (int half = 0; half < 2 && rc == HG_OK; half++) {
    hg_off first = half * (header.n_nodes / 2), n = half == 0 ? header.n_nodes / 2 : header.n_nodes - first;
    hg_status read = hg_store_read_rows(path, first, n, &graph);
    sound_status(read);
    if (read == HG_OK) demand(hg_graph_check_rows(&graph, first) == HG_OK, "rows were read that are not sound");
    hg_graph_free(&graph);
  }
  for (int part = -1; part < 2; part++) {
    sound_status(hg_store_read_parts_index(path, part, &index));
    hg_parts_index_free(&index);
  }
}

static hsize_t handles(void)
{
  const H5I_type_t types[] = {H5I_FILE, H5I_GROUP, H5I_DATATYPE, H5I_DATASPACE, H5I_DATASET, H5I_ATTR, H5I_GENPROP_LST};
  hsize_t sum = 0, n = 0;
  for (size_t k = 0; k < sizeof types / sizeof *types; k++) sum += H5Inmembers(types[k], &n) >= 0 ? n : 0;
  return sum;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
  H5Eset_auto2(H5E_DEFAULT, NULL, NULL);
  if (memory < 0) prepare();
  if (size == 0) return 0;
  make_file(data, size);
  size_t bytes = hg_alloc_bytes();
  hsize_t open_before = handles();
  read_all();
  demand(hg_alloc_bytes() == bytes, "memory was not given back");
  demand(handles() == open_before, "HDF5 handles were not given back");
  return 0;
}
