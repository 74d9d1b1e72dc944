#include "comm/exchange.h"

#include <math.h>
#include <omp.h>
#include <string.h>

#include "comm/exchange_state.h"
#include "comm/stale_exchange.h"
#include "core/base/threads.h"
#include "core/base/timer.h"
#include "core/tensor/nonzero.h"
#include "core/tensor/spmm.h"

void hg_exchange_pack(hg_exchange *exchange, bool packed, uint64_t seed, int epoch)
{
  exchange->packs = hg_exchange_always_packs(&exchange->packing) || (packed && hg_exchange_can_pack(exchange));
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
  hg_lid rows = exchange->kind == HG_FILL_HALO ? links->send_offsets[links->n_peers_send] : hg_crossing(links);
  return hg_matrix_view(exchange->error, rows, exchange->x.cols);
}

static hg_matrix sent_rows(const hg_exchange *e)
{
  return hg_matrix_view(e->buffer, e->links->send_offsets[e->links->n_peers_send], e->x.cols);
}

// The sums of a message's rows, from x.
static void sum_rows(const hg_exchange *e, const hg_message *m)
{
  hg_matrix sent = sent_rows(e);
  hg_spmm(&(hg_operator){.a = &e->links->sums->to}, m->first, m->end - m->first, &e->x, &sent);
}

// A message's rows to where its packed request sends them from; returns the bytes.
static size_t pack(const hg_exchange *e, const hg_message *m)
{
  bool fill = e->kind == HG_FILL_HALO, sums = fill && e->links->sums;
  const hg_lid *chosen = sums ? NULL : fill ? e->links->send_rows : e->links->recv_rows;
  hg_lid first = sums ? m->first : fill ? 0 : e->links->n_owned + (chosen ? 0 : m->first);
  const hg_matrix all = sums ? sent_rows(e) : e->x, x = hg_matrix_rows(&all, first, all.rows - first);
  uint8_t *to = (fill ? e->packed_lists : e->packed_halo) + (size_t)m->first * e->row_bytes;
  const hg_packing packing = {.format = e->packing.format,
                              .draw = e->draw,
                              .x = &x,
                              .rows = chosen ? chosen + m->first : NULL,
                              .ids = (sums ? e->links->sums->ids : e->packing.ids) + first,
                              .error = e->error ? e->error + (hg_off)m->first * e->x.cols : NULL};
  if (e->packing.skip_zeros) return hg_pack_nonzero(&packing, m->end - m->first, e->starts, to);
  const hg_adaptive adaptive = {.fraction = e->packing.fraction,
                                .weights = e->weights ? e->weights + m->first : NULL,
                                .scores = e->scores,
                                .chosen = e->chosen};
  if (hg_exchange_is_adaptive(e)) return hg_pack_adaptive(&packing, &adaptive, m->end - m->first, to);
  hg_pack_rows(&packing, m->end - m->first, to);
  return (size_t)hg_packed_in(e, m);
}

static void send_packed(hg_exchange *e, int k)
{
  const hg_message *m = &e->sends[k];
  MPI_Request *request = &e->packed_requests[e->n_receives + k];
  if (e->kind == HG_FILL_HALO && e->links->sums) sum_rows(e, m);
  size_t bytes = pack(e, m);
  e->total.bytes_sent += (int64_t)bytes;
  if (m->far) e->total.far_bytes += (int64_t)bytes;
  if (!hg_exchange_varies(e)) {
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
  if (e->packing.skip_zeros)
    hg_unpack_nonzero(e->packing.format, from, end - first, rows, !fill && !sums, e->starts, &x);
  else if (hg_exchange_is_adaptive(e))
    hg_unpack_adaptive(from, end - first, rows, !fill && !sums, e->chosen, &x);
  else
    hg_unpack_rows(e->packing.format, from, end - first, rows, !fill && !sums, &x);
}

// A message's rows of x to where they are sent from, where they do not lie together there already.
static void gather(const hg_exchange *e, const hg_message *m)
{
  bool fill = e->kind == HG_FILL_HALO;
  hg_off cols = e->x.cols;
  size_t bytes = (size_t)cols * sizeof(hg_real);
  const hg_lid *rows = fill ? e->links->send_rows : e->links->recv_rows;
  const hg_real *from = fill ? e->x.data : hg_halo_row(e, 0);
  hg_real *to = fill ? e->buffer : e->halo;
  if (!rows) return;
  if (fill && e->links->sums) {
    sum_rows(e, m);
    return;
  }
#pragma omp parallel for num_threads(hg_threads()) schedule(static) if (hg_numbers_in(e, m) >= HG_EXCHANGE_PARALLEL)
  for (hg_lid k = m->first; k < m->end; k++) memcpy(to + k * cols, from + rows[k] * cols, bytes);
}

#ifndef NDEBUG
// Whoever reads a halo row before the end of the exchange shall see it.
static void poison_halo(const hg_exchange *e)
{
  const hg_lid *rows = e->links->recv_rows;
  for (hg_lid k = 0; k < hg_crossing(e->links); k++)
    for (int c = 0; c < e->x.cols; c++) hg_halo_row(e, rows ? rows[k] : k)[c] = (hg_real)NAN;
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
  e->arrived = e->n_receives + e->n_sends == 0 && !e->hosts;
  double start = hg_now_s(), packed = e->total.packed_s;
  if (e->hosts) hg_host_exchange_begin(e->hosts, &e->x, e->packs ? &e->packing : NULL, e->draw, &e->total);
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
  if (!e->packs) e->total.far_bytes += e->far_bytes;
  e->total.messages_sent += e->n_sends;
  e->total.far_messages += e->n_far;
  e->began_at = hg_now_s();
  e->total.packed_s = e->packed_s = packed + e->began_at - start; // what a server packed for its host is in it
}

static void note_arrival(hg_exchange *e, double now)
{
  e->arrived = true;
  e->total.under_way_s += now - e->began_at - (e->total.packed_s - e->packed_s); // a server packs meanwhile
}

void hg_exchange_progress(hg_exchange *exchange)
{
  int done;
  if (exchange->stale) hg_stale_exchange_progress(exchange->stale);
  if (!exchange->under_way || exchange->arrived) return;
  MPI_Testall(exchange->n_receives + exchange->n_sends, requests_of(exchange), &done, MPI_STATUSES_IGNORE);
  if (exchange->hosts) done = hg_host_exchange_progress(exchange->hosts) && done;
  if (done) note_arrival(exchange, hg_now_s());
}

// threads that have room for sums
static int team(const hg_exchange *e) { return hg_threads() < e->threads ? hg_threads() : e->threads; }

// What arrived in reals or packed, to the nodes of each sum; each number is summed in the order of the send lists.
static void add_sums(const hg_exchange *e)
{
  const hg_link_sums *sums = e->links->sums;
  const hg_operator back = {.a = &sums->back};
  hg_off n = sums->n_touched, cols = e->x.cols, blocks = (n + HG_ARRIVED_ROWS - 1) / HG_ARRIVED_ROWS;
  const hg_matrix arrived = sent_rows(e);
  for (int k = 0; e->packs && k < e->n_receives; k++) unpack(e, e->receives[k].first, e->receives[k].end);
#pragma omp parallel for num_threads(team(e)) schedule(static) if (n * cols >= HG_EXCHANGE_PARALLEL)
  for (hg_off block = 0; block < blocks; block++) {
    hg_off first = block * HG_ARRIVED_ROWS, count = n - first < HG_ARRIVED_ROWS ? n - first : HG_ARRIVED_ROWS;
    hg_matrix rows = hg_matrix_view(e->sums + omp_get_thread_num() * HG_ARRIVED_ROWS * cols, count, e->x.cols);
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
#pragma omp parallel for num_threads(hg_threads()) schedule(static) if ((end - first) * cols >= HG_EXCHANGE_PARALLEL)
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
  hg_off n = hg_crossing(e->links), cols = e->x.cols;
  for (int k = 0; e->packs && k < e->n_receives; k++) unpack(e, e->receives[k].first, e->receives[k].end);
  if (e->packs || !rows) return;
#pragma omp parallel for num_threads(hg_threads()) schedule(static) if (n * cols >= HG_EXCHANGE_PARALLEL)
  for (hg_off k = 0; k < n; k++) memcpy(halo.data + rows[k] * cols, e->halo + k * cols, (size_t)cols * sizeof(hg_real));
}

void hg_exchange_end(hg_exchange *exchange)
{
  hg_exchange *e = exchange;
  if (e->stale) hg_stale_exchange_end(e->stale);
  if (!e->under_way) return;
  double start = hg_now_s(), end = start, packed = e->total.packed_s;
  if (!e->arrived) {
    if (e->hosts) hg_host_exchange_wait(e->hosts);
    MPI_Waitall(e->n_receives + e->n_sends, requests_of(e), MPI_STATUSES_IGNORE);
    end = hg_now_s();
    e->total.waited_s += end - start - (e->total.packed_s - packed);
    note_arrival(e, end);
  }
  if (e->kind == HG_ADD_HALO)
    add_arrivals(e);
  else
    fill_halo(e);
  if (e->hosts) hg_host_exchange_take(e->hosts);
  e->total.packed_s += hg_now_s() - end;
  e->under_way = false;
}

void hg_traffic_add(hg_traffic *sum, const hg_traffic *more)
{
  sum->bytes_sent += more->bytes_sent;
  sum->messages_sent += more->messages_sent;
  sum->far_bytes += more->far_bytes;
  sum->far_messages += more->far_messages;
  sum->under_way_s += more->under_way_s;
  sum->waited_s += more->waited_s;
  sum->packed_s += more->packed_s;
}

hg_traffic hg_exchange_traffic(const hg_exchange *exchange) { return exchange->total; }
