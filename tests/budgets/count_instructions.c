/*
 * Each case of `halognn bench kernels` and `bench geo` once, on a small graph, with callgrind's counts of it under the
 * case's name: scripts/instruction_budget.sh runs it and compares the counts with those that are stored.
 *
 *   valgrind --tool=callgrind --instr-atstart=no count_instructions GRAPH.hg
 */
#include <stdio.h>
#include <valgrind/callgrind.h>

#include "bench/bench.h"
#include "core/base/threads.h"

// The first call warms up: what is prepared once in a process is no cost of a kernel.
static void count(const hg_bench_case *c)
{
  c->run(c->context);
  CALLGRIND_START_INSTRUMENTATION;
  CALLGRIND_ZERO_STATS;
  c->run(c->context);
  CALLGRIND_DUMP_STATS_AT(c->name);
  CALLGRIND_STOP_INSTRUMENTATION;
}

int main(int argc, char **argv)
{
  if (argc != 2) {
    fprintf(stderr, "usage: count_instructions GRAPH.hg\n");
    return 2;
  }
  const hg_bench_options options = {.threads = 1, .graph = argv[1], .instead = count};
  hg_bench_report report = {.count = 0};
  hg_threads_set(1);
  hg_status rc = hg_bench_kernels(&options, &report);
  if (rc == HG_OK) rc = hg_bench_geo(&options, &report);
  if (rc != HG_OK) fprintf(stderr, "count_instructions: %s\n", hg_error_text());
  return hg_exit_status(rc);
}
