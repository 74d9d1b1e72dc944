#pragma once
#include <stddef.h>

#include "comm/world.h"

/**
 * Element-wise sums (largest) over ranks, in place, the same bits on every rank and in every repetition on as many
 * ranks; n may be 0. Collective. Cannot fail (MPI errors end the job).
 */
void hg_sum_doubles(hg_world *world, double *values, int n);
void hg_sum_reals(hg_world *world, hg_real *values, hg_off n);
void hg_sum_int64(hg_world *world, int64_t *values, int n);
void hg_max_doubles(hg_world *world, double *values, int n);

/** How many sums can be under way at once; one more waits for the others first. */
enum { HG_SUMS_MAX = 64 };

/** Sums under way, for gradients: begin, compute, end. Same bits in every repetition on as many ranks. */
typedef struct hg_sums hg_sums;
/** Not collective. */
hg_status hg_sums_create(hg_sums **sums, hg_world *world);
/** Waits for what is under way, so that no buffer is freed under MPI; accepts a NULL there. */
void hg_sums_free(hg_sums **sums);
/** Starts the sum of values[0..n), which must stay alone until hg_sums_end. Collective, same order on all ranks. */
void hg_sums_begin(hg_sums *sums, hg_real *values, hg_off n);
/** Lets MPI make progress; may be called at any time between begin and end. */
void hg_sums_progress(hg_sums *sums);
/** Waits for all that was begun, in that order. */
void hg_sums_end(hg_sums *sums);

/** Copies `bytes` bytes from `root` to all. Collective. */
void hg_broadcast(hg_world *world, void *data, size_t bytes, int root);

/**
 * Concatenates each rank's bytes on rank 0, in rank order. Collective.
 * @param all      on rank 0: created (hg_alloc), the caller frees; NULL elsewhere
 * @param offsets  on rank 0: [size + 1] byte offsets, created, the caller frees; NULL elsewhere
 */
hg_status hg_gather(hg_world *world, const void *mine, size_t bytes, void **all, size_t **offsets);

/** Waits for all ranks. Collective. */
void hg_barrier(hg_world *world);
