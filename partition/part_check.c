#include <inttypes.h>

#include "core/base/alloc.h"
#include "partition/parts.h"

static hg_status check_sizes(const hg_part *p)
{
  const hg_gid *first = p->owner_first;
  if (p->part < 0 || p->part >= p->n_parts) return hg_fail(HG_ERR_INTERNAL, "part %d of %d parts", p->part, p->n_parts);
  if (first[0] != 0 || first[p->n_parts] != p->n_global)
    return hg_fail(HG_ERR_INTERNAL, "parts own %" PRId64 "..%" PRId64 ", expected 0..%" PRId64, first[0],
                   first[p->n_parts], p->n_global);
  for (int q = 0; q < p->n_parts; q++)
    if (first[q] > first[q + 1]) return hg_fail(HG_ERR_INTERNAL, "part %d owns less than no node", q);
  if (p->first != first[p->part] || p->n_owned != first[p->part + 1] - p->first)
    return hg_fail(HG_ERR_INTERNAL, "part %d: %d owned nodes from %" PRId64 ", expected %" PRId64 " from %" PRId64,
                   p->part, p->n_owned, p->first, first[p->part + 1] - first[p->part], first[p->part]);
  if (p->n_interior < 0 || p->n_interior > p->n_owned)
    return hg_fail(HG_ERR_INTERNAL, "part %d: %d interior of %d owned nodes", p->part, p->n_interior, p->n_owned);
  if (p->a.n_rows != p->n_owned || p->a.n_cols != (hg_off)p->n_owned + p->n_halo || p->nodes.n != p->n_owned)
    return hg_fail(HG_ERR_INTERNAL,
                   "part %d: %" PRId64 " rows, %" PRId64 " columns and data of %" PRId64
                   " nodes for %d owned and %d halo",
                   p->part, p->a.n_rows, p->a.n_cols, p->nodes.n, p->n_owned, p->n_halo);
  return HG_OK;
}

static hg_status check_halo(const hg_part *p)
{
  for (hg_lid h = 0; h < p->n_halo; h++) {
    hg_gid id = p->halo_ids[h], before = h ? p->halo_ids[h - 1] : -1;
    if (id <= before || id >= p->n_global || (id >= p->first && id < p->first + p->n_owned))
      return hg_fail(HG_ERR_INTERNAL, "part %d: halo node %d has global id %" PRId64 " after %" PRId64, p->part, h, id,
                     before);
  }
  if (p->halo_offsets[0] != 0 || p->halo_offsets[p->n_parts] != p->n_halo)
    return hg_fail(HG_ERR_INTERNAL, "part %d: halo offsets do not cover its %d halo nodes", p->part, p->n_halo);
  for (int q = 0; q < p->n_parts; q++)
    if (p->halo_offsets[q] > p->halo_offsets[q + 1])
      return hg_fail(HG_ERR_INTERNAL, "part %d: halo offsets fall at part %d", p->part, q);
  for (int q = 0; q < p->n_parts; q++)
    for (hg_lid h = p->halo_offsets[q]; h < p->halo_offsets[q + 1]; h++)
      if (p->halo_ids[h] < p->owner_first[q] || p->halo_ids[h] >= p->owner_first[q + 1])
        return hg_fail(HG_ERR_INTERNAL, "part %d: halo node %" PRId64 " is not owned by part %d", p->part,
                       p->halo_ids[h], q);
  return HG_OK;
}

// Owned columns, then halo columns, each ascending: one ascending sequence of local ids. Marks the halo nodes that are
// met.
static hg_status check_rows(const hg_part *p, uint8_t *met)
{
  for (hg_lid i = 0; i < p->n_owned; i++) {
    hg_lid before = -1;
    for (hg_off e = p->a.indptr[i]; e < p->a.indptr[i + 1]; e++) {
      hg_lid j = p->a.indices[e];
      if (j <= before) return hg_fail(HG_ERR_INTERNAL, "part %d: row %d: columns do not ascend", p->part, i);
      if (j >= p->n_owned) met[j - p->n_owned] = 1;
      before = j;
    }
    if (before >= p->n_owned && i < p->n_interior)
      return hg_fail(HG_ERR_INTERNAL, "part %d: interior node %d has a halo in-neighbour", p->part, i);
    if (before < p->n_owned && i >= p->n_interior)
      return hg_fail(HG_ERR_INTERNAL, "part %d: boundary node %d has no halo in-neighbour", p->part, i);
  }
  for (hg_lid h = 0; h < p->n_halo; h++)
    if (!met[h])
      return hg_fail(HG_ERR_INTERNAL, "part %d: halo node %" PRId64 " is nobody's in-neighbour", p->part,
                     p->halo_ids[h]);
  return HG_OK;
}

hg_status hg_part_check(const hg_part *part)
{
  hg_status rc = HG_OK;
  uint8_t *met = NULL;
  HG_TRY(check_sizes(part));
  HG_TRY(check_halo(part));
  HG_TRY(hg_csr_check(&part->a));
  HG_TRY(HG_ALLOC(met, part->n_halo, "halo marks"));
  HG_TRY(check_rows(part, met));
done:
  hg_free(&met);
  return rc;
}
