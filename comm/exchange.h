#pragma once
#include "comm/world.h"
#include "core/tensor/csr.h"
#include "core/tensor/matrix.h"
#include "partition/parts.h"

/** Who needs which of my owned nodes, and whose I need: made once from a part, used by all its exchanges. */
typedef struct {
  int n_peers_send, n_peers_recv;
  int *send_peers;      ///< [n_peers_send] ranks, ascending
  hg_lid *send_offsets; ///< [n_peers_send + 1] into send_rows
  hg_lid *send_rows;    ///< owned local ids, in the receiver's halo order
  int *recv_peers;      ///< [n_peers_recv]
  hg_lid *recv_offsets; ///< [n_peers_recv + 1] halo rows, 0 = local id n_owned
  hg_lid n_owned, n_halo;
} hg_links;

/** Collective. Asks each owner for the halo's global ids and verifies counts and a checksum of ids on both sides. */
hg_status hg_links_create(hg_links *links, hg_world *world, const hg_part *part);
void hg_links_free(hg_links *links);

/** What exchanges of this rank have sent since they were created. */
typedef struct {
  int64_t bytes_sent, messages_sent;
} hg_traffic;

typedef enum {
  HG_FILL_HALO, ///< halo rows become copies of their owners' rows
  HG_ADD_HALO,  ///< the transposed: owners' rows += the halo rows that stand for them, in ascending order of peers
} hg_exchange_kind;

/** One matrix's exchange: persistent requests on fixed buffers; start it as often as you like. */
typedef struct hg_exchange hg_exchange;

/**
 * @param x     [n_owned + n_halo x f], borrowed: must outlive the exchange and stay where it is
 * @param slot  0..HG_EXCHANGE_SLOTS-1, the same on all ranks; exchanges under way at the same time need different slots
 * Collective. Memory: the send lists' rows (FILL) or the same as receive buffers (ADD).
 */
hg_status hg_exchange_create(hg_exchange **exchange, hg_world *world, const hg_links *links, hg_exchange_kind kind, hg_matrix *x,
                             int slot);
void hg_exchange_free(hg_exchange **exchange);

/**
 * Posts receives, packs and sends. Until hg_exchange_end the halo rows belong to the exchange. FILL: owned rows were packed and may be
 * written. ADD: owned rows may be written; what arrives is added to them at the end.
 */
void hg_exchange_begin(hg_exchange *exchange);
/** Lets MPI make progress; call it between chunks of work. */
void hg_exchange_progress(hg_exchange *exchange);
void hg_exchange_end(hg_exchange *exchange);
hg_traffic hg_exchange_traffic(const hg_exchange *exchange);

/** Once, at set-up: appends the halo nodes' rows to sparse features. x: n_owned rows, becomes n_owned + n_halo. Collective. */
hg_status hg_exchange_csr_rows(hg_world *world, const hg_links *links, hg_csr *x);
/** Once, at set-up: original ids of the halo nodes. ids: [n_owned + n_halo], owned part filled. Collective. */
hg_status hg_exchange_ids(hg_world *world, const hg_links *links, hg_gid *ids);
