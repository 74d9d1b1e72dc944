#include "core/base/phases.h"

#include <string.h>

#include "core/base/timer.h"

const char *hg_phase_name(hg_phase phase)
{
  static const char *const names[HG_PHASE_COUNT] = {"aggregate",   "exchange",     "transform", "elementwise",
                                                    "loss",        "gradient_sum", "optimizer", "batch",
                                                    "coordinator", "evaluate",     "checkpoint"};
  return names[phase];
}

void hg_phases_start(hg_phases *phases)
{
  memset(phases, 0, sizeof *phases);
  phases->lap_start = hg_now_s();
}

void hg_phases_lap(hg_phases *phases, hg_phase phase)
{
  double now = hg_now_s();
  phases->seconds[phase] += now - phases->lap_start;
  phases->lap_start = now;
}

void hg_phases_share(hg_phases *phases, const double seconds[HG_PHASE_COUNT], hg_phase phase)
{
  double now = hg_now_s(), lap = now - phases->lap_start, sum = 0;
  for (int k = 0; k < HG_PHASE_COUNT; k++) sum += seconds[k];
  if (sum <= 0) phases->seconds[phase] += lap;
  for (int k = 0; sum > 0 && k < HG_PHASE_COUNT; k++) phases->seconds[k] += lap * seconds[k] / sum;
  phases->lap_start = now;
}
