#pragma once
#include "runtime/coord/schedule.h"

/** The coordinator: a thread (of rank 0) with a ZeroMQ ROUTER that sends plans and takes reports. */
typedef struct hg_coordinator hg_coordinator;

typedef struct {
  const hg_config *config;     ///< borrowed for the coordinator's life
  int ranks;
  int first_epoch;             ///< 1, or one past the checkpoint's
  hg_schedule_state state;     ///< zeroed, or the checkpoint's
  const char *address_file;    ///< where the address is written with mode 0600, or NULL
  bool one_host;               ///< AUTO: ipc when true, tcp otherwise
} hg_coordinator_options;

/** Binds, starts the thread. `address` (at least 256 bytes) receives what workers connect to. Not collective. */
hg_status hg_coordinator_start(hg_coordinator **coordinator, const hg_coordinator_options *options, char *address, size_t size);

/**
 * Waits until every worker said BYE (or the time-out), stops the thread, removes sockets and the address file.
 * @return   what went wrong in the thread, when something did (silent worker: names its rank)
 */
hg_status hg_coordinator_stop(hg_coordinator **coordinator);
