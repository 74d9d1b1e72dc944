#pragma once
#include "partition/parts.h"

/** How the nodes of a made-up graph are shared and which of them are halo elsewhere. */
typedef enum {
  PARTS_RANDOM,       ///< uneven parts; each node is halo of each other part with probability 1/3
  PARTS_EMPTY,        ///< like RANDOM, but every third part owns nothing
  PARTS_RING,         ///< each part needs all of the next one
  PARTS_DISCONNECTED, ///< nobody needs anything
  PARTS_ONE_WAY,      ///< part p needs nodes of lower parts alone
  PARTS_KINDS,
} parts_kind;

extern const char *const parts_kind_names[PARTS_KINDS];

/**
 * Part `p` of `n_parts` as far as links need it (no adjacency, no data): the same graph for every p. Free with
 * random_part_free.
 */
hg_status random_part(hg_part *part, parts_kind kind, int n_parts, int p, uint64_t seed);
void random_part_free(hg_part *part);
