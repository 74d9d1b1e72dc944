#pragma once
#include "comm/exchange.h"

/**
 * The floor of an exchange, for benchmarks: the messages of a FILL between the same ranks, of the same sizes, from
 * buffers that are ready; nothing is packed, placed or added.
 */
typedef struct hg_wire hg_wire;

/** For `cols` numbers a row; cols is the same on all ranks. Collective. Errors as hg_exchange_create. */
hg_status hg_wire_create(hg_wire **wire, hg_world *world, const hg_links *links, int cols);
/** Sends and receives everything once; returns when this rank has all that it gets. */
void hg_wire_run(hg_wire *wire);
void hg_wire_free(hg_wire **wire);
