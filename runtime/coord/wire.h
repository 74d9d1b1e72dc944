#pragma once
#include <signal.h>
#include <zmq.h>

#include "runtime/coord/protocol.h"

/**
 * A ZeroMQ socket with its context and a monitor that tells of connections that end: what coordinator and worker share.
 */
typedef struct {
  void *context, *socket, *monitor;
  bool router;
} hg_wire;

/** ZeroMQ's name of a connection at a ROUTER. */
typedef struct {
  unsigned char bytes[255];
  size_t size;
} hg_identity;

/** One message as it came: its sender, JSON text, perhaps a binary frame. */
typedef struct {
  hg_identity from; ///< empty at a DEALER
  int fd;           ///< the connection it came from: what hg_wire_lost tells when that ends
  int count;        ///< frames after the identity; all of the message was taken, at most two are kept
  zmq_msg_t text, data;
} hg_frames;

/**
 * Makes the socket: finite queues, time-outs and heartbeats of timeout_s, no lingering, threads that take no signals.
 * @param type        ZMQ_ROUTER or ZMQ_DEALER
 * @param max_bytes   a peer that sends a longer frame is disconnected
 */
hg_status hg_wire_open(hg_wire *wire, int type, double timeout_s, int64_t max_bytes);

/** Closes it all; what was sent has `linger_s` to leave. Accepts a zeroed wire. */
void hg_wire_close(hg_wire *wire, double linger_s);

/** Keeps the signals that a handler may want away from threads made until hg_signals_restore. */
void hg_signals_block(sigset_t *before);
void hg_signals_restore(const sigset_t *before);

/**
 * Sends a message and, unless `data` is NULL, a binary frame.
 * @param to    the receiver (ROUTER, does not wait), or NULL (DEALER, waits timeout_s at most)
 * @return      HG_ERR_IO: nobody there, or it takes no messages
 */
hg_status hg_wire_send(hg_wire *wire, const hg_identity *to, const hg_message *message, const void *data, size_t bytes);

/** Takes one message if one is there; true: hg_frames_close it. */
bool hg_wire_receive(hg_wire *wire, hg_frames *frames);
void hg_frames_close(hg_frames *frames);

/**
 * Decodes the JSON frame and checks that a binary frame of the right size is there when, and only when, the kind has
 * one.
 */
hg_status hg_frames_decode(hg_frames *frames, hg_message *message);

/** Takes one end of a connection if there is one: true, and its `fd`. */
bool hg_wire_lost(hg_wire *wire, int *fd);

/** Waits for the first of the n items, until `deadline` of hg_now_s (INFINITY: for good). */
void hg_wire_poll(zmq_pollitem_t *items, int n, double deadline);
