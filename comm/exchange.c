#include "comm/exchange.h"

#include <limits.h>
#include <math.h>
#include <omp.h>
#include <stdlib.h>
#include <string.h>

#include "comm/stale_exchange.h"
#include "comm/tags.h"
#include "comm/world_mpi.h"
#include "core/base/alloc.h"
#include "core/base/threads.h"
#include "core/base/timer.h"
#include "core/tensor/spmm.h"

enum {
  PARALLEL_NUMBERS = 1 << 15, // fewer are moved by one thread: waking the others costs as much
  ARRIVED_ROWS = 96           // of sums that are refined at a time
};

// One message: rows [first, end) of the send lists or of the halo.
typedef struct {
  int peer, distance; // distance: (peer - rank) mod P, so that not all ranks begin with rank 0
  hg_lid first, end;
} message;

struct hg_exchange {
  const hg_links *links;
  hg_exchange_kind kind;
  hg_matrix x;     // a view
  hg_real *buffer; // [rows of the send lists x cols] FILL: gathered rows; ADD: what arrives
  hg_real *halo;   // [links->recv_rows x cols] or NULL: what crosses lies in x as it crosses
  hg_real *sums;   // ADD on links of sums: [threads x ARRIVED_ROWS x cols] what arrived for some nodes
  int threads;     // of `sums`
  hg_refine_arrivals *refine;
  void *refine_context;
  int n_sends, n_receives;
  message *sends, *receives; // [n_sends], [n_receives] in the order in which they are started
  MPI_Request *requests;     // [n_receives + n_sends] receives first
  bool under_way, arrived;   // arrived: its last message was seen to be through
  double began_at;           // when hg_exchange_begin ended
  int64_t bytes;             // of the messages of one exchange
  hg_traffic total;
  hg_stale_exchange *stale; // borrowed, or NULL: what takes its messages' place

  // of exchanges that can pack: the same messages once more, in bytes
  hg_exchange_packing packing;
  bool packs; // the next or present one
  hg_pack_draw draw;
  size_t row_bytes;
  uint8_t *packed_lists;        // [rows of the send lists x row_bytes] stands in `buffer`, but on links of sums
  uint8_t *packed_halo;         // [n_halo x row_bytes]
  hg_real *error;               // [rows sent x cols] or NULL
  MPI_Request *packed_requests; // like `requests`

  // of HG_PACK_ADAPTIVE: sends are made anew each time, since their sizes vary; row_bytes is the most
  MPI_Comm comm;
  int tag;
  float *weights; // FILL: [rows of the send lists] what their receivers told
  float *scores;  // [rows of the send lists or n_halo, the larger], like `chosen`: working space
  hg_lid *chosen;
};

static bool can_pack(const hg_exchange *e) { return e->packing.format != HG_PACK_REAL; }
static bool is_adaptive(const hg_exchange *e) { return e->packing.format == HG_PACK_ADAPTIVE; }

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

static hg_off packed_in(const hg_exchange *e, const message *m)
{
  return (hg_off)(m->end - m->first) * (hg_off)e->row_bytes;
}

static hg_status check_sizes(const hg_exchange *e, const message *list, int n)
{
  for (int k = 0; k < n; k++) {
    hg_off numbers = numbers_in(e, &list[k]), bytes = can_pack(e) ? packed_in(e, &list[k]) : 0;
    if (numbers > INT_MAX || bytes > INT_MAX)
      return hg_fail(HG_ERR_INPUT,
                     "a message between this rank and rank %d would have %d rows of %d columns, which is %lld %s; "
                     "at most %d are possible: use more ranks or narrower layers",
                     list[k].peer, list[k].end - list[k].first, e->x.cols,
                     (long long)(numbers > INT_MAX ? numbers : bytes), numbers > INT_MAX ? "numbers" : "bytes",
                     INT_MAX);
  }
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
// Where a row of the halo that crosses is sent from or received.
static hg_real *crossing_row(const hg_exchange *e, hg_lid row)
{
  return e->links->recv_rows ? e->halo + (hg_off)row * e->x.cols : halo_row(e, row);
}

static hg_real *buffer_row(const hg_exchange *e, hg_lid row) { return e->buffer + (hg_off)row * e->x.cols; }

static void make_requests(hg_exchange *e, int tag, MPI_Comm comm)
{
  bool fill = e->kind == HG_FILL_HALO;
  for (int k = 0; k < e->n_receives; k++) {
    const message *m = &e->receives[k];
    hg_real *to = fill ? crossing_row(e, m->first) : buffer_row(e, m->first);
    MPI_Recv_init(to, (int)numbers_in(e, m), HG_MPI_REAL, m->peer, tag, comm, &e->requests[k]);
  }
  for (int k = 0; k < e->n_sends; k++) {
    const message *m = &e->sends[k];
    const hg_real *from = fill ? buffer_row(e, m->first) : crossing_row(e, m->first);
    MPI_Send_init(from, (int)numbers_in(e, m), HG_MPI_REAL, m->peer, tag, comm, &e->requests[e->n_receives + k]);
    e->bytes += numbers_in(e, m) * (hg_off)sizeof(hg_real);
  }
}

static void make_packed_requests(hg_exchange *e, int tag, MPI_Comm comm)
{
  uint8_t *sent = e->kind == HG_FILL_HALO ? e->packed_lists : e->packed_halo,
          *received = e->kind == HG_FILL_HALO ? e->packed_halo : e->packed_lists;
  for (int k = 0; k < e->n_receives; k++) {
    const message *m = &e->receives[k];
    MPI_Recv_init(received + (size_t)m->first * e->row_bytes, (int)packed_in(e, m), MPI_BYTE, m->peer, tag, comm,
                  &e->packed_requests[k]);
  }
  for (int k = 0; k < e->n_sends && !is_adaptive(e); k++) {
    const message *m = &e->sends[k];
    MPI_Send_init(sent + (size_t)m->first * e->row_bytes, (int)packed_in(e, m), MPI_BYTE, m->peer, tag, comm,
                  &e->packed_requests[e->n_receives + k]);
  }
}

// What an exchange keeps, in numbers and bytes.
typedef struct {
  hg_off buffer, halo, sums, packed_lists, packed_halo, error, weights, chosen;
} buffer_sizes;

// rows of the halo that cross
static hg_lid crossing(const hg_links *links) { return links->recv_offsets[links->n_peers_recv]; }

static buffer_sizes sizes_of(const hg_links *links, hg_exchange_kind kind, int cols, const hg_exchange_packing *packing)
{
  hg_off lists = links->send_offsets[links->n_peers_send], halo = crossing(links);
  hg_off row_bytes = (hg_off)hg_pack_row_bytes(packing->format, cols), real = (hg_off)sizeof(hg_real);
  buffer_sizes s = {.buffer = lists * cols, .halo = links->recv_rows ? halo * cols : 0};
  if (links->sums && kind == HG_ADD_HALO) s.sums = (hg_off)hg_threads() * ARRIVED_ROWS * cols;
  if (packing->format == HG_PACK_REAL || cols == 0) return s;
  hg_off packed = (lists * row_bytes + real - 1) / real; // one column's integer and range are more than a real
  if (links->sums)
    s.packed_lists = lists * row_bytes;
  else if (packed > s.buffer)
    s.buffer = packed;
  s.packed_halo = halo * row_bytes;
  if (packing->error_feedback) s.error = (kind == HG_FILL_HALO ? lists : halo) * cols;
  if (packing->format != HG_PACK_ADAPTIVE) return s;
  if (kind == HG_FILL_HALO) s.weights = lists;
  s.chosen = lists > halo ? lists : halo;
  return s;
}

static bool is_lent(const hg_exchange_packing *packing, int which, hg_off numbers)
{
  const hg_matrix *lent = &packing->lent[which];
  return numbers > 0 && lent->rows * lent->cols >= numbers;
}

size_t hg_exchange_bytes(const hg_links *links, hg_exchange_kind kind, int cols, const hg_exchange_packing *packing)
{
  const buffer_sizes s = sizes_of(links, kind, cols, packing);
  hg_off own = (is_lent(packing, 0, s.buffer) ? 0 : s.buffer) + (is_lent(packing, 1, s.halo) ? 0 : s.halo);
  return (size_t)(own + s.sums + s.error) * sizeof(hg_real) + (size_t)(s.packed_lists + s.packed_halo) +
         (size_t)(s.weights + s.chosen) * sizeof(float) + (size_t)s.chosen * sizeof(hg_lid);
}

hg_matrix hg_exchange_buffer(const hg_exchange *exchange)
{
  const hg_links *links = exchange->links;
  return hg_matrix_view(exchange->buffer, links->send_offsets[links->n_peers_send], exchange->x.cols);
}

static hg_status allocate_buffer(const hg_exchange *e, int which, hg_real **buffer, hg_off size)
{
  if (!is_lent(&e->packing, which, size)) return HG_ALLOC(*buffer, size, "exchange buffer");
  *buffer = e->packing.lent[which].data;
  return HG_OK;
}

static hg_status allocate_requests(MPI_Request **requests, int n)
{
  hg_status rc = HG_ALLOC(*requests, n, "exchange requests");
  for (int k = 0; rc == HG_OK && k < n; k++) (*requests)[k] = MPI_REQUEST_NULL;
  return rc;
}

static hg_status allocate(hg_exchange *e)
{
  const buffer_sizes s = sizes_of(e->links, e->kind, e->x.cols, &e->packing);
  int n = e->n_sends + e->n_receives;
  hg_status rc = HG_OK;
  HG_TRY(allocate_requests(&e->requests, n));
  HG_TRY(allocate_buffer(e, 0, &e->buffer, s.buffer));
  HG_TRY(allocate_buffer(e, 1, &e->halo, s.halo));
  if (s.sums > 0) HG_TRY(HG_ALLOC(e->sums, s.sums, "arrived sums"));
  e->threads = hg_threads();
  if (can_pack(e)) {
    HG_TRY(allocate_requests(&e->packed_requests, n));
    HG_TRY(HG_ALLOC(e->packed_halo, s.packed_halo, "packed halo rows"));
    if (s.error > 0) HG_TRY(HG_ALLOC(e->error, s.error, "error feedback"));
    if (s.weights > 0) HG_TRY(HG_ALLOC(e->weights, s.weights, "weights of sent rows"));
    HG_TRY(HG_ALLOC(e->scores, s.chosen, "scores of sent rows"));
    HG_TRY(HG_ALLOC(e->chosen, s.chosen, "rows of some bits"));
    e->packed_lists = (uint8_t *)e->buffer;
    if (e->links->sums) HG_TRY(HG_ALLOC(e->packed_lists, s.packed_lists, "packed sums"));
  }
done:
  return rc;
}

// Everything that can fail on this rank alone.
static hg_status prepare(hg_exchange **exchange, const hg_world *world, const hg_links *links, hg_exchange_kind kind,
                         const hg_matrix *x, int slot, const hg_exchange_packing *packing)
{
  hg_status rc = HG_OK;
  bool fill = kind == HG_FILL_HALO;
  HG_TRY(check_arguments(links, x, slot));
  HG_TRY(HG_ALLOC(*exchange, 1, "exchange"));
  hg_exchange *e = *exchange;
  e->links = links;
  e->kind = kind;
  e->x = *x;
  e->packing = *packing;
  e->row_bytes = hg_pack_row_bytes(packing->format, x->cols);
  // Without columns there is nothing to send, and no message.
  int n_peers_send = x->cols > 0 ? links->n_peers_send : 0, n_peers_recv = x->cols > 0 ? links->n_peers_recv : 0;
  int n_sends = fill ? n_peers_send : n_peers_recv, n_receives = fill ? n_peers_recv : n_peers_send;
  HG_TRY(HG_ALLOC(e->sends, n_sends, "exchange messages"));
  HG_TRY(HG_ALLOC(e->receives, n_receives, "exchange messages"));
  list_messages(fill ? e->sends : e->receives, n_peers_send, links->send_peers, links->send_offsets, world);
  list_messages(fill ? e->receives : e->sends, n_peers_recv, links->recv_peers, links->recv_offsets, world);
  HG_TRY(check_sizes(e, e->sends, n_sends));
  HG_TRY(check_sizes(e, e->receives, n_receives));
  e->n_sends = n_sends;
  e->n_receives = n_receives;
  HG_TRY(allocate(e));
done:
  return rc;
}

hg_status hg_exchange_create(hg_exchange **exchange, hg_world *world, const hg_links *links, hg_exchange_kind kind,
                             hg_matrix *x, int slot)
{
  const hg_exchange_packing none = {.format = HG_PACK_REAL};
  return hg_exchange_create_packed(exchange, world, links, kind, x, slot, &none);
}

hg_status hg_exchange_create_packed(hg_exchange **exchange, hg_world *world, const hg_links *links,
                                    hg_exchange_kind kind, hg_matrix *x, int slot, const hg_exchange_packing *packing)
{
  int way = (int)kind + 2 * packing->error_feedback + 4 * (int)packing->format;
  hg_status rc = HG_OK;
  *exchange = NULL;
  HG_TRY(hg_world_same(world, x->cols, "width of an exchange"));
  HG_TRY(hg_world_same(world, slot * 4 * HG_PACK_COUNT + way, "slot, kind and packing of an exchange"));
  HG_TRY_ALL(world, "preparing an exchange", prepare(exchange, world, links, kind, x, slot, packing));
  hg_exchange *e = *exchange;
  e->comm = hg_world_comm(world);
  e->tag = HG_TAG_EXCHANGE + slot;
  make_requests(e, e->tag, e->comm);
  if (can_pack(e)) make_packed_requests(e, e->tag, e->comm);
  e->draw = (hg_pack_draw){.layer = packing->layer, .backward = kind == HG_ADD_HALO};
  if (kind == HG_ADD_HALO) e->draw.sender = hg_world_rank(world) & 0xffff;
  if (is_adaptive(e) && kind == HG_FILL_HALO && x->cols > 0) {
    const hg_lid *rows = links->recv_rows;
    // NOLINTNEXTLINE(clang-analyzer-core.NullDereference): whoever asks for adaptive bits gives weights
    for (hg_lid k = 0; k < crossing(links); k++) e->scores[k] = packing->weights[rows ? rows[k] : k];
    HG_TRY(hg_exchange_floats_back(world, links, e->scores, e->weights));
  }
done:
  if (rc != HG_OK) hg_exchange_free(exchange);
  return rc;
}

static void free_requests(MPI_Request **requests, int n)
{
  for (int k = 0; *requests && k < n; k++)
    if ((*requests)[k] != MPI_REQUEST_NULL) MPI_Request_free(&(*requests)[k]);
  hg_free(requests);
}

void hg_exchange_free(hg_exchange **exchange)
{
  hg_exchange *e = *exchange;
  if (!e) return;
  if (e->under_way) hg_exchange_end(e);
  free_requests(&e->requests, e->n_receives + e->n_sends);
  free_requests(&e->packed_requests, e->n_receives + e->n_sends);
  if (e->links->sums) hg_free(&e->packed_lists);
  hg_free(&e->packed_halo);
  hg_free(&e->sums);
  hg_free(&e->error);
  hg_free(&e->weights);
  hg_free(&e->scores);
  hg_free(&e->chosen);
  hg_free(&e->sends);
  hg_free(&e->receives);
  if (e->buffer != e->packing.lent[0].data) hg_free(&e->buffer);
  if (e->halo != e->packing.lent[1].data) hg_free(&e->halo);
  hg_free(exchange);
}

void hg_exchange_pack(hg_exchange *exchange, bool packed, uint64_t seed, int epoch)
{
  exchange->packs = packed && can_pack(exchange);
  exchange->draw.seed = seed;
  exchange->draw.epoch = epoch;
}

void hg_exchange_refine(hg_exchange *exchange, hg_refine_arrivals *refine, void *context)
{
  exchange->refine = refine;
  exchange->refine_context = context;
}

void hg_exchange_divert(hg_exchange *exchange, hg_stale_exchange *stale) { exchange->stale = stale; }

hg_stale_exchange *hg_exchange_diverted(const hg_exchange *exchange) { return exchange->stale; }

hg_matrix hg_exchange_error(const hg_exchange *exchange)
{
  const hg_links *links = exchange->links;
  if (!exchange->error) return (hg_matrix){0};
  hg_lid rows = exchange->kind == HG_FILL_HALO ? links->send_offsets[links->n_peers_send] : crossing(links);
  return hg_matrix_view(exchange->error, rows, exchange->x.cols);
}

static hg_matrix sent_rows(const hg_exchange *e)
{
  return hg_matrix_view(e->buffer, e->links->send_offsets[e->links->n_peers_send], e->x.cols);
}

// The sums of a message's rows, from x.
static void sum_rows(const hg_exchange *e, const message *m)
{
  hg_matrix sent = sent_rows(e);
  hg_spmm(&(hg_operator){.a = &e->links->sums->to}, m->first, m->end - m->first, &e->x, &sent);
}

// A message's rows to where its packed request sends them from; returns the bytes.
static size_t pack(const hg_exchange *e, const message *m)
{
  bool fill = e->kind == HG_FILL_HALO, sums = fill && e->links->sums;
  const hg_lid *chosen = sums ? NULL : fill ? e->links->send_rows : e->links->recv_rows;
  hg_lid first = sums ? m->first : fill ? 0 : e->links->n_owned + (chosen ? 0 : m->first);
  const hg_matrix all = sums ? sent_rows(e) : e->x, x = hg_matrix_rows(&all, first, all.rows - first);
  const hg_packing packing = {.format = e->packing.format,
                              .draw = e->draw,
                              .x = &x,
                              .rows = chosen ? chosen + m->first : NULL,
                              .ids = (sums ? e->links->sums->ids : e->packing.ids) + first,
                              .error = e->error ? e->error + (hg_off)m->first * e->x.cols : NULL};
  uint8_t *to = (fill ? e->packed_lists : e->packed_halo) + (size_t)m->first * e->row_bytes;
  const hg_adaptive adaptive = {.fraction = e->packing.fraction,
                                .weights = e->weights ? e->weights + m->first : NULL,
                                .scores = e->scores,
                                .chosen = e->chosen};
  if (is_adaptive(e)) return hg_pack_adaptive(&packing, &adaptive, m->end - m->first, to);
  hg_pack_rows(&packing, m->end - m->first, to);
  return (size_t)packed_in(e, m);
}

static void send_packed(hg_exchange *e, int k)
{
  const message *m = &e->sends[k];
  MPI_Request *request = &e->packed_requests[e->n_receives + k];
  if (e->kind == HG_FILL_HALO && e->links->sums) sum_rows(e, m);
  size_t bytes = pack(e, m);
  e->total.bytes_sent += (int64_t)bytes;
  if (!is_adaptive(e)) {
    MPI_Start(request);
    return;
  }
  const uint8_t *from = e->kind == HG_FILL_HALO ? e->packed_lists : e->packed_halo;
  MPI_Isend(from + (size_t)m->first * e->row_bytes, (int)bytes, MPI_BYTE, m->peer, e->tag, e->comm, request);
}

// Rows [first, end) of the send lists or of the halo from where their message arrived.
static void unpack(const hg_exchange *e, hg_lid first, hg_lid end)
{
  bool fill = e->kind == HG_FILL_HALO, sums = !fill && e->links->sums;
  const hg_lid *chosen = sums ? NULL : fill ? e->links->recv_rows : e->links->send_rows;
  hg_lid start = sums ? first : fill ? e->links->n_owned + (chosen ? 0 : first) : 0;
  const hg_matrix all = sums ? sent_rows(e) : e->x;
  hg_matrix x = hg_matrix_rows(&all, start, all.rows - start);
  const uint8_t *from = (fill ? e->packed_halo : e->packed_lists) + (size_t)first * e->row_bytes;
  const hg_lid *rows = chosen ? chosen + first : NULL;
  if (is_adaptive(e))
    hg_unpack_adaptive(from, end - first, rows, !fill && !sums, e->chosen, &x);
  else
    hg_unpack_rows(e->packing.format, from, end - first, rows, !fill && !sums, &x);
}

// A message's rows of x to where they are sent from, where they do not lie together there already.
static void gather(const hg_exchange *e, const message *m)
{
  bool fill = e->kind == HG_FILL_HALO;
  hg_off cols = e->x.cols;
  size_t bytes = (size_t)cols * sizeof(hg_real);
  const hg_lid *rows = fill ? e->links->send_rows : e->links->recv_rows;
  const hg_real *from = fill ? e->x.data : halo_row(e, 0);
  hg_real *to = fill ? e->buffer : e->halo;
  if (!rows) return;
  if (fill && e->links->sums) {
    sum_rows(e, m);
    return;
  }
#pragma omp parallel for num_threads(hg_threads()) schedule(static) if (numbers_in(e, m) >= PARALLEL_NUMBERS)
  for (hg_lid k = m->first; k < m->end; k++) memcpy(to + k * cols, from + rows[k] * cols, bytes);
}

#ifndef NDEBUG
// Whoever reads a halo row before the end of the exchange shall see it.
static void poison_halo(const hg_exchange *e)
{
  const hg_lid *rows = e->links->recv_rows;
  for (hg_lid k = 0; k < crossing(e->links); k++)
    for (int c = 0; c < e->x.cols; c++) halo_row(e, rows ? rows[k] : k)[c] = (hg_real)NAN;
}
#endif

static MPI_Request *requests_of(const hg_exchange *e) { return e->packs ? e->packed_requests : e->requests; }

void hg_exchange_begin(hg_exchange *exchange)
{
  hg_exchange *e = exchange;
  MPI_Request *receives = requests_of(e), *sends = receives + e->n_receives;
  if (e->stale) {
    hg_stale_exchange_begin(e->stale);
    return;
  }
#ifndef NDEBUG
  if (e->kind == HG_FILL_HALO) poison_halo(e);
#endif
  e->under_way = true;
  e->arrived = false;
  double start = hg_now_s();
  if (e->n_receives > 0) MPI_Startall(e->n_receives, receives);
  for (int k = 0; k < e->n_sends; k++) {
    if (e->packs) {
      send_packed(e, k);
      continue;
    }
    gather(e, &e->sends[k]);
    MPI_Start(&sends[k]); // each as soon as it is packed
  }
  if (!e->packs) e->total.bytes_sent += e->bytes;
  e->total.messages_sent += e->n_sends;
  e->began_at = hg_now_s();
  e->total.packed_s += e->began_at - start;
}

static void note_arrival(hg_exchange *e, double now)
{
  e->arrived = true;
  e->total.under_way_s += now - e->began_at;
}

void hg_exchange_progress(hg_exchange *exchange)
{
  int done;
  if (exchange->stale) hg_stale_exchange_progress(exchange->stale);
  if (!exchange->under_way || exchange->arrived) return;
  MPI_Testall(exchange->n_receives + exchange->n_sends, requests_of(exchange), &done, MPI_STATUSES_IGNORE);
  if (done) note_arrival(exchange, hg_now_s());
}

// threads that have room for sums
static int team(const hg_exchange *e) { return hg_threads() < e->threads ? hg_threads() : e->threads; }

// What arrived in reals or packed, to the nodes of each sum; each number is summed in the order of the send lists.
static void add_sums(const hg_exchange *e)
{
  const hg_link_sums *sums = e->links->sums;
  const hg_operator back = {.a = &sums->back};
  hg_off n = sums->n_touched, cols = e->x.cols, blocks = (n + ARRIVED_ROWS - 1) / ARRIVED_ROWS;
  const hg_matrix arrived = sent_rows(e);
  for (int k = 0; e->packs && k < e->n_receives; k++) unpack(e, e->receives[k].first, e->receives[k].end);
#pragma omp parallel for num_threads(team(e)) schedule(static) if (n * cols >= PARALLEL_NUMBERS)
  for (hg_off block = 0; block < blocks; block++) {
    hg_off first = block * ARRIVED_ROWS, count = n - first < ARRIVED_ROWS ? n - first : ARRIVED_ROWS;
    hg_matrix rows = hg_matrix_view(e->sums + omp_get_thread_num() * ARRIVED_ROWS * cols, count, e->x.cols);
    hg_spmm_block(&back, first, count, &arrived, &rows);
    if (e->refine) e->refine(e->refine_context, first, count, &rows);
    for (hg_off k = 0; k < count; k++) {
      hg_real *restrict x = e->x.data + sums->touched[first + k] * cols;
      const hg_real *restrict from = rows.data + k * cols;
      for (hg_off c = 0; c < cols; c++) x[c] += from[c];
    }
  }
}

// Peer after peer, so that each number is summed in the same order in every repetition; the rows of one peer are all
// different.
static void add_arrivals(const hg_exchange *e)
{
  const hg_links *links = e->links;
  hg_off cols = e->x.cols;
  if (links->sums) {
    add_sums(e);
    return;
  }
  for (int p = 0; p < links->n_peers_send; p++) {
    hg_lid first = links->send_offsets[p], end = links->send_offsets[p + 1];
    if (e->packs) {
      unpack(e, first, end);
      continue;
    }
#pragma omp parallel for num_threads(hg_threads()) schedule(static) if ((end - first) * cols >= PARALLEL_NUMBERS)
    for (hg_lid k = first; k < end; k++) {
      hg_real *restrict to = e->x.data + links->send_rows[k] * cols;
      const hg_real *restrict from = e->buffer + k * cols;
      for (hg_off c = 0; c < cols; c++) to[c] += from[c];
    }
  }
}

// What came as it is stands in its place already, or in that of the rows that cross.
static void fill_halo(const hg_exchange *e)
{
  hg_matrix halo = hg_matrix_rows(&e->x, e->links->n_owned, e->links->n_halo);
  const hg_lid *rows = e->links->recv_rows;
  hg_off n = crossing(e->links), cols = e->x.cols;
  for (int k = 0; e->packs && k < e->n_receives; k++) unpack(e, e->receives[k].first, e->receives[k].end);
  if (e->packs || !rows) return;
#pragma omp parallel for num_threads(hg_threads()) schedule(static) if (n * cols >= PARALLEL_NUMBERS)
  for (hg_off k = 0; k < n; k++) memcpy(halo.data + rows[k] * cols, e->halo + k * cols, (size_t)cols * sizeof(hg_real));
}

void hg_exchange_end(hg_exchange *exchange)
{
  hg_exchange *e = exchange;
  if (e->stale) hg_stale_exchange_end(e->stale);
  if (!e->under_way) return;
  double start = hg_now_s(), end = start;
  if (!e->arrived) {
    MPI_Waitall(e->n_receives + e->n_sends, requests_of(e), MPI_STATUSES_IGNORE);
    end = hg_now_s();
    e->total.waited_s += end - start;
    note_arrival(e, end);
  }
  if (e->kind == HG_ADD_HALO)
    add_arrivals(e);
  else
    fill_halo(e);
  e->total.packed_s += hg_now_s() - end;
  e->under_way = false;
}

void hg_traffic_add(hg_traffic *sum, const hg_traffic *more)
{
  sum->bytes_sent += more->bytes_sent;
  sum->messages_sent += more->messages_sent;
  sum->under_way_s += more->under_way_s;
  sum->waited_s += more->waited_s;
  sum->packed_s += more->packed_s;
}

hg_traffic hg_exchange_traffic(const hg_exchange *exchange) { return exchange->total; }
