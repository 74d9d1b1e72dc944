// The JSON files of a run: lines of metrics.jsonl, summary.json, environment.json.
#include <errno.h>
#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <time.h>

#include "core/base/cpu.h"
#include "core/base/files.h"
#include "core/base/threads.h"
#include "runtime/observe/run_folder.h"

enum { DIGITS = 9 }; // significant, of every real number

static json_t *real(double x) { return isfinite(x) ? json_real(x) : json_null(); }

// a seed beyond JSON's 64-bit integers is a text of its digits
static json_t *seed_json(uint64_t seed)
{
  return seed <= INT64_MAX ? json_integer((json_int_t)seed) : json_sprintf("%llu", (unsigned long long)seed);
}

static void set_score(json_t *object, const char *split, hg_metric metric, const hg_scores *scores)
{
  double score = hg_scores_get(scores, metric);
  char key[64];
  snprintf(key, sizeof key, "%s_%s", split, hg_metric_name(metric));
  if (!isnan(score)) json_object_set_new(object, key, json_real(score));
}

static void set_scores(json_t *object, const char *split, const hg_scores *scores)
{
  for (int metric = HG_METRIC_ACCURACY; metric <= HG_METRIC_RMSE; metric++)
    set_score(object, split, (hg_metric)metric, scores);
}

static json_t *phases_json(const double *seconds)
{
  json_t *object = json_object();
  for (int k = 0; k < HG_PHASE_COUNT; k++) json_object_set_new(object, hg_phase_name((hg_phase)k), real(seconds[k]));
  return object;
}

double hg_overlap_efficiency(const hg_exchange_seconds *seconds)
{
  return seconds->total > 0 ? 1 - seconds->exposed / seconds->total : NAN;
}

static void set_exchange(json_t *object, const hg_exchange_seconds *seconds)
{
  json_object_set_new(object, "communication_seconds", real(seconds->total));
  json_object_set_new(object, "exposed_seconds", real(seconds->exposed));
  json_object_set_new(object, "packing_seconds", real(seconds->packing));
  json_object_set_new(object, "overlap_efficiency", real(hg_overlap_efficiency(seconds)));
}

static json_t *epoch_json(const hg_epoch_record *r)
{
  json_t *line = json_object();
  json_object_set_new(line, "repeat", json_integer(r->repeat));
  json_object_set_new(line, "seed", seed_json(r->seed));
  json_object_set_new(line, "epoch", json_integer(r->epoch));
  json_object_set_new(line, "learning_rate", real(r->learning_rate));
  json_object_set_new(line, "train_loss", real(r->train_loss));
  if (r->evaluated) {
    json_object_set_new(line, "val_loss", real(r->scores[HG_SPLIT_VAL].loss));
    set_scores(line, "train", &r->scores[HG_SPLIT_TRAIN]);
    set_scores(line, "val", &r->scores[HG_SPLIT_VAL]);
    set_scores(line, "test", &r->scores[HG_SPLIT_TEST]);
  }
  json_object_set_new(line, "seconds", real(r->seconds));
  json_object_set_new(line, "halo_bytes", json_integer(r->halo_bytes));
  json_object_set_new(line, "halo_messages", json_integer(r->halo_messages));
  json_object_set_new(line, "halo_bytes_between_hosts", json_integer(r->halo_far_bytes));
  set_exchange(line, &r->exchange);
  json_object_set_new(line, "phases", phases_json(r->phases));
  return line;
}

hg_status hg_run_folder_epoch(hg_run_folder *folder, const hg_epoch_record *record)
{
  json_t *line = epoch_json(record);
  bool written = json_dumpf(line, folder->metrics, JSON_COMPACT | JSON_REAL_PRECISION(DIGITS)) == 0;
  json_decref(line);
  written = written && fputc('\n', folder->metrics) != EOF && fflush(folder->metrics) == 0;
  return written ? HG_OK : hg_fail(HG_ERR_IO, "%s/metrics.jsonl: cannot write: %s", folder->path, strerror(errno));
}

void hg_summary_test(const hg_run_summary *summary, double *mean, double *deviation)
{
  double sum = 0, squares = 0;
  int n = summary->n_repeats;
  for (int k = 0; k < n; k++) sum += hg_scores_get(&summary->repeats[k].test, summary->metric);
  *mean = n ? sum / n : NAN;
  for (int k = 0; k < n; k++) {
    double d = hg_scores_get(&summary->repeats[k].test, summary->metric) - *mean;
    squares += d * d;
  }
  *deviation = n ? sqrt(squares / n) : NAN;
}

static json_t *repeats_json(const hg_run_summary *s)
{
  json_t *list = json_array();
  for (int k = 0; k < s->n_repeats; k++) {
    const hg_repeat_result *r = &s->repeats[k];
    json_t *one = json_object();
    json_object_set_new(one, "seed", seed_json(r->seed));
    json_object_set_new(one, "epochs", json_integer(r->epochs));
    json_object_set_new(one, "best_epoch", json_integer(r->best_epoch));
    json_object_set_new(one, "train_loss", real(r->train_loss));
    set_scores(one, "val", &r->val);
    set_scores(one, "test", &r->test);
    json_array_append_new(list, one);
  }
  return list;
}

// the keys of the last repeat and of all of them together
static void set_results(json_t *object, const hg_run_summary *s)
{
  if (s->n_repeats == 0) return;
  const hg_repeat_result *last = &s->repeats[s->n_repeats - 1];
  double mean, deviation;
  hg_summary_test(s, &mean, &deviation);
  json_object_set_new(object, "epochs", json_integer(last->epochs));
  json_object_set_new(object, "best_epoch", json_integer(last->best_epoch));
  json_object_set_new(object, "train_loss", real(last->train_loss));
  set_scores(object, "val", &last->val);
  set_scores(object, "test", &last->test);
  char key[64];
  snprintf(key, sizeof key, "test_%s_mean", hg_metric_name(s->metric));
  json_object_set_new(object, key, real(mean));
  snprintf(key, sizeof key, "test_%s_std", hg_metric_name(s->metric));
  json_object_set_new(object, key, real(deviation));
}

static json_t *reals_json(const double *numbers, int n)
{
  json_t *list = json_array();
  for (int k = 0; k < n; k++) json_array_append_new(list, real(numbers[k]));
  return list;
}

// what crossed, of that between hosts, and how
static void set_halo(json_t *object, const hg_run_summary *s)
{
  json_object_set_new(object, "halo_bytes_per_epoch", json_integer(s->halo_bytes_per_epoch));
  json_object_set_new(object, "halo_messages_per_epoch", json_integer(s->halo_messages_per_epoch));
  json_object_set_new(object, "hosts", json_integer(s->hosts));
  json_object_set_new(object, "halo_hosts", json_string(s->halo_hosts));
  json_object_set_new(object, "halo_bytes_between_hosts_per_epoch", json_integer(s->halo_far_bytes_per_epoch));
  json_object_set_new(object, "halo_messages_between_hosts_per_epoch", json_integer(s->halo_far_messages_per_epoch));
  json_object_set_new(object, "halo_bytes_within_hosts_per_epoch",
                      json_integer(s->halo_bytes_per_epoch - s->halo_far_bytes_per_epoch));
  json_object_set_new(object, "halo_aggregation", json_string(s->halo_aggregation));
  json_object_set_new(object, "halo_sample", real(s->halo_sample));
  json_object_set_new(object, "first_layer_computes_halo", json_boolean(s->halo_computed));
  json_object_set_new(object, "parallel_columns", json_integer(s->columns));
  json_object_set_new(object, "halo_staleness", json_string(hg_staleness_name(s->halo_staleness)));
  json_object_set_new(object, "halo_precision", json_string(hg_pack_format_name(s->halo_precision)));
}

static json_t *summary_json(const hg_run_summary *s)
{
  json_t *object = json_object();
  json_object_set_new(object, "status", json_string(s->status));
  if (s->error) json_object_set_new(object, "error", json_string(s->error));
  json_object_set_new(object, "ranks", json_integer(s->ranks));
  json_object_set_new(object, "threads", json_integer(s->threads));
  json_object_set_new(object, "precision", json_string(s->precision));
  json_object_set_new(object, "metric", json_string(hg_metric_name(s->metric)));
  set_results(object, s);
  json_object_set_new(object, "repeats", json_integer(s->n_repeats));
  json_object_set_new(object, "epoch_seconds_median", real(s->epoch_seconds_median));
  set_halo(object, s);
  json_object_set_new(object, "active_rows", reals_json(s->active_rows, s->n_layers));
  json_object_set_new(object, "scored_rows", reals_json(s->scored_rows, s->n_layers));
  set_exchange(object, &s->exchange);
  json_object_set_new(object, "edge_cut", json_integer(s->edge_cut));
  json_object_set_new(object, "halo_nodes", json_integer(s->halo_nodes));
  json_object_set_new(object, "partition_seconds", real(s->partition_seconds));
  json_object_set_new(object, "reorder_seconds", real(s->reorder_seconds));
  json_object_set_new(object, "load_seconds", real(s->load_seconds));
  json_object_set_new(object, "total_seconds", real(s->total_seconds));
  json_object_set_new(object, "coordinator_seconds_per_epoch", real(s->coordinator_seconds_per_epoch));
  json_object_set_new(object, "peak_rss_bytes", json_integer(s->peak_rss_bytes));
  json_object_set_new(object, "start_rss_bytes", json_integer(s->start_rss_bytes));
  json_object_set_new(object, "planned_bytes", json_integer(s->planned_bytes));
  json_object_set_new(object, "used_bytes", json_integer(s->used_bytes));
  json_object_set_new(object, "parameters", json_integer(s->n_parameters));
  json_object_set_new(object, "phases", phases_json(s->phases));
  json_object_set_new(object, "repeat_results", repeats_json(s));
  return object;
}

static hg_status write_json(hg_run_folder *folder, const char *name, const json_t *object)
{
  char path[HG_PATH_MAX];
  hg_new_file file = {0};
  hg_status rc = HG_OK;
  HG_TRY(hg_run_folder_file(folder, name, path));
  HG_TRY(hg_new_file_begin(&file, path));
  if (json_dump_file(object, file.temporary, JSON_INDENT(2) | JSON_REAL_PRECISION(DIGITS)) != 0)
    HG_TRY(hg_fail(HG_ERR_IO, "%s: cannot write: %s", path, strerror(errno)));
  HG_TRY(hg_new_file_commit(&file));
done:
  hg_new_file_abandon(&file);
  return rc;
}

hg_status hg_run_folder_summary(hg_run_folder *folder, const hg_run_summary *summary)
{
  json_t *object = summary_json(summary);
  hg_status rc = write_json(folder, "summary.json", object);
  json_decref(object);
  return rc;
}

// "model name" of /proc/cpuinfo
static json_t *cpu_model(void)
{
  char line[256];
  json_t *model = NULL;
  FILE *info = fopen("/proc/cpuinfo", "r");
  while (info && !model && fgets(line, sizeof line, info)) {
    char *colon = strncmp(line, "model name", 10) == 0 ? strchr(line, ':') : NULL;
    if (!colon || strlen(colon) < 3) continue;
    colon[strcspn(colon, "\n")] = '\0';
    model = json_string(colon + 2);
  }
  if (info) fclose(info);
  return model ? model : json_null();
}

static json_t *copied_environment(void)
{
  static const char *const names[] = {"OMP_NUM_THREADS",     "OMP_PROC_BIND",     "OMP_PLACES",   "OMP_WAIT_POLICY",
                                      "GOMP_SPINCOUNT",      "GOMP_CPU_AFFINITY", "HALOGNN_SIMD", "SLURM_JOB_ID",
                                      "SLURM_CPUS_PER_TASK", "SLURM_NTASKS",      "PBS_JOBID",    NULL};
  json_t *object = json_object();
  for (const char *const *name = names; *name; name++)
    if (getenv(*name)) json_object_set_new(object, *name, json_string(getenv(*name)));
  return object;
}

hg_status hg_run_folder_environment(hg_run_folder *folder, int ranks, const char *const *hosts,
                                    const char *const *bindings, const char *mpi_version)
{
  struct utsname system = {0};
  uname(&system);
  char stamp[32];
  time_t now = time(NULL);
  struct tm utc;
  gmtime_r(&now, &utc);
  strftime(stamp, sizeof stamp, "%Y-%m-%dT%H:%M:%SZ", &utc);
  json_t *object = json_object(), *names = json_array(), *places = json_array();
  for (int r = 0; r < ranks; r++) {
    json_array_append_new(names, json_string(hosts[r]));
    json_array_append_new(places, json_string(bindings[r]));
  }
  json_object_set_new(object, "started", json_string(stamp));
  json_object_set_new(object, "system", json_sprintf("%s %s %s", system.sysname, system.release, system.machine));
  json_object_set_new(object, "cpu", cpu_model());
  json_object_set_new(object, "simd", json_string(hg_simd_name(hg_simd_level())));
  json_object_set_new(object, "real_bytes", json_integer((json_int_t)sizeof(hg_real)));
  json_object_set_new(object, "compiler", json_string(__VERSION__));
  json_object_set_new(object, "mpi", json_string(mpi_version));
  json_object_set_new(object, "ranks", json_integer(ranks));
  json_object_set_new(object, "threads", json_integer(hg_threads()));
  json_object_set_new(object, "processors", json_integer(hg_processors()));
  json_object_set_new(object, "hosts", names);
  json_object_set_new(object, "bindings", places);
  json_object_set_new(object, "environment", copied_environment());
  hg_status rc = write_json(folder, "environment.json", object);
  json_decref(object);
  return rc;
}
