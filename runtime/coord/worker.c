#include "runtime/coord/worker.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "core/base/alloc.h"
#include "core/base/timer.h"
#include "runtime/coord/wire.h"

enum { PLANS_MAX = 4 }; // the coordinator is two epochs ahead at most

struct hg_worker {
  hg_wire wire;
  int rank;
  double timeout_s, seconds;
  bool lost; ///< the connection has ended; messages may still lie in the queue
  hg_plan plans[PLANS_MAX];
  int first_plan, n_plans;
  hg_off sums[HG_WORKER_SUMS_MAX]; ///< lengths of the sums under way
  int first_sum, n_sums;
  hg_status status; ///< of the first failure
  char failure[HG_ERROR_SIZE + 64];
};

/** Remembers this thread's message as the worker's failure. */
static hg_status keep_failure(hg_worker *worker, hg_status rc)
{
  if (rc == HG_OK || worker->status != HG_OK) return rc;
  worker->status = rc;
  snprintf(worker->failure, sizeof worker->failure, "%s", hg_error_text());
  return rc;
}

static hg_status earlier_failure(const hg_worker *worker)
{
  return worker->status == HG_OK ? HG_OK : hg_fail(worker->status, "%s", worker->failure);
}

/** Waits for the next message. */
static hg_status receive(hg_worker *worker, hg_frames *frames, double deadline)
{
  zmq_pollitem_t items[] = {{.socket = worker->wire.socket, .events = ZMQ_POLLIN},
                            {.socket = worker->wire.monitor, .events = ZMQ_POLLIN}};
  const double grace_s = 0.1; // for what arrived just before the end
  int fd;
  while (!hg_wire_receive(&worker->wire, frames)) {
    if (worker->lost)
      return hg_fail(HG_ERR_IO, "the coordinator is gone: it ended, or was silent for %g s", worker->timeout_s);
    if (hg_now_s() >= deadline)
      return hg_fail(HG_ERR_IO, "no answer from the coordinator within %g s", worker->timeout_s);
    hg_wire_poll(items, 2, deadline);
    if (!hg_wire_lost(&worker->wire, &fd)) continue;
    worker->lost = true;
    hg_wire_poll(items, 1, fmin(deadline, hg_now_s() + grace_s));
  }
  return HG_OK;
}

/** Waits for a message of `kind`; plans that come first are kept. The caller closes the frames on HG_OK. */
static hg_status receive_kind(hg_worker *worker, hg_message_kind kind, hg_message *message, hg_frames *frames,
                              double deadline)
{
  for (;;) {
    hg_status rc = receive(worker, frames, deadline);
    if (rc != HG_OK) return rc;
    rc = hg_frames_decode(frames, message);
    if (rc == HG_OK && message->kind == kind) return HG_OK;
    hg_frames_close(frames);
    if (rc != HG_OK) return hg_context(rc, "the coordinator sent a bad message");
    if (message->kind == HG_MSG_ERROR) return hg_fail(HG_ERR_IO, "%s", message->text);
    if (message->kind != HG_MSG_PLAN || worker->n_plans == PLANS_MAX)
      return hg_fail(HG_ERR_INTERNAL, "the coordinator sent a %s message, expected %s", hg_message_name(message->kind),
                     hg_message_name(kind));
    worker->plans[(worker->first_plan + worker->n_plans++) % PLANS_MAX] = message->plan;
  }
}

static hg_status say_hello(hg_worker *worker, const char *token, int ranks)
{
  hg_message message = {.kind = HG_MSG_HELLO, .rank = worker->rank, .ranks = ranks};
  snprintf(message.token, sizeof message.token, "%s", token);
  hg_status rc = hg_wire_send(&worker->wire, NULL, &message, NULL, 0);
  if (rc != HG_OK) return rc;
  // One second more than the coordinator waits for all: so its message, which names the missing rank, comes first.
  hg_frames frames;
  rc = receive_kind(worker, HG_MSG_READY, &message, &frames, hg_now_s() + worker->timeout_s + 1);
  if (rc == HG_OK) hg_frames_close(&frames);
  return rc;
}

hg_status hg_worker_connect(hg_worker **worker, const char *address, int rank, int ranks, double timeout_s)
{
  hg_status rc = HG_OK;
  hg_worker *w = NULL;
  char endpoint[256];
  const char *mark = strrchr(address, '#');
  *worker = NULL;
  if (!mark || (size_t)(mark - address) >= sizeof endpoint || strlen(mark + 1) != HG_TOKEN_SIZE - 1)
    return hg_fail(HG_ERR_INPUT, "found \"%.100s\", expected the coordinator's address ENDPOINT#TOKEN", address);
  snprintf(endpoint, sizeof endpoint, "%.*s", (int)(mark - address), address);
  HG_TRY(HG_ALLOC(w, 1, "worker"));
  w->rank = rank;
  w->timeout_s = timeout_s;
  HG_TRY(hg_wire_open(&w->wire, ZMQ_DEALER, timeout_s, -1));
  if (zmq_connect(w->wire.socket, endpoint) != 0) {
    rc = hg_fail(HG_ERR_INPUT, "%s: cannot connect: %s", endpoint, zmq_strerror(zmq_errno()));
    goto done;
  }
  HG_TRY(say_hello(w, mark + 1, ranks));
  *worker = w;
  return HG_OK;
done:
  if (w) hg_wire_close(&w->wire, 0);
  hg_free(&w);
  return hg_context(rc, "rank %d: coordinator", rank);
}

static hg_status next_plan(hg_worker *worker, hg_plan *plan)
{
  hg_status rc = earlier_failure(worker);
  if (rc != HG_OK) return rc;
  if (worker->n_plans == 0) {
    hg_message message;
    hg_frames frames;
    rc = receive_kind(worker, HG_MSG_PLAN, &message, &frames, (double)INFINITY);
    if (rc != HG_OK) return keep_failure(worker, rc);
    hg_frames_close(&frames);
    worker->plans[worker->first_plan] = message.plan;
    worker->n_plans = 1;
  }
  *plan = worker->plans[worker->first_plan];
  if (plan->stop) return HG_OK; // it stays: there is nothing after it
  worker->first_plan = (worker->first_plan + 1) % PLANS_MAX;
  worker->n_plans--;
  return HG_OK;
}

hg_status hg_worker_next_plan(hg_worker *worker, hg_plan *plan)
{
  double start = hg_now_s();
  hg_status rc = next_plan(worker, plan);
  worker->seconds += hg_now_s() - start;
  return rc;
}

hg_status hg_worker_report(hg_worker *worker, const hg_report *report)
{
  double start = hg_now_s();
  const hg_message message = {.kind = HG_MSG_REPORT, .report = *report};
  hg_status rc = earlier_failure(worker);
  if (rc == HG_OK) rc = keep_failure(worker, hg_wire_send(&worker->wire, NULL, &message, NULL, 0));
  worker->seconds += hg_now_s() - start;
  return rc;
}

hg_status hg_worker_sum_begin(hg_worker *worker, const hg_real *values, hg_off n)
{
  hg_status rc = earlier_failure(worker);
  if (rc != HG_OK) return rc;
  if (n < 0 || worker->n_sums == HG_WORKER_SUMS_MAX)
    return hg_fail(HG_ERR_INTERNAL, "a sum of %" PRId64 " numbers, with %d under way", n, worker->n_sums);
  const hg_message message = {.kind = HG_MSG_GRADIENT, .count = n};
  const void *data = n > 0 ? (const void *)values : ""; // the frame is there even when it is empty
  rc = keep_failure(worker, hg_wire_send(&worker->wire, NULL, &message, data, (size_t)n * sizeof *values));
  if (rc != HG_OK) return rc;
  worker->sums[(worker->first_sum + worker->n_sums++) % HG_WORKER_SUMS_MAX] = n;
  return HG_OK;
}

hg_status hg_worker_sum_end(hg_worker *worker, hg_real *values, hg_off n)
{
  hg_status rc = earlier_failure(worker);
  if (rc != HG_OK) return rc;
  hg_off begun = worker->n_sums > 0 ? worker->sums[worker->first_sum] : -1;
  if (begun != n)
    return hg_fail(HG_ERR_INTERNAL, "the end of a sum of %" PRId64 " numbers, expected %" PRId64, n, begun);
  hg_message message;
  hg_frames frames;
  rc = receive_kind(worker, HG_MSG_SUM, &message, &frames, (double)INFINITY);
  if (rc != HG_OK) return keep_failure(worker, rc);
  if (message.count == n)
    memcpy(values, zmq_msg_data(&frames.data), (size_t)n * sizeof *values);
  else
    rc = keep_failure(
        worker, hg_fail(HG_ERR_INTERNAL, "found a sum of %" PRId64 " numbers, expected %" PRId64, message.count, n));
  hg_frames_close(&frames);
  worker->first_sum = (worker->first_sum + 1) % HG_WORKER_SUMS_MAX;
  worker->n_sums--;
  return rc;
}

hg_status hg_worker_sum(hg_worker *worker, hg_real *values, hg_off n)
{
  hg_status rc = hg_worker_sum_begin(worker, values, n);
  return rc == HG_OK ? hg_worker_sum_end(worker, values, n) : rc;
}

double hg_worker_seconds(const hg_worker *worker) { return worker->seconds; }

void hg_worker_bye(hg_worker **worker, hg_status status)
{
  hg_worker *w = *worker;
  if (!w) return;
  const hg_message message = {.kind = HG_MSG_BYE, .status = status};
  bool said = !w->lost && hg_wire_send(&w->wire, NULL, &message, NULL, 0) == HG_OK;
  hg_wire_close(&w->wire, said ? fmin(1, w->timeout_s) : 0);
  hg_free(worker);
}
