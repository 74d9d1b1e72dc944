#include "runtime/cli/plan_network.h"

#include <jansson.h>
#include <string.h>

#include "bench/bench.h"

// a number of the line that is called so; 0: there is no such line
static double number_of(const json_t *lines, const char *name, const char *key)
{
  size_t k;
  json_t *line;
  json_array_foreach(lines, k, line)
  {
    const char *called = json_string_value(json_object_get(line, "name"));
    if (called && strcmp(called, name) == 0) return json_number_value(json_object_get(line, key));
  }
  return 0;
}

hg_status hg_plan_network_read(hg_network *network, const char *path)
{
  json_error_t error;
  json_t *root = json_load_file(path, 0, &error);
  if (!root) return hg_fail(HG_ERR_INPUT, "--network: %s: %s", path, error.text);
  const json_t *lines = json_object_get(root, "benchmarks");
  double latency_s = number_of(lines, HG_BENCH_LATENCY HG_BENCH_BETWEEN, "median_s"),
         rate = number_of(lines, HG_BENCH_STREAM HG_BENCH_BETWEEN, "rate"),
         near_s = number_of(lines, HG_BENCH_LATENCY HG_BENCH_INSIDE, "median_s");
  json_decref(root);
  if (latency_s <= 0 || rate <= 0)
    return hg_fail(HG_ERR_INPUT,
                   "--network: %s: found no lines '%s' and '%s', expected what `halognn bench exchange --json` writes "
                   "on ranks of several hosts",
                   path, HG_BENCH_LATENCY HG_BENCH_BETWEEN, HG_BENCH_STREAM HG_BENCH_BETWEEN);
  network->latency_s = latency_s;
  network->bytes_s = rate * 1e9;
  if (near_s > 0) network->near_s = near_s;
  return HG_OK;
}
