#pragma once
/* Private to comm/ and its tests: the only header that shows MPI. */
#include <mpi.h>

#include "comm/world.h"

/** The communicator of this run; owned by the world. */
MPI_Comm hg_world_comm(const hg_world *world);

/** That of the ranks of this rank's host, in the world's order; null in a world of some ranks. Owned by the world. */
MPI_Comm hg_world_host_comm(const hg_world *world);

/** The same of this rank's machine, on which more hosts may be pretended to be. */
MPI_Comm hg_world_machine_comm(const hg_world *world);

#ifdef HALOGNN_FLOAT64
#  define HG_MPI_REAL MPI_DOUBLE
#else
#  define HG_MPI_REAL MPI_FLOAT
#endif
