#pragma once
#include <stddef.h>

#include "comm/world.h"

/**
 * Items of each rank on their way to the ranks that shall have them. Every rank's items arrive in their order, those of
 * rank 0 first. Owned; free with hg_route_free.
 */
typedef struct {
  hg_world *world;       ///< borrowed
  hg_off n_in, n_out;    ///< items that leave this rank and that come to it, those that stay in both
  hg_lid *order;         ///< [n_in] the items by destination, in their order
  hg_off *send, *arrive; ///< [ranks + 1] where each rank's begin among `order` and among what comes
} hg_route;

/**
 * Item i of this rank goes to rank to[i].
 * @return   the same on all ranks. Collective.
 */
hg_status hg_route_create(hg_route *route, hg_world *world, const int32_t *to, hg_off n);
void hg_route_free(hg_route *route);

/**
 * Moves `bytes` bytes of each item: in [n_in] to out [n_out]. Memory: 4 MiB, or an item. Collective.
 */
hg_status hg_route_move(const hg_route *route, const void *in, size_t bytes, void *out);

/** The other way: of each item that came, in [n_out], back to where it was, out [n_in]. */
hg_status hg_route_back(const hg_route *route, const void *in, size_t bytes, void *out);

/** Lengths of items: indptr [n_in + 1] of the senders makes moved [n_out + 1] of the receivers, which is created. */
hg_status hg_route_move_pointers(const hg_route *route, const hg_off *indptr, hg_off **moved);

/** Entries of `bytes` bytes that go with such lengths. */
hg_status hg_route_move_entries(const hg_route *route, const hg_off *indptr, const void *in, size_t bytes,
                                const hg_off *moved, void *out);

/**
 * Sends out[send[r]] .. out[send[r+1]-1], elements of `bytes` bytes, to each rank r, and takes theirs in their order
 * at in[arrive[r]]. Cannot fail. Collective.
 */
void hg_route_swap(hg_world *world, const void *out, const hg_off *send, void *in, const hg_off *arrive, size_t bytes);

/** arrive [ranks + 1] from the counts in send [ranks + 1] of all. Collective. */
void hg_route_offsets(hg_world *world, const hg_off *send, hg_off *arrive);
