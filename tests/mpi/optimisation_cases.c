// Every optimisation against plain loops that have none of them (plain_model.h), and against itself switched off.
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "comm/reduce.h"
#include "core/base/alloc.h"
#include "core/base/threads.h"
#include "core/tensor/skip_zeros.h"
#include "tests/mpi/plain_model.h"
#include "tests/mpi/train_graph.h"
#include "tests/mpi/train_runs.h"
#include "tests/support/mpi_case.h"

enum { EPOCHS = 2 };

/** A model whose shape makes models/ take one of its ways. */
typedef struct {
  const char *what;
  const char *const *changes;
  hg_off n;
  int width, n_classes, degree;
  bool sparse, directed;
} row;

static const row rows[] = {
    {"cached first aggregate", OPTIONS("model.hidden=48", "model.input_dropout=0"), 600, 7, 3, 4, false, false},
    {"halo of the input, masks drawn again", OPTIONS("model.hidden=48", "model.input_dropout=0.4", "model.dropout=0.3"),
     600, 7, 3, 4, false, false},
    {"narrow side first", OPTIONS("model.hidden=16", "model.input_dropout=0.3"), 600, 70, 3, 4, false, false},
    {"wide side last", OPTIONS("model.hidden=5", "model.layers=3", "model.dropout=0.3"), 600, 7, 9, 4, false, false},
    {"sparse features", OPTIONS("model.hidden=33"), 600, 40, 3, 4, true, false},
    {"sparse features under dropout", OPTIONS("model.hidden=33", "model.input_dropout=0.5", "model.dropout=0.5"), 600,
     40, 3, 4, true, false},
    {"sparse features as dense ones", OPTIONS("model.hidden=33", "dataset.dense_from=0"), 600, 40, 3, 4, true, false},
    {"mlp of sparse features as dense ones", OPTIONS("model.type=mlp", "model.hidden=33", "dataset.dense_from=0"), 600,
     40, 3, 4, true, false},
    {"blocks, gradients in place",
     OPTIONS("model.hidden=48", "model.layers=4", "model.dropout=0.4", "model.residual=true"), 600, 7, 3, 4, false,
     false},
    {"dropout drawn again behind elu",
     OPTIONS("model.hidden=48", "model.layers=4", "model.dropout=0.4", "model.activation=elu", "model.residual=true"),
     600, 7, 3, 4, false, true},
    {"hidden rows without zeros",
     OPTIONS("model.hidden=70", "model.layers=4", "model.dropout=0.4", "model.input_dropout=0",
             "model.skip_zeros=always"),
     600, 7, 3, 4, false, false},
    {"gradients without zeros",
     OPTIONS("model.hidden=128", "model.layers=3", "model.dropout=0.5", "model.norm=batch", "model.residual=true",
             "model.skip_zeros=always"),
     300, 7, 3, 4, false, false},
    {"gradients of an mlp without zeros",
     OPTIONS("model.type=mlp", "model.hidden=128", "model.layers=3", "model.dropout=0.4", "model.skip_zeros=always"),
     300, 7, 3, 4, false, false},
    {"gradients of two layers without zeros",
     OPTIONS("model.hidden=130", "model.dropout=0.5", "model.input_dropout=0", "model.skip_zeros=always"), 300, 70, 3,
     4, false, false},
    {"layer norm",
     OPTIONS("model.hidden=48", "model.layers=4", "model.dropout=0.4", "model.norm=layer", "model.activation=elu",
             "model.residual=true"),
     600, 7, 3, 4, false, false},
    {"batch norm",
     OPTIONS("model.hidden=48", "model.layers=4", "model.dropout=0.4", "model.norm=batch", "model.activation=elu",
             "model.residual=true"),
     600, 7, 3, 4, false, false},
    {"scales of rows",
     OPTIONS("model.hidden=17", "model.layers=3", "model.normalization=row", "model.self_loops=false",
             "model.bias=false"),
     600, 7, 3, 4, false, true},
    {"no scales", OPTIONS("model.hidden=17", "model.layers=3", "model.normalization=sum"), 600, 7, 3, 2, false, true},
    {"boundary rows alone", OPTIONS("model.hidden=17", "model.layers=3", "partition.method=random"), 60, 7, 3, 20,
     false, false},
    {"labels as inputs", OPTIONS("model.hidden=48", "model.layers=3", "model.label_rate=0.6"), 600, 7, 3, 4, false,
     false},
    {"labels as inputs, sparse features",
     OPTIONS("model.hidden=16", "model.label_rate=0.6", "model.input_dropout=0.5", "model.dropout=0.5",
             "model.norm=layer"),
     600, 70, 3, 4, true, true},
    {"mlp", OPTIONS("model.type=mlp", "model.hidden=48", "model.layers=4", "model.dropout=0.4", "model.residual=true"),
     600, 7, 3, 4, false, false},
    {"mlp of sparse features", OPTIONS("model.type=mlp", "model.hidden=33", "model.input_dropout=0.5"), 600, 40, 3, 4,
     true, false},
    {"huge pages, weights too large for panels", OPTIONS("model.hidden=17", "model.input_dropout=0.3"), 120, 20000, 3,
     4, false, false},
};
enum { N_ROWS = sizeof rows / sizeof *rows };

/** What can be switched off whatever the model. */
typedef struct {
  const char *simd; ///< NULL: as the processor has it; "base" multiplies with OpenBLAS
  int threads;
  const char *option;
} switches;

static const switches all_on = {NULL, 2, "partition.order=auto"};
static const switches one_off[] = {
    {NULL, 1, "partition.order=auto"},      {"base", 2, "partition.order=auto"}, {"avx2", 2, "partition.order=auto"},
    {NULL, 2, "partition.order=none"},      {"base", 1, "partition.order=none"}, {NULL, 2, "halo.aggregation=covers"},
    {NULL, 2, "halo.compute_first=always"},
};
enum { N_SWITCHES = sizeof one_off / sizeof *one_off, LARGE = 1000 }; // models of LARGE features: the first two alone

/** What a run gave: compared bit for bit where only the threads differ. */
typedef struct {
  double losses[EPOCHS];
  double checksums[EPOCHS]; ///< of the weights after each
} record;

/** What plain loops make of the weights that each epoch begins with, once for all switches of a model. */
typedef struct {
  hg_off n;
  hg_real *parameters; ///< [EPOCHS x n]
  double *gradients;   ///< [EPOCHS x n]
  double losses[EPOCHS];
} reference;

static bool reference_create(reference *ref, hg_off n)
{
  bool made = check_ok(HG_ALLOC(ref->parameters, EPOCHS * n, "weights")) &&
              check_ok(HG_ALLOC(ref->gradients, EPOCHS * n, "gradients"));
  if (made) ref->n = n;
  return made;
}

static void reference_free(reference *ref)
{
  hg_free(&ref->parameters);
  hg_free(&ref->gradients);
}

static void check_gradient(const hg_real *found, const double *expected, hg_off n, const char *what, int epoch)
{
  double difference = 0, size = 0, tolerance = train_exact ? 1e-9 : 1e-4;
  for (hg_off k = 0; k < n; k++) {
    difference += pow((double)found[k] - expected[k], 2);
    size += pow(expected[k], 2);
  }
  check(size > 0, "%s: epoch %d: no gradient", what, epoch);
  check(sqrt(difference) <= tolerance * sqrt(size), "%s: epoch %d: gradients differ by %.3g of their size", what, epoch,
        sqrt(difference / size));
}

// One epoch of the trainer, and the same by plain loops from the same weights: made now, or without `plain` before.
static void compare_epoch(hg_trainer *t, plain_model *plain, reference *ref, int epoch, const char *what, record *r)
{
  hg_real *parameters = ref->parameters + (epoch - 1) * ref->n;
  double *expected = ref->gradients + (epoch - 1) * ref->n, *expected_loss = &ref->losses[epoch - 1];
  size_t bytes = (size_t)ref->n * sizeof *parameters;
  hg_phases phases;
  hg_phases_start(&phases);
  const hg_plan plan = hg_schedule_plan(t->config, &(hg_schedule_state){0}, epoch);
  if (plain) {
    memcpy(parameters, t->model.parameters, bytes);
    *expected_loss = plain_model_loss(plain, parameters, t->config->seed, epoch, expected);
  }
  memcpy(t->model.parameters, parameters, bytes);
  hg_step step = hg_trainer_step(t, t->config->seed, &plan, NULL, &phases);
  double sums[] = {step.loss.loss, step.loss.weight};
  hg_sum_doubles(t->world, sums, 2);
  double loss = *expected_loss, found = sums[0] / sums[1], tolerance = train_exact ? 1e-9 : 1e-4;
  check(fabs(found - loss) <= tolerance * loss, "%s: epoch %d: loss %.12g, expected %.12g", what, epoch, found, loss);
  check_gradient(t->model.gradients, expected, t->model.n_parameters, what, epoch);
  r->losses[epoch - 1] = found;
  r->checksums[epoch - 1] = hg_trainer_checksum(t);
}

// which gradients leave out zeros, where it was wanted
static void check_skips(const hg_model *m, const char *what)
{
  bool sources = m->options.halo.aggregation == HG_AGGREGATION_SOURCES;
  if (m->options.skip_zeros != HG_SKIP_HIDDEN_ALWAYS) return;
  for (int l = 1; l < m->n_layers; l++) {
    const hg_layer *layer = &m->layers[l];
    check(layer->skips_input && (layer - 1)->skips_output == (m->options.norm == HG_LAYER_NORM_NONE) &&
              layer->masks_gradient == (sources && layer->f_out % HG_MASKED_INNER == 0),
          "%s: layer %d leaves out other zeros", what, l);
  }
}

// The first run of a model makes its reference.
static bool has_reference(reference *ref, plain_model **plain, const char *path, const hg_model *m)
{
  if (ref->n > 0) return check(ref->n == m->n_parameters, "%s: parameters", path);
  *plain = plain_model_create(path, &m->options);
  return *plain && check(plain_model_parameters(*plain) == m->n_parameters, "%s: parameters", path) &&
         reference_create(ref, m->n_parameters);
}

static void run(hg_world *world, const char *path, const row *model, const switches *s, reference *ref, record *r)
{
  hg_trainer t = {0};
  char what[160];
  plain_model *plain = NULL;
  memset(r, 0, sizeof *r);
  snprintf(what, sizeof what, "%s (%s, %d threads, %s)", model->what, s->simd ? s->simd : "own simd", s->threads,
           s->option);
  hg_config config = train_config(path);
  train_configure(&config, model->changes);
  train_configure(&config, (const char *const[]){s->option, NULL});
  config.train.learning_rate = 0.01;
  hg_threads_set(s->threads);
  if (s->simd) setenv("HALOGNN_SIMD", s->simd, 1);
  if (check_ok(hg_trainer_create(&t, world, &config))) {
    hg_trainer_start(&t, config.seed);
    check_skips(&t.model, what);
    for (hg_off k = 0; k < t.model.n_parameters; k++) // biases and norms off where they begin
      t.model.parameters[k] += (hg_real)(0.05 * sin(1.0 + 3.0 * (double)k));
    if (has_reference(ref, &plain, path, &t.model))
      for (int e = 1; e <= EPOCHS; e++) compare_epoch(&t, plain, ref, e, what, r);
  }
  hg_trainer_free(&t);
  plain_model_free(plain);
}

static void restore_simd(const char *given)
{
  if (given[0])
    setenv("HALOGNN_SIMD", given, 1);
  else
    unsetenv("HALOGNN_SIMD");
}

static void try_switches(hg_world *world, const row *model)
{
  const char *given = getenv("HALOGNN_SIMD");
  char kept[16], path[HG_PATH_MAX];
  reference ref = {0};
  record with, without;
  train_graph g = train_graph_default();
  int n_switches = model->width < LARGE ? N_SWITCHES : 2;
  snprintf(kept, sizeof kept, "%s", given ? given : "");
  g.n = model->n;
  g.width = model->width;
  g.n_classes = model->n_classes;
  g.degree = model->degree;
  g.sparse_features = model->sparse;
  g.directed = model->directed;
  check_ok(train_graph_write(world, &g, path));
  run(world, path, model, &all_on, &ref, &with);
  for (int s = 0; s < n_switches; s++) {
    run(world, path, model, &one_off[s], &ref, &without);
    restore_simd(kept);
    bool threads_alone = !one_off[s].simd && strcmp(one_off[s].option, all_on.option) == 0;
    check(!threads_alone || memcmp(&with, &without, sizeof with) == 0, "%s: one thread gives other bits than two",
          model->what);
  }
  reference_free(&ref);
  train_graph_remove(world, path);
  hg_threads_set(1);
}

// Every fourth row from `first` on: a case of all of them would take long in builds with sanitizers.
static void try_quarter(hg_world *world, int first)
{
  for (int m = first; m < N_ROWS; m += 4) try_switches(world, &rows[m]);
}

static void first_quarter_follows_plain_loops(hg_world *world) { try_quarter(world, 0); }
static void second_quarter_follows_plain_loops(hg_world *world) { try_quarter(world, 1); }
static void third_quarter_follows_plain_loops(hg_world *world) { try_quarter(world, 2); }
static void last_quarter_follows_plain_loops(hg_world *world) { try_quarter(world, 3); }

const mpi_case optimisation_cases[] = {
    {"optimisation/first_quarter_follows_plain_loops", first_quarter_follows_plain_loops, "1 3"},
    {"optimisation/second_quarter_follows_plain_loops", second_quarter_follows_plain_loops, "1 3"},
    {"optimisation/third_quarter_follows_plain_loops", third_quarter_follows_plain_loops, "1 3"},
    {"optimisation/last_quarter_follows_plain_loops", last_quarter_follows_plain_loops, "1 3"},
    {0},
};
