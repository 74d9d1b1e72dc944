// halo.skip_zeros: messages without their zeros are shorter, and change not a bit of what is learned.
#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "comm/exchange.h"
#include "comm/reduce.h"
#include "core/base/alloc.h"
#include "core/base/rng.h"
#include "core/base/threads.h"
#include "core/tensor/nonzero.h"
#include "runtime/train/trainer.h"
#include "tests/mpi/random_part.h"
#include "tests/mpi/train_graph.h"
#include "tests/mpi/train_runs.h"
#include "tests/support/mpi_case.h"

static const int widths[] = {1, 16, 70, 300, 0};
enum { N_WIDTHS = sizeof widths / sizeof *widths, REPETITIONS = 3, EPOCHS = 12 };

typedef struct {
  parts_kind kind;
  hg_part part;
  hg_links links;
  hg_off n_local;
} fixture;

static hg_matrix make(hg_off rows, int width)
{
  hg_matrix x = {0};
  check_ok(hg_matrix_create(&x, rows, width, "x"));
  return x;
}

// Two of three numbers are 0; the same rows for every rank that has them, or of its own with `rank`.
static void set_rows(hg_matrix *x, const hg_part *part, int salt, int rank)
{
  for (hg_off i = 0; i < x->rows; i++) {
    hg_gid id = i < part->n_owned ? part->first + i : part->halo_ids[i - part->n_owned];
    for (int c = 0; c < x->cols; c++) {
      double value = hg_rng_normal((hg_rng){9, HG_STREAM_TEST}, (uint64_t)id + 1000000 * (uint64_t)rank,
                                   (uint32_t)(c + 10000 * salt));
      x->data[i * x->cols + c] = (hg_real)((id + c + salt) % 3 ? 0 : value);
    }
  }
}

static int64_t nonzeros(const hg_matrix *x, hg_off row)
{
  int64_t count = 0;
  for (int c = 0; c < x->cols; c++) count += x->data[row * x->cols + c] != 0;
  return count;
}

// Bytes that this rank sends of the present rows
static int64_t bytes_to_send(const fixture *f, hg_exchange_kind kind, const hg_matrix *x)
{
  int64_t bytes = 0, mask = (int64_t)hg_nonzero_mask_bytes(x->cols), real = sizeof(hg_real);
  hg_lid sent = f->links.send_offsets[f->links.n_peers_send];
  if (kind == HG_FILL_HALO)
    for (hg_lid k = 0; k < sent; k++) bytes += mask + real * nonzeros(x, f->links.send_rows[k]);
  else
    for (hg_off k = f->part.n_owned; k < f->n_local; k++) bytes += mask + real * nonzeros(x, k);
  return bytes;
}

static void run_exchange(hg_exchange *exchange)
{
  hg_exchange_begin(exchange);
  hg_exchange_progress(exchange);
  hg_exchange_end(exchange);
}

// The same rows by an exchange of reals and by one that leaves out zeros: twice, the second time in borrowed buffers.
static void compare(hg_world *world, const fixture *f, hg_exchange_kind kind, int width)
{
  int rank = kind == HG_ADD_HALO ? hg_world_rank(world) : 0;
  hg_matrix x[3] = {make(f->n_local, width), make(f->n_local, width), make(f->n_local, width)};
  hg_exchange *exchanges[3] = {0};
  hg_exchange_packing packing = {.format = HG_PACK_REAL, .skip_zeros = true};
  int64_t bytes = 0;
  check_ok(hg_exchange_create(&exchanges[0], world, &f->links, kind, &x[0], 0));
  check_ok(hg_exchange_create_packed(&exchanges[1], world, &f->links, kind, &x[1], 1, &packing));
  hg_exchange_lend(&f->links, width, exchanges[1], &packing);
  check_ok(hg_exchange_create_packed(&exchanges[2], world, &f->links, kind, &x[2], 2, &packing));
  for (int k = 0; k < REPETITIONS; k++) {
    hg_threads_set(k == 1 ? 3 : 1);
    for (int e = 0; e < 3; e++) set_rows(&x[e], &f->part, k, rank);
    if (width > 0) bytes += bytes_to_send(f, kind, &x[1]);
    for (int e = 0; e < 3; e++) {
      hg_exchange_pack(exchanges[e], k == 2, 1, k); // which does not matter here
      run_exchange(exchanges[e]);
      check(memcmp(x[e].data, x[0].data, (size_t)(x[0].rows * width) * sizeof *x[0].data) == 0,
            "%s, kind %d, width %d, exchange %d: other numbers", parts_kind_names[f->kind], (int)kind, width, e);
    }
  }
  hg_threads_set(1);
  for (int e = 1; e < 3; e++)
    check(hg_exchange_traffic(exchanges[e]).bytes_sent == bytes, "%s, width %d: %" PRId64 " bytes, expected %" PRId64,
          parts_kind_names[f->kind], width, hg_exchange_traffic(exchanges[e]).bytes_sent, bytes);
  for (int e = 2; e >= 0; e--) hg_exchange_free(&exchanges[e]), hg_matrix_free(&x[e]);
}

static void rows_arrive_as_those_of_reals(hg_world *world)
{
  for (int kind = 0; kind < PARTS_KINDS; kind++) {
    fixture f = {.kind = (parts_kind)kind};
    check_ok(random_part(&f.part, f.kind, hg_world_size(world), hg_world_rank(world), 11 + (uint64_t)kind));
    check_ok(hg_links_create(&f.links, world, &f.part));
    f.n_local = (hg_off)f.part.n_owned + f.part.n_halo;
    for (int w = 0; w < N_WIDTHS; w++) {
      compare(world, &f, HG_FILL_HALO, widths[w]);
      compare(world, &f, HG_ADD_HALO, widths[w]);
    }
    hg_links_free(&f.links);
    random_part_free(&f.part);
  }
}

// Four layers, so that two exchange what relu and dropout made
static hg_config config_for(const char *path, const char *skip)
{
  hg_config config = train_config(path);
  train_configure(&config, OPTIONS("model.layers=4", "model.dropout=0.3", "model.hidden=40", skip));
  return config;
}

// what all ranks send in a first epoch
static int64_t epoch_bytes(hg_world *world, const hg_config *config)
{
  hg_trainer t;
  hg_phases phases;
  if (!check_ok(hg_trainer_create(&t, world, config))) return 0;
  hg_trainer_start(&t, 1);
  const hg_plan plan = hg_schedule_plan(config, &(hg_schedule_state){0}, 1);
  hg_phases_start(&phases);
  hg_trainer_step(&t, 1, &plan, NULL, &phases);
  int64_t bytes = hg_model_traffic(&t.model).bytes_sent;
  hg_trainer_free(&t);
  hg_sum_int64(world, &bytes, 1);
  return bytes;
}

static void curves_have_the_same_bits(hg_world *world)
{
  static const char *const ways[][3] = {{"model.norm=layer", "train.active_sets=false"},
                                        {"model.norm=batch"},
                                        {"model.norm=batch", "model.recompute=true"},
                                        {"model.activation=elu"},
                                        {"model.residual=true"},
                                        {"model.precision=bfloat16"},
                                        {"halo.sample=0.5"},
                                        {"model.type=geogcn", "model.filters=3"}};
  train_graph g = train_graph_default();
  char path[HG_PATH_MAX];
  double losses[2][EPOCHS];
  g.n_dims = 2;
  check_ok(train_graph_write(world, &g, path));
  for (size_t way = 0; way < sizeof ways / sizeof *ways; way++) {
    for (int skips = 0; skips < 2; skips++) {
      hg_config config = config_for(path, skips ? "halo.skip_zeros=always" : "halo.skip_zeros=never");
      train_configure(&config, ways[way]);
      train_curve(world, &config, EPOCHS, losses[skips]);
    }
    check(memcmp(losses[0], losses[1], sizeof losses[0]) == 0, "%s: other losses", ways[way][0]);
  }
  train_graph_remove(world, path);
}

// Rounded numbers: near to reals, the same bits again with other threads, and for fewer bytes than with their zeros.
static void rounding_repeats(hg_world *world)
{
  static const char *const precisions[] = {"halo.precision=bfloat16", "halo.precision=int8", "halo.precision=int4"};
  train_graph g = train_graph_default();
  char path[HG_PATH_MAX];
  double exact[EPOCHS], first[EPOCHS], second[EPOCHS];
  check_ok(train_graph_write(world, &g, path));
  for (size_t p = 0; p < sizeof precisions / sizeof *precisions; p++) {
    hg_config reals = config_for(path, "halo.skip_zeros=never"), config = config_for(path, "halo.skip_zeros=always");
    train_configure(&config, OPTIONS(precisions[p], "halo.warmup_epochs=2"));
    hg_config zeros = config;
    zeros.model.halo.skip_zeros = HG_SKIP_ZEROS_NEVER;
    train_curve(world, &reals, EPOCHS, exact);
    train_curve(world, &config, EPOCHS, first);
    hg_threads_set(3);
    train_curve(world, &config, EPOCHS, second);
    hg_threads_set(1);
    check(memcmp(first, second, sizeof first) == 0, "%s: the second run has other losses", precisions[p]);
    check_train_curves(first, exact, EPOCHS, p == 2 ? 0.2 : 0.02, precisions[p]);
    zeros.model.halo.warmup_epochs = config.model.halo.warmup_epochs = 0;
    int64_t all = epoch_bytes(world, &zeros), fewer = epoch_bytes(world, &config);
    check(fewer < all || hg_world_size(world) == 1, "%s: %" PRId64 " bytes, %" PRId64 " with zeros", precisions[p],
          fewer, all);
  }
  train_graph_remove(world, path);
}

// With covers sources cross where zeros stay out, and covers elsewhere: other sums, and fewer bytes than either alone.
static void covers_serve_what_has_no_zeros(hg_world *world)
{
  static const char *const ways[][3] = {
      {"halo.skip_zeros=never"}, {"halo.skip_zeros=always"}, {"halo.skip_zeros=always", "halo.aggregation=covers"}};
  train_graph g = train_graph_default();
  char path[HG_PATH_MAX];
  double losses[3][EPOCHS];
  int64_t bytes[3];
  g.n = 600;
  check_ok(train_graph_write(world, &g, path));
  for (int way = 0; way < 3; way++) {
    hg_config config = config_for(path, ways[way][0]);
    train_configure(&config, ways[way]);
    train_curve(world, &config, EPOCHS, losses[way]);
    bytes[way] = epoch_bytes(world, &config);
  }
  check_train_curves(losses[2], losses[0], EPOCHS, train_exact ? 1e-9 : 1e-4, "covers");
  check(hg_world_size(world) == 1 || (bytes[2] < bytes[1] && bytes[1] < bytes[0]),
        "%" PRId64 " bytes, %" PRId64 " without zeros, %" PRId64 " with covers too", bytes[0], bytes[1], bytes[2]);
  train_graph_remove(world, path);
}

// Memory, and bytes of an epoch: two thirds of the numbers are 0 or so, and the last layer's exchange has none
static void fewer_bytes_in_the_planned_memory(hg_world *world)
{
  train_graph g = train_graph_default();
  char path[HG_PATH_MAX];
  int64_t bytes[2], geo[2];
  g.n = 6000;
  g.width = 40;
  g.n_dims = 2;
  check_ok(train_graph_write(world, &g, path));
  for (int skips = 0; skips < 2; skips++) {
    hg_trainer t;
    hg_config config = config_for(path, skips ? "halo.skip_zeros=always" : "halo.skip_zeros=never");
    train_configure(&config, OPTIONS("partition.method=block", "model.hidden=48", "model.norm=batch"));
    size_t before = hg_alloc_bytes();
    if (!check_ok(hg_trainer_create(&t, world, &config))) break;
    double used = (double)(hg_alloc_bytes() - before), planned = (double)t.planned.total;
    check(fabs(planned - used) <= 0.05 * used, "%.0f bytes used, %.0f planned", used, planned);
    hg_trainer_free(&t);
    bytes[skips] = epoch_bytes(world, &config);
    train_configure(&config, OPTIONS("model.type=geogcn", "model.filters=2"));
    geo[skips] = epoch_bytes(world, &config);
  }
  double ratio = (double)bytes[1] / (double)bytes[0];
  check(hg_world_size(world) == 1 || (ratio > 0.3 && ratio < 0.55), "%.3f of the bytes", ratio);
  ratio = (double)geo[1] / (double)geo[0];
  check(hg_world_size(world) == 1 || (ratio > 0.3 && ratio < 0.55), "%.3f of geogcn's bytes", ratio);
  train_graph_remove(world, path);
}

const mpi_case nonzero_cases[] = {
    {"nonzero/rows_arrive_as_those_of_reals", rows_arrive_as_those_of_reals, "1 2 3 4 7"},
    {"nonzero/curves_have_the_same_bits", curves_have_the_same_bits, "1 2 3 4 7"},
    {"nonzero/rounding_repeats", rounding_repeats, "1 2 3 7"},
    {"nonzero/covers_serve_what_has_no_zeros", covers_serve_what_has_no_zeros, "1 2 4"},
    {"nonzero/fewer_bytes_in_the_planned_memory", fewer_bytes_in_the_planned_memory, "1 2 3"},
    {0},
};
