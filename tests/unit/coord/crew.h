#pragma once
#include "runtime/coord/coordinator.h"
#include "runtime/coord/worker.h"

enum { CREW_MAX = 8, CREW_EPOCHS = 4096 };

/** One coordinator and its workers, which are threads of the test. */
typedef struct crew crew;

/** A worker and what it saw; asserted on by the test's own thread. */
typedef struct {
  crew *of;
  int rank;
  hg_worker *worker;
  hg_status status;
  char text[512];
  int n_plans;
  hg_plan plans[CREW_EPOCHS];
  double seconds; ///< of the coordinator on the critical path
} crew_member;

/** What a worker does in an epoch; anything but HG_OK ends its loop, and is its BYE. */
typedef hg_status crew_epoch(crew_member *member, const hg_plan *plan, hg_report *report);

struct crew {
  hg_config config;
  hg_coordinator_options options;
  hg_coordinator *coordinator;
  char address[HG_ADDRESS_SIZE];
  crew_epoch *epoch; ///< NULL: loss 1 / epoch, no evaluation
  crew_member members[CREW_MAX];
};

/** A crew with epochs of constant rate, a time-out of `timeout_s`, on the heap: crew_free it. Nothing is started. */
crew *crew_new(int ranks, int epochs, double timeout_s);
void crew_free(crew *c);

/** hg_coordinator_start; fails the test. */
void crew_start(crew *c);

/** Runs workers first..end-1 as threads from connect to BYE. */
void crew_run(crew *c, int first, int end);

/** hg_coordinator_stop: expects HG_OK when `expected` is NULL, else HG_ERR_IO with that text. */
void crew_stop(crew *c, const char *expected);

/** Expects that the member ended with `status` and a text that has `part`. */
void crew_expect(const crew *c, int rank, hg_status status, const char *part);
