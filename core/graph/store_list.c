#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "core/base/alloc.h"
#include "core/graph/store_layout.h"

typedef struct {
  hg_h5 file;
  hg_status rc;
  hg_status (*item)(void *context, const char *object, const char *attribute, const char *text);
  void *context;
  char object[512];
} listing;

// "float32 16 x 7"
static void shape_text(hid_t type, hid_t space, char *text, size_t size)
{
  hsize_t dims[H5S_MAX_RANK] = {0};
  H5T_class_t class = H5Tget_class(type);
  const char *name = class == H5T_FLOAT     ? "float"
                     : class == H5T_STRING  ? "text "
                     : class == H5T_INTEGER ? "int"
                                            : "other ";
  bool natural = class == H5T_INTEGER && H5Tget_sign(type) == H5T_SGN_NONE;
  size_t bits = class == H5T_STRING ? H5Tget_size(type) : 8 * H5Tget_size(type);
  int used = snprintf(text, size, "%s%s%zu", natural ? "u" : "", name, bits);
  int rank = H5Sget_simple_extent_dims(space, dims, NULL);
  for (int k = 0; k < rank && used > 0 && (size_t)used < size; k++)
    used += snprintf(text + used, size - (size_t)used, "%s%" PRIuHSIZE, k == 0 ? " " : " x ", dims[k]);
}

static hg_status list_value(listing *l, const char *name, hid_t id, hid_t type, hid_t space)
{
  char text[256] = "?";
  if (H5Sget_simple_extent_npoints(space) != 1) {
    shape_text(type, space, text, sizeof text);
    return l->item(l->context, l->object, name, text);
  }
  if (H5Tget_class(type) == H5T_STRING) {
    char *whole;
    hg_status rc = hg_h5_read_long_text(&l->file, l->object, name, &whole);
    if (rc == HG_OK) rc = l->item(l->context, l->object, name, whole);
    hg_free(&whole);
    return rc;
  }
  int64_t number;
  double real;
  if (H5Tget_class(type) == H5T_INTEGER && H5Aread(id, H5T_NATIVE_INT64, &number) >= 0)
    snprintf(text, sizeof text, "%" PRId64, number);
  else if (H5Tget_class(type) == H5T_FLOAT && H5Aread(id, H5T_NATIVE_DOUBLE, &real) >= 0)
    snprintf(text, sizeof text, "%.9g", real);
  return l->item(l->context, l->object, name, text);
}

static herr_t on_attribute(hid_t object, const char *name, const H5A_info_t *info, void *context)
{
  (void)info;
  listing *l = context;
  hid_t id = H5Aopen(object, name, H5P_DEFAULT), type = id >= 0 ? H5Aget_type(id) : -1,
        space = id >= 0 ? H5Aget_space(id) : -1;
  if (type < 0 || space < 0)
    l->rc = hg_fail(HG_ERR_INPUT, "%s: attribute %s of %s is damaged", l->file.path, name, l->object);
  else
    l->rc = list_value(l, name, id, type, space);
  if (space >= 0) H5Sclose(space);
  if (type >= 0) H5Tclose(type);
  if (id >= 0) H5Aclose(id);
  return l->rc == HG_OK ? 0 : -1;
}

static hg_status list_dataset(listing *l, hid_t set)
{
  char text[256] = "?";
  hid_t type = H5Dget_type(set), space = H5Dget_space(set);
  if (type >= 0 && space >= 0) shape_text(type, space, text, sizeof text);
  if (space >= 0) H5Sclose(space);
  if (type >= 0) H5Tclose(type);
  return l->item(l->context, l->object, NULL, text);
}

static herr_t on_object(hid_t root, const char *name, const H5O_info_t *info, void *context)
{
  listing *l = context;
  hsize_t at = 0;
  snprintf(l->object, sizeof l->object, "%s%s", "/", strcmp(name, ".") == 0 ? "" : name);
  if (info->type != H5O_TYPE_DATASET && info->type != H5O_TYPE_GROUP) return 0;
  hid_t object = H5Oopen(root, name, H5P_DEFAULT);
  if (object < 0) l->rc = hg_fail(HG_ERR_INPUT, "%s: %s is damaged", l->file.path, l->object);
  if (object >= 0 && info->type == H5O_TYPE_DATASET) l->rc = list_dataset(l, object);
  if (l->rc == HG_OK && object >= 0 && H5Aiterate2(object, H5_INDEX_NAME, H5_ITER_INC, &at, on_attribute, l) < 0 &&
      l->rc == HG_OK)
    l->rc = hg_fail(HG_ERR_INPUT, "%s: the attributes of %s are damaged", l->file.path, l->object);
  if (object >= 0) H5Oclose(object);
  return l->rc == HG_OK ? 0 : -1;
}

hg_status hg_store_list(const char *path,
                        hg_status (*item)(void *context, const char *object, const char *attribute, const char *text),
                        void *context)
{
  hg_status rc = HG_OK;
  hg_store_kind kind;
  listing l = {.item = item, .context = context};
  HG_TRY(hg_h5_open(&l.file, path));
  HG_TRY(hg_store_check_head(&l.file, &kind));
  if (H5Ovisit2(l.file.id, H5_INDEX_NAME, H5_ITER_INC, on_object, &l, H5O_INFO_BASIC) < 0 && l.rc == HG_OK)
    l.rc = hg_fail(HG_ERR_INPUT, "%s: the file is damaged", path);
  rc = l.rc;
done:
  hg_h5_drop(&l.file);
  return rc;
}
