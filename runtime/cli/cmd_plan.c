#include <jansson.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/threads.h"
#include "partition/cache.h"
#include "runtime/cli/command.h"
#include "runtime/cli/plan_machine.h"
#include "runtime/cli/plan_network.h"
#include "runtime/cli/plan_report.h"
#include "runtime/train/check_model.h"

enum { COUNTS_MOST = 32, OVERRIDES_MAX = 64, MOST_RANKS = 1 << 16, MOST_THREADS = 4096 };
enum { KEY_SET = 300, KEY_JSON, KEY_GBITS, KEY_LATENCY, KEY_HOST, KEY_SECONDS, KEY_MACHINE, KEY_NETWORK };

static const double near_s = 1e-6; // of a message through shared memory: what it takes here, when both ends are ready

typedef struct {
  const char *path;
  const char *overrides[OVERRIDES_MAX];
  int n_overrides;
  int counts[COUNTS_MOST], n_counts;
  double gbits, latency_us, seconds;
  int ranks_per_host, threads;
  const char *machine, *network;
  bool json;
} arguments;

typedef struct {
  const arguments *arguments;
  const hg_config *config;
  const hg_graph *graph;
  hg_plan_machine machine;
  hg_network network;
  json_t *all; // takes what is planned
} plan_task;

static const struct argp_option options[] = {
    {"ranks", 'k', "LIST", 0, "numbers of ranks, ascending, as 2,4,8", 0},
    {"set", KEY_SET, "KEY=VALUE", 0, "set a key of the config; may be repeated", 0},
    {"gbits", KEY_GBITS, "X", 0, "bandwidth of a host's network in Gbit/s (10)", 0},
    {"latency", KEY_LATENCY, "US", 0, "of a message between hosts in microseconds (20)", 0},
    {"network", KEY_NETWORK, "FILE", 0,
     "both of them as on the ranks of several hosts that wrote FILE with `halognn bench exchange --json`", 0},
    {"ranks-per-host", KEY_HOST, "R", 0, "ranks that share a host's processors, memory and network (1)", 0},
    {"threads", 't', "T", 0, "of a rank (default: the config's, or this machine's processors / R)", 0},
    {"seconds", KEY_SECONDS, "S", 0, "how long to time each number of ranks' work (0.5); 0: no times", 0},
    {"machine", KEY_MACHINE, "FILE", 0,
     "times as on the machine that wrote FILE with `halognn bench machine --json`, not as on this one", 0},
    {"json", KEY_JSON, NULL, 0, "as JSON", 0},
    {0},
};

static int read_counts(char *list, arguments *a)
{
  char *rest = NULL;
  for (char *word = strtok_r(list, ",", &rest); word; word = strtok_r(NULL, ",", &rest)) {
    if (a->n_counts == COUNTS_MOST) return hg_command_error("-k: found more than %d numbers", COUNTS_MOST);
    int *count = &a->counts[a->n_counts];
    int error = hg_command_number("-k", word, 1, MOST_RANKS, count);
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

static int read_seconds(const char *text, double *value)
{
  char *end;
  *value = strtod(text, &end);
  if (end != text && !*end && *value >= 0 && *value <= 3600) return 0;
  return hg_command_error("--seconds: found '%s', expected 0 to 3600", text);
}

static int on_end(const arguments *a)
{
  if (!a->path) return hg_command_error("expected CONFIG.yaml");
  if (a->network && (a->gbits > 0 || a->latency_us > 0))
    return hg_command_error("--network: found --gbits or --latency too, expected one or the other");
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
  case KEY_HOST:
    return hg_command_number("--ranks-per-host", arg, 1, MOST_THREADS, &a->ranks_per_host);
  case 't':
    return hg_command_number("--threads", arg, 1, MOST_THREADS, &a->threads);
  case KEY_SECONDS:
    return read_seconds(arg, &a->seconds);
  case KEY_MACHINE:
    a->machine = arg;
    return 0;
  case KEY_NETWORK:
    a->network = arg;
    return 0;
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
    "Partitions an experiment's graph for each number of ranks and prints what a training epoch would send and take, "
    "each way of exchanging: bytes in all and of the rank that sends most, in how many of its messages, what of it the "
    "rank's work would not hide, and the whole epoch; and the memory of its arrays. What a rank computes is timed here "
    "for a moment, on the parts with most work; the network is as the options or a file say. Lines marked with * are "
    "what "
    "`halognn train` can do. Bytes are those of all rows of the halo: active sets, halo.sample and halo.staleness send "
    "less; times "
    "know active sets.",
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
  hg_nodes *nodes = &graph->nodes;
  hg_features *f = &nodes->features;
  if (hg_wants_dense(config, f, (double)nodes->n, f->indptr ? (double)f->indptr[nodes->n] : 0))
    HG_TRY(hg_features_densify(f, nodes->n));
done:
  return rc;
}

// all of one number of ranks; `rows` takes what was counted, for the grids of more ranks
static hg_status plan_ranks(const plan_task *t, int k, hg_rank_plan *plans)
{
  const arguments *a = t->arguments;
  hg_rank_plan *plan = &plans[k];
  hg_halo_rows rows[COUNTS_MOST];
  hg_traffic_plan traffic;
  hg_status rc = HG_OK;
  const hg_rank_plan_options how = {a->ranks_per_host, a->threads, a->seconds};
  const hg_extent extent = {t->graph->nodes.n, hg_csr_entries(&t->graph->adjacency)};
  HG_TRY(hg_rank_plan_make(plan, t->config, t->graph, a->counts[k], &how));
  if (a->machine) hg_rehearsal_scale(&plan->rehearsal, t->machine.products, t->machine.rest);
  for (int before = 0; before <= k; before++) rows[before] = plans[before].rows;
  HG_TRY(hg_traffic_plan_make(&traffic, t->config, t->graph, rows, k + 1));
  hg_rank_plan_tell(plan, &traffic);
  HG_TRY(hg_rank_plans_tell_columns(plans, k + 1, t->config, t->graph, &traffic));
  if (plan->rehearsal.epoch_s > 0) hg_epoch_times(&traffic, &plan->rehearsal, &t->network, &extent);
  const hg_plan_report report = {&traffic, plan, &t->network};
  if (a->json)
    json_array_append_new(t->all, hg_plan_json(&report));
  else
    hg_plan_print(&report);
done:
  return rc;
}

static hg_status plan_all(const plan_task *t)
{
  hg_rank_plan plans[COUNTS_MOST] = {0};
  hg_status rc = HG_OK;
  for (int k = 0; k < t->arguments->n_counts; k++) HG_TRY(plan_ranks(t, k, plans));
done:
  for (int k = 0; k < t->arguments->n_counts; k++) hg_rank_plan_free(&plans[k]);
  return rc;
}

// threads of a rank: as asked, as the config says, or its share of the processors
static void choose_threads(arguments *a, const hg_config *config)
{
  if (!a->threads) a->threads = config->threads;
  if (!a->threads) a->threads = hg_processors() / a->ranks_per_host;
  if (a->threads < 1) a->threads = 1;
}

static hg_network assumed_network(const arguments *a)
{
  double gbits = a->gbits > 0 ? a->gbits : 10, latency_us = a->latency_us > 0 ? a->latency_us : 20;
  return (hg_network){gbits * 1e9 / 8, latency_us * 1e-6, near_s, a->ranks_per_host};
}

hg_status hg_cmd_plan(int argc, char **argv)
{
  arguments a = {.ranks_per_host = 1, .seconds = 0.5};
  hg_config config;
  hg_graph graph = {0};
  plan_task task = {.arguments = &a, .config = &config, .graph = &graph};
  bool helped;
  hg_status rc = HG_OK;
  HG_TRY(hg_command_parse(&argp, argc, argv, &a, &helped));
  if (helped) return HG_OK;
  HG_TRY(read_config(&a, &config));
  HG_TRY(read_graph(&config, &graph));
  choose_threads(&a, &config);
  if (a.machine) HG_TRY(hg_plan_machine_compare(&task.machine, a.machine));
  task.network = assumed_network(&a);
  if (a.network) HG_TRY(hg_plan_network_read(&task.network, a.network));
  task.all = json_array();
  HG_TRY(plan_all(&task));
  if (a.json) {
    json_dumpf(task.all, stdout, JSON_INDENT(1) | JSON_REAL_PRECISION(15));
    printf("\n");
  }
done:
  json_decref(task.all);
  hg_graph_free(&graph);
  return rc;
}
