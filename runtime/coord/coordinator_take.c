#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "core/base/alloc.h"
#include "core/base/log.h"
#include "core/base/timer.h"
#include "runtime/coord/coordinator_state.h"

enum { STRANGERS_LOGGED = 10, BLOCK = 2048 };

static void send_plan(hg_coordinator *c, int epoch)
{
  if (c->stop_planned) return;
  hg_message message = {.kind = HG_MSG_PLAN, .plan = hg_schedule_plan(c->config, &c->state, epoch)};
  c->planned = epoch;
  c->stop_planned = message.plan.stop;
  for (int r = 0; r < c->ranks; r++) hg_coordinator_send(c, r, &message, NULL, 0);
}

static void ignore_stranger(hg_coordinator *c, const char *why)
{
  c->strangers++;
  if (c->strangers <= STRANGERS_LOGGED) hg_log(HG_LOG_WARN, "coordinator: ignored a stranger's message: %s", why);
  if (c->strangers == STRANGERS_LOGGED) hg_log(HG_LOG_WARN, "coordinator: further such messages are not logged");
}

static void refuse(hg_coordinator *c, const hg_frames *frames, const char *why)
{
  hg_message message = {.kind = HG_MSG_ERROR};
  snprintf(message.text, sizeof message.text, "%s", why);
  hg_log(HG_LOG_WARN, "coordinator: refused a worker: %s", why);
  if (hg_wire_send(&c->wire, &frames->from, &message, NULL, 0) != HG_OK)
    hg_log(HG_LOG_DEBUG, "coordinator: %s", hg_error_text());
}

static void all_are_here(hg_coordinator *c)
{
  const hg_message ready = {.kind = HG_MSG_READY};
  c->hello_deadline = (double)INFINITY;
  for (int r = 0; r < c->ranks; r++) hg_coordinator_send(c, r, &ready, NULL, 0);
  int first = c->planned + 1;
  send_plan(c, first);
  send_plan(c, first + 1);
}

static void take_hello(hg_coordinator *c, const hg_frames *frames, const hg_message *m)
{
  char why[HG_ERROR_SIZE] = "";
  if (strcmp(m->token, c->place.token) != 0) {
    ignore_stranger(c, "a HELLO without our token");
    return;
  }
  if (c->status != HG_OK)
    snprintf(why, sizeof why, "%s", c->failure);
  else if (!isinf(c->stop_deadline))
    snprintf(why, sizeof why, "the coordinator has ended");
  else if (m->ranks != c->ranks)
    snprintf(why, sizeof why, "rank %d says that there are %d ranks, expected %d", m->rank, m->ranks, c->ranks);
  else if (m->rank >= c->ranks)
    snprintf(why, sizeof why, "found rank %d, expected 0 to %d", m->rank, c->ranks - 1);
  else if (c->peers[m->rank].here)
    snprintf(why, sizeof why, "rank %d has said HELLO before", m->rank);
  if (why[0]) {
    refuse(c, frames, why);
    return;
  }
  hg_coordinator_look_for_lost(c);
  hg_peer *peer = &c->peers[m->rank];
  peer->here = true;
  peer->id = frames->from;
  peer->fd = frames->fd;
  peer->lost_s = (double)INFINITY;
  if (c->n_here++ == 0) c->hello_deadline = hg_now_s() + c->config->coordinator.timeout_seconds;
  if (c->n_here == c->ranks) all_are_here(c);
}

/** Equal, or both NaN: what is reduced over the ranks must be the same bits on all. */
static bool same(double a, double b) { return a == b || (isnan(a) && isnan(b)); }

static void complete_epoch(hg_coordinator *c, int epoch)
{
  int slot = epoch % 2;
  c->arrived[slot] = 0;
  for (int r = 1; r < c->ranks; r++)
    if (!same(c->peers[r].losses[slot], c->peers[0].losses[slot])) {
      hg_coordinator_fail(c, "epoch %d: rank 0 and rank %d report different losses: %.17g and %.17g", epoch, r,
                          c->peers[0].losses[slot], c->peers[r].losses[slot]);
      return;
    }
  hg_schedule_observe(&c->state, c->config, &c->reports[slot]);
  send_plan(c, epoch + 2);
}

static void take_report(hg_coordinator *c, int rank, const hg_report *report)
{
  hg_peer *peer = &c->peers[rank];
  int last = c->stop_planned ? c->planned - 1 : c->planned;
  if (report->epoch != peer->reported + 1 || report->epoch > last) {
    hg_coordinator_fail(c, "rank %d reports epoch %d, expected %d (planned: up to %d)", rank, report->epoch,
                        peer->reported + 1, last);
    return;
  }
  int slot = report->epoch % 2;
  peer->reported = report->epoch;
  peer->losses[slot] = report->train_loss;
  if (rank == 0) c->reports[slot] = *report;
  if (++c->arrived[slot] == c->ranks) complete_epoch(c, report->epoch);
}

/** In rank order, in double; a received frame need not be aligned. */
static void add_in_rank_order(hg_coordinator *c, hg_off n)
{
  double total[BLOCK];
  for (hg_off first = 0; first < n; first += BLOCK) {
    hg_off m = n - first < BLOCK ? n - first : BLOCK;
    memset(total, 0, sizeof total);
    for (int r = 0; r < c->ranks; r++) {
      const char *from = zmq_msg_data(&c->peers[r].sums[c->peers[r].first_sum]);
      for (hg_off i = 0; i < m; i++) {
        hg_real value;
        memcpy(&value, from + (size_t)(first + i) * sizeof value, sizeof value);
        total[i] += (double)value;
      }
    }
    for (hg_off i = 0; i < m; i++) c->sum[first + i] = (hg_real)total[i];
  }
}

static hg_off oldest_count(hg_coordinator *c, int rank)
{
  return (hg_off)(zmq_msg_size(&c->peers[rank].sums[c->peers[rank].first_sum]) / sizeof(hg_real));
}

static void answer_sum(hg_coordinator *c)
{
  hg_off n = oldest_count(c, 0);
  for (int r = 1; r < c->ranks; r++)
    if (oldest_count(c, r) != n) {
      hg_coordinator_fail(c, "rank 0 and rank %d send gradients of %" PRId64 " and %" PRId64 " numbers", r, n,
                          oldest_count(c, r));
      return;
    }
  if (hg_grow(&c->sum, &c->sum_capacity, n > 0 ? n : 1, sizeof *c->sum, "coordinator's sums") != HG_OK) {
    hg_coordinator_fail(c, "%s", hg_error_text());
    return;
  }
  add_in_rank_order(c, n);
  const hg_message message = {.kind = HG_MSG_SUM, .count = n};
  for (int r = 0; r < c->ranks; r++) {
    hg_peer *peer = &c->peers[r];
    zmq_msg_close(&peer->sums[peer->first_sum]);
    peer->first_sum = (peer->first_sum + 1) % HG_WORKER_SUMS_MAX;
    peer->n_sums--;
    hg_coordinator_send(c, r, &message, c->sum, (size_t)n * sizeof *c->sum);
  }
}

static void take_gradient(hg_coordinator *c, int rank, zmq_msg_t *data)
{
  hg_peer *peer = &c->peers[rank];
  if (peer->n_sums == HG_WORKER_SUMS_MAX) {
    hg_coordinator_fail(c, "rank %d sends more than %d gradients before the other ranks send theirs", rank,
                        HG_WORKER_SUMS_MAX);
    return;
  }
  zmq_msg_t *slot = &peer->sums[(peer->first_sum + peer->n_sums) % HG_WORKER_SUMS_MAX];
  zmq_msg_init(slot);
  zmq_msg_move(slot, data);
  peer->n_sums++;
  for (int r = 0; r < c->ranks; r++)
    if (c->peers[r].n_sums == 0) return;
  answer_sum(c);
}

static void take_bye(hg_coordinator *c, int rank, hg_status status)
{
  c->peers[rank].bye = true;
  if (status != HG_OK && status != HG_STOPPED) {
    hg_coordinator_fail(c, "rank %d failed after epoch %d (%s)", rank, c->peers[rank].reported,
                        hg_message_status(status));
    return;
  }
  if (c->stop_planned) return;
  hg_message message = {.kind = HG_MSG_ERROR};
  snprintf(message.text, sizeof message.text, "rank %d left after epoch %d, before the end", rank,
           c->peers[rank].reported);
  for (int r = 0; r < c->ranks; r++) hg_coordinator_send(c, r, &message, NULL, 0);
}

static int find_rank(const hg_coordinator *c, const hg_identity *id)
{
  for (int r = 0; r < c->ranks; r++) {
    const hg_peer *peer = &c->peers[r];
    if (peer->here && peer->id.size == id->size && memcmp(peer->id.bytes, id->bytes, id->size) == 0) return r;
  }
  return -1;
}

void hg_coordinator_take(hg_coordinator *c, hg_frames *frames)
{
  hg_message m;
  hg_status rc = hg_frames_decode(frames, &m);
  int rank = find_rank(c, &frames->from);
  if (rank < 0 && rc == HG_OK && m.kind == HG_MSG_HELLO) {
    take_hello(c, frames, &m);
    return;
  }
  if (rank < 0) {
    ignore_stranger(c, rc == HG_OK ? "it did not begin with HELLO" : hg_error_text());
    return;
  }
  if (c->peers[rank].bye || (c->status != HG_OK && !(rc == HG_OK && m.kind == HG_MSG_BYE))) return;
  if (rc != HG_OK) {
    hg_coordinator_fail(c, "rank %d sent a bad message: %s", rank, hg_error_text());
    return;
  }
  switch (m.kind) {
  case HG_MSG_REPORT:
    take_report(c, rank, &m.report);
    break;
  case HG_MSG_GRADIENT:
    take_gradient(c, rank, &frames->data);
    break;
  case HG_MSG_BYE:
    take_bye(c, rank, m.status);
    break;
  default:
    hg_coordinator_fail(c, "rank %d sent a %s message out of turn", rank, hg_message_name(m.kind));
  }
}
