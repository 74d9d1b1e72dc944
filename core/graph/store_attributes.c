#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/alloc.h"
#include "core/graph/store_h5.h"

enum { LONGEST_TEXT = 64 << 20 };

static hg_status fail_attribute(hg_status code, const hg_h5 *file, const char *name, const char *attribute,
                                const char *what)
{
  return hg_fail(code, "%s: attribute %s of %s %s", file->path, attribute, name, what);
}

static hg_status write_attribute(const hg_h5 *file, const char *name, const char *attribute, hid_t type,
                                 const void *value)
{
  hid_t space = H5Screate(H5S_SCALAR);
  hid_t id = H5Acreate_by_name(file->id, name, attribute, type, space, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
  bool failed = id < 0 || H5Awrite(id, type, value) < 0;
  if (id >= 0) H5Aclose(id);
  H5Sclose(space);
  return failed ? fail_attribute(HG_ERR_IO, file, name, attribute, "cannot be written") : HG_OK;
}

hg_status hg_h5_write_text(const hg_h5 *file, const char *name, const char *attribute, const char *text)
{
  hid_t type = H5Tcopy(H5T_C_S1);
  H5Tset_size(type, strlen(text) + 1);
  H5Tset_cset(type, H5T_CSET_UTF8);
  hg_status rc = write_attribute(file, name, attribute, type, text);
  H5Tclose(type);
  return rc;
}

hg_status hg_h5_write_number(const hg_h5 *file, const char *name, const char *attribute, int64_t value)
{
  return write_attribute(file, name, attribute, H5T_NATIVE_INT64, &value);
}

hg_status hg_h5_write_u64(const hg_h5 *file, const char *name, const char *attribute, uint64_t value)
{
  return write_attribute(file, name, attribute, H5T_NATIVE_UINT64, &value);
}

// Opens an attribute that must be one element of a class; *type is its type in the file.
static hg_status open_attribute(const hg_h5 *file, const char *name, const char *attribute, H5T_class_t class,
                                hid_t *id, hid_t *type)
{
  *id = *type = -1;
  if (!(strcmp(name, "/") == 0 || hg_h5_exists(file, name)) ||
      H5Aexists_by_name(file->id, name, attribute, H5P_DEFAULT) <= 0)
    return fail_attribute(HG_ERR_INPUT, file, name, attribute, "is missing");
  *id = H5Aopen_by_name(file->id, name, attribute, H5P_DEFAULT, H5P_DEFAULT);
  if (*id < 0) return fail_attribute(HG_ERR_INPUT, file, name, attribute, "is damaged");
  *type = H5Aget_type(*id);
  hid_t space = H5Aget_space(*id);
  bool single = space >= 0 && H5Sget_simple_extent_npoints(space) == 1;
  if (space >= 0) H5Sclose(space);
  if (single && *type >= 0 && H5Tget_class(*type) == class) return HG_OK;
  return fail_attribute(HG_ERR_INPUT, file, name, attribute,
                        class == H5T_STRING ? "is no text, expected one" : "is no integer, expected one");
}

static hg_status read_integer(const hg_h5 *file, const char *name, const char *attribute, hid_t memory, void *value)
{
  hg_status rc = HG_OK;
  hid_t id = -1, type = -1;
  HG_TRY(open_attribute(file, name, attribute, H5T_INTEGER, &id, &type));
  if (H5Aread(id, memory, value) < 0) rc = fail_attribute(HG_ERR_INPUT, file, name, attribute, "is damaged");
done:
  if (type >= 0) H5Tclose(type);
  if (id >= 0) H5Aclose(id);
  return rc;
}

hg_status hg_h5_read_number(const hg_h5 *file, const char *name, const char *attribute, int64_t low, int64_t high,
                            int64_t *value)
{
  hg_status rc = read_integer(file, name, attribute, H5T_NATIVE_INT64, value);
  if (rc != HG_OK || (*value >= low && *value <= high)) return rc;
  return hg_fail(HG_ERR_INPUT, "%s: attribute %s of %s is %" PRId64 ", expected %" PRId64 " to %" PRId64, file->path,
                 attribute, name, *value, low, high);
}

hg_status hg_h5_read_u64(const hg_h5 *file, const char *name, const char *attribute, uint64_t *value)
{
  return read_integer(file, name, attribute, H5T_NATIVE_UINT64, value);
}

// Text of fixed length (ours) or of variable length (h5py's), as a new string.
static hg_status read_any_text(const hg_h5 *file, const char *name, const char *attribute, hid_t id, hid_t type,
                               char **text)
{
  bool variable = H5Tis_variable_str(type) > 0;
  size_t length = H5Tget_size(type);
  char *borrowed = NULL;
  hg_status rc = HG_OK;
  if (variable) {
    if (H5Aread(id, type, &borrowed) < 0 || !borrowed)
      return fail_attribute(HG_ERR_INPUT, file, name, attribute, "is damaged");
    length = strlen(borrowed);
  }
  if (length > LONGEST_TEXT) rc = fail_attribute(HG_ERR_INPUT, file, name, attribute, "is longer than 64 MiB");
  if (rc == HG_OK) rc = HG_ALLOC(*text, length + 1, attribute);
  if (rc == HG_OK && variable)
    memcpy(*text, borrowed, length);
  else if (rc == HG_OK && H5Aread(id, type, *text) < 0)
    rc = fail_attribute(HG_ERR_INPUT, file, name, attribute, "is damaged");
  if (borrowed) H5free_memory(borrowed);
  return rc;
}

hg_status hg_h5_read_long_text(const hg_h5 *file, const char *name, const char *attribute, char **text)
{
  hg_status rc = HG_OK;
  hid_t id = -1, type = -1;
  *text = NULL;
  HG_TRY(open_attribute(file, name, attribute, H5T_STRING, &id, &type));
  HG_TRY(read_any_text(file, name, attribute, id, type, text));
done:
  if (type >= 0) H5Tclose(type);
  if (id >= 0) H5Aclose(id);
  if (rc != HG_OK) hg_free(text);
  return rc;
}

hg_status hg_h5_read_text(const hg_h5 *file, const char *name, const char *attribute, char *text, size_t size)
{
  char *whole;
  hg_status rc = hg_h5_read_long_text(file, name, attribute, &whole);
  if (rc != HG_OK) return rc;
  if (strlen(whole) < size)
    memcpy(text, whole, strlen(whole) + 1);
  else
    rc = fail_attribute(HG_ERR_INPUT, file, name, attribute, "is too long");
  hg_free(&whole);
  return rc;
}
