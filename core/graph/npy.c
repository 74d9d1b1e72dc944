#include "core/graph/npy.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "core/base/alloc.h"

enum { MAX_HEADER = 65536, CHUNK_BYTES = 65536 };

static hg_status broken(const hg_npy *a, const char *what)
{
  return hg_fail(HG_ERR_INPUT, "%s: broken .npy header: %s", a->name, what);
}

static hg_status take_bytes(const hg_npy *a, void *to, size_t bytes)
{
  return hg_context(a->read(a->context, to, bytes), "%s", a->name);
}

static const char *skip(const char *p)
{
  while (*p == ' ' || *p == ',' || *p == '\n' || *p == '\t') p++;
  return p;
}

// '<f4' -> kind and size; NULL when it is no dtype of a plain array
static const char *parse_descr(hg_npy *a, const char *p, char *order)
{
  if (*p != '\'') return NULL;
  *order = *++p;
  if (!*order || !strchr("<>|=", *order)) return NULL;
  a->kind = *++p;
  if (!a->kind || !strchr("biufcSUVOmM?", a->kind)) return NULL;
  char *end;
  long size = strtol(p + 1, &end, 10);
  const char *close = strchr(end, '\'');
  if (!close || size < 0 || size > INT32_MAX / 8) return NULL;
  a->item_size = (int)(a->kind == 'U' ? 4 * size : a->kind == 'O' && size == 0 ? 8 : size);
  return close + 1;
}

static const char *parse_shape(hg_npy *a, const char *p)
{
  if (*p++ != '(') return NULL;
  for (p = skip(p); *p != ')'; p = skip(p)) {
    char *end;
    errno = 0;
    long long length = strtoll(p, &end, 10);
    if (end == p || errno || length < 0 || a->n_dims == HG_NPY_MAX_DIMS) return NULL;
    a->shape[a->n_dims++] = length;
    p = end;
  }
  return p + 1;
}

// {'descr': '<f4', 'fortran_order': False, 'shape': (2708, 7), }
static hg_status parse_dict(hg_npy *a, const char *p)
{
  bool have_descr = false, have_order = false, have_shape = false;
  char order = 0;
  if (*p++ != '{') return broken(a, "found no {");
  for (p = skip(p); *p && *p != '}'; p = skip(p)) {
    const char *value = strchr(p, ':');
    if (!value) return broken(a, "found a key without a value");
    value = skip(value + 1);
    if (strncmp(p, "'descr'", 7) == 0) {
      if (*value == '[') return hg_fail(HG_ERR_INPUT, "%s: found records, expected plain numbers", a->name);
      have_descr = (p = parse_descr(a, value, &order)) != NULL;
      if (!have_descr) return broken(a, "found an unknown descr");
    } else if (strncmp(p, "'fortran_order'", 15) == 0) {
      a->fortran = strncmp(value, "True", 4) == 0;
      have_order = a->fortran || strncmp(value, "False", 5) == 0;
      if (!have_order) return broken(a, "found no True or False for fortran_order");
      p = value + (a->fortran ? 4 : 5);
    } else if (strncmp(p, "'shape'", 7) == 0) {
      if (have_shape) return broken(a, "found two shapes");
      have_shape = (p = parse_shape(a, value)) != NULL;
      if (!have_shape) return broken(a, "found a shape that is no list of at most four lengths");
    } else {
      return broken(a, "found an unknown key");
    }
  }
  if (!have_descr || !have_order || !have_shape) return broken(a, "descr, fortran_order or shape is missing");
  if (order == '>') return hg_fail(HG_ERR_INPUT, "%s: found big-endian numbers, expected little-endian", a->name);
  return HG_OK;
}

static hg_status check_size(hg_npy *a, int64_t left)
{
  int64_t bytes;
  a->count = 1;
  bool zero = false, overflow = false;
  int long_dims = 0;
  for (int d = 0; d < a->n_dims; d++) {
    zero = zero || a->shape[d] == 0;
    long_dims += a->shape[d] > 1;
    overflow = overflow || __builtin_mul_overflow(a->count, a->shape[d], &a->count);
  }
  if (zero)
    a->count = 0;
  else if (overflow)
    return hg_fail(HG_ERR_INPUT, "%s: the header claims more elements than can exist", a->name);
  if (long_dims < 2) a->fortran = false;
  if (__builtin_mul_overflow(a->count, a->item_size, &bytes) || bytes != left)
    return hg_fail(HG_ERR_INPUT, "%s: the header claims %s = %" PRId64 " elements of %d bytes, found %" PRId64 " bytes",
                   a->name, hg_npy_describe(a), a->count, a->item_size, left);
  return HG_OK;
}

hg_status hg_npy_begin(hg_npy *a, const char *name, int64_t size, hg_npy_read read, void *context)
{
  hg_status rc = HG_OK;
  unsigned char fixed[8], length[4] = {0};
  char *text = NULL;
  *a = (hg_npy){.read = read, .context = context};
  snprintf(a->name, sizeof a->name, "%s", name);
  if (size < 10) HG_TRY(hg_fail(HG_ERR_INPUT, "%s: found %" PRId64 " bytes, expected a .npy array", a->name, size));
  HG_TRY(take_bytes(a, fixed, sizeof fixed));
  if (memcmp(fixed, "\x93NUMPY", 6) != 0)
    HG_TRY(hg_fail(HG_ERR_INPUT, "%s: not a .npy array: the magic bytes are wrong", a->name));
  if (fixed[6] < 1 || fixed[6] > 3)
    HG_TRY(hg_fail(HG_ERR_INPUT, "%s: found .npy version %d, expected 1, 2 or 3", a->name, fixed[6]));
  size_t width = fixed[6] == 1 ? 2 : 4;
  if (size < (int64_t)(8 + width)) HG_TRY(broken(a, "it is cut short"));
  HG_TRY(take_bytes(a, length, width));
  int64_t bytes = (int64_t)length[0] | (int64_t)length[1] << 8 | (int64_t)length[2] << 16 | (int64_t)length[3] << 24;
  int64_t left = size - 8 - (int64_t)width - bytes;
  if (bytes > MAX_HEADER || left < 0) HG_TRY(broken(a, "its length is beyond the end of the array"));
  HG_TRY(HG_ALLOC(text, bytes + 1, "an .npy header"));
  HG_TRY(take_bytes(a, text, (size_t)bytes));
  HG_TRY(parse_dict(a, text));
  HG_TRY(check_size(a, left));
done:
  hg_free(&text);
  return rc;
}

const char *hg_npy_describe(const hg_npy *a)
{
  static _Thread_local char texts[4][160];
  static _Thread_local unsigned turn;
  char *text = texts[turn++ % 4];
  size_t used =
      (size_t)snprintf(text, sizeof texts[0], "%c%d[", a->kind, a->kind == 'U' ? a->item_size / 4 : a->item_size);
  for (int d = 0; d < a->n_dims && used < sizeof texts[0]; d++)
    used += (size_t)snprintf(text + used, sizeof texts[0] - used, "%s%" PRId64, d ? ", " : "", a->shape[d]);
  if (used < sizeof texts[0]) snprintf(text + used, sizeof texts[0] - used, "]");
  return text;
}

// Element i of a chunk as an integer; false when it does not fit or the dtype is none.
static bool integer_at(const hg_npy *a, const unsigned char *chunk, hg_off i, int64_t *value)
{
  const unsigned char *p = chunk + i * a->item_size;
  uint64_t bits = 0;
  for (int k = a->item_size - 1; k >= 0; k--) bits = bits << 8 | p[k];
  if (a->kind == 'i' && a->item_size < 8) {
    uint64_t sign = 1ULL << (8 * a->item_size - 1);
    bits = (bits ^ sign) - sign;
  }
  memcpy(value, &bits, sizeof *value);
  return a->kind == 'i' || bits <= INT64_MAX;
}

static double float_at(const hg_npy *a, const unsigned char *chunk, hg_off i)
{
  const unsigned char *p = chunk + i * a->item_size;
  if (a->item_size == 4) {
    float value;
    memcpy(&value, p, sizeof value);
    return (double)value;
  }
  double value;
  memcpy(&value, p, sizeof value);
  return value;
}

static bool is_integer(const hg_npy *a)
{
  int s = a->item_size;
  return (a->kind == 'b' && s == 1) || ((a->kind == 'i' || a->kind == 'u') && (s == 1 || s == 2 || s == 4 || s == 8));
}

static bool is_float(const hg_npy *a) { return a->kind == 'f' && (a->item_size == 4 || a->item_size == 8); }

static hg_status wrong_type(const hg_npy *a, const char *expected)
{
  if (a->kind == 'O') return hg_fail(HG_ERR_INPUT, "%s: found pickled objects, expected %s", a->name, expected);
  return hg_fail(HG_ERR_INPUT, "%s: found %s, expected %s", a->name, hg_npy_describe(a), expected);
}

static hg_status check_order(const hg_npy *a)
{
  if (!a->fortran) return HG_OK;
  return hg_fail(HG_ERR_INPUT,
                 "%s: found columns first (fortran_order), expected rows first: save numpy.ascontiguousarray of it",
                 a->name);
}

static hg_status check_room(const hg_npy *a, hg_off n)
{
  if (n >= 0 && n <= a->count - a->taken) return HG_OK;
  return hg_fail(HG_ERR_INPUT, "%s: found %" PRId64 " elements, expected %" PRId64 " more", a->name, a->count, n);
}

typedef hg_status (*converter)(const hg_npy *a, const unsigned char *chunk, hg_off n, void *to, hg_off at);

// Runs the next n elements through a buffer: the array is never held twice.
static hg_status convert(hg_npy *a, void *to, hg_off n, converter one_chunk)
{
  unsigned char chunk[CHUNK_BYTES];
  hg_status rc = check_room(a, n);
  for (hg_off at = 0; rc == HG_OK && at < n;) {
    hg_off now = CHUNK_BYTES / a->item_size < n - at ? CHUNK_BYTES / a->item_size : n - at;
    rc = take_bytes(a, chunk, (size_t)(now * a->item_size));
    if (rc == HG_OK) rc = one_chunk(a, chunk, now, to, at);
    at += now;
    a->taken += now;
  }
  return rc;
}

static hg_status chunk_to_i64(const hg_npy *a, const unsigned char *chunk, hg_off n, void *to, hg_off at)
{
  int64_t *out = to;
  for (hg_off i = 0; i < n; i++)
    if (!integer_at(a, chunk, i, &out[at + i]))
      return hg_fail(HG_ERR_INPUT, "%s: element %" PRId64 " does not fit in 64 bits", a->name, a->taken + i);
  return HG_OK;
}

static hg_status chunk_to_i32(const hg_npy *a, const unsigned char *chunk, hg_off n, void *to, hg_off at)
{
  int32_t *out = to;
  for (hg_off i = 0; i < n; i++) {
    int64_t value;
    if (!integer_at(a, chunk, i, &value) || value < INT32_MIN || value > INT32_MAX)
      return hg_fail(HG_ERR_INPUT, "%s: element %" PRId64 " does not fit in 32 bits", a->name, a->taken + i);
    out[at + i] = (int32_t)value;
  }
  return HG_OK;
}

static hg_status chunk_to_f32(const hg_npy *a, const unsigned char *chunk, hg_off n, void *to, hg_off at)
{
  float *out = to;
  if (a->kind == 'f' && a->item_size == 4) {
    memcpy(out + at, chunk, (size_t)n * sizeof *out);
    return HG_OK;
  }
  for (hg_off i = 0; i < n; i++) {
    int64_t whole = 0;
    if (!is_float(a) && !integer_at(a, chunk, i, &whole))
      return hg_fail(HG_ERR_INPUT, "%s: element %" PRId64 " does not fit in 64 bits", a->name, a->taken + i);
    out[at + i] = is_float(a) ? (float)float_at(a, chunk, i) : (float)whole;
  }
  return HG_OK;
}

hg_status hg_npy_i64_any_order(hg_npy *a, int64_t *to, hg_off n)
{
  return is_integer(a) ? convert(a, to, n, chunk_to_i64) : wrong_type(a, "integers");
}

hg_status hg_npy_i64(hg_npy *a, int64_t *to, hg_off n)
{
  hg_status rc = check_order(a);
  return rc == HG_OK ? hg_npy_i64_any_order(a, to, n) : rc;
}

hg_status hg_npy_i32_any_order(hg_npy *a, int32_t *to, hg_off n)
{
  return is_integer(a) ? convert(a, to, n, chunk_to_i32) : wrong_type(a, "integers");
}

hg_status hg_npy_i32(hg_npy *a, int32_t *to, hg_off n)
{
  hg_status rc = check_order(a);
  return rc == HG_OK ? hg_npy_i32_any_order(a, to, n) : rc;
}

hg_status hg_npy_f32(hg_npy *a, float *to, hg_off n)
{
  hg_status rc = check_order(a);
  if (rc != HG_OK) return rc;
  return is_integer(a) || is_float(a) ? convert(a, to, n, chunk_to_f32) : wrong_type(a, "numbers (f4, f8 or integers)");
}

static hg_status read_file(void *context, void *to, size_t bytes)
{
  FILE *file = context;
  if (fread(to, 1, bytes, file) == bytes) return HG_OK;
  return ferror(file) ? hg_fail(HG_ERR_IO, "cannot read: %s", strerror(errno))
                      : hg_fail(HG_ERR_INPUT, "the file is cut short");
}

hg_status hg_npy_open(hg_npy_file *file, const char *path)
{
  *file = (hg_npy_file){0};
  struct stat info;
  FILE *stream = fopen(path, "rb");
  if (!stream) return hg_fail(HG_ERR_INPUT, "%s: cannot open: %s", path, strerror(errno));
  file->file = stream;
  hg_status rc = HG_OK;
  if (fstat(fileno(stream), &info) != 0 || !S_ISREG(info.st_mode))
    rc = hg_fail(HG_ERR_INPUT, "%s: found no regular file, expected a .npy array", path);
  else
    rc = hg_npy_begin(&file->array, path, info.st_size, read_file, stream);
  if (rc != HG_OK) hg_npy_close(file);
  return rc;
}

void hg_npy_close(hg_npy_file *file)
{
  if (file->file) fclose(file->file);
  file->file = NULL;
}
