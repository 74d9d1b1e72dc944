// Exchanges whose rows are packed, against the quantiser of one process.
#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "comm/exchange.h"
#include "comm/reduce.h"
#include "core/base/alloc.h"
#include "core/base/rng.h"
#include "core/base/threads.h"
#include "tests/mpi/random_part.h"
#include "tests/support/mpi_case.h"

static const int widths[] = {1, 7, 64, 300, 0};
enum { N_WIDTHS = sizeof widths / sizeof *widths, LAYER = 3, SEED = 11, EPOCHS = 3 };

typedef struct {
  parts_kind kind;
  hg_part part;
  hg_links links;
  hg_gid *ids; // [n_owned + n_halo]
  hg_lid n_owned, n_local;
} fixture;

static hg_gid original_id(hg_gid global) { return 3 * global + 5; }

static void begin(fixture *f, hg_world *world, parts_kind kind)
{
  *f = (fixture){.kind = kind};
  check_ok(random_part(&f->part, kind, hg_world_size(world), hg_world_rank(world), 11 + kind));
  check_ok(hg_links_create(&f->links, world, &f->part));
  f->n_owned = f->part.n_owned;
  f->n_local = f->part.n_owned + f->part.n_halo;
  check_ok(HG_ALLOC(f->ids, f->n_local, "ids"));
  for (hg_lid i = 0; i < f->n_local; i++)
    f->ids[i] = original_id(i < f->n_owned ? f->part.first + i : f->part.halo_ids[i - f->n_owned]);
}

static void end(fixture *f)
{
  hg_links_free(&f->links);
  random_part_free(&f->part);
  hg_free(&f->ids);
}

static hg_matrix make(hg_off rows, int width)
{
  hg_matrix x = {0};
  check_ok(hg_matrix_create(&x, rows, width, "x"));
  return x;
}

// Rows are functions of the id, the column and the salt. Every tenth is 0, every eleventh has a NaN.
static void set_rows(hg_matrix *x, const hg_gid *ids, int salt)
{
  for (hg_off i = 0; i < x->rows; i++)
    for (int c = 0; c < x->cols; c++) {
      double value = hg_rng_normal((hg_rng){5, HG_STREAM_TEST}, (uint64_t)ids[i], (uint32_t)(c + 10000 * salt));
      x->data[i * x->cols + c] = (hg_real)(ids[i] % 10 == 0 ? 0 : ids[i] % 11 == 0 && c == 2 ? NAN : value);
    }
}

// What becomes of rows that `sender` sends, on this process alone
static void round_rows(hg_pack_format format, hg_pack_draw draw, const hg_gid *ids, hg_real *error, hg_matrix *x)
{
  uint8_t *packed = NULL;
  check_ok(HG_ALLOC(packed, x->rows * (hg_off)hg_pack_row_bytes(format, x->cols), "packed"));
  hg_pack_rows(&(hg_packing){.format = format, .draw = draw, .x = x, .ids = ids, .error = error}, x->rows, packed);
  hg_unpack_rows(format, packed, x->rows, NULL, false, x);
  hg_free(&packed);
}

static bool same_bits(const hg_real *a, const hg_real *b, hg_off n)
{
  for (hg_off k = 0; k < n; k++) // NaN of whatever bits
    if (a[k] != b[k] && !(isnan(a[k]) && isnan(b[k]))) return false;
  return true;
}

static hg_exchange *create(hg_world *world, const fixture *f, hg_exchange_kind kind, hg_matrix *x,
                           hg_pack_format format, bool feedback)
{
  hg_exchange *exchange = NULL;
  const hg_exchange_packing packing = {.format = format, .layer = LAYER, .error_feedback = feedback, .ids = f->ids};
  check_ok(hg_exchange_create_packed(&exchange, world, &f->links, kind, x, 1, &packing));
  return exchange;
}

static void on_all(hg_world *world, void (*body)(hg_world *world, const fixture *f, hg_pack_format format, int width))
{
  for (int kind = 0; kind < PARTS_KINDS; kind++) {
    fixture f;
    begin(&f, world, (parts_kind)kind);
    for (int format = HG_PACK_REAL; format <= HG_PACK_INT2; format++)
      for (int w = 0; w < N_WIDTHS; w++) body(world, &f, (hg_pack_format)format, widths[w]);
    end(&f);
  }
}

static void run_exchange(hg_exchange *exchange)
{
  hg_exchange_begin(exchange);
  hg_exchange_progress(exchange);
  hg_exchange_end(exchange);
}

// Epochs in turns packed and not, so that both kinds of messages meet.
static void fill_of(hg_world *world, const fixture *f, hg_pack_format format, int width)
{
  hg_matrix x = make(f->n_local, width), expected = make(f->n_local, width);
  hg_matrix halo = hg_matrix_rows(&expected, f->n_owned, f->part.n_halo);
  hg_exchange *exchange = create(world, f, HG_FILL_HALO, &x, format, false);
  int64_t bytes = 0, rows = f->links.send_offsets[f->links.n_peers_send];
  for (int epoch = 0; epoch < EPOCHS; epoch++) {
    bool packed = epoch % 2 == 0 && format != HG_PACK_REAL;
    set_rows(&x, f->ids, epoch);
    set_rows(&expected, f->ids, epoch);
    for (hg_off k = (hg_off)f->n_owned * width; k < x.rows * width; k++) x.data[k] = 77;
    hg_exchange_pack(exchange, epoch % 2 == 0, SEED, epoch);
    run_exchange(exchange);
    const hg_pack_draw draw = {.seed = SEED, .epoch = epoch, .layer = LAYER};
    if (packed) round_rows(format, draw, f->ids + f->n_owned, NULL, &halo);
    check(same_bits(x.data, expected.data, x.rows * width), "%s, %s, width %d, epoch %d: other numbers",
          parts_kind_names[f->kind], hg_pack_format_name(format), width, epoch);
    bytes +=
        rows * (int64_t)(packed ? hg_pack_row_bytes(format, width) : (size_t)width * sizeof(hg_real)) * (width > 0);
  }
  check(hg_exchange_traffic(exchange).bytes_sent == bytes, "%s, width %d: %" PRId64 " bytes, expected %" PRId64,
        hg_pack_format_name(format), width, hg_exchange_traffic(exchange).bytes_sent, bytes);
  hg_exchange_free(&exchange);
  hg_matrix_free(&x), hg_matrix_free(&expected);
}
static void fill_gives_what_one_process_rounds(hg_world *world) { on_all(world, fill_of); }

enum { FRACTION_PERCENT = 18 };

// One message's rows as one process packs them; returns its bytes
static int64_t round_message(hg_pack_draw draw, const hg_gid *ids, const float *weights, hg_matrix *x)
{
  hg_adaptive a = {.fraction = FRACTION_PERCENT / 100.0, .weights = weights};
  uint8_t *packed = NULL;
  check_ok(HG_ALLOC(packed, x->rows * (hg_off)hg_pack_row_bytes(HG_PACK_ADAPTIVE, x->cols), "packed"));
  check_ok(HG_ALLOC(a.scores, x->rows, "scores"));
  check_ok(HG_ALLOC(a.chosen, x->rows, "chosen"));
  size_t bytes = hg_pack_adaptive(&(hg_packing){.draw = draw, .x = x, .ids = ids}, &a, x->rows, packed);
  hg_unpack_adaptive(packed, x->rows, NULL, false, a.chosen, x);
  hg_free(&packed), hg_free(&a.scores), hg_free(&a.chosen);
  return (int64_t)bytes;
}

// Owned rows plus what each other rank sends of its halo rows, in the order of ranks.
static void add_expected(const fixture *f, hg_pack_format format, int epoch, hg_matrix *sum)
{
  for (int q = 0; q < f->part.n_parts; q++) {
    hg_part other;
    check_ok(random_part(&other, f->kind, f->part.n_parts, q, 11 + f->kind));
    hg_lid first = other.halo_offsets[f->part.part], n = other.halo_offsets[f->part.part + 1] - first;
    hg_matrix share = make(n, sum->cols);
    hg_gid *ids = NULL;
    check_ok(HG_ALLOC(ids, n, "ids"));
    for (hg_lid h = 0; h < n; h++) ids[h] = original_id(other.halo_ids[first + h]);
    set_rows(&share, ids, epoch + 10 * q + 1);
    const hg_pack_draw draw = {.seed = SEED, .epoch = epoch, .layer = LAYER, .backward = true, .sender = q};
    if (format == HG_PACK_ADAPTIVE)
      round_message(draw, ids, NULL, &share);
    else if (format != HG_PACK_REAL && sum->cols > 0)
      round_rows(format, draw, ids, NULL, &share);
    for (hg_lid h = 0; h < n; h++)
      for (int c = 0; c < sum->cols; c++)
        sum->data[(other.halo_ids[first + h] - f->part.first) * sum->cols + c] += share.data[(hg_off)h * sum->cols + c];
    hg_free(&ids);
    hg_matrix_free(&share);
    random_part_free(&other);
  }
}

// Sums of each epoch's shares, as `exchange` packs them, against those of one process.
static void add_epochs(hg_world *world, const fixture *f, hg_pack_format format, hg_exchange *exchange, hg_matrix *x)
{
  int width = x->cols;
  hg_matrix expected = make(f->n_owned, width);
  hg_matrix halo = hg_matrix_rows(x, f->n_owned, f->part.n_halo), owned = hg_matrix_rows(x, 0, f->n_owned);
  for (int epoch = 0; epoch < EPOCHS; epoch++) {
    set_rows(&owned, f->ids, epoch);
    set_rows(&expected, f->ids, epoch);
    set_rows(&halo, f->ids + f->n_owned, epoch + 10 * hg_world_rank(world) + 1);
    hg_exchange_pack(exchange, true, SEED, epoch);
    run_exchange(exchange);
    add_expected(f, format, epoch, &expected);
    check(same_bits(x->data, expected.data, expected.rows * width), "%s, %s, width %d, epoch %d: other sums",
          parts_kind_names[f->kind], hg_pack_format_name(format), width, epoch);
  }
  hg_matrix_free(&expected);
}

static void add_of(hg_world *world, const fixture *f, hg_pack_format format, int width)
{
  hg_matrix x = make(f->n_local, width);
  hg_exchange *exchange = create(world, f, HG_ADD_HALO, &x, format, false);
  add_epochs(world, f, format, exchange, &x);
  int64_t bytes = EPOCHS * (int64_t)hg_pack_row_bytes(format, width) * f->part.n_halo * (width > 0);
  check(hg_exchange_traffic(exchange).bytes_sent == bytes, "%s, width %d: other bytes than %" PRId64,
        hg_pack_format_name(format), width, bytes);
  hg_exchange_free(&exchange);
  hg_matrix_free(&x);
}
static void add_sums_what_one_process_rounds(hg_world *world) { on_all(world, add_of); }

// Wide enough for loops that share their work among threads
static void threads_of(hg_world *world, const fixture *f, hg_pack_format format, int width)
{
  if (width != 300) return;
  hg_matrix x[2] = {make(f->n_local, 3000), make(f->n_local, 3000)};
  for (int run = 0; run < 2; run++) {
    hg_exchange *fill = create(world, f, HG_FILL_HALO, &x[run], format, false);
    hg_exchange *add = create(world, f, HG_ADD_HALO, &x[run], format, false);
    hg_threads_set(run ? 3 : 1);
    set_rows(&x[run], f->ids, 1);
    for (int epoch = 0; epoch < 2; epoch++) {
      hg_exchange_pack(fill, true, SEED, epoch);
      hg_exchange_pack(add, true, SEED, epoch);
      run_exchange(fill);
      run_exchange(add);
    }
    hg_exchange_free(&fill);
    hg_exchange_free(&add);
  }
  hg_threads_set(1);
  check(memcmp(x[0].data, x[1].data, (size_t)(x[0].rows * x[0].cols) * sizeof *x[0].data) == 0,
        "%s, %s: three threads give other bits than one", parts_kind_names[f->kind], hg_pack_format_name(format));
  hg_matrix_free(&x[0]), hg_matrix_free(&x[1]);
}
static void threads_and_repetitions_change_no_bit(hg_world *world) { on_all(world, threads_of); }

// The receiver knows all that the sender does, so it can keep the sender's error too. It is taken over by a second
// exchange half way.
static void feedback_of(hg_world *world, const fixture *f, hg_pack_format format, int width)
{
  if (format == HG_PACK_REAL || width == 0) return;
  hg_matrix x = make(f->n_local, width), halo = make(f->part.n_halo, width), error = make(f->part.n_halo, width);
  hg_exchange *exchange = create(world, f, HG_FILL_HALO, &x, format, true), *second = NULL;
  for (int epoch = 0; epoch < 2 * EPOCHS; epoch++) {
    if (epoch == EPOCHS) {
      second = create(world, f, HG_FILL_HALO, &x, format, true);
      hg_matrix from = hg_exchange_error(exchange), to = hg_exchange_error(second);
      if (from.rows > 0) memcpy(to.data, from.data, (size_t)(from.rows * from.cols) * sizeof *to.data);
    }
    hg_exchange *now = second ? second : exchange;
    set_rows(&x, f->ids, epoch);
    set_rows(&halo, f->ids + f->n_owned, epoch);
    hg_exchange_pack(now, true, SEED, epoch);
    run_exchange(now);
    const hg_pack_draw draw = {.seed = SEED, .epoch = epoch, .layer = LAYER};
    round_rows(format, draw, f->ids + f->n_owned, error.data, &halo);
    check(same_bits(x.data + (hg_off)f->n_owned * width, halo.data, halo.rows * width),
          "%s, %s, width %d, epoch %d: other numbers", parts_kind_names[f->kind], hg_pack_format_name(format), width,
          epoch);
  }
  hg_exchange_free(&exchange);
  hg_exchange_free(&second);
  hg_matrix_free(&x), hg_matrix_free(&halo), hg_matrix_free(&error);
}
static void error_feedback_is_that_of_one_process(hg_world *world) { on_all(world, feedback_of); }

static hg_exchange *create_adaptive(hg_world *world, const fixture *f, hg_exchange_kind kind, hg_matrix *x,
                                    const float *weights)
{
  hg_exchange *exchange = NULL;
  const hg_exchange_packing packing = {.format = HG_PACK_ADAPTIVE,
                                       .layer = LAYER,
                                       .ids = f->ids,
                                       .fraction = FRACTION_PERCENT / 100.0,
                                       .weights = weights};
  check_ok(hg_exchange_create_packed(&exchange, world, &f->links, kind, x, 1, &packing));
  return exchange;
}

// The receiver knows the weights that it told, so it finds what the sender chose.
static void adaptive_fill_of(hg_world *world, const fixture *f, hg_pack_format format, int width)
{
  if (format != HG_PACK_INT8 || width == 0) return;
  hg_matrix x = make(f->n_local, width), expected = make(f->n_local, width);
  float *weights = NULL;
  check_ok(HG_ALLOC(weights, f->part.n_halo, "weights"));
  for (hg_lid h = 0; h < f->part.n_halo; h++) weights[h] = (float)((f->ids[f->n_owned + h] + hg_world_rank(world)) % 7);
  hg_exchange *exchange = create_adaptive(world, f, HG_FILL_HALO, &x, weights);
  int64_t bytes[2] = {0, 0};
  for (int epoch = 0; epoch < EPOCHS; epoch++) {
    set_rows(&x, f->ids, epoch);
    set_rows(&expected, f->ids, epoch);
    hg_exchange_pack(exchange, true, SEED, epoch);
    run_exchange(exchange);
    const hg_pack_draw draw = {.seed = SEED, .epoch = epoch, .layer = LAYER};
    for (int p = 0; p < f->links.n_peers_recv; p++) {
      hg_lid first = f->links.recv_offsets[p], n = f->links.recv_offsets[p + 1] - first;
      hg_matrix rows = hg_matrix_rows(&expected, f->n_owned + first, n);
      bytes[1] += round_message(draw, f->ids + f->n_owned + first, weights + first, &rows);
    }
    check(same_bits(x.data, expected.data, x.rows * width), "%s, width %d, epoch %d: other numbers",
          parts_kind_names[f->kind], width, epoch);
  }
  bytes[0] = hg_exchange_traffic(exchange).bytes_sent;
  hg_sum_int64(world, bytes, 2);
  check(bytes[0] == bytes[1], "width %d: %" PRId64 " bytes sent, expected %" PRId64, width, bytes[0], bytes[1]);
  hg_exchange_free(&exchange);
  hg_free(&weights);
  hg_matrix_free(&x), hg_matrix_free(&expected);
}
static void adaptive_fill_gives_what_one_process_rounds(hg_world *world) { on_all(world, adaptive_fill_of); }

static void adaptive_add_of(hg_world *world, const fixture *f, hg_pack_format format, int width)
{
  if (format != HG_PACK_INT8 || width == 0) return;
  hg_matrix x = make(f->n_local, width);
  hg_exchange *exchange = create_adaptive(world, f, HG_ADD_HALO, &x, NULL);
  add_epochs(world, f, HG_PACK_ADAPTIVE, exchange, &x);
  hg_exchange_free(&exchange);
  hg_matrix_free(&x);
}
static void adaptive_add_sums_what_one_process_rounds(hg_world *world) { on_all(world, adaptive_add_of); }

static void bytes_of(hg_world *world, const fixture *f, hg_pack_format format, int width)
{
  for (int kind = 0; kind < 2; kind++)
    for (int feedback = 0; feedback < 2; feedback++) {
      hg_matrix x = make(f->n_local, width);
      const hg_exchange_packing packing = {.format = format, .error_feedback = feedback};
      size_t planned = hg_exchange_bytes(&f->links, (hg_exchange_kind)kind, width, &packing);
      size_t before = hg_alloc_bytes();
      hg_exchange *exchange = create(world, f, (hg_exchange_kind)kind, &x, format, feedback);
      size_t used = hg_alloc_bytes() - before;
      check(used >= planned && used < planned + 4096, "%s, width %d: %zu bytes, planned %zu",
            hg_pack_format_name(format), width, used, planned);
      hg_exchange_free(&exchange);
      hg_matrix_free(&x);
    }
}
static void bytes_are_as_planned(hg_world *world) { on_all(world, bytes_of); }

static void adaptive_bytes_of(hg_world *world, const fixture *f, hg_pack_format format, int width)
{
  if (format != HG_PACK_INT8) return;
  for (int kind = 0; kind < 2; kind++) {
    hg_matrix x = make(f->n_local, width);
    float *weights = NULL;
    const hg_exchange_packing packing = {.format = HG_PACK_ADAPTIVE};
    check_ok(HG_ALLOC(weights, f->part.n_halo, "weights"));
    size_t planned = hg_exchange_bytes(&f->links, (hg_exchange_kind)kind, width, &packing);
    size_t before = hg_alloc_bytes();
    hg_exchange *exchange = create_adaptive(world, f, (hg_exchange_kind)kind, &x, weights);
    size_t used = hg_alloc_bytes() - before;
    check(used >= planned && used < planned + 4096, "width %d: %zu bytes, planned %zu", width, used, planned);
    hg_exchange_free(&exchange);
    hg_free(&weights);
    hg_matrix_free(&x);
  }
}
static void adaptive_bytes_are_as_planned(hg_world *world) { on_all(world, adaptive_bytes_of); }

const mpi_case packed_cases[] = {
    {"packed/fill_gives_what_one_process_rounds", fill_gives_what_one_process_rounds, "1 2 3 4 7"},
    {"packed/add_sums_what_one_process_rounds", add_sums_what_one_process_rounds, "1 2 3 4 7"},
    {"packed/threads_and_repetitions_change_no_bit", threads_and_repetitions_change_no_bit, "2 3"},
    {"packed/error_feedback_is_that_of_one_process", error_feedback_is_that_of_one_process, "3 7"},
    {"packed/adaptive_fill_gives_what_one_process_rounds", adaptive_fill_gives_what_one_process_rounds, "1 3 7"},
    {"packed/adaptive_add_sums_what_one_process_rounds", adaptive_add_sums_what_one_process_rounds, "1 3 7"},
    {"packed/bytes_are_as_planned", bytes_are_as_planned, "3"},
    {"packed/adaptive_bytes_are_as_planned", adaptive_bytes_are_as_planned, "3"},
    {0},
};
