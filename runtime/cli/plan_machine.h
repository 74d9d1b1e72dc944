#pragma once
#include "runtime/train/rehearsal.h"

/** How much longer than here a thread takes on another machine. */
typedef struct {
  double products; ///< by multiply-add
  double rest;     ///< by bandwidth
} hg_plan_machine;

/**
 * Compares the machine of a file that `halognn bench machine --json` wrote with this one, which is measured for a
 * moment: of both what they do with all threads, by thread. HG_ERR_INPUT for a file that is none.
 */
hg_status hg_plan_machine_compare(hg_plan_machine *machine, const char *path);
