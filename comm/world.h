#pragma once
#include "core/base/types.h"

/**
 * The ranks of this run. Owns a private duplicate of the communicator, so that our messages never meet the caller's.
 */
typedef struct hg_world hg_world;

/**
 * Starts MPI (MPI_THREAD_FUNNELED); one rank needs no mpirun. Collective; once per process. `*world` is NULL on
 * failure. Installs an error handler that names rank, phase and cause and ends the job, so MPI calls are not checked
 * one by one.
 */
hg_status hg_world_open(hg_world **world, int *argc, char ***argv);
/** Whether mpirun or srun has started this process; asks the environment, so before hg_world_open too. */
bool hg_world_launched(void);

/**
 * NULL stands for this process alone, without MPI: rank 0 of 1. So it does for hg_agree, hg_world_same, sums of doubles
 * and exchanges on links without peers.
 */
int hg_world_rank(const hg_world *world);
int hg_world_size(const hg_world *world);

/**
 * Sets this rank's threads: `asked`, or for 0 OMP_NUM_THREADS, or its processors divided by the ranks of its host that
 * may run on the same ones. So ranks that the launcher has bound apart use all of their processors, and unbound ones do
 * not get in each other's way. The threads of a rank whose processors no other rank has are pinned (hg_threads_pin).
 * Where there are more threads than processors, rank 0 warns once. Collective.
 */
void hg_world_set_threads(const hg_world *world, int asked);

/** Whether all ranks run on one host. Found once, at open. */
bool hg_world_one_host(const hg_world *world);

/** Hosts, when each has as many ranks and they are numbered host by host; else 0. */
int hg_world_hosts(const hg_world *world);

/**
 * How many hosts there are, and which of them a rank is on, 0 and up by their first ranks. Where the environment
 * variable HALOGNN_HOSTS is h, rank r of P counts as on host r h / P of its machine, for trying on one machine what is
 * made for several; hg_world_one_host still tells of machines. Of a world of some ranks the hosts of the whole one.
 */
int hg_world_n_hosts(const hg_world *world);
int hg_world_host_of(const hg_world *world, int rank);

/**
 * From now on ranks of one machine count as on different hosts where they give different groups, from 0; what
 * HALOGNN_HOSTS does at open. Before anything asks for hosts. Collective. HG_ERR_MEMORY.
 */
hg_status hg_world_group_hosts(hg_world *world, int group);

/**
 * Names what this rank does from now on, for the messages of hg_world_abort and of MPI errors. Copied. Not
 * collective.
 */
void hg_world_phase(hg_world *world, const char *phase);

/**
 * Makes every rank's outcome everybody's outcome. Collective; `phase` is the same on all ranks (checked in debug
 * builds). When at least one `rc` is not HG_OK, all ranks return the worst code and hold its rank's message ("rank 2,
 * loading parts: ..."); the lowest rank's among equals. HG_STOPPED is worse than HG_OK, better than any error, and no
 * failure. Call it at the end of each phase in which a rank can fail alone, before the next collective call. After a
 * failure it returns `rc` as it is and does nothing, so that cleanup needs no care.
 */
hg_status hg_agree(hg_world *world, hg_status rc, const char *phase);

/** HG_TRY for a step that each rank does alone inside a collective function: all ranks leave, or none. */
#define HG_TRY_ALL(world, phase, call)                                 \
  do {                                                                 \
    if ((rc = hg_agree((world), (call), (phase))) != HG_OK) goto done; \
  } while (0)

/**
 * Checks that `value` is the same on all ranks: HG_ERR_INTERNAL on all with the smallest and the largest otherwise.
 * Collective.
 */
hg_status hg_world_same(hg_world *world, int64_t value, const char *what);

/** Ends the job now from one rank that cannot reach an agreement (hot loop, callback). Does not return. */
_Noreturn void hg_world_abort(hg_world *world, hg_status rc);

/**
 * A world of this rank alone, inside a running one: what a rank does there concerns no other. For comparing P ranks
 * with one. Not collective. Borrows MPI from `world`, which must be closed after it.
 */
hg_status hg_world_self_create(hg_world **self, const hg_world *world);
void hg_world_self_free(hg_world **self);

/**
 * Splits the ranks into worlds of those that give the same `group`, ordered by `place` in it; both from 0. What is sent
 * in one concerns the others not at all, but they agree together: hg_agree and hg_world_same of such a world end in an
 * agreement of all ranks of `world`, in its numbering. So all worlds of a split go through the same collective calls in
 * the same order, and none is left behind when a rank of another one fails. Collective. `world` is borrowed.
 */
hg_status hg_world_split(hg_world **some, hg_world *world, int group, int place);
/** Collective among its ranks. */
void hg_world_split_free(hg_world **some);

/** The first line of what the MPI library calls itself. Static text. */
const char *hg_world_mpi_version(void);

/**
 * Ends the run in step: agrees on `rc` a last time, prints the agreed message once (rank 0) and empties the error
 * text, so that main does not print it again; ends MPI.
 * Collective. `*world` may be NULL (then `rc` and its message stay as they are); it is NULL afterwards.
 * @return   the agreed status, for hg_exit_status
 */
hg_status hg_world_close(hg_world **world, hg_status rc);
