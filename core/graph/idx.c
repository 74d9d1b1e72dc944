#include "core/graph/idx.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>
#include <zlib.h>

#include "core/base/alloc.h"

// A deflate block cannot expand more than 1032 times (258 bytes from two bits).
enum { TYPE_U8 = 8, MAX_DIMS = 3, BLOCK = 1 << 20, DEFLATE_LIMIT = 1032 };

typedef struct {
  gzFile file;
  const char *path;
  hg_off size; // bytes of the file as it is on the disk
} source;

static hg_status open_source(source *in, const char *path)
{
  struct stat info;
  if (stat(path, &info) != 0) return hg_fail(HG_ERR_INPUT, "%s: cannot open: %s", path, strerror(errno));
  if (!S_ISREG(info.st_mode)) return hg_fail(HG_ERR_INPUT, "%s: found no regular file, expected an idx file", path);
  errno = 0;
  *in = (source){.file = gzopen(path, "rb"), .path = path, .size = info.st_size};
  if (!in->file) return hg_fail(HG_ERR_INPUT, "%s: cannot open: %s", path, errno ? strerror(errno) : "out of memory");
  gzbuffer(in->file, BLOCK);
  return HG_OK;
}

// Up to n bytes; fewer only at the end of the file.
static hg_status read_up_to(const source *in, uint8_t *to, hg_off n, hg_off *got)
{
  *got = 0;
  while (*got < n) {
    hg_off left = n - *got;
    int bytes = gzread(in->file, to + *got, (unsigned)(left < BLOCK ? left : BLOCK)), code;
    const char *why = gzerror(in->file, &code);
    size_t path = strlen(in->path);
    if (strncmp(why, in->path, path) == 0 && strncmp(why + path, ": ", 2) == 0) why += path + 2;
    if (code == Z_BUF_ERROR) return hg_fail(HG_ERR_INPUT, "%s: the gzip file is cut short", in->path);
    if (bytes < 0 || (code != Z_OK && code != Z_STREAM_END))
      return hg_fail(code == Z_ERRNO ? HG_ERR_IO : HG_ERR_INPUT, "%s: cannot read: %s", in->path, why);
    if (bytes == 0) return HG_OK;
    *got += bytes;
  }
  return HG_OK;
}

static hg_status read_magic(const source *in, int n_dims)
{
  uint8_t magic[4];
  hg_off got;
  hg_status rc = read_up_to(in, magic, sizeof magic, &got);
  if (rc != HG_OK) return rc;
  if (got < (hg_off)sizeof magic)
    return hg_fail(HG_ERR_INPUT, "%s: found %" PRId64 " bytes, expected an idx file", in->path, got);
  if (magic[0] != 0 || magic[1] != 0 || magic[2] != TYPE_U8 || magic[3] != n_dims)
    return hg_fail(HG_ERR_INPUT, "%s: found magic number 0x%02x%02x%02x%02x, expected 0x0000%02x%02x (idx, %s)",
                   in->path, magic[0], magic[1], magic[2], magic[3], TYPE_U8, n_dims,
                   n_dims == 1 ? "unsigned bytes" : "images of unsigned bytes");
  return HG_OK;
}

static hg_status read_shape(const source *in, int n_dims, hg_off shape[MAX_DIMS])
{
  uint8_t bytes[4 * MAX_DIMS] = {0};
  hg_off got;
  hg_status rc = read_up_to(in, bytes, 4 * n_dims, &got);
  if (rc != HG_OK) return rc;
  if (got < 4 * n_dims) return hg_fail(HG_ERR_INPUT, "%s: the header is cut short", in->path);
  for (int d = 0; d < MAX_DIMS; d++) {
    shape[d] = d < n_dims ? 0 : 1;
    for (int k = 0; k < 4 && d < n_dims; k++) shape[d] = shape[d] << 8 | bytes[4 * d + k];
  }
  if (shape[0] < 1) return hg_fail(HG_ERR_INPUT, "%s: found 0 items, expected at least 1", in->path);
  for (int d = 1; d < n_dims; d++)
    if (shape[d] < 1 || shape[d] > HG_IDX_MAX_SIDE)
      return hg_fail(HG_ERR_INPUT, "%s: found images of %" PRId64 " x %" PRId64 ", expected sides of 1 to %d", in->path,
                     shape[1], shape[2], HG_IDX_MAX_SIDE);
  return HG_OK;
}

// Before memory is taken: whether a file of this size can hold what its header claims.
static hg_status check_claim(const source *in, const hg_off shape[MAX_DIMS])
{
  hg_off claim = shape[0] * shape[1] * shape[2], most = gzdirect(in->file) ? in->size : in->size * DEFLATE_LIMIT;
  if (claim <= most) return HG_OK;
  return hg_fail(HG_ERR_INPUT, "%s: the header claims %" PRId64 " bytes, a file of %" PRId64 " bytes cannot hold them",
                 in->path, claim, in->size);
}

static hg_status read_items(const source *in, hg_idx *idx)
{
  hg_status rc = HG_OK;
  hg_off item = (hg_off)idx->rows * idx->columns, got, beyond = 0;
  uint8_t byte;
  HG_TRY(HG_ALLOC(idx->bytes, idx->count * item, "idx items"));
  HG_TRY(read_up_to(in, idx->bytes, idx->count * item, &got));
  if (got < idx->count * item)
    HG_TRY(hg_fail(HG_ERR_INPUT, "%s: cut short: found %" PRId64 " of the header's %" PRId64 " items", in->path,
                   got / item, idx->total));
  // Meets the end of the stream, where zlib compares the checksum.
  if (idx->count == idx->total) HG_TRY(read_up_to(in, &byte, 1, &beyond));
  if (beyond > 0)
    HG_TRY(hg_fail(HG_ERR_INPUT, "%s: found more bytes than the header's %" PRId64 " items", in->path, idx->total));
done:
  return rc;
}

hg_status hg_idx_read(hg_idx *idx, const char *path, int n_dims, hg_off limit)
{
  hg_status rc = HG_OK;
  source in = {0};
  hg_idx x = {0};
  hg_off shape[MAX_DIMS];
  HG_TRY(open_source(&in, path));
  HG_TRY(read_magic(&in, n_dims));
  HG_TRY(read_shape(&in, n_dims, shape));
  HG_TRY(check_claim(&in, shape));
  x.total = shape[0], x.count = limit > 0 && limit < shape[0] ? limit : shape[0];
  x.rows = (int)shape[1], x.columns = (int)shape[2];
  HG_TRY(read_items(&in, &x));
  *idx = x;
  x = (hg_idx){0};
done:
  if (in.file) gzclose(in.file);
  hg_idx_free(&x);
  return rc;
}

void hg_idx_free(hg_idx *idx)
{
  hg_free(&idx->bytes);
  *idx = (hg_idx){0};
}
