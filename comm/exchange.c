#include "comm/exchange.h"

#include <limits.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "comm/tags.h"
#include "comm/world_mpi.h"
#include "core/base/alloc.h"
#include "core/base/threads.h"

enum { PARALLEL_NUMBERS = 1 << 15 }; // fewer are moved by one thread: waking the others costs as much

// One message: rows [first, end) of the send lists or of the halo.
typedef struct {
  int peer, distance; // distance: (peer - rank) mod P, so that not all ranks begin with rank 0
  hg_lid first, end;
} message;

struct hg_exchange {
  const hg_links *links;
  hg_exchange_kind kind;
  hg_matrix x;     // a view
  hg_real *buffer; // [rows of the send lists x cols] FILL: packed rows; ADD: what arrives
  int n_sends, n_receives;
  message *sends, *receives; // [n_sends], [n_receives] in the order in which they are started
  MPI_Request *requests;     // [n_receives + n_sends] receives first
  bool under_way;
  hg_traffic one, total; // of one exchange; since the creation
};

static int by_size_then_distance(const void *a, const void *b)
{
  const message *x = a, *y = b;
  hg_lid n = x->end - x->first, m = y->end - y->first;
  if (n != m) return n < m ? 1 : -1;
  return (x->distance > y->distance) - (x->distance < y->distance);
}

static void list_messages(message *list, int n, const int *peers, const hg_lid *offsets, const hg_world *world)
{
  int rank = hg_world_rank(world), size = hg_world_size(world);
  for (int k = 0; k < n; k++)
    list[k] = (message){
        .peer = peers[k], .distance = (peers[k] - rank + size) % size, .first = offsets[k], .end = offsets[k + 1]};
  if (n > 0) qsort(list, (size_t)n, sizeof *list, by_size_then_distance);
}

static hg_off numbers_in(const hg_exchange *e, const message *m) { return (hg_off)(m->end - m->first) * e->x.cols; }

static hg_status check_sizes(const hg_exchange *e, const message *list, int n)
{
  for (int k = 0; k < n; k++)
    if (numbers_in(e, &list[k]) > INT_MAX)
      return hg_fail(HG_ERR_INPUT,
                     "a message between this rank and rank %d would have %d rows of %d columns, which is %lld numbers; "
                     "at most %d are "
                     "possible: use more ranks or narrower layers",
                     list[k].peer, list[k].end - list[k].first, e->x.cols, (long long)numbers_in(e, &list[k]), INT_MAX);
  return HG_OK;
}

static hg_status check_arguments(const hg_links *links, const hg_matrix *x, int slot)
{
  if (slot < 0 || slot >= HG_EXCHANGE_SLOTS)
    return hg_fail(HG_ERR_INTERNAL, "exchange slot %d, but they are 0 to %d", slot, HG_EXCHANGE_SLOTS - 1);
  hg_off rows = (hg_off)links->n_owned + links->n_halo;
  if (x->rows != rows)
    return hg_fail(HG_ERR_INTERNAL, "exchange of a matrix with %lld rows, but the part has %lld nodes",
                   (long long)x->rows, (long long)rows);
  return HG_OK;
}

static hg_real *halo_row(const hg_exchange *e, hg_lid row)
{
  return e->x.data + ((hg_off)e->links->n_owned + row) * e->x.cols;
}
static hg_real *buffer_row(const hg_exchange *e, hg_lid row) { return e->buffer + (hg_off)row * e->x.cols; }

static void make_requests(hg_exchange *e, int tag, MPI_Comm comm)
{
  bool fill = e->kind == HG_FILL_HALO;
  for (int k = 0; k < e->n_receives; k++) {
    const message *m = &e->receives[k];
    hg_real *to = fill ? halo_row(e, m->first) : buffer_row(e, m->first);
    MPI_Recv_init(to, (int)numbers_in(e, m), HG_MPI_REAL, m->peer, tag, comm, &e->requests[k]);
  }
  for (int k = 0; k < e->n_sends; k++) {
    const message *m = &e->sends[k];
    const hg_real *from = fill ? buffer_row(e, m->first) : halo_row(e, m->first);
    MPI_Send_init(from, (int)numbers_in(e, m), HG_MPI_REAL, m->peer, tag, comm, &e->requests[e->n_receives + k]);
    e->one.bytes_sent += numbers_in(e, m) * (hg_off)sizeof(hg_real);
  }
  e->one.messages_sent = e->n_sends;
}

// Everything that can fail on this rank alone.
static hg_status prepare(hg_exchange **exchange, const hg_world *world, const hg_links *links, hg_exchange_kind kind,
                         const hg_matrix *x, int slot)
{
  hg_status rc = HG_OK;
  bool fill = kind == HG_FILL_HALO;
  HG_TRY(check_arguments(links, x, slot));
  HG_TRY(HG_ALLOC(*exchange, 1, "exchange"));
  hg_exchange *e = *exchange;
  e->links = links;
  e->kind = kind;
  e->x = *x;
  // Without columns there is nothing to send, and no message.
  int n_peers_send = x->cols > 0 ? links->n_peers_send : 0, n_peers_recv = x->cols > 0 ? links->n_peers_recv : 0;
  int n_sends = fill ? n_peers_send : n_peers_recv, n_receives = fill ? n_peers_recv : n_peers_send;
  HG_TRY(HG_ALLOC(e->sends, n_sends, "exchange messages"));
  HG_TRY(HG_ALLOC(e->receives, n_receives, "exchange messages"));
  list_messages(fill ? e->sends : e->receives, n_peers_send, links->send_peers, links->send_offsets, world);
  list_messages(fill ? e->receives : e->sends, n_peers_recv, links->recv_peers, links->recv_offsets, world);
  HG_TRY(check_sizes(e, e->sends, n_sends));
  HG_TRY(check_sizes(e, e->receives, n_receives));
  HG_TRY(HG_ALLOC(e->requests, n_sends + n_receives, "exchange requests"));
  HG_TRY(HG_ALLOC(e->buffer, (hg_off)links->send_offsets[links->n_peers_send] * x->cols, "exchange buffer"));
  e->n_sends = n_sends;
  e->n_receives = n_receives;
  for (int k = 0; k < n_sends + n_receives; k++) e->requests[k] = MPI_REQUEST_NULL;
done:
  return rc;
}

hg_status hg_exchange_create(hg_exchange **exchange, hg_world *world, const hg_links *links, hg_exchange_kind kind,
                             hg_matrix *x, int slot)
{
  hg_status rc = HG_OK;
  *exchange = NULL;
  HG_TRY(hg_world_same(world, x->cols, "width of an exchange"));
  HG_TRY(hg_world_same(world, slot * 2 + (int)kind, "slot and kind of an exchange"));
  HG_TRY_ALL(world, "preparing an exchange", prepare(exchange, world, links, kind, x, slot));
  make_requests(*exchange, HG_TAG_EXCHANGE + slot, hg_world_comm(world));
done:
  if (rc != HG_OK) hg_exchange_free(exchange);
  return rc;
}

void hg_exchange_free(hg_exchange **exchange)
{
  hg_exchange *e = *exchange;
  if (!e) return;
  if (e->under_way) hg_exchange_end(e);
  for (int k = 0; k < e->n_receives + e->n_sends; k++)
    if (e->requests[k] != MPI_REQUEST_NULL) MPI_Request_free(&e->requests[k]);
  hg_free(&e->requests);
  hg_free(&e->sends);
  hg_free(&e->receives);
  hg_free(&e->buffer);
  hg_free(exchange);
}

static void pack(const hg_exchange *e, const message *m)
{
  hg_off cols = e->x.cols;
  size_t bytes = (size_t)cols * sizeof(hg_real);
  const hg_lid *rows = e->links->send_rows;
#pragma omp parallel for num_threads(hg_threads()) schedule(static) if (numbers_in(e, m) >= PARALLEL_NUMBERS)
  for (hg_lid k = m->first; k < m->end; k++) memcpy(e->buffer + k * cols, e->x.data + rows[k] * cols, bytes);
}

#ifndef NDEBUG
// Whoever reads a halo row before the end of the exchange shall see it.
static void poison_halo(const hg_exchange *e)
{
  hg_off n = (hg_off)e->links->n_halo * e->x.cols;
  for (hg_off k = 0; k < n; k++) halo_row(e, 0)[k] = (hg_real)NAN;
}
#endif

void hg_exchange_begin(hg_exchange *exchange)
{
  hg_exchange *e = exchange;
  MPI_Request *sends = e->requests + e->n_receives;
#ifndef NDEBUG
  if (e->kind == HG_FILL_HALO) poison_halo(e);
#endif
  e->under_way = true;
  if (e->n_receives > 0) MPI_Startall(e->n_receives, e->requests);
  for (int k = 0; k < e->n_sends; k++) {
    if (e->kind == HG_FILL_HALO) pack(e, &e->sends[k]);
    MPI_Start(&sends[k]); // each as soon as it is packed
  }
  e->total.bytes_sent += e->one.bytes_sent;
  e->total.messages_sent += e->one.messages_sent;
}

void hg_exchange_progress(hg_exchange *exchange)
{
  int done;
  MPI_Testall(exchange->n_receives + exchange->n_sends, exchange->requests, &done, MPI_STATUSES_IGNORE);
}

// Peer after peer, so that each number is summed in the same order in every repetition; the rows of one peer are all
// different.
static void add_arrivals(const hg_exchange *e)
{
  const hg_links *links = e->links;
  hg_off cols = e->x.cols;
  for (int p = 0; p < links->n_peers_send; p++) {
    hg_lid first = links->send_offsets[p], end = links->send_offsets[p + 1];
#pragma omp parallel for num_threads(hg_threads()) schedule(static) if ((end - first) * cols >= PARALLEL_NUMBERS)
    for (hg_lid k = first; k < end; k++) {
      hg_real *restrict to = e->x.data + links->send_rows[k] * cols;
      const hg_real *restrict from = e->buffer + k * cols;
      for (hg_off c = 0; c < cols; c++) to[c] += from[c];
    }
  }
}

void hg_exchange_end(hg_exchange *exchange)
{
  hg_exchange *e = exchange;
  if (!e->under_way) return;
  MPI_Waitall(e->n_receives + e->n_sends, e->requests, MPI_STATUSES_IGNORE);
  if (e->kind == HG_ADD_HALO) add_arrivals(e);
  e->under_way = false;
}

hg_traffic hg_exchange_traffic(const hg_exchange *exchange) { return exchange->total; }
