#pragma once
#include "comm/link_sums.h"
#include "core/tensor/quantise.h"
#include "partition/parts.h"

struct hg_host_routes;

/** Who needs which of my owned nodes, and whose I need: made once from a part, used by all its exchanges. */
typedef struct hg_links {
  int n_peers_send, n_peers_recv;
  int *send_peers;      ///< [n_peers_send] ranks, ascending; only those with rows, never this rank
  hg_lid *send_offsets; ///< [n_peers_send + 1] into send_rows
  hg_lid *send_rows;    ///< owned local ids, in the receiver's halo order
  int *recv_peers;      ///< [n_peers_recv] ranks, ascending
  hg_lid *recv_offsets; ///< [n_peers_recv + 1] into the halo rows, 0 = local id n_owned; or into recv_rows
  hg_lid *recv_rows;    ///< NULL: all halo rows; or those that cross, 0 = local id n_owned
  hg_lid n_owned, n_halo;
  hg_link_sums *sums; ///< NULL: a sent row is that of one node; or what it is the sum of (then send_rows has the first)
  struct hg_host_routes *hosts; ///< NULL; or how rows cross between hosts: merged (comm/host_routes.h)
} hg_links;

/**
 * Asks each owner for the halo's global ids and verifies counts and a checksum of ids on both sides. Collective.
 * Empty parts, parts without neighbours and one rank are fine.
 * @return   HG_ERR_INPUT when there are not as many parts as ranks or a part is not this rank's; HG_ERR_INTERNAL when
 *           an owner is asked for a node that it does not own, or the two sides disagree about what will be sent
 */
hg_status hg_links_create(hg_links *links, hg_world *world, const hg_part *part);

/**
 * The same for those halo nodes alone that are `needed` [n_halo]: exchanges on these links leave the other halo rows
 * alone (FILL), or out (ADD). Collective.
 */
hg_status hg_links_create_some(hg_links *links, hg_world *world, const hg_part *part, const bool *needed);
void hg_links_free(hg_links *links);

/** What exchanges of this rank have sent since they were created. */
typedef struct {
  int64_t bytes_sent, messages_sent;
  int64_t far_bytes, far_messages; ///< of these, to ranks of other hosts
  double under_way_s;              ///< from the end of a begin until its last message was seen to have arrived and
                                   ///< left, without packing meanwhile
  double waited_s;                 ///< the part of it inside hg_exchange_end: nothing was computed meanwhile
  double packed_s;                 ///< packing rows and unpacking or adding those that arrived
} hg_traffic;

/** sum += more */
void hg_traffic_add(hg_traffic *sum, const hg_traffic *more);

typedef enum {
  HG_FILL_HALO, ///< halo rows become copies of their owners' rows
  HG_ADD_HALO,  ///< the transposed: owners' rows += the halo rows that stand for them, in ascending order of peers
} hg_exchange_kind;

/** Fewer numbers of rows that cross are moved by one thread: waking the others costs as much. */
enum { HG_EXCHANGE_PARALLEL = 1 << 15 };

/** Exchanges that can be under way at the same time. */
enum { HG_EXCHANGE_SLOTS = 64 };

/** One matrix's exchange: persistent requests on fixed buffers; start it as often as you like. */
typedef struct hg_exchange hg_exchange;

/**
 * Makes the requests of an exchange. Collective. Memory: the send lists' rows.
 * @param links  borrowed: must outlive the exchange
 * @param x      [n_owned + n_halo x f], the same f on all ranks; its data is borrowed: must outlive the exchange and
 *               stay where it is
 * @param slot   0..HG_EXCHANGE_SLOTS-1, the same on all ranks; exchanges under way at the same time need different
 *               slots
 * @return       HG_ERR_INPUT when a message would have more than 2^31 - 1 numbers; HG_ERR_INTERNAL for a wrong shape
 *               or slot
 */
hg_status hg_exchange_create(hg_exchange **exchange, hg_world *world, const hg_links *links, hg_exchange_kind kind,
                             hg_matrix *x, int slot);

/** How the rows of an exchange are packed while they cross. */
typedef struct {
  hg_pack_format format;
  int layer;           ///< what roundings draw by, besides seed, epoch, direction, ids and columns
  bool skip_zeros;     ///< numbers that are 0 stay out (core/tensor/nonzero.h): not ADAPTIVE, no error feedback
  bool error_feedback; ///< what a rounding took from a number is added to the next one that is sent in its place
  const hg_gid *ids;   ///< [n_owned + n_halo] original ids; borrowed: must outlive the exchange
  hg_matrix lent[3];   ///< no data; or buffers of exchanges that outlive this one and are never under way with it
                       ///< (hg_exchange_buffer, hg_exchange_lend): where they are large enough none is allocated
  // of HG_PACK_ADAPTIVE, which has no error feedback
  double fraction;      ///< the same on all ranks
  const float *weights; ///< FILL: [n_halo] what errors of a halo row count here, which its owner is told once
} hg_exchange_packing;

/** Reals without zeros: all messages are packed, evaluations' too, since nothing is lost. */
static inline bool hg_exchange_always_packs(const hg_exchange_packing *p)
{
  return p->format == HG_PACK_REAL && p->skip_zeros;
}

/** Bytes of a packed row, at most. */
size_t hg_exchange_row_bytes(const hg_exchange_packing *packing, int cols);

/**
 * An exchange that can pack its rows (core/tensor/quantise.h): still one message a peer. hg_exchange_pack says when;
 * otherwise they cross as reals, as in any exchange. Reals without zeros always cross packed: the same numbers.
 * FILL: all peers get the same bits of a row. ADD: each rank's share is rounded by draws of its own. Rows of the
 * same rank never cross and are never rounded.
 * Memory: hg_exchange_bytes.
 * @param packing   the same on all ranks, but for the ids; format HG_PACK_REAL: as hg_exchange_create
 */
hg_status hg_exchange_create_packed(hg_exchange **exchange, hg_world *world, const hg_links *links,
                                    hg_exchange_kind kind, hg_matrix *x, int slot, const hg_exchange_packing *packing);

/** What an exchange can lend to another one, [rows of the send lists x f] or more. */
hg_matrix hg_exchange_buffer(const hg_exchange *exchange);

/**
 * Of reals without zeros: sets packing->lent to what a FILL exchange on these links and columns lends, its sizes and,
 * with `lender`, its buffers.
 */
void hg_exchange_lend(const hg_links *links, int cols, const hg_exchange *lender, hg_exchange_packing *packing);

/**
 * Bytes of the buffers of an exchange, messages, requests and what is lent apart: of that the sizes are read. On merged
 * links without what exchanges share (hg_host_exchange_bytes).
 */
size_t hg_exchange_bytes(const hg_links *links, hg_exchange_kind kind, int cols, const hg_exchange_packing *packing);

/**
 * From the next begin on rows are packed, by draws of this seed and epoch; or not, at first and with `packed` false.
 * The same on all ranks; nothing for an exchange that was not created for it.
 */
void hg_exchange_pack(hg_exchange *exchange, bool packed, uint64_t seed, int epoch);

/**
 * Changes rows [first, first + n) of what arrived for the nodes of links->sums->touched before they are added to the
 * nodes' own: by several threads at a time.
 */
typedef void hg_refine_arrivals(void *context, hg_off first, hg_off n, hg_matrix *rows);

/** ADD on links of sums: what the next end does with what arrived. `refine` NULL: nothing. */
void hg_exchange_refine(hg_exchange *exchange, hg_refine_arrivals *refine, void *context);

/**
 * From the next begin on begin, progress and end are those of `stale`, made for the same links, kind and matrix
 * (comm/stale_exchange.h); NULL: its own again. Borrowed. Not while it is under way.
 */
typedef struct hg_stale_exchange hg_stale_exchange;
void hg_exchange_divert(hg_exchange *exchange, hg_stale_exchange *stale);

/** Where it is diverted to, or NULL. */
hg_stale_exchange *hg_exchange_diverted(const hg_exchange *exchange);

/** With error feedback what has not been sent yet, to be saved or set; else no data. [rows sent x f], a view. */
hg_matrix hg_exchange_error(const hg_exchange *exchange);

/** An exchange under way is ended first; accepts a NULL there. */
void hg_exchange_free(hg_exchange **exchange);

/**
 * Posts receives, packs and sends. Every rank begins its exchanges, but none waits for another here. Until
 * hg_exchange_end the halo rows belong to the exchange (debug builds fill them with NaN in FILL). FILL: owned rows
 * were packed and may be written. ADD: owned rows may be written; what arrives is added to them at the end.
 */
void hg_exchange_begin(hg_exchange *exchange);
/** Lets MPI make progress; call it between chunks of work: what is not asked for does not move. */
void hg_exchange_progress(hg_exchange *exchange);
/**
 * Waits for what was begun. FILL: the halo rows hold their owners' rows. ADD: owned rows are summed, halo rows
 * unchanged.
 */
void hg_exchange_end(hg_exchange *exchange);
hg_traffic hg_exchange_traffic(const hg_exchange *exchange);

/**
 * Once, at set-up: appends the halo nodes' rows to sparse features. Collective.
 * @param x   n_owned rows, becomes n_owned + n_halo; unchanged on failure. The same columns, and values or none, on
 *            all ranks
 */
hg_status hg_exchange_csr_rows(hg_world *world, const hg_links *links, hg_csr *x);

/**
 * Once, at set-up: the other way round, a number for each halo node to its owner's send lists. Collective.
 * @param halo   [n_halo]     @param lists  [entries of the send lists]
 */
hg_status hg_exchange_floats_back(hg_world *world, const hg_links *links, const float *halo, float *lists);

/** Once, at set-up: the halo nodes' ids. ids: [n_owned + n_halo], the owned part filled. Collective. */
hg_status hg_exchange_ids(hg_world *world, const hg_links *links, hg_gid *ids);
