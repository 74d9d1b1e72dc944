#pragma once
#include "core/base/types.h"

/** The ranks of this run. Owns a private duplicate of the communicator, so that our messages never meet the caller's. */
typedef struct hg_world hg_world;

/** Starts MPI (MPI_THREAD_FUNNELED). Collective. `*world` is NULL on failure. Installs an error handler that names rank, phase and cause. */
hg_status hg_world_open(hg_world **world, int *argc, char ***argv);
int hg_world_rank(const hg_world *world);
int hg_world_size(const hg_world *world);

/** Whether all ranks run on one host. Found once, at open. */
bool hg_world_one_host(const hg_world *world);

/**
 * Makes every rank's outcome everybody's outcome. Collective.
 * When at least one `rc` is not HG_OK, all ranks return the worst code and hold its rank's message ("rank 2, loading parts: ...").
 * Call it at the end of each phase in which a rank can fail alone, before the next collective call. After a failure it does nothing.
 */
hg_status hg_agree(hg_world *world, hg_status rc, const char *phase);

/** HG_TRY for a step that each rank does alone inside a collective function: all ranks leave, or none. */
#define HG_TRY_ALL(world, phase, call)                                 \
  do {                                                                 \
    if ((rc = hg_agree((world), (call), (phase))) != HG_OK) goto done; \
  } while (0)

/** Ends the job now from one rank that cannot reach an agreement (hot loop, callback). Does not return. */
_Noreturn void hg_world_abort(hg_world *world, hg_status rc);

/** Ends the run in step, prints the agreed message once (rank 0), returns the exit status for main. Collective. `*world` may be NULL. */
int hg_world_close(hg_world **world, hg_status rc);
