#include <stdlib.h>
#include <string.h>

#include "bench/bench.h"
#include "core/base/suggest.h"
#include "core/base/threads.h"
#include "runtime/cli/command.h"

static const hg_bench_suite suites[] = {
    {"machine", "bandwidth and peak of multiply-add, on one thread and on all", hg_bench_machine, false},
    {"kernels", "SpMM, GEMM, dropout, norms and losses, each beside its floor", hg_bench_kernels, false},
    {"geo", "geo-GCN's aggregation and layer, on one thread and on all", hg_bench_geo, false},
    {"coordinator", "what the coordinator adds to an epoch", hg_bench_coordinator, false},
    {"exchange", "halo exchange between the ranks of mpirun, beside bare messages", hg_bench_exchange, true},
    {"epoch", "whole training epochs by phase, on the ranks of mpirun", hg_bench_epoch, true},
    {0},
};

typedef struct {
  hg_bench_options options;
  const char *suite;
  bool json;
} arguments;

enum { KEY_JSON = 256, KEY_GRAPH, KEY_SECONDS };

static const struct argp_option options[] = {
    {"threads", 't', "T", 0, "threads of each measured loop (default: all processors; under mpirun a fair share)", 0},
    {"graph", KEY_GRAPH, "FILE.hg", 0, "measure on this graph (default: random, 169,343 nodes and 2.3 million edges)",
     0},
    {"seconds", KEY_SECONDS, "S", 0, "time for each line (default: 0.5)", 0},
    {"json", KEY_JSON, NULL, 0, "results as JSON", 0},
    {0},
};

static error_t parse_threads(const char *arg, int *threads)
{
  char *end;
  long n = strtol(arg, &end, 10);
  if (*end || end == arg || n < 1 || n > 4096)
    return hg_command_error("--threads: found '%s', expected 1 to 4096", arg);
  *threads = (int)n;
  return 0;
}

static error_t parse_seconds(const char *arg, double *seconds)
{
  char *end;
  double s = strtod(arg, &end);
  if (*end || end == arg || !(s >= 0 && s <= 3600))
    return hg_command_error("--seconds: found '%s', expected 0 to 3600", arg);
  *seconds = s;
  return 0;
}

static error_t on_option(int key, char *arg, struct argp_state *state)
{
  arguments *a = state->input;
  switch (key) {
  case 't':
    return parse_threads(arg, &a->options.threads);
  case KEY_GRAPH:
    a->options.graph = arg;
    return 0;
  case KEY_SECONDS:
    return parse_seconds(arg, &a->options.seconds);
  case KEY_JSON:
    a->json = true;
    return 0;
  case ARGP_KEY_ARG:
    if (a->suite) return hg_command_error("found '%s' after '%s', expected one kind of benchmark", arg, a->suite);
    a->suite = arg;
    return 0;
  default:
    return ARGP_ERR_UNKNOWN;
  }
}

static hg_status unknown(const char *word)
{
  const char *names[sizeof suites / sizeof *suites], *near;
  for (size_t s = 0; s < sizeof suites / sizeof *suites; s++) names[s] = suites[s].name;
  near = hg_suggest(word, names);
  return hg_fail(HG_ERR_INPUT, "bench: unknown benchmark '%s'%s%s%s; see `halognn bench --help`", word,
                 near ? ", did you mean '" : "", near ? near : "", near ? "'?" : "");
}

// argp's text is made from the table, so that a new suite is one line.
static void describe(char *text, size_t size)
{
  size_t used = (size_t)snprintf(
      text, size,
      "Measures this machine and the program's kernels on it.\vBenchmarks (default: those that need no mpirun):\n");
  for (const hg_bench_suite *s = suites; s->name && used < size; s++)
    used += (size_t)snprintf(text + used, size - used, "  %-12s %s\n", s->name, s->help);
}

hg_status hg_cmd_bench(int argc, char **argv)
{
  hg_status rc = HG_OK;
  char doc[1024];
  describe(doc, sizeof doc);
  const struct argp argp = {options, on_option, "[BENCHMARK]", doc, NULL, NULL, NULL};
  arguments a = {.options = {.seconds = 0.5}};
  hg_bench_report report = {.count = 0};
  bool helped = false, found = false;
  HG_TRY(hg_command_parse(&argp, argc, argv, &a, &helped));
  if (helped) return HG_OK;
  for (const hg_bench_suite *s = suites; s->name; s++) {
    if (a.suite && strcmp(a.suite, s->name) != 0) continue;
    if (!a.suite && s->on_ranks) continue;
    found = true;
    if (!s->on_ranks) {
      hg_threads_set(a.options.threads);
      a.options.threads = hg_threads();
    }
    HG_TRY(s->run(&a.options, &report));
  }
  if (!found) return unknown(a.suite);
  if (!report.silent) HG_TRY(hg_bench_write(&report, a.json, stdout));
done:
  return rc;
}
