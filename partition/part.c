#include <inttypes.h>
#include <limits.h>
#include <string.h>

#include "core/base/alloc.h"
#include "partition/parts.h"

// Position of `id` in ids[from .. n), or -1.
static hg_lid find_halo(const hg_gid *ids, hg_lid from, hg_lid n, hg_gid id)
{
  hg_lid low = from, high = n;
  while (low < high) {
    hg_lid middle = low + (high - low) / 2;
    if (ids[middle] < id)
      low = middle + 1;
    else
      high = middle;
  }
  return low < n && ids[low] == id ? low : -1;
}

static void reverse(hg_lid *first, hg_lid *end)
{
  while (first < end) {
    hg_lid swap = *first;
    *first++ = *--end;
    *end = swap;
  }
}

// One row from ascending global ids to ascending local ids, in place. False when a column is no halo node.
static bool localise_row(const hg_part *part, hg_lid *columns, hg_off entries)
{
  hg_off below = 0, owned = 0;
  hg_lid from = 0;
  for (hg_off e = 0; e < entries; e++) {
    hg_gid local = columns[e] - part->first;
    if (local >= 0 && local < part->n_owned) {
      columns[e] = (hg_lid)local;
      owned++;
      continue;
    }
    hg_lid h = find_halo(part->halo_ids, from, part->n_halo, columns[e]);
    if (h < 0) return false;
    from = h + 1;
    if (local < 0) below++;
    columns[e] = part->n_owned + h;
  }
  // halo of lower parts | owned | halo of higher parts  ->  owned | halo: the first two blocks change places
  reverse(columns, columns + below);
  reverse(columns + below, columns + below + owned);
  reverse(columns, columns + below + owned);
  return true;
}

// part->a holds global columns: makes them local.
static hg_status localise(hg_part *part)
{
  hg_csr *a = &part->a;
  hg_lid broken = INT32_MAX;
#pragma omp parallel for schedule(static) reduction(min : broken)
  for (hg_lid i = 0; i < part->n_owned; i++)
    if (!localise_row(part, a->indices + a->indptr[i], a->indptr[i + 1] - a->indptr[i]) && i < broken) broken = i;
  if (broken < INT32_MAX)
    return hg_fail(HG_ERR_INPUT, "part %d: an in-neighbour of node %" PRId64 " is not in the part's list of halo nodes",
                   part->part, part->first + broken);
  a->n_cols = (hg_off)part->n_owned + part->n_halo;
  return HG_OK;
}

// Sizes and halo of part `p` from an index whose halo_ids have those of this part from `halo` on. Takes nothing of it.
static hg_status take_index(hg_part *part, const hg_parts_index *index, hg_off halo, int p)
{
  hg_status rc = HG_OK;
  if (p < 0 || p >= index->n_parts) return hg_fail(HG_ERR_INPUT, "there is no part %d: %d parts", p, index->n_parts);
  hg_off n_halo = index->halo_offsets[p + 1] - index->halo_offsets[p];
  part->part = p;
  part->n_parts = index->n_parts;
  part->n_global = index->offsets[index->n_parts];
  part->first = index->offsets[p];
  HG_TRY(hg_to_i32(&part->n_owned, index->offsets[p + 1] - index->offsets[p], "owned nodes of a part"));
  HG_TRY(hg_to_i32(&part->n_interior, index->n_interior[p], "interior nodes of a part"));
  HG_TRY(hg_to_i32(&part->n_halo, n_halo, "halo nodes of a part"));
  if (part->n_owned > INT32_MAX - part->n_halo)
    return hg_fail(HG_ERR_INPUT, "part %d has %d owned and %d halo nodes, together more than 2^31 - 1: use more parts",
                   p, part->n_owned, part->n_halo);
  HG_TRY(HG_ALLOC(part->halo_ids, n_halo, "halo ids"));
  HG_TRY(HG_ALLOC(part->halo_offsets, (hg_off)part->n_parts + 1, "halo offsets"));
  HG_TRY(HG_ALLOC(part->owner_first, (hg_off)part->n_parts + 1, "part offsets"));
  if (n_halo) memcpy(part->halo_ids, index->halo_ids + halo, (size_t)n_halo * sizeof *index->halo_ids);
  part->covers = index->covers;
  part->covers.halo = NULL;
  HG_TRY(HG_ALLOC(part->covers.halo, n_halo, "covers of the halo"));
  if (n_halo && index->covers.n > 0)
    memcpy(part->covers.halo, index->covers.halo + halo, (size_t)n_halo * sizeof *part->covers.halo);
  memcpy(part->owner_first, index->offsets, ((size_t)part->n_parts + 1) * sizeof *index->offsets);
  for (int q = 0, h = 0; q < part->n_parts; q++) {
    while (h < part->n_halo && part->halo_ids[h] < part->owner_first[q + 1]) h++;
    part->halo_offsets[q + 1] = h;
  }
done:
  return rc;
}

hg_status hg_part_read(hg_part *out, const char *path, int part)
{
  hg_status rc = HG_OK;
  hg_parts_index index = {0};
  hg_store_header header;
  hg_graph slice = {0};
  hg_part p = {0};
  HG_TRY(hg_store_read_header(path, &header));
  HG_TRY(hg_store_read_parts_index(path, part, &index));
  HG_TRY(take_index(&p, &index, 0, part));
  HG_TRY(hg_store_read_rows(path, p.first, p.n_owned, &slice));
  p.m_global = header.n_edges;
  p.a = slice.adjacency;
  p.nodes = slice.nodes;
  slice = (hg_graph){0};
  HG_TRY(localise(&p));
  if (hg_part_check(&p) != HG_OK) rc = hg_fail(HG_ERR_INPUT, "%s", hg_error_text()); // the file's fault, not ours
done:
  if (rc != HG_OK) hg_part_free(&p);
  hg_parts_index_free(&index);
  hg_graph_free(&slice);
  *out = p;
  return hg_context(rc, "%s", path);
}

static hg_status copy_rows(void *out, const void *rows, hg_off first, hg_off n, hg_off row_bytes, const char *what)
{
  void *copy;
  memset(out, 0, sizeof copy);
  if (!rows) return HG_OK;
  hg_status rc = hg_alloc(&copy, n * row_bytes, 1, what);
  if (rc != HG_OK) return rc;
  if (n * row_bytes > 0) memcpy(copy, (const char *)rows + first * row_bytes, (size_t)(n * row_bytes));
  memcpy(out, &copy, sizeof copy);
  return HG_OK;
}

static hg_status copy_pointers(hg_off **out, const hg_off *indptr, hg_off first, hg_off n, const char *what)
{
  hg_status rc = copy_rows(out, indptr, first, n + 1, sizeof **out, what);
  if (rc == HG_OK && *out)
    for (hg_off i = n; i >= 0; i--) (*out)[i] -= (*out)[0];
  return rc;
}

static hg_status copy_features(hg_features *out, const hg_features *in, hg_off first, hg_off n)
{
  hg_status rc = HG_OK;
  out->width = in->width;
  HG_TRY(copy_rows(&out->dense, in->dense, first, n, in->width * (hg_off)sizeof(float), "features"));
  if (!in->indptr) goto done;
  hg_off begin = in->indptr[first], entries = in->indptr[first + n] - begin;
  HG_TRY(copy_pointers(&out->indptr, in->indptr, first, n, "feature pointers"));
  HG_TRY(copy_rows(&out->indices, in->indices, begin, entries, sizeof(int32_t), "feature columns"));
  HG_TRY(copy_rows(&out->values, in->values, begin, entries, sizeof(float), "feature values"));
done:
  return rc;
}

static hg_status copy_nodes(hg_nodes *out, const hg_nodes *in, hg_off first, hg_off n)
{
  hg_status rc = HG_OK;
  hg_off wide = in->n_classes * (hg_off)sizeof(float), point = in->n_dims * (hg_off)sizeof(float);
  out->n = n;
  out->task = in->task;
  out->n_classes = in->n_classes;
  out->n_dims = in->n_dims;
  HG_TRY(copy_features(&out->features, &in->features, first, n));
  HG_TRY(copy_rows(&out->labels, in->labels, first, n, sizeof(int32_t), "labels"));
  HG_TRY(copy_rows(&out->label_bits, in->label_bits, first, n, hg_label_bytes(in->n_classes), "label bits"));
  HG_TRY(copy_rows(&out->targets, in->targets, first, n, wide, "targets"));
  HG_TRY(copy_rows(&out->split, in->split, first, n, 1, "split"));
  HG_TRY(copy_rows(&out->positions, in->positions, first, n, point, "positions"));
  HG_TRY(copy_rows(&out->original_ids, in->original_ids, first, n, sizeof(int64_t), "original ids"));
done:
  return rc;
}

hg_status hg_part_extract(hg_part *out, const hg_graph *graph, const hg_parts_index *index, int part)
{
  hg_status rc = HG_OK;
  hg_part p = {0};
  const hg_csr *a = &graph->adjacency;
  HG_TRY(take_index(&p, index, part >= 0 && part < index->n_parts ? index->halo_offsets[part] : 0, part));
  p.m_global = hg_csr_entries(a);
  p.a.n_rows = p.n_owned;
  HG_TRY(copy_pointers(&p.a.indptr, a->indptr, p.first, p.n_owned, "row pointers"));
  HG_TRY(copy_rows(&p.a.indices, a->indices, a->indptr[p.first], p.a.indptr[p.n_owned], sizeof(hg_lid), "columns"));
  HG_TRY(localise(&p));
  HG_TRY(copy_nodes(&p.nodes, &graph->nodes, p.first, p.n_owned));
done:
  if (rc != HG_OK) hg_part_free(&p);
  *out = p;
  return rc;
}

void hg_part_free(hg_part *part)
{
  hg_csr_free(&part->a);
  hg_free(&part->halo_ids);
  hg_free(&part->covers.halo);
  hg_free(&part->halo_offsets);
  hg_free(&part->owner_first);
  hg_nodes_free(&part->nodes);
  *part = (hg_part){0};
}
