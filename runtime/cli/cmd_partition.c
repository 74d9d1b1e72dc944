#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "comm/slices.h"
#include "core/base/files.h"
#include "core/base/suggest.h"
#include "core/graph/store.h"
#include "partition/cache.h"
#include "partition/host_rows.h"
#include "partition/quality.h"
#include "partition/reorder.h"
#include "runtime/cli/command.h"

enum {
  PATH_SIZE = 4096,
  KEY_OBJECTIVE = 256,
  KEY_BALANCE,
  KEY_IMBALANCE,
  KEY_SEED,
  KEY_ORDER,
  KEY_REFINE,
  KEY_HOSTS,
  KEY_COVERS,
  KEY_LAYERS,
  KEY_HIDDEN,
  KEY_SLABS,
  KEY_DRY_RUN
};

typedef struct {
  const char *graph, *output;
  char cache[PATH_SIZE]; // where train looks for it
  int k;
  bool dry_run;
  hg_partition_options partition;
} arguments;

static const struct argp_option options[] = {
    {"parts", 'k', "K", 0, "number of parts: one for each rank", 0},
    {"output", 'o', "PARTS.hg", 0, "the file to write (the default is where `halognn train` looks for it)", 0},
    {"method", 'm', "NAME", 0,
     "metis (the default), ldg for graphs too large for it, random, block; under mpirun, each rank with a slice of the "
     "graph: ptscotch, ldg_slices",
     0},
    {"objective", KEY_OBJECTIVE, "WHAT", 0,
     "metis, ldg: what is least: volume (all rows of an exchange; the default), largest (those of the part that sends "
     "or "
     "receives most) or cut (edges between parts)",
     0},
    {"balance", KEY_BALANCE, "LIST", 0,
     "metis, ldg: what the parts have equal shares of, as nodes,edges (nodes): nodes, edges, labels (training nodes), "
     "active (the work of a training pass)",
     0},
    {"imbalance", KEY_IMBALANCE, "X", 0, "metis, ldg: allowed largest part / mean part (1.05)", 0},
    {"seed", KEY_SEED, "N", 0, "of metis and random (1)", 0},
    {"order", KEY_ORDER, "NAME", 0,
     "of the nodes in a part, for the cache: auto (the default), cluster, metis, rcm, degree or none", 0},
    {"slabs", KEY_SLABS, "B", 0, "for parallel.columns: K / B parts, each cut into B slabs of rows (1)", 0},
    {"refine", KEY_REFINE, "yes|no", 0,
     "for the objectives volume and largest: then move nodes until the part that sends or receives most rows has fewer "
     "of them (yes)",
     0},
    {"hosts", KEY_HOSTS, "H", 0, "split into H parts first, then each into K / H: few rows between hosts (1)", 0},
    {"covers", KEY_COVERS, "MODEL", 0,
     "for halo.aggregation: covers: gcn or geogcn keeps the least covers of such a model with the parts; equal (the "
     "default) those of all edges for rows of equal width",
     0},
    {"layers", KEY_LAYERS, "L", 0, "of the model whose active work is balanced and whose covers are kept (2)", 0},
    {"hidden", KEY_HIDDEN, "WIDTH", 0, "of its layers (16)", 0},
    {"dry-run", KEY_DRY_RUN, NULL, 0, "predict memory and time, do nothing", 0},
    {0},
};

static int read_number(const char *name, const char *text, int64_t lowest, int64_t highest, int64_t *value)
{
  char *end;
  errno = 0;
  *value = strtoll(text, &end, 10);
  if (end != text && !*end && !errno && *value >= lowest && *value <= highest) return 0;
  return hg_command_error("%s: found '%s', expected a whole number from %" PRId64 " to %" PRId64, name, text, lowest,
                          highest);
}

static int read_count(const char *name, const char *text, int highest, int *value)
{
  int64_t number = 0;
  int error = read_number(name, text, 1, highest, &number);
  *value = (int)number;
  return error;
}

static int read_imbalance(const char *text, double *value)
{
  char *end;
  *value = strtod(text, &end);
  if (end != text && !*end && *value >= 1 && *value <= 1000) return 0;
  return hg_command_error("--imbalance: found '%s', expected a number from 1 up, as 1.05", text);
}

// The position of text[0 .. length) in the NULL-ended `words`; `expected` lists them for the message.
static int read_word(const char *name, const char *text, size_t length, const char *const *words, const char *expected,
                     int *value)
{
  char word[64];
  snprintf(word, sizeof word, "%.*s", (int)length, text);
  for (*value = 0; words[*value]; (*value)++)
    if (strcmp(word, words[*value]) == 0) return 0;
  const char *near = hg_suggest(word, words);
  return hg_command_error("--%s: found '%s', expected %s%s%s%s", name, word, expected, near ? "; did you mean '" : "",
                          near ? near : "", near ? "'?" : "");
}

static int read_balance(const char *text, int *balance)
{
  static const char *const names[] = {"nodes", "edges", "labels", "active", NULL};
  *balance = 0;
  for (;;) {
    size_t length = strcspn(text, ",");
    int bit, error = read_word("balance", text, length, names, "nodes, edges, labels, active", &bit);
    if (error) return error;
    *balance |= HG_BALANCE_NODES << bit;
    if (!text[length]) return 0;
    text += length + 1;
  }
}

static int read_objective(const char *text, hg_objective *objective)
{
  static const char *const names[] = {"volume", "cut", "largest", NULL}; // in the order of hg_objective
  int word, error = read_word("objective", text, strlen(text), names, "volume, cut or largest", &word);
  *objective = (hg_objective)word;
  return error;
}

static int read_covers(const char *text, hg_covers_wanted *covers)
{
  static const char *const names[] = {"equal", "gcn", "geogcn", NULL}; // in the order of hg_covers_wanted
  int word, error = read_word("covers", text, strlen(text), names, "equal, gcn or geogcn", &word);
  *covers = (hg_covers_wanted)word;
  return error;
}

static int read_order(const char *text, hg_order_kind *order)
{
  hg_status rc = hg_order_find(text, order);
  return rc == HG_OK ? 0 : hg_command_error("--order: %s", hg_error_text());
}

static int on_argument(arguments *a, const char *arg, unsigned number)
{
  if (number > 0) return hg_command_error("found a second argument '%s', expected GRAPH.hg alone", arg);
  a->graph = arg;
  return 0;
}

static int on_end(const arguments *a)
{
  if (!a->graph) return hg_command_error("expected GRAPH.hg");
  if (!a->k) return hg_command_error("expected -k K, the number of parts");
  if (a->k % a->partition.slabs != 0)
    return hg_command_error("--slabs: found %d with -k %d, expected a number that divides it", a->partition.slabs,
                            a->k);
  return 0;
}

static error_t on_option(int key, char *arg, struct argp_state *state)
{
  static const char *const answers[] = {"no", "yes", NULL};
  arguments *a = state->input;
  int64_t number = 0;
  int error = 0, word = 0;
  switch (key) {
  case 'k':
    error = read_number("-k", arg, 1, INT32_MAX / 2, &number);
    a->k = (int)number;
    return error;
  case 'o':
    a->output = arg;
    return 0;
  case 'm':
    a->partition.method = arg;
    return 0;
  case KEY_OBJECTIVE:
    return read_objective(arg, &a->partition.objective);
  case KEY_BALANCE:
    return read_balance(arg, &a->partition.balance);
  case KEY_IMBALANCE:
    return read_imbalance(arg, &a->partition.imbalance);
  case KEY_SEED:
    error = read_number("--seed", arg, 0, INT64_MAX, &number);
    a->partition.seed = (uint64_t)number;
    return error;
  case KEY_ORDER:
    return read_order(arg, &a->partition.order);
  case KEY_SLABS:
    return read_count("--slabs", arg, INT32_MAX / 2, &a->partition.slabs);
  case KEY_REFINE:
    error = read_word("refine", arg, strlen(arg), answers, "yes or no", &word);
    a->partition.refine = word == 1;
    return error;
  case KEY_HOSTS:
    return read_count("--hosts", arg, 1 << 20, &a->partition.hosts);
  case KEY_COVERS:
    return read_covers(arg, &a->partition.covers);
  case KEY_LAYERS:
    return read_count("--layers", arg, 1000, &a->partition.layers);
  case KEY_HIDDEN:
    return read_count("--hidden", arg, 1 << 20, &a->partition.hidden);
  case KEY_DRY_RUN:
    a->dry_run = true;
    return 0;
  case ARGP_KEY_ARG:
    return on_argument(a, arg, state->arg_num);
  case ARGP_KEY_END:
    return on_end(a);
  default:
    return ARGP_ERR_UNKNOWN;
  }
}

static double mib(double bytes) { return bytes / (1 << 20); }

static hg_status predict(const arguments *a)
{
  hg_status rc = HG_OK;
  hg_store_header header;
  const hg_partitioner *method;
  struct stat info;
  size_t bytes;
  double seconds;
  HG_TRY(hg_store_read_header(a->graph, &header));
  HG_TRY(hg_partition_check_kind(a->graph, header.kind));
  HG_TRY(hg_partitioner_find(a->partition.method, &method));
  if (!method->run)
    HG_TRY(hg_fail(HG_ERR_INPUT, "--dry-run: predicts what one process needs, %s runs on slices", method->name));
  // the file is about as large as its arrays in memory
  hg_off adjacency = 8 * header.n_nodes + 4 * header.n_edges;
  hg_off data = stat(a->graph, &info) == 0 && info.st_size > adjacency ? info.st_size - adjacency : 0;
  hg_partition_predict(header.n_nodes, header.n_edges, data, a->k, &a->partition, &bytes, &seconds);
  printf("%s: %" PRId64 " nodes, %" PRId64 " edges in %d parts with %s: about %.1f MiB of memory and %.2g s\n",
         a->graph, header.n_nodes, header.n_edges, a->k, method->name, mib((double)bytes), seconds);
done:
  return rc;
}

static double percent(double part, double whole) { return whole > 0 ? 100 * part / whole : 0; }

static void print_rows(const hg_quality *q)
{
  static const char *const names[HG_SEND_MODES] = {"of sources", "of partial sums", "of least covers"};
  if (!q->rows_known) return;
  for (int mode = 0; mode < HG_SEND_MODES; mode++)
    printf("    %-20s %" PRId64 " rows, %.1f %%; %" PRId64 " by the part that sends most\n", names[mode], q->rows[mode],
           percent((double)q->rows[mode], (double)q->volume), q->rows_max[mode]);
  printf("    messages             %" PRId64 ", most of a part %" PRId64 "; covers took %.3f s\n", q->messages,
         q->messages_max, q->cover_seconds);
}

static void print_refined(const hg_refined *r)
{
  if (r->passes == 0) return;
  printf("  refinement             %" PRId64 " to %" PRId64 " rows by the part that sends or receives most, %" PRId64
         " to %" PRId64 " of all\n",
         hg_refine_most(&r->before), hg_refine_most(&r->after), r->before.total, r->after.total);
  printf("    took                 %.3f s, %d passes, %" PRId64 " nodes moved\n", r->seconds, r->passes, r->moves);
}

static void print_hosts(const hg_host_rows *rows)
{
  if (rows->hosts < 2) return;
  printf("  rows between %d hosts   %" PRId64 ", without duplicates %" PRId64 "; %" PRId64 " and %" PRId64
         " by the host that sends most\n",
         rows->hosts, rows->rows, rows->unique, rows->rows_max, rows->unique_max);
  printf("    messages             %" PRId64 " between ranks, %" PRId64 " between hosts\n", rows->pairs,
         rows->host_pairs);
}

static void print_figures(const arguments *a, const hg_store_header *header, const hg_quality *q,
                          const hg_host_rows *between)
{
  double n = (double)header->n_nodes, m = (double)header->n_edges, k = q->n_parts;
  printf("%s: %d part%s of %" PRId64 " nodes and %" PRId64 " edges (%s)\n", a->output, q->n_parts,
         q->n_parts == 1 ? "" : "s", header->n_nodes, header->n_edges, a->partition.method);
  printf("  edge cut               %" PRId64 " edges, %.1f %%\n", q->edge_cut, percent((double)q->edge_cut, m));
  printf("  communication volume   %" PRId64 " rows an exchange\n", q->volume);
  print_rows(q);
  print_hosts(between);
  print_refined(&q->refined);
  if (hg_partition_sliced(&a->partition)) printf("  refinement             none; least edge cut: made of slices\n");
  printf("  halo nodes a part      %" PRId64 " least, %.1f mean, %" PRId64 " most\n", q->halo_min,
         (double)q->volume / k, q->halo_max);
  printf("  interior nodes         %.1f %% of %.0f\n", 100 * q->interior_fraction, n);
  printf("  largest / mean part    nodes %.3f, edges %.3f", q->node_imbalance, q->edge_imbalance);
  if (q->label_imbalance > 0) printf(", training nodes %.3f", q->label_imbalance);
  if (q->active_imbalance > 0) printf(", active work %.3f", q->active_imbalance);
  printf("\n  took                   %.3f s, peak memory %.1f MiB\n", q->seconds, mib((double)q->peak_bytes));
  if (q->fetches_before == 0) {
    printf("  order of nodes         %s\n", q->order);
    return;
  }
  printf("  order of nodes         %s: %" PRId64 " rows fetched an aggregation, %" PRId64
         " in file order; took %.3f s\n",
         q->order, q->fetches_after, q->fetches_before, q->reorder_seconds);
}

static hg_status report(const arguments *a)
{
  hg_status rc = HG_OK;
  hg_store_header header;
  hg_parts_index index = {0};
  hg_quality quality;
  hg_host_rows between = {0};
  bool hosts = a->partition.hosts > 1;
  HG_TRY(hg_store_read_header(a->output, &header));
  HG_TRY(hg_store_read_parts_index(a->output, hosts ? -1 : 0, &index));
  if (hosts) HG_TRY(hg_host_rows_count(&between, &index, a->partition.hosts));
  HG_TRY(hg_quality_parse(index.quality_json, &quality));
  print_figures(a, &header, &quality, &between);
done:
  hg_parts_index_free(&index);
  return rc;
}

static hg_status read_words(int argc, char **argv, arguments *a, bool *helped)
{
  static const struct argp argp = {
      options,
      on_option,
      "GRAPH.hg -k K",
      "Splits a graph into K parts, one for each rank, and prints what that costs in communication.",
      NULL,
      NULL,
      NULL};
  const hg_partitioner *method;
  *a = (arguments){.partition = hg_partition_options_default()};
  hg_status rc = hg_command_parse(&argp, argc, argv, a, helped);
  return rc == HG_OK && !*helped ? hg_partitioner_find(a->partition.method, &method) : rc;
}

static hg_status choose_output(arguments *a)
{
  if (a->output) return HG_OK;
  a->output = a->cache;
  return hg_parts_cache_path(a->graph, a->k, &a->partition, a->cache, sizeof a->cache);
}

static hg_status partition_slices(arguments *a, hg_world *world)
{
  bool chief = hg_world_rank(world) == 0;
  hg_status rc = HG_OK;
  if (a->dry_run) return hg_agree(world, chief ? predict(a) : HG_OK, "predicting");
  HG_TRY_ALL(world, "partitioning", choose_output(a));
  HG_TRY_ALL(world, "partitioning", hg_files_apart(a->graph, a->output));
  HG_TRY(hg_slices_partition_file(world, a->graph, a->k, &a->partition, a->output));
  HG_TRY_ALL(world, "reporting", chief ? report(a) : HG_OK);
done:
  return rc;
}

// All ranks of mpirun; rank 0 speaks, also of what is wrong with the command line.
static hg_status run_together(int argc, char **argv)
{
  arguments a;
  bool helped = false;
  hg_world *world = NULL;
  hg_status rc = hg_world_open(&world, &argc, &argv);
  if (rc == HG_OK) {
    hg_command_mute_help(hg_world_rank(world) > 0);
    rc = hg_agree(world, read_words(argc, argv, &a, &helped), "reading the command line");
  }
  if (rc == HG_OK && !helped) rc = partition_slices(&a, world);
  return hg_world_close(&world, rc);
}

static hg_status run_alone(arguments *a)
{
  hg_status rc = HG_OK;
  if (a->dry_run) return predict(a);
  HG_TRY(choose_output(a));
  HG_TRY(hg_files_apart(a->graph, a->output));
  HG_TRY(hg_partition_file(a->graph, a->k, &a->partition, a->output));
  HG_TRY(report(a));
done:
  return rc;
}

// MPI starts only where it is needed: once it has ended, no other command of the same script could start it again.
hg_status hg_cmd_partition(int argc, char **argv)
{
  arguments a;
  bool helped = false, launched = hg_world_launched();
  hg_command_mute_help(launched);
  hg_status rc = read_words(argc, argv, &a, &helped);
  bool reads = rc == HG_OK && !helped;
  if (launched && (!reads || hg_partition_sliced(&a.partition))) return run_together(argc, argv);
  if (!reads) return rc;
  return hg_partition_sliced(&a.partition) && !a.dry_run ? run_together(argc, argv) : run_alone(&a);
}
