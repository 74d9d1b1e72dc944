#include <errno.h>
#include <inttypes.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/alloc.h"
#include "core/base/files.h"
#include "core/base/suggest.h"
#include "core/graph/import.h"
#include "core/graph/split.h"
#include "runtime/cli/command.h"

enum { CREATOR_SIZE = 4352 };

typedef enum { SPLIT_KEEP, SPLIT_NONE, SPLIT_PLANETOID, SPLIT_RANDOM } split_kind;

typedef struct {
  const char *format, *input, *output;
  bool list;
  hg_import_options import;
  split_kind split;
  hg_split_options draw;
  const char *image_option, *superpixel_option, *grid_option;
} arguments;

enum {
  KEY_SPLIT = 256,
  KEY_SEED,
  KEY_TRAIN,
  KEY_VAL,
  KEY_N_VAL,
  KEY_N_TEST,
  KEY_TRAIN_FRACTION,
  KEY_VAL_FRACTION,
  KEY_FEATURES,
  KEY_LABELS,
  KEY_SPLITS,
  KEY_NODES,
  KEY_SCHEME,
  KEY_TASK,
  KEY_LIST,
  KEY_GRAPH,
  KEY_SUPERPIXELS,
  KEY_COMPACTNESS,
  KEY_NEIGHBOURS,
  KEY_GRID_NEIGHBOURS,
  KEY_LIMIT,
  KEY_VALIDATION
};

static const struct argp_option options[] = {
    {"output", 'o', "GRAPH.hg", 0, "the file to write", 0},
    {"list", KEY_LIST, NULL, 0, "show the formats and what is read of each", 0},
    {"symmetrize", 's', NULL, 0, "store each edge in both directions", 0},
    {"task", KEY_TASK, "KIND", 0, "what the labels are: auto (found out), classes, multilabel or regression", 0},
    {"scheme", KEY_SCHEME, "NAME", 0, "ogb: the folder under split/; graphbolt: the task", 0},
    {NULL, 0, NULL, 0, "Splits:", 1},
    {"split", KEY_SPLIT, "KIND", 0,
     "keep (the file's own, the default), none, planetoid (fixed numbers of each class) or random", 1},
    {"split-seed", KEY_SEED, "N", 0, "seed of a planetoid or random split (0)", 1},
    {"train-per-class", KEY_TRAIN, "N", 0, "planetoid: training nodes of each class (20)", 1},
    {"val-per-class", KEY_VAL, "N", 0, "planetoid: validation nodes of each class (30)", 1},
    {"num-val", KEY_N_VAL, "N", 0, "planetoid: validation nodes of all classes together, instead", 1},
    {"num-test", KEY_N_TEST, "N", 0, "planetoid: test nodes (all others)", 1},
    {"train-fraction", KEY_TRAIN_FRACTION, "X", 0, "random: part of the labelled nodes (0.6)", 1},
    {"val-fraction", KEY_VAL_FRACTION, "X", 0, "random: part of the labelled nodes (0.2); the rest is test", 1},
    {NULL, 0, NULL, 0, "Beside an edgelist, mtx or metis file:", 2},
    {"features", KEY_FEATURES, "FILE", 0, "lines \"node v1 v2 ...\", or a .npy matrix in the order of the nodes", 2},
    {"labels", KEY_LABELS, "FILE", 0, "lines \"node label ...\"", 2},
    {"splits", KEY_SPLITS, "FILE", 0, "lines \"node train|val|test|none\"", 2},
    {"nodes", KEY_NODES, "N", 0, "edgelist: the nodes are 0 to N-1, also those without edges", 2},
    {NULL, 0, NULL, 0, "Of mnist-idx:", 3},
    {"graph", KEY_GRAPH, "KIND", 0, "superpixels (regions of similar pixels, the default) or grid (all pixels)", 3},
    {"superpixels", KEY_SUPERPIXELS, "N", 0, "about how many of an image (75)", 3},
    {"compactness", KEY_COMPACTNESS, "X", 0,
     "of superpixels: larger for squares, smaller for the image's edges (0.25, of intensities from 0 to 1)", 3},
    {"neighbours", KEY_NEIGHBOURS, "K", 0,
     "of superpixels: adjacency (they share a side of a pixel, the default), or K, the nearest ones", 3},
    {"grid-neighbours", KEY_GRID_NEIGHBOURS, "N", 0, "of a pixel of a grid: 4 or 8 (8)", 3},
    {"limit", KEY_LIMIT, "N", 0, "only the first N training images and the first N test images", 3},
    {"validation", KEY_VALIDATION, "N", 0,
     "the last N training images are validation (a twelfth of them: 5000 of 60000)", 3},
    {0},
};

static int read_count(const char *name, const char *text, int64_t lowest, int64_t *value)
{
  char *end;
  errno = 0;
  *value = strtoll(text, &end, 10);
  if (end != text && !*end && !errno && *value >= lowest) return 0;
  return hg_command_error("--%s: found '%s', expected a whole number from %" PRId64 " up", name, text, lowest);
}

static int read_fraction(const char *name, const char *text, double *value)
{
  char *end;
  *value = strtod(text, &end);
  if (end != text && !*end && *value >= 0 && *value <= 1) return 0;
  return hg_command_error("--%s: found '%s', expected a number from 0 to 1", name, text);
}

static int read_word(const char *name, const char *text, const char *const *words, int *value)
{
  for (*value = 0; words[*value]; (*value)++)
    if (strcmp(text, words[*value]) == 0) return 0;
  char list[128] = "";
  size_t used = 0;
  for (int k = 0; words[k]; k++)
    used += (size_t)snprintf(list + used, sizeof list - used, "%s%s", k ? ", " : "", words[k]);
  const char *near = hg_suggest(text, words);
  return hg_command_error("--%s: found '%s', expected one of %s%s%s%s", name, text, list,
                          near ? "; did you mean '" : "", near ? near : "", near ? "'?" : "");
}

static int on_split(int key, const char *arg, arguments *a)
{
  static const char *const kinds[] = {"keep", "none", "planetoid", "random", NULL};
  int64_t seed;
  int kind, error;
  switch (key) {
  case KEY_SPLIT:
    error = read_word("split", arg, kinds, &kind);
    a->split = (split_kind)kind;
    return error;
  case KEY_SEED:
    error = read_count("split-seed", arg, 0, &seed);
    a->draw.seed = (uint64_t)seed;
    return error;
  case KEY_TRAIN:
    return read_count("train-per-class", arg, 1, &a->draw.train_per_class);
  case KEY_VAL:
    return read_count("val-per-class", arg, 0, &a->draw.val_per_class);
  case KEY_N_VAL:
    return read_count("num-val", arg, 0, &a->draw.n_val);
  case KEY_N_TEST:
    return read_count("num-test", arg, 0, &a->draw.n_test);
  case KEY_TRAIN_FRACTION:
    return read_fraction("train-fraction", arg, &a->draw.train_fraction);
  case KEY_VAL_FRACTION:
    return read_fraction("val-fraction", arg, &a->draw.val_fraction);
  default:
    return ARGP_ERR_UNKNOWN;
  }
}

static int read_neighbours(const char *text, int *nearest)
{
  char *end;
  *nearest = 0;
  if (strcmp(text, "adjacency") == 0) return 0;
  errno = 0;
  long k = strtol(text, &end, 10);
  if (end == text || *end || errno || k < 1 || k > HG_MAX_NEAREST)
    return hg_command_error("--neighbours: found '%s', expected adjacency or a whole number from 1 to %d", text,
                            HG_MAX_NEAREST);
  *nearest = (int)k;
  return 0;
}

static int read_compactness(const char *text, double *value)
{
  char *end;
  *value = strtod(text, &end);
  if (end != text && !*end && *value >= 1e-3 && *value <= 1e3) return 0;
  return hg_command_error("--compactness: found '%s', expected a number from 0.001 to 1000", text);
}

// Remembers the last option of mnist-idx, of its superpixels and of its grids, for on_end to refuse those out of place.
static void note_image_option(int key, arguments *a)
{
  if (key < KEY_GRAPH || key > KEY_VALIDATION) return;
  for (const struct argp_option *option = options; option->name || option->doc; option++)
    if (option->key == key) a->image_option = option->name;
  if (key == KEY_SUPERPIXELS || key == KEY_COMPACTNESS || key == KEY_NEIGHBOURS) a->superpixel_option = a->image_option;
  if (key == KEY_GRID_NEIGHBOURS) a->grid_option = a->image_option;
}

static int on_image(int key, const char *arg, arguments *a)
{
  static const char *const kinds[] = {"superpixels", "grid", NULL}, *const counts[] = {"4", "8", NULL};
  hg_mnist_options *o = &a->import.mnist;
  int word, error;
  note_image_option(key, a);
  switch (key) {
  case KEY_GRAPH:
    error = read_word("graph", arg, kinds, &word);
    o->kind = (hg_image_kind)word;
    return error;
  case KEY_SUPERPIXELS:
    return hg_command_number("--superpixels", arg, 1, INT32_MAX, &o->superpixels);
  case KEY_COMPACTNESS:
    return read_compactness(arg, &o->compactness);
  case KEY_NEIGHBOURS:
    return read_neighbours(arg, &o->nearest);
  case KEY_GRID_NEIGHBOURS:
    error = read_word("grid-neighbours", arg, counts, &word);
    o->grid_neighbours = word == 0 ? 4 : 8;
    return error;
  case KEY_LIMIT:
    return read_count("limit", arg, 1, &o->limit);
  case KEY_VALIDATION:
    return read_count("validation", arg, 0, &o->n_val);
  default:
    return on_split(key, arg, a);
  }
}

static int on_end(const arguments *a)
{
  if (a->list) return 0;
  if (!a->format || !a->input) return hg_command_error("expected FORMAT and INPUT");
  if (!a->output) return hg_command_error("expected -o GRAPH.hg");
  const char *sides = a->import.features ? "features"
                      : a->import.labels ? "labels"
                      : a->import.splits ? "splits"
                                         : NULL;
  bool takes_sides =
      strcmp(a->format, "edgelist") == 0 || strcmp(a->format, "mtx") == 0 || strcmp(a->format, "metis") == 0;
  if (sides && !takes_sides)
    return hg_command_error("--%s goes with edgelist, mtx and metis; %s has its own", sides, a->format);
  if (a->import.nodes && strcmp(a->format, "edgelist") != 0) return hg_command_error("--nodes goes with edgelist");
  bool images = strcmp(a->format, "mnist-idx") == 0;
  if (a->image_option && !images) return hg_command_error("--%s goes with mnist-idx", a->image_option);
  bool grid = a->import.mnist.kind == HG_IMAGE_GRID;
  if (grid && a->superpixel_option) return hg_command_error("--%s goes with --graph superpixels", a->superpixel_option);
  if (!grid && a->grid_option) return hg_command_error("--%s goes with --graph grid", a->grid_option);
  if (images && a->import.task != HG_TASK_NONE && a->import.task != HG_TASK_CLASSES)
    return hg_command_error("--task: the labels of mnist-idx are classes");
  return 0;
}

static error_t on_option(int key, char *arg, struct argp_state *state)
{
  static const char *const tasks[] = {"auto", "classes", "multilabel", "regression", NULL};
  arguments *a = state->input;
  int task, error;
  switch (key) {
  case 'o':
    a->output = arg;
    return 0;
  case 's':
    a->import.symmetrize = true;
    return 0;
  case KEY_LIST:
    a->list = true;
    return 0;
  case KEY_FEATURES:
    a->import.features = arg;
    return 0;
  case KEY_LABELS:
    a->import.labels = arg;
    return 0;
  case KEY_SPLITS:
    a->import.splits = arg;
    return 0;
  case KEY_SCHEME:
    a->import.scheme = arg;
    return 0;
  case KEY_NODES:
    return read_count("nodes", arg, 1, &a->import.nodes);
  case KEY_TASK:
    error = read_word("task", arg, tasks, &task);
    a->import.task = (hg_task)task;
    return error;
  case ARGP_KEY_ARG:
    if (state->arg_num == 0)
      a->format = arg;
    else if (state->arg_num == 1)
      a->input = arg;
    else
      return hg_command_error("found a third argument '%s', expected FORMAT and INPUT", arg);
    return 0;
  case ARGP_KEY_END:
    return on_end(a);
  default:
    return on_image(key, arg, a);
  }
}

static void print_formats(void)
{
  for (const hg_import_format *f = hg_import_formats; f->name; f++)
    printf("%-14s %-12s %s\n", f->name, f->suffix, f->help);
}

static const char *structure(bool symmetric, const hg_import_report *r, char text[96])
{
  if (!symmetric) return "directed";
  if (r->build.reversed_added == 0) return "symmetric";
  snprintf(text, 96, "symmetric, %" PRId64 " reversed added", r->build.reversed_added);
  return text;
}

static void print_labels(const hg_nodes *items, const hg_import_report *r, const char *noun)
{
  switch (items->task) {
  case HG_TASK_NONE:
    printf(", no labels");
    break;
  case HG_TASK_CLASSES:
    printf(", %d classes", items->n_classes);
    break;
  case HG_TASK_MULTILABEL:
    printf(", %d labels a %s", items->n_classes, noun);
    break;
  case HG_TASK_REGRESSION:
    printf(", %d target%s a %s", items->n_classes, items->n_classes == 1 ? "" : "s", noun);
    break;
  }
  if (r->empty_classes) printf(" (%" PRId64 " without %ss)", r->empty_classes, noun);
}

static void print_features(const hg_nodes *nodes)
{
  if (nodes->features.width)
    printf(", %d %s features", nodes->features.width, nodes->features.dense ? "dense" : "sparse");
  else
    printf(", no features");
  if (nodes->n_dims) printf(", %d-D positions", nodes->n_dims);
}

static void print_split(const hg_nodes *items, const hg_import_report *r, const char *noun)
{
  hg_off in_split[HG_SPLIT_COUNT] = {0};
  for (hg_off i = 0; items->split && i < items->n; i++) in_split[items->split[i]]++;
  if (items->split)
    printf(", split %" PRId64 "/%" PRId64 "/%" PRId64, in_split[HG_SPLIT_TRAIN], in_split[HG_SPLIT_VAL],
           in_split[HG_SPLIT_TEST]);
  else
    printf(", no split");
  if (r->weights_ignored) printf(", weights ignored");
  if (r->unlabelled_in_split) printf(", %" PRId64 " unlabelled %ss in the split", r->unlabelled_in_split, noun);
}

// One line, for a person and for grep.
static void print_report(const char *input, hg_imported *made, const hg_import_report *r)
{
  char name[4096], text[96];
  const char *noun = made->is_collection ? "graph" : "node";
  const hg_graph *g = made->is_collection ? &made->collection.united : &made->graph;
  const hg_nodes *items = hg_imported_items(made);
  snprintf(name, sizeof name, "%s", input);
  printf("%s: ", basename(name));
  if (made->is_collection) printf("%" PRId64 " graphs, ", items->n);
  printf("%" PRId64 " nodes, %" PRId64 " edges (%s), %" PRId64 " self-loops dropped, %" PRId64
         " duplicates dropped, %" PRId64 " isolated, %" PRId64 " unlabelled",
         g->nodes.n, hg_csr_entries(&g->adjacency), structure(g->symmetric, r, text), r->build.self_loops,
         r->build.duplicates, r->build.isolated, r->unlabelled);
  print_labels(items, r, noun);
  print_features(&g->nodes);
  print_split(items, r, noun);
  printf("\n");
}

static hg_status split(hg_nodes *nodes, const arguments *a)
{
  switch (a->split) {
  case SPLIT_KEEP:
    return HG_OK;
  case SPLIT_PLANETOID:
    return hg_context(hg_split_planetoid(nodes, &a->draw), "%s", a->input);
  case SPLIT_RANDOM:
    return hg_context(hg_split_random(nodes, &a->draw), "%s", a->input);
  case SPLIT_NONE:
    hg_free(&nodes->split);
    return HG_OK;
  }
  return HG_OK;
}

// Said before minutes of reading rather than after them.
static hg_status check_output(const arguments *a)
{
  const char *const inputs[] = {a->input, a->import.features, a->import.labels, a->import.splits};
  hg_new_file file;
  for (size_t k = 0; k < sizeof inputs / sizeof *inputs; k++) {
    hg_status rc = inputs[k] ? hg_files_apart(inputs[k], a->output) : HG_OK;
    if (rc != HG_OK) return rc;
  }
  return hg_new_file_begin(&file, a->output);
}

// The line of provenance: what the file was made of, and how.
static void describe(const arguments *a, char text[CREATOR_SIZE])
{
  const hg_mnist_options *o = &a->import.mnist;
  int used = snprintf(text, CREATOR_SIZE, "import %s %.4096s%s", a->format, a->input,
                      a->import.symmetrize ? " --symmetrize" : "");
  char *rest = text + used, nearest[16];
  size_t size = CREATOR_SIZE - (size_t)used;
  snprintf(nearest, sizeof nearest, "%d", o->nearest);
  if (strcmp(a->format, "mnist-idx") != 0) return;
  if (o->kind == HG_IMAGE_GRID)
    snprintf(rest, size, " --graph grid --grid-neighbours %d", o->grid_neighbours);
  else
    snprintf(rest, size, " --superpixels %d --compactness %g --neighbours %s", o->superpixels, o->compactness,
             o->nearest ? nearest : "adjacency");
}

hg_status hg_cmd_import(int argc, char **argv)
{
  const struct argp argp = {options,
                            on_option,
                            "FORMAT INPUT -o GRAPH.hg\n--list",
                            "Read a graph, or a collection of many small ones, into an .hg file.\vDuplicate edges and "
                            "self-loops are dropped and counted. The file's edge u -> v "
                            "means that v aggregates from u. docs/data_formats.md describes the formats.",
                            NULL,
                            NULL,
                            NULL};
  arguments a = {.import = hg_import_default(), .draw = hg_split_default()};
  hg_status rc = HG_OK;
  hg_imported made = {0};
  hg_import_report report;
  const hg_import_format *format;
  char creator[CREATOR_SIZE];
  bool helped;
  HG_TRY(hg_command_parse(&argp, argc, argv, &a, &helped));
  if (helped) goto done;
  if (a.list) {
    print_formats();
    goto done;
  }
  HG_TRY(hg_import_find(a.format, &format));
  HG_TRY(check_output(&a));
  HG_TRY(hg_import_read(&made, format, a.input, &a.import, &report));
  HG_TRY(split(hg_imported_items(&made), &a));
  describe(&a, creator);
  HG_TRY(hg_import_write(a.output, &made, creator));
  print_report(a.input, &made, &report);
done:
  hg_imported_free(&made);
  return rc;
}
