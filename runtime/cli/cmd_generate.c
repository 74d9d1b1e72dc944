#include <inttypes.h>
#include <math.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/alloc.h"
#include "core/base/files.h"
#include "core/base/timer.h"
#include "core/graph/generate.h"
#include "core/graph/store.h"
#include "runtime/cli/command.h"

typedef struct {
  const char *kind, *output;
  bool list;
  hg_generate_options options;
} arguments;

enum { KEY_FIRST_NUMBER = 256, KEY_KNN = 512, KEY_DIAGONALS, KEY_LIST };

typedef enum { WHOLE, WHOLE_INT, WHOLE_SEED, REAL } number_kind;

// The options that are numbers; the key is KEY_FIRST_NUMBER + place in this list.
static const struct {
  const char *name;
  number_kind kind;
  size_t offset;
} numbers[] = {
    {"nodes", WHOLE, offsetof(hg_generate_options, nodes)},
    {"degree", REAL, offsetof(hg_generate_options, degree)},
    {"classes", WHOLE_INT, offsetof(hg_generate_options, classes)},
    {"features", WHOLE_INT, offsetof(hg_generate_options, features)},
    {"seed", WHOLE_SEED, offsetof(hg_generate_options, seed)},
    {"signal", REAL, offsetof(hg_generate_options, signal)},
    {"train", REAL, offsetof(hg_generate_options, train)},
    {"val", REAL, offsetof(hg_generate_options, val)},
    {"homophily", REAL, offsetof(hg_generate_options, homophily)},
    {"power", REAL, offsetof(hg_generate_options, power)},
    {"a", REAL, offsetof(hg_generate_options, a)},
    {"b", REAL, offsetof(hg_generate_options, b)},
    {"c", REAL, offsetof(hg_generate_options, c)},
    {"dims", WHOLE_INT, offsetof(hg_generate_options, dims)},
    {"radius", REAL, offsetof(hg_generate_options, radius)},
};

enum { N_NUMBERS = sizeof numbers / sizeof *numbers };

static const struct argp_option options[] = {
    {"output", 'o', "GRAPH.hg", 0, "the file to write", 0},
    {"list", KEY_LIST, NULL, 0, "show the kinds of graphs", 0},
    {"nodes", KEY_FIRST_NUMBER, "N", 0, "nodes (10000)", 1},
    {"degree", KEY_FIRST_NUMBER + 1, "X", 0, "mean degree asked for (10); duplicates are dropped, and grid has its own",
     1},
    {"classes", KEY_FIRST_NUMBER + 2, "N", 0, "classes, 0: no labels (8)", 1},
    {"features", KEY_FIRST_NUMBER + 3, "N", 0, "width of the features, 0: none (32)", 1},
    {"seed", KEY_FIRST_NUMBER + 4, "N", 0, "everything is a function of it and the options (1)", 1},
    {"signal", KEY_FIRST_NUMBER + 5, "X", 0, "standard deviation of the class means, that of the noise is 1 (0.3)", 1},
    {"train", KEY_FIRST_NUMBER + 6, "X", 0, "fraction of nodes that train, 0: no split (0.5)", 1},
    {"val", KEY_FIRST_NUMBER + 7, "X", 0, "fraction that validates (0.25); the rest is test", 1},
    {"homophily", KEY_FIRST_NUMBER + 8, "X", 0, "csbm: fraction of edges inside a class (0.8)", 2},
    {"power", KEY_FIRST_NUMBER + 9, "X", 0, "csbm: exponent (> 2) of power-law degrees, 0: none (0)", 2},
    {"a", KEY_FIRST_NUMBER + 10, "X", 0, "rmat: chance of the first quadrant (0.57)", 2},
    {"b", KEY_FIRST_NUMBER + 11, "X", 0, "rmat: of the second (0.19)", 2},
    {"c", KEY_FIRST_NUMBER + 12, "X", 0, "rmat: of the third (0.19)", 2},
    {"dims", KEY_FIRST_NUMBER + 13, "N", 0, "geometric, grid: dimensions, 1 to 3 (2)", 2},
    {"radius", KEY_FIRST_NUMBER + 14, "X", 0, "geometric: joins points nearer than this (from the degree)", 2},
    {"knn", KEY_KNN, NULL, 0, "geometric: joins each point to its `degree` nearest instead", 2},
    {"diagonals", KEY_DIAGONALS, NULL, 0, "grid: also joins cells that touch at an edge or a corner", 2},
    {0},
};

static int read_number(int which, const char *text, hg_generate_options *out)
{
  char *end, *field = (char *)out + numbers[which].offset;
  double value = strtod(text, &end);
  bool whole = value == floor(value) && fabs(value) < 0x1p53;
  if (end == text || *end || !isfinite(value) || (numbers[which].kind != REAL && !whole))
    return hg_command_error("--%s: found '%s', expected a %snumber", numbers[which].name, text,
                            numbers[which].kind == REAL ? "" : "whole ");
  if (numbers[which].kind == WHOLE_INT && fabs(value) > INT32_MAX)
    return hg_command_error("--%s: found '%s', expected at most %d", numbers[which].name, text, INT32_MAX);
  if (numbers[which].kind == WHOLE_SEED && value < 0)
    return hg_command_error("--%s: found '%s', expected a whole number from 0 up", numbers[which].name, text);
  switch (numbers[which].kind) {
  case REAL:
    memcpy(field, &value, sizeof value);
    break;
  case WHOLE_INT:
    memcpy(field, &(int){(int)value}, sizeof(int));
    break;
  default:
    memcpy(field, &(int64_t){(int64_t)value}, sizeof(int64_t));
    break;
  }
  return 0;
}

static error_t on_option(int key, char *arg, struct argp_state *state)
{
  arguments *a = state->input;
  if (key >= KEY_FIRST_NUMBER && key < KEY_FIRST_NUMBER + N_NUMBERS)
    return read_number(key - KEY_FIRST_NUMBER, arg, &a->options);
  switch (key) {
  case 'o':
    a->output = arg;
    return 0;
  case KEY_KNN:
    a->options.knn = true;
    return 0;
  case KEY_DIAGONALS:
    a->options.diagonals = true;
    return 0;
  case KEY_LIST:
    a->list = true;
    return 0;
  case ARGP_KEY_ARG:
    if (a->kind) return hg_command_error("found a second kind of graph, '%s'", arg);
    a->kind = arg;
    return 0;
  case ARGP_KEY_END:
    if (!a->list && !a->kind) return hg_command_error("expected a KIND of graph, one of `halognn generate --list`");
    if (!a->list && !a->output) return hg_command_error("expected -o GRAPH.hg");
    return 0;
  default:
    return ARGP_ERR_UNKNOWN;
  }
}

static void list_kinds(void)
{
  for (const hg_generator *kind = hg_generators; kind->name; kind++) printf("%-10s %s\n", kind->name, kind->help);
}

static void print_result(const arguments *a, const hg_graph *graph, const hg_build_counts *counts, double seconds)
{
  hg_off m = graph->adjacency.indptr[graph->nodes.n];
  printf("%s: %" PRId64 " nodes, %" PRId64 " edges in both directions (%" PRId64 " drawn; dropped %" PRId64
         " duplicates, %" PRId64 " self-loops), %" PRId64 " isolated nodes\n",
         a->output, graph->nodes.n, m, counts->edges_in, counts->duplicates, counts->self_loops, counts->isolated);
  fprintf(stderr, "generated in %.1f s, peak memory %.0f MiB\n", seconds, (double)hg_peak_rss_bytes() / 0x1p20);
}

static hg_status generate(const arguments *a)
{
  hg_status rc = HG_OK;
  hg_graph graph = {0};
  hg_build_counts counts = {0};
  hg_new_file probe = {0};
  char creator[128];
  double start = hg_now_s();
  HG_TRY(hg_new_file_begin(&probe, a->output)); // before minutes of work: can the file be written at all?
  HG_TRY(hg_generate(a->kind, &a->options, &graph, &counts));
  snprintf(creator, sizeof creator, "generate %s nodes=%" PRId64 " degree=%g seed=%" PRIu64, a->kind, a->options.nodes,
           a->options.degree, a->options.seed);
  HG_TRY(hg_store_write_graph(a->output, &graph, creator));
  print_result(a, &graph, &counts, hg_now_s() - start);
done:
  hg_graph_free(&graph);
  return rc;
}

hg_status hg_cmd_generate(int argc, char **argv)
{
  const struct argp argp = {
      .options = options,
      .parser = on_option,
      .args_doc = "KIND",
      .doc = "Makes a graph of KIND csbm, rmat, geometric or grid. The same options make the same file."};
  arguments a = {.options = hg_generate_options_default()};
  bool helped = false;
  hg_status rc = hg_command_parse(&argp, argc, argv, &a, &helped);
  if (rc != HG_OK || helped) return rc;
  if (!a.list) return generate(&a);
  list_kinds();
  return HG_OK;
}
