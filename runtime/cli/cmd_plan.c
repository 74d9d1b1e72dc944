#include <inttypes.h>
#include <jansson.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/alloc.h"
#include "core/base/log.h"
#include "core/base/timer.h"
#include "partition/cache.h"
#include "runtime/cli/command.h"
#include "runtime/train/traffic.h"

enum { COUNTS_MOST = 32, OVERRIDES_MAX = 64, KEY_SET = 300, KEY_JSON, KEY_GBITS, KEY_LATENCY, MOST_RANKS = 1 << 16 };

typedef struct {
  const char *path;
  const char *overrides[OVERRIDES_MAX];
  int n_overrides;
  int counts[COUNTS_MOST], n_counts;
  double gbits, latency_us;
  bool json;
} arguments;

static const struct argp_option options[] = {
    {"ranks", 'k', "LIST", 0, "numbers of ranks, ascending, as 2,4,8", 0},
    {"set", KEY_SET, "KEY=VALUE", 0, "set a key of the config; may be repeated", 0},
    {"gbits", KEY_GBITS, "X", 0, "bandwidth of a rank's network in Gbit/s (10)", 0},
    {"latency", KEY_LATENCY, "US", 0, "of a message in microseconds (20)", 0},
    {"json", KEY_JSON, NULL, 0, "as JSON", 0},
    {0},
};

static int read_counts(char *list, arguments *a)
{
  char *rest = NULL;
  for (char *word = strtok_r(list, ",", &rest); word; word = strtok_r(NULL, ",", &rest)) {
    if (a->n_counts == COUNTS_MOST) return hg_command_error("-k: found more than %d numbers", COUNTS_MOST);
    int *count = &a->counts[a->n_counts];
    int error = hg_command_number("-k", word, 2, MOST_RANKS, count);
    if (error) return error;
    if (a->n_counts++ && *count <= count[-1])
      return hg_command_error("-k: found %d after %d, expected ascending numbers", *count, count[-1]);
  }
  return 0;
}

static int read_positive(const char *option, const char *text, double *value)
{
  char *end;
  *value = strtod(text, &end);
  if (end != text && !*end && *value > 0 && *value < 1e9) return 0;
  return hg_command_error("%s: found '%s', expected a number above 0", option, text);
}

static int on_end(const arguments *a)
{
  if (!a->path) return hg_command_error("expected CONFIG.yaml");
  if (!a->n_counts) return hg_command_error("expected -k LIST, the numbers of ranks");
  return 0;
}

static error_t on_option(int key, char *arg, struct argp_state *state)
{
  arguments *a = state->input;
  switch (key) {
  case 'k':
    return read_counts(arg, a);
  case KEY_SET:
    if (a->n_overrides == OVERRIDES_MAX) return hg_command_error("found more than %d --set", OVERRIDES_MAX);
    a->overrides[a->n_overrides++] = arg;
    return 0;
  case KEY_GBITS:
    return read_positive("--gbits", arg, &a->gbits);
  case KEY_LATENCY:
    return read_positive("--latency", arg, &a->latency_us);
  case KEY_JSON:
    a->json = true;
    return 0;
  case ARGP_KEY_ARG:
    if (state->arg_num > 0) return hg_command_error("found a second argument '%s', expected CONFIG.yaml alone", arg);
    a->path = arg;
    return 0;
  case ARGP_KEY_END:
    return on_end(a);
  default:
    return ARGP_ERR_UNKNOWN;
  }
}

static const struct argp argp = {
    options,
    on_option,
    "CONFIG.yaml -k LIST",
    "Partitions an experiment's graph for each number of ranks and prints what a training epoch would send, each way "
    "of "
    "exchanging: in all, by the rank that sends most, in how many of its messages, and in what time a network of that "
    "bandwidth and latency carries them. Lines marked with * are what `halognn train` can do; active sets and "
    "halo.sample, which "
    "send less, are not counted.",
    NULL,
    NULL,
    NULL};

static hg_status read_config(const arguments *a, hg_config *config)
{
  hg_status rc = HG_OK;
  HG_TRY(hg_config_read(config, a->path, a->overrides, a->n_overrides));
  HG_TRY(hg_context(hg_config_resolve(config), "%s", a->path));
  HG_TRY(hg_config_find_dataset(config, a->path));
done:
  return rc;
}

static hg_status read_graph(const hg_config *config, hg_graph *graph)
{
  hg_store_header header;
  hg_status rc = HG_OK;
  HG_TRY(hg_store_read_header(config->dataset.path, &header));
  HG_TRY(hg_partition_check_kind(config->dataset.path, header.kind));
  HG_TRY(hg_store_read_graph(config->dataset.path, graph));
  if (config->dataset.append_positions) HG_TRY(hg_nodes_append_positions(&graph->nodes));
done:
  return rc;
}

// how long a network keeps the rank that sends most
static double seconds_of(const arguments *a, const hg_scheme *s)
{
  return s->messages * a->latency_us * 1e-6 + s->largest * 8 / (a->gbits * 1e9);
}

static void print_plan(const arguments *a, const hg_traffic_plan *plan, const hg_halo_rows *rows, double seconds)
{
  const double mib = 1 << 20;
  printf("%d ranks: %" PRId64 " rows an exchange, of covers %" PRId64 " (partitioned in %.2f s, covers in %.2f s)\n",
         plan->ranks, rows->total[HG_SEND_SOURCES], rows->total[HG_SEND_HYBRID], seconds, rows->seconds);
  printf("    %-18s %12s %12s %10s %10s\n", "an epoch", "MiB in all", "MiB a rank", "messages", "ms");
  for (const hg_scheme *s = plan->schemes; s < plan->schemes + plan->n_schemes; s++) {
    char name[64];
    snprintf(name, sizeof name, s->part_groups ? "%s, %d x %d" : "%s", s->name, s->part_groups,
             s->part_groups ? plan->ranks / s->part_groups : 0);
    printf("  %c %-18s %12.3f %12.3f %10.0f %10.2f\n", s->runs ? '*' : ' ', name, s->total / mib, s->largest / mib,
           s->messages, 1e3 * seconds_of(a, s));
  }
}

static json_t *plan_json(const arguments *a, const hg_traffic_plan *plan, const hg_halo_rows *rows, double seconds)
{
  json_t *schemes = json_array();
  for (const hg_scheme *s = plan->schemes; s < plan->schemes + plan->n_schemes; s++)
    json_array_append_new(schemes,
                          json_pack("{ss ss sb si sf sf sf sf}", "name", s->name, "how", s->how, "runs", (int)s->runs,
                                    "part_groups", s->part_groups, "bytes", s->total, "largest_rank_bytes", s->largest,
                                    "messages", s->messages, "seconds", seconds_of(a, s)));
  return json_pack("{si sI sI sI sf sf so}", "ranks", plan->ranks, "halo_rows",
                   (json_int_t)rows->total[HG_SEND_SOURCES], "partial_rows", (json_int_t)rows->total[HG_SEND_PARTIALS],
                   "cover_rows", (json_int_t)rows->total[HG_SEND_HYBRID], "partition_seconds", seconds, "cover_seconds",
                   rows->seconds, "schemes", schemes);
}

// parts and their rows for one number of ranks
static hg_status count(const hg_graph *graph, const hg_config *config, int ranks, int32_t *part_of, hg_halo_rows *rows,
                       double *seconds)
{
  const hg_partition_options o = hg_config_partition(config);
  hg_status rc = HG_OK;
  double started = hg_now_s();
  HG_TRY(hg_partition_graph(graph, ranks, &o, part_of));
  *seconds = hg_now_s() - started;
  HG_TRY(hg_halo_rows_count(rows, graph, ranks, part_of));
done:
  return rc;
}

static hg_status plan_all(const arguments *a, const hg_config *config, const hg_graph *graph, json_t *all)
{
  hg_halo_rows rows[COUNTS_MOST] = {0};
  int32_t *part_of = NULL;
  hg_status rc = HG_OK;
  HG_TRY(HG_ALLOC(part_of, graph->nodes.n, "parts of nodes"));
  for (int k = 0; k < a->n_counts; k++) {
    hg_traffic_plan plan;
    double seconds;
    HG_TRY(count(graph, config, a->counts[k], part_of, &rows[k], &seconds));
    HG_TRY(hg_traffic_plan_make(&plan, config, graph, rows, k + 1));
    if (a->json)
      json_array_append_new(all, plan_json(a, &plan, &rows[k], seconds));
    else
      print_plan(a, &plan, &rows[k], seconds);
  }
done:
  for (int k = 0; k < a->n_counts; k++) hg_halo_rows_free(&rows[k]);
  hg_free(&part_of);
  return rc;
}

hg_status hg_cmd_plan(int argc, char **argv)
{
  arguments a = {.gbits = 10, .latency_us = 20};
  hg_config config;
  hg_graph graph = {0};
  json_t *all = NULL;
  bool helped;
  hg_status rc = HG_OK;
  HG_TRY(hg_command_parse(&argp, argc, argv, &a, &helped));
  if (helped) return HG_OK;
  HG_TRY(read_config(&a, &config));
  HG_TRY(read_graph(&config, &graph));
  all = json_array();
  HG_TRY(plan_all(&a, &config, &graph, all));
  if (a.json) {
    json_dumpf(all, stdout, JSON_INDENT(1) | JSON_REAL_PRECISION(15));
    printf("\n");
  }
done:
  json_decref(all);
  hg_graph_free(&graph);
  return rc;
}
