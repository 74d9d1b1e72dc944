#include "bench/bench.h"

#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/alloc.h"
#include "core/base/threads.h"
#include "core/base/timer.h"

enum { FEWEST_RUNS = 5, MOST_RUNS = 200 };

static double time_once(const hg_bench_case *c)
{
  double start = hg_now_s();
  c->run(c->context);
  return hg_now_s() - start;
}

static int by_value(const void *a, const void *b)
{
  double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

hg_bench_times hg_bench_summary(double *samples, int runs)
{
  qsort(samples, (size_t)runs, sizeof *samples, by_value);
  return (hg_bench_times){runs, samples[0], samples[runs / 4], samples[runs / 2], samples[(3 * runs) / 4]};
}

hg_status hg_bench_run(const hg_bench_case *cases, int n, double seconds, hg_bench_times *times)
{
  hg_status rc = HG_OK;
  double *samples = NULL;
  HG_TRY(HG_ALLOC(samples, (hg_off)n * MOST_RUNS, "times of a benchmark"));
  for (int c = 0; c < n; c++) cases[c].run(cases[c].context);
  double start = hg_now_s();
  int runs = 0;
  for (; runs < FEWEST_RUNS || (runs < MOST_RUNS && hg_now_s() - start < seconds * n); runs++)
    for (int c = 0; c < n; c++) samples[c * MOST_RUNS + runs] = time_once(&cases[c]);
  for (int c = 0; c < n; c++) times[c] = hg_bench_summary(samples + c * MOST_RUNS, runs);
done:
  hg_free(&samples);
  return rc;
}

static hg_bench_row row_of(const hg_bench_case *c, hg_bench_times times, int threads, const hg_bench_limits *limits)
{
  hg_bench_row row = {.threads = threads, .times = times, .floor_why = ""};
  memcpy(row.name, c->name, sizeof row.name);
  double by_bytes = limits ? c->bytes / limits->bandwidth : 0, by_flops = limits ? c->flops / limits->flops : 0;
  bool compute = limits ? by_flops > by_bytes : c->flops > 0;
  row.rate = (compute ? c->flops : c->bytes) / times.median_s * 1e-9;
  row.unit = compute ? "GFLOP/s" : "GB/s";
  row.floor_s = compute ? by_flops : by_bytes;
  row.edges_per_s = c->edges / times.median_s;
  row.memory_bytes = c->memory_bytes;
  if (limits) row.floor_why = compute ? "flops" : "bandwidth";
  return row;
}

bool hg_bench_wants(const hg_bench_options *options, const char *name)
{
  char pattern[256];
  if (!options->only) return true;
  snprintf(pattern, sizeof pattern, "*%.250s*", options->only);
  return fnmatch(pattern, name, 0) == 0;
}

hg_status hg_bench_measure(const hg_bench_case *cases, int n, const hg_bench_options *options,
                           const hg_bench_limits *limits, hg_bench_report *report)
{
  hg_status rc = HG_OK;
  hg_bench_times *times = NULL;
  hg_bench_case *wanted = NULL;
  int count = 0;
  HG_TRY(HG_ALLOC(wanted, n, "cases of a benchmark"));
  for (int c = 0; c < n; c++)
    if (hg_bench_wants(options, cases[c].name)) wanted[count++] = cases[c];
  if (report->count + count > HG_BENCH_ROWS)
    HG_TRY(hg_fail(HG_ERR_INTERNAL, "a benchmark report holds %d lines", HG_BENCH_ROWS));
  hg_threads_set(options->threads);
  if (options->instead) {
    for (int c = 0; c < count; c++) options->instead(&wanted[c]);
    goto done;
  }
  HG_TRY(HG_ALLOC(times, count, "times of a benchmark"));
  HG_TRY(hg_bench_run(wanted, count, options->seconds, times));
  for (int c = 0; c < count; c++) report->rows[report->count++] = row_of(&wanted[c], times[c], hg_threads(), limits);
done:
  hg_free(&wanted);
  hg_free(&times);
  return rc;
}
