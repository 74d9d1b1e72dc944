#include "core/graph/npz.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <zip.h>

#include "core/base/alloc.h"

struct hg_npz {
  char path[4096];
  int64_t size; // bytes of the archive
  zip_t *zip;
  zip_file_t *member; // the array that is read now, or NULL
  hg_npy *array;
};

// A deflate block cannot expand more than 1032 times (258 bytes from two bits); a little more for the block's head.
enum { DEFLATE_LIMIT = 1032, DEFLATE_SLACK = 64 };

static hg_status no_zip(const char *path, zip_error_t *error)
{
  hg_status rc = hg_fail(HG_ERR_INPUT, "%s: cannot read as .npz (a zip archive): %s", path, zip_error_strerror(error));
  zip_error_fini(error);
  return rc;
}

hg_status hg_npz_open(hg_npz **npz, const char *path)
{
  hg_npz *a = NULL;
  struct stat info;
  *npz = NULL;
  if (stat(path, &info) != 0) return hg_fail(HG_ERR_INPUT, "%s: cannot open: %s", path, strerror(errno));
  if (!S_ISREG(info.st_mode)) return hg_fail(HG_ERR_INPUT, "%s: found no regular file, expected an .npz archive", path);
  if (info.st_size == 0) return hg_fail(HG_ERR_INPUT, "%s: the file is empty, expected an .npz archive", path);
  hg_status rc = HG_ALLOC(a, 1, "npz archive");
  if (rc != HG_OK) return rc;
  int code = 0;
  a->size = info.st_size;
  snprintf(a->path, sizeof a->path, "%s", path);
  a->zip = zip_open(path, ZIP_RDONLY, &code);
  if (!a->zip) {
    zip_error_t error;
    zip_error_init_with_code(&error, code);
    hg_free(&a);
    return no_zip(path, &error);
  }
  *npz = a;
  return HG_OK;
}

hg_status hg_npz_open_memory(hg_npz **npz, const void *data, size_t size, const char *name)
{
  hg_npz *a = NULL;
  *npz = NULL;
  hg_status rc = HG_ALLOC(a, 1, "npz archive");
  if (rc != HG_OK) return rc;
  zip_error_t error;
  zip_error_init(&error);
  a->size = (int64_t)size;
  snprintf(a->path, sizeof a->path, "%s", name);
  zip_source_t *source = zip_source_buffer_create(data, size, 0, &error);
  if (source) a->zip = zip_open_from_source(source, ZIP_RDONLY, &error);
  if (!a->zip) {
    if (source) zip_source_free(source);
    hg_free(&a);
    return no_zip(name, &error);
  }
  zip_error_fini(&error);
  *npz = a;
  return HG_OK;
}

void hg_npz_close(hg_npz **npz)
{
  hg_npz *a = *npz;
  if (!a) return;
  if (a->member) zip_fclose(a->member);
  zip_discard(a->zip);
  hg_free(npz);
}

const char *hg_npz_path(const hg_npz *npz) { return npz->path; }

static zip_int64_t locate(hg_npz *npz, const char *key)
{
  char member[256];
  snprintf(member, sizeof member, "%s.npy", key);
  return zip_name_locate(npz->zip, member, 0);
}

bool hg_npz_has(hg_npz *npz, const char *key) { return locate(npz, key) >= 0; }

void hg_npz_list(hg_npz *npz, char *text, size_t size)
{
  zip_int64_t n = zip_get_num_entries(npz->zip, 0);
  size_t used = 0;
  text[0] = '\0';
  for (zip_int64_t i = 0; i < n && used < size; i++) {
    const char *name = zip_get_name(npz->zip, (zip_uint64_t)i, 0);
    if (!name) continue;
    const char *end = strstr(name, ".npy");
    int length = end ? (int)(end - name) : (int)strlen(name);
    used += (size_t)snprintf(text + used, size - used, "%s%.*s", used ? ", " : "", length, name);
  }
  if (used >= size && size > 4) memcpy(text + size - 4, "...", 4);
  if (used == 0) snprintf(text, size, "none");
}

static hg_status read_member(void *context, void *to, size_t bytes)
{
  hg_npz *npz = context;
  zip_int64_t got = zip_fread(npz->member, to, bytes);
  if (got >= 0 && (size_t)got == bytes) return HG_OK;
  if (got >= 0) return hg_fail(HG_ERR_INPUT, "the member is cut short");
  return hg_fail(HG_ERR_INPUT, "cannot unpack: %s", zip_error_strerror(zip_file_get_error(npz->member)));
}

static hg_status check_claims(const hg_npz *npz, const char *key, const zip_stat_t *info)
{
  const zip_uint64_t needed = ZIP_STAT_SIZE | ZIP_STAT_COMP_SIZE | ZIP_STAT_COMP_METHOD;
  if ((info->valid & needed) != needed)
    return hg_fail(HG_ERR_INPUT, "%s: %s: the archive does not tell its size", npz->path, key);
  if (info->comp_method != ZIP_CM_STORE && info->comp_method != ZIP_CM_DEFLATE)
    return hg_fail(HG_ERR_INPUT, "%s: %s: found zip method %d, expected stored or deflated", npz->path, key,
                   info->comp_method);
  if (info->comp_size > (zip_uint64_t)npz->size)
    return hg_fail(HG_ERR_INPUT, "%s: %s: the archive claims %" PRIu64 " packed bytes, the file has %" PRId64,
                   npz->path, key, (uint64_t)info->comp_size, npz->size);
  zip_uint64_t limit = info->comp_size;
  if (info->comp_method == ZIP_CM_DEFLATE) limit = limit * DEFLATE_LIMIT + DEFLATE_SLACK;
  if (info->size > limit)
    return hg_fail(HG_ERR_INPUT,
                   "%s: %s: the archive claims %" PRIu64 " bytes, %" PRIu64 " packed bytes cannot hold them", npz->path,
                   key, (uint64_t)info->size, (uint64_t)info->comp_size);
  return HG_OK;
}

hg_status hg_npz_begin(hg_npz *npz, const char *key, hg_npy *array)
{
  char name[sizeof array->name];
  zip_stat_t info;
  if (npz->member) zip_fclose(npz->member);
  npz->member = NULL;
  zip_int64_t index = locate(npz, key);
  if (index < 0) {
    char list[300];
    hg_npz_list(npz, list, sizeof list);
    return hg_fail(HG_ERR_INPUT, "%s: found no array %s (the arrays are: %s)", npz->path, key, list);
  }
  if (zip_stat_index(npz->zip, (zip_uint64_t)index, 0, &info) != 0)
    return hg_fail(HG_ERR_INPUT, "%s: %s: %s", npz->path, key, zip_error_strerror(zip_get_error(npz->zip)));
  hg_status rc = check_claims(npz, key, &info);
  if (rc != HG_OK) return rc;
  npz->member = zip_fopen_index(npz->zip, (zip_uint64_t)index, 0);
  if (!npz->member)
    return hg_fail(HG_ERR_INPUT, "%s: %s: cannot unpack: %s", npz->path, key,
                   zip_error_strerror(zip_get_error(npz->zip)));
  snprintf(name, sizeof name, "%.*s: %s", (int)sizeof name / 2, npz->path, key);
  npz->array = array;
  return hg_npy_begin(array, name, (int64_t)info.size, read_member, npz);
}

hg_status hg_npz_end(hg_npz *npz)
{
  char beyond;
  const hg_npy *a = npz->array;
  zip_int64_t got = zip_fread(npz->member, &beyond, 1); // libzip compares the checksum when the end is met
  hg_status rc = HG_OK;
  if (got > 0)
    rc = hg_fail(HG_ERR_INPUT, "%s: found more bytes than the array's %" PRId64 " elements", a->name, a->count);
  if (got < 0) rc = hg_fail(HG_ERR_INPUT, "%s: %s", a->name, zip_error_strerror(zip_file_get_error(npz->member)));
  zip_fclose(npz->member);
  npz->member = NULL;
  return rc;
}

hg_status hg_npz_i64(hg_npz *npz, const char *key, int64_t **out, hg_off *count)
{
  hg_status rc = HG_OK;
  hg_npy a = {0};
  *out = NULL;
  HG_TRY(hg_npz_begin(npz, key, &a));
  HG_TRY(HG_ALLOC(*out, a.count, key));
  HG_TRY(hg_npy_i64(&a, *out, a.count));
  HG_TRY(hg_npz_end(npz));
  if (count) *count = a.count;
done:
  if (rc != HG_OK) hg_free(out);
  return rc;
}

hg_status hg_npz_i32(hg_npz *npz, const char *key, int32_t **out, hg_off *count)
{
  hg_status rc = HG_OK;
  hg_npy a = {0};
  *out = NULL;
  HG_TRY(hg_npz_begin(npz, key, &a));
  HG_TRY(HG_ALLOC(*out, a.count, key));
  HG_TRY(hg_npy_i32(&a, *out, a.count));
  HG_TRY(hg_npz_end(npz));
  if (count) *count = a.count;
done:
  if (rc != HG_OK) hg_free(out);
  return rc;
}

hg_status hg_npz_f32(hg_npz *npz, const char *key, float **out, hg_off shape[2])
{
  hg_status rc = HG_OK;
  hg_npy a = {0};
  *out = NULL;
  HG_TRY(hg_npz_begin(npz, key, &a));
  if (a.n_dims < 1 || a.n_dims > 2)
    HG_TRY(hg_fail(HG_ERR_INPUT, "%s: found %s, expected one or two dimensions", a.name, hg_npy_describe(&a)));
  HG_TRY(HG_ALLOC(*out, a.count, key));
  HG_TRY(hg_npy_f32(&a, *out, a.count));
  HG_TRY(hg_npz_end(npz));
  for (int d = 0; d < 2; d++) shape[d] = d < a.n_dims ? a.shape[d] : 1;
done:
  if (rc != HG_OK) hg_free(out);
  return rc;
}
