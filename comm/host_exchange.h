#pragma once
#include "comm/exchange.h"

/*
 * What an exchange on merged links (comm/host_routes.h) does between hosts. In memory that the ranks of a host share
 * (an MPI-3 window) each pair of hosts has room for one message, in the part of its server. From host A to host B:
 *
 *   ranks of A    write their rows in place and tell the server ("ready")
 *   A's server    adds what is to be added, sends the message, and tells them when it has left
 *   B's server    receives it, and tells the ranks of B ("arrived")
 *   ranks of B    read their rows, each when its exchange ends, and tell the server, which then receives the next one
 *
 * What ranks of a host tell each other are messages without content, so nobody spins on memory: whoever waits lets MPI
 * make progress, and a rank that has died ends the job as elsewhere. None waits for another at begin.
 */
typedef struct hg_host_exchange hg_host_exchange;

/**
 * Collective. Memory: hg_host_exchange_bytes, shared with the host's other ranks.
 * @param links  merged; borrowed
 * @param x      as of hg_exchange_create, which makes it; its data is borrowed
 * @param slot   of that exchange
 * @param skips_zeros  messages between hosts are without zeros: packed by the servers
 * @return       HG_ERR_INPUT where a message would have more than 2^31 - 1 numbers, HG_ERR_MEMORY where the host has no
 *               such memory
 */
hg_status hg_host_exchange_create(hg_host_exchange **exchange, hg_world *world, const hg_links *links,
                                  hg_exchange_kind kind, const hg_matrix *x, int slot, bool skips_zeros);

/** Collective among the ranks of a host, after all of them have ended it. Accepts a NULL there. */
void hg_host_exchange_free(hg_host_exchange **exchange);

/** Bytes of this rank's part of the shared memory, and of what it packs messages in. */
size_t hg_host_exchange_bytes(const hg_links *links, hg_exchange_kind kind, int cols, bool skips_zeros);

/** This rank's rows are written or will be sent from where they are; nothing waits. */
void hg_host_exchange_begin(hg_host_exchange *exchange);

/** Goes on as far as it can; whether all messages that concern this rank are through. */
bool hg_host_exchange_progress(hg_host_exchange *exchange);

/** Until they are. */
void hg_host_exchange_wait(hg_host_exchange *exchange);

/** What came to x, host after host: halo rows become it (FILL), or it is added to owned rows (ADD). */
void hg_host_exchange_take(hg_host_exchange *exchange);

/** Messages that crossed and their bytes; seconds of adding and packing before they did. */
hg_traffic hg_host_exchange_traffic(const hg_host_exchange *exchange);
