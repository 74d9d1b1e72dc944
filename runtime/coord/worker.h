#pragma once
#include "runtime/coord/protocol.h"

/**
 * A worker's side: a ZeroMQ DEALER, without a thread of ours. Not collective. One thread at a time.
 *
 * Connecting times out. The other calls wait as long as the other ranks compute, but not for a coordinator that is
 * gone: its death or the failure of another rank ends them with HG_ERR_IO at once, and a frozen or unreachable one
 * after timeout_s (ZeroMQ heartbeats). After a failure every call returns it again.
 */
typedef struct hg_worker hg_worker;

/** Gradients that may be under way between hg_worker_sum_begin and hg_worker_sum_end. */
enum { HG_WORKER_SUMS_MAX = 64 };

/**
 * Connects, says HELLO and waits for READY, which comes when all `ranks` workers are there.
 * @param address   from hg_coordinator_start
 * @return          HG_ERR_INPUT for an address of another form; HG_ERR_IO after timeout_s, or when the coordinator
 *   refuses
 */
hg_status hg_worker_connect(hg_worker **worker, const char *address, int rank, int ranks, double timeout_s);

/** The next epoch's plan: at once when it has arrived already. After a stop plan: that one again. */
hg_status hg_worker_next_plan(hg_worker *worker, hg_plan *plan);

/** Sends the report of an epoch; does not wait for an answer. */
hg_status hg_worker_report(hg_worker *worker, const hg_report *report);

/** values[0..n) becomes the sum over workers, added in rank order in double by the coordinator: bitwise repeatable. */
hg_status hg_worker_sum(hg_worker *worker, hg_real *values, hg_off n);

/**
 * The same in two steps, so that the sum of a layer travels while the next one is computed; all workers in the same
 * order.
 */
hg_status hg_worker_sum_begin(hg_worker *worker, const hg_real *values, hg_off n);

/**
 * Waits for the oldest sum begun and writes it to values[0..n). HG_ERR_INTERNAL when none is under way, or one of
 * another length.
 */
hg_status hg_worker_sum_end(hg_worker *worker, hg_real *values, hg_off n);

/** Seconds that this worker has spent in next_plan and report: the coordinator's cost on the critical path. */
double hg_worker_seconds(const hg_worker *worker);

/**
 * Says BYE with `status`, closes. HG_OK and HG_STOPPED are no failures; any other ends the run of all. Accepts NULL.
 */
void hg_worker_bye(hg_worker **worker, hg_status status);
