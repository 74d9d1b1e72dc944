// Boundary sampling: sums right in the mean, the gradient that of what was computed, and the same draws on both ends.
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "comm/reduce.h"
#include "models/sampled.h"
#include "runtime/train/dataset.h"
#include "tests/mpi/train_graph.h"
#include "tests/mpi/train_runs.h"
#include "tests/support/mpi_case.h"

enum { WIDTH = 3, DRAWS = 1500, EPOCHS = 12 };

// A graph in parts, one exchange of it each way, and the same with drawn rows.
typedef struct {
  char path[HG_PATH_MAX];
  hg_dataset dataset;
  hg_local_graph graph;
  hg_sampled sampled;
  hg_matrix x, y, d_y, d_x;
  hg_exchange *fill, *add, *drawn_fill, *drawn_add;
  hg_phases phases;
} fixture;

static bool begin(fixture *f, hg_world *world, hg_adjacency_norm norm, double rate)
{
  train_graph g = train_graph_default();
  g.n = 120;
  g.degree = 6;
  g.directed = true;
  memset(f, 0, sizeof *f);
  check_ok(train_graph_write(world, &g, f->path));
  hg_config config = train_config(f->path);
  snprintf(config.partition.method, sizeof config.partition.method, "random");
  if (!check_ok(hg_dataset_load(&f->dataset, world, &config, NULL))) return false;
  const hg_part *part = &f->dataset.part;
  check_ok(hg_local_graph_create(&f->graph, world, part, &f->dataset.links, norm, true));
  check_ok(hg_sampled_create(&f->sampled, &f->graph, rate));
  hg_matrix *matrices[] = {&f->x, &f->y, &f->d_y, &f->d_x};
  for (int k = 0; k < 4; k++) check_ok(hg_matrix_create(matrices[k], f->graph.n_local, WIDTH, "x"));
  const hg_links *drawn = f->sampled.graph.links;
  check_ok(hg_exchange_create(&f->fill, world, &f->dataset.links, HG_FILL_HALO, &f->x, 0));
  check_ok(hg_exchange_create(&f->add, world, &f->dataset.links, HG_ADD_HALO, &f->d_x, 1));
  check_ok(hg_exchange_create(&f->drawn_fill, world, drawn, HG_FILL_HALO, &f->x, 2));
  check_ok(hg_exchange_create(&f->drawn_add, world, drawn, HG_ADD_HALO, &f->d_x, 3));
  train_values(&f->x, f->graph.n_owned, f->graph.ids, 0);
  train_values(&f->d_y, f->graph.n_owned, f->graph.ids, 100);
  hg_phases_start(&f->phases);
  return true;
}

static void end(fixture *f, hg_world *world)
{
  hg_exchange *exchanges[] = {f->fill, f->add, f->drawn_fill, f->drawn_add};
  for (int k = 0; k < 4; k++) hg_exchange_free(&exchanges[k]);
  hg_matrix *matrices[] = {&f->x, &f->y, &f->d_y, &f->d_x};
  for (int k = 0; k < 4; k++) hg_matrix_free(matrices[k]);
  hg_sampled_free(&f->sampled);
  hg_local_graph_free(&f->graph);
  hg_dataset_free(&f->dataset);
  train_graph_remove(world, f->path);
}

/*
 * The mean of many draws is the whole sum, to six times what a mean of DRAWS numbers of the deviation that was seen may
 * be off: one in 10^9 would be further off by chance, of some 1000.
 */
static void sums_are_right_in_the_mean(hg_world *world)
{
  fixture f;
  if (begin(&f, world, HG_ADJACENCY_SYMMETRIC, 0.4)) {
    hg_off n = (hg_off)f.graph.n_owned * WIDTH;
    hg_matrix sum = {0}, squares = {0};
    check_ok(hg_matrix_create(&sum, f.graph.n_local, WIDTH, "sums"));
    check_ok(hg_matrix_create(&squares, f.graph.n_local, WIDTH, "squares"));
    for (int epoch = 1; epoch <= DRAWS; epoch++) {
      hg_sampled_draw(&f.sampled, 7, epoch);
      hg_aggregate(&f.sampled.graph, f.drawn_fill, &f.x, &f.y, &f.phases);
      for (hg_off e = 0; e < n; e++) {
        sum.data[e] += f.y.data[e];
        squares.data[e] += f.y.data[e] * f.y.data[e];
      }
    }
    hg_aggregate(&f.graph, f.fill, &f.x, &f.y, &f.phases);
    for (hg_off e = 0; e < n; e++) {
      double mean = (double)sum.data[e] / DRAWS, square = (double)squares.data[e] / DRAWS;
      double deviation = sqrt(fmax(0, square - mean * mean) / DRAWS);
      check(fabs(mean - (double)f.y.data[e]) <= 6 * deviation + 1e-4, "number %lld: mean %g, expected %g +- %g",
            (long long)e, mean, (double)f.y.data[e], deviation);
    }
    hg_matrix_free(&sum);
    hg_matrix_free(&squares);
  }
  end(&f, world);
}

static double dot(const hg_matrix *a, const hg_matrix *b, hg_off n)
{
  double sum = 0;
  for (hg_off e = 0; e < n; e++) sum += (double)a->data[e] * (double)b->data[e];
  return sum;
}

// <A x, y> = <x, A' y> over all ranks, for each draw, and with each norm
static void backward_is_the_transposed_of_forward(hg_world *world)
{
  for (hg_adjacency_norm norm = HG_ADJACENCY_SYMMETRIC; norm <= HG_ADJACENCY_SUM; norm++) {
    fixture f;
    if (begin(&f, world, norm, 0.3)) {
      hg_off n = (hg_off)f.graph.n_owned * WIDTH;
      for (int epoch = 1; epoch <= 5; epoch++) {
        hg_sampled_draw(&f.sampled, 7, epoch);
        hg_aggregate(&f.sampled.graph, f.drawn_fill, &f.x, &f.y, &f.phases);
        hg_aggregate_gradient(&f.sampled.graph, f.drawn_add, &f.d_y, &f.d_x, &f.phases);
        double sums[] = {dot(&f.y, &f.d_y, n), dot(&f.x, &f.d_x, n)};
        hg_sum_doubles(world, sums, 2);
        check(fabs(sums[0] - sums[1]) <= (train_exact ? 1e-10 : 1e-4) * (1 + fabs(sums[0])),
              "norm %d, epoch %d: %.9g forward, %.9g backward", (int)norm, epoch, sums[0], sums[1]);
      }
    }
    end(&f, world);
  }
}

static const char *const *const variants[] = {
    OPTIONS("model.layers=3", "model.hidden=16", "model.dropout=0.3"),
    OPTIONS("model.layers=3", "model.hidden=16", "model.norm=batch", "model.normalization=row"),
    OPTIONS("model.layers=3", "model.hidden=16", "model.precision=bfloat16", "halo.precision=int8"),
    OPTIONS("model.layers=4", "model.hidden=5", "model.activation=elu", "train.active_sets=false"),
};

// bytes as the rate says, other losses than with all rows, near to them, and the same bits again
static void training_repeats_and_sends_less(hg_world *world)
{
  char path[HG_PATH_MAX];
  train_graph g = train_graph_default();
  g.n = 400;
  check_ok(train_graph_write(world, &g, path));
  for (size_t v = 0; v < sizeof variants / sizeof *variants; v++) {
    double all[EPOCHS], first[EPOCHS], second[EPOCHS];
    hg_config config = train_config(path);
    train_configure(&config, variants[v]);
    train_curve(world, &config, EPOCHS, all);
    config.model.halo.sample = 0.5;
    train_curve(world, &config, EPOCHS, first);
    train_curve(world, &config, EPOCHS, second);
    check(memcmp(first, second, sizeof first) == 0, "%s: the second run has other losses", variants[v][0]);
    bool alone = hg_world_size(world) == 1;
    check((memcmp(first, all, sizeof first) == 0) == alone, "%s: sampling changes %s", variants[v][0],
          alone ? "one rank" : "nothing");
    check_train_curves(first, all, EPOCHS, 0.3, variants[v][0]);
  }
  train_graph_remove(world, path);
}

const mpi_case sampled_cases[] = {
    {"sampled/sums_are_right_in_the_mean", sums_are_right_in_the_mean, "1 2 4"},
    {"sampled/backward_is_the_transposed_of_forward", backward_is_the_transposed_of_forward, "1 2 3 7"},
    {"sampled/training_repeats_and_sends_less", training_repeats_and_sends_less, "1 2 3 4 7"},
    {0},
};
