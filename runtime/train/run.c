#include "runtime/train/run.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "comm/reduce.h"
#include "core/base/alloc.h"
#include "core/base/files.h"
#include "core/base/log.h"
#include "core/base/threads.h"
#include "core/base/timer.h"
#include "models/compute_first.h"
#include "models/hidden_rows.h"
#include "models/skip_products.h"
#include "models/thin.h"
#include "runtime/train/feed.h"
#include "runtime/train/feedback_file.h"
#include "runtime/train/run_state.h"
#include "runtime/train/signals.h"

typedef struct {
  char host[64], binding[192];
} rank_place;

enum { MOST_TIMES = 1 << 20, WARM_UP = 5 }; // epochs that the median leaves out, when there are more than twice as many

// who runs where, in environment.json and, a line a rank, in log.txt
static hg_status write_places(hg_run *run, const rank_place *places, int ranks)
{
  const char **names = NULL;
  hg_status rc = HG_OK;
  HG_TRY(HG_ALLOC(names, 2 * ranks, "host names"));
  for (int r = 0; r < ranks; r++) {
    names[r] = places[r].host;
    names[ranks + r] = places[r].binding;
    hg_log(HG_LOG_DEBUG, "rank %d: %s, %s", r, places[r].host, places[r].binding);
  }
  HG_TRY(hg_run_folder_environment(&run->folder, ranks, names, names + ranks, hg_world_mpi_version()));
done:
  hg_free(&names);
  return rc;
}

static hg_status write_environment(hg_run *run)
{
  rank_place mine = {.host = "unknown"};
  void *all = NULL;
  size_t *offsets = NULL;
  hg_status rc = HG_OK;
  gethostname(mine.host, sizeof mine.host - 1);
  hg_threads_describe(mine.binding, sizeof mine.binding);
  HG_TRY(hg_gather(run->world, &mine, sizeof mine, &all, &offsets));
  HG_TRY_ALL(run->world, "writing environment.json",
             run->chief ? write_places(run, all, hg_world_size(run->world)) : HG_OK);
done:
  hg_free(&all);
  hg_free(&offsets);
  return rc;
}

static bool computes_halo(const hg_trainer *trainer) { return trainer->model.layers[0].computes_halo; }

// --resume: every rank reads the newest checkpoint that rank 0 finds; where there is none, the run begins, so that a
// batch job can always be started with --resume. Before anything is written: when it does not fit, the folder stays as
// it was.
static hg_status resume(hg_run *run)
{
  char path[HG_PATH_MAX] = "";
  hg_checkpoint found = {0};
  hg_status rc = HG_OK;
  if (run->chief && hg_checkpoint_find_last(run->config->output, path) != HG_OK)
    hg_log(HG_LOG_WARN, "%s; starting from the beginning", hg_error_text());
  hg_broadcast(run->world, path, sizeof path, 0);
  run->options.resume = path[0] != '\0';
  if (!run->options.resume) return HG_OK;
  HG_TRY_ALL(run->world, "resuming", hg_checkpoint_read(&found, path));
  HG_TRY_ALL(run->world, "resuming", hg_checkpoint_match(&found, &run->checkpoint, path));
  if (found.dataset != run->checkpoint.dataset)
    HG_TRY_ALL(run->world, "resuming",
               hg_fail(HG_ERR_INPUT, "%s: found a run on another graph than %s", path, run->config->dataset.path));
  if (found.seed != run->config->seed + (uint64_t)found.repeat)
    HG_TRY_ALL(run->world, "resuming",
               hg_fail(HG_ERR_INPUT, "%s: found a run of seed %llu, expected seed: %llu as in the config", path,
                       (unsigned long long)(found.seed - (uint64_t)found.repeat),
                       (unsigned long long)run->config->seed));
  if (found.n_results > run->config->repeat)
    HG_TRY_ALL(run->world, "resuming",
               hg_fail(HG_ERR_INPUT, "%s: found %d finished repeats, expected at most repeat: %d", path,
                       found.n_results, run->config->repeat));
  hg_repeat_result *room = run->checkpoint.results; // has space for all repeats
  memcpy(room, found.results, (size_t)found.n_results * sizeof *room);
  hg_free(&found.results);
  run->checkpoint.results = NULL;
  hg_scales scales = run->checkpoint.scales; // the data were scaled with these; the found ones are equal to rounding
  run->checkpoint.scales = (hg_scales){0};
  hg_scales_free(&found.scales);
  hg_checkpoint_free(&run->checkpoint);
  run->checkpoint = found;
  run->checkpoint.results = room;
  run->checkpoint.ranks = hg_world_size(run->world);
  run->checkpoint.columns = run->trainer.facts.columns;
  run->checkpoint.halo_computed = computes_halo(&run->trainer) ? 1 : -1;
  run->checkpoint.scales = scales;
  memset(&found, 0, sizeof found);
  hg_trainer_restore(&run->trainer, &run->checkpoint);
  hg_feedback_restore(&run->trainer, &run->checkpoint);
  hg_feedback_drop(&run->checkpoint);
done:
  hg_checkpoint_free(&found);
  return rc;
}

static void begin_repeat(hg_run *run, int repeat)
{
  hg_checkpoint *c = &run->checkpoint;
  c->repeat = repeat;
  c->seed = run->config->seed + (uint64_t)repeat;
  c->epoch = 0;
  c->schedule = (hg_schedule_state){0};
  c->best_val = c->best_test = hg_scores_none();
  hg_trainer_start(&run->trainer, c->seed);
}

static hg_status train_repeats(hg_run *run)
{
  hg_status rc = HG_OK;
  int first = 0;
  if (run->options.resume) {
    first = run->checkpoint.repeat;
    if (run->checkpoint.n_results > first) first++; // that one was finished
  }
  for (int r = first; r < run->config->repeat; r++) {
    if (!(run->options.resume && r == run->checkpoint.repeat && r == first && run->checkpoint.epoch > 0))
      begin_repeat(run, r);
    HG_TRY(hg_run_repeat(run));
  }
done:
  return rc;
}

static int ascending(const void *a, const void *b)
{
  double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

static double median_epoch(hg_run *run)
{
  hg_off kept = run->n_epochs < run->n_times ? run->n_epochs : run->n_times;
  hg_off skip = kept > 2 * WARM_UP ? WARM_UP : 0, n = kept - skip;
  if (n <= 0) return NAN;
  double *times = run->epoch_seconds + skip;
  qsort(times, (size_t)n, sizeof *times, ascending);
  return n % 2 ? times[n / 2] : (times[n / 2 - 1] + times[n / 2]) / 2;
}

static hg_exchange_seconds mean_exchange(const hg_run *run)
{
  double n = run->n_epochs > 0 ? (double)run->n_epochs : 1;
  return (hg_exchange_seconds){
      .total = run->exchange.total / n, .exposed = run->exchange.exposed / n, .packing = run->exchange.packing / n};
}

// of the last epoch, or the mean where they differ by design
static int64_t bytes_of_epoch(const hg_run *run, int64_t last, int64_t all)
{
  bool vary = run->config->model.halo.staleness.kind > HG_STALENESS_PIPELINE;
  return vary && run->n_epochs > 0 ? all / run->n_epochs : last;
}

// collective: memory, the coordinator's cost and the late phases are maxima over ranks
static const char *precision_name(const hg_config *config)
{
  return config->model.precision == HG_PRECISION_BFLOAT16 ? "bfloat16" : "float32";
}

static hg_run_summary summarize(hg_run *run, hg_status outcome, double load_seconds, double total_seconds)
{
  const hg_trainer *t = &run->trainer;
  double maxima[] = {(double)hg_peak_rss_bytes(), (double)t->planned.total, (double)hg_alloc_bytes(),
                     run->coordinator_seconds, run->start_rss};
  hg_max_doubles(run->world, maxima, 5);
  hg_max_doubles(run->world, run->late_phases, HG_PHASE_COUNT);
  hg_run_summary s = {.status = outcome == HG_OK ? "finished" : "stopped",
                      .metric = t->metric,
                      .ranks = hg_world_size(run->world),
                      .threads = hg_threads(),
                      .precision = precision_name(run->config),
                      .n_repeats = run->checkpoint.n_results,
                      .repeats = run->checkpoint.results,
                      .epoch_seconds_median = median_epoch(run),
                      .halo_bytes_per_epoch = bytes_of_epoch(run, run->halo_bytes, run->all_halo_bytes),
                      .halo_messages_per_epoch = run->halo_messages,
                      .hosts = hg_world_n_hosts(run->world),
                      .halo_hosts = hg_between_hosts_name(run->config->model.halo.hosts),
                      .halo_far_bytes_per_epoch = bytes_of_epoch(run, run->far_bytes, run->all_far_bytes),
                      .halo_far_messages_per_epoch = run->far_messages,
                      .halo_precision = run->config->model.halo.precision,
                      .halo_aggregation = hg_aggregation_name(run->config->model.halo.aggregation),
                      .halo_sample = run->config->model.halo.sample,
                      .columns = t->facts.columns,
                      .halo_computed = computes_halo(t),
                      .halo_staleness = run->config->model.halo.staleness.kind,
                      .n_layers = t->model.n_layers,
                      .active_rows = t->model.active_rows,
                      .scored_rows = t->model.scored_rows,
                      .exchange = mean_exchange(run),
                      .edge_cut = t->facts.edge_cut,
                      .halo_nodes = t->facts.halo_nodes,
                      .partition_seconds = t->facts.partition_seconds,
                      .reorder_seconds = t->facts.reorder_seconds,
                      .load_seconds = load_seconds,
                      .total_seconds = total_seconds,
                      .coordinator_seconds_per_epoch = run->n_epochs ? maxima[3] / (double)run->n_epochs : NAN,
                      .peak_rss_bytes = (int64_t)maxima[0],
                      .start_rss_bytes = (int64_t)maxima[4],
                      .planned_bytes = (int64_t)maxima[1],
                      .used_bytes = (int64_t)maxima[2],
                      .n_parameters = t->model.n_parameters};
  for (int k = 0; k < HG_PHASE_COUNT; k++) s.phases[k] = run->phases[k] + run->late_phases[k];
  return s;
}

// what a run will need, before it runs: largest rank
static void print_plan(hg_run *run)
{
  const hg_memory m = run->trainer.planned;
  char line[256] = "";
  double maxima[] = {(double)m.graph, (double)m.features,   (double)m.activations, (double)m.workspace,
                     (double)m.halo,  (double)m.parameters, (double)m.total};
  hg_max_doubles(run->world, maxima, 7);
  run->trainer.type->describe(&run->trainer, line, sizeof line);
  if (!run->chief || (run->options.quiet && !run->options.dry_run)) return;
  const double mib = 1024.0 * 1024.0;
  FILE *to = run->options.dry_run ? stdout : stderr; // allow(print): a dry run's result; shown before another run
  fprintf(to, "%s, %lld parameters; %d threads a rank\n", line, (long long)run->trainer.model.n_parameters,
          hg_threads());
  fprintf(to,
          "memory planned: %.4g MiB = graph %.4g + features %.4g + activations %.4g + workspace %.4g + halo %.4g + "
          "parameters %.4g\n",
          maxima[6] / mib, maxima[0] / mib, maxima[1] / mib, maxima[2] / mib, maxima[3] / mib, maxima[4] / mib,
          maxima[5] / mib);
}

static hg_status open_folder(hg_run *run)
{
  const hg_checkpoint *c = &run->checkpoint;
  hg_status rc = hg_run_folder_open(&run->folder, run->config, run->options.resume);
  if (rc == HG_OK && run->options.resume) rc = hg_run_folder_rewind(&run->folder, c->repeat, c->epoch);
  return rc;
}

static hg_status prepare_alone(hg_run *run)
{
  hg_off moments = run->trainer.optimizer.type->n_moments * run->trainer.model.n_parameters;
  hg_status rc = HG_OK;
  hg_off epochs = (hg_off)run->config->repeat * run->config->train.epochs;
  run->n_times = epochs < MOST_TIMES ? epochs : MOST_TIMES;
  HG_TRY(HG_ALLOC(run->epoch_seconds, run->n_times, "epoch times"));
  HG_TRY(hg_checkpoint_create(&run->checkpoint, &run->trainer.model, moments, run->config->repeat));
  run->checkpoint.task = run->trainer.labelled.task;
  run->checkpoint.dataset = run->trainer.facts.fingerprint;
  run->checkpoint.ranks = hg_world_size(run->world);
  run->checkpoint.columns = run->trainer.facts.columns;
  run->checkpoint.halo_computed = computes_halo(&run->trainer) ? 1 : -1;
  HG_TRY(hg_scales_copy(&run->checkpoint.scales, run->trainer.scales));
  if (run->chief) hg_progress_begin(&run->progress, run->config, run->trainer.metric, run->options.quiet);
done:
  return rc;
}

static hg_status finish(hg_run *run, hg_status outcome, double load_seconds, double total_seconds)
{
  hg_status rc = HG_OK;
  hg_run_summary summary = summarize(run, outcome, load_seconds, total_seconds);
  if (run->chief) {
    hg_progress_end(&run->progress);
    rc = hg_run_folder_summary(&run->folder, &summary);
    FILE *to = stdout; // allow(print): the results of the command
    if (rc == HG_OK) hg_summary_print(&summary, run->folder.path, to);
  }
  return hg_agree(run->world, rc, "writing summary.json");
}

// the folder tells of a failure too; this rank alone writes, nobody waits for it
static void record_failure(hg_run *run)
{
  char text[1024];
  snprintf(text, sizeof text, "%s", hg_error_text());
  hg_run_summary summary = {.status = "failed",
                            .error = text,
                            .ranks = hg_world_size(run->world),
                            .threads = hg_threads(),
                            .precision = precision_name(run->config),
                            .halo_precision = run->config->model.halo.precision,
                            .halo_aggregation = hg_aggregation_name(run->config->model.halo.aggregation),
                            .halo_sample = run->config->model.halo.sample,
                            .columns = run->trainer.facts.columns,
                            .hosts = hg_world_n_hosts(run->world),
                            .halo_hosts = hg_between_hosts_name(run->config->model.halo.hosts),
                            .halo_staleness = run->config->model.halo.staleness.kind,
                            .n_repeats = run->checkpoint.n_results,
                            .repeats = run->checkpoint.results,
                            .metric = hg_metric_resolve(run->trainer.metric, run->trainer.labelled.task),
                            .epoch_seconds_median = NAN};
  hg_progress_end(&run->progress);
  hg_log(HG_LOG_DEBUG, "failed: %s", text);
  if (run->folder.path[0]) (void)hg_run_folder_summary(&run->folder, &summary);
  (void)hg_fail(HG_ERR_INTERNAL, "%s", text);
}

// parallel.mode auto measures, and halo.compute_first asks where ranks are: a resumed run on as many goes on with what
// was chosen, for the same bits. Whatever is wrong with the checkpoint is told later.
static void choose_as_before(hg_world *world, const hg_run_options *options, hg_config *config)
{
  char path[HG_PATH_MAX];
  hg_checkpoint c = {0};
  int chosen[2] = {0}, ranks = hg_world_size(world);
  if (!options->resume) return;
  if (hg_world_rank(world) == 0 && hg_checkpoint_find_last(config->output, path) == HG_OK &&
      hg_checkpoint_read(&c, path) == HG_OK && c.ranks == ranks) {
    if (config->parallel.mode == HG_PARALLEL_AUTO && c.columns > 0 && ranks % c.columns == 0) chosen[0] = c.columns;
    chosen[1] = c.halo_computed ? c.halo_computed : -1; // earlier versions exchanged
  }
  hg_checkpoint_free(&c);
  hg_broadcast(world, chosen, sizeof chosen, 0);
  config->parallel.before = chosen[0];
  config->model.halo.computed_before = chosen[1];
}

static void warn_of_kept_zeros(const hg_model *model)
{
  const char *gradients = hg_skip_products_hindrance(model), *rows = hg_thin_hindrance(model);
  if (gradients)
    hg_log(HG_LOG_WARN, "model.skip_zeros: always has no effect with %s", gradients);
  else if (hg_rows_are_stored(&model->layers[0]) && rows)
    hg_log(HG_LOG_WARN, "model.skip_zeros: always: hidden rows keep their zeros with %s", rows);
}

static void warn_of_no_effect(const hg_run *run)
{
  const hg_model *model = &run->trainer.model;
  const hg_model_options *o = &run->config->model;
  const char *why = hg_compute_first_hindrance(model);
  if (!run->chief) return;
  if (o->halo.compute_first == HG_COMPUTE_FIRST_ALWAYS && why)
    hg_log(HG_LOG_WARN, "halo.compute_first: always has no effect with %s", why);
  if (o->skip_zeros == HG_SKIP_HIDDEN_ALWAYS) warn_of_kept_zeros(model);
}

hg_status hg_run_train(hg_world *world, const hg_config *config, hg_run_options options)
{
  hg_config settled = *config;
  hg_run run = {.world = world,
                .config = &settled,
                .options = options,
                .chief = hg_world_rank(world) == 0,
                .start_rss = (double)hg_peak_rss_bytes()};
  double start = hg_now_s(), loaded;
  hg_status rc = HG_OK;
  if (run.chief && !options.quiet) hg_log_set_level(HG_LOG_INFO); // partitioning takes a while
  choose_as_before(world, &options, &settled);
  HG_TRY(hg_trainer_create(&run.trainer, world, &settled));
  HG_TRY_ALL(world, "allocating the run", prepare_alone(&run));
  print_plan(&run);
  warn_of_no_effect(&run);
  if (options.dry_run) goto done;
  if (options.resume) HG_TRY(resume(&run));
  HG_TRY_ALL(world, "opening the run's folder", run.chief ? open_folder(&run) : HG_OK);
  HG_TRY(write_environment(&run));
  loaded = hg_now_s() - start;
  hg_signals_catch();
  rc = train_repeats(&run);
  hg_signals_release();
  if (rc == HG_OK || rc == HG_STOPPED) {
    hg_status written = finish(&run, rc, loaded, hg_now_s() - start);
    if (written != HG_OK) rc = written;
  } else if (run.chief) {
    record_failure(&run);
  }
done:
  if (run.chief) hg_run_folder_close(&run.folder);
  hg_checkpoint_free(&run.checkpoint);
  hg_free(&run.epoch_seconds);
  hg_trainer_free(&run.trainer);
  return rc;
}
