#include "tests/mpi/random_part.h"

#include "core/base/alloc.h"
#include "core/base/rng.h"

const char *const parts_kind_names[PARTS_KINDS] = {"random", "empty", "ring", "disconnected", "one way"};

static hg_lid size_of(parts_kind kind, int p, hg_rng rng)
{
  if (kind == PARTS_EMPTY && p % 3 == 1) return 0;
  return 20 + (hg_lid)hg_rng_below(rng, (uint64_t)p, 0, 60);
}

static bool needs(parts_kind kind, int n_parts, int p, int owner, hg_gid node, hg_rng rng)
{
  if (p == owner) return false;
  bool chosen = hg_rng_below(rng, (uint64_t)node, (uint32_t)p + 1, 3) == 0;
  switch (kind) {
  case PARTS_RING:
    return owner == (p + 1) % n_parts;
  case PARTS_DISCONNECTED:
    return false;
  case PARTS_ONE_WAY:
    return owner < p && chosen;
  default:
    return chosen;
  }
}

hg_status random_part(hg_part *part, parts_kind kind, int n_parts, int p, uint64_t seed)
{
  hg_status rc = HG_OK;
  hg_rng rng = {seed, HG_STREAM_TEST};
  *part = (hg_part){.part = p, .n_parts = n_parts};
  HG_TRY(HG_ALLOC(part->owner_first, n_parts + 1, "part offsets"));
  HG_TRY(HG_ALLOC(part->halo_offsets, n_parts + 1, "halo offsets"));
  for (int q = 0; q < n_parts; q++) part->owner_first[q + 1] = part->owner_first[q] + size_of(kind, q, rng);
  part->n_global = part->owner_first[n_parts];
  part->first = part->owner_first[p];
  part->n_owned = size_of(kind, p, rng);
  HG_TRY(HG_ALLOC(part->halo_ids, part->n_global, "halo ids"));
  for (int q = 0; q < n_parts; q++) {
    for (hg_gid id = part->owner_first[q]; id < part->owner_first[q + 1]; id++)
      if (needs(kind, n_parts, p, q, id, rng)) part->halo_ids[part->n_halo++] = id;
    part->halo_offsets[q + 1] = part->n_halo;
  }
done:
  return rc;
}

void random_part_free(hg_part *part)
{
  hg_free(&part->owner_first);
  hg_free(&part->halo_offsets);
  hg_free(&part->halo_ids);
}
