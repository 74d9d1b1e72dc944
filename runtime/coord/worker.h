#pragma once
#include "runtime/coord/protocol.h"

/** A worker's side: a ZeroMQ DEALER. All calls time out (HG_ERR_IO) rather than hang. Not collective. */
typedef struct hg_worker hg_worker;

/** Connects, says HELLO and waits for READY. */
hg_status hg_worker_connect(hg_worker **worker, const char *address, int rank, int ranks, double timeout_s);

/** The next epoch's plan: at once when it has arrived already. */
hg_status hg_worker_next_plan(hg_worker *worker, hg_plan *plan);

hg_status hg_worker_report(hg_worker *worker, const hg_report *report);

/** values[0..n) becomes the sum over workers, added in rank order in double by the coordinator: bitwise repeatable. */
hg_status hg_worker_sum(hg_worker *worker, hg_real *values, hg_off n);

/** Seconds that this worker has spent in next_plan and report: the coordinator's cost on the critical path. */
double hg_worker_seconds(const hg_worker *worker);

/** Says BYE with `status`, closes. */
void hg_worker_bye(hg_worker **worker, hg_status status);
