#include <inttypes.h>

#include "core/base/alloc.h"
#include "core/graph/store_layout.h"

void hg_parts_index_free(hg_parts_index *index)
{
  hg_free(&index->offsets);
  hg_free(&index->n_interior);
  hg_free(&index->halo_offsets);
  hg_free(&index->halo_ids);
  hg_free(&index->covers.halo);
  hg_free(&index->quality_json);
  *index = (hg_parts_index){0};
}

// A list of `count` int64 that starts at 0 and never falls; *count is the number of its elements.
static hg_status read_offsets(const hg_h5 *file, const char *name, hg_off count, hg_off **offsets)
{
  hg_status rc = HG_OK;
  hg_h5_shape shape;
  HG_TRY(hg_h5_inspect(file, name, HG_H5_I64, 1, &shape));
  if (shape.dims[0] != count)
    return hg_fail(HG_ERR_INPUT, "%s: %s: found %" PRId64 " elements, expected %" PRId64, file->path, name,
                   shape.dims[0], count);
  HG_TRY(HG_ALLOC(*offsets, count, name));
  HG_TRY(hg_h5_read_rows(file, name, HG_H5_I64, 0, count, *offsets));
  if ((*offsets)[0] != 0)
    return hg_fail(HG_ERR_INPUT, "%s: %s: starts at %" PRId64 ", expected 0", file->path, name, (*offsets)[0]);
  for (hg_off p = 0; p + 1 < count; p++) {
    if ((*offsets)[p + 1] < (*offsets)[p])
      return hg_fail(HG_ERR_INPUT, "%s: %s: falls from %" PRId64 " to %" PRId64 " at part %" PRId64, file->path, name,
                     (*offsets)[p], (*offsets)[p + 1], p + 1);
  }
done:
  return rc;
}

static hg_status read_interior(const hg_h5 *file, hg_parts_index *index)
{
  hg_status rc = HG_OK;
  hg_h5_shape shape;
  const char *name = "/parts/n_interior";
  HG_TRY(hg_h5_inspect(file, name, HG_H5_I64, 1, &shape));
  if (shape.dims[0] != index->n_parts)
    return hg_fail(HG_ERR_INPUT, "%s: %s: found %" PRId64 " elements, expected %d", file->path, name, shape.dims[0],
                   index->n_parts);
  HG_TRY(HG_ALLOC(index->n_interior, index->n_parts, name));
  HG_TRY(hg_h5_read_rows(file, name, HG_H5_I64, 0, index->n_parts, index->n_interior));
  for (int p = 0; p < index->n_parts; p++) {
    if (index->n_interior[p] < 0 || index->n_interior[p] > index->offsets[p + 1] - index->offsets[p])
      return hg_fail(HG_ERR_INPUT, "%s: %s: part %d has %" PRId64 " interior nodes of %" PRId64, file->path, name, p,
                     index->n_interior[p], index->offsets[p + 1] - index->offsets[p]);
  }
done:
  return rc;
}

// The halo of part p, whose ids start at ids[0]
static hg_status check_halo(const hg_h5 *file, const hg_parts_index *index, int p, const hg_gid *ids)
{
  hg_gid last = -1, n = index->offsets[index->n_parts];
  for (hg_off e = 0; e < index->halo_offsets[p + 1] - index->halo_offsets[p]; e++) {
    bool own = ids[e] >= index->offsets[p] && ids[e] < index->offsets[p + 1];
    if (ids[e] <= last || ids[e] >= n || own)
      return hg_fail(HG_ERR_INPUT,
                     "%s: /parts/halo_ids: part %d: found %" PRId64 " after %" PRId64
                     ", expected ascending nodes below %" PRId64 " of other parts",
                     file->path, p, ids[e], last, n);
    last = ids[e];
  }
  return HG_OK;
}

// one element for each halo row of all parts
static hg_status expect_halo_rows(const hg_h5 *file, const char *name, hg_h5_type type, const hg_parts_index *index)
{
  hg_h5_shape shape;
  hg_off rows = index->halo_offsets[index->n_parts];
  hg_status rc = hg_h5_inspect(file, name, type, 1, &shape);
  if (rc != HG_OK || shape.dims[0] == rows) return rc;
  return hg_fail(HG_ERR_INPUT, "%s: %s: found %" PRId64 " elements, expected %" PRId64, file->path, name, shape.dims[0],
                 rows);
}

static hg_status read_halo(const hg_h5 *file, int part, hg_parts_index *index)
{
  hg_status rc = HG_OK;
  const char *name = "/parts/halo_ids";
  int first = part < 0 ? 0 : part, end = part < 0 ? index->n_parts : part + 1;
  HG_TRY(read_offsets(file, "/parts/halo_offsets", (hg_off)index->n_parts + 1, &index->halo_offsets));
  HG_TRY(expect_halo_rows(file, name, HG_H5_I64, index));
  hg_off start = index->halo_offsets[first], count = index->halo_offsets[end] - start;
  HG_TRY(HG_ALLOC(index->halo_ids, count, name));
  HG_TRY(hg_h5_read_rows(file, name, HG_H5_I64, start, count, index->halo_ids));
  for (int p = first; p < end; p++)
    HG_TRY(check_halo(file, index, p, index->halo_ids + (index->halo_offsets[p] - start)));
done:
  return rc;
}

static hg_status read_cover_kinds(const hg_h5 *file, hg_known_covers *covers)
{
  const char *name = "/parts/covers";
  hg_h5_shape shape;
  hg_status rc = hg_h5_inspect(file, name, HG_H5_I32, 2, &shape);
  if (rc != HG_OK) return rc;
  if (shape.dims[0] > HG_COVER_KINDS || shape.dims[1] != HG_COVER_NUMBERS)
    return hg_fail(HG_ERR_INPUT, "%s: %s: found %" PRId64 " x %" PRId64 " numbers, expected at most %d x %d",
                   file->path, name, shape.dims[0], shape.dims[1], HG_COVER_KINDS, HG_COVER_NUMBERS);
  rc = hg_h5_read_rows(file, name, HG_H5_I32, 0, shape.dims[0], covers->kinds);
  if (rc != HG_OK) return rc;
  covers->n = (int)shape.dims[0];
  for (int c = 0; c < covers->n; c++) {
    const hg_cover_kind *k = &covers->kinds[c];
    if (k->steps < HG_COVER_ALL || k->source < 1 || k->sum < 1)
      return hg_fail(HG_ERR_INPUT, "%s: %s: found steps %d and widths %d and %d, expected at least %d, 1 and 1",
                     file->path, name, k->steps, k->source, k->sum, HG_COVER_ALL);
  }
  return HG_OK;
}

// Of the parts [first, end), like their halo_ids; slices of a graph know none, nor do files of older versions.
static hg_status read_covers(const hg_h5 *file, int part, hg_parts_index *index)
{
  hg_status rc = HG_OK;
  hg_known_covers *covers = &index->covers;
  const char *name = "/parts/halo_in_covers";
  int first = part < 0 ? 0 : part, end = part < 0 ? index->n_parts : part + 1;
  if (!hg_h5_exists(file, name)) return HG_OK;
  HG_TRY(read_cover_kinds(file, covers));
  HG_TRY(expect_halo_rows(file, name, HG_H5_I32, index));
  hg_off start = index->halo_offsets[first], count = index->halo_offsets[end] - start;
  HG_TRY(HG_ALLOC(covers->halo, count, name));
  HG_TRY(hg_h5_read_rows(file, name, HG_H5_I32, start, count, covers->halo));
  for (hg_off h = 0; h < count; h++)
    if (covers->halo[h] < 0 || covers->halo[h] >> covers->n != 0)
      return hg_fail(HG_ERR_INPUT, "%s: %s: found %d, expected bits of %d covers", file->path, name, covers->halo[h],
                     covers->n);
done:
  return rc;
}

static hg_status read_index(const hg_h5 *file, int part, hg_parts_index *index)
{
  hg_status rc = HG_OK;
  hg_h5_shape shape, rows;
  hg_store_kind kind;
  HG_TRY(hg_store_check_head(file, &kind));
  if (kind != HG_STORE_PARTS)
    return hg_fail(HG_ERR_INPUT, "%s: found no parts, expected a file of `halognn partition`", file->path);
  HG_TRY(hg_h5_inspect(file, "/parts/offsets", HG_H5_I64, 1, &shape));
  HG_TRY(hg_h5_inspect(file, "/csr/indptr", HG_H5_I64, 1, &rows));
  if (shape.dims[0] < 2 || shape.dims[0] > INT32_MAX)
    return hg_fail(HG_ERR_INPUT, "%s: /parts/offsets: found %" PRId64 " elements, expected at least 2", file->path,
                   shape.dims[0]);
  index->n_parts = (int)(shape.dims[0] - 1);
  if (part >= index->n_parts)
    return hg_fail(HG_ERR_INPUT, "%s: asked for part %d, found parts 0..%d", file->path, part, index->n_parts - 1);
  HG_TRY(read_offsets(file, "/parts/offsets", shape.dims[0], &index->offsets));
  if (index->offsets[index->n_parts] != rows.dims[0] - 1)
    return hg_fail(HG_ERR_INPUT, "%s: /parts/offsets: ends at %" PRId64 ", expected the %" PRId64 " nodes", file->path,
                   index->offsets[index->n_parts], rows.dims[0] - 1);
  HG_TRY(read_interior(file, index));
  HG_TRY(read_halo(file, part, index));
  HG_TRY(read_covers(file, part, index));
  HG_TRY(hg_h5_read_long_text(file, "/parts", "quality", &index->quality_json));
  HG_TRY(hg_h5_read_text(file, "/parts", "recipe", index->recipe, sizeof index->recipe));
  HG_TRY(hg_h5_read_u64(file, "/parts", "fingerprint", &index->fingerprint));
done:
  return rc;
}

hg_status hg_store_read_parts_index(const char *path, int part, hg_parts_index *index)
{
  hg_status rc = HG_OK;
  hg_h5 file = {0};
  hg_parts_index read = {0};
  HG_TRY(hg_h5_open(&file, path));
  HG_TRY(read_index(&file, part, &read));
  *index = read;
  read = (hg_parts_index){0};
done:
  hg_parts_index_free(&read);
  hg_h5_drop(&file);
  return rc;
}
