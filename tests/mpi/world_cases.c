#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "comm/reduce.h"
#include "comm/world_mpi.h"
#include "tests/support/mpi_case.h"

static void ranks_are_numbered(hg_world *world)
{
  int rank = hg_world_rank(world), size = hg_world_size(world);
  double sum = rank;
  hg_sum_doubles(world, &sum, 1);
  check(rank >= 0 && rank < size && sum == size * (size - 1) / 2, "rank %d of %d, sum %g", rank, size, sum);
  check(hg_world_one_host(world), "mpirun on one machine was not seen as one host");
  check(hg_world_hosts(world) == 1, "found %d hosts on one machine", hg_world_hosts(world));
}

static void agreement_on_success_changes_nothing(hg_world *world)
{
  for (int k = 0; k < 100; k++) check_ok(hg_agree(world, HG_OK, "nothing"));
}

static void failure_of_one_rank_is_everybodys(hg_world *world)
{
  int rank = hg_world_rank(world), last = hg_world_size(world) - 1;
  hg_status mine = rank == last ? hg_fail(HG_ERR_INPUT, "x.hg: line 3 is bad") : HG_OK;
  hg_status rc = hg_agree(world, mine, "loading parts");
  check(rc == HG_ERR_INPUT, "status %d", (int)rc);
  check(strstr(hg_error_text(), "x.hg: line 3 is bad") != NULL, "%s", hg_error_text());
  if (last > 0) check(strstr(hg_error_text(), "loading parts: ") != NULL, "%s", hg_error_text());
  check(hg_agree(world, HG_OK, "cleanup") == HG_OK, "after a failure an agreement gives back what it gets");
  if (rank == 0) check(hg_agree(world, HG_ERR_IO, "cleanup of one rank") == HG_ERR_IO, "alone, and without waiting");
}

static void worst_code_wins(hg_world *world)
{
  static const hg_status codes[] = {HG_OK, HG_STOPPED, HG_ERR_MEMORY, HG_ERR_INPUT};
  int rank = hg_world_rank(world);
  hg_status rc = hg_agree(world, hg_fail(codes[rank % 4], "cause of rank %d", rank), "phase");
  check(rc == HG_ERR_MEMORY, "status %d", (int)rc);
  check(strcmp(hg_error_text(), "rank 2, phase: cause of rank 2") == 0, "%s", hg_error_text());
}

static void stop_is_no_failure(hg_world *world)
{
  for (int k = 0; k < 2; k++) {
    hg_status mine = hg_world_rank(world) == 0 ? hg_fail(HG_STOPPED, "stopped by signal 15") : HG_OK;
    check(hg_agree(world, mine, "epoch 3") == HG_STOPPED, "attempt %d", k);
    check(strcmp(hg_error_text(), "stopped by signal 15") == 0, "%s", hg_error_text());
  }
  int last = hg_world_size(world) - 1;
  hg_status mine = hg_world_rank(world) == last ? hg_fail(HG_ERR_IO, "disk full") : hg_fail(HG_STOPPED, "stopped");
  check(hg_agree(world, mine, "checkpoint") == HG_ERR_IO, "an error is worse than a stop: %s", hg_error_text());
}

static void same_finds_a_difference(hg_world *world)
{
  static const int64_t values[] = {0, -1, INT64_MAX, INT64_MIN};
  for (int k = 0; k < 4; k++) check_ok(hg_world_same(world, values[k], "value"));
  int rank = hg_world_rank(world), size = hg_world_size(world);
  hg_status rc = hg_world_same(world, 10 + rank, "width");
  check(rc == (size > 1 ? HG_ERR_INTERNAL : HG_OK), "status %d", (int)rc);
  if (size == 2)
    check(strcmp(hg_error_text(), "width differs between ranks: from 10 to 11") == 0, "%s", hg_error_text());
}

static void phases_that_differ_are_found(hg_world *world)
{
#ifdef NDEBUG
  (void)world; // release builds do not look
#else
  hg_status rc = hg_agree(world, HG_OK, hg_world_rank(world) == 1 ? "loading" : "training");
  check(rc == HG_ERR_INTERNAL, "status %d", (int)rc);
  check(strstr(hg_error_text(), "the phase at an agreement differs between ranks") != NULL, "%s", hg_error_text());
#endif
}

const mpi_case world_cases[] = {
    {"world/ranks_are_numbered", ranks_are_numbered, "1 2 3 4 7"},
    {"world/agreement_on_success_changes_nothing", agreement_on_success_changes_nothing, "1 2 7"},
    {"world/failure_of_one_rank_is_everybodys", failure_of_one_rank_is_everybodys, "1 2 3 7"},
    {"world/worst_code_wins", worst_code_wins, "3 4 7"},
    {"world/stop_is_no_failure", stop_is_no_failure, "2 3"},
    {"world/same_finds_a_difference", same_finds_a_difference, "1 2 3"},
    {"world/phases_that_differ_are_found", phases_that_differ_are_found, "2 3"},
    {0},
};

static hg_status input_error_on_one_rank(hg_world *world)
{
  bool bad = hg_world_rank(world) == hg_world_size(world) - 1;
  return hg_agree(world, bad ? hg_fail(HG_ERR_INPUT, "p.hg: checksum differs") : HG_OK, "loading parts");
}

static hg_status error_at_the_very_end(hg_world *world)
{
  return hg_world_rank(world) == 1 ? hg_fail(HG_ERR_IO, "summary.json: disk full") : HG_OK;
}

static hg_status stop_keeps_its_status(hg_world *world)
{
  return hg_agree(world, hg_fail(HG_STOPPED, "stopped"), "epoch 7");
}

static hg_status abort_from_one_rank(hg_world *world)
{
  hg_world_phase(world, "layer 2");
  if (hg_world_rank(world) == 1) hg_world_abort(world, hg_fail(HG_ERR_INPUT, "a NaN in the features"));
  hg_barrier(world);
  return HG_OK;
}

static hg_status mpi_error_on_one_rank(hg_world *world)
{
  hg_status rc = hg_agree(world, HG_OK, "allocating");
  if (hg_world_rank(world) == 1) MPI_Send(NULL, 0, MPI_INT, 99, 1, hg_world_comm(world));
  hg_barrier(world);
  return rc;
}

static hg_status killed_rank(hg_world *world)
{
  if (hg_world_rank(world) == 1) raise(SIGKILL);
  hg_barrier(world);
  return HG_OK;
}

const mpi_death world_deaths[] = {
    {"death/input_error_on_one_rank", input_error_on_one_rank, "2", 2, 20,
     "rank 1, loading parts: p.hg: checksum differs"},
    {"death/input_error_on_one_rank", input_error_on_one_rank, "1 4 7", 2, 20, "p.hg: checksum differs"},
    {"death/error_at_the_very_end", error_at_the_very_end, "3", 1, 20, "summary.json: disk full"},
    {"death/stop_keeps_its_status", stop_keeps_its_status, "1 3", 75, 20, ""},
    {"death/abort_from_one_rank", abort_from_one_rank, "2 3", 2, 20, "rank 1, layer 2: a NaN in the features"},
    {"death/mpi_error_on_one_rank", mpi_error_on_one_rank, "2", 1, 20,
     "rank 1, after allocating: MPI failed: MPI_ERR_RANK"},
    {"death/killed_rank", killed_rank, "2 4", 137, 20, ""},
    {0},
};
