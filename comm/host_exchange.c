#include "comm/host_exchange.h"

#include <limits.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>

#include "comm/host_routes.h"
#include "comm/tags.h"
#include "comm/world_mpi.h"
#include "core/base/alloc.h"
#include "core/base/threads.h"
#include "core/base/timer.h"
#include "core/tensor/nonzero.h"

// What a request is about: its flow, and of its flow.
typedef enum { HEARD, TOLD, MESSAGE } event_kind;
typedef struct {
  int flow;
  event_kind kind;
} event;

// A pair of hosts in this exchange. The requests of a server are n from members, n to members and the message; of
// another rank one from the server and one to it.
typedef struct {
  const hg_host_route *route;
  bool sends, serves;
  hg_real *rows;   // of the message, then extras
  uint8_t *packed; // of the server: the message without zeros
  int first, n;    // requests
  int awaited;     // of the server: members that have not told yet that they have written, or read
  bool held;       // of the server: the next message is received when they have
} flow;

struct hg_host_exchange {
  hg_host_exchange *next; // of the links
  hg_host_routes *routes;
  hg_lid n_owned;
  hg_exchange_kind kind;
  int slot, users;
  int cols, packed_cols; // for which there is room; packed_cols 0: none
  MPI_Win window;
  bool has_window;
  size_t bytes;    // of this rank's part of it
  uint8_t *packed; // messages without zeros, of this rank's flows one after the other
  hg_off *starts;  // [largest message's rows + 1] working space of packing
  MPI_Comm comm;
  int tag;
  int n_flows, n_requests;
  flow *flows; // [n_flows] those that send, then those that receive
  MPI_Request *requests;
  event *events;  // [n_requests]
  int *completed; // [n_requests]
  int open;       // flows whose messages are not through

  // of the exchange that is under way
  hg_matrix x; // a view
  bool packs;
  hg_traffic *traffic;
};

static size_t shared_bytes(const hg_host_routes *routes, hg_exchange_kind kind, int cols)
{
  return (size_t)routes->served[kind] * (size_t)cols * sizeof(hg_real);
}

static size_t packed_bytes(const hg_host_routes *routes, int cols)
{
  return cols > 0 ? (size_t)routes->served[HG_FILL_HALO] * hg_nonzero_row_bytes(HG_PACK_REAL, cols)
                  : 0; // without extras
}

// rows of the largest message that this rank sends or receives for its host
static hg_lid largest_message(const hg_host_routes *routes)
{
  hg_lid most = 0;
  for (int k = 0; k < routes->n_out + routes->n_in; k++) {
    const hg_host_route *r = k < routes->n_out ? &routes->out[k] : &routes->in[k - routes->n_out];
    if (r->server == routes->here && r->rows > most) most = r->rows;
  }
  return most;
}

size_t hg_host_exchange_bytes(const hg_links *links, hg_exchange_kind kind, int cols, int packed_cols)
{
  const hg_host_routes *routes = links->hosts;
  if (!routes) return 0;
  size_t bytes = shared_bytes(routes, kind, cols);
  if (packed_cols == 0) return bytes;
  return bytes + packed_bytes(routes, packed_cols) + ((size_t)largest_message(routes) + 1) * sizeof(hg_off);
}

static hg_status check_size(const hg_host_route *r, int cols, bool packs)
{
  hg_off most = r->rows * (packs ? (hg_off)hg_nonzero_row_bytes(HG_PACK_REAL, cols) : cols);
  if (most <= INT_MAX) return HG_OK;
  return hg_fail(HG_ERR_INPUT,
                 "a message between two hosts would have %d rows of %d columns, which is %lld %s; at most %d are "
                 "possible: use halo.hosts ranks, more hosts or narrower layers",
                 r->rows, cols, (long long)most, packs ? "bytes" : "numbers", INT_MAX);
}

static hg_status list_flows(hg_host_exchange *e)
{
  const hg_host_routes *routes = e->routes;
  bool fill = e->kind == HG_FILL_HALO;
  int n_sends = fill ? routes->n_out : routes->n_in, n = routes->n_out + routes->n_in;
  hg_status rc = HG_OK;
  HG_TRY(HG_ALLOC(e->flows, n, "messages between hosts"));
  for (int k = 0; k < n; k++) {
    flow *f = &e->flows[e->n_flows++];
    f->sends = k < n_sends;
    const hg_host_route *list = f->sends == fill ? routes->out : routes->in;
    f->route = &list[f->sends ? k : k - n_sends];
    f->serves = f->route->server == routes->here;
    f->first = e->n_requests;
    f->n = f->serves ? f->route->n_members : 1;
    e->n_requests += 2 * f->n + f->serves;
  }
  HG_TRY(HG_ALLOC(e->requests, e->n_requests, "requests between hosts"));
  for (int k = 0; k < e->n_requests; k++) e->requests[k] = MPI_REQUEST_NULL; // also where what follows fails
  HG_TRY(HG_ALLOC(e->events, e->n_requests, "requests between hosts"));
  HG_TRY(HG_ALLOC(e->completed, e->n_requests, "requests between hosts"));
done:
  return rc;
}

static hg_status prepare(hg_host_exchange **exchange, const hg_links *links, hg_exchange_kind kind, int slot)
{
  hg_status rc = HG_ALLOC(*exchange, 1, "exchange between hosts");
  if (rc != HG_OK) return rc;
  hg_host_exchange *e = *exchange;
  e->routes = links->hosts;
  e->n_owned = links->n_owned;
  e->kind = kind;
  e->slot = slot;
  return list_flows(e);
}

// Room for what this rank packs.
static hg_status grow_packed(hg_host_exchange *e, int cols)
{
  hg_off at = 0;
  hg_status rc = HG_OK;
  hg_free(&e->packed);
  if (!e->starts) HG_TRY(HG_ALLOC(e->starts, largest_message(e->routes) + 1, "starts of packed rows"));
  HG_TRY(HG_ALLOC(e->packed, packed_bytes(e->routes, cols), "messages between hosts"));
  for (flow *f = e->flows; f < e->flows + e->n_flows; f++) {
    if (!f->serves) continue;
    f->packed = e->packed + at;
    at += f->route->rows * (hg_off)hg_nonzero_row_bytes(HG_PACK_REAL, cols);
  }
  e->packed_cols = cols;
done:
  return rc;
}

// What the last exchange left to be heard.
static void settle(hg_host_exchange *e)
{
  if (e->requests) MPI_Waitall(e->n_requests, e->requests, MPI_STATUSES_IGNORE);
  for (int k = 0; k < e->n_flows; k++) e->flows[k].awaited = 0;
}

static void close_window(hg_host_exchange *e)
{
  if (!e->has_window) return;
  MPI_Win_unlock_all(e->window);
  MPI_Win_free(&e->window);
  hg_alloc_count(-(hg_off)e->bytes);
  e->has_window = false;
}

// Open MPI keeps such memory in files there; where there is no room for one, some ranks wait for ever for the others.
static hg_status check_room(const hg_host_exchange *e, int cols, MPI_Comm machine)
{
  enum { MORE = 1 << 20 }; // ends of pages, and what MPI itself keeps
  const char *chosen = getenv("OMPI_MCA_osc_sm_backing_directory"), *folder = chosen ? chosen : "/dev/shm";
  int64_t bytes = (int64_t)shared_bytes(e->routes, e->kind, cols);
  struct statvfs room;
  MPI_Allreduce(MPI_IN_PLACE, &bytes, 1, MPI_INT64_T, MPI_SUM, machine);
  if (statvfs(folder, &room) != 0) return HG_OK; // it will be elsewhere
  double free_bytes = (double)room.f_bavail * (double)room.f_frsize;
  if (free_bytes >= (double)bytes + MORE) return HG_OK;
  return hg_fail(HG_ERR_MEMORY,
                 "%s has room for %.0f bytes, but an exchange needs %lld there: make it larger, name another folder by "
                 "OMPI_MCA_osc_sm_backing_directory, or use halo.hosts ranks",
                 folder, free_bytes, (long long)bytes);
}

// Shared memory of this host, each rank's part in pages of its own, which it touches first.
static hg_status open_window(hg_host_exchange *e, int cols, MPI_Comm host)
{
  MPI_Errhandler handler;
  MPI_Info info;
  void *mine = NULL;
  e->bytes = shared_bytes(e->routes, e->kind, cols);
  MPI_Info_create(&info);
  MPI_Info_set(info, "alloc_shared_noncontig", "true");
  MPI_Comm_get_errhandler(host, &handler);
  MPI_Comm_set_errhandler(host, MPI_ERRORS_RETURN);
  int code = MPI_Win_allocate_shared((MPI_Aint)e->bytes, 1, info, host, &mine, &e->window);
  MPI_Comm_set_errhandler(host, handler);
  MPI_Errhandler_free(&handler);
  MPI_Info_free(&info);
  if (code != MPI_SUCCESS)
    return hg_fail(HG_ERR_MEMORY, "MPI gives no %zu bytes of memory that the ranks of a host share", e->bytes);
  e->has_window = true;
  hg_alloc_count((hg_off)e->bytes);
  MPI_Win_lock_all(MPI_MODE_NOCHECK, e->window);
  if (e->bytes > 0) memset(mine, 0, e->bytes);
  for (flow *f = e->flows; f < e->flows + e->n_flows; f++) {
    MPI_Aint bytes;
    int unit;
    MPI_Win_shared_query(e->window, f->route->server, &bytes, &unit, (void *)&f->rows);
    f->rows += f->route->at[e->kind] * cols;
  }
  e->cols = cols;
  return HG_OK;
}

// Requests between a server and a member of its host go by a tag of their pair of hosts, and of who tells whom.
static int told_tag(const hg_host_exchange *e, const flow *f, bool to_server)
{
  bool out = f->sends == (e->kind == HG_FILL_HALO);
  return (e->slot * 2 + to_server) * 2 * e->routes->n_hosts + (out ? 0 : e->routes->n_hosts) + f->route->host;
}

static void make_requests(hg_host_exchange *e, MPI_Comm host)
{
  for (int k = 0; k < e->n_flows; k++) {
    const flow *f = &e->flows[k];
    int to_server = told_tag(e, f, true), to_member = told_tag(e, f, false);
    for (int i = 0; i < f->n; i++) {
      int other = f->serves ? f->route->members[i] : f->route->server, from = f->first + i, to = from + f->n;
      MPI_Recv_init(NULL, 0, MPI_BYTE, other, f->serves ? to_server : to_member, host, &e->requests[from]);
      MPI_Send_init(NULL, 0, MPI_BYTE, other, f->serves ? to_member : to_server, host, &e->requests[to]);
      e->events[from] = (event){k, HEARD};
      e->events[to] = (event){k, TOLD};
    }
    if (f->serves) e->events[f->first + 2 * f->n] = (event){k, MESSAGE};
  }
}

static hg_status check_sizes(const hg_host_exchange *e, int cols, bool packs)
{
  hg_status rc = HG_OK;
  for (int k = 0; rc == HG_OK && k < e->n_flows; k++) rc = check_size(e->flows[k].route, cols, packs);
  return rc;
}

static hg_status grow(hg_host_exchange *e, hg_world *world, int cols, bool packs)
{
  hg_status rc = HG_OK;
  HG_TRY_ALL(world, "preparing an exchange", check_sizes(e, cols, packs));
  settle(e);
  if (packs && cols > e->packed_cols) HG_TRY_ALL(world, "preparing an exchange", grow_packed(e, cols));
  if (cols <= e->cols) goto done;
  close_window(e);
  HG_TRY_ALL(world, "preparing an exchange", check_room(e, cols, hg_world_machine_comm(world)));
  HG_TRY_ALL(world, "preparing an exchange", open_window(e, cols, hg_world_host_comm(world)));
done:
  return rc;
}

static hg_host_exchange *find(const hg_host_routes *routes, hg_exchange_kind kind, int slot)
{
  hg_host_exchange *e = routes->exchanges;
  while (e && (e->kind != kind || e->slot != slot)) e = e->next;
  return e;
}

hg_status hg_host_exchange_open(hg_host_exchange **exchange, hg_world *world, const hg_links *links,
                                hg_exchange_kind kind, int slot, int cols, bool packs)
{
  hg_host_routes *routes = links->hosts;
  hg_status rc = HG_OK;
  *exchange = find(routes, kind, slot);
  if (!*exchange) {
    hg_status made = prepare(exchange, links, kind, slot);
    hg_host_exchange *e = *exchange;
    if (e) {
      e->next = routes->exchanges;
      routes->exchanges = e;
      e->users = 1;
    }
    HG_TRY_ALL(world, "preparing an exchange", made);
    e->comm = hg_world_comm(world);
    e->tag = HG_TAG_EXCHANGE + slot;
    make_requests(e, hg_world_host_comm(world));
  } else {
    (*exchange)->users++;
  }
  HG_TRY(grow(*exchange, world, cols, packs));
done:
  if (rc != HG_OK) hg_host_exchange_close(exchange);
  return rc;
}

void hg_host_exchange_close(hg_host_exchange **exchange)
{
  hg_host_exchange *e = *exchange;
  *exchange = NULL;
  if (!e || --e->users > 0) return;
  hg_host_exchange **at = &e->routes->exchanges;
  while (*at != e) at = &(*at)->next;
  *at = e->next;
  settle(e); // members have read what came last
  for (int k = 0; e->requests && k < e->n_requests; k++)
    if (e->requests[k] != MPI_REQUEST_NULL) MPI_Request_free(&e->requests[k]);
  close_window(e);
  hg_free(&e->flows);
  hg_free(&e->requests);
  hg_free(&e->events);
  hg_free(&e->completed);
  hg_free(&e->packed);
  hg_free(&e->starts);
  hg_free(&e);
}

static void tell(hg_host_exchange *e, const flow *f)
{
  MPI_Request *out = &e->requests[f->first + f->n];
  MPI_Waitall(f->n, out, MPI_STATUSES_IGNORE); // those of last time, which were heard long ago
  MPI_Startall(f->n, out);
}

static void listen(hg_host_exchange *e, const flow *f) { MPI_Startall(f->n, &e->requests[f->first]); }

static hg_real *row_at(const hg_host_exchange *e, const flow *f, hg_lid row)
{
  return f->rows + (hg_off)row * e->x.cols;
}

static void add_row(hg_real *restrict to, const hg_real *restrict from, hg_off cols)
{
  for (hg_off c = 0; c < cols; c++) to[c] += from[c];
}

// Gradients of the same node from several ranks of this host, in ascending order of ranks.
static void add_extras(hg_host_exchange *e, const flow *f)
{
  const hg_host_route *r = f->route;
  hg_off cols = e->x.cols;
#pragma omp parallel for num_threads(hg_threads()) schedule(static) if (r->extras * cols >= HG_EXCHANGE_PARALLEL)
  for (hg_lid s = 0; s < r->n_sums; s++)
    for (hg_lid k = r->addends[s]; k < r->addends[s + 1]; k++) add_row(row_at(e, f, r->sums[s]), row_at(e, f, k), cols);
}

static hg_matrix rows_of(const hg_host_exchange *e, const flow *f)
{
  return hg_matrix_view(f->rows, f->route->rows, e->x.cols);
}

static void send_message(hg_host_exchange *e, const flow *f)
{
  MPI_Request *request = &e->requests[f->first + 2 * f->n];
  const hg_matrix rows = rows_of(e, f);
  int64_t bytes = rows.rows * rows.cols * (int64_t)sizeof(hg_real);
  double start = hg_now_s();
  MPI_Win_sync(e->window);
  if (e->kind == HG_ADD_HALO) add_extras(e, f);
  if (e->packs) {
    bytes = (int64_t)hg_pack_nonzero(&(hg_packing){.x = &rows}, rows.rows, e->starts, f->packed);
    MPI_Isend(f->packed, (int)bytes, MPI_BYTE, f->route->peer, e->tag, e->comm, request);
  } else {
    MPI_Isend(f->rows, (int)(rows.rows * rows.cols), HG_MPI_REAL, f->route->peer, e->tag, e->comm, request);
  }
  e->traffic->packed_s += hg_now_s() - start;
  e->traffic->bytes_sent += bytes;
  e->traffic->far_bytes += bytes;
  e->traffic->messages_sent++;
  e->traffic->far_messages++;
}

static void receive_message(hg_host_exchange *e, flow *f)
{
  f->held = false;
  f->awaited = f->n;
  listen(e, f); // for when they have read it
  MPI_Request *request = &e->requests[f->first + 2 * f->n];
  int rows = f->route->rows, cols = e->x.cols; // sizes were checked
  if (e->packs)
    MPI_Irecv(f->packed, rows * (int)hg_nonzero_row_bytes(HG_PACK_REAL, cols), MPI_BYTE, f->route->peer, e->tag,
              e->comm, request);
  else
    MPI_Irecv(f->rows, rows * cols, HG_MPI_REAL, f->route->peer, e->tag, e->comm, request);
}

// A member has written or read, or the server tells that a message has left or arrived.
static void hear(hg_host_exchange *e, flow *f)
{
  if (!f->serves) {
    e->open--;
    return;
  }
  if (--f->awaited > 0) return;
  if (f->sends) send_message(e, f);
  if (f->held) receive_message(e, f);
}

static void unpack_message(hg_host_exchange *e, const flow *f)
{
  hg_matrix rows = rows_of(e, f);
  double start = hg_now_s();
  hg_unpack_nonzero(HG_PACK_REAL, f->packed, rows.rows, NULL, false, e->starts, &rows);
  e->traffic->packed_s += hg_now_s() - start;
}

static void handle(hg_host_exchange *e, int n)
{
  for (int k = 0; k < n; k++) {
    const event *v = &e->events[e->completed[k]];
    flow *f = &e->flows[v->flow];
    if (v->kind == HEARD) hear(e, f);
    if (v->kind != MESSAGE) continue;
    if (e->packs && !f->sends) unpack_message(e, f);
    MPI_Win_sync(e->window);
    tell(e, f);
    e->open--;
  }
}

// This rank's rows of a message to where they are sent from.
static void write_rows(hg_host_exchange *e, const flow *f)
{
  const hg_host_routes *routes = e->routes;
  const hg_host_route *r = f->route;
  bool fill = e->kind == HG_FILL_HALO;
  const hg_lid *rows = fill ? routes->out_rows : routes->in_rows;
  const hg_real *from = e->x.data + (fill ? 0 : (hg_off)e->n_owned * e->x.cols);
  hg_off cols = e->x.cols;
  size_t bytes = (size_t)cols * sizeof(hg_real);
#pragma omp parallel for num_threads(hg_threads()) \
    schedule(static) if ((r->end - r->begin) * cols >= HG_EXCHANGE_PARALLEL)
  for (hg_lid k = r->begin; k < r->end; k++) {
    hg_lid place = fill ? r->place + k - r->begin : routes->in_extras[k];
    memcpy(row_at(e, f, place), from + rows[k] * cols, bytes);
  }
}

// This rank's rows of a message that came.
static void read_rows(hg_host_exchange *e, const flow *f)
{
  const hg_host_routes *routes = e->routes;
  const hg_host_route *r = f->route;
  bool fill = e->kind == HG_FILL_HALO;
  hg_real *to = e->x.data + (fill ? (hg_off)e->n_owned * e->x.cols : 0);
  hg_off cols = e->x.cols;
  size_t bytes = (size_t)cols * sizeof(hg_real);
#pragma omp parallel for num_threads(hg_threads()) \
    schedule(static) if ((r->end - r->begin) * cols >= HG_EXCHANGE_PARALLEL)
  for (hg_lid k = r->begin; k < r->end; k++) {
    if (fill)
      memcpy(to + routes->in_rows[k] * cols, row_at(e, f, routes->in_places[k]), bytes);
    else
      add_row(to + routes->out_rows[k] * cols, row_at(e, f, r->place + k - r->begin), cols);
  }
}

#ifndef NDEBUG
// Whoever reads a halo row before the end of the exchange shall see it.
static void poison_halo(const hg_host_exchange *e, const flow *f)
{
  hg_real *halo = e->x.data + (hg_off)e->n_owned * e->x.cols;
  for (hg_lid k = f->route->begin; k < f->route->end; k++)
    for (int c = 0; c < e->x.cols; c++) halo[(hg_off)e->routes->in_rows[k] * e->x.cols + c] = (hg_real)NAN;
}
#endif

static void begin_sending(hg_host_exchange *e, flow *f)
{
  f->awaited = f->serves ? f->n : 0;
  listen(e, f);
  if (f->route->end > f->route->begin) write_rows(e, f);
  MPI_Win_sync(e->window);
  if (!f->serves)
    tell(e, f);
  else if (f->awaited == 0)
    send_message(e, f);
}

static void begin_receiving(hg_host_exchange *e, flow *f)
{
#ifndef NDEBUG
  if (e->kind == HG_FILL_HALO) poison_halo(e, f);
#endif
  if (!f->serves)
    listen(e, f);
  else if (f->awaited == 0)
    receive_message(e, f);
  else
    f->held = true;
}

void hg_host_exchange_begin(hg_host_exchange *exchange, const hg_matrix *x, bool packs, hg_traffic *traffic)
{
  hg_host_exchange *e = exchange;
  e->x = *x;
  e->packs = packs;
  e->traffic = traffic;
  e->open = e->n_flows;
  for (int k = 0; k < e->n_flows; k++)
    if (!e->flows[k].sends) begin_receiving(e, &e->flows[k]);
  for (int k = 0; k < e->n_flows; k++)
    if (e->flows[k].sends) begin_sending(e, &e->flows[k]);
}

bool hg_host_exchange_progress(hg_host_exchange *exchange)
{
  hg_host_exchange *e = exchange;
  int n = 0;
  if (e->open > 0) MPI_Testsome(e->n_requests, e->requests, &n, e->completed, MPI_STATUSES_IGNORE);
  if (n != MPI_UNDEFINED) handle(e, n);
  return e->open == 0;
}

void hg_host_exchange_wait(hg_host_exchange *exchange)
{
  hg_host_exchange *e = exchange;
  while (e->open > 0) {
    int n = 0;
    MPI_Waitsome(e->n_requests, e->requests, &n, e->completed, MPI_STATUSES_IGNORE);
    handle(e, n);
  }
}

void hg_host_exchange_take(hg_host_exchange *exchange)
{
  hg_host_exchange *e = exchange;
  if (e->n_flows > 0) MPI_Win_sync(e->window);
  for (int k = 0; k < e->n_flows; k++) {
    const flow *f = &e->flows[k];
    if (f->sends) continue;
    if (f->route->end > f->route->begin) read_rows(e, f);
    if (!f->serves) tell(e, f);
  }
}
