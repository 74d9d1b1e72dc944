#include <math.h>
#include <string.h>

#include "comm/host_exchange.h"
#include "comm/host_routes.h"
#include "comm/message_speed.h"
#include "comm/reduce.h"
#include "core/base/alloc.h"
#include "core/base/rng.h"
#include "core/base/threads.h"
#include "core/base/timer.h"
#include "tests/mpi/random_part.h"
#include "tests/mpi/train_graph.h"
#include "tests/mpi/train_runs.h"
#include "tests/support/mpi_case.h"

// Ways to spread ranks over hosts of one machine.
typedef enum { HALVES, THIRDS, IN_TURN, ONE_AND_REST, ALONE, TOGETHER, SPREADS } spread;
static const char *const spread_names[SPREADS] = {"halves",           "thirds", "in turn",
                                                  "one and the rest", "alone",  "together"};

static int group_of(spread s, int rank, int size)
{
  const int groups[] = {rank * 2 / size, rank * 3 / size, rank % 2, rank > 0, rank, 0};
  return groups[s];
}

static const int widths[] = {5, 96, 0};
enum { N_WIDTHS = sizeof widths / sizeof *widths };

typedef struct {
  hg_world *world;
  spread spread;
  parts_kind kind;
  bool some; // links of a part of the halo
  hg_part part;
  hg_links plain, merged;
} fixture;

static void begin(fixture *f, hg_world *world, spread how, parts_kind kind, bool some)
{
  hg_rng rng = {5, HG_STREAM_TEST};
  bool *needed = NULL;
  *f = (fixture){.world = world, .spread = how, .kind = kind, .some = some};
  check_ok(hg_world_group_hosts(world, group_of(how, hg_world_rank(world), hg_world_size(world))));
  check_ok(random_part(&f->part, kind, hg_world_size(world), hg_world_rank(world), 31 + kind));
  check_ok(HG_ALLOC(needed, f->part.n_halo, "needed rows"));
  for (hg_lid h = 0; h < f->part.n_halo; h++)
    needed[h] = hg_rng_below(rng, (uint64_t)f->part.halo_ids[h], (uint32_t)f->part.part, 3) > 0;
  hg_links *links[] = {&f->plain, &f->merged};
  for (int k = 0; k < 2; k++)
    check_ok(some ? hg_links_create_some(links[k], world, &f->part, needed)
                  : hg_links_create(links[k], world, &f->part));
  check_ok(hg_links_merge(&f->merged, world));
  hg_free(&needed);
}

static void end(fixture *f)
{
  hg_links_free(&f->plain);
  hg_links_free(&f->merged);
  random_part_free(&f->part);
}

static void on_all(hg_world *world, void (*body)(fixture *f))
{
  for (int how = 0; how < SPREADS; how++)
    for (int kind = 0; kind < PARTS_KINDS; kind++)
      for (int some = 0; some < 2; some++) {
        fixture f;
        begin(&f, world, (spread)how, (parts_kind)kind, some);
        body(&f);
        end(&f);
      }
  check_ok(hg_world_group_hosts(world, 0));
}

static hg_matrix numbers(const fixture *f, int width, int salt)
{
  hg_rng rng = {7, HG_STREAM_TEST};
  hg_matrix x = {0};
  check_ok(hg_matrix_create(&x, (hg_off)f->part.n_owned + f->part.n_halo, width, "x"));
  for (hg_off e = 0; e < x.rows * x.cols; e++) {
    double number = hg_rng_uniform(rng, (uint64_t)e, (uint32_t)(f->part.part * 100 + salt)) - 0.5;
    x.data[e] = number < -0.1 ? 0 : (hg_real)number;
  }
  return x;
}

static void check_same(const fixture *f, const hg_matrix *found, const hg_matrix *expected, double tolerance,
                       const char *what)
{
  for (hg_off e = 0; e < found->rows * found->cols; e++) {
    double a = (double)found->data[e], b = (double)expected->data[e];
    if (check(fabs(a - b) <= tolerance, "%s, hosts %s, %s parts%s, width %d: number %lld of %d owned: %.9g, not %.9g",
              what, spread_names[f->spread], parts_kind_names[f->kind], f->some ? ", some rows" : "", found->cols,
              (long long)e, f->part.n_owned, a, b))
      continue;
    return;
  }
}

// ids that are not the numbers of nodes; all ranks have the same of a node
static hg_gid *ids_of(const fixture *f)
{
  hg_gid *ids = NULL;
  hg_lid n = f->part.n_owned;
  check_ok(HG_ALLOC(ids, (hg_off)n + f->part.n_halo, "ids"));
  for (hg_lid i = 0; i < n; i++) ids[i] = 1000 + 3 * (f->part.first + i);
  for (hg_lid h = 0; h < f->part.n_halo; h++) ids[n + h] = 1000 + 3 * f->part.halo_ids[h];
  return ids;
}

// one exchange on plain links and on merged ones, of the same numbers
static void both_ways(fixture *f, hg_exchange_kind kind, bool skips_zeros, int width, double tolerance)
{
  const hg_exchange_packing packing = {.format = HG_PACK_REAL, .skip_zeros = skips_zeros};
  hg_exchange *plain = NULL, *merged = NULL;
  hg_matrix x = numbers(f, width, 0), y = numbers(f, width, 0), again = numbers(f, width, 0);
  check_ok(hg_exchange_create(&plain, f->world, &f->plain, kind, &x, 2));
  check_ok(hg_exchange_create_packed(&merged, f->world, &f->merged, kind, &y, 3, &packing));
  for (int round = 0; round < 4; round++) {
    hg_matrix fresh = numbers(f, width, round);
    size_t bytes = (size_t)(fresh.rows * fresh.cols) * sizeof *fresh.data;
    if (bytes > 0) memcpy(x.data, fresh.data, bytes);
    if (bytes > 0) memcpy(y.data, fresh.data, bytes);
    hg_exchange_begin(plain);
    hg_exchange_end(plain);
    hg_exchange_begin(merged);
    for (int k = 0; k < (round + f->part.part) % 3; k++) hg_exchange_progress(merged);
    hg_exchange_end(merged);
    check_same(f, &y, &x, tolerance, kind == HG_FILL_HALO ? "filled" : "added");
    if (round == 0 && bytes > 0) memcpy(again.data, y.data, bytes);
    hg_matrix_free(&fresh);
  }
  hg_matrix first = numbers(f, width, 0);
  if (first.rows * first.cols > 0) memcpy(y.data, first.data, (size_t)(first.rows * first.cols) * sizeof *first.data);
  hg_exchange_begin(merged);
  hg_exchange_end(merged);
  check_same(f, &y, &again, 0, "again");
  hg_exchange_free(&plain);
  hg_exchange_free(&merged);
  hg_matrix *matrices[] = {&x, &y, &again, &first};
  for (int k = 0; k < 4; k++) hg_matrix_free(matrices[k]);
}

static void fill_of(fixture *f)
{
  for (int w = 0; w < N_WIDTHS; w++) both_ways(f, HG_FILL_HALO, false, widths[w], 0);
  both_ways(f, HG_FILL_HALO, true, 37, 0);
  both_ways(f, HG_FILL_HALO, true, 0, 0);
}
static void fills_as_without(hg_world *world) { on_all(world, fill_of); }

static void add_of(fixture *f)
{
  double tolerance = sizeof(hg_real) == 4 ? 1e-6 : 1e-14;
  for (int w = 0; w < N_WIDTHS; w++) both_ways(f, HG_ADD_HALO, false, widths[w], tolerance);
  both_ways(f, HG_ADD_HALO, true, 37, tolerance);
}
static void adds_as_without(hg_world *world) { on_all(world, add_of); }

// However many ranks each host has, messages are measured where there are two ranks to send one.
static void messages_have_speeds(hg_world *world)
{
  for (int how = 0; how < SPREADS; how++) {
    hg_message_speed speed;
    int size = hg_world_size(world), counts[8] = {0}, most = 0;
    check_ok(hg_world_group_hosts(world, group_of((spread)how, hg_world_rank(world), size)));
    for (int r = 0; r < size; r++) counts[hg_world_host_of(world, r)]++;
    for (int h = 0; h < 8; h++) most = counts[h] > most ? counts[h] : most;
    if (!check_ok(hg_message_speed_measure(world, &speed))) continue;
    const bool there[] = {most > 1, most < size};
    check(speed.ranks_per_host == most, "%s: %d ranks share a host, expected %d", spread_names[how],
          speed.ranks_per_host, most);
    for (int place = 0; place < HG_MESSAGE_PLACES; place++)
      check((speed.latency_s[place] > 0) == there[place] && (speed.bytes_s[place] > 0) == there[place],
            "%s, place %d: %g s, %g bytes a second", spread_names[how], place, speed.latency_s[place],
            speed.bytes_s[place]);
  }
  check_ok(hg_world_group_hosts(world, 0));
}

// Rounded rows: filled to the bit as without merging. What is added is as near to the sum of reals as the roundings of
// what crosses allow: one a host, of sums whose range is at most half of its ranks, since numbers are 0 to 0.5.
static void rounded(fixture *f, hg_exchange_kind kind, hg_pack_format format, bool skips_zeros)
{
  enum { WIDTH = 21, ROUNDS = 3 };
  hg_gid *ids = ids_of(f);
  const hg_exchange_packing packing = {.format = format, .layer = 1, .skip_zeros = skips_zeros, .ids = ids};
  const double steps[HG_PACK_COUNT] = {0, 1.0 / 128, 1.0 / 255, 1.0 / 15, 1.0 / 3};
  hg_exchange *plain = NULL, *merged = NULL;
  hg_matrix x = numbers(f, WIDTH, 0), y = numbers(f, WIDTH, 0);
  bool fill = kind == HG_FILL_HALO;
  double error = fill ? 0 : 1.02 * steps[format] * 0.5 * hg_world_size(f->world); // ranges come in bfloat16
  if (fill)
    check_ok(hg_exchange_create_packed(&plain, f->world, &f->plain, kind, &x, 2, &packing));
  else
    check_ok(hg_exchange_create(&plain, f->world, &f->plain, kind, &x, 2));
  check_ok(hg_exchange_create_packed(&merged, f->world, &f->merged, kind, &y, 3, &packing));
  for (int round = 0; round < ROUNDS; round++) { // the last one sends reals
    hg_matrix fresh = numbers(f, WIDTH, round);
    size_t bytes = (size_t)(fresh.rows * fresh.cols) * sizeof *fresh.data;
    if (bytes > 0) memcpy(x.data, fresh.data, bytes);
    if (bytes > 0) memcpy(y.data, fresh.data, bytes);
    hg_exchange *both[] = {plain, merged};
    for (int k = 0; k < 2; k++) {
      hg_exchange_pack(both[k], round < ROUNDS - 1, 5, round);
      hg_exchange_begin(both[k]);
      hg_exchange_end(both[k]);
    }
    check_same(f, &y, &x, round < ROUNDS - 1 ? error : 1e-6, hg_pack_format_name(format));
    hg_matrix_free(&fresh);
  }
  hg_exchange_free(&plain);
  hg_exchange_free(&merged);
  hg_matrix_free(&x);
  hg_matrix_free(&y);
  hg_free(&ids);
}

static void rounded_of(fixture *f)
{
  for (int format = HG_PACK_BFLOAT16; format <= (int)HG_PACK_INT2; format++)
    for (int way = 0; way < 4; way++)
      if ((format + (int)f->spread) % 2 == way / 2) // some of them each
        rounded(f, way % 2 ? HG_ADD_HALO : HG_FILL_HALO, (hg_pack_format)format, way / 2);
}
static void rounds_as_without(hg_world *world) { on_all(world, rounded_of); }

static const hg_real *row_of(const hg_matrix *x, hg_off row) { return x->data + row * x->cols; }

// Rows that cross between hosts: each halo row of another host, and without duplicates in a host.
static void count_rows(const fixture *f, int64_t rows[2])
{
  int size = hg_world_size(f->world), here = hg_world_host_of(f->world, f->part.part);
  bool *met = NULL;
  hg_rng rng = {5, HG_STREAM_TEST};
  check_ok(HG_ALLOC(met, f->part.n_global, "nodes"));
  for (int q = 0; q <= f->part.part; q++) { // what a rank below has is not counted here
    hg_part other;
    if (hg_world_host_of(f->world, q) != here) continue;
    check_ok(random_part(&other, f->kind, size, q, 31 + f->kind));
    for (int owner = 0; owner < size; owner++)
      for (hg_lid h = other.halo_offsets[owner]; h < other.halo_offsets[owner + 1]; h++) {
        hg_gid id = other.halo_ids[h];
        if (hg_world_host_of(f->world, owner) == here) continue;
        if (f->some && hg_rng_below(rng, (uint64_t)id, (uint32_t)q, 3) == 0) continue;
        if (q == f->part.part) rows[0]++;
        if (q == f->part.part && !met[id]) rows[1]++;
        met[id] = true;
      }
    random_part_free(&other);
  }
  hg_free(&met);
  hg_sum_int64(f->world, rows, 2);
}

// and of how many ordered pairs of hosts
static int64_t count_pairs(const fixture *f)
{
  int size = hg_world_size(f->world), here = hg_world_host_of(f->world, f->part.part);
  double met[16] = {0};
  for (int p = 0; p < f->plain.n_peers_recv; p++) met[hg_world_host_of(f->world, f->plain.recv_peers[p])] = 1;
  int64_t pairs = 0;
  for (int h = 0; h < hg_world_n_hosts(f->world); h++) { // of each host the ranks together, once
    double all[16] = {0};
    if (here == h) memcpy(all, met, sizeof met);
    hg_sum_doubles(f->world, all, 16);
    for (int k = 0; k < size; k++) pairs += k != h && all[k] > 0;
  }
  return pairs;
}

static void traffic_of(fixture *f)
{
  enum { WIDTH = 3 };
  hg_links *links[] = {&f->plain, &f->merged};
  int64_t rows[2] = {0, 0}, sent[2] = {0, 0}, far[2], messages[2], most = count_pairs(f);
  count_rows(f, rows);
  for (int k = 0; k < 4; k++) {
    hg_exchange *exchange = NULL;
    hg_matrix x = numbers(f, WIDTH, 0);
    check_ok(hg_exchange_create(&exchange, f->world, links[k % 2], k < 2 ? HG_FILL_HALO : HG_ADD_HALO, &x, 1));
    hg_exchange_begin(exchange);
    hg_exchange_end(exchange);
    const hg_traffic t = hg_exchange_traffic(exchange);
    int64_t sums[] = {t.bytes_sent - t.far_bytes, t.far_bytes, t.far_messages};
    hg_sum_int64(f->world, sums, 3);
    sent[k % 2] = sums[0], far[k % 2] = sums[1], messages[k % 2] = sums[2];
    hg_exchange_free(&exchange);
    hg_matrix_free(&x);
    if (k % 2 == 0) continue;
    int64_t row = WIDTH * (int64_t)sizeof(hg_real);
    check(far[0] == rows[0] * row, "%lld bytes between hosts, expected %lld rows", (long long)far[0],
          (long long)rows[0]);
    check(far[1] == rows[1] * row, "%lld bytes merged, expected %lld rows, hosts %s", (long long)far[1],
          (long long)rows[1], spread_names[f->spread]);
    check(sent[0] == sent[1], "%lld and %lld bytes inside hosts", (long long)sent[0], (long long)sent[1]);
    check(messages[1] == most, "%lld messages, expected %lld", (long long)messages[1], (long long)most);
  }
}
static void each_row_crosses_once(hg_world *world) { on_all(world, traffic_of); }

// What a server packs for its host counts once: begin to end is no shorter than packing and what was under way.
static void seconds_of(fixture *f)
{
  const hg_exchange_packing packing = {.format = HG_PACK_REAL, .skip_zeros = true};
  hg_matrix x = numbers(f, 96, 0);
  hg_exchange *fill = NULL;
  double passed = 0;
  check_ok(hg_exchange_create_packed(&fill, f->world, &f->merged, HG_FILL_HALO, &x, 0, &packing));
  for (int k = 0; k < 3; k++) {
    double start = hg_now_s();
    hg_exchange_begin(fill);
    hg_exchange_progress(fill);
    hg_exchange_end(fill);
    passed += hg_now_s() - start;
  }
  hg_traffic t = hg_exchange_traffic(fill);
  check(t.waited_s >= 0 && t.waited_s <= t.under_way_s + 1e-9, "waited %g of %g s", t.waited_s, t.under_way_s);
  check(t.packed_s + t.under_way_s <= passed + 1e-9, "%g + %g s of %g", t.packed_s, t.under_way_s, passed);
  hg_exchange_free(&fill);
  hg_matrix_free(&x);
}
static void seconds_count_once(hg_world *world) { on_all(world, seconds_of); }

// <F x, y> = <x, A y>: what fills and what adds are each other's transposed
static void adjoint_of(fixture *f)
{
  enum { WIDTH = 8 };
  hg_exchange *fill = NULL, *add = NULL;
  hg_matrix x = numbers(f, WIDTH, 0), y = numbers(f, WIDTH, 1), x0 = numbers(f, WIDTH, 0), y0 = numbers(f, WIDTH, 1);
  double products[2] = {0, 0}, tolerance = sizeof(hg_real) == 4 ? 1e-4 : 1e-11;
  check_ok(hg_exchange_create(&fill, f->world, &f->merged, HG_FILL_HALO, &x, 0));
  check_ok(hg_exchange_create(&add, f->world, &f->merged, HG_ADD_HALO, &y, 1));
  hg_exchange_begin(fill);
  hg_exchange_begin(add); // both under way
  hg_exchange_end(add);
  hg_exchange_end(fill);
  for (hg_lid k = 0; k < f->part.n_owned; k++)
    for (int c = 0; c < WIDTH; c++)
      products[0] += (double)row_of(&x0, k)[c] * ((double)row_of(&y, k)[c] - (double)row_of(&y0, k)[c]);
  for (hg_lid h = 0; h < (f->some ? f->plain.recv_offsets[f->plain.n_peers_recv] : f->part.n_halo); h++) {
    hg_off row = f->part.n_owned + (f->some ? f->plain.recv_rows[h] : h);
    for (int c = 0; c < WIDTH; c++) products[1] += (double)row_of(&x, row)[c] * (double)row_of(&y0, row)[c];
  }
  hg_sum_doubles(f->world, products, 2);
  check(fabs(products[0] - products[1]) <= tolerance * (1 + fabs(products[0])), "%.9g and %.9g", products[0],
        products[1]);
  hg_exchange_free(&fill);
  hg_exchange_free(&add);
  hg_matrix *matrices[] = {&x, &y, &x0, &y0};
  for (int k = 0; k < 4; k++) hg_matrix_free(matrices[k]);
}
static void added_is_adjoint_of_filled(hg_world *world) { on_all(world, adjoint_of); }

// Ranks that compute for different times, many exchanges one after the other, several in turn on one slot.
static void nobody_waits_for_ever(hg_world *world)
{
  enum { EXCHANGES = 4, ROUNDS = 200 };
  fixture f;
  begin(&f, world, HALVES, PARTS_EMPTY, false);
  hg_exchange *exchanges[EXCHANGES];
  hg_matrix x[EXCHANGES];
  double before = 0, after = 0;
  for (int k = 0; k < EXCHANGES; k++) {
    x[k] = numbers(&f, 4 + k, k);
    check_ok(hg_exchange_create(&exchanges[k], world, k == 2 ? &f.plain : &f.merged,
                                k == 1 ? HG_ADD_HALO : HG_FILL_HALO, &x[k], 0));
    for (hg_off e = 0; k != 1 && e < (hg_off)f.part.n_owned * x[k].cols; e++) before += (double)x[k].data[e];
  }
  for (int round = 0; round < ROUNDS; round++)
    for (int k = 0; k < EXCHANGES; k++) {
      hg_exchange_begin(exchanges[k]);
      for (int p = 0; p < (round * 7 + f.part.part * 3 + k) % 5; p++) hg_exchange_progress(exchanges[k]);
      hg_exchange_end(exchanges[k]);
    }
  hg_matrix expected = numbers(&f, x[3].cols, 3); // this one shares with a narrower one
  hg_exchange *plain = NULL;
  check_ok(hg_exchange_create(&plain, world, &f.plain, HG_FILL_HALO, &expected, 1));
  hg_exchange_begin(plain);
  hg_exchange_end(plain);
  check_same(&f, &x[3], &expected, 0, "the last time");
  hg_exchange_free(&plain);
  hg_matrix_free(&expected);
  for (int k = 0; k < EXCHANGES; k++) {
    for (hg_off e = 0; k != 1 && e < (hg_off)f.part.n_owned * x[k].cols; e++) after += (double)x[k].data[e];
    hg_exchange_free(&exchanges[k]);
    hg_matrix_free(&x[k]);
  }
  check(before == after, "owned rows were changed");
  end(&f);
  check_ok(hg_world_group_hosts(world, 0));
}

static void memory_is_as_told(hg_world *world)
{
  static const hg_exchange_packing ways[] = {{.format = HG_PACK_REAL},
                                             {.format = HG_PACK_REAL, .skip_zeros = true},
                                             {.format = HG_PACK_INT4},
                                             {.format = HG_PACK_INT8, .skip_zeros = true}};
  fixture f;
  for (int k = 0; k < 8; k++) {
    begin(&f, world, HALVES, PARTS_RANDOM, true);
    hg_gid *ids = ids_of(&f);
    hg_exchange_packing packing = ways[k / 2];
    hg_exchange_kind kind = k % 2 ? HG_ADD_HALO : HG_FILL_HALO;
    hg_matrix x = numbers(&f, 500, 0);
    hg_exchange *exchange = NULL;
    hg_host_room room = {0};
    packing.ids = ids;
    hg_host_room_widen(&room, 500, &packing);
    size_t before = hg_alloc_bytes(),
           planned = hg_exchange_bytes(&f.merged, kind, 500, &packing) + hg_host_exchange_bytes(&f.merged, kind, &room);
    check_ok(hg_exchange_create_packed(&exchange, world, &f.merged, kind, &x, 0, &packing));
    size_t used = hg_alloc_bytes() - before;
    check(used >= planned && used <= planned + 4096, "way %d: %zu bytes, planned %zu", k, used, planned);
    hg_exchange_free(&exchange);
    check(hg_alloc_bytes() == before, "%zu bytes left", hg_alloc_bytes() - before);
    hg_matrix_free(&x);
    hg_free(&ids);
    end(&f);
  }
  check_ok(hg_world_group_hosts(world, 0));
}

// Losses of a training whose rows are merged between hosts, however ranks are spread, beside those of one rank.
static void train_as_one(hg_world *world, const train_graph *graph, const char *const *changes)
{
  enum { EPOCHS = 30 };
  double expected[EPOCHS], found[EPOCHS], again[EPOCHS];
  char path[HG_PATH_MAX];
  hg_world *self = NULL;
  check_ok(train_graph_write(world, graph, path));
  hg_config config = train_config(path);
  train_configure(&config, changes);
  check_ok(hg_world_self_create(&self, world));
  if (hg_world_rank(world) == 0) train_curve(self, &config, EPOCHS, expected);
  hg_broadcast(world, expected, sizeof expected, 0);
  train_configure(&config, OPTIONS("halo.hosts=merged", "halo.compute_first=never"));
  for (int how = 0; how < ALONE; how++) {
    check_ok(hg_world_group_hosts(world, group_of((spread)how, hg_world_rank(world), hg_world_size(world))));
    train_curve(world, &config, EPOCHS, found);
    check_train_curves(found, expected, EPOCHS, train_exact ? 1e-9 : 1e-4, spread_names[how]);
    train_curve(world, &config, EPOCHS, again);
    check_train_curves(again, found, EPOCHS, 0, "again");
  }
  check_ok(hg_world_group_hosts(world, 0));
  hg_world_self_free(&self);
  train_graph_remove(world, path);
}

static void trains_as_one_rank(hg_world *world)
{
  train_graph g = train_graph_default();
  g.n = 300;
  g.train_of = 4; // few, so that rows are left out
  train_as_one(world, &g, OPTIONS("model.layers=4", "model.hidden=6", "model.dropout=0.4", "halo.skip_zeros=never"));
  train_as_one(world, &g, OPTIONS("model.layers=3", "model.hidden=6", "model.dropout=0.4", "halo.skip_zeros=always"));
  g.directed = true;
  train_as_one(world, &g, OPTIONS("model.layers=3", "model.norm=layer", "partition.method=random"));
}

static void trains_geogcn_as_one_rank(hg_world *world)
{
  train_graph g = train_graph_default();
  g.n = 200;
  g.n_dims = 2;
  train_as_one(world, &g, OPTIONS("model.type=geogcn", "model.layers=3", "model.filters=3", "train.active_sets=false"));
}

// bytes planned and used for a training whose rows cross that way
static void measure(hg_world *world, const char *path, const char *const *changes, double bytes[2])
{
  hg_trainer trainer;
  hg_config config = train_config(path);
  train_configure(&config, changes);
  size_t before = hg_alloc_bytes();
  check_ok(hg_trainer_create(&trainer, world, &config));
  bytes[0] = (double)trainer.planned.total;
  bytes[1] = (double)(hg_alloc_bytes() - before);
  hg_trainer_free(&trainer);
}

static void plans_its_memory(hg_world *world)
{
  train_graph g = train_graph_default();
  char path[HG_PATH_MAX];
  double ranks[2], merged[2];
  g.n = 2000;
  g.train_of = 20;
  check_ok(train_graph_write(world, &g, path));
  check_ok(hg_world_group_hosts(world, group_of(HALVES, hg_world_rank(world), hg_world_size(world))));
  for (int zeros = 0; zeros < 2; zeros++) {
    const char *all = "halo.compute_first=never", *skip = zeros ? "halo.skip_zeros=never" : "halo.skip_zeros=always";
    measure(world, path, OPTIONS("model.layers=3", "model.hidden=256", all, skip), ranks);
    measure(world, path, OPTIONS("model.layers=3", "model.hidden=256", all, skip, "halo.hosts=merged"), merged);
    double planned = merged[0] - ranks[0], used = merged[1] - ranks[1];
    check(planned != 0 && fabs(used - planned) < 0.02 * merged[0], "%s: %g bytes more planned, %g used", skip, planned,
          used);
  }
  check_ok(hg_world_group_hosts(world, 0));
  train_graph_remove(world, path);
}

static void finds_hosts(hg_world *world)
{
  int rank = hg_world_rank(world), size = hg_world_size(world);
  check_ok(hg_world_group_hosts(world, group_of(IN_TURN, rank, size)));
  check(hg_world_n_hosts(world) == (size > 1 ? 2 : 1), "%d hosts", hg_world_n_hosts(world));
  for (int r = 0; r < size; r++)
    check(hg_world_host_of(world, r) == r % 2, "rank %d on host %d", r, hg_world_host_of(world, r));
  check(hg_world_hosts(world) == (size > 2 ? 0 : size), "%d hosts of consecutive ranks", hg_world_hosts(world));
  check_ok(hg_world_group_hosts(world, group_of(HALVES, rank, size)));
  check(hg_world_hosts(world) == (size % 2 ? (size == 1) : 2), "%d hosts", hg_world_hosts(world));
  check_ok(hg_world_group_hosts(world, 0));
  check(hg_world_hosts(world) == 1 && hg_world_n_hosts(world) == 1, "%d hosts", hg_world_n_hosts(world));
}

static void refuses_bits_that_vary(hg_world *world)
{
  fixture f;
  begin(&f, world, HALVES, PARTS_RANDOM, false);
  hg_gid *ids = ids_of(&f);
  for (int k = 0; k < 2; k++) {
    hg_exchange *exchange = NULL;
    const hg_exchange_packing packing = {
        .format = k ? HG_PACK_INT8 : HG_PACK_ADAPTIVE, .error_feedback = k, .fraction = 0.5, .ids = ids};
    hg_matrix x = numbers(&f, 4, 0);
    hg_status rc = hg_exchange_create_packed(&exchange, world, &f.merged, HG_FILL_HALO, &x, 0, &packing);
    check(rc == HG_ERR_INTERNAL && !exchange, "status %d", (int)rc);
    hg_matrix_free(&x);
  }
  hg_free(&ids);
  end(&f);
}

const mpi_case hosts_cases[] = {
    {"hosts/finds_hosts", finds_hosts, "1 2 3 7"},
    {"hosts/messages_have_speeds", messages_have_speeds, "1 2 3 4 7"},
    {"hosts/fills_as_without", fills_as_without, "2 4 7"},
    {"hosts/adds_as_without", adds_as_without, "3 4 7"},
    {"hosts/rounds_as_without", rounds_as_without, "3 4 7"},
    {"hosts/each_row_crosses_once", each_row_crosses_once, "3 4 7"},
    {"hosts/seconds_count_once", seconds_count_once, "3 4"},
    {"hosts/added_is_adjoint_of_filled", added_is_adjoint_of_filled, "1 3 7"},
    {"hosts/nobody_waits_for_ever", nobody_waits_for_ever, "3 4 7"},
    {"hosts/memory_is_as_told", memory_is_as_told, "3 4"},
    {"hosts/trains_as_one_rank", trains_as_one_rank, "3 4 7"},
    {"hosts/trains_geogcn_as_one_rank", trains_geogcn_as_one_rank, "3 4"},
    {"hosts/plans_its_memory", plans_its_memory, "4"},
    {"hosts/refuses_bits_that_vary", refuses_bits_that_vary, "! 3"},
    {0},
};
