#pragma once
#include <stddef.h>

#include "core/base/types.h"

/** Who shares the work, and what each graph costs. */
typedef struct {
  int rank, ranks;
  const hg_off *work; ///< [graphs of the collection] borrowed
} hg_sharing;

/** A graph, with its work beside it for sorting. */
typedef struct {
  hg_off work, graph;
} hg_costed_graph;

/**
 * The mini-batches of one epoch, or of an evaluation, as one rank sees them: which of their graphs it computes. A
 * function of (seed, epoch) and the data alone, so all ranks agree on every batch without a word.
 */
typedef struct {
  hg_sharing sharing;
  hg_off n, batch_size; ///< graphs in all batches, and in each but the last, which has what is left
  hg_off n_batches;
  hg_off *graphs; ///< [n] of whole batches, one after the other
  hg_off *mine;   ///< those that this rank computes: of batch b mine[offsets[b]] .. mine[offsets[b + 1] - 1], ascending
  hg_off *offsets;         ///< [n_batches + 1]
  hg_costed_graph *sorted; ///< [batch_size] room
  hg_off *load;            ///< [ranks] room
} hg_batch_list;

/** For n graphs; none is listed yet. */
hg_status hg_batch_list_create(hg_batch_list *list, hg_off n, hg_off batch_size, hg_sharing sharing);
void hg_batch_list_free(hg_batch_list *list);

/** Bytes that hg_batch_list_create allocates, for the memory plan. */
size_t hg_batch_list_bytes(hg_off n, hg_off batch_size, int ranks);

/** Graphs of the whole batch b. */
hg_off hg_batch_list_size(const hg_batch_list *list, hg_off b);

/**
 * A new epoch: the graphs in a uniformly random order (Fisher and Yates, by Philox), cut into batches, each shared
 * among the ranks: largest graph first to the rank with the least work (Graham 1969), so that no rank has more than the
 * mean and one graph. The batches, not the shares, are the same on every number of ranks.
 * @param graphs   [n] the numbers to shuffle     Cost: O(n (log batch_size + ranks)).
 */
void hg_batch_list_shuffle(hg_batch_list *list, const hg_off *graphs, uint64_t seed, int epoch);

/** Batches of this rank's own graphs in their order, nothing shared: for evaluation. @param n   at most the list's */
void hg_batch_list_own(hg_batch_list *list, const hg_off *graphs, hg_off n);

/** This rank's share of n graphs: those from *first to *end - 1, a stretch of about equal work. */
void hg_share_stretch(hg_sharing sharing, const hg_off *graphs, hg_off n, hg_off *first, hg_off *end);
