#pragma once
#include "runtime/coord/schedule.h"

/**
 * The coordinator: a thread (of rank 0) with a ZeroMQ ROUTER that sends plans and takes reports.
 *
 * Plans of first_epoch and first_epoch + 1 go out when all workers are there; the plan of epoch t + 1 goes out when all
 * reports of epoch t - 1 are in, that is while epoch t runs. So nobody waits unless a worker is a whole epoch ahead of
 * another.
 *
 * Time-outs (coordinator.timeout_seconds). They bound what should be quick: the time from the first HELLO to the last,
 * and the time that hg_coordinator_stop waits for BYE. An epoch may take as long as it takes: reports and gradients are
 * awaited for as long as the worker's connection lives. ZeroMQ's heartbeats, answered by its own thread in each
 * process, end the connection of a process that is frozen or cut off for timeout_seconds; one that dies is noticed at
 * once. The run then fails: the other workers get HG_ERR_IO with a message that names the rank, and so does
 * hg_coordinator_stop. They may be waiting in MPI for the lost worker, where no message reaches them: when this process
 * does not call hg_coordinator_stop within seconds, `abandon` is called.
 *
 * Trust. An ipc socket lies in a folder of mode 0700; over tcp as well, the address ends with a random token that HELLO
 * must repeat. What strangers send is logged (ten times at most) and ignored.
 */
typedef struct hg_coordinator hg_coordinator;

enum { HG_ADDRESS_SIZE = 256 };

typedef struct {
  const hg_config *config; ///< borrowed for the coordinator's life
  int ranks;
  int first_epoch;                  ///< 1, or one past the checkpoint's
  hg_schedule_state state;          ///< zeroed, or the checkpoint's
  const char *address_file;         ///< where the address is written with mode 0600, or NULL
  bool one_host;                    ///< AUTO: ipc when true, tcp otherwise
  void (*abandon)(const char *why); ///< ends the job, or NULL; by the coordinator's thread, so without MPI
} hg_coordinator_options;

/**
 * Binds, writes the address file {"version": 1, "address": ...}, starts the thread. Not collective.
 * tcp listens at the first IPv4 address that is up and not loopback, or at the interface that HALOGNN_INTERFACE names.
 * @param address   [size >= HG_ADDRESS_SIZE], what workers connect to: "ipc://...#token" or "tcp://host:port#token"
 * @return          HG_ERR_INPUT for an unknown interface or ipc over several hosts, HG_ERR_IO
 */
hg_status hg_coordinator_start(hg_coordinator **coordinator, const hg_coordinator_options *options, char *address,
                               size_t size);

/**
 * Waits until every worker that is there said BYE (or the time-out), stops the thread, removes socket, folder and
 * address file. Accepts NULL. Call it also after a failure of this rank, after hg_worker_bye.
 * @return   what went wrong in the thread, when something did (a worker that is gone: names its rank)
 */
hg_status hg_coordinator_stop(hg_coordinator **coordinator);
