#pragma once
#include "comm/exchange.h"

/*
 * Exchanges whose receivers go on with rows of earlier epochs. What arrived last is kept apart from x, whose halo rows
 * others write over, and stands in for what has not come:
 *
 *   PIPELINE  epoch t uses what was sent in epoch t - 1 (PipeGCN; Wan et al., ICLR 2022). Messages posted in epoch t
 *             are awaited at the same place of epoch t + 1, so they overlap a whole epoch. With a smoothing of g:
 *             used(t) = g used(t - 1) + (1 - g) sent(t - 1).
 *   DELAYED   rows are hashed by original id to r bins; in epoch t only bin t mod r crosses, and is used from epoch t +
 *             1 until that bin's next message: rows are 1 to r epochs old (DistGNN's cd-r; Md et al., SC 2021). r = 1
 *             is PIPELINE.
 *   SKIP      the sender compares each row with what it sent last, and sends it in this epoch when it has changed by
 *             more than a threshold times the norm of that, or when the receiver's would become older than max_age
 *             epochs. Bits in front of the message say which rows follow. Per PEER it is all rows of a message or none,
 *             by their Frobenius norms (SANCUS; Peng et al., VLDB 2022). A threshold of 0 is exact.
 *
 * The first epoch sends all rows and waits for them, and so does the first one after hg_stale_exchange_forget.
 * FILL: halo rows become copies of what is kept. ADD: what is kept for each row of the send lists is added to its
 * owner's, peer after peer, in each epoch. ALGORITHMS A.10.
 */
typedef enum { HG_STALENESS_NONE, HG_STALENESS_PIPELINE, HG_STALENESS_DELAYED, HG_STALENESS_SKIP } hg_staleness_kind;
typedef enum { HG_SKIP_ROWS, HG_SKIP_PEERS } hg_skip_unit;

typedef struct {
  hg_staleness_kind kind;
  double feature_smoothing, gradient_smoothing; ///< of PIPELINE, in [0, 1): of FILL, of ADD
  int bins;                                     ///< of DELAYED, at least 1
  double skip_threshold;                        ///< of SKIP, at least 0
  int max_age;                                  ///< of SKIP, at least 1
  hg_skip_unit skip_per;                        ///< of SKIP
} hg_staleness;

/** The word of the config: "none", "pipeline" ... */
const char *hg_staleness_name(hg_staleness_kind kind);

enum { HG_STALE_SLOTS = 2048 };

/**
 * Collective. Memory: hg_stale_exchange_bytes.
 * @param how      the same on all ranks, not NONE
 * @param links    borrowed: must outlive it, and its rows must stay
 * @param x        [n_owned + n_halo x f], the same f on all ranks; its data is borrowed
 * @param slot     0..HG_STALE_SLOTS-1, the same on all ranks; of each such exchange of a model another
 * @param packing  how rows are packed, but neither ADAPTIVE nor with error feedback; ids are needed in any case
 * @return         HG_ERR_INPUT when a message would have more than 2^31 - 1 bytes
 */
hg_status hg_stale_exchange_create(hg_stale_exchange **stale, hg_world *world, const hg_staleness *how,
                                   const hg_links *links, hg_exchange_kind kind, hg_matrix *x, int slot,
                                   const hg_exchange_packing *packing);

/** What is under way is waited for; accepts a NULL there. */
void hg_stale_exchange_free(hg_stale_exchange **stale);

/** Bytes that hg_stale_exchange_create allocates, messages' heads and requests apart. */
size_t hg_stale_exchange_bytes(const hg_staleness *how, const hg_links *links, hg_exchange_kind kind, int cols,
                               hg_pack_format format);

/** Of the next begin: its epoch, whether rows are packed, and by draws of which seed. The same on all ranks. */
void hg_stale_exchange_set(hg_stale_exchange *stale, bool packed, uint64_t seed, int epoch);

/** As of hg_exchange, which calls these three when it was diverted here (hg_exchange_divert). */
void hg_stale_exchange_begin(hg_stale_exchange *stale);
void hg_stale_exchange_progress(hg_stale_exchange *stale);
void hg_stale_exchange_end(hg_stale_exchange *stale);

/** `under_way_s` goes from begin to the arrival, whichever epoch that is in. */
hg_traffic hg_stale_exchange_traffic(const hg_stale_exchange *stale);

/**
 * Feature smoothing alone: rows as they arrived last, [n_halo x f], before they were smoothed; else no data. A view;
 * rows that do not cross are 0.
 */
hg_matrix hg_stale_exchange_latest(const hg_stale_exchange *stale);

/**
 * All that later epochs depend on, to be saved and set, as matrices k = 0, 1, ... HG_STALE_STATES - 1; no data where
 * there is none. Views. What is under way is waited for and taken first, as the next begin would: every rank must have
 * begun it.
 */
enum { HG_STALE_STATES = 4 };
hg_matrix hg_stale_exchange_state(hg_stale_exchange *stale, int k);

/** After the state was set: the next epoch goes on with it. */
void hg_stale_exchange_restored(hg_stale_exchange *stale);

/** The next epoch is a first one. What is under way is waited for. */
void hg_stale_exchange_forget(hg_stale_exchange *stale);
