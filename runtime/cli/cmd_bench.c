#include <stdlib.h>
#include <string.h>

#include "bench/bench.h"
#include "core/base/suggest.h"
#include "core/base/threads.h"
#include "runtime/cli/command.h"

static const hg_bench_suite suites[] = {
    {"machine", "bandwidth and peak of multiply-add, on one thread and on all", hg_bench_machine, false, true},
    {"kernels", "SpMM, GEMM, dropout, norms and losses, each beside its floor", hg_bench_kernels, false, true},
    {"geo", "geo-GCN's aggregation and layer, on one thread and on all", hg_bench_geo, false, true},
    {"coordinator", "what the coordinator adds to an epoch", hg_bench_coordinator, false, false},
    {"exchange", "halo exchange between the ranks of mpirun, beside bare messages", hg_bench_exchange, true, false},
    {"epoch", "epochs of CONFIG.yaml (default: a GCN) by phase, on the ranks of mpirun", hg_bench_epoch, true, false},
    {0},
};

enum { KEY_JSON = 256, KEY_GRAPH, KEY_SECONDS, KEY_ONLY, KEY_SET, MOST_OVERRIDES = 64 };

typedef struct {
  hg_bench_options options;
  const char *overrides[MOST_OVERRIDES];
  const char *suite;
  bool json;
} arguments;

static const struct argp_option options[] = {
    {"threads", 't', "T", 0, "threads of each measured loop (default: all processors; under mpirun a fair share)", 0},
    {"graph", KEY_GRAPH, "FILE.hg", 0, "measure on this graph (default: random, 169,343 nodes and 2.3 million edges)",
     0},
    {"only", KEY_ONLY, "PATTERN", 0,
     "machine, kernels and geo: only lines whose name contains it; * and ? stand for any text and any letter", 0},
    {"set", KEY_SET, "KEY=VALUE", 0, "epoch: override a key of CONFIG.yaml, as model.hidden=64; may be repeated", 0},
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

static error_t take_word(arguments *a, const char *word)
{
  if (a->suite && (strcmp(a->suite, "epoch") != 0 || a->options.config))
    return hg_command_error("found '%s' after '%s', expected one kind of benchmark", word,
                            a->options.config ? a->options.config : a->suite);
  if (a->suite)
    a->options.config = word;
  else
    a->suite = word;
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
  case KEY_ONLY:
    a->options.only = arg;
    return 0;
  case KEY_SET:
    if (a->options.n_overrides == MOST_OVERRIDES) return hg_command_error("--set: found more than %d", MOST_OVERRIDES);
    a->overrides[a->options.n_overrides++] = arg;
    return 0;
  case ARGP_KEY_ARG:
    return take_word(a, arg);
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

static hg_status check(const arguments *a)
{
  const hg_bench_suite *s = suites;
  if (a->options.n_overrides && !a->options.config)
    return hg_fail(HG_ERR_INPUT,
                   "bench: --set overrides a key of a config, and none is given: bench epoch CONFIG.yaml");
  if (!a->suite) return HG_OK;
  while (s->name && strcmp(s->name, a->suite) != 0) s++;
  if (!s->name) return unknown(a->suite);
  if (a->options.only && !s->chooses)
    return hg_fail(HG_ERR_INPUT, "bench %s: all its lines belong together, so it takes no --only", s->name);
  return HG_OK;
}

static bool is_wanted(const hg_bench_suite *s, const arguments *a)
{
  if (a->suite) return strcmp(a->suite, s->name) == 0;
  return !s->on_ranks && (s->chooses || !a->options.only);
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
  const struct argp argp = {options, on_option, "[BENCHMARK]\nepoch CONFIG.yaml", doc, NULL, NULL, NULL};
  arguments a = {.options = {.seconds = 0.5}};
  hg_bench_report report = {.count = 0};
  bool helped = false;
  HG_TRY(hg_command_parse(&argp, argc, argv, &a, &helped));
  if (helped) return HG_OK;
  HG_TRY(check(&a));
  a.options.overrides = a.overrides;
  for (const hg_bench_suite *s = suites; s->name; s++) {
    if (!is_wanted(s, &a)) continue;
    if (!s->on_ranks) {
      hg_threads_set(a.options.threads);
      a.options.threads = hg_threads();
    }
    HG_TRY(s->run(&a.options, &report));
  }
  if (a.options.only && report.count == 0)
    HG_TRY(hg_fail(HG_ERR_INPUT, "bench: --only: no line's name contains '%s'", a.options.only));
  if (!report.silent) HG_TRY(hg_bench_write(&report, a.json, stdout));
done:
  return rc;
}
