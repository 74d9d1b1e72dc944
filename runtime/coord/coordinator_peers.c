// Who is here, who is lost, and telling them.
#include <math.h>
#include <stdarg.h>
#include <stdio.h>

#include "core/base/timer.h"
#include "runtime/coord/coordinator_state.h"

static const double grace_s = 0.25; // for a BYE that is still in the queue when its connection has ended
static const double abandon_s = 3;  // for the other ranks to leave by themselves

bool hg_peer_is_served(const hg_peer *peer) { return peer->here && !peer->bye && !peer->gone; }

void hg_coordinator_send(hg_coordinator *c, int rank, const hg_message *message, const void *data, size_t bytes)
{
  hg_peer *peer = &c->peers[rank];
  if (!hg_peer_is_served(peer) || hg_wire_send(&c->wire, &peer->id, message, data, bytes) == HG_OK) return;
  if (isinf(peer->lost_s)) peer->lost_s = hg_now_s();
}

void hg_coordinator_tell_all(hg_coordinator *c, const char *text)
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
  hg_coordinator_tell_all(c, c->failure);
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

void hg_coordinator_give_up_lost(hg_coordinator *c, double now)
{
  for (int r = 0; r < c->ranks; r++) {
    hg_peer *peer = &c->peers[r];
    if (!hg_peer_is_served(peer) || now < peer->lost_s + grace_s) continue;
    peer->gone = true;
    if (isinf(c->stop_deadline) && c->abandon) c->abandon_deadline = fmin(c->abandon_deadline, now + abandon_s);
    hg_coordinator_fail(c, "rank %d is gone after epoch %d: it died, or was silent for %g s", r, peer->reported,
                        c->config->coordinator.timeout_seconds);
  }
}

double hg_coordinator_lost_deadline(const hg_coordinator *c)
{
  double next = (double)INFINITY;
  for (int r = 0; r < c->ranks; r++)
    if (hg_peer_is_served(&c->peers[r])) next = fmin(next, c->peers[r].lost_s + grace_s);
  return next;
}
