#pragma once
#include "comm/world.h"

/**
 * A test that runs on every rank of one mpirun and reports with check(). It fails when a check of any rank failed; a
 * failed check does not end it, so that no rank leaves early and none hangs. tests/mpi/NAME_cases.c defines `const
 * mpi_case NAME_cases[]`, ended by {0}, and is listed in mpi_case_main.c.
 */
typedef struct {
  const char *name; ///< "exchange/fills_halo"
  void (*run)(hg_world *world);
  const char
      *ranks; ///< how many ranks, each number its own run: "1 2 3 4 7"; "! 1 3" where an error is agreed on: then
              ///< no other case shares the run, since a world is done with its first failure
} mpi_case;

/** A test of how a run dies: what the rank's `run` returns goes to hg_world_close, whose status ends the process. */
typedef struct {
  const char *name;
  hg_status (*run)(hg_world *world);
  const char *ranks;
  int status;       ///< expected exit status of mpirun
  int seconds;      ///< it must have ended by then
  const char *text; ///< in what is printed, exactly once; "" for none
} mpi_death;

/** Records a failure of this rank with a message and goes on. Returns `ok`. */
bool check_at(bool ok, const char *file, int line, const char *fmt, ...) __attribute__((format(printf, 4, 5)));
#define check(ok, ...) check_at((ok), __FILE__, __LINE__, __VA_ARGS__)

/** check() that `rc` is HG_OK, with hg_error_text(). */
#define check_ok(call) check_at((call) == HG_OK, __FILE__, __LINE__, "%s: %s", #call, hg_error_text())
