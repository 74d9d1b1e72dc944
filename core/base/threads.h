#pragma once
#include "core/base/types.h"

/**
 * Threads of this rank's parallel loops: what `n` asks for, or for n = 0 what OMP_NUM_THREADS or the processor mask
 * gives.
 */
void hg_threads_set(int n);

/** Whether OMP_NUM_THREADS says how many. */
bool hg_threads_given(void);

int hg_threads(void);

/** Processors that this process may run on (sched_getaffinity), and a number that tells one set from another. */
int hg_processors(void);
uint64_t hg_processors_key(void);

/** The `k`-th of `parts` nearly equal pieces of [0, n): *first and one past it. */
void hg_block(hg_off n, int parts, int k, hg_off *first, hg_off *end);
