#include "comm/stale_exchange.h"

#include <limits.h>
#include <string.h>

#include "comm/tags.h"
#include "comm/world_mpi.h"
#include "core/base/alloc.h"
#include "core/base/threads.h"
#include "core/base/timer.h"

// What one rank sends, or receives: entry k of peer p's list, offsets[p] <= k < offsets[p + 1], is row row_of(side, k)
// of x. Message p begins at byte at[p].
typedef struct {
  int n_peers;
  const int *peers;
  const hg_lid *offsets, *rows; // rows NULL: all of them in order
  hg_lid first_row;
  size_t *at; // [n_peers + 1]
} side;

// One epoch's messages: what they hold must still be known when they are taken.
typedef struct {
  bool all, packs; // all: every row, whatever the kind
  hg_pack_draw draw;
} flight;

struct hg_stale_exchange {
  hg_staleness how;
  hg_exchange_kind kind;
  hg_matrix x; // a view
  hg_exchange_packing packing;
  double smoothing;
  side out, in;
  uint8_t *outgoing, *incoming; // messages
  hg_matrix kept;               // [entries in x cols] what this rank goes on with
  hg_matrix latest;             // smoothing: as it arrived last; FILL: [n_halo x cols], ADD: [entries in x cols]
  hg_matrix sent, ages;         // SKIP: [entries out x cols], [entries out x 1] epochs since then
  double *changes;              // SKIP: [2 x longest list] squared norms of changes, and of what was sent
  hg_lid *places, *rows;        // [longest list] entries of a message, and the rows of x or `kept` that they are
  flight next, now;
  bool known;              // `kept` holds rows of an earlier epoch
  bool under_way, arrived; // arrived: seen to be through
  double began_at;
  const hg_world *world;
  MPI_Comm comm;
  int tag;
  MPI_Request *requests; // [in.n_peers + out.n_peers] receives first
  hg_traffic total;
};

const char *hg_staleness_name(hg_staleness_kind kind)
{
  static const char *const names[] = {"none", "pipeline", "delayed", "skip"};
  return names[kind];
}

static hg_lid entries(const side *s) { return s->offsets[s->n_peers]; }
static hg_lid row_of(const side *s, hg_lid k) { return s->first_row + (s->rows ? s->rows[k] : k); }
static hg_real *row_at(const hg_matrix *m, hg_off row) { return m->data + row * m->cols; }

static side side_of(const hg_links *links, bool owned, int cols)
{
  static const hg_lid none = 0;
  if (cols == 0) return (side){.offsets = &none};
  if (owned) return (side){links->n_peers_send, links->send_peers, links->send_offsets, links->send_rows, 0, NULL};
  return (side){links->n_peers_recv, links->recv_peers, links->recv_offsets, links->recv_rows, links->n_owned, NULL};
}

static hg_lid longest(const side *s)
{
  hg_lid most = 0;
  for (int p = 0; p < s->n_peers; p++)
    if (s->offsets[p + 1] - s->offsets[p] > most) most = s->offsets[p + 1] - s->offsets[p];
  return most;
}

// Bytes of the bits in front of a message of a list of n rows
static size_t head_bytes(const hg_staleness *how, hg_lid n)
{
  if (how->kind != HG_STALENESS_SKIP) return 0;
  return how->skip_per == HG_SKIP_ROWS ? ((size_t)n + 7) / 8 : 1;
}

static size_t real_bytes(int cols) { return (size_t)cols * sizeof(hg_real); }

// the most that a row takes: epochs of a warm-up send reals
static size_t most_row_bytes(int cols, hg_pack_format format)
{
  size_t packed = format == HG_PACK_REAL ? 0 : hg_pack_row_bytes(format, cols);
  return packed > real_bytes(cols) ? packed : real_bytes(cols);
}

static double smoothing_of(const hg_staleness *how, hg_exchange_kind kind)
{
  if (how->kind != HG_STALENESS_PIPELINE) return 0;
  return kind == HG_FILL_HALO ? how->feature_smoothing : how->gradient_smoothing;
}

// numbers of `latest`, of `sent` and `ages`, and of working space
typedef struct {
  hg_off latest, sent, list;
} room;

static room room_of(const hg_staleness *how, const hg_links *links, hg_exchange_kind kind, int cols)
{
  const side owned = side_of(links, true, cols), halo = side_of(links, false, cols);
  bool fill = kind == HG_FILL_HALO, skips = how->kind == HG_STALENESS_SKIP;
  hg_off in = entries(fill ? &halo : &owned), out = entries(fill ? &owned : &halo);
  hg_lid a = longest(&owned), b = longest(&halo);
  room r = {.sent = skips ? out : 0, .list = a > b ? a : b};
  if (smoothing_of(how, kind) > 0) r.latest = fill && cols > 0 ? links->n_halo : in;
  return r;
}

size_t hg_stale_exchange_bytes(const hg_staleness *how, const hg_links *links, hg_exchange_kind kind, int cols,
                               hg_pack_format format)
{
  const side owned = side_of(links, true, cols), halo = side_of(links, false, cols);
  const room r = room_of(how, links, kind, cols);
  size_t in = (size_t)entries(kind == HG_FILL_HALO ? &halo : &owned), skips = r.sent > 0;
  return (in + (size_t)r.latest + (size_t)r.sent) * real_bytes(cols) + (size_t)r.sent * sizeof(hg_real) +
         ((size_t)entries(&owned) + (size_t)entries(&halo)) * most_row_bytes(cols, format) +
         (size_t)r.list * 2 * (sizeof(hg_lid) + skips * sizeof(double));
}

static hg_status lay_out(side *s, const hg_staleness *how, size_t row_bytes, uint8_t **messages)
{
  hg_status rc = HG_OK;
  HG_TRY(HG_ALLOC(s->at, s->n_peers + 1, "exchange messages"));
  for (int p = 0; p < s->n_peers; p++) {
    hg_lid n = s->offsets[p + 1] - s->offsets[p];
    size_t bytes = head_bytes(how, n) + (size_t)n * row_bytes;
    if (bytes > INT_MAX)
      HG_TRY(hg_fail(HG_ERR_INPUT,
                     "a message between this rank and rank %d would have %d rows in %zu bytes; at most %d bytes are "
                     "possible: use more ranks or narrower layers",
                     s->peers[p], n, bytes, INT_MAX));
    s->at[p + 1] = s->at[p] + bytes;
  }
  HG_TRY(HG_ALLOC(*messages, (hg_off)s->at[s->n_peers], "exchange messages"));
done:
  return rc;
}

static hg_status allocate(hg_stale_exchange *e, const hg_links *links)
{
  int cols = e->x.cols, n = e->in.n_peers + e->out.n_peers;
  const room r = room_of(&e->how, links, e->kind, cols);
  size_t row_bytes = most_row_bytes(cols, e->packing.format);
  hg_status rc = HG_OK;
  HG_TRY(lay_out(&e->out, &e->how, row_bytes, &e->outgoing));
  HG_TRY(lay_out(&e->in, &e->how, row_bytes, &e->incoming));
  HG_TRY(hg_matrix_create(&e->kept, entries(&e->in), cols, "kept halo rows"));
  if (r.latest > 0) HG_TRY(hg_matrix_create(&e->latest, r.latest, cols, "halo rows before smoothing"));
  if (r.sent > 0) HG_TRY(hg_matrix_create(&e->sent, r.sent, cols, "halo rows sent last"));
  if (r.sent > 0) HG_TRY(hg_matrix_create(&e->ages, r.sent, 1, "ages of sent rows"));
  if (r.sent > 0) HG_TRY(HG_ALLOC(e->changes, 2 * r.list, "changes of rows"));
  HG_TRY(HG_ALLOC(e->places, r.list, "rows of a message"));
  HG_TRY(HG_ALLOC(e->rows, r.list, "rows of a message"));
  HG_TRY(HG_ALLOC(e->requests, n, "exchange requests"));
  for (int k = 0; k < n; k++) e->requests[k] = MPI_REQUEST_NULL;
done:
  return rc;
}

static hg_status prepare(hg_stale_exchange **stale, const hg_staleness *how, const hg_links *links,
                         hg_exchange_kind kind, const hg_matrix *x, int slot, const hg_exchange_packing *packing)
{
  hg_off rows = (hg_off)links->n_owned + links->n_halo;
  hg_status rc = HG_OK;
  if (x->rows != rows || slot < 0 || slot >= HG_STALE_SLOTS)
    return hg_fail(HG_ERR_INTERNAL, "stale exchange %d of %lld rows, but the part has %lld nodes", slot,
                   (long long)x->rows, (long long)rows);
  HG_TRY(HG_ALLOC(*stale, 1, "stale exchange"));
  hg_stale_exchange *e = *stale;
  e->how = *how;
  e->kind = kind;
  e->x = *x;
  e->packing = *packing;
  e->smoothing = smoothing_of(how, kind);
  e->out = side_of(links, kind == HG_FILL_HALO, x->cols);
  e->in = side_of(links, kind != HG_FILL_HALO, x->cols);
  HG_TRY(allocate(e, links));
done:
  return rc;
}

hg_status hg_stale_exchange_create(hg_stale_exchange **stale, hg_world *world, const hg_staleness *how,
                                   const hg_links *links, hg_exchange_kind kind, hg_matrix *x, int slot,
                                   const hg_exchange_packing *packing)
{
  hg_status rc = HG_OK;
  *stale = NULL;
  HG_TRY(hg_world_same(world, x->cols, "width of an exchange"));
  HG_TRY(hg_world_same(world, (slot * 2 + (int)kind) * 4 + (int)how->kind, "slot and kind of a stale exchange"));
  HG_TRY_ALL(world, "preparing an exchange", prepare(stale, how, links, kind, x, slot, packing));
  hg_stale_exchange *e = *stale;
  e->world = world;
  e->comm = hg_world_comm(world);
  e->tag = HG_TAG_STALE + slot;
  e->next.draw = (hg_pack_draw){.layer = packing->layer, .backward = kind == HG_ADD_HALO};
  if (kind == HG_ADD_HALO) e->next.draw.sender = hg_world_rank(world) & 0xffff;
done:
  if (rc != HG_OK) hg_stale_exchange_free(stale);
  return rc;
}

void hg_stale_exchange_free(hg_stale_exchange **stale)
{
  hg_stale_exchange *e = *stale;
  if (!e) return;
  if (e->under_way) MPI_Waitall(e->in.n_peers + e->out.n_peers, e->requests, MPI_STATUSES_IGNORE);
  hg_free(&e->out.at);
  hg_free(&e->in.at);
  hg_free(&e->outgoing);
  hg_free(&e->incoming);
  hg_matrix *matrices[] = {&e->kept, &e->latest, &e->sent, &e->ages};
  for (int k = 0; k < 4; k++) hg_matrix_free(matrices[k]);
  hg_free(&e->changes);
  hg_free(&e->places);
  hg_free(&e->rows);
  hg_free(&e->requests);
  hg_free(stale);
}

void hg_stale_exchange_set(hg_stale_exchange *stale, bool packed, uint64_t seed, int epoch)
{
  stale->next.packs = packed && stale->packing.format != HG_PACK_REAL;
  stale->next.draw.seed = seed;
  stale->next.draw.epoch = epoch;
}

// Whether a node's row crosses in an epoch of DELAYED: both ends know. Ids are often multiples of something, so their
// bits are mixed (the finaliser of splitmix64).
static bool in_turn(const hg_stale_exchange *e, hg_lid row, int epoch)
{
  uint64_t bins = (uint64_t)e->how.bins, h = (uint64_t)e->packing.ids[row] + 0x9e3779b97f4a7c15ULL;
  h = (h ^ h >> 30) * 0xbf58476d1ce4e5b9ULL;
  h = (h ^ h >> 27) * 0x94d049bb133111ebULL;
  return (h ^ h >> 31) % bins == (uint64_t)epoch % bins;
}

// Lists all rows of message p, or those of the epoch's bin; returns how many.
static hg_lid list_rows(const hg_stale_exchange *e, const side *s, int p, const flight *f)
{
  hg_lid n = 0;
  for (hg_lid k = s->offsets[p]; k < s->offsets[p + 1]; k++)
    if (f->all || e->how.kind != HG_STALENESS_DELAYED || in_turn(e, row_of(s, k), f->draw.epoch)) e->places[n++] = k;
  return n;
}

// SKIP: for each row of message p how far it is from what was sent last, and how large that was, both squared.
static void measure_changes(const hg_stale_exchange *e, int p)
{
  hg_lid first = e->out.offsets[p], n = e->out.offsets[p + 1] - first;
  hg_off cols = e->x.cols;
#pragma omp parallel for num_threads(hg_threads()) schedule(static) if (n * cols >= HG_EXCHANGE_PARALLEL)
  for (hg_lid k = 0; k < n; k++) {
    const hg_real *now = row_at(&e->x, row_of(&e->out, first + k)), *then = row_at(&e->sent, first + k);
    double change = 0, size = 0;
    for (hg_off c = 0; c < cols; c++) {
      double d = (double)now[c] - (double)then[c];
      change += d * d;
      size += (double)then[c] * (double)then[c];
    }
    e->changes[2 * k] = change;
    e->changes[2 * k + 1] = size;
  }
}

// NaN is a change, so that it reaches the others.
static bool has_changed(const hg_stale_exchange *e, const double *measured)
{
  double threshold = e->how.skip_threshold;
  return !(measured[0] <= threshold * threshold * measured[1]);
}

static bool is_too_old(const hg_stale_exchange *e, hg_lid k) { return e->ages.data[k] > (hg_real)e->how.max_age; }

// SKIP: lists the rows of message p that must cross, and writes its head.
static hg_lid choose_rows(const hg_stale_exchange *e, int p, uint8_t *head)
{
  hg_lid first = e->out.offsets[p], n = e->out.offsets[p + 1] - first, chosen = 0;
  bool whole = e->now.all, by_rows = e->how.skip_per == HG_SKIP_ROWS;
  measure_changes(e, p);
  if (!by_rows && !whole) {
    double sums[2] = {0, 0};
    for (hg_lid k = 0; k < 2 * n; k++) sums[k % 2] += e->changes[k];
    whole = has_changed(e, sums) || (n > 0 && is_too_old(e, first));
  }
  memset(head, 0, head_bytes(&e->how, n));
  for (hg_lid k = 0; k < n; k++) {
    bool crosses = whole || (by_rows && (has_changed(e, e->changes + 2 * k) || is_too_old(e, first + k)));
    e->ages.data[first + k] = crosses ? 1 : e->ages.data[first + k] + 1; // in the next epoch
    if (!crosses) continue;
    e->places[chosen++] = first + k;
    hg_lid bit = by_rows ? k : 0;
    head[bit / 8] = (uint8_t)(head[bit / 8] | 1 << bit % 8);
  }
  return chosen;
}

// SKIP: the same list from the head of message p that arrived.
static hg_lid read_head(const hg_stale_exchange *e, int p, const uint8_t *head)
{
  hg_lid first = e->in.offsets[p], n = e->in.offsets[p + 1] - first, chosen = 0;
  for (hg_lid k = 0; k < n; k++) {
    hg_lid bit = e->how.skip_per == HG_SKIP_ROWS ? k : 0;
    if (head[bit / 8] >> bit % 8 & 1) e->places[chosen++] = first + k;
  }
  return chosen;
}

// The n listed rows of x to a message; and to `sent`, with SKIP.
static void write_rows(const hg_stale_exchange *e, hg_lid n, uint8_t *to)
{
  size_t bytes = real_bytes(e->x.cols);
  bool packs = e->now.packs, skips = e->how.kind == HG_STALENESS_SKIP;
#pragma omp parallel for num_threads(hg_threads()) schedule(static) if (n * (hg_off)e->x.cols >= HG_EXCHANGE_PARALLEL)
  for (hg_lid k = 0; k < n; k++) {
    e->rows[k] = row_of(&e->out, e->places[k]);
    const hg_real *from = row_at(&e->x, e->rows[k]);
    if (!packs) memcpy(to + (size_t)k * bytes, from, bytes);
    if (skips) memcpy(row_at(&e->sent, e->places[k]), from, bytes);
  }
  const hg_packing packing = {
      .format = e->packing.format, .draw = e->now.draw, .x = &e->x, .rows = e->rows, .ids = e->packing.ids};
  if (packs) hg_pack_rows(&packing, n, to);
}

static size_t row_bytes(const hg_stale_exchange *e)
{
  return e->now.packs ? hg_pack_row_bytes(e->packing.format, e->x.cols) : real_bytes(e->x.cols);
}

// Returns the bytes of message p.
static size_t write_message(const hg_stale_exchange *e, int p)
{
  size_t head = head_bytes(&e->how, e->out.offsets[p + 1] - e->out.offsets[p]);
  uint8_t *to = e->outgoing + e->out.at[p];
  hg_lid n = e->how.kind == HG_STALENESS_SKIP ? choose_rows(e, p, to) : list_rows(e, &e->out, p, &e->now);
  write_rows(e, n, to + head);
  return head + (size_t)n * row_bytes(e);
}

// What arrives goes here, entry k to the row `arrival_row`; smoothed values are made of it later.
static hg_matrix *arrivals(hg_stale_exchange *e) { return e->smoothing > 0 ? &e->latest : &e->kept; }

static hg_lid arrival_row(const hg_stale_exchange *e, hg_lid k)
{
  return e->smoothing > 0 && e->kind == HG_FILL_HALO ? row_of(&e->in, k) - e->in.first_row : k;
}

static void read_message(hg_stale_exchange *e, int p)
{
  size_t bytes = real_bytes(e->x.cols), head = head_bytes(&e->how, e->in.offsets[p + 1] - e->in.offsets[p]);
  const uint8_t *from = e->incoming + e->in.at[p];
  hg_lid n = e->how.kind == HG_STALENESS_SKIP ? read_head(e, p, from) : list_rows(e, &e->in, p, &e->now);
  hg_matrix *to = arrivals(e);
  from += head;
  for (hg_lid k = 0; k < n; k++) e->rows[k] = arrival_row(e, e->places[k]);
  if (e->now.packs) {
    hg_unpack_rows(e->packing.format, from, n, e->rows, false, to);
    return;
  }
#pragma omp parallel for num_threads(hg_threads()) schedule(static) if (n * (hg_off)e->x.cols >= HG_EXCHANGE_PARALLEL)
  for (hg_lid k = 0; k < n; k++) memcpy(row_at(to, e->rows[k]), from + (size_t)k * bytes, bytes);
}

// kept = g kept + (1 - g) latest; of a first epoch kept = latest
static void smooth(hg_stale_exchange *e)
{
  hg_lid n = entries(&e->in);
  hg_off cols = e->x.cols;
  hg_real old = e->known ? (hg_real)e->smoothing : 0, new = 1 - old;
#pragma omp parallel for num_threads(hg_threads()) schedule(static) if (n * cols >= HG_EXCHANGE_PARALLEL)
  for (hg_lid k = 0; k < n; k++) {
    const hg_real *from = row_at(&e->latest, arrival_row(e, k));
    hg_real *to = row_at(&e->kept, k);
    for (hg_off c = 0; c < cols; c++) to[c] = e->known ? old * to[c] + new *from[c] : from[c];
  }
}

static void note_arrival(hg_stale_exchange *e, double now)
{
  e->arrived = true;
  e->total.under_way_s += now - e->began_at;
}

// Waits for what is under way and takes it.
static void settle(hg_stale_exchange *e)
{
  if (!e->under_way) return;
  double start = hg_now_s(), end = start;
  if (!e->arrived) {
    MPI_Waitall(e->in.n_peers + e->out.n_peers, e->requests, MPI_STATUSES_IGNORE);
    end = hg_now_s();
    e->total.waited_s += end - start;
    note_arrival(e, end);
  }
  e->under_way = false;
  for (int p = 0; p < e->in.n_peers; p++) read_message(e, p);
  if (e->smoothing > 0) smooth(e);
  e->known = true;
  e->total.packed_s += hg_now_s() - end;
}

// The peer to begin with: not all ranks begin with rank 0.
static int first_peer(const side *s, int rank)
{
  for (int p = 0; p < s->n_peers; p++)
    if (s->peers[p] > rank) return p;
  return 0;
}

static void post(hg_stale_exchange *e)
{
  int n_in = e->in.n_peers, n_out = e->out.n_peers, rank;
  double start = hg_now_s();
  MPI_Comm_rank(e->comm, &rank);
  for (int p = 0; p < n_in; p++)
    MPI_Irecv(e->incoming + e->in.at[p], (int)(e->in.at[p + 1] - e->in.at[p]), MPI_BYTE, e->in.peers[p], e->tag,
              e->comm, &e->requests[p]);
  for (int k = 0, from = first_peer(&e->out, rank); k < n_out; k++) {
    int p = (from + k) % n_out;
    size_t bytes = write_message(e, p);
    MPI_Isend(e->outgoing + e->out.at[p], (int)bytes, MPI_BYTE, e->out.peers[p], e->tag, e->comm,
              &e->requests[n_in + p]);
    bool far = hg_world_host_of(e->world, e->out.peers[p]) != hg_world_host_of(e->world, rank);
    e->total.bytes_sent += (int64_t)bytes;
    e->total.far_bytes += far ? (int64_t)bytes : 0;
    e->total.far_messages += far;
  }
  e->total.messages_sent += n_out;
  e->under_way = true;
  e->arrived = false;
  e->began_at = hg_now_s();
  e->total.packed_s += e->began_at - start;
}

// What is kept to the halo's rows, or added to their owners': peer after peer, so that each number is summed in the
// same order in every repetition; the rows of one peer are all different.
static void deliver(hg_stale_exchange *e)
{
  hg_off cols = e->x.cols;
  bool fill = e->kind == HG_FILL_HALO;
  double start = hg_now_s();
  for (int p = 0; p < e->in.n_peers; p++) {
    hg_lid first = e->in.offsets[p], end = e->in.offsets[p + 1];
#pragma omp parallel for num_threads(hg_threads()) schedule(static) if ((end - first) * cols >= HG_EXCHANGE_PARALLEL)
    for (hg_lid k = first; k < end; k++) {
      hg_real *restrict to = row_at(&e->x, row_of(&e->in, k));
      const hg_real *restrict from = row_at(&e->kept, k);
      for (hg_off c = 0; c < cols; c++) to[c] = fill ? from[c] : to[c] + from[c];
    }
  }
  e->total.packed_s += hg_now_s() - start;
}

// Whether the messages of this epoch are for the next one.
static bool lags(const hg_stale_exchange *e) { return e->how.kind != HG_STALENESS_SKIP && !e->now.all; }

void hg_stale_exchange_begin(hg_stale_exchange *stale)
{
  hg_stale_exchange *e = stale;
  settle(e);
  e->now = e->next;
  e->now.all = !e->known;
  post(e);
  if (lags(e) && e->kind == HG_FILL_HALO) deliver(e);
}

void hg_stale_exchange_progress(hg_stale_exchange *stale)
{
  int done;
  if (!stale->under_way || stale->arrived) return;
  MPI_Testall(stale->in.n_peers + stale->out.n_peers, stale->requests, &done, MPI_STATUSES_IGNORE);
  if (done) note_arrival(stale, hg_now_s());
}

void hg_stale_exchange_end(hg_stale_exchange *stale)
{
  hg_stale_exchange *e = stale;
  if (!lags(e)) settle(e);
  if (!lags(e) || e->kind == HG_ADD_HALO) deliver(e);
}

hg_traffic hg_stale_exchange_traffic(const hg_stale_exchange *stale) { return stale->total; }

hg_matrix hg_stale_exchange_latest(const hg_stale_exchange *stale)
{
  return stale->kind == HG_FILL_HALO ? stale->latest : (hg_matrix){0};
}

hg_matrix hg_stale_exchange_state(hg_stale_exchange *stale, int k)
{
  hg_matrix states[HG_STALE_STATES] = {stale->kept, stale->latest, stale->sent, stale->ages};
  settle(stale);
  return states[k];
}

void hg_stale_exchange_restored(hg_stale_exchange *stale)
{
  settle(stale);
  stale->known = true;
}

void hg_stale_exchange_forget(hg_stale_exchange *stale)
{
  settle(stale);
  stale->known = false;
}
