#include "runtime/coord/wire.h"

#include <errno.h>
#include <limits.h>
#include <math.h>
#include <string.h>

#include "core/base/timer.h"

enum { QUEUE = 1024, BACKLOG = 4096 }; // messages per peer; connections that wait to be accepted
static const char monitor_name[] = "inproc://monitor";

void hg_signals_block(sigset_t *before)
{
  static const int own[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGTRAP}; // of the thread that causes them
  sigset_t all;
  sigfillset(&all);
  for (size_t k = 0; k < sizeof own / sizeof *own; k++) sigdelset(&all, own[k]);
  pthread_sigmask(SIG_BLOCK, &all, before);
}

void hg_signals_restore(const sigset_t *before) { pthread_sigmask(SIG_SETMASK, before, NULL); }

static int milliseconds(double seconds)
{
  return seconds >= INT_MAX / 1e3 ? INT_MAX : seconds > 1e-3 ? (int)(seconds * 1e3) : 1;
}

static bool set_options(void *socket, int type, double timeout_s, int64_t max_bytes)
{
  int wait = milliseconds(timeout_s), beat = milliseconds(timeout_s / 4), silence = milliseconds(timeout_s * 3 / 4);
  const struct {
    int option, value;
  } options[] = {{ZMQ_LINGER, 0},           {ZMQ_SNDHWM, QUEUE},
                 {ZMQ_RCVHWM, QUEUE},       {ZMQ_SNDTIMEO, wait},
                 {ZMQ_RCVTIMEO, wait},      {ZMQ_HANDSHAKE_IVL, wait},
                 {ZMQ_HEARTBEAT_IVL, beat}, {ZMQ_HEARTBEAT_TIMEOUT, silence}, // after the last beat
                 {ZMQ_BACKLOG, BACKLOG}};
  for (size_t k = 0; k < sizeof options / sizeof *options; k++)
    if (zmq_setsockopt(socket, options[k].option, &options[k].value, sizeof(int)) != 0) return false;
  int yes = 1;
  if (type == ZMQ_ROUTER && zmq_setsockopt(socket, ZMQ_ROUTER_MANDATORY, &yes, sizeof yes) != 0) return false;
  return zmq_setsockopt(socket, ZMQ_MAXMSGSIZE, &max_bytes, sizeof max_bytes) == 0;
}

hg_status hg_wire_open(hg_wire *wire, int type, double timeout_s, int64_t max_bytes)
{
  sigset_t before;
  hg_signals_block(&before);
  memset(wire, 0, sizeof *wire);
  wire->router = type == ZMQ_ROUTER;
  bool made = (wire->context = zmq_ctx_new()) && (wire->socket = zmq_socket(wire->context, type)) &&
              set_options(wire->socket, type, timeout_s, max_bytes) &&
              zmq_socket_monitor(wire->socket, monitor_name, ZMQ_EVENT_DISCONNECTED) == 0 &&
              (wire->monitor = zmq_socket(wire->context, ZMQ_PAIR)) && zmq_connect(wire->monitor, monitor_name) == 0;
  int why = zmq_errno();
  hg_signals_restore(&before);
  if (made) return HG_OK;
  hg_wire_close(wire, 0);
  return hg_fail(HG_ERR_IO, "cannot make a ZeroMQ socket: %s", zmq_strerror(why));
}

void hg_wire_close(hg_wire *wire, double linger_s)
{
  int linger = linger_s > 0 ? milliseconds(linger_s) : 0, none = 0;
  if (wire->monitor) {
    zmq_setsockopt(wire->monitor, ZMQ_LINGER, &none, sizeof none);
    zmq_close(wire->monitor);
  }
  if (wire->socket) {
    zmq_setsockopt(wire->socket, ZMQ_LINGER, &linger, sizeof linger);
    zmq_close(wire->socket);
  }
  if (wire->context)
    while (zmq_ctx_term(wire->context) != 0 && zmq_errno() == EINTR) {
    }
  memset(wire, 0, sizeof *wire);
}

static bool send_part(void *socket, const void *data, size_t bytes, int flags)
{
  int rc;
  do rc = zmq_send(socket, data, bytes, flags);
  while (rc < 0 && zmq_errno() == EINTR);
  return rc >= 0;
}

hg_status hg_wire_send(hg_wire *wire, const hg_identity *to, const hg_message *message, const void *data, size_t bytes)
{
  char text[HG_MESSAGE_BYTES];
  size_t length;
  hg_status rc = hg_message_encode(message, text, &length);
  if (rc != HG_OK) return rc;
  int now = to ? ZMQ_DONTWAIT : 0;
  bool sent = (!to || send_part(wire->socket, to->bytes, to->size, ZMQ_SNDMORE | now)) &&
              send_part(wire->socket, text, length, data ? ZMQ_SNDMORE | now : now) &&
              (!data || send_part(wire->socket, data, bytes, now));
  if (sent) return HG_OK;
  const char *why = zmq_errno() == EAGAIN ? "it takes no messages" : zmq_strerror(zmq_errno());
  return hg_fail(HG_ERR_IO, "cannot send a %s message: %s", hg_message_name(message->kind), why);
}

/** The rest of a message is there when its first part is, so only the first receive can find nothing. */
static bool receive_part(void *socket, zmq_msg_t *part)
{
  int rc;
  zmq_msg_init(part);
  do rc = zmq_msg_recv(part, socket, ZMQ_DONTWAIT);
  while (rc < 0 && zmq_errno() == EINTR);
  if (rc < 0) zmq_msg_close(part);
  return rc >= 0;
}

bool hg_wire_receive(hg_wire *wire, hg_frames *frames)
{
  zmq_msg_t part;
  frames->count = 0;
  frames->from.size = 0;
  frames->fd = -1;
  zmq_msg_init(&frames->text);
  zmq_msg_init(&frames->data);
  if (!receive_part(wire->socket, &part)) return false;
  bool more = zmq_msg_more(&part) != 0;
  if (wire->router) {
    if (zmq_msg_size(&part) <= sizeof frames->from.bytes) frames->from.size = zmq_msg_size(&part);
    memcpy(frames->from.bytes, zmq_msg_data(&part), frames->from.size);
  } else {
    zmq_msg_move(&frames->text, &part);
    frames->count = 1;
  }
  zmq_msg_close(&part);
  while (more && receive_part(wire->socket, &part)) {
    more = zmq_msg_more(&part) != 0;
    if (frames->count == 0) frames->fd = zmq_msg_get(&part, ZMQ_SRCFD);
    if (frames->count < 2) zmq_msg_move(frames->count == 0 ? &frames->text : &frames->data, &part);
    frames->count++;
    zmq_msg_close(&part);
  }
  return true;
}

void hg_frames_close(hg_frames *frames)
{
  zmq_msg_close(&frames->text);
  zmq_msg_close(&frames->data);
}

hg_status hg_frames_decode(hg_frames *frames, hg_message *message)
{
  if (frames->count < 1) return hg_fail(HG_ERR_INPUT, "found an empty message");
  hg_status rc = hg_message_decode(message, zmq_msg_data(&frames->text), zmq_msg_size(&frames->text));
  if (rc != HG_OK) return rc;
  bool binary = message->kind == HG_MSG_GRADIENT || message->kind == HG_MSG_SUM;
  if (frames->count != 1 + binary)
    return hg_fail(HG_ERR_INPUT, "%s: found %d frames, expected %d", hg_message_name(message->kind), frames->count,
                   1 + binary);
  if (binary && zmq_msg_size(&frames->data) != (size_t)message->count * sizeof(hg_real))
    return hg_fail(HG_ERR_INPUT, "%s: found %zu bytes, expected %zu", hg_message_name(message->kind),
                   zmq_msg_size(&frames->data), (size_t)message->count * sizeof(hg_real));
  return HG_OK;
}

bool hg_wire_lost(hg_wire *wire, int *fd)
{
  zmq_msg_t part;
  if (!receive_part(wire->monitor, &part)) return false;
  int32_t value = -1; // the first frame: uint16 event, int32 value; only DISCONNECTED was asked for
  if (zmq_msg_size(&part) >= 6) memcpy(&value, (const char *)zmq_msg_data(&part) + 2, sizeof value);
  bool more = zmq_msg_more(&part) != 0;
  zmq_msg_close(&part);
  while (more && receive_part(wire->monitor, &part)) {
    more = zmq_msg_more(&part) != 0;
    zmq_msg_close(&part);
  }
  *fd = value;
  return true;
}

void hg_wire_poll(zmq_pollitem_t *items, int n, double deadline)
{
  for (;;) {
    double left = deadline - hg_now_s();
    long wait = isinf(deadline) ? -1 : left > 0 ? 1 + milliseconds(left) : 0;
    if (zmq_poll(items, n, wait) >= 0 || zmq_errno() != EINTR) return;
  }
}
