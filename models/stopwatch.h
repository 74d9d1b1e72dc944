#pragma once
#include "core/base/phases.h"
#include "core/base/timer.h"

/** Seconds of one thread by phase, of work on one block of rows after another: for hg_phases_share. */
typedef struct {
  double seconds[HG_PHASE_COUNT], last;
} hg_stopwatch;

static inline hg_stopwatch hg_stopwatch_start(void) { return (hg_stopwatch){.last = hg_now_s()}; }

/** The time since the last lap goes to `phase`. */
static inline void hg_stopwatch_lap(hg_stopwatch *w, hg_phase phase)
{
  double now = hg_now_s();
  w->seconds[phase] += now - w->last;
  w->last = now;
}

/** Adds it to what threads share, [HG_PHASE_COUNT]. */
static inline void hg_stopwatch_add(const hg_stopwatch *w, double *seconds)
{
#pragma omp critical(hg_stopwatch)
  for (int k = 0; k < HG_PHASE_COUNT; k++) seconds[k] += w->seconds[k];
}
