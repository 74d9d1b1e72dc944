#include <math.h>
#include <stdio.h>
#include <unistd.h>

#include "core/base/timer.h"
#include "runtime/coord/coordinator_state.h"

enum { BATCH = 256 }; // messages between two looks at deadlines

/** "2, 5, 7" of the ranks that are here or not, without those that left. */
static void list_ranks(const hg_coordinator *c, bool here, char *list, size_t size)
{
  size_t used = 0;
  list[0] = '\0';
  for (int r = 0; r < c->ranks && used < size; r++)
    if (here ? hg_peer_is_served(&c->peers[r]) : !c->peers[r].here)
      used += (size_t)snprintf(list + used, size - used, "%s%d", used ? ", " : "", r);
}

static double next_deadline(const hg_coordinator *c)
{
  double ends = fmin(c->hello_deadline, fmin(c->stop_deadline, c->abandon_deadline));
  return fmin(ends, hg_coordinator_lost_deadline(c));
}

// nothing of it stays behind in the file system: the process ends
static void abandon(hg_coordinator *c)
{
  c->abandon_deadline = (double)INFINITY;
  hg_place_remove(&c->place);
  if (c->address_file[0]) unlink(c->address_file);
  c->abandon(c->failure);
}

static void check_deadlines(hg_coordinator *c)
{
  double now = hg_now_s(), timeout = c->config->coordinator.timeout_seconds;
  char list[HG_ERROR_SIZE / 2];
  hg_coordinator_give_up_lost(c, now);
  if (now >= c->hello_deadline) {
    list_ranks(c, false, list, sizeof list);
    hg_coordinator_fail(c, "rank %s did not say HELLO within %g s of the first", list, timeout);
  }
  if (now >= c->stop_deadline) {
    list_ranks(c, true, list, sizeof list);
    hg_coordinator_fail(c, "rank %s did not say BYE within %g s of the end", list, timeout);
  }
  if (now >= c->abandon_deadline) abandon(c);
}

static void begin_stop(hg_coordinator *c)
{
  uint64_t count;
  if (read(c->wake, &count, sizeof count) != (ssize_t)sizeof count) return;
  c->stop_deadline = hg_now_s() + c->config->coordinator.timeout_seconds;
  c->hello_deadline = c->abandon_deadline = (double)INFINITY;
  if (c->n_here < c->ranks) hg_coordinator_tell_all(c, "the coordinator ended before all ranks were there");
}

static bool is_finished(const hg_coordinator *c)
{
  if (isinf(c->stop_deadline)) return false;
  if (hg_now_s() >= c->stop_deadline) return true;
  for (int r = 0; r < c->ranks; r++)
    if (hg_peer_is_served(&c->peers[r])) return false;
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
  hg_coordinator_tell_all(c, "the coordinator has ended");
}
