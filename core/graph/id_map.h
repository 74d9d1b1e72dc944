#pragma once
#include <stdbool.h>

#include "core/base/types.h"

/** From the numbers of the user's file, any int64, to nodes 0..n-1 in ascending order of those numbers. */
typedef struct {
  hg_off n;      ///< distinct numbers so far
  int64_t *ids;  ///< [n] the numbers; ascending once finished; NULL for a range
  int64_t first; ///< with a range: node i is number first + i
  bool is_range; ///< the numbers are first .. first + n - 1: nothing is looked up
  hg_off ids_capacity, slots_capacity;
  int32_t *slots; ///< [slots_capacity] open addressing: 1 + position in ids, 0 empty
} hg_id_map;

/** The map of the numbers first .. first + n - 1. */
hg_id_map hg_id_map_range(int64_t first, hg_off n);

/** Adds a number unless it is there; not for a range. HG_ERR_INPUT beyond 2^31 - 1 nodes. */
hg_status hg_id_map_add(hg_id_map *map, int64_t id);

/** Numbers the nodes; call once, after the last hg_id_map_add. */
hg_status hg_id_map_finish(hg_id_map *map);

/** The node of a number, or -1. */
hg_gid hg_id_map_find(const hg_id_map *map, int64_t id);

/** The number of a node. */
static inline int64_t hg_id_map_original(const hg_id_map *map, hg_gid node)
{
  return map->ids ? map->ids[node] : map->first + node;
}

void hg_id_map_free(hg_id_map *map);
