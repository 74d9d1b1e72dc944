#pragma once
#include "comm/host_exchange.h"
#include "comm/host_routes.h"
#include "comm/world_mpi.h"
#include "core/tensor/nonzero.h"

// What an exchange between hosts consists of: comm/host_exchange_create.c makes it, comm/host_exchange.c runs it.

// What a request is about: its flow, and of its flow.
typedef enum { HG_HEARD, HG_TOLD, HG_MESSAGE } hg_host_event_kind;
typedef struct {
  int flow;
  hg_host_event_kind kind;
} hg_host_event;

// A pair of hosts in this exchange. The requests of a server are n from members, n to members and the message; of
// another rank one from the server and one to it.
typedef struct {
  const hg_host_route *route;
  bool sends, serves;
  hg_real *rows;   // of the message, then extras
  uint8_t *packed; // of the server: the message without zeros, or rounded
  int first, n;    // requests
  int awaited;     // of the server: members that have not told yet that they have written, or read
  bool held;       // of the server: the next message is received when they have
} hg_host_flow;

struct hg_host_exchange {
  hg_host_exchange *next; // of the links
  hg_host_routes *routes;
  hg_lid n_owned;
  hg_exchange_kind kind;
  int slot, users;
  hg_host_room room; // that there is
  MPI_Win window;
  bool has_window;
  size_t bytes;    // of this rank's part of it
  uint8_t *packed; // packed messages, of this rank's flows one after the other
  hg_off *starts;  // [largest message's rows + 1] working space of packing
  hg_gid *ids;     // [rows of this rank's memory] original ids of the messages' rows that it sends, where one rounds
  MPI_Comm comm;
  int tag;
  int n_flows, n_requests;
  hg_host_flow *flows; // [n_flows] those that send, then those that receive
  MPI_Request *requests;
  hg_host_event *events; // [n_requests]
  int *completed;        // [n_requests]
  int open;              // flows whose messages are not through

  // of the exchange that is under way
  hg_matrix x;                        // a view
  const hg_exchange_packing *packing; // or NULL: reals cross
  hg_pack_draw draw;
  hg_traffic *traffic;
};
