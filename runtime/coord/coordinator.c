#include "runtime/coord/coordinator.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "core/base/alloc.h"
#include "core/base/log.h"
#include "runtime/coord/coordinator_state.h"

/** Without gradients only short messages come: a stranger cannot fill our memory. */
static int64_t max_frame_bytes(const hg_config *config)
{
  return config->train.sync == HG_SYNC_COORDINATOR ? (int64_t)1 << 32 : HG_MESSAGE_BYTES;
}

static hg_status listen_for_workers(hg_coordinator *c, bool one_host, char *address, size_t size)
{
  hg_status rc = hg_place_make(&c->place, c->config->coordinator.transport, one_host);
  if (rc == HG_OK)
    rc = hg_wire_open(&c->wire, ZMQ_ROUTER, c->config->coordinator.timeout_seconds, max_frame_bytes(c->config));
  if (rc != HG_OK) return rc;
  char endpoint[sizeof c->place.endpoint];
  size_t length = sizeof endpoint;
  if (zmq_bind(c->wire.socket, c->place.endpoint) != 0 ||
      zmq_getsockopt(c->wire.socket, ZMQ_LAST_ENDPOINT, endpoint, &length) != 0)
    return hg_fail(HG_ERR_IO, "%s: the coordinator cannot listen: %s", c->place.endpoint, zmq_strerror(zmq_errno()));
  if ((size_t)snprintf(address, size, "%s#%s", endpoint, c->place.token) >= size)
    return hg_fail(HG_ERR_INTERNAL, "%s: the coordinator's address is longer than %zu bytes", endpoint, size);
  hg_log(HG_LOG_DEBUG, "the coordinator listens at %s", endpoint);
  return HG_OK;
}

static hg_status write_address_file(hg_coordinator *c, const char *path, const char *address)
{
  if (!path) return HG_OK;
  hg_status rc = hg_place_write(path, address);
  if (rc == HG_OK) snprintf(c->address_file, sizeof c->address_file, "%s", path);
  return rc;
}

static void *thread_main(void *coordinator)
{
  hg_coordinator_serve(coordinator);
  return NULL;
}

static hg_status start_thread(hg_coordinator *c)
{
  c->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  if (c->wake < 0) return hg_fail(HG_ERR_IO, "cannot start the coordinator: %s", strerror(errno));
  sigset_t before;
  hg_signals_block(&before);
  int why = pthread_create(&c->thread, NULL, thread_main, c);
  hg_signals_restore(&before);
  return why ? hg_fail(HG_ERR_IO, "cannot start the coordinator's thread: %s", strerror(why)) : HG_OK;
}

/** Everything but the thread. */
static void release(hg_coordinator *c)
{
  for (int r = 0; c->peers && r < c->ranks; r++)
    for (; c->peers[r].n_sums > 0; c->peers[r].n_sums--) {
      zmq_msg_close(&c->peers[r].sums[c->peers[r].first_sum]);
      c->peers[r].first_sum = (c->peers[r].first_sum + 1) % HG_WORKER_SUMS_MAX;
    }
  hg_wire_close(&c->wire, fmin(1, c->config->coordinator.timeout_seconds));
  hg_place_remove(&c->place);
  if (c->address_file[0]) unlink(c->address_file);
  if (c->wake >= 0) close(c->wake);
  hg_free(&c->peers);
  hg_free(&c->sum);
  hg_free(&c);
}

hg_status hg_coordinator_start(hg_coordinator **coordinator, const hg_coordinator_options *options, char *address,
                               size_t size)
{
  hg_status rc = HG_OK;
  hg_coordinator *c = NULL;
  *coordinator = NULL;
  if ((rc = HG_ALLOC(c, 1, "coordinator")) != HG_OK) return rc;
  c->config = options->config;
  c->ranks = options->ranks;
  c->state = options->state;
  c->wake = -1;
  c->planned = options->first_epoch - 1;
  c->abandon = options->abandon;
  c->hello_deadline = c->stop_deadline = c->abandon_deadline = (double)INFINITY;
  HG_TRY(HG_ALLOC(c->peers, c->ranks, "coordinator's workers"));
  for (int r = 0; r < c->ranks; r++) c->peers[r] = (hg_peer){.fd = -1, .reported = options->first_epoch - 1};
  HG_TRY(listen_for_workers(c, options->one_host, address, size));
  HG_TRY(write_address_file(c, options->address_file, address));
  HG_TRY(start_thread(c));
  *coordinator = c;
  return HG_OK;
done:
  release(c);
  return rc;
}

hg_status hg_coordinator_stop(hg_coordinator **coordinator)
{
  hg_coordinator *c = *coordinator;
  if (!c) return HG_OK;
  *coordinator = NULL;
  const uint64_t one = 1;
  while (write(c->wake, &one, sizeof one) < 0 && errno == EINTR) {
  }
  pthread_join(c->thread, NULL);
  hg_status rc = c->status == HG_OK ? HG_OK : hg_fail(c->status, "%s", c->failure);
  release(c);
  return rc;
}
