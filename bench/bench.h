#pragma once
#include <stdbool.h>
#include <stdio.h>

#include "core/tensor/csr.h"

typedef struct hg_bench_case hg_bench_case;

/** What `halognn bench` was asked for. */
typedef struct {
  int threads;                  ///< of each measured loop
  const char *graph;            ///< an .hg file, or NULL: a random graph of the size of ogbn-arxiv
  double seconds;               ///< about how long each case may take
  const char *only;             ///< a pattern of names (hg_bench_wants), or NULL: all of them
  const char *config;           ///< an experiment's file for hg_bench_epoch, or NULL
  const char *const *overrides; ///< [n_overrides] KEY=VALUE for it
  int n_overrides;
  void (*instead)(const hg_bench_case *c); ///< called for each case, smaller than else and not timed; or NULL
} hg_bench_options;

/** Something to measure: called again and again with the same context. */
struct hg_bench_case {
  char name[48];
  void (*run)(void *context);
  void *context;
  double bytes;        ///< that a call must read and write at least
  double flops;        ///< that a call must do
  double edges;        ///< that a call goes over; 0: the case has none
  double memory_bytes; ///< of all arrays that it works on; 0: not told
};

typedef struct {
  int runs;                              ///< 0: nothing was timed
  double min_s, low_s, median_s, high_s; ///< low and high: quartiles
} hg_bench_times;

/** One measured line, beside its floor. */
typedef struct {
  char name[48];
  int threads;
  hg_bench_times times;
  double rate;           ///< in `unit`, at the median; of a line without times: a number of its own
  const char *unit;      ///< "GB/s", "GFLOP/s", "%", "MiB"
  double floor_s;        ///< the least time that the machine allows; 0: not known
  const char *floor_why; ///< "bandwidth", "flops" or "kernels": what decides the floor
  double edges_per_s;    ///< at the median; 0: the case has none
  double memory_bytes;   ///< of all arrays that it works on; 0: not told
} hg_bench_row;

enum { HG_BENCH_ROWS = 256 };

typedef struct {
  hg_bench_row rows[HG_BENCH_ROWS];
  int count;
  bool silent; ///< another rank prints
} hg_bench_report;

/** What the machine can do with this number of threads. */
typedef struct {
  double bandwidth; ///< bytes a second, the better of copy and triad
  double flops;     ///< a second, multiply-add
} hg_bench_limits;

/** A family of measurements: one line in the command's table. Adds its rows to the report. */
typedef struct {
  const char *name, *help;
  hg_status (*run)(const hg_bench_options *options, hg_bench_report *report);
  bool on_ranks; ///< starts MPI itself, so it runs by name alone, and takes threads = 0 as a fair share
  bool chooses;  ///< heeds options->only
} hg_bench_suite;

hg_status hg_bench_machine(const hg_bench_options *options, hg_bench_report *report);
hg_status hg_bench_kernels(const hg_bench_options *options, hg_bench_report *report);
hg_status hg_bench_geo(const hg_bench_options *options, hg_bench_report *report);
hg_status hg_bench_coordinator(const hg_bench_options *options, hg_bench_report *report);
/** Its lines about single messages are called by one of the first two and one of the last two. */
#define HG_BENCH_LATENCY "8 bytes"
#define HG_BENCH_STREAM  "1 MiB"
#define HG_BENCH_INSIDE  ", inside a host"
#define HG_BENCH_BETWEEN ", between hosts"
/** Starts MPI and ends it; on one rank it adds no rows. Collective. */
hg_status hg_bench_exchange(const hg_bench_options *options, hg_bench_report *report);
/**
 * Starts MPI and ends it; trains options->config, or a GCN of OGB's size on options->graph or a generated graph of the
 * size of ogbn-arxiv. Collective.
 */
hg_status hg_bench_epoch(const hg_bench_options *options, hg_bench_report *report);

/** Whether `name` contains what options->only says; * and ? stand for any text and any letter in it. */
bool hg_bench_wants(const hg_bench_options *options, const char *name);

/**
 * Times the cases in turns (A B C A B C ...), so that a disturbance hits all of them alike, after one call of each for
 * warming up.
 * @param times   [n], written      @return HG_ERR_MEMORY
 */
hg_status hg_bench_run(const hg_bench_case *cases, int n, double seconds, hg_bench_times *times);

/** Minimum, quartiles and median of `runs` samples, which it sorts. */
hg_bench_times hg_bench_summary(double *samples, int runs);

/**
 * Times the cases that are wanted and adds a row for each; the floors come from `limits`, or none for NULL.
 * HG_ERR_INTERNAL when the report is full. With options->instead it adds none.
 */
hg_status hg_bench_measure(const hg_bench_case *cases, int n, const hg_bench_options *options,
                           const hg_bench_limits *limits, hg_bench_report *report);

/** Measures only the limits; with options->instead they are 1. */
hg_status hg_bench_limits_measure(const hg_bench_options *options, hg_bench_limits *limits);

/** The adjacency of options->graph, or a random one: 169,343 rows, about 2.3 million entries. The caller frees it. */
hg_status hg_bench_graph(const hg_bench_options *options, hg_csr *adjacency);

/** The graph in the order of its file and, where that is another one, in the order in which training has its nodes. */
typedef enum { HG_BENCH_FILE_ORDER, HG_BENCH_TRAINING_ORDER } hg_bench_order;
typedef struct {
  hg_csr adjacency[2]; ///< [n_orders] by hg_bench_order
  int n_orders;
} hg_bench_graphs;

/** Training's order is that of the parts file for one rank, which is made beside options->graph when it is missing. */
hg_status hg_bench_graphs_create(hg_bench_graphs *graphs, const hg_bench_options *options);
void hg_bench_graphs_free(hg_bench_graphs *graphs);

/** Writes the report as a table for a person or as one JSON object. HG_ERR_IO, HG_ERR_MEMORY. */
hg_status hg_bench_write(const hg_bench_report *report, bool json, FILE *out);
