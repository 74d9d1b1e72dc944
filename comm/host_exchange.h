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
 * What exchanges of this kind and slot on these links share, since one of them is under way at a time: made for the
 * first of them, and larger for wider ones. Collective. Memory: hg_host_exchange_bytes, in part shared with the host's
 * other ranks.
 * @param links     merged; borrowed
 * @param cols      at least 1
 * @param packing   of exchanges of so many columns: where they can pack, the server packs its host's message, without
 *                  zeros (core/tensor/nonzero.h) or rounded (core/tensor/quantise.h). Not adaptive, no error feedback
 * @return          HG_ERR_INPUT where a message would have more than 2^31 - 1 numbers or bytes, HG_ERR_MEMORY where the
 *                  host has no such memory
 */
hg_status hg_host_exchange_open(hg_host_exchange **exchange, hg_world *world, const hg_links *links,
                                hg_exchange_kind kind, int slot, int cols, const hg_exchange_packing *packing);

/** Collective among the ranks of a host, after all of them have ended what they began. Accepts a NULL there. */
void hg_host_exchange_close(hg_host_exchange **exchange);

/** What exchanges that share this need room for, at most. */
typedef struct {
  int cols;
  size_t packed; ///< bytes of a packed row; 0: none packs
  bool rounds;   ///< one of them rounds
} hg_host_room;

/** Widens it for an exchange of `cols` columns. */
void hg_host_room_widen(hg_host_room *room, int cols, const hg_exchange_packing *packing);

/** Bytes of what exchanges of that room share on this rank. Of links that are not merged 0. */
size_t hg_host_exchange_bytes(const hg_links *links, hg_exchange_kind kind, const hg_host_room *room);

/**
 * This rank's rows are written or will be sent from where they are; nothing waits.
 * @param x        as of hg_exchange_create; its data is borrowed until hg_host_exchange_take
 * @param packing  how messages are packed this time, or NULL: they are reals; the same on all ranks; borrowed alike
 * @param draw     what roundings draw by. FILL: a row has the bits that it has in any exchange. ADD: what several ranks
 *                 of a host have for a node is rounded once, their sum
 * @param traffic  what is sent, and seconds of adding and packing messages, are added to it until then
 */
void hg_host_exchange_begin(hg_host_exchange *exchange, const hg_matrix *x, const hg_exchange_packing *packing,
                            hg_pack_draw draw, hg_traffic *traffic);

/** Goes on as far as it can; whether all messages that concern this rank are through. */
bool hg_host_exchange_progress(hg_host_exchange *exchange);

/** Until they are. */
void hg_host_exchange_wait(hg_host_exchange *exchange);

/** What came to x, host after host: halo rows become it (FILL), or it is added to owned rows (ADD). */
void hg_host_exchange_take(hg_host_exchange *exchange);
