#pragma once
#include <stddef.h>

#include "core/base/types.h"

/**
 * Threads of this rank's parallel loops: what `n` asks for, or for n = 0 what OMP_NUM_THREADS or hg_processors
 * gives.
 */
void hg_threads_set(int n);

/** Whether OMP_NUM_THREADS says how many. */
bool hg_threads_given(void);

int hg_threads(void);

/**
 * Processors that this process may use: those of its mask (sched_getaffinity), but no more than its CPU quota has,
 * rounded down; at least one. And a number that tells one mask from another.
 */
int hg_processors(void);
uint64_t hg_processors_key(void);

/**
 * Binds each thread but the first to a processor of the mask, where there is one for each thread, the mask is less than
 * the machine (so a launcher chose it for this process), and OMP_PROC_BIND, OMP_PLACES and GOMP_CPU_AFFINITY say
 * nothing. The first stays free in the mask, since threads that it starts later inherit what it is bound to; the one
 * processor that is left over is where it goes. Only for a mask that no other rank has.
 */
void hg_threads_pin(void);

/** Where this process runs, in words: "processors 0-3, 4 threads, pinned". */
void hg_threads_describe(char *text, size_t size);

/**
 * Called first: starts the program anew with GOMP_SPINCOUNT, which libgomp reads when it is loaded, unless it
 * or OMP_WAIT_POLICY is set. A thread that waits longer then sleeps. By default it spins for milliseconds, in which
 * the thread that it waits for gets no processor where others are busy too.
 */
void hg_threads_limit_spinning(char **argv);

/** The `k`-th of `parts` nearly equal pieces of [0, n): *first and one past it. */
void hg_block(hg_off n, int parts, int k, hg_off *first, hg_off *end);
