/*
 * Whole training epochs of an experiment by phase, and the memory of its run. Without a config: the GCN that OGB
 * measures on arxiv (3 layers, 256 hidden, dropout 0.5). Beside it the floor: the sum of its kernels' floors
 * (epoch_work.h), and its flops alone over the measured peak.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bench/epoch_work.h"
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
  double epoch[MOST], phases[HG_PHASE_COUNT][MOST]; ///< the slowest rank's
  double covered[MOST];                             ///< phases / epoch, the least of the ranks'
  int runs;
} samples;

enum { PLANNED, IN_ARRAYS, RESIDENT, MEMORIES };

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

static void set_default(hg_config *config)
{
  config->model.layers = LAYERS;
  config->model.hidden = HIDDEN;
  config->model.dropout = 0.5;
  config->model.input_dropout = 0;
}

static hg_status read_config(const hg_bench_options *options, hg_config *config)
{
  hg_status rc = HG_OK;
  *config = hg_config_default();
  if (options->config)
    HG_TRY(hg_config_load(config, options->config));
  else
    set_default(config);
  for (int k = 0; k < options->n_overrides; k++) HG_TRY(hg_config_override(config, options->overrides[k]));
  if (options->graph && snprintf(config->dataset.path, HG_PATH_MAX, "%s", options->graph) >= HG_PATH_MAX)
    HG_TRY(hg_fail(HG_ERR_INPUT, "--graph: the path is too long"));
  if (!options->config) return HG_OK; // it has a graph, or gets one
  HG_TRY(hg_config_resolve(config));
  HG_TRY(hg_config_find_dataset(config, options->config));
  if (config->train.sync == HG_SYNC_COORDINATOR)
    rc = hg_fail(HG_ERR_INPUT,
                 "bench epoch: train.sync: found coordinator, and none is running here; expected allreduce "
                 "or local");
done:
  return rc;
}

// every rank must do as many epochs: rank 0's clock decides
static bool go_on(hg_world *world, const samples *s, double started, double seconds)
{
  bool more = s->runs < MOST && (s->runs < FEWEST || hg_now_s() - started < seconds);
  hg_broadcast(world, &more, sizeof more, 0);
  return more;
}

static void take_sample(hg_world *world, const hg_phases *phases, double seconds, samples *s)
{
  enum { EPOCH = HG_PHASE_COUNT, UNCOVERED, MAXIMA };
  double maxima[MAXIMA], sum = 0;
  for (int k = 0; k < HG_PHASE_COUNT; k++) sum += maxima[k] = phases->seconds[k];
  maxima[EPOCH] = seconds;
  maxima[UNCOVERED] = 1 - sum / seconds;
  hg_max_doubles(world, maxima, MAXIMA);
  for (int k = 0; k < HG_PHASE_COUNT; k++) s->phases[k][s->runs] = maxima[k];
  s->epoch[s->runs] = maxima[EPOCH];
  s->covered[s->runs++] = 1 - maxima[UNCOVERED];
}

static hg_status time_epochs(hg_trainer *t, double seconds, samples *s)
{
  hg_plan plan = {.learning_rate = t->config->train.learning_rate, .sync = t->config->train.sync};
  double started = hg_now_s();
  for (plan.epoch = 1; plan.epoch <= WARM_UP || go_on(t->world, s, started, seconds); plan.epoch++) {
    hg_phases phases;
    hg_barrier(t->world);
    double start = hg_now_s();
    hg_phases_start(&phases);
    hg_step step = hg_trainer_step(t, t->config->seed, &plan, NULL, &phases);
    if (step.status != HG_OK) return step.status;
    double taken = hg_now_s() - start;
    if (plan.epoch > WARM_UP)
      take_sample(t->world, &phases, taken, s);
    else
      started = hg_now_s();
  }
  return HG_OK;
}

// before the machine is measured, whose arrays are large: the largest rank's
static void take_memory(const hg_trainer *t, double memory[MEMORIES])
{
  memory[PLANNED] = (double)t->planned.total;
  memory[IN_ARRAYS] = (double)hg_alloc_peak_bytes();
  memory[RESIDENT] = (double)hg_peak_rss_bytes();
  hg_max_doubles(t->world, memory, MEMORIES);
}

static hg_bench_row *add_row(hg_bench_report *report, const char *name)
{
  hg_bench_row *row = &report->rows[report->count++];
  *row = (hg_bench_row){.threads = hg_threads(), .unit = "", .floor_why = ""};
  snprintf(row->name, sizeof row->name, "%s", name);
  return row;
}

static void add_number(hg_bench_report *report, const char *name, double value, const char *unit)
{
  hg_bench_row *row = add_row(report, name);
  row->rate = value;
  row->unit = unit;
}

// the epoch beside its kernels' floors, and again beside its flops alone
static void add_epoch(const hg_trainer *t, const hg_bench_limits *limits, samples *s, hg_bench_report *report)
{
  const hg_epoch_work work = hg_epoch_work_count(t, limits);
  const hg_bench_times times = hg_bench_summary(s->epoch, s->runs);
  char name[48];
  snprintf(name, sizeof name, "epoch, %d rank%s", hg_world_size(t->world), hg_world_size(t->world) > 1 ? "s" : "");
  const struct {
    const char *name, *why;
    double floor_s;
  } floors[] = {{name, "kernels", work.floor_s}, {"epoch, flops alone", "flops", work.flops / limits->flops}};
  for (int k = 0; k < (work.floor_s > 0 ? 2 : 1); k++) {
    hg_bench_row *row = add_row(report, floors[k].name);
    row->times = times;
    row->floor_s = floors[k].floor_s;
    row->floor_why = row->floor_s > 0 ? floors[k].why : "";
    row->rate = work.flops / times.median_s * 1e-9;
    row->unit = work.flops > 0 ? "GFLOP/s" : "";
  }
}

static hg_status report_epochs(const hg_trainer *t, const hg_bench_limits *limits, const double memory[MEMORIES],
                               samples *s, hg_bench_report *report)
{
  const double mib = 1024 * 1024;
  char name[48];
  if (report->count + HG_PHASE_COUNT + 6 > HG_BENCH_ROWS)
    return hg_fail(HG_ERR_INTERNAL, "the benchmark's report is full");
  add_epoch(t, limits, s, report);
  for (int k = 0; k < HG_PHASE_COUNT; k++) {
    hg_bench_times times = hg_bench_summary(s->phases[k], s->runs);
    snprintf(name, sizeof name, "  %s", hg_phase_name((hg_phase)k));
    if (k <= HG_PHASE_OPTIMIZER || times.median_s > 0) add_row(report, name)->times = times;
  }
  add_number(report, "phases / epoch", 100 * hg_bench_summary(s->covered, s->runs).median_s, "%");
  add_number(report, "memory planned", memory[PLANNED] / mib, "MiB");
  add_number(report, "memory in arrays, peak", memory[IN_ARRAYS] / mib, "MiB");
  add_number(report, "memory resident, peak", memory[RESIDENT] / mib, "MiB");
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

static hg_status measure_all(hg_world *world, const hg_config *config, const hg_bench_options *options,
                             hg_bench_report *report)
{
  hg_bench_limits limits;
  hg_trainer trainer = {0};
  double memory[MEMORIES];
  samples *s = NULL;
  hg_status rc = HG_OK;
  HG_TRY_ALL(world, "allocating", HG_ALLOC(s, 1, "epoch times"));
  HG_TRY(hg_trainer_create(&trainer, world, config));
  hg_trainer_start(&trainer, config->seed);
  HG_TRY_ALL(world, "training", time_epochs(&trainer, options->seconds, s));
  take_memory(&trainer, memory);
  HG_TRY(measure_limits(world, options, &limits));
  HG_TRY_ALL(world, "reporting", report_epochs(&trainer, &limits, memory, s, report));
done:
  hg_free(&s);
  hg_trainer_free(&trainer);
  return rc;
}

hg_status hg_bench_epoch(const hg_bench_options *options, hg_bench_report *report)
{
  hg_status rc = HG_OK;
  hg_world *world = NULL;
  hg_config *config = NULL;
  hg_bench_options here = *options;
  char folder[HG_PATH_MAX] = "";
  HG_TRY(hg_world_open(&world, NULL, NULL));
  report->silent = hg_world_rank(world) != 0;
  HG_TRY_ALL(world, "reading the config", HG_ALLOC(config, 1, "config"));
  HG_TRY_ALL(world, "reading the config", report->silent ? HG_OK : read_config(options, config));
  hg_broadcast(world, config, sizeof *config, 0);
  hg_world_set_threads(world, options->threads > 0 ? options->threads : config->threads);
  here.threads = hg_threads();
  if (!config->dataset.path[0]) HG_TRY(make_graph(world, folder, config));
  rc = measure_all(world, config, &here, report);
done:
  if (world) remove_graph(world, folder);
  hg_free(&config);
  return hg_world_close(&world, rc);
}
