// Filling and adding halo rows at several widths, beside the bare messages of the same bytes between the same ranks.
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "bench/bench.h"
#include "comm/message_speed.h"
#include "comm/reduce.h"
#include "comm/wire.h"
#include "core/base/alloc.h"
#include "core/base/log.h"
#include "core/base/threads.h"
#include "core/base/timer.h"
#include "core/graph/generate.h"
#include "partition/parts.h"

enum { NODES = 169343, MEAN_DEGREE = 14, FEWEST_RUNS = 5, MOST_RUNS = 200 };

static const int widths[] = {16, 64, 256};

typedef enum { FILL, ADD, WIRE, KINDS } kind;
static const char *const kind_names[KINDS] = {"exchange fill", "exchange add", "bare messages"};

typedef struct {
  hg_matrix x;
  hg_exchange *fill, *add;
  hg_wire *wire;
} subject;

static void subject_free(subject *s)
{
  hg_exchange_free(&s->fill);
  hg_exchange_free(&s->add);
  hg_wire_free(&s->wire);
  hg_matrix_free(&s->x);
}

static hg_status subject_create(subject *s, hg_world *world, const hg_links *links, int width)
{
  hg_status rc = HG_OK;
  hg_off rows = (hg_off)links->n_owned + links->n_halo;
  *s = (subject){0};
  HG_TRY_ALL(world, "allocating", hg_matrix_create(&s->x, rows, width, "rows to exchange"));
  HG_TRY(hg_exchange_create(&s->fill, world, links, HG_FILL_HALO, &s->x, 0));
  HG_TRY(hg_exchange_create(&s->add, world, links, HG_ADD_HALO, &s->x, 1));
  HG_TRY(hg_wire_create(&s->wire, world, links, width));
done:
  return rc;
}

static double time_once(hg_world *world, const subject *s, kind k)
{
  hg_exchange *exchange = k == FILL ? s->fill : s->add;
  hg_barrier(world);
  double start = hg_now_s();
  if (k == WIRE) {
    hg_wire_run(s->wire);
  } else {
    hg_exchange_begin(exchange);
    hg_exchange_end(exchange);
  }
  return hg_now_s() - start;
}

// As many runs as fit into `seconds`, the same number on all ranks, from one run of each kind for warming up.
static int choose_runs(hg_world *world, const subject *s, double seconds)
{
  double once = 0;
  for (int k = 0; k < KINDS; k++) (void)time_once(world, s, (kind)k);
  for (int k = 0; k < KINDS; k++) once += time_once(world, s, (kind)k);
  hg_max_doubles(world, &once, 1);
  return (int)fmin(MOST_RUNS, fmax(FEWEST_RUNS, seconds * KINDS / once));
}

// Bytes that all ranks send in one exchange.
static double bytes_of(hg_world *world, const hg_links *links, int width)
{
  double bytes = (double)links->n_halo * width * (double)sizeof(hg_real);
  hg_sum_doubles(world, &bytes, 1);
  return bytes;
}

static void add_rows(double samples[KINDS][MOST_RUNS], int runs, int width, double bytes, hg_bench_report *report)
{
  hg_bench_times times[KINDS];
  for (int k = 0; k < KINDS; k++) times[k] = hg_bench_summary(samples[k], runs);
  for (int k = 0; k < KINDS; k++) {
    hg_bench_row *row = &report->rows[report->count++];
    *row = (hg_bench_row){.threads = hg_threads(), .times = times[k], .unit = "GB/s", .floor_why = "messages"};
    snprintf(row->name, sizeof row->name, "%s, width %d", kind_names[k], width);
    row->rate = bytes / times[k].median_s * 1e-9;
    row->floor_s = k == WIRE ? 0 : times[WIRE].median_s;
  }
}

static hg_status measure(hg_world *world, const hg_links *links, int width, double seconds, hg_bench_report *report)
{
  hg_status rc = HG_OK;
  static double samples[KINDS][MOST_RUNS];
  subject s;
  if (report->count + KINDS > HG_BENCH_ROWS) return hg_fail(HG_ERR_INTERNAL, "the benchmark's report is full");
  HG_TRY(subject_create(&s, world, links, width));
  int runs = choose_runs(world, &s, seconds);
  for (int run = 0; run < runs; run++)
    for (int k = 0; k < KINDS; k++) samples[k][run] = time_once(world, &s, (kind)k);
  for (int k = 0; k < KINDS; k++) hg_max_doubles(world, samples[k], runs);
  add_rows(samples, runs, width, bytes_of(world, links, width), report);
done:
  subject_free(&s);
  return rc;
}

static hg_status make_graph(const char *path, hg_graph *graph)
{
  if (path) return hg_store_read_graph(path, graph);
  hg_generate_options options = hg_generate_options_default();
  hg_build_counts counts;
  options.nodes = NODES;
  options.degree = MEAN_DEGREE;
  options.features = 0;
  return hg_generate("csbm", &options, graph, &counts);
}

static hg_status cut_part(hg_part *part, hg_world *world, const hg_graph *graph, const int32_t *part_of)
{
  hg_status rc = HG_OK;
  hg_lid *order = NULL;
  hg_parts_index index = {0};
  hg_graph ordered = {0};
  HG_TRY(HG_ALLOC(order, graph->nodes.n, "order of nodes"));
  HG_TRY(hg_parts_build(graph, hg_world_size(world), part_of, order, &index));
  HG_TRY(hg_graph_permute(&ordered, graph, order));
  HG_TRY(hg_part_extract(part, &ordered, &index, hg_world_rank(world)));
done:
  hg_free(&order);
  hg_parts_index_free(&index);
  hg_graph_free(&ordered);
  return rc;
}

// Every rank makes the whole graph; rank 0 says who owns what.
static hg_status part_of_graph(hg_part *part, hg_world *world, const char *path)
{
  hg_status rc = HG_OK;
  hg_graph graph = {0};
  int32_t *part_of = NULL;
  hg_partition_options options = hg_partition_options_default();
  HG_TRY_ALL(world, "making the graph", make_graph(path, &graph));
  HG_TRY_ALL(world, "partitioning", HG_ALLOC(part_of, graph.nodes.n, "parts of nodes"));
  int k = hg_world_size(world);
  HG_TRY_ALL(world, "partitioning",
             hg_world_rank(world) == 0 ? hg_partition_graph(&graph, k, &options, part_of) : HG_OK);
  hg_broadcast(world, part_of, (size_t)graph.nodes.n * sizeof *part_of, 0);
  HG_TRY_ALL(world, "cutting parts", cut_part(part, world, &graph, part_of));
done:
  hg_free(&part_of);
  hg_graph_free(&graph);
  return rc;
}

static hg_status get_part(hg_part *part, hg_world *world, const char *path)
{
  hg_status rc = HG_OK;
  hg_store_kind stored = HG_STORE_GRAPH;
  HG_TRY_ALL(world, "reading the graph", path ? hg_store_kind_of(path, &stored) : HG_OK);
  HG_TRY(hg_world_same(world, stored, "kind of file"));
  if (stored != HG_STORE_PARTS) return part_of_graph(part, world, path);
  HG_TRY_ALL(world, "reading parts", hg_part_read(part, path, hg_world_rank(world)));
done:
  return rc;
}

static void add_message(hg_bench_report *report, const char *size, const char *place, double seconds, double rate)
{
  hg_bench_row *row = &report->rows[report->count++];
  *row = (hg_bench_row){.threads = 1, .times = hg_bench_summary(&seconds, 1), .unit = "GB/s", .floor_why = ""};
  snprintf(row->name, sizeof row->name, "%s%s", size, place);
  row->rate = rate * 1e-9;
}

// what a message takes, and what a host's network carries in each direction, while all ranks send
static hg_status measure_messages(hg_world *world, hg_bench_report *report)
{
  static const char *const places[HG_MESSAGE_PLACES] = {HG_BENCH_INSIDE, HG_BENCH_BETWEEN};
  hg_message_speed speed;
  hg_status rc = hg_message_speed_measure(world, &speed);
  if (rc != HG_OK) return rc;
  if (report->count + 2 * HG_MESSAGE_PLACES > HG_BENCH_ROWS)
    return hg_fail(HG_ERR_INTERNAL, "the benchmark's report is full");
  for (int p = 0; p < HG_MESSAGE_PLACES; p++) {
    double together = p == HG_BETWEEN_HOSTS ? speed.ranks_per_host : 1;
    if (speed.bytes_s[p] <= 0) continue;
    add_message(report, HG_BENCH_LATENCY, places[p], speed.latency_s[p], 8 / speed.latency_s[p]);
    add_message(report, HG_BENCH_STREAM, places[p], HG_SPEED_BYTES / speed.bytes_s[p], together * speed.bytes_s[p]);
  }
  return HG_OK;
}

static hg_status measure_all(hg_world *world, const hg_bench_options *options, hg_bench_report *report)
{
  hg_status rc = HG_OK;
  hg_part part = {0};
  hg_links links = {0};
  HG_TRY(get_part(&part, world, options->graph));
  HG_TRY(measure_messages(world, report));
  HG_TRY(hg_links_create(&links, world, &part));
  for (size_t w = 0; w < sizeof widths / sizeof *widths; w++)
    HG_TRY(measure(world, &links, widths[w], options->seconds, report));
done:
  hg_links_free(&links);
  hg_part_free(&part);
  return rc;
}

hg_status hg_bench_exchange(const hg_bench_options *options, hg_bench_report *report)
{
  hg_status rc = HG_OK;
  hg_world *world = NULL;
  HG_TRY(hg_world_open(&world, NULL, NULL));
  report->silent = hg_world_rank(world) != 0;
  hg_world_set_threads(world, options->threads);
  hg_bench_options here = *options;
  here.threads = hg_threads();
  if (hg_world_size(world) > 1)
    rc = measure_all(world, &here, report);
  else
    hg_log(HG_LOG_WARN, "one rank has nobody to exchange with: mpirun -n 2 halognn bench exchange");
done:
  return hg_world_close(&world, rc);
}
