#include "core/graph/store_h5.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "core/base/alloc.h"

enum { CHUNK_ELEMENTS = 1 << 16, CAUSE_ROOM = 160 };

static const hsize_t largest_chunk_bytes = 64 << 20;
static const hsize_t best_deflate_ratio = 1032; // zlib's limit: 258 bytes from two bits

static hid_t file_type(hg_h5_type type)
{
  switch (type) {
  case HG_H5_I64:
    return H5T_STD_I64LE;
  case HG_H5_I32:
    return H5T_STD_I32LE;
  case HG_H5_F32:
    return H5T_IEEE_F32LE;
  case HG_H5_F64:
    return H5T_IEEE_F64LE;
  default:
    return H5T_STD_U8LE;
  }
}

static hid_t memory_type(hg_h5_type type)
{
  switch (type) {
  case HG_H5_I64:
    return H5T_NATIVE_INT64;
  case HG_H5_I32:
    return H5T_NATIVE_INT32;
  case HG_H5_F32:
    return H5T_NATIVE_FLOAT;
  case HG_H5_F64:
    return H5T_NATIVE_DOUBLE;
  default:
    return H5T_NATIVE_UINT8;
  }
}

static const char *type_name(hg_h5_type type)
{
  static const char *const names[] = {"int64", "int32", "float32", "float64", "uint8"};
  return names[type];
}

// The innermost entry of HDF5's error stack is the cause; the rest is its way up. Where the system refused, its own
// words lie between quotes in a text of several lines.
static herr_t keep_cause(unsigned depth, const H5E_error2_t *error, void *cause)
{
  const char *start = error->desc, *mark = "error message = '";
  if (depth != 0 || !start) return 0;
  if (strstr(start, mark)) start = strstr(start, mark) + strlen(mark);
  snprintf(cause, CAUSE_ROOM, "%.*s", (int)strcspn(start, start == error->desc ? "\n" : "'\n"), start);
  return 0;
}

static hg_status fail_h5(hg_status code, const hg_h5 *file, const char *name, const char *doing)
{
  char cause[CAUSE_ROOM] = "no reason given";
  H5Ewalk2(H5E_DEFAULT, H5E_WALK_UPWARD, keep_cause, cause);
  return hg_fail(code, "%s: %s: %s: %s", file->path, name, doing, cause);
}

static hg_status check_openable(const char *path)
{
  struct stat info;
  if (stat(path, &info) != 0) return hg_fail(HG_ERR_INPUT, "%s: there is no such file", path);
  if (S_ISDIR(info.st_mode)) return hg_fail(HG_ERR_INPUT, "%s: found a folder, expected an .hg file", path);
  if (!S_ISREG(info.st_mode)) return hg_fail(HG_ERR_INPUT, "%s: found no regular file, expected an .hg file", path);
  if (info.st_size == 0) return hg_fail(HG_ERR_INPUT, "%s: found an empty file, expected an .hg file", path);
  FILE *stream = fopen(path, "rb");
  if (!stream) return hg_fail(HG_ERR_INPUT, "%s: cannot be read: %m", path);
  fclose(stream);
  return HG_OK;
}

static hid_t access_list(void)
{
  hid_t list = H5Pcreate(H5P_FILE_ACCESS);
  H5Pset_file_locking(list, false, true);
  H5Pset_libver_bounds(list, H5F_LIBVER_V110, H5F_LIBVER_V110);
  H5Pset_fclose_degree(list, H5F_CLOSE_STRONG);
  return list;
}

// No messages of its own; and no clean-up at exit, which crashes over a file that could not be closed on a full disk
static void start_library(void)
{
  (void)H5dont_atexit();
  H5Eset_auto2(H5E_DEFAULT, NULL, NULL);
}

hg_status hg_h5_open(hg_h5 *file, const char *path)
{
  *file = (hg_h5){0};
  start_library();
  hg_status rc = check_openable(path);
  if (rc != HG_OK) return rc;
  if (H5Fis_hdf5(path) <= 0) return hg_fail(HG_ERR_INPUT, "%s: found no HDF5 file, expected an .hg file", path);
  hid_t list = access_list();
  hg_h5 opened = {H5Fopen(path, H5F_ACC_RDONLY, list), path};
  if (opened.id < 0)
    rc = fail_h5(HG_ERR_INPUT, &opened, "/", "cannot be opened, is it cut off or damaged?");
  else
    *file = opened;
  H5Pclose(list);
  return rc;
}

hg_status hg_h5_create(hg_h5 *file, const char *temporary, const char *path)
{
  *file = (hg_h5){0};
  start_library();
  hid_t list = access_list();
  hid_t options = H5Pcreate(H5P_FILE_CREATE);
  H5Pset_obj_track_times(options, false); // the same graph makes the same file
  hg_h5 made = {H5Fcreate(temporary, H5F_ACC_TRUNC, options, list), path};
  hg_status rc = HG_OK;
  if (made.id < 0)
    rc = fail_h5(HG_ERR_IO, &made, "/", "cannot be written");
  else
    *file = made;
  H5Pclose(list);
  return rc;
}

hg_status hg_h5_reopen(hg_h5 *file, const char *temporary, const char *path)
{
  *file = (hg_h5){0};
  start_library();
  hid_t list = access_list();
  hg_h5 opened = {H5Fopen(temporary, H5F_ACC_RDWR, list), path};
  hg_status rc = HG_OK;
  if (opened.id < 0)
    rc = fail_h5(HG_ERR_IO, &opened, "/", "cannot be written");
  else
    *file = opened;
  H5Pclose(list);
  return rc;
}

hg_status hg_h5_close(hg_h5 *file)
{
  hg_h5 closing = *file;
  *file = (hg_h5){0};
  if (closing.id > 0 && H5Fclose(closing.id) < 0)
    return fail_h5(HG_ERR_IO, &closing, "/", "cannot be closed, is the disk full?");
  return HG_OK;
}

void hg_h5_drop(hg_h5 *file)
{
  if (file->id > 0) H5Fclose(file->id);
  *file = (hg_h5){0};
}

hg_status hg_h5_make_group(const hg_h5 *file, const char *name)
{
  hid_t options = H5Pcreate(H5P_GROUP_CREATE);
  H5Pset_obj_track_times(options, false);
  hid_t group = H5Gcreate2(file->id, name, H5P_DEFAULT, options, H5P_DEFAULT);
  H5Pclose(options);
  if (group < 0 || H5Gclose(group) < 0) return fail_h5(HG_ERR_IO, file, name, "cannot be written");
  return HG_OK;
}

bool hg_h5_exists(const hg_h5 *file, const char *name)
{
  char above[256];
  for (const char *slash = strchr(name + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
    snprintf(above, sizeof above, "%.*s", (int)(slash - name), name);
    if (H5Lexists(file->id, above, H5P_DEFAULT) <= 0) return false;
  }
  return H5Lexists(file->id, name, H5P_DEFAULT) > 0;
}

bool hg_h5_is_group(const hg_h5 *file, const char *name)
{
  H5O_info_t info;
  return H5Oget_info_by_name2(file->id, name, &info, H5O_INFO_BASIC, H5P_DEFAULT) >= 0 && info.type == H5O_TYPE_GROUP;
}

// rows of about 64 Ki elements, never more than there are
static void chunk_of(hsize_t dims[2], int rank, hsize_t chunk[2])
{
  hsize_t width = rank == 2 ? dims[1] : 1, rows = CHUNK_ELEMENTS / width;
  chunk[0] = rows < 1 ? 1 : rows > dims[0] ? dims[0] : rows;
  chunk[1] = width > CHUNK_ELEMENTS ? CHUNK_ELEMENTS : width;
}

hg_status hg_h5_write(const hg_h5 *file, const char *name, hg_h5_type type, hg_off rows, hg_off cols, const void *data)
{
  int rank = cols > 0 ? 2 : 1;
  hsize_t dims[2] = {(hsize_t)rows, (hsize_t)cols}, chunk[2];
  hid_t space = H5Screate_simple(rank, dims, NULL), options = H5Pcreate(H5P_DATASET_CREATE);
  H5Pset_obj_track_times(options, false);
  if (rows > 0) {
    chunk_of(dims, rank, chunk);
    H5Pset_chunk(options, rank, chunk);
    H5Pset_fletcher32(options);
  }
  hid_t set = H5Dcreate2(file->id, name, file_type(type), space, H5P_DEFAULT, options, H5P_DEFAULT);
  hg_status rc = HG_OK;
  if (set < 0 || (data && rows > 0 && H5Dwrite(set, memory_type(type), H5S_ALL, H5S_ALL, H5P_DEFAULT, data) < 0))
    rc = fail_h5(HG_ERR_IO, file, name, "cannot be written");
  if (set >= 0 && H5Dclose(set) < 0 && rc == HG_OK) rc = fail_h5(HG_ERR_IO, file, name, "cannot be written");
  H5Pclose(options);
  H5Sclose(space);
  return rc;
}

static hg_status check_type(const hg_h5 *file, const char *name, hid_t found, hg_h5_type type)
{
  hid_t wanted = file_type(type);
  H5T_class_t class = H5Tget_class(found);
  bool same = class == H5Tget_class(wanted) && H5Tget_size(found) == H5Tget_size(wanted);
  if (same && class == H5T_INTEGER) same = H5Tget_sign(found) == H5Tget_sign(wanted);
  if (same) return HG_OK;
  const char *kind = class == H5T_INTEGER ? H5Tget_sign(found) == H5T_SGN_NONE ? "uint" : "int"
                     : class == H5T_FLOAT ? "float"
                                          : "an element of class ";
  return hg_fail(HG_ERR_INPUT, "%s: %s: found %s%zu, expected %s", file->path, name, kind,
                 class == H5T_INTEGER || class == H5T_FLOAT ? 8 * H5Tget_size(found) : (size_t) class, type_name(type));
}

static hg_status check_shape(const hg_h5 *file, const char *name, hid_t space, int rank, hg_h5_shape *shape)
{
  hsize_t dims[H5S_MAX_RANK] = {0};
  int found = H5Sget_simple_extent_ndims(space);
  if (found != rank || H5Sget_simple_extent_dims(space, dims, NULL) != rank)
    return hg_fail(HG_ERR_INPUT, "%s: %s: found %d dimensions, expected %d", file->path, name, found, rank);
  *shape = (hg_h5_shape){.rank = rank, .dims = {(hg_off)dims[0], rank == 2 ? (hg_off)dims[1] : 1}};
  if (dims[0] > INT64_MAX / 16 || (rank == 2 && dims[1] > INT32_MAX))
    return hg_fail(HG_ERR_INPUT, "%s: %s: is too large: %" PRIuHSIZE " rows", file->path, name, dims[0]);
  return HG_OK;
}

// Sets *deflated; refuses filters whose ratio is unknown, chunks that HDF5 would have to allocate on a file's word,
// and data elsewhere.
static hg_status check_layout(const hg_h5 *file, const char *name, hid_t options, size_t element, bool *deflated)
{
  H5D_layout_t layout = H5Pget_layout(options);
  if (layout == H5D_VIRTUAL || layout < 0 || H5Pget_external_count(options) != 0)
    return hg_fail(HG_ERR_INPUT, "%s: %s: found data in another file, expected it in this one", file->path, name);
  *deflated = false;
  for (unsigned k = 0; k < (unsigned)H5Pget_nfilters(options); k++) {
    unsigned flags, config;
    size_t none = 0;
    H5Z_filter_t filter = H5Pget_filter2(options, k, &flags, &none, NULL, 0, NULL, &config);
    if (filter != H5Z_FILTER_FLETCHER32 && filter != H5Z_FILTER_DEFLATE && filter != H5Z_FILTER_SHUFFLE)
      return hg_fail(HG_ERR_INPUT, "%s: %s: found HDF5 filter %d, expected fletcher32, deflate or shuffle", file->path,
                     name, filter);
    *deflated |= filter == H5Z_FILTER_DEFLATE;
  }
  hsize_t chunk[H5S_MAX_RANK], bytes = element;
  int rank = layout == H5D_CHUNKED ? H5Pget_chunk(options, H5S_MAX_RANK, chunk) : 0;
  for (int k = 0; k < rank; k++)
    bytes = bytes > largest_chunk_bytes || chunk[k] > largest_chunk_bytes ? HSIZE_UNDEF : bytes * chunk[k];
  if (bytes > largest_chunk_bytes)
    return hg_fail(HG_ERR_INPUT, "%s: %s: found chunks of more than %" PRIuHSIZE " MiB", file->path, name,
                   largest_chunk_bytes >> 20);
  return HG_OK;
}

static hg_status check_size(const hg_h5 *file, const char *name, hid_t set, const hg_h5_shape *shape, size_t element,
                            bool deflated)
{
  hsize_t stored = H5Dget_storage_size(set), claimed;
  struct stat info;
  if (stat(file->path, &info) == 0 && stored > (hsize_t)info.st_size) stored = (hsize_t)info.st_size;
  if (__builtin_mul_overflow((hsize_t)shape->dims[0] * element, (hsize_t)shape->dims[1], &claimed))
    claimed = UINT64_MAX;
  if (claimed / (deflated ? best_deflate_ratio : 1) <= stored) return HG_OK;
  return hg_fail(HG_ERR_INPUT, "%s: %s: claims %" PRIuHSIZE " bytes, but the file holds %" PRIuHSIZE " of it",
                 file->path, name, claimed, stored);
}

static hg_status open_dataset(const hg_h5 *file, const char *name, hid_t *set)
{
  *set = -1;
  if (!hg_h5_exists(file, name)) return hg_fail(HG_ERR_INPUT, "%s: %s: is missing", file->path, name);
  *set = H5Dopen2(file->id, name, H5P_DEFAULT);
  return *set >= 0 ? HG_OK : fail_h5(HG_ERR_INPUT, file, name, "cannot be opened as a dataset");
}

hg_status hg_h5_inspect(const hg_h5 *file, const char *name, hg_h5_type type, int rank, hg_h5_shape *shape)
{
  hg_status rc = HG_OK;
  hid_t set = -1, space = -1, options = -1, found = -1;
  bool deflated = false;
  HG_TRY(open_dataset(file, name, &set));
  space = H5Dget_space(set), options = H5Dget_create_plist(set), found = H5Dget_type(set);
  if (space < 0 || options < 0 || found < 0) HG_TRY(fail_h5(HG_ERR_INPUT, file, name, "cannot be read"));
  HG_TRY(check_type(file, name, found, type));
  HG_TRY(check_shape(file, name, space, rank, shape));
  HG_TRY(check_layout(file, name, options, H5Tget_size(found), &deflated));
  HG_TRY(check_size(file, name, set, shape, H5Tget_size(found), deflated));
done:
  if (found >= 0) H5Tclose(found);
  if (options >= 0) H5Pclose(options);
  if (space >= 0) H5Sclose(space);
  if (set >= 0) H5Dclose(set);
  return rc;
}

// Rows [first, first + n) of an open dataset, and room for them in memory
static bool select_rows(hid_t set, hg_off first, hg_off n, hid_t *space, hid_t *memory)
{
  hsize_t dims[H5S_MAX_RANK] = {0}, start[H5S_MAX_RANK] = {(hsize_t)first};
  *space = H5Dget_space(set);
  int rank = H5Sget_simple_extent_dims(*space, dims, NULL);
  dims[0] = (hsize_t)n;
  *memory = H5Screate_simple(rank, dims, NULL);
  return rank >= 1 && *memory >= 0 && H5Sselect_hyperslab(*space, H5S_SELECT_SET, start, NULL, dims, NULL) >= 0;
}

hg_status hg_h5_read_rows(const hg_h5 *file, const char *name, hg_h5_type type, hg_off first, hg_off n, void *data)
{
  if (n == 0) return HG_OK;
  hg_status rc = HG_OK;
  hid_t set = -1, space = -1, memory = -1;
  HG_TRY(open_dataset(file, name, &set));
  if (!select_rows(set, first, n, &space, &memory) ||
      H5Dread(set, memory_type(type), memory, space, H5P_DEFAULT, data) < 0)
    rc = fail_h5(HG_ERR_INPUT, file, name, "is damaged");
done:
  if (memory >= 0) H5Sclose(memory);
  if (space >= 0) H5Sclose(space);
  if (set >= 0) H5Dclose(set);
  return rc;
}

hg_status hg_h5_write_rows(const hg_h5 *file, const char *name, hg_h5_type type, hg_off first, hg_off n,
                           const void *data)
{
  if (n == 0) return HG_OK;
  hg_status rc = HG_OK;
  hid_t set = -1, space = -1, memory = -1;
  HG_TRY(open_dataset(file, name, &set));
  if (!select_rows(set, first, n, &space, &memory) ||
      H5Dwrite(set, memory_type(type), memory, space, H5P_DEFAULT, data) < 0)
    rc = fail_h5(HG_ERR_IO, file, name, "cannot be written");
done:
  if (memory >= 0) H5Sclose(memory);
  if (space >= 0) H5Sclose(space);
  if (set >= 0 && H5Dclose(set) < 0 && rc == HG_OK) rc = fail_h5(HG_ERR_IO, file, name, "cannot be written");
  return rc;
}
