// Exchanges of rows of earlier epochs, against plain loops that keep them one by one.
#include <math.h>
#include <string.h>

#include "comm/reduce.h"
#include "comm/stale_exchange.h"
#include "core/base/alloc.h"
#include "core/base/rng.h"
#include "tests/mpi/random_part.h"
#include "tests/support/mpi_case.h"

enum { WIDTH = 5, LAYER = 3, SEED = 11, EPOCHS = 9, SAVED = 5 };

/** One way of being stale, and how its rows are packed. */
typedef struct {
  const char *what;
  hg_staleness how;
  hg_pack_format format;
} way;

static const way ways[] = {
    {"pipeline", {.kind = HG_STALENESS_PIPELINE}, HG_PACK_REAL},
    {"pipeline of int8", {.kind = HG_STALENESS_PIPELINE}, HG_PACK_INT8},
    {"smoothed", {.kind = HG_STALENESS_PIPELINE, .feature_smoothing = 0.75, .gradient_smoothing = 0.5}, HG_PACK_REAL},
    {"smoothed bfloat16", {.kind = HG_STALENESS_PIPELINE, .feature_smoothing = 0.5}, HG_PACK_BFLOAT16},
    {"one bin", {.kind = HG_STALENESS_DELAYED, .bins = 1}, HG_PACK_REAL},
    {"skip nothing", {.kind = HG_STALENESS_SKIP, .max_age = 100}, HG_PACK_REAL},
    {"skip rows", {.kind = HG_STALENESS_SKIP, .skip_threshold = 0.7, .max_age = 3}, HG_PACK_REAL},
    {"skip rows of int4", {.kind = HG_STALENESS_SKIP, .skip_threshold = 0.7, .max_age = 3}, HG_PACK_INT4},
    {"skip by age alone", {.kind = HG_STALENESS_SKIP, .skip_threshold = 1e9, .max_age = 1}, HG_PACK_REAL},
    {"skip peers",
     {.kind = HG_STALENESS_SKIP, .skip_threshold = 0.6, .max_age = 4, .skip_per = HG_SKIP_PEERS},
     HG_PACK_REAL},
};
enum { N_WAYS = sizeof ways / sizeof *ways };

typedef struct {
  hg_part part;
  hg_links links;
  hg_gid *ids; // [n_owned + n_halo]
  hg_lid n_owned, n_local;
} fixture;

static void begin(fixture *f, hg_world *world, parts_kind kind, bool some)
{
  bool *needed = NULL;
  memset(f, 0, sizeof *f);
  check_ok(random_part(&f->part, kind, hg_world_size(world), hg_world_rank(world), 7));
  check_ok(HG_ALLOC(needed, f->part.n_halo, "needed"));
  for (hg_lid h = 0; h < f->part.n_halo; h++) needed[h] = f->part.halo_ids[h] % 3 != 0;
  check_ok(some ? hg_links_create_some(&f->links, world, &f->part, needed)
                : hg_links_create(&f->links, world, &f->part));
  hg_free(&needed);
  f->n_owned = f->part.n_owned;
  f->n_local = f->n_owned + f->part.n_halo;
  check_ok(HG_ALLOC(f->ids, f->n_local, "ids"));
  for (hg_lid i = 0; i < f->n_local; i++)
    f->ids[i] = 3 * (i < f->n_owned ? f->part.first + i : f->part.halo_ids[i - f->n_owned]) + 5;
}

static void end(fixture *f)
{
  hg_links_free(&f->links);
  random_part_free(&f->part);
  hg_free(&f->ids);
}

// What a rank holds of a node in an epoch: some nodes' rows stay for a few epochs, some are 0, one is not a number.
static hg_real value(hg_gid id, int holder, int c, int epoch)
{
  uint32_t version = (uint32_t)((epoch + (int)(id % 5)) / (1 + (int)(id % 4)));
  if (id % 13 == 0) return 0;
  if (id % 17 == 0 && epoch == 4 && c == 1) return (hg_real)NAN;
  return (hg_real)hg_rng_normal((hg_rng){3, HG_STREAM_TEST}, (uint64_t)(id * 8 + holder), version * 100 + (uint32_t)c);
}

// A row as it is, and as it arrives.
static void make_row(const way *w, bool backward, hg_gid id, int holder, int epoch, hg_real *raw, hg_real *arrives)
{
  uint8_t packed[4 * WIDTH + 16];
  hg_pack_draw draw = {
      .seed = SEED, .epoch = epoch, .layer = LAYER, .backward = backward, .sender = backward ? holder : 0};
  hg_matrix x = hg_matrix_view(raw, 1, WIDTH), y = hg_matrix_view(arrives, 1, WIDTH);
  for (int c = 0; c < WIDTH; c++) raw[c] = arrives[c] = value(id, backward ? holder : 0, c, epoch);
  if (w->format == HG_PACK_REAL) return;
  hg_pack_rows(&(hg_packing){.format = w->format, .draw = draw, .x = &x, .ids = &id}, 1, packed);
  hg_unpack_rows(w->format, packed, 1, NULL, false, &y);
}

// The rows that one rank has of another, one by one.
typedef struct {
  hg_lid n;
  int holder;
  hg_gid *ids;
  hg_lid *rows; // of x
  hg_real (*used)[WIDTH], (*sent)[WIDTH];
  int *ages; // epochs since `sent`
} plain_list;

static void list_create(plain_list *l, const fixture *f, int peer, hg_lid first, hg_lid n, bool backward)
{
  *l = (plain_list){.n = n, .holder = peer};
  check_ok(HG_ALLOC(l->ids, n, "plain ids"));
  check_ok(HG_ALLOC(l->rows, n, "plain rows"));
  check_ok(hg_alloc(&l->used, n, sizeof *l->used, "plain rows"));
  check_ok(hg_alloc(&l->sent, n, sizeof *l->sent, "plain rows"));
  check_ok(HG_ALLOC(l->ages, n, "plain ages"));
  for (hg_lid k = 0; k < n; k++) {
    const hg_lid *some = f->links.recv_rows;
    l->rows[k] = backward ? f->links.send_rows[first + k] : f->n_owned + (some ? some[first + k] : first + k);
    l->ids[k] = f->ids[l->rows[k]];
  }
}

static void list_free(plain_list *l)
{
  hg_free(&l->ids), hg_free(&l->rows), hg_free(&l->used), hg_free(&l->sent), hg_free(&l->ages);
}

static void measure(const hg_real *now, const hg_real *then, double *change, double *size)
{
  double c = 0, s = 0;
  for (int k = 0; k < WIDTH; k++) {
    c += ((double)now[k] - (double)then[k]) * ((double)now[k] - (double)then[k]);
    s += (double)then[k] * (double)then[k];
  }
  *change += c;
  *size += s;
}

static bool exceeds(const way *w, double change, double size)
{
  return !(sqrt(change) <= w->how.skip_threshold * sqrt(size) * (1 + 1e-12));
}

static bool skips_all(const way *w, bool backward, const plain_list *l, int epoch)
{
  double change = 0, size = 0;
  hg_real raw[WIDTH], arrives[WIDTH];
  for (hg_lid k = 0; k < l->n; k++) {
    make_row(w, backward, l->ids[k], l->holder, epoch, raw, arrives);
    measure(raw, l->sent[k], &change, &size);
  }
  return l->n == 0 || (!exceeds(w, change, size) && l->ages[0] < w->how.max_age);
}

// What the list's receiver uses in an epoch; returns how many rows crossed for it.
static hg_lid plain_epoch(const way *w, bool backward, plain_list *l, int epoch)
{
  double smoothing = backward ? w->how.gradient_smoothing : w->how.feature_smoothing;
  bool skip = w->how.kind == HG_STALENESS_SKIP, by_peer = w->how.skip_per == HG_SKIP_PEERS;
  bool skip_peer = skip && by_peer && epoch > 1 && skips_all(w, backward, l, epoch);
  hg_lid crossed = 0;
  for (hg_lid k = 0; k < l->n; k++) {
    hg_real raw[WIDTH], arrives[WIDTH];
    double change = 0, size = 0;
    make_row(w, backward, l->ids[k], l->holder, skip || epoch == 1 ? epoch : epoch - 1, raw, arrives);
    measure(raw, l->sent[k], &change, &size);
    l->ages[k]++;
    if (skip && epoch > 1 && (by_peer ? skip_peer : !exceeds(w, change, size) && l->ages[k] <= w->how.max_age))
      continue;
    crossed++;
    l->ages[k] = 0;
    memcpy(l->sent[k], raw, sizeof raw);
    for (int c = 0; c < WIDTH; c++) {
      bool mixes = smoothing > 0 && epoch > 1;
      l->used[k][c] =
          mixes ? (hg_real)(smoothing * (double)l->used[k][c] + (1 - smoothing) * (double)arrives[c]) : arrives[c];
    }
  }
  return crossed;
}

static bool near(const way *w, hg_real found, hg_real expected)
{
  bool mixes = w->how.feature_smoothing > 0 || w->how.gradient_smoothing > 0;
  double tolerance = mixes ? 1e-5 : 0;
  if (isnan(expected)) return isnan(found);
  return fabs((double)found - (double)expected) <= tolerance * (1 + fabs((double)expected));
}

static hg_stale_exchange *create(hg_world *world, const way *w, const fixture *f, bool backward, hg_matrix *x)
{
  hg_stale_exchange *e = NULL;
  const hg_exchange_packing packing = {.format = w->format, .layer = LAYER, .ids = f->ids};
  check_ok(hg_stale_exchange_create(&e, world, &w->how, &f->links, backward ? HG_ADD_HALO : HG_FILL_HALO, x,
                                    7 + backward, &packing));
  return e;
}

// x of an epoch, with halo rows that another layer has written over
static void set_rows(hg_world *world, const fixture *f, bool backward, int epoch, hg_matrix *x)
{
  int rank = hg_world_rank(world);
  for (hg_lid i = 0; i < f->n_local; i++)
    for (int c = 0; c < WIDTH; c++)
      x->data[(hg_off)i * WIDTH + c] =
          i >= f->n_owned && !backward ? -1000 : value(f->ids[i], backward ? rank : 0, c, epoch);
}

static void run_epoch(hg_world *world, const fixture *f, bool backward, int epoch, hg_stale_exchange *e, hg_matrix *x)
{
  set_rows(world, f, backward, epoch, x);
  hg_stale_exchange_set(e, true, SEED, epoch);
  hg_stale_exchange_begin(e);
  hg_stale_exchange_progress(e);
  hg_stale_exchange_end(e);
}

// The same by plain lists
static void plain_rows(hg_world *world, const fixture *f, bool backward, int epoch, const plain_list *lists,
                       hg_matrix *x)
{
  set_rows(world, f, backward, epoch, x);
  for (int p = 0; p < hg_world_size(world); p++)
    for (hg_lid k = 0; k < lists[p].n; k++)
      for (int c = 0; c < WIDTH; c++) {
        hg_real *to = x->data + (hg_off)lists[p].rows[k] * WIDTH + c;
        *to = backward ? *to + lists[p].used[k][c] : lists[p].used[k][c];
      }
}

static void make_lists(hg_world *world, const fixture *f, bool backward, plain_list *lists)
{
  const hg_links *l = &f->links;
  int n = backward ? l->n_peers_send : l->n_peers_recv;
  const int *peers = backward ? l->send_peers : l->recv_peers;
  const hg_lid *offsets = backward ? l->send_offsets : l->recv_offsets;
  memset(lists, 0, (size_t)hg_world_size(world) * sizeof *lists);
  for (int k = 0; k < n; k++)
    list_create(&lists[peers[k]], f, peers[k], offsets[k], offsets[k + 1] - offsets[k], backward);
}

// Into another exchange, as a checkpoint does
static void move_state(hg_stale_exchange *from, hg_stale_exchange *to)
{
  for (int k = 0; k < HG_STALE_STATES; k++) {
    const hg_matrix a = hg_stale_exchange_state(from, k), b = hg_stale_exchange_state(to, k);
    check(a.rows == b.rows && a.cols == b.cols, "state %d: %lld x %d numbers", k, (long long)a.rows, a.cols);
    if (a.rows > 0) memcpy(b.data, a.data, (size_t)(a.rows * a.cols) * sizeof *a.data);
  }
  hg_stale_exchange_restored(to);
}

static size_t head(const way *w, hg_lid n)
{
  if (w->how.kind != HG_STALENESS_SKIP || n == 0) return 0;
  return w->how.skip_per == HG_SKIP_PEERS ? 1 : ((size_t)n + 7) / 8;
}

static int64_t sent_so_far(hg_world *world, hg_stale_exchange *a, hg_stale_exchange *b)
{
  int64_t bytes = hg_stale_exchange_traffic(a).bytes_sent + hg_stale_exchange_traffic(b).bytes_sent;
  hg_sum_int64(world, &bytes, 1);
  return bytes;
}

static void compare(const way *w, bool backward, int epoch, const hg_matrix *x, const hg_matrix *expected)
{
  for (hg_off e = 0; e < x->rows * WIDTH; e++)
    if (!check(near(w, x->data[e], expected->data[e]), "%s, %s, epoch %d: number %lld is %.9g, expected %.9g", w->what,
               backward ? "add" : "fill", epoch, (long long)e, (double)x->data[e], (double)expected->data[e]))
      return;
}

// Epochs of one way and direction; in the middle another exchange goes on with what the first one kept.
static void follow(hg_world *world, const fixture *f, const way *w, bool backward)
{
  hg_matrix x = {0}, expected = {0};
  plain_list lists[8];
  size_t row = w->format == HG_PACK_REAL ? WIDTH * sizeof(hg_real) : hg_pack_row_bytes(w->format, WIDTH);
  check_ok(hg_matrix_create(&x, f->n_local, WIDTH, "x"));
  check_ok(hg_matrix_create(&expected, f->n_local, WIDTH, "x"));
  make_lists(world, f, backward, lists);
  hg_stale_exchange *first = create(world, w, f, backward, &x), *second = create(world, w, f, backward, &x);
  for (int epoch = 1; epoch <= EPOCHS; epoch++) {
    int64_t before = sent_so_far(world, first, second), bytes = 0;
    if (epoch == SAVED) move_state(first, second);
    run_epoch(world, f, backward, epoch, epoch < SAVED ? first : second, &x);
    for (int p = 0; p < hg_world_size(world); p++)
      bytes += (int64_t)(head(w, lists[p].n) + (size_t)plain_epoch(w, backward, &lists[p], epoch) * row);
    plain_rows(world, f, backward, epoch, lists, &expected);
    compare(w, backward, epoch, &x, &expected);
    hg_sum_int64(world, &bytes, 1);
    int64_t sent = sent_so_far(world, first, second) - before;
    check(sent == bytes, "%s: epoch %d: %lld bytes, expected %lld", w->what, epoch, (long long)sent, (long long)bytes);
  }
  hg_stale_exchange_free(&first);
  hg_stale_exchange_free(&second);
  for (int p = 0; p < hg_world_size(world); p++) list_free(&lists[p]);
  hg_matrix_free(&x);
  hg_matrix_free(&expected);
}

static void rows_are_as_old_as_they_should_be(hg_world *world)
{
  for (int k = 0; k < 4; k++) {
    fixture f;
    begin(&f, world, k / 2 ? PARTS_EMPTY : PARTS_RANDOM, k % 2);
    for (int w = 0; w < N_WAYS; w++)
      for (int backward = 0; backward < 2; backward++) follow(world, &f, &ways[w], backward);
    end(&f);
  }
}

// The epoch whose row of a node this is; 0: none
static int epoch_of(const hg_real *row, hg_gid id, int latest)
{
  for (int t = latest; t > 0; t--) {
    bool same = true;
    for (int c = 0; c < WIDTH; c++) same = same && row[c] == (hg_real)(id * 100 + t * 7 + c);
    if (same) return t;
  }
  return 0;
}

// Every row crosses once in r epochs, in each of them about as many, and is used until its next message.
static void bins_take_turns(hg_world *world)
{
  enum { BINS = 3, LONG = 12 };
  static const way w = {"bins", {.kind = HG_STALENESS_DELAYED, .bins = BINS}, HG_PACK_REAL};
  fixture f;
  hg_matrix x = {0};
  int64_t bytes[LONG + 1] = {0};
  begin(&f, world, PARTS_RANDOM, false);
  check_ok(hg_matrix_create(&x, f.n_local, WIDTH, "x"));
  hg_stale_exchange *e = create(world, &w, &f, false, &x);
  for (int t = 1; t <= LONG; t++) {
    for (hg_off k = 0; k < x.rows * WIDTH; k++) // whole numbers that reals hold
      x.data[k] = (hg_real)(f.ids[k / WIDTH] * 100 + t * 7 + k % WIDTH);
    hg_stale_exchange_set(e, false, SEED, t);
    hg_stale_exchange_begin(e);
    hg_stale_exchange_end(e);
    bytes[t] = sent_so_far(world, e, e) / 2;
    for (hg_lid h = f.n_owned; h < f.n_local; h++) {
      int from = epoch_of(x.data + (hg_off)h * WIDTH, f.ids[h], t), least = t == 1 ? 0 : 1;
      check(from > 0 && t - from >= least && t - from <= BINS, "epoch %d: node %lld is of epoch %d", t,
            (long long)f.ids[h], from);
    }
  }
  double rows = (double)(bytes[1]), share;
  for (int t = 2; t <= LONG; t++) {
    share = rows > 0 ? (double)(bytes[t] - bytes[t - 1]) / rows : 1.0 / BINS;
    check(share > 0.15 && share < 0.55, "epoch %d: %g of the rows crossed", t, share);
    if (t > BINS) check(bytes[t] - bytes[t - BINS] == bytes[1], "rows of %d epochs up to %d", BINS, t);
  }
  hg_stale_exchange_free(&e);
  hg_matrix_free(&x);
  end(&f);
}

// After it was told to forget, an exchange is as one that is new; one under way can be freed.
static void forgetting_starts_anew(hg_world *world)
{
  for (int k = 0; k < N_WAYS; k++) {
    fixture f;
    hg_matrix x = {0};
    begin(&f, world, PARTS_RANDOM, false);
    check_ok(hg_matrix_create(&x, f.n_local, WIDTH, "x"));
    hg_stale_exchange *e = create(world, &ways[k], &f, false, &x);
    for (int t = 1; t <= 3; t++) run_epoch(world, &f, false, t, e, &x);
    hg_stale_exchange_forget(e);
    run_epoch(world, &f, false, 6, e, &x);
    for (hg_lid h = f.n_owned; h < f.n_local; h++) {
      hg_real raw[WIDTH], arrives[WIDTH];
      make_row(&ways[k], false, f.ids[h], 0, 6, raw, arrives);
      for (int c = 0; c < WIDTH; c++)
        check(near(&ways[k], x.data[(hg_off)h * WIDTH + c], arrives[c]), "%s: node %lld", ways[k].what,
              (long long)f.ids[h]);
    }
    run_epoch(world, &f, false, 7, e, &x);
    hg_stale_exchange_free(&e);
    hg_matrix_free(&x);
    end(&f);
  }
}

const mpi_case stale_cases[] = {
    {"stale/rows_are_as_old_as_they_should_be", rows_are_as_old_as_they_should_be, "1 2 3 4"},
    {"stale/bins_take_turns", bins_take_turns, "1 2 3"},
    {"stale/forgetting_starts_anew", forgetting_starts_anew, "1 3"},
    {0},
};
