#include <limits.h>
#include <stdlib.h>

#include "comm/exchange_state.h"
#include "comm/host_routes.h"
#include "comm/tags.h"
#include "core/base/alloc.h"
#include "core/base/threads.h"
#include "core/tensor/nonzero.h"

static int by_size_then_distance(const void *a, const void *b)
{
  const hg_message *x = a, *y = b;
  hg_lid n = x->end - x->first, m = y->end - y->first;
  if (n != m) return n < m ? 1 : -1;
  return (x->distance > y->distance) - (x->distance < y->distance);
}

static void list_messages(hg_message *list, int n, const int *peers, const hg_lid *offsets, const hg_world *world)
{
  int rank = hg_world_rank(world), size = hg_world_size(world);
  for (int k = 0; k < n; k++)
    list[k] = (hg_message){.peer = peers[k],
                           .distance = (peers[k] - rank + size) % size,
                           .first = offsets[k],
                           .end = offsets[k + 1],
                           .far = hg_world_host_of(world, peers[k]) != hg_world_host_of(world, rank)};
  if (n > 0) qsort(list, (size_t)n, sizeof *list, by_size_then_distance);
}

static hg_status check_sizes(const hg_exchange *e, const hg_message *list, int n)
{
  for (int k = 0; k < n; k++) {
    hg_off numbers = hg_numbers_in(e, &list[k]), bytes = hg_exchange_can_pack(e) ? hg_packed_in(e, &list[k]) : 0;
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

static hg_status check_arguments(const hg_links *links, const hg_matrix *x, int slot,
                                 const hg_exchange_packing *packing)
{
  if (slot < 0 || slot >= HG_EXCHANGE_SLOTS)
    return hg_fail(HG_ERR_INTERNAL, "exchange slot %d, but they are 0 to %d", slot, HG_EXCHANGE_SLOTS - 1);
  if (links->hosts && (packing->format == HG_PACK_ADAPTIVE || packing->error_feedback))
    return hg_fail(HG_ERR_INTERNAL, "adaptive bits or error feedback on links that merge rows between hosts");
  hg_off rows = (hg_off)links->n_owned + links->n_halo;
  if (x->rows != rows)
    return hg_fail(HG_ERR_INTERNAL, "exchange of a matrix with %lld rows, but the part has %lld nodes",
                   (long long)x->rows, (long long)rows);
  return HG_OK;
}

// Where a row of the halo that crosses is sent from or received.
static hg_real *crossing_row(const hg_exchange *e, hg_lid row)
{
  return e->links->recv_rows ? e->halo + (hg_off)row * e->x.cols : hg_halo_row(e, row);
}

static hg_real *buffer_row(const hg_exchange *e, hg_lid row) { return e->buffer + (hg_off)row * e->x.cols; }

static void make_requests(hg_exchange *e, int tag, MPI_Comm comm)
{
  bool fill = e->kind == HG_FILL_HALO;
  for (int k = 0; k < e->n_receives; k++) {
    const hg_message *m = &e->receives[k];
    hg_real *to = fill ? crossing_row(e, m->first) : buffer_row(e, m->first);
    MPI_Recv_init(to, (int)hg_numbers_in(e, m), HG_MPI_REAL, m->peer, tag, comm, &e->requests[k]);
  }
  for (int k = 0; k < e->n_sends; k++) {
    const hg_message *m = &e->sends[k];
    const hg_real *from = fill ? buffer_row(e, m->first) : crossing_row(e, m->first);
    MPI_Send_init(from, (int)hg_numbers_in(e, m), HG_MPI_REAL, m->peer, tag, comm, &e->requests[e->n_receives + k]);
    e->bytes += hg_numbers_in(e, m) * (hg_off)sizeof(hg_real);
    if (!m->far) continue;
    e->far_bytes += hg_numbers_in(e, m) * (hg_off)sizeof(hg_real);
    e->n_far++;
  }
}

static void make_packed_requests(hg_exchange *e, int tag, MPI_Comm comm)
{
  uint8_t *sent = e->kind == HG_FILL_HALO ? e->packed_lists : e->packed_halo,
          *received = e->kind == HG_FILL_HALO ? e->packed_halo : e->packed_lists;
  for (int k = 0; k < e->n_receives; k++) {
    const hg_message *m = &e->receives[k];
    MPI_Recv_init(received + (size_t)m->first * e->row_bytes, (int)hg_packed_in(e, m), MPI_BYTE, m->peer, tag, comm,
                  &e->packed_requests[k]);
  }
  for (int k = 0; k < e->n_sends && !hg_exchange_varies(e); k++) {
    const hg_message *m = &e->sends[k];
    MPI_Send_init(sent + (size_t)m->first * e->row_bytes, (int)hg_packed_in(e, m), MPI_BYTE, m->peer, tag, comm,
                  &e->packed_requests[e->n_receives + k]);
  }
}

// What an exchange keeps, in numbers and bytes.
typedef struct {
  hg_off buffer, halo, sums, packed_lists, packed_halo, error, weights, chosen, starts;
} buffer_sizes;

static hg_off in_reals(hg_off bytes) { return (bytes + (hg_off)sizeof(hg_real) - 1) / (hg_off)sizeof(hg_real); }

size_t hg_exchange_row_bytes(const hg_exchange_packing *packing, int cols)
{
  return packing->skip_zeros ? hg_nonzero_row_bytes(packing->format, cols) : hg_pack_row_bytes(packing->format, cols);
}

static buffer_sizes sizes_of(const hg_links *links, hg_exchange_kind kind, int cols, const hg_exchange_packing *packing)
{
  hg_off lists = links->send_offsets[links->n_peers_send], halo = hg_crossing(links);
  hg_off row_bytes = (hg_off)hg_exchange_row_bytes(packing, cols);
  bool reals = !hg_exchange_always_packs(packing); // or no message is ever of these
  buffer_sizes s = {.buffer = lists * cols, .halo = links->recv_rows && reals ? halo * cols : 0};
  if (links->sums && kind == HG_ADD_HALO) s.sums = (hg_off)hg_threads() * HG_ARRIVED_ROWS * cols;
  if (packing->skip_zeros) s.starts = (lists > halo ? lists : halo) + 1;
  if ((packing->format == HG_PACK_REAL && reals) || cols == 0) return s;
  hg_off packed = in_reals(lists * row_bytes); // one column's integer and range are more than a real
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
  const buffer_sizes s = sizes_of(hg_links_near(links), kind, cols, packing);
  hg_off own = (is_lent(packing, 0, s.buffer) ? 0 : s.buffer) + (is_lent(packing, 1, s.halo) ? 0 : s.halo);
  hg_off packed = s.packed_lists + (is_lent(packing, 2, in_reals(s.packed_halo)) ? 0 : s.packed_halo);
  return (size_t)(own + s.sums + s.error) * sizeof(hg_real) + (size_t)packed +
         (size_t)(s.weights + s.chosen) * sizeof(float) + (size_t)s.chosen * sizeof(hg_lid) +
         (size_t)s.starts * sizeof(hg_off);
}

hg_matrix hg_exchange_buffer(const hg_exchange *exchange)
{
  const hg_links *links = exchange->links;
  return hg_matrix_view(exchange->buffer, links->send_offsets[links->n_peers_send], exchange->x.cols);
}

void hg_exchange_lend(const hg_links *links, int cols, const hg_exchange *lender, hg_exchange_packing *packing)
{
  const buffer_sizes s = sizes_of(hg_links_near(links), HG_FILL_HALO, cols, packing);
  packing->lent[0] = hg_matrix_view(lender ? lender->buffer : NULL, s.buffer, 1);
  packing->lent[2] = hg_matrix_view(lender ? (hg_real *)lender->packed_halo : NULL, in_reals(s.packed_halo), 1);
}

static hg_status allocate_buffer(const hg_exchange *e, int which, hg_real **buffer, hg_off size)
{
  if (!is_lent(&e->packing, which, size)) return HG_ALLOC(*buffer, size, "exchange buffer");
  *buffer = e->packing.lent[which].data;
  return HG_OK;
}

static hg_status allocate_packed(hg_exchange *e, hg_off size)
{
  if (!is_lent(&e->packing, 2, in_reals(size))) return HG_ALLOC(e->packed_halo, size, "packed halo rows");
  e->packed_halo = (uint8_t *)e->packing.lent[2].data;
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
  if (hg_exchange_can_pack(e)) {
    HG_TRY(allocate_requests(&e->packed_requests, n));
    HG_TRY(allocate_packed(e, s.packed_halo));
    if (s.error > 0) HG_TRY(HG_ALLOC(e->error, s.error, "error feedback"));
    if (s.weights > 0) HG_TRY(HG_ALLOC(e->weights, s.weights, "weights of sent rows"));
    HG_TRY(HG_ALLOC(e->scores, s.chosen, "scores of sent rows"));
    HG_TRY(HG_ALLOC(e->chosen, s.chosen, "rows of some bits"));
    HG_TRY(HG_ALLOC(e->starts, s.starts, "starts of packed rows"));
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
  HG_TRY(check_arguments(links, x, slot, packing));
  links = hg_links_near(links);
  HG_TRY(HG_ALLOC(*exchange, 1, "exchange"));
  hg_exchange *e = *exchange;
  e->links = links;
  e->kind = kind;
  e->x = *x;
  e->packing = *packing;
  e->row_bytes = hg_exchange_row_bytes(packing, x->cols);
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
  int way = (int)kind + 2 * packing->error_feedback + 4 * packing->skip_zeros + 8 * (int)packing->format;
  hg_status rc = HG_OK;
  *exchange = NULL;
  HG_TRY(hg_world_same(world, x->cols, "width of an exchange"));
  HG_TRY(hg_world_same(world, slot * 8 * HG_PACK_COUNT + way, "slot, kind and packing of an exchange"));
  HG_TRY_ALL(world, "preparing an exchange", prepare(exchange, world, links, kind, x, slot, packing));
  hg_exchange *e = *exchange;
  if (links->hosts && x->cols > 0) HG_TRY(hg_host_exchange_open(&e->hosts, world, links, kind, slot, x->cols, packing));
  e->comm = hg_world_comm(world);
  e->tag = HG_TAG_EXCHANGE + slot;
  if (!hg_exchange_always_packs(packing)) make_requests(e, e->tag, e->comm);
  if (hg_exchange_can_pack(e)) make_packed_requests(e, e->tag, e->comm);
  e->packs = hg_exchange_always_packs(packing);
  e->draw = (hg_pack_draw){.layer = packing->layer, .backward = kind == HG_ADD_HALO};
  if (kind == HG_ADD_HALO) e->draw.sender = hg_world_rank(world) & 0xffff;
  if (hg_exchange_is_adaptive(e) && kind == HG_FILL_HALO && x->cols > 0) {
    const hg_lid *rows = links->recv_rows;
    // NOLINTNEXTLINE(clang-analyzer-core.NullDereference): whoever asks for adaptive bits gives weights
    for (hg_lid k = 0; k < hg_crossing(links); k++) e->scores[k] = packing->weights[rows ? rows[k] : k];
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
  hg_host_exchange_close(&e->hosts);
  free_requests(&e->requests, e->n_receives + e->n_sends);
  free_requests(&e->packed_requests, e->n_receives + e->n_sends);
  if (e->links->sums) hg_free(&e->packed_lists);
  if (e->packed_halo != (uint8_t *)e->packing.lent[2].data) hg_free(&e->packed_halo);
  hg_free(&e->sums);
  hg_free(&e->error);
  hg_free(&e->weights);
  hg_free(&e->scores);
  hg_free(&e->chosen);
  hg_free(&e->starts);
  hg_free(&e->sends);
  hg_free(&e->receives);
  if (e->buffer != e->packing.lent[0].data) hg_free(&e->buffer);
  if (e->halo != e->packing.lent[1].data) hg_free(&e->halo);
  hg_free(exchange);
}
