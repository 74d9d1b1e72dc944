#include "comm/host_exchange.h"

#include <math.h>
#include <string.h>

#include "comm/host_exchange_state.h"
#include "core/base/threads.h"
#include "core/base/timer.h"

static void tell(hg_host_exchange *e, const hg_host_flow *f)
{
  MPI_Request *out = &e->requests[f->first + f->n];
  MPI_Waitall(f->n, out, MPI_STATUSES_IGNORE); // those of last time, which were heard long ago
  MPI_Startall(f->n, out);
}

static void listen(hg_host_exchange *e, const hg_host_flow *f) { MPI_Startall(f->n, &e->requests[f->first]); }

static hg_real *row_at(const hg_host_exchange *e, const hg_host_flow *f, hg_lid row)
{
  return f->rows + (hg_off)row * e->x.cols;
}

static void add_row(hg_real *restrict to, const hg_real *restrict from, hg_off cols)
{
  for (hg_off c = 0; c < cols; c++) to[c] += from[c];
}

// Gradients of the same node from several ranks of this host, in ascending order of ranks.
static void add_extras(hg_host_exchange *e, const hg_host_flow *f)
{
  const hg_host_route *r = f->route;
  hg_off cols = e->x.cols;
#pragma omp parallel for num_threads(hg_threads()) schedule(static) if (r->extras * cols >= HG_EXCHANGE_PARALLEL)
  for (hg_lid s = 0; s < r->n_sums; s++)
    for (hg_lid k = r->addends[s]; k < r->addends[s + 1]; k++) add_row(row_at(e, f, r->sums[s]), row_at(e, f, k), cols);
}

static hg_matrix rows_of(const hg_host_exchange *e, const hg_host_flow *f)
{
  return hg_matrix_view(f->rows, f->route->rows, e->x.cols);
}

// Of reals without zeros the size varies, of rounded rows with them it does not.
static size_t pack_message(const hg_host_exchange *e, const hg_host_flow *f, const hg_matrix *rows)
{
  const hg_packing packing = {
      .format = e->packing->format, .draw = e->draw, .x = rows, .ids = e->ids ? e->ids + f->route->at[e->kind] : NULL};
  if (e->packing->skip_zeros) return hg_pack_nonzero(&packing, rows->rows, e->starts, f->packed);
  hg_pack_rows(&packing, rows->rows, f->packed);
  return (size_t)rows->rows * hg_exchange_row_bytes(e->packing, rows->cols);
}

static void send_message(hg_host_exchange *e, const hg_host_flow *f)
{
  MPI_Request *request = &e->requests[f->first + 2 * f->n];
  const hg_matrix rows = rows_of(e, f);
  int64_t bytes = rows.rows * rows.cols * (int64_t)sizeof(hg_real);
  double start = hg_now_s();
  MPI_Win_sync(e->window);
  if (e->kind == HG_ADD_HALO) add_extras(e, f);
  if (e->packing) {
    bytes = (int64_t)pack_message(e, f, &rows);
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

static void receive_message(hg_host_exchange *e, hg_host_flow *f)
{
  f->held = false;
  f->awaited = f->n;
  listen(e, f); // for when they have read it
  MPI_Request *request = &e->requests[f->first + 2 * f->n];
  int rows = f->route->rows, cols = e->x.cols; // sizes were checked
  if (e->packing)
    MPI_Irecv(f->packed, rows * (int)hg_exchange_row_bytes(e->packing, cols), MPI_BYTE, f->route->peer, e->tag, e->comm,
              request);
  else
    MPI_Irecv(f->rows, rows * cols, HG_MPI_REAL, f->route->peer, e->tag, e->comm, request);
}

// A member has written or read, or the server tells that a message has left or arrived.
static void hear(hg_host_exchange *e, hg_host_flow *f)
{
  if (!f->serves) {
    e->open--;
    return;
  }
  if (--f->awaited > 0) return;
  if (f->sends) send_message(e, f);
  if (f->held) receive_message(e, f);
}

static void unpack_message(hg_host_exchange *e, const hg_host_flow *f)
{
  hg_matrix rows = rows_of(e, f);
  double start = hg_now_s();
  if (e->packing->skip_zeros)
    hg_unpack_nonzero(e->packing->format, f->packed, rows.rows, NULL, false, e->starts, &rows);
  else
    hg_unpack_rows(e->packing->format, f->packed, rows.rows, NULL, false, &rows);
  e->traffic->packed_s += hg_now_s() - start;
}

static void handle(hg_host_exchange *e, int n)
{
  for (int k = 0; k < n; k++) {
    const hg_host_event *v = &e->events[e->completed[k]];
    hg_host_flow *f = &e->flows[v->flow];
    if (v->kind == HG_HEARD) hear(e, f);
    if (v->kind != HG_MESSAGE) continue;
    if (e->packing && !f->sends) unpack_message(e, f);
    MPI_Win_sync(e->window);
    tell(e, f);
    e->open--;
  }
}

// This rank's rows of a message to where they are sent from.
static void write_rows(hg_host_exchange *e, const hg_host_flow *f)
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
static void read_rows(hg_host_exchange *e, const hg_host_flow *f)
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
static void poison_halo(const hg_host_exchange *e, const hg_host_flow *f)
{
  hg_real *halo = e->x.data + (hg_off)e->n_owned * e->x.cols;
  for (hg_lid k = f->route->begin; k < f->route->end; k++)
    for (int c = 0; c < e->x.cols; c++) halo[(hg_off)e->routes->in_rows[k] * e->x.cols + c] = (hg_real)NAN;
}
#endif

static void begin_sending(hg_host_exchange *e, hg_host_flow *f)
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

static void begin_receiving(hg_host_exchange *e, hg_host_flow *f)
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

void hg_host_exchange_begin(hg_host_exchange *exchange, const hg_matrix *x, const hg_exchange_packing *packing,
                            hg_pack_draw draw, hg_traffic *traffic)
{
  hg_host_exchange *e = exchange;
  e->x = *x;
  e->packing = packing;
  e->draw = draw;
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
    const hg_host_flow *f = &e->flows[k];
    if (f->sends) continue;
    if (f->route->end > f->route->begin) read_rows(e, f);
    if (!f->serves) tell(e, f);
  }
}
