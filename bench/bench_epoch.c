/*
 * Whole training epochs by phase, of the GCN that OGB measures on arxiv (3 layers, 256 hidden, dropout 0.5), beside the
 * floor of all of an epoch's work: the flops of its products over the measured peak, or the bytes that it must read and
 * write over the measured bandwidth, whichever is more. Bytes count each matrix once a kernel that needs it, gathered
 * rows once each.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bench/bench.h"
#include "comm/reduce.h"
#include "core/base/alloc.h"
#include "core/base/threads.h"
#include "core/base/timer.h"
#include "core/graph/generate.h"
#include "core/graph/store.h"
#include "runtime/train/trainer.h"

enum { NODES = 169343, FEATURES = 128, CLASSES = 40, HIDDEN = 256, LAYERS = 3, WARM_UP = 2, FEWEST = 5, MOST = 200 };

static const double mean_degree = 13.7;

typedef struct {
  double epoch[MOST], phases[HG_PHASE_COUNT][MOST];
  int runs;
} samples;

static hg_status write_graph(const char *path)
{
  hg_generate_options o = hg_generate_options_default();
  hg_graph graph = {0};
  hg_build_counts counts;
  hg_status rc = HG_OK;
  o.nodes = NODES;
  o.degree = mean_degree;
  o.features = FEATURES;
  o.classes = CLASSES;
  HG_TRY(hg_generate("csbm", &o, &graph, &counts));
  HG_TRY(hg_store_write_graph(path, &graph, "bench epoch"));
done:
  hg_graph_free(&graph);
  return rc;
}

// a folder of its own for the generated graph and its parts
static hg_status make_graph(hg_world *world, char *folder, hg_config *config)
{
  hg_status rc = HG_OK;
  if (hg_world_rank(world) == 0) {
    const char *temporary = getenv("TMPDIR");
    snprintf(folder, HG_PATH_MAX, "%.*s/halognn_bench_XXXXXX", HG_PATH_MAX - 64, temporary ? temporary : "/tmp");
    rc = mkdtemp(folder) ? HG_OK : hg_fail(HG_ERR_IO, "%s: cannot make the folder", folder);
    snprintf(config->dataset.path, HG_PATH_MAX, "%.*s/graph.hg", HG_PATH_MAX - 16, folder);
    if (rc == HG_OK) rc = write_graph(config->dataset.path);
  }
  return hg_agree(world, rc, "making the graph");
}

static void remove_graph(hg_world *world, const char *folder)
{
  char command[HG_PATH_MAX + 16];
  if (hg_world_rank(world) != 0 || !folder[0]) return;
  snprintf(command, sizeof command, "rm -rf '%s'", folder);
  if (system(command) != 0) fprintf(stderr, "%s: cannot remove it\n", folder);
}

static hg_config make_config(const char *graph)
{
  hg_config config = hg_config_default();
  snprintf(config.dataset.path, sizeof config.dataset.path, "%s", graph ? graph : "");
  config.model.layers = LAYERS;
  config.model.hidden = HIDDEN;
  config.model.dropout = 0.5;
  config.model.input_dropout = 0;
  return config;
}

// every rank must do as many epochs: rank 0's clock decides
static bool go_on(hg_world *world, const samples *s, double started, double seconds)
{
  bool more = s->runs < MOST && (s->runs < FEWEST || hg_now_s() - started < seconds);
  hg_broadcast(world, &more, sizeof more, 0);
  return more;
}

static hg_status time_epochs(hg_trainer *t, double seconds, samples *s)
{
  hg_plan plan = {.learning_rate = 0.01, .sync = HG_SYNC_ALLREDUCE};
  double started = hg_now_s();
  for (plan.epoch = 1; plan.epoch <= WARM_UP || go_on(t->world, s, started, seconds); plan.epoch++) {
    hg_phases phases;
    hg_barrier(t->world);
    hg_phases_start(&phases);
    double start = hg_now_s();
    hg_step step = hg_trainer_step(t, 1, &plan, NULL, &phases);
    if (step.status != HG_OK) return step.status;
    double times[HG_PHASE_COUNT + 1] = {hg_now_s() - start};
    memcpy(times + 1, phases.seconds, sizeof phases.seconds);
    hg_max_doubles(t->world, times, HG_PHASE_COUNT + 1);
    if (plan.epoch <= WARM_UP) {
      started = hg_now_s();
      continue;
    }
    s->epoch[s->runs] = times[0];
    for (int k = 0; k < HG_PHASE_COUNT; k++) s->phases[k][s->runs] = times[k + 1];
    s->runs++;
  }
  return HG_OK;
}

// of all ranks: what an epoch must compute, read and write
static void count_work(const hg_trainer *t, double *flops, double *bytes)
{
  double n = (double)t->facts.n_nodes, m = (double)t->facts.n_edges, real = sizeof(hg_real);
  *flops = *bytes = 0;
  for (const hg_layer *l = t->model.layers; l < t->model.layers + t->model.n_layers; l++) {
    double in = l->f_in, out = l->f_out, aggregated = l->aggregate_first ? in : out;
    int products = l->index ? 3 : 2, aggregations = l->index ? 2 : l->cached ? 0 : 2;
    *flops += products * 2 * n * in * out + aggregations * 2 * (m + n) * aggregated;
    *bytes += products * real * n * (in + out) + aggregations * (2 * real * n * aggregated + sizeof(hg_lid) * m);
  }
}

static void add_row(hg_bench_report *report, const char *name, double *times, int runs)
{
  hg_bench_row *row = &report->rows[report->count++];
  *row = (hg_bench_row){.threads = hg_threads(), .times = hg_bench_summary(times, runs), .unit = "", .floor_why = ""};
  snprintf(row->name, sizeof row->name, "%s", name);
}

static hg_status report_epochs(const hg_trainer *t, const hg_bench_limits *limits, samples *s, hg_bench_report *report)
{
  char name[48];
  double flops, bytes;
  if (report->count + HG_PHASE_COUNT >= HG_BENCH_ROWS)
    return hg_fail(HG_ERR_INTERNAL, "the benchmark's report is full");
  snprintf(name, sizeof name, "epoch, %d ranks", hg_world_size(t->world));
  add_row(report, name, s->epoch, s->runs);
  hg_bench_row *whole = &report->rows[report->count - 1];
  count_work(t, &flops, &bytes);
  double by_flops = flops / limits->flops, by_bytes = bytes / limits->bandwidth;
  whole->floor_s = by_flops > by_bytes ? by_flops : by_bytes;
  whole->floor_why = by_flops > by_bytes ? "flops" : "bandwidth";
  whole->rate = flops / whole->times.median_s * 1e-9;
  whole->unit = "GFLOP/s";
  for (int k = 0; k < HG_PHASE_COUNT; k++) {
    snprintf(name, sizeof name, "  %s", hg_phase_name((hg_phase)k));
    if (k <= HG_PHASE_OPTIMIZER) add_row(report, name, s->phases[k], s->runs);
  }
  return HG_OK;
}

// all ranks measure at once, so that they share the machine as in an epoch; the sum is what they have together
static hg_status measure_limits(hg_world *world, const hg_bench_options *options, hg_bench_limits *limits)
{
  hg_status rc = HG_OK;
  HG_TRY_ALL(world, "measuring the machine", hg_bench_limits_measure(options, limits));
  double both[] = {limits->bandwidth, limits->flops};
  hg_sum_doubles(world, both, 2);
  *limits = (hg_bench_limits){both[0], both[1]};
done:
  return rc;
}

static hg_status measure_all(hg_world *world, const hg_bench_options *options, char *folder, hg_bench_report *report)
{
  hg_config config = make_config(options->graph);
  hg_bench_limits limits;
  hg_trainer trainer = {0};
  samples *s = NULL;
  hg_status rc = HG_OK;
  if (!options->graph) HG_TRY(make_graph(world, folder, &config));
  HG_TRY(measure_limits(world, options, &limits));
  HG_TRY_ALL(world, "allocating", HG_ALLOC(s, 1, "epoch times"));
  HG_TRY(hg_trainer_create(&trainer, world, &config));
  hg_trainer_start(&trainer, 1);
  HG_TRY_ALL(world, "training", time_epochs(&trainer, options->seconds, s));
  HG_TRY_ALL(world, "reporting", report_epochs(&trainer, &limits, s, report));
done:
  hg_free(&s);
  hg_trainer_free(&trainer);
  return rc;
}

hg_status hg_bench_epoch(const hg_bench_options *options, hg_bench_report *report)
{
  hg_status rc = HG_OK;
  hg_world *world = NULL;
  char folder[HG_PATH_MAX] = "";
  HG_TRY(hg_world_open(&world, NULL, NULL));
  report->silent = hg_world_rank(world) != 0;
  hg_world_set_threads(world, options->threads);
  hg_bench_options here = *options;
  here.threads = hg_threads();
  rc = measure_all(world, &here, folder, report);
  remove_graph(world, folder);
done:
  return hg_world_close(&world, rc);
}
