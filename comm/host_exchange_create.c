#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>

#include "comm/host_exchange_state.h"
#include "comm/tags.h"
#include "core/base/alloc.h"

static size_t shared_bytes(const hg_host_routes *routes, hg_exchange_kind kind, int cols)
{
  return (size_t)routes->served[kind] * (size_t)cols * sizeof(hg_real);
}

static size_t packed_bytes(const hg_host_routes *routes, size_t row_bytes)
{
  return (size_t)routes->served[HG_FILL_HALO] * row_bytes; // without extras
}

static bool packs(const hg_exchange_packing *p) { return p->format != HG_PACK_REAL || p->skip_zeros; }

void hg_host_room_widen(hg_host_room *room, int cols, const hg_exchange_packing *packing)
{
  size_t packed = packs(packing) && cols > 0 ? hg_exchange_row_bytes(packing, cols) : 0;
  if (cols > room->cols) room->cols = cols;
  if (packed > room->packed) room->packed = packed;
  room->rounds = room->rounds || (packed > 0 && packing->format != HG_PACK_REAL);
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

size_t hg_host_exchange_bytes(const hg_links *links, hg_exchange_kind kind, const hg_host_room *room)
{
  const hg_host_routes *routes = links->hosts;
  if (!routes) return 0;
  size_t bytes = shared_bytes(routes, kind, room->cols);
  if (room->rounds) bytes += (size_t)routes->served[kind] * sizeof(hg_gid);
  if (room->packed == 0) return bytes;
  return bytes + packed_bytes(routes, room->packed) + ((size_t)largest_message(routes) + 1) * sizeof(hg_off);
}

static hg_status check_size(const hg_host_route *r, const hg_host_room *room)
{
  bool in_bytes = room->packed > (size_t)room->cols;
  hg_off most = r->rows * (in_bytes ? (hg_off)room->packed : room->cols);
  if (most <= INT_MAX) return HG_OK;
  return hg_fail(HG_ERR_INPUT,
                 "a message between two hosts would have %d rows of %d columns, which is %lld %s; at most %d are "
                 "possible: use halo.hosts ranks, more hosts or narrower layers",
                 r->rows, room->cols, (long long)most, in_bytes ? "bytes" : "numbers", INT_MAX);
}

static hg_status list_flows(hg_host_exchange *e)
{
  const hg_host_routes *routes = e->routes;
  bool fill = e->kind == HG_FILL_HALO;
  int n_sends = fill ? routes->n_out : routes->n_in, n = routes->n_out + routes->n_in;
  hg_status rc = HG_OK;
  HG_TRY(HG_ALLOC(e->flows, n, "messages between hosts"));
  for (int k = 0; k < n; k++) {
    hg_host_flow *f = &e->flows[e->n_flows++];
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
static hg_status grow_packed(hg_host_exchange *e, size_t row_bytes)
{
  hg_off at = 0;
  hg_status rc = HG_OK;
  hg_free(&e->packed);
  if (!e->starts) HG_TRY(HG_ALLOC(e->starts, largest_message(e->routes) + 1, "starts of packed rows"));
  HG_TRY(HG_ALLOC(e->packed, packed_bytes(e->routes, row_bytes), "messages between hosts"));
  for (hg_host_flow *f = e->flows; f < e->flows + e->n_flows; f++) {
    if (!f->serves) continue;
    f->packed = e->packed + at;
    at += f->route->rows * (hg_off)row_bytes;
  }
  e->room.packed = row_bytes;
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
static hg_status check_room(const hg_host_exchange *e, size_t row_bytes, MPI_Comm machine)
{
  enum { MORE = 1 << 20 }; // ends of pages, and what MPI itself keeps
  const char *chosen = getenv("OMPI_MCA_osc_sm_backing_directory"), *folder = chosen ? chosen : "/dev/shm";
  int64_t bytes = e->routes->served[e->kind] * (int64_t)row_bytes;
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
static hg_status open_window(hg_host_exchange *e, size_t row_bytes, MPI_Comm host)
{
  MPI_Errhandler handler;
  MPI_Info info;
  void *mine = NULL;
  e->bytes = (size_t)e->routes->served[e->kind] * row_bytes;
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
  return HG_OK;
}

// Where the rows of a flow's message begin in its server's memory.
static void *rows_in_window(const hg_host_exchange *e, const hg_host_flow *f, size_t row_bytes)
{
  char *begin;
  MPI_Aint bytes;
  int unit;
  MPI_Win_shared_query(e->window, f->route->server, &bytes, &unit, (void *)&begin);
  return begin + (size_t)f->route->at[e->kind] * row_bytes;
}

// The ids of the rows that this rank sends to its servers.
static void write_ids(const hg_host_exchange *e, const hg_host_flow *f, const hg_gid *ids)
{
  const hg_host_routes *routes = e->routes;
  const hg_host_route *r = f->route;
  hg_gid *to = rows_in_window(e, f, sizeof *to);
  for (hg_lid k = r->begin; k < r->end; k++) {
    if (e->kind == HG_FILL_HALO)
      to[r->place + k - r->begin] = ids[routes->out_rows[k]];
    else
      to[routes->in_places[k]] = ids[e->n_owned + routes->in_rows[k]];
  }
}

// Once, by memory that the host shares meanwhile, before the rows' own is there.
static hg_status tell_ids(hg_host_exchange *e, hg_world *world, const hg_gid *ids)
{
  MPI_Comm host = hg_world_host_comm(world);
  hg_status rc = HG_OK;
  HG_TRY_ALL(world, "preparing an exchange", HG_ALLOC(e->ids, e->routes->served[e->kind], "ids of rows"));
  HG_TRY_ALL(world, "preparing an exchange", check_room(e, sizeof *e->ids, hg_world_machine_comm(world)));
  HG_TRY_ALL(world, "preparing an exchange", open_window(e, sizeof *e->ids, host));
  MPI_Barrier(host); // all have emptied theirs
  for (int k = 0; k < e->n_flows; k++)
    if (e->flows[k].sends) write_ids(e, &e->flows[k], ids);
  MPI_Win_sync(e->window);
  MPI_Barrier(host);
  MPI_Win_sync(e->window);
  for (int k = 0; k < e->n_flows; k++) {
    const hg_host_flow *f = &e->flows[k];
    if (!f->serves || !f->sends) continue;
    memcpy(e->ids + f->route->at[e->kind], rows_in_window(e, f, sizeof *e->ids),
           (size_t)f->route->rows * sizeof *e->ids);
  }
  e->room.rounds = true;
done:
  close_window(e);
  return rc;
}

// Requests between a server and a member of its host go by a tag of their pair of hosts, and of who tells whom.
static int told_tag(const hg_host_exchange *e, const hg_host_flow *f, bool to_server)
{
  bool out = f->sends == (e->kind == HG_FILL_HALO);
  return (e->slot * 2 + to_server) * 2 * e->routes->n_hosts + (out ? 0 : e->routes->n_hosts) + f->route->host;
}

static void make_requests(hg_host_exchange *e, MPI_Comm host)
{
  for (int k = 0; k < e->n_flows; k++) {
    const hg_host_flow *f = &e->flows[k];
    int to_server = told_tag(e, f, true), to_member = told_tag(e, f, false);
    for (int i = 0; i < f->n; i++) {
      int other = f->serves ? f->route->members[i] : f->route->server, from = f->first + i, to = from + f->n;
      MPI_Recv_init(NULL, 0, MPI_BYTE, other, f->serves ? to_server : to_member, host, &e->requests[from]);
      MPI_Send_init(NULL, 0, MPI_BYTE, other, f->serves ? to_member : to_server, host, &e->requests[to]);
      e->events[from] = (hg_host_event){k, HG_HEARD};
      e->events[to] = (hg_host_event){k, HG_TOLD};
    }
    if (f->serves) e->events[f->first + 2 * f->n] = (hg_host_event){k, HG_MESSAGE};
  }
}

static hg_status check_sizes(const hg_host_exchange *e, const hg_host_room *room)
{
  hg_status rc = HG_OK;
  for (int k = 0; rc == HG_OK && k < e->n_flows; k++) rc = check_size(e->flows[k].route, room);
  return rc;
}

static hg_status grow_rows(hg_host_exchange *e, hg_world *world, int cols)
{
  size_t row_bytes = (size_t)cols * sizeof(hg_real);
  hg_status rc = HG_OK;
  close_window(e);
  HG_TRY_ALL(world, "preparing an exchange", check_room(e, row_bytes, hg_world_machine_comm(world)));
  HG_TRY_ALL(world, "preparing an exchange", open_window(e, row_bytes, hg_world_host_comm(world)));
  for (hg_host_flow *f = e->flows; f < e->flows + e->n_flows; f++) f->rows = rows_in_window(e, f, row_bytes);
  e->room.cols = cols;
done:
  return rc;
}

static hg_status grow(hg_host_exchange *e, hg_world *world, int cols, const hg_exchange_packing *packing)
{
  hg_host_room asked = {0}, room = e->room;
  hg_status rc = HG_OK;
  hg_host_room_widen(&asked, cols, packing);
  hg_host_room_widen(&room, cols, packing);
  HG_TRY_ALL(world, "preparing an exchange", check_sizes(e, &asked));
  settle(e);
  if (room.packed > e->room.packed) HG_TRY_ALL(world, "preparing an exchange", grow_packed(e, room.packed));
  if (room.rounds && !e->room.rounds) {
    int before = e->room.cols;
    close_window(e); // the ids' takes its place
    HG_TRY(tell_ids(e, world, packing->ids));
    HG_TRY(grow_rows(e, world, room.cols > before ? room.cols : before));
  } else if (room.cols > e->room.cols) {
    HG_TRY(grow_rows(e, world, room.cols));
  }
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
                                hg_exchange_kind kind, int slot, int cols, const hg_exchange_packing *packing)
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
      e->comm = hg_world_comm(world);
      e->tag = HG_TAG_EXCHANGE + slot;
    }
    HG_TRY_ALL(world, "preparing an exchange", made);
    if (e) make_requests(e, hg_world_host_comm(world)); // it is there, now that all have agreed
  } else {
    (*exchange)->users++;
  }
  if (*exchange) HG_TRY(grow(*exchange, world, cols, packing));
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
  hg_free(&e->ids);
  hg_free(&e);
}
