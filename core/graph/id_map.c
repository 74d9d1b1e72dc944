#include "core/graph/id_map.h"

#include <inttypes.h>
#include <stdlib.h>

#include "core/base/alloc.h"

enum { FIRST_SLOTS = 1024 };

hg_id_map hg_id_map_range(int64_t first, hg_off n) { return (hg_id_map){.n = n, .first = first, .is_range = true}; }

// Finaliser of MurmurHash3: neighbouring numbers must not fill neighbouring slots.
static uint64_t scatter(int64_t id)
{
  uint64_t h = (uint64_t)id;
  h = (h ^ (h >> 33)) * 0xff51afd7ed558ccdULL;
  h = (h ^ (h >> 33)) * 0xc4ceb9fe1a85ec53ULL;
  return h ^ (h >> 33);
}

// The slot that holds `id`, or the empty one where it belongs.
static hg_off slot_of(const hg_id_map *map, int64_t id)
{
  uint64_t mask = (uint64_t)map->slots_capacity - 1, at = scatter(id) & mask;
  while (map->slots[at] != 0 && map->ids[map->slots[at] - 1] != id) at = (at + 1) & mask;
  return (hg_off)at;
}

static hg_status rebuild(hg_id_map *map, hg_off capacity)
{
  hg_free(&map->slots);
  map->slots_capacity = 0;
  hg_status rc = HG_ALLOC(map->slots, capacity, "node numbers");
  if (rc != HG_OK) return rc;
  map->slots_capacity = capacity;
  for (hg_off i = 0; i < map->n; i++) map->slots[slot_of(map, map->ids[i])] = (int32_t)(i + 1);
  return HG_OK;
}

hg_status hg_id_map_add(hg_id_map *map, int64_t id)
{
  hg_status rc = HG_OK;
  if (map->n >= map->slots_capacity / 2)
    HG_TRY(rebuild(map, map->slots_capacity ? 2 * map->slots_capacity : FIRST_SLOTS));
  hg_off at = slot_of(map, id);
  if (map->slots[at] != 0) return HG_OK;
  if (map->n >= INT32_MAX - 1) return hg_fail(HG_ERR_INPUT, "found more than %d nodes", INT32_MAX - 1);
  HG_TRY(hg_grow(&map->ids, &map->ids_capacity, map->n + 1, sizeof *map->ids, "node numbers"));
  map->ids[map->n++] = id;
  map->slots[at] = (int32_t)map->n;
done:
  return rc;
}

static int ascending(const void *a, const void *b)
{
  int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
  return (x > y) - (x < y);
}

hg_status hg_id_map_finish(hg_id_map *map)
{
  if (map->is_range || map->n == 0) return HG_OK;
  qsort(map->ids, (size_t)map->n, sizeof *map->ids, ascending);
  int64_t first = map->ids[0], span;
  if (!__builtin_sub_overflow(map->ids[map->n - 1], first, &span) && span == map->n - 1) {
    hg_off n = map->n;
    hg_id_map_free(map);
    *map = hg_id_map_range(first, n);
    return HG_OK;
  }
  return rebuild(map, map->slots_capacity);
}

hg_gid hg_id_map_find(const hg_id_map *map, int64_t id)
{
  if (!map->is_range) return map->n == 0 ? -1 : (hg_gid)map->slots[slot_of(map, id)] - 1;
  int64_t node;
  return !__builtin_sub_overflow(id, map->first, &node) && node >= 0 && node < map->n ? node : -1;
}

void hg_id_map_free(hg_id_map *map)
{
  hg_free(&map->ids);
  hg_free(&map->slots);
  *map = (hg_id_map){0};
}
