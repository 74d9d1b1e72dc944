#include "runtime/cli/plan_machine.h"

#include <jansson.h>
#include <string.h>

#include "bench/bench.h"
#include "core/base/threads.h"

static const double measured_s = 0.2;

// the largest rate by thread of the lines with the most threads that are called one of two names; 0: there is none
static double rate_of(const json_t *lines, const char *name, const char *other)
{
  double most = 0, rate = 0;
  size_t k;
  json_t *line;
  json_array_foreach(lines, k, line)
  {
    const char *called = json_string_value(json_object_get(line, "name"));
    double threads = json_number_value(json_object_get(line, "threads"));
    double found = json_number_value(json_object_get(line, "rate")) * 1e9;
    if (!called || threads < 1 || (strcmp(called, name) != 0 && strcmp(called, other) != 0)) continue;
    if (threads > most || (threads == most && found / threads > rate)) rate = found / threads;
    if (threads > most) most = threads;
  }
  return rate;
}

static hg_status read_file(const char *path, hg_bench_limits *limits)
{
  json_error_t error;
  json_t *root = json_load_file(path, 0, &error);
  if (!root) return hg_fail(HG_ERR_INPUT, "--machine: %s: %s", path, error.text);
  const json_t *lines = json_object_get(root, "benchmarks");
  *limits = (hg_bench_limits){.bandwidth = rate_of(lines, "triad", "copy"),
                              .flops = rate_of(lines, "multiply-add", "multiply-add")};
  json_decref(root);
  if (limits->bandwidth > 0 && limits->flops > 0) return HG_OK;
  return hg_fail(HG_ERR_INPUT,
                 "--machine: %s: found no lines triad and multiply-add, expected what `halognn bench machine --json` "
                 "writes",
                 path);
}

hg_status hg_plan_machine_compare(hg_plan_machine *machine, const char *path)
{
  const hg_bench_options options = {.threads = hg_processors(), .seconds = measured_s};
  hg_bench_limits there = {0}, here;
  hg_status rc = HG_OK;
  HG_TRY(read_file(path, &there));
  HG_TRY(hg_bench_limits_measure(&options, &here));
  machine->products = here.flops / options.threads / there.flops;
  machine->rest = here.bandwidth / options.threads / there.bandwidth;
done:
  return rc;
}
