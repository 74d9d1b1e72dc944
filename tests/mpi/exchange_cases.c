#include "comm/exchange.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "comm/reduce.h"
#include "comm/wire.h"
#include "core/base/alloc.h"
#include "core/base/rng.h"
#include "core/base/threads.h"
#include "tests/mpi/random_part.h"
#include "tests/support/mpi_case.h"

static const int widths[] = {1, 7, 64, 300, 0};
enum { N_WIDTHS = sizeof widths / sizeof *widths };

typedef struct {
  parts_kind kind;
  hg_part part;
  hg_links links;
  double unit; // of the values: with 1 their sums are exact in any order
} fixture;

static void begin(fixture *f, hg_world *world, parts_kind kind)
{
  *f = (fixture){.kind = kind, .unit = 1};
  check_ok(random_part(&f->part, kind, hg_world_size(world), hg_world_rank(world), 11 + kind));
  check_ok(hg_links_create(&f->links, world, &f->part));
}

static void end(fixture *f)
{
  hg_links_free(&f->links);
  random_part_free(&f->part);
}

static void on_all_kinds(hg_world *world, void (*body)(hg_world *world, fixture *f))
{
  for (int kind = 0; kind < PARTS_KINDS; kind++) {
    fixture f;
    begin(&f, world, (parts_kind)kind);
    body(world, &f);
    end(&f);
  }
}

static hg_gid global_id(const fixture *f, hg_lid i)
{
  return i < f->part.n_owned ? f->part.first + i : f->part.halo_ids[i - f->part.n_owned];
}

static hg_matrix make(const fixture *f, int width)
{
  hg_matrix x = {0};
  check_ok(hg_matrix_create(&x, f->part.n_owned + f->part.n_halo, width, "x"));
  return x;
}

static hg_real value(const fixture *f, hg_gid id, int column, int salt)
{
  return (hg_real)(f->unit * (double)((id * 31 + column * 7 + salt * 1009) % 997 - 498));
}

static void set_rows(const fixture *f, hg_matrix *x, hg_lid first, hg_lid last, int salt)
{
  for (hg_lid i = first; i < last; i++)
    for (int c = 0; c < x->cols; c++) x->data[(hg_off)i * x->cols + c] = value(f, global_id(f, i), c, salt);
}

static void check_rows(const fixture *f, const hg_matrix *x, hg_lid first, hg_lid last, int salt)
{
  for (hg_lid i = first; i < last; i++)
    for (int c = 0; c < x->cols; c++) {
      hg_real found = x->data[(hg_off)i * x->cols + c], expected = value(f, global_id(f, i), c, salt);
      if (!check(found == expected, "%s, width %d: row %d of %d, column %d: %g, expected %g", parts_kind_names[f->kind],
                 x->cols, i, f->part.n_owned, c, (double)found, (double)expected))
        return;
    }
}

static void links_of(hg_world *world, fixture *f)
{
  const hg_links *links = &f->links;
  hg_lid sent = 0;
  for (int q = 0, k = 0; q < hg_world_size(world); q++) {
    hg_part other;
    check_ok(random_part(&other, f->kind, hg_world_size(world), q, 11 + f->kind));
    hg_lid first = other.halo_offsets[f->part.part], last = other.halo_offsets[f->part.part + 1];
    if (last > first) {
      check(k < links->n_peers_send && links->send_peers[k] == q, "peer %d is missing", q);
      check(links->send_offsets[k + 1] - links->send_offsets[k] == last - first, "peer %d: number of rows", q);
      for (hg_lid h = first; h < last; h++, sent++)
        check(links->send_rows[sent] + f->part.first == other.halo_ids[h], "peer %d: row %d", q, h - first);
      k++;
    }
    random_part_free(&other);
  }
  check(links->send_offsets[links->n_peers_send] == sent, "%d rows are sent, expected %d",
        links->send_offsets[links->n_peers_send], sent);
  check(links->recv_offsets[links->n_peers_recv] == f->part.n_halo, "%d rows arrive",
        links->recv_offsets[links->n_peers_recv]);
}
static void links_mirror_the_halos(hg_world *world) { on_all_kinds(world, links_of); }

static void fill_of(hg_world *world, fixture *f)
{
  for (int w = 0; w < N_WIDTHS; w++) {
    hg_matrix x = make(f, widths[w]);
    hg_exchange *exchange = NULL;
    check_ok(hg_exchange_create(&exchange, world, &f->links, HG_FILL_HALO, &x, w));
    for (int salt = 0; salt < 4; salt++) {
      set_rows(f, &x, 0, f->part.n_owned, salt);
      hg_exchange_begin(exchange);
      set_rows(f, &x, 0, f->part.n_owned, salt + 50); // owned rows may be written meanwhile
      if (salt % 2) hg_exchange_progress(exchange);
      hg_exchange_end(exchange);
      check_rows(f, &x, f->part.n_owned, f->part.n_owned + f->part.n_halo, salt);
      check_rows(f, &x, 0, f->part.n_owned, salt + 50);
    }
    hg_exchange_free(&exchange);
    hg_matrix_free(&x);
  }
}
static void fill_copies_owners_rows(hg_world *world) { on_all_kinds(world, fill_of); }

// What owned row i is, plus what each rank's halo row of it adds, in the order of ranks: found from the other parts
// themselves.
static void check_sums(const fixture *f, const hg_matrix *x, int salt)
{
  hg_matrix expected = make(f, x->cols);
  set_rows(f, &expected, 0, f->part.n_owned, salt);
  for (int q = 0; q < f->part.n_parts; q++) {
    hg_part other;
    check_ok(random_part(&other, f->kind, f->part.n_parts, q, 11 + f->kind));
    for (hg_lid h = other.halo_offsets[f->part.part]; h < other.halo_offsets[f->part.part + 1]; h++)
      for (int c = 0; c < x->cols; c++)
        expected.data[(other.halo_ids[h] - f->part.first) * x->cols + c] +=
            value(f, other.halo_ids[h], c, salt + q + 1);
    random_part_free(&other);
  }
  size_t bytes = (size_t)f->part.n_owned * (size_t)x->cols * sizeof *x->data;
  check(memcmp(x->data, expected.data, bytes) == 0, "%s, width %d: wrong sums", parts_kind_names[f->kind], x->cols);
  hg_matrix_free(&expected);
}

static void add_of(hg_world *world, fixture *f)
{
  f->unit = 0.37; // sums in another order would have other bits
  for (int w = 0; w < N_WIDTHS; w++) {
    hg_matrix x = make(f, widths[w]);
    hg_exchange *exchange = NULL;
    hg_lid n = f->part.n_owned;
    check_ok(hg_exchange_create(&exchange, world, &f->links, HG_ADD_HALO, &x, w));
    for (int salt = 0; salt < 4; salt++) {
      set_rows(f, &x, n, n + f->part.n_halo, salt + hg_world_rank(world) + 1);
      hg_exchange_begin(exchange);
      set_rows(f, &x, 0, n, salt);
      hg_exchange_end(exchange);
      check_sums(f, &x, salt);
      check_rows(f, &x, n, n + f->part.n_halo, salt + hg_world_rank(world) + 1);
    }
    hg_exchange_free(&exchange);
    hg_matrix_free(&x);
  }
}
static void add_sums_all_halo_rows(hg_world *world) { on_all_kinds(world, add_of); }

// Rows wide enough for loops that share their work among threads.
static void threads_of(hg_world *world, fixture *f)
{
  hg_lid n = f->part.n_owned, all = n + f->part.n_halo;
  hg_matrix x = make(f, 3000);
  hg_exchange *fill = NULL, *add = NULL;
  hg_threads_set(3);
  f->unit = 0.37;
  check_ok(hg_exchange_create(&fill, world, &f->links, HG_FILL_HALO, &x, 0));
  check_ok(hg_exchange_create(&add, world, &f->links, HG_ADD_HALO, &x, 1));
  set_rows(f, &x, 0, n, 5);
  hg_exchange_begin(fill);
  hg_exchange_end(fill);
  check_rows(f, &x, n, all, 5);
  set_rows(f, &x, n, all, 5 + hg_world_rank(world) + 1);
  hg_exchange_begin(add);
  hg_exchange_end(add);
  check_sums(f, &x, 5);
  hg_exchange_free(&fill);
  hg_exchange_free(&add);
  hg_matrix_free(&x);
  hg_threads_set(1);
}
static void threads_change_nothing(hg_world *world) { on_all_kinds(world, threads_of); }

static double dot(const hg_matrix *x, const hg_matrix *y, hg_lid first, hg_lid last)
{
  double sum = 0;
  for (hg_off k = (hg_off)first * x->cols; k < (hg_off)last * x->cols; k++)
    sum += (double)x->data[k] * (double)y->data[k];
  return sum;
}

// <A x, y> = <x, A' y> with A from owned to halo rows.
static void adjoint_of(hg_world *world, fixture *f)
{
  hg_lid n = f->part.n_owned, all = n + f->part.n_halo;
  hg_matrix x = make(f, 7), y = make(f, 7);
  hg_exchange *fill = NULL, *add = NULL;
  check_ok(hg_exchange_create(&fill, world, &f->links, HG_FILL_HALO, &x, 0));
  check_ok(hg_exchange_create(&add, world, &f->links, HG_ADD_HALO, &y, 0));
  set_rows(f, &x, 0, n, 1);
  set_rows(f, &y, n, all, 2 + hg_world_rank(world));
  hg_exchange_begin(fill);
  hg_exchange_end(fill);
  hg_exchange_begin(add);
  hg_exchange_end(add);
  double both[2] = {dot(&x, &y, n, all), dot(&x, &y, 0, n)};
  hg_sum_doubles(world, both, 2);
  check(both[0] == both[1], "%s: <Ax,y> = %.17g, <x,A'y> = %.17g", parts_kind_names[f->kind], both[0], both[1]);
  hg_exchange_free(&fill);
  hg_exchange_free(&add);
  hg_matrix_free(&x);
  hg_matrix_free(&y);
}
static void transposed_is_adjoint(hg_world *world) { on_all_kinds(world, adjoint_of); }

static void random_rows(const fixture *f, hg_matrix *x, int rank)
{
  for (hg_off k = 0; k < x->rows * x->cols; k++)
    x->data[k] = (hg_real)hg_rng_normal((hg_rng){5 + f->kind, HG_STREAM_TEST}, (uint64_t)k, (uint32_t)rank);
}

static void repeat_of(hg_world *world, fixture *f)
{
  hg_matrix x = make(f, 33), first = make(f, 33);
  hg_exchange *add = NULL;
  check_ok(hg_exchange_create(&add, world, &f->links, HG_ADD_HALO, &x, 3));
  for (int repetition = 0; repetition < 10; repetition++) {
    random_rows(f, &x, hg_world_rank(world));
    hg_exchange_begin(add);
    hg_exchange_end(add);
    size_t bytes = (size_t)(x.rows * x.cols) * sizeof *x.data;
    if (repetition == 0) memcpy(first.data, x.data, bytes);
    check(memcmp(first.data, x.data, bytes) == 0, "%s: repetition %d has other bits", parts_kind_names[f->kind],
          repetition);
  }
  hg_exchange_free(&add);
  hg_matrix_free(&x);
  hg_matrix_free(&first);
}
static void sums_repeat_their_bits(hg_world *world) { on_all_kinds(world, repeat_of); }

enum { AT_ONCE = 4 };

static void slots_of(hg_world *world, fixture *f)
{
  hg_lid n = f->part.n_owned, all = n + f->part.n_halo;
  hg_matrix x[AT_ONCE];
  hg_exchange *exchanges[AT_ONCE] = {0};
  for (int k = 0; k < AT_ONCE; k++) {
    x[k] = make(f, 5);
    check_ok(hg_exchange_create(&exchanges[k], world, &f->links, k == 2 ? HG_ADD_HALO : HG_FILL_HALO, &x[k], k * 21));
  }
  for (int round = 0; round < 10; round++) {
    for (int turn = 0; turn < AT_ONCE; turn++) {
      int k = (turn + hg_world_rank(world)) % AT_ONCE; // each rank begins them in an order of its own
      set_rows(f, &x[k], 0, k == 2 ? all : n, 10 * round + k);
      hg_exchange_begin(exchanges[k]);
    }
    for (int k = AT_ONCE - 1; k >= 0; k--) hg_exchange_end(exchanges[k]);
    for (int k = 0; k < AT_ONCE; k++)
      if (k != 2) check_rows(f, &x[k], n, all, 10 * round + k);
  }
  for (int k = 0; k < AT_ONCE; k++) {
    hg_exchange_free(&exchanges[k]);
    hg_matrix_free(&x[k]);
  }
}
static void several_at_once(hg_world *world) { on_all_kinds(world, slots_of); }

static void traffic_of(hg_world *world, fixture *f)
{
  const hg_links *links = &f->links;
  int64_t sums[2] = {0, 0}; // sent and received, over all ranks
  for (int w = 0; w < N_WIDTHS; w++) {
    hg_matrix x = make(f, widths[w]);
    hg_exchange *fill = NULL, *add = NULL;
    int64_t row = widths[w] * (int64_t)sizeof(hg_real), messages = widths[w] > 0;
    check_ok(hg_exchange_create(&fill, world, links, HG_FILL_HALO, &x, 0));
    check_ok(hg_exchange_create(&add, world, links, HG_ADD_HALO, &x, 0));
    check(hg_exchange_traffic(fill).bytes_sent == 0, "bytes before anything was sent");
    hg_exchange_progress(fill); // nothing is under way
    check(hg_exchange_traffic(fill).under_way_s <= 0, "seconds before anything was sent");
    for (int k = 0; k < 3; k++) {
      hg_exchange_begin(fill);
      hg_exchange_end(fill);
      hg_exchange_begin(add);
      hg_exchange_progress(add);
      hg_exchange_end(add);
    }
    hg_traffic filled = hg_exchange_traffic(fill), added = hg_exchange_traffic(add);
    check(filled.bytes_sent == 3 * row * links->send_offsets[links->n_peers_send], "%" PRId64 " bytes",
          filled.bytes_sent);
    bool any = messages * (links->n_peers_send + links->n_peers_recv) > 0; // else an exchange is over when it begins
    check((filled.waited_s > 0) == any && filled.waited_s <= filled.under_way_s && filled.packed_s > 0,
          "%g of %g s, %g s", filled.waited_s, filled.under_way_s, filled.packed_s);
    check((added.under_way_s > 0) == any && added.waited_s <= added.under_way_s && added.packed_s > 0,
          "%g of %g s, %g s", added.waited_s, added.under_way_s, added.packed_s);
    check(filled.messages_sent == 3 * messages * links->n_peers_send, "%" PRId64 " messages", filled.messages_sent);
    check(added.bytes_sent == 3 * row * f->part.n_halo, "%" PRId64 " bytes added", added.bytes_sent);
    check(added.messages_sent == 3 * messages * links->n_peers_recv, "%" PRId64 " messages added", added.messages_sent);
    sums[0] += filled.bytes_sent;
    sums[1] += added.bytes_sent;
    hg_exchange_free(&fill);
    hg_exchange_free(&add);
    hg_matrix_free(&x);
  }
  hg_sum_int64(world, sums, 2);
  check(sums[0] == sums[1], "filling sent %" PRId64 " bytes, adding %" PRId64, sums[0], sums[1]);
}
static void traffic_is_what_the_links_say(hg_world *world) { on_all_kinds(world, traffic_of); }

static void wire_of(hg_world *world, fixture *f)
{
  for (int w = 0; w < N_WIDTHS; w++) {
    hg_wire *wire = NULL;
    check_ok(hg_wire_create(&wire, world, &f->links, widths[w]));
    for (int k = 0; k < 3; k++) hg_wire_run(wire);
    hg_wire_free(&wire);
  }
}
static void bare_messages_arrive(hg_world *world) { on_all_kinds(world, wire_of); }

// The others begin only after rank 0 has looked.
static void halo_is_nan_while_under_way(hg_world *world)
{
#ifdef NDEBUG
  (void)world; // release builds leave the halo as it is
#else
  fixture f;
  begin(&f, world, PARTS_RANDOM);
  hg_matrix x = make(&f, 3);
  hg_exchange *exchange = NULL;
  check_ok(hg_exchange_create(&exchange, world, &f.links, HG_FILL_HALO, &x, 0));
  if (hg_world_rank(world) != 0) hg_barrier(world);
  hg_exchange_begin(exchange);
  for (hg_off k = f.part.n_owned * 3; k < x.rows * 3 && hg_world_rank(world) == 0; k++)
    check(isnan(x.data[k]), "number %lld of the halo: %g", (long long)k, (double)x.data[k]);
  if (hg_world_rank(world) == 0) hg_barrier(world);
  hg_exchange_free(&exchange); // ends it
  hg_matrix_free(&x);
  end(&f);
#endif
}

const mpi_case exchange_cases[] = {
    {"exchange/links_mirror_the_halos", links_mirror_the_halos, "1 2 3 4 7"},
    {"exchange/fill_copies_owners_rows", fill_copies_owners_rows, "1 2 3 4 7"},
    {"exchange/add_sums_all_halo_rows", add_sums_all_halo_rows, "1 2 3 4 7"},
    {"exchange/threads_change_nothing", threads_change_nothing, "2 3"},
    {"exchange/transposed_is_adjoint", transposed_is_adjoint, "1 2 3 4 7"},
    {"exchange/sums_repeat_their_bits", sums_repeat_their_bits, "2 3 7"},
    {"exchange/several_at_once", several_at_once, "1 2 3 4 7"},
    {"exchange/traffic_is_what_the_links_say", traffic_is_what_the_links_say, "1 2 3 4 7"},
    {"exchange/bare_messages_arrive", bare_messages_arrive, "1 2 3 7"},
    {"exchange/halo_is_nan_while_under_way", halo_is_nan_while_under_way, "2 3"},
    {0},
};
