#pragma once
#include <pthread.h>

#include "runtime/coord/coordinator.h"
#include "runtime/coord/place.h"
#include "runtime/coord/wire.h"
#include "runtime/coord/worker.h"

/** What the coordinator knows of a rank. */
typedef struct {
  bool here, bye, gone; ///< said HELLO; said BYE; its connection ended without one
  hg_identity id;
  int fd;                             ///< of its connection, -1 when that ended
  double lost_s;                      ///< when that was noticed: a BYE may still lie in the queue
  int reported;                       ///< last epoch
  double losses[2];                   ///< of epochs, by epoch % 2
  zmq_msg_t sums[HG_WORKER_SUMS_MAX]; ///< ring of gradients that wait for those of other ranks
  int first_sum, n_sums;
} hg_peer;

/** All of it belongs to the thread from its start to its end. */
struct hg_coordinator {
  const hg_config *config;
  int ranks;
  hg_schedule_state state;
  char address_file[HG_PATH_MAX];
  hg_place place;
  hg_wire wire;
  pthread_t thread;
  int wake; ///< eventfd: hg_coordinator_stop was called
  hg_peer *peers;
  int n_here, strangers;
  int planned;                          ///< last epoch whose plan was sent
  bool stop_planned;                    ///< that was a stop
  int arrived[2];                       ///< reports of epochs, by epoch % 2
  hg_report reports[2];                 ///< rank 0's, by epoch % 2
  double hello_deadline, stop_deadline; ///< INFINITY: not now
  double abandon_deadline;              ///< a worker is gone: when nobody waits any longer; INFINITY: not now
  void (*abandon)(const char *why);
  hg_real *sum;
  hg_off sum_capacity;
  hg_status status; ///< of the run
  char failure[HG_ERROR_SIZE];
};

/* coordinator_loop.c */

/** The thread: serves until it is woken and all workers have left, or the time is up. */
void hg_coordinator_serve(hg_coordinator *c);

/* coordinator_take.c */

/** What a worker's message does. */
void hg_coordinator_take(hg_coordinator *c, hg_frames *frames);

/* coordinator_peers.c */

/** Whether it said HELLO, and neither said BYE nor was lost. */
bool hg_peer_is_served(const hg_peer *peer);

/** Sends to a worker that has not left; one that cannot be reached is lost. */
void hg_coordinator_send(hg_coordinator *c, int rank, const hg_message *message, const void *data, size_t bytes);

/** An ERROR to every worker that has not left. */
void hg_coordinator_tell_all(hg_coordinator *c, const char *text);

/** Ends the run: remembers the first failure and tells every worker that is there. */
void hg_coordinator_fail(hg_coordinator *c, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/** Takes the ends of connections. Before a HELLO, too: its connection may have the number of one that has ended. */
void hg_coordinator_look_for_lost(hg_coordinator *c);

/** Ends the run when a lost worker's BYE has not come after a moment of grace. */
void hg_coordinator_give_up_lost(hg_coordinator *c, double now);

/** When the next of these moments ends; INFINITY when nobody is lost. */
double hg_coordinator_lost_deadline(const hg_coordinator *c);
