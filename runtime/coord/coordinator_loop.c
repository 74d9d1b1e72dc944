#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "core/base/timer.h"
#include "runtime/coord/coordinator_state.h"

enum { BATCH = 256 };               // messages between two looks at deadlines
static const double grace_s = 0.25; // for a BYE that is still in the queue when its connection has ended

static bool is_served(const hg_peer *peer) { return peer->here && !peer->bye && !peer->gone; }

void hg_coordinator_send(hg_coordinator *c, int rank, const hg_message *message, const void *data, size_t bytes)
{
  hg_peer *peer = &c->peers[rank];
  if (!is_served(peer) || hg_wire_send(&c->wire, &peer->id, message, data, bytes) == HG_OK) return;
  if (isinf(peer->lost_s)) peer->lost_s = hg_now_s();
}

static void tell_all(hg_coordinator *c, const char *text)
{
  hg_message message = {.kind = HG_MSG_ERROR};
  snprintf(message.text, sizeof message.text, "%s", text);
  for (int r = 0; r < c->ranks; r++) hg_coordinator_send(c, r, &message, NULL, 0);
}

void hg_coordinator_fail(hg_coordinator *c, const char *fmt, ...)
{
  if (c->status != HG_OK) return;
  va_list ap;
  va_start(ap, fmt);
  vsnprintf(c->failure, sizeof c->failure, fmt, ap);
  va_end(ap);
  c->status = HG_ERR_IO;
  c->hello_deadline = (double)INFINITY;
  tell_all(c, c->failure);
}

/** "2, 5, 7" of the ranks that are here or not, without those that left. */
static void list_ranks(const hg_coordinator *c, bool here, char *list, size_t size)
{
  size_t used = 0;
  list[0] = '\0';
  for (int r = 0; r < c->ranks && used < size; r++)
    if (here ? is_served(&c->peers[r]) : !c->peers[r].here)
      used += (size_t)snprintf(list + used, size - used, "%s%d", used ? ", " : "", r);
}

static void find_lost(hg_coordinator *c, int fd)
{
  for (int r = 0; r < c->ranks; r++) {
    hg_peer *peer = &c->peers[r];
    if (peer->fd != fd) continue;
    peer->fd = -1;
    if (isinf(peer->lost_s)) peer->lost_s = hg_now_s();
  }
}

void hg_coordinator_look_for_lost(hg_coordinator *c)
{
  int fd;
  while (hg_wire_lost(&c->wire, &fd))
    if (fd >= 0) find_lost(c, fd);
}

static void give_up_lost(hg_coordinator *c, double now)
{
  for (int r = 0; r < c->ranks; r++) {
    hg_peer *peer = &c->peers[r];
    if (!is_served(peer) || now < peer->lost_s + grace_s) continue;
    peer->gone = true;
    hg_coordinator_fail(c, "rank %d is gone after epoch %d: it died, or was silent for %g s", r, peer->reported,
                        c->config->coordinator.timeout_seconds);
  }
}

static double next_deadline(const hg_coordinator *c)
{
  double next = fmin(c->hello_deadline, c->stop_deadline);
  for (int r = 0; r < c->ranks; r++)
    if (is_served(&c->peers[r])) next = fmin(next, c->peers[r].lost_s + grace_s);
  return next;
}

static void check_deadlines(hg_coordinator *c)
{
  double now = hg_now_s(), timeout = c->config->coordinator.timeout_seconds;
  char list[HG_ERROR_SIZE / 2];
  give_up_lost(c, now);
  if (now >= c->hello_deadline) {
    list_ranks(c, false, list, sizeof list);
    hg_coordinator_fail(c, "rank %s did not say HELLO within %g s of the first", list, timeout);
  }
  if (now >= c->stop_deadline) {
    list_ranks(c, true, list, sizeof list);
    hg_coordinator_fail(c, "rank %s did not say BYE within %g s of the end", list, timeout);
  }
}

static void begin_stop(hg_coordinator *c)
{
  uint64_t count;
  if (read(c->wake, &count, sizeof count) != (ssize_t)sizeof count) return;
  c->stop_deadline = hg_now_s() + c->config->coordinator.timeout_seconds;
  c->hello_deadline = (double)INFINITY;
  if (c->n_here < c->ranks) tell_all(c, "the coordinator ended before all ranks were there");
}

static bool is_finished(const hg_coordinator *c)
{
  if (isinf(c->stop_deadline)) return false;
  if (hg_now_s() >= c->stop_deadline) return true;
  for (int r = 0; r < c->ranks; r++)
    if (is_served(&c->peers[r])) return false;
  return true;
}

static void take_messages(hg_coordinator *c)
{
  hg_frames frames;
  for (int k = 0; k < BATCH && hg_wire_receive(&c->wire, &frames); k++) {
    hg_coordinator_take(c, &frames);
    hg_frames_close(&frames);
  }
}

void hg_coordinator_serve(hg_coordinator *c)
{
  zmq_pollitem_t items[] = {{.socket = c->wire.socket, .events = ZMQ_POLLIN},
                            {.socket = c->wire.monitor, .events = ZMQ_POLLIN},
                            {.fd = c->wake, .events = ZMQ_POLLIN}};
  while (!is_finished(c)) {
    hg_wire_poll(items, sizeof items / sizeof *items, next_deadline(c));
    take_messages(c);
    hg_coordinator_look_for_lost(c);
    begin_stop(c);
    check_deadlines(c);
  }
  tell_all(c, "the coordinator has ended");
}
