#pragma once
#include "models/batch.h"

/**
 * Positions that vary from pass to pass: p becomes T (p + noise), with a linear map T that an epoch, a batch or a graph
 * shares, and Gaussian noise of each node's own. Both are functions of this struct and of the number of the graph,
 * batch or node alone, so all ranks agree without a word. Translations are not among them: layers see differences of
 * positions.
 */
typedef struct {
  hg_augment_options options;
  uint64_t seed;
  uint32_t epoch, sample; ///< training: its epoch, 0; the passes of an evaluation: 0, 1 to test_samples
} hg_augment;

/** What training draws in `epoch`, from 1. */
hg_augment hg_augment_training(const hg_augment_options *options, uint64_t seed, int epoch);

/** Pass k of 0 to test_samples - 1 of an evaluation: the same in every epoch, so that its scores can be compared. */
hg_augment hg_augment_test(const hg_augment_options *options, uint64_t seed, int k);

/**
 * The linear map of one graph, batch, or whole epoch: a rotation, after a mirror half the time, times a factor; each as
 * the options say. Rotations of 180 degrees are uniform over all (Haar's measure; Stewart, SIAM J. Numer. Anal. 17,
 * 1980); of fewer, by an angle uniform in [-rotate, rotate] in the plane of the first two axes of one of those. In 2
 * dimensions that is the same distribution, in 1 nothing turns.
 * @param unit   number of the graph or batch; 0 for what a whole epoch shares
 * @param dims   1 to HG_GEO_DIMS     @param map  [dims x dims]
 * @return       `map`, or NULL when options leave nothing but the identity: what hg_pass.turn takes. Cannot fail.
 */
const hg_real *hg_augment_map(const hg_augment *augment, uint64_t unit, int dims, hg_real *map);

/**
 * The map that a whole batch shares, for hg_pass.turn; NULL with per: graph, where hg_augment_batch turns positions.
 * The passes of an evaluation share it among all batches: a graph's scores do not depend on those beside it.
 */
const hg_real *hg_augment_batch_map(const hg_augment *augment, uint64_t batch, int dims, hg_real *map);

/**
 * to[i] = map (from[i] + noise of ids[i]) for n nodes. One thread.
 * @param map    [dims x dims], or NULL: the identity
 * @param ids    [n] the nodes' numbers in the whole data, the same on every rank
 * @param from   [n x dims]     @param to  [n x dims], may be `from`
 */
void hg_augment_move(const hg_augment *augment, const hg_real *map, int dims, const hg_gid *ids, hg_off n,
                     const hg_real *from, hg_real *to);

/**
 * Moves the graphs of a filled batch from where its source has them: each by its own map with per: graph, each node by
 * its own noise; then the clusters of its coarser stages to their members' means. Like hg_batch_fill for another
 * thread; a batch may be moved again for another pass. Cannot fail. What the batch shares is hg_augment_batch_map's.
 */
void hg_augment_batch(const hg_augment *augment, const hg_batch_source *source, hg_batch *batch);

/** Keeps a copy of the placed graph's positions, where jitter will need them. Not collective. */
hg_status hg_augment_prepare(const hg_augment_options *options, hg_local_graph *graph);

/** Bytes that it allocates. */
size_t hg_augment_bytes(const hg_augment_options *options, const hg_local_graph *graph);

/**
 * One whole graph on this rank: gives owned and halo nodes their noise and returns the map of all, for hg_pass.turn.
 * Threads over nodes; no communication.
 * @param augment   or NULL: positions as they are
 * @param map       [dims x dims] room
 */
const hg_real *hg_augment_graph(const hg_augment *augment, hg_local_graph *graph, hg_real *map);
