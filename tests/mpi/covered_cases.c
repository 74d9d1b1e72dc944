// Covers of the edges between ranks: the same sums and gradients, the fewest rows, and training with them.
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "comm/reduce.h"
#include "core/base/alloc.h"
#include "core/base/threads.h"
#include "models/active.h"
#include "models/covered.h"
#include "models/prereduced.h"
#include "runtime/train/dataset.h"
#include "runtime/train/feed.h"
#include "tests/mpi/train_graph.h"
#include "tests/mpi/train_runs.h"
#include "tests/support/mpi_case.h"

enum { WIDTH = 3, EPOCHS = 12 };

// A graph in parts and its covers, and an exchange of both each way.
typedef struct {
  char path[HG_PATH_MAX];
  hg_dataset dataset;
  hg_local_graph graph;
  hg_covered covered;
  hg_matrix x, y, d_x;
  hg_exchange *fill, *add, *covered_fill, *covered_add;
  hg_phases phases;
} fixture;

static bool begin(fixture *f, hg_world *world, const train_graph *g, hg_adjacency_norm norm, const char *method)
{
  memset(f, 0, sizeof *f);
  check_ok(train_graph_write(world, g, f->path));
  hg_config config = train_config(f->path);
  snprintf(config.partition.method, sizeof config.partition.method, "%s", method);
  if (!check_ok(hg_dataset_load(&f->dataset, world, &config, NULL))) return false;
  check_ok(hg_local_graph_create(&f->graph, world, &f->dataset.part, &f->dataset.links, norm, true));
  if (!check_ok(hg_covered_create(&f->covered, &f->graph))) return false;
  hg_matrix *matrices[] = {&f->x, &f->y, &f->d_x};
  for (int k = 0; k < 3; k++) check_ok(hg_matrix_create(matrices[k], f->graph.n_local, WIDTH, "x"));
  check_ok(hg_exchange_create(&f->fill, world, &f->dataset.links, HG_FILL_HALO, &f->x, 0));
  check_ok(hg_exchange_create(&f->add, world, &f->dataset.links, HG_ADD_HALO, &f->d_x, 1));
  check_ok(hg_exchange_create(&f->covered_fill, world, &f->covered.links, HG_FILL_HALO, &f->x, 2));
  check_ok(hg_exchange_create(&f->covered_add, world, &f->covered.links, HG_ADD_HALO, &f->d_x, 3));
  hg_phases_start(&f->phases);
  return true;
}

static void end(fixture *f, hg_world *world)
{
  hg_exchange *exchanges[] = {f->fill, f->add, f->covered_fill, f->covered_add};
  for (int k = 0; k < 4; k++) hg_exchange_free(&exchanges[k]);
  hg_matrix *matrices[] = {&f->x, &f->y, &f->d_x};
  for (int k = 0; k < 3; k++) hg_matrix_free(matrices[k]);
  hg_covered_free(&f->covered);
  hg_local_graph_free(&f->graph);
  hg_dataset_free(&f->dataset);
  train_graph_remove(world, f->path);
}

static void check_same(const hg_matrix *found, const hg_matrix *expected, hg_off rows, const char *what)
{
  double tolerance = train_exact ? 1e-12 : 1e-4;
  for (hg_off e = 0; e < rows * found->cols; e++) {
    double difference = fabs((double)(found->data[e] - expected->data[e]));
    if (!check(difference <= tolerance * (1 + fabs((double)expected->data[e])),
               "%s: number %lld: %.12g, expected %.12g", what, (long long)e, (double)found->data[e],
               (double)expected->data[e]))
      return;
  }
}

// both ways, against an exchange of sources
static void check_passes(fixture *f, const char *what)
{
  hg_matrix expected = {0};
  hg_off n = f->graph.n_owned;
  if (!check_ok(hg_matrix_create(&expected, f->graph.n_local, WIDTH, "expected"))) return;
  train_values(&f->x, n, f->graph.ids, 0);
  hg_aggregate(&f->graph, f->fill, &f->x, &expected, &f->phases);
  for (hg_off e = n * WIDTH; e < f->x.rows * WIDTH; e++) f->x.data[e] = (hg_real)NAN; // nothing of that is read again
  hg_aggregate(&f->covered.graph, f->covered_fill, &f->x, &f->y, &f->phases);
  check_same(&f->y, &expected, n, what);
  train_values(&f->y, n, f->graph.ids, 50);
  hg_aggregate_gradient(&f->graph, f->add, &f->y, &f->d_x, &f->phases);
  if (n > 0) memcpy(expected.data, f->d_x.data, (size_t)(n * WIDTH) * sizeof *expected.data);
  hg_aggregate_gradient(&f->covered.graph, f->covered_add, &f->y, &f->d_x, &f->phases);
  check_same(&f->d_x, &expected, n, what);
  hg_matrix_free(&expected);
}

// a graph of every kind, in METIS's and in bad parts: with edges of one direction, dense, without edges, tiny
static const struct {
  const char *what, *method;
  hg_off n;
  int degree;
  bool directed;
} graphs[] = {
    {"one direction", "random", 120, 6, true}, {"both directions", "metis", 300, 4, false},
    {"dense", "random", 50, 30, false},        {"sparse", "block", 200, 1, true},
    {"tiny", "random", 12, 2, false},
};
enum { N_GRAPHS = sizeof graphs / sizeof *graphs };

static void sums_and_gradients_are_the_same(hg_world *world)
{
  for (int k = 0; k < N_GRAPHS; k++)
    for (hg_adjacency_norm norm = HG_ADJACENCY_SYMMETRIC; norm <= HG_ADJACENCY_SUM; norm++) {
      fixture f;
      train_graph g = train_graph_default();
      g.n = graphs[k].n;
      g.degree = graphs[k].degree;
      g.directed = graphs[k].directed;
      hg_threads_set(1 + (int)norm);
      if (begin(&f, world, &g, norm, graphs[k].method)) check_passes(&f, graphs[k].what);
      end(&f, world);
    }
  hg_threads_set(1);
}

// At least as many rows as a matching has edges (Koenig): edges between ranks are matched greedily, which finds half
// of the largest one; and no more than sources or destinations.
static void rows_are_between_their_bounds(hg_world *world)
{
  for (int k = 0; k < N_GRAPHS; k++) {
    fixture f;
    train_graph g = train_graph_default();
    g.n = graphs[k].n;
    g.degree = graphs[k].degree;
    g.directed = graphs[k].directed;
    if (begin(&f, world, &g, HG_ADJACENCY_SUM, graphs[k].method)) {
      const hg_links *links = &f.dataset.links;
      const hg_csr *t = f.graph.backward.a;
      const hg_links *covered = &f.covered.links;
      int64_t matched = 0, destinations = 0;
      int64_t rows = covered->recv_offsets[covered->n_peers_recv], sources = links->recv_offsets[links->n_peers_recv];
      int32_t *seen = NULL;
      check_ok(HG_ALLOC(seen, 2 * (hg_off)f.graph.n_owned, "destinations"));
      int32_t *taken = seen + f.graph.n_owned;
      for (int p = 0; p < links->n_peers_recv; p++)
        for (hg_lid h = links->recv_offsets[p]; h < links->recv_offsets[p + 1]; h++) {
          bool free_source = true;
          for (hg_off e = t->indptr[f.graph.n_owned + h]; e < t->indptr[f.graph.n_owned + h + 1]; e++) {
            hg_lid i = t->indices[e];
            destinations += seen[i] != p + 1;
            seen[i] = p + 1;
            if (!free_source || taken[i] == p + 1) continue;
            taken[i] = p + 1;
            free_source = false;
            matched++;
          }
        }
      hg_free(&seen);
      check(rows >= matched && rows <= 2 * matched, "%s: %lld rows, a matching of %lld", graphs[k].what,
            (long long)rows, (long long)matched);
      check(rows <= sources && rows <= destinations, "%s: %lld rows, %lld sources, %lld destinations", graphs[k].what,
            (long long)rows, (long long)sources, (long long)destinations);
    }
    end(&f, world);
  }
}

// covers of the parts file, and those that are found at the start where an older file has none: as many rows
static void stored_covers_are_least(hg_world *world)
{
  fixture f;
  train_graph g = train_graph_default();
  g.n = 300;
  if (begin(&f, world, &g, HG_ADJACENCY_SYMMETRIC, "metis")) {
    hg_covered found;
    const hg_links *links = &f.covered.links;
    hg_lid stored = links->recv_offsets[links->n_peers_recv];
    check(f.dataset.part.covers.n == 1, "%d covers in the file", f.dataset.part.covers.n);
    f.dataset.part.covers.n = 0;
    if (check_ok(hg_covered_create(&found, &f.graph))) {
      hg_lid rows = found.links.recv_offsets[found.links.n_peers_recv];
      check(rows == stored, "%d rows by stored covers, %d by others", stored, rows);
    }
    hg_covered_free(&found);
  }
  end(&f, world);
}

// Numbers that come here along the edges of a graph; with two widths as geogcn has it, or with one.
static int64_t numbers_along(const hg_local_graph *g, int source, int sum)
{
  int64_t numbers = -1;
  if (source == sum) {
    hg_covered covered;
    if (!check_ok(hg_covered_create(&covered, g))) return numbers;
    numbers = (int64_t)covered.links.recv_offsets[covered.links.n_peers_recv] * source;
    hg_covered_free(&covered);
  } else {
    hg_prereduced reduced;
    if (!check_ok(hg_prereduced_create(&reduced, g, source, sum))) return numbers;
    const hg_links *sources = &reduced.sources, *sums = &reduced.partials;
    numbers = (int64_t)sources->recv_offsets[sources->n_peers_recv] * source +
              (int64_t)sums->send_offsets[sums->n_peers_send] * sum;
    hg_prereduced_free(&reduced);
  }
  return numbers;
}

// what the file knows is as good as what is found, and is what is used: with all sources in all covers these cross
static void check_known(hg_part *part, const hg_local_graph *g, int source, int sum, const char *what)
{
  static int32_t spoilt[1 << 12];
  hg_known_covers known = part->covers;
  int64_t stored = numbers_along(g, source, sum);
  part->covers.n = 0;
  int64_t found = numbers_along(g, source, sum);
  part->covers.n = known.n;
  check(stored == found, "%s: %lld numbers by known covers, %lld by others", what, (long long)stored, (long long)found);
  if (!check(part->n_halo <= 1 << 12, "%d halo rows", part->n_halo)) return;
  memset(spoilt, 0x7f, sizeof spoilt);
  part->covers.halo = spoilt;
  int64_t all = numbers_along(g, source, sum), sources = g->links->recv_offsets[g->links->n_peers_recv];
  part->covers = known;
  check(all == sources * source, "%s: %lld numbers by sources alone, expected %lld", what, (long long)all,
        (long long)(sources * source));
}

// Of a model with 3 layers of 16 columns and 4 classes: along all edges, and along those that training passes need.
static void check_known_of(hg_world *world, const char *path, const char *type, int n_known)
{
  hg_config config = train_config(path);
  hg_dataset d;
  hg_local_graph whole;
  hg_active active;
  bool geo = strcmp(type, "geogcn") == 0;
  train_configure(&config, OPTIONS("model.layers=3", "model.hidden=16", "halo.aggregation=covers"));
  snprintf(config.model.type, sizeof config.model.type, "%s", type);
  if (!check_ok(hg_dataset_load(&d, world, &config, NULL))) return;
  check(d.part.covers.n == n_known, "%s: %d covers in the file, expected %d", type, d.part.covers.n, n_known);
  check_ok(hg_local_graph_create(&whole, world, &d.part, &d.links, HG_ADJACENCY_ROW, true));
  check_ok(hg_local_graph_place(&whole, 1));
  check_ok(hg_active_create(&active, world, &d.part, &d.links, d.labelled.rows[HG_SPLIT_TRAIN],
                            d.labelled.n_rows[HG_SPLIT_TRAIN], 2));
  check_known(&d.part, &whole, 16, geo ? 4 : 16, "all edges");
  for (int k = 0; k < 2; k++) {
    char what[32];
    snprintf(what, sizeof what, "%s, %d steps", type, k);
    if (!check(active.levels[k].pruned, "%s: nothing is left out", what)) continue;
    check_ok(hg_active_build(&active, k, &whole, HG_ACTIVE_EDGES));
    check_known(&d.part, &active.levels[k].graph, 16, geo && k == 0 ? 4 : 16, what);
  }
  hg_active_free(&active);
  hg_local_graph_free(&whole);
  hg_dataset_free(&d);
}

static void known_covers_are_used(hg_world *world)
{
  char path[HG_PATH_MAX];
  train_graph g = train_graph_default();
  g.n = 600;
  g.degree = 3;
  g.n_classes = 4;
  g.n_dims = 2;
  g.train_of = 40;
  check_ok(train_graph_write(world, &g, path));
  check_known_of(world, path, "gcn", 3);
  train_graph_remove(world, path); // with its parts
  check_ok(train_graph_write(world, &g, path));
  check_known_of(world, path, "geogcn", 4);
  train_graph_remove(world, path);
}

// Outputs of all nodes, which evaluations and predictions read.
static void outputs_are_the_same(hg_world *world)
{
  char path[HG_PATH_MAX];
  train_graph g = train_graph_default();
  g.n = 400;
  check_ok(train_graph_write(world, &g, path));
  hg_matrix outputs[2];
  hg_trainer trainers[2];
  int64_t bytes[2];
  for (int way = 0; way < 2; way++) {
    static hg_config configs[2];
    hg_config *config = &configs[way];
    *config = train_config(path);
    train_configure(config,
                    OPTIONS("model.layers=3", "model.hidden=16", "model.norm=layer", "halo.aggregation=covers"));
    config->model.halo.aggregation = way ? HG_AGGREGATION_COVERS : HG_AGGREGATION_SOURCES;
    if (!check_ok(hg_trainer_create(&trainers[way], world, config))) return;
    hg_trainer_start(&trainers[way], 1);
    outputs[way] = trainers[way].type->outputs(&trainers[way], true).logits;
    bytes[way] = hg_model_traffic(&trainers[way].model).bytes_sent;
  }
  check_same(&outputs[1], &outputs[0], outputs[0].rows, "outputs");
  check(bytes[1] <= bytes[0], "%lld bytes with covers, %lld without", (long long)bytes[1], (long long)bytes[0]);
  for (int way = 0; way < 2; way++) hg_trainer_free(&trainers[way]);
  train_graph_remove(world, path);
}

static const char *const *const variants[] = {
    OPTIONS("model.layers=3", "model.hidden=16", "model.dropout=0.3", "halo.precision=int8"),
    OPTIONS("model.layers=3", "model.hidden=16", "model.precision=bfloat16"),
    OPTIONS("model.layers=4", "model.hidden=11", "model.activation=elu", "model.dropout=0.2", "halo.precision=adaptive",
            "halo.bytes_fraction=0.27"),
    OPTIONS("model.layers=3", "model.hidden=16", "halo.precision=int8", "halo.error_feedback=true",
            "halo.warmup_epochs=3", "train.active_sets=false"),
};

// near to training without covers, of which optimisation_cases.c has the exact ones, and the same bits again
static void packed_training_repeats(hg_world *world)
{
  char path[HG_PATH_MAX];
  train_graph g = train_graph_default();
  g.n = 400;
  check_ok(train_graph_write(world, &g, path));
  for (size_t v = 0; v < sizeof variants / sizeof *variants; v++) {
    double exact[EPOCHS], first[EPOCHS], second[EPOCHS];
    hg_config config = train_config(path);
    train_configure(&config, variants[v]);
    hg_config reals = config;
    reals.model.halo = (hg_halo_options){.bytes_fraction = 1, .sample = 1};
    reals.model.precision = HG_PRECISION_FLOAT32;
    train_curve(world, &reals, EPOCHS, exact);
    config.model.halo.aggregation = HG_AGGREGATION_COVERS;
    train_curve(world, &config, EPOCHS, first);
    hg_threads_set(2);
    train_curve(world, &config, EPOCHS, second);
    hg_threads_set(1);
    check(memcmp(first, second, sizeof first) == 0, "variant %zu: the second run has other losses", v);
    check_train_curves(first, exact, EPOCHS, 0.05, "covers");
  }
  train_graph_remove(world, path);
}

static void resumed_run_has_the_same_bits(hg_world *world)
{
  train_graph g = train_graph_default();
  char path[HG_PATH_MAX];
  hg_checkpoint whole = {0}, resumed = {0};
  check_ok(train_graph_write(world, &g, path));
  hg_config config = train_config(path);
  train_configure(&config,
                  OPTIONS("model.layers=3", "train.epochs=12", "train.checkpoint_every=5", "train.keep_checkpoints=9",
                          "halo.precision=int4", "halo.error_feedback=true", "halo.aggregation=covers"));
  train_run(world, &config, false, &whole);
  train_remove_checkpoint(world, &config, 12);
  train_run(world, &config, true, &resumed);
  check_train_weights(&resumed, &whole, 0, "resumed");
  hg_checkpoint_free(&whole);
  hg_checkpoint_free(&resumed);
  train_graph_remove(world, path);
}

static void memory_is_at_most_what_was_planned(hg_world *world)
{
  train_graph g = train_graph_default();
  g.n = 20000;
  g.width = 40;
  char path[HG_PATH_MAX];
  check_ok(train_graph_write(world, &g, path));
  for (int way = 0; way < 2; way++) {
    hg_trainer t;
    hg_config config = train_config(path);
    train_configure(&config, OPTIONS("model.layers=3", "model.hidden=48", "halo.aggregation=covers"));
    if (way == 1) config.model.halo.precision = HG_PACK_INT8;
    size_t before = hg_alloc_bytes();
    if (!check_ok(hg_trainer_create(&t, world, &config))) break;
    double used = (double)(hg_alloc_bytes() - before), planned = (double)t.planned.total;
    check(planned >= 0.95 * used && planned <= 1.25 * used, "way %d: %.0f bytes used, %.0f planned", way, used,
          planned);
    hg_trainer_free(&t);
  }
  train_graph_remove(world, path);
}

const mpi_case covered_cases[] = {
    {"covered/sums_and_gradients_are_the_same", sums_and_gradients_are_the_same, "1 2 3 4 7"},
    {"covered/rows_are_between_their_bounds", rows_are_between_their_bounds, "2 3 7"},
    {"covered/stored_covers_are_least", stored_covers_are_least, "1 2 3 4 7"},
    {"covered/known_covers_are_used", known_covers_are_used, "1 2 3 4 7"},
    {"covered/outputs_are_the_same", outputs_are_the_same, "1 2 3 4 7"},
    {"covered/packed_training_repeats", packed_training_repeats, "1 2 3 7"},
    {"covered/resumed_run_has_the_same_bits", resumed_run_has_the_same_bits, "3"},
    {"covered/memory_is_at_most_what_was_planned", memory_is_at_most_what_was_planned, "1 3"},
    {0},
};
