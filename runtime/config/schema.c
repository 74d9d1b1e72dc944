#include "runtime/config/schema.h"

#include <limits.h>
#include <math.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "core/base/suggest.h"

static const char *const scalings[] = {"none", "row", "standardize", NULL};
static const char *const target_scalings[] = {"none", "standardize", NULL};
static const char *const objectives[] = {"volume", "cut", "largest", NULL};
static const char *const orders[] = {"auto", "cluster", "metis", "rcm", "degree", "none", NULL};
static const char *const balances[] = {"nodes", "edges", "labels", "active", NULL};
static const char *const parallel_modes[] = {"parts", "features", "grid", "auto", NULL};
static const char *const activations[] = {"none", "relu", "elu", NULL};
static const char *const adjacencies[] = {"symmetric", "row", "sum", NULL};
static const char *const norms[] = {"none", "layer", "batch", NULL};
static const char *const precisions[] = {"float32", "bfloat16", NULL};
static const char *const aggregations[] = {"sources", "covers", NULL};
static const char *const halo_precisions[] = {"float32", "bfloat16", "int8", "int4", "int2", "adaptive", NULL};
static const char *const wishes[] = {"auto", "always", "never", NULL};
static const char *const occasions[] = {"between_hosts", "always", "never", NULL};
static const char *const stalenesses[] = {"none", "pipeline", "delayed", "skip", NULL};
static const char *const between_hosts[] = {"ranks", "merged", NULL};
static const char *const skip_units[] = {"row", "peer", NULL};
static const char *const filter_owners[] = {"channel", "shared", NULL};
static const char *const poolings[] = {"none", "cluster", NULL};
static const char *const pairings[] = {"distance", "similarity", NULL};
static const char *const reductions[] = {"mean", "sum", "max", NULL};
static const char *const position_scalings[] = {"mean_edge", "none", NULL};
static const char *const augment_units[] = {"graph", "batch", "epoch", NULL};
static const char *const optimizers[] = {"sgd", "adam", "adamw", NULL};
static const char *const decay_layers[] = {"all", "first", NULL};
static const char *const schedules[] = {"constant", "step", "cosine", NULL};
static const char *const losses[] = {"auto", "cross_entropy", "bce", "mse", NULL};
static const char *const metrics[] = {"auto", "accuracy", "micro_f1", "macro_f1", "roc_auc", "rmse", NULL};
static const char *const class_weights[] = {"none", "balanced", NULL};
static const char *const syncs[] = {"allreduce", "local", "coordinator", NULL};
static const char *const transports[] = {"auto", "ipc", "tcp", NULL};

static const hg_key_range short_text = {.most = HG_NAME_MAX - 1};
static const hg_key_range path_text = {.most = HG_PATH_MAX - 1};
static const hg_key_range counted = {.least = 1, .most = INT_MAX};
static const hg_key_range not_negative_count = {.most = INT_MAX};
static const hg_key_range thread_counts = {.most = 4096};
static const hg_key_range batch_sizes = {.least = 1, .most = 1 << 20};
static const hg_key_range layer_counts = {.least = 1, .most = 1000};
static const hg_key_range widths = {.least = 1, .most = 1 << 20};
static const hg_key_range filter_counts = {.least = 1, .most = 1024};
static const hg_key_range rates = {.most = 1, .below = true};
static const hg_key_range rates_or_auto = {.most = 1, .below = true, .automatic = true};
static const hg_key_range shares = {.most = 1};
static const hg_key_range factors = {.most = 1, .above = true};
static const hg_key_range positive = {.most = INFINITY, .above = true};
static const hg_key_range not_negative = {.most = INFINITY};
static const hg_key_range angles = {.most = 180};
static const hg_key_range stretches = {.most = 10};
static const hg_key_range bin_counts = {.least = 1, .most = 1 << 20};
static const hg_key_range sample_counts = {.most = 1000};
static const hg_key_range imbalances = {.least = 1, .most = 1000};
static const hg_key_range host_counts = {.least = 1, .most = 1 << 20, .automatic = true};
static const hg_key_range timeouts = {.most = 86400, .above = true};

const hg_key hg_keys[] = {
    {"name", HG_KEY_TEXT, offsetof(hg_config, name), "", &short_text, NULL,
     "the experiment's name and that of its folder under runs/; empty: the config file's name without .yaml"},
    {"seed", HG_KEY_SEED, offsetof(hg_config, seed), "1", NULL, NULL, "of the initial weights and the dropout masks"},
    {"repeat", HG_KEY_INTEGER, offsetof(hg_config, repeat), "1", &counted, NULL,
     "runs with seed, seed + 1, ...; the summary gives mean and standard deviation"},
    {"threads", HG_KEY_INTEGER, offsetof(hg_config, threads), "0", &thread_counts, NULL,
     "of each rank; 0: OMP_NUM_THREADS, or the processors that the launcher gives the rank"},
    {"output", HG_KEY_TEXT, offsetof(hg_config, output), "", &path_text, NULL, "folder of the run; empty: runs/NAME"},
    {"dataset", HG_KEY_SECTION, 0, NULL, NULL, NULL, "the graph"},
    {"dataset.path", HG_KEY_TEXT, offsetof(hg_config, dataset.path), "", &path_text, NULL,
     "the .hg file; looked for from the working directory, the config's folder, and the folder HALOGNN_DATA names"},
    {"dataset.normalize_features", HG_KEY_CHOICE, offsetof(hg_config, dataset.normalize_features), "none", NULL,
     scalings, "row: each node's features sum to 1; standardize: each feature has mean 0 and deviation 1"},
    {"dataset.normalize_targets", HG_KEY_CHOICE, offsetof(hg_config, dataset.normalize_targets), "none", NULL,
     target_scalings, "regression: standardize trains on targets of mean 0 and deviation 1 and scales outputs back"},
    {"dataset.append_positions", HG_KEY_BOOL, offsetof(hg_config, dataset.append_positions), "false", NULL, NULL,
     "each node's position follows its features and is scaled with them; for dense features, or none"},
    {"dataset.dense_from", HG_KEY_REAL, offsetof(hg_config, dataset.dense_from), "0.25", &shares, NULL,
     "sparse features are computed with as dense ones where more than this share of them is not 0 and "
     "model.input_dropout is 0; 1: never"},
    {"partition", HG_KEY_SECTION, 0, NULL, NULL, NULL, "which rank owns which node"},
    {"partition.method", HG_KEY_TEXT, offsetof(hg_config, partition.method), "metis", &short_text, NULL,
     "a partitioner; `halognn partition --help` lists them"},
    {"partition.path", HG_KEY_TEXT, offsetof(hg_config, partition.path), "", &path_text, NULL,
     "a parts file made by `halognn partition`; empty: made when needed and cached beside the graph"},
    {"partition.objective", HG_KEY_CHOICE, offsetof(hg_config, partition.objective), "volume", NULL, objectives,
     "least: volume, halo rows to send; cut, edges cut; largest, rows of the part that sends or receives most"},
    {"partition.refine", HG_KEY_BOOL, offsetof(hg_config, partition.refine), "true", NULL, NULL,
     "volume and largest: then nodes are moved so that the part that sends or receives most rows has fewer"},
    {"partition.balance", HG_KEY_FLAGS, offsetof(hg_config, partition.balance), "nodes", NULL, balances,
     "what parts have equally much of; edges where degrees vary; labels: training nodes; active: work that reaches "
     "them"},
    {"partition.imbalance", HG_KEY_REAL, offsetof(hg_config, partition.imbalance), "1.05", &imbalances, NULL,
     "allowed ratio of the largest part to the mean"},
    {"partition.hosts", HG_KEY_INTEGER, offsetof(hg_config, partition.hosts), "1", &host_counts, NULL,
     "split for so many hosts first, then for the ranks of each; auto: as many as the launcher uses"},
    {"partition.seed", HG_KEY_SEED, offsetof(hg_config, partition.seed), "1", NULL, NULL,
     "of the partitioner; does not follow `seed`, so that repeats share their parts"},
    {"partition.order", HG_KEY_CHOICE, offsetof(hg_config, partition.order), "auto", NULL, orders,
     "of the nodes in a part, so that the rows of neighbours stay in the cache; auto: by a count on the graph"},
    {"parallel", HG_KEY_SECTION, 0, NULL, NULL, NULL, "how ranks share the aggregation"},
    {"parallel.mode", HG_KEY_CHOICE, offsetof(hg_config, parallel.mode), "parts", NULL, parallel_modes,
     "a rank aggregates all columns of its part; some columns of the whole graph; some of a part that ranks share; or "
     "what takes least, as measured at the start"},
    {"parallel.columns", HG_KEY_INTEGER, offsetof(hg_config, parallel.columns), "1", &counted, NULL,
     "grid: how many ranks share a part, by columns; ranks / columns is the number of parts"},
    {"model", HG_KEY_SECTION, 0, NULL, NULL, NULL, "the network"},
    {"model.type", HG_KEY_TEXT, offsetof(hg_config, model.type), "gcn", &short_text, NULL,
     "the kind of its layers: gcn, geogcn for graphs whose nodes have positions, or mlp, which knows nothing of edges"},
    {"model.layers", HG_KEY_INTEGER, offsetof(hg_config, model.layers), "2", &layer_counts, NULL, "number of layers"},
    {"model.hidden", HG_KEY_INTEGER, offsetof(hg_config, model.hidden), "16", &widths, NULL,
     "width of each layer but the last, which has the width of the labels"},
    {"model.dropout", HG_KEY_REAL, offsetof(hg_config, model.dropout), "0.5", &rates, NULL,
     "probability that an input of a layer after the first is set to 0 while training"},
    {"model.label_rate", HG_KEY_REAL, offsetof(hg_config, model.label_rate), "0", &rates, NULL,
     "probability that a training node's label is an input in an epoch, whose loss is of the others; 0: labels are "
     "none"},
    {"model.recompute", HG_KEY_BOOL, offsetof(hg_config, model.recompute), "false", NULL, NULL,
     "hidden layers with a norm share one matrix of outputs, made again in the backward pass: less memory, the same "
     "bits; without a norm, of a gcn of two layers that keeps its first aggregate, fewer hidden rows are kept"},
    {"model.skip_zeros", HG_KEY_CHOICE, offsetof(hg_config, model.skip_zeros), "auto", NULL, wishes,
     "with relu, gradients of gcn and mlp in float32 leave out the zeros of hidden rows, the same to rounding; a gcn "
     "of three layers or more on one rank keeps these rows without them too, where it can: dense features, fewer "
     "classes than hidden, no norm, residual, input_dropout and label_rate; auto: where it is faster: gradients of "
     "wide layers from a dropout of a half on, rows of 32 MiB or more from a third on with Intel's AVX-512"},
    {"model.input_dropout", HG_KEY_REAL, offsetof(hg_config, model.input_dropout), "auto", &rates_or_auto, NULL,
     "the same for the first layer's input; auto: as model.dropout"},
    {"model.activation", HG_KEY_CHOICE, offsetof(hg_config, model.activation), "relu", NULL, activations,
     "after every layer but the last"},
    {"model.normalization", HG_KEY_CHOICE, offsetof(hg_config, model.normalization), "symmetric", NULL, adjacencies,
     "of neighbours: by the root of both degrees, by the row's degree (mean), or none (sum)"},
    {"model.self_loops", HG_KEY_BOOL, offsetof(hg_config, model.self_loops), "true", NULL, NULL,
     "each node is its own neighbour too"},
    {"model.bias", HG_KEY_BOOL, offsetof(hg_config, model.bias), "true", NULL, NULL,
     "a bias in every layer but before batch norm, which has its own"},
    {"model.residual", HG_KEY_BOOL, offsetof(hg_config, model.residual), "false", NULL, NULL,
     "hidden layers after the first add their input before norm and activation, where the widths agree"},
    {"model.norm", HG_KEY_CHOICE, offsetof(hg_config, model.norm), "none", NULL, norms,
     "after every layer but the last, before the activation; batch: over the nodes of all ranks"},
    {"model.precision", HG_KEY_CHOICE, offsetof(hg_config, model.precision), "float32", NULL, precisions,
     "of what gcn and mlp layers aggregate and multiply; weights, sums and what is exchanged stay float32"},
    {"model.filters", HG_KEY_INTEGER, offsetof(hg_config, model.filters), "8", &filter_counts, NULL,
     "geogcn: gates of each channel, which open by where a neighbour is"},
    {"model.filters_per", HG_KEY_CHOICE, offsetof(hg_config, model.filters_per), "channel", NULL, filter_owners,
     "geogcn: each channel has gates of its own, or all channels share them"},
    {"model.normalize_positions", HG_KEY_CHOICE, offsetof(hg_config, model.normalize_positions), "mean_edge", NULL,
     position_scalings,
     "geogcn: positions are divided by the mean length of the training's edges, or taken as they are"},
    {"model.pooling", HG_KEY_CHOICE, offsetof(hg_config, model.pooling), "none", NULL, poolings,
     "collections: cluster merges pairs of neighbours after every layer and takes the larger of their outputs"},
    {"model.pooling_weight", HG_KEY_CHOICE, offsetof(hg_config, model.pooling_weight), "distance", NULL, pairings,
     "pooling: pairs far neighbours first, as published, or near ones; both need positions"},
    {"model.readout", HG_KEY_CHOICE, offsetof(hg_config, model.readout), "mean", NULL, reductions,
     "collections: how the outputs of a graph's nodes become one row"},
    {"model.head_layers", HG_KEY_INTEGER, offsetof(hg_config, model.head_layers), "1", &layer_counts, NULL,
     "collections: dense layers after the readout; the last has the width of the labels, others model.hidden"},
    {"halo", HG_KEY_SECTION, 0, NULL, NULL, NULL,
     "what crosses between ranks while it learns; evaluations send float32"},
    {"halo.aggregation", HG_KEY_CHOICE, offsetof(hg_config, model.halo.aggregation), "sources", NULL, aggregations,
     "what crosses between two ranks: the rows of sources, or for the fewest bytes also sums of them, of geogcn times "
     "the weights (covers)"},
    {"halo.precision", HG_KEY_CHOICE, offsetof(hg_config, model.halo.precision), "float32", NULL, halo_precisions,
     "of the halo's rows and their gradients; integers by each row's range, at random without bias, the last layer's "
     "int8"},
    {"halo.skip_zeros", HG_KEY_CHOICE, offsetof(hg_config, model.halo.skip_zeros), "between_hosts", NULL, occasions,
     "when rows cross without what relu and dropout have set to 0, and its gradients: fewer bytes, more packing; "
     "between_hosts: rows in float32, the same numbers"},
    {"halo.bytes_fraction", HG_KEY_REAL, offsetof(hg_config, model.halo.bytes_fraction), "0.15", &factors, NULL,
     "precision: adaptive gives each row 8, 4 or 2 bits, for so many bytes of a message over those of float32"},
    {"halo.warmup_epochs", HG_KEY_INTEGER, offsetof(hg_config, model.halo.warmup_epochs), "0", &not_negative_count,
     NULL, "first epochs, which send float32"},
    {"halo.error_feedback", HG_KEY_BOOL, offsetof(hg_config, model.halo.error_feedback), "false", NULL, NULL,
     "what rounding took from a number is added to the next one sent in its place; keeps all that is sent once more"},
    {"halo.sample", HG_KEY_REAL, offsetof(hg_config, model.halo.sample), "1", &factors, NULL,
     "share of each peer's rows that cross, drawn anew each epoch, so that sums stay right in the mean; 1: all"},
    {"halo.staleness", HG_KEY_CHOICE, offsetof(hg_config, model.halo.staleness.kind), "none", NULL, stalenesses,
     "pipeline: rows of the epoch before; delayed: a part of them crosses each epoch; skip: those that have changed"},
    {"halo.feature_smoothing", HG_KEY_REAL, offsetof(hg_config, model.halo.staleness.feature_smoothing), "0", &rates,
     NULL, "staleness: pipeline goes on with so much of its last halo rows, and the rest of those that came"},
    {"halo.gradient_smoothing", HG_KEY_REAL, offsetof(hg_config, model.halo.staleness.gradient_smoothing), "0", &rates,
     NULL, "the same of the halo's gradients"},
    {"halo.bins", HG_KEY_INTEGER, offsetof(hg_config, model.halo.staleness.bins), "5", &bin_counts, NULL,
     "staleness: delayed sends each row every so many epochs"},
    {"halo.skip_threshold", HG_KEY_REAL, offsetof(hg_config, model.halo.staleness.skip_threshold), "0.1", &not_negative,
     NULL, "staleness: skip sends what has changed by more than this share of its norm; 0: all changes"},
    {"halo.max_age", HG_KEY_INTEGER, offsetof(hg_config, model.halo.staleness.max_age), "10", &counted, NULL,
     "staleness: skip uses nothing that is more epochs old"},
    {"halo.skip_per", HG_KEY_CHOICE, offsetof(hg_config, model.halo.staleness.skip_per), "row", NULL, skip_units,
     "staleness: skip compares and sends single rows, or all rows for a peer or none"},
    {"halo.compute_first", HG_KEY_CHOICE, offsetof(hg_config, model.halo.compute_first), "between_hosts", NULL,
     occasions,
     "when halo rows of the first layer's output are computed here from aggregates that are kept, and do not cross; "
     "between_hosts: in exact modes, where it is little work"},
    {"halo.hosts", HG_KEY_CHOICE, offsetof(hg_config, model.halo.hosts), "ranks", NULL, between_hosts,
     "between hosts each rank sends to each rank; or merged: one message, each row once, shared in the other host's "
     "memory"},
    {"augment", HG_KEY_SECTION, 0, NULL, NULL, NULL,
     "how the nodes' positions vary while it learns, for model types that use positions"},
    {"augment.rotate", HG_KEY_REAL, offsetof(hg_config, augment.rotate), "0", &angles, NULL,
     "degrees; 180: every rotation alike, in any dimension; less: by an angle up to it in a random plane; 0: none"},
    {"augment.reflect", HG_KEY_BOOL, offsetof(hg_config, augment.reflect), "false", NULL, NULL,
     "mirrored half the time, along the first coordinate before any rotation"},
    {"augment.scale", HG_KEY_REAL, offsetof(hg_config, augment.scale), "0", &stretches, NULL,
     "lengths times a factor between 1 / (1 + scale) and 1 + scale, its logarithm uniform"},
    {"augment.jitter", HG_KEY_REAL, offsetof(hg_config, augment.jitter), "0", &not_negative, NULL,
     "standard deviation of noise on each coordinate; of mean edges with model.normalize_positions: mean_edge"},
    {"augment.per", HG_KEY_CHOICE, offsetof(hg_config, augment.per), "graph", NULL, augment_units,
     "who shares a rotation, reflection and factor; jitter is each node's own, new in every epoch"},
    {"augment.test_samples", HG_KEY_INTEGER, offsetof(hg_config, augment.test_samples), "0", &sample_counts, NULL,
     "evaluation and prediction average the outputs of so many augmented passes; 0: one, of the positions as they are"},
    {"train", HG_KEY_SECTION, 0, NULL, NULL, NULL, "how it learns"},
    {"train.epochs", HG_KEY_INTEGER, offsetof(hg_config, train.epochs), "200", &counted, NULL,
     "passes over the training data, at most"},
    {"train.batch_size", HG_KEY_INTEGER, offsetof(hg_config, train.batch_size), "64", &batch_sizes, NULL,
     "graphs of a step, of all ranks together, when the data are a collection of graphs"},
    {"train.optimizer", HG_KEY_CHOICE, offsetof(hg_config, train.optimizer), "adam", NULL, optimizers,
     "adamw: weight decay apart from the gradient"},
    {"train.learning_rate", HG_KEY_REAL, offsetof(hg_config, train.learning_rate), "0.01", &positive, NULL,
     "at its highest"},
    {"train.momentum", HG_KEY_REAL, offsetof(hg_config, train.momentum), "0", &rates, NULL, "of sgd"},
    {"train.beta1", HG_KEY_REAL, offsetof(hg_config, train.beta1), "0.9", &rates, NULL,
     "of adam and adamw: decay of the mean of gradients"},
    {"train.beta2", HG_KEY_REAL, offsetof(hg_config, train.beta2), "0.999", &rates, NULL,
     "of adam and adamw: decay of the mean of squared gradients"},
    {"train.epsilon", HG_KEY_REAL, offsetof(hg_config, train.epsilon), "1.0e-8", &positive, NULL,
     "of adam and adamw: added to the root of the squared gradients"},
    {"train.weight_decay", HG_KEY_REAL, offsetof(hg_config, train.weight_decay), "0", &not_negative, NULL,
     "L2 penalty on the weights"},
    {"train.weight_decay_layers", HG_KEY_CHOICE, offsetof(hg_config, train.weight_decay_layers), "all", NULL,
     decay_layers, "which layers' weights decay; first: as in Kipf and Welling's GCN"},
    {"train.schedule", HG_KEY_CHOICE, offsetof(hg_config, train.schedule), "constant", NULL, schedules,
     "of the learning rate, after the warm-up"},
    {"train.warmup_epochs", HG_KEY_INTEGER, offsetof(hg_config, train.warmup_epochs), "0", &not_negative_count, NULL,
     "epochs in which the learning rate rises linearly from 0"},
    {"train.step_epochs", HG_KEY_INTEGER, offsetof(hg_config, train.step_epochs), "100", &counted, NULL,
     "schedule: step multiplies the learning rate every so many epochs"},
    {"train.step_factor", HG_KEY_REAL, offsetof(hg_config, train.step_factor), "0.1", &factors, NULL, "... by this"},
    {"train.min_learning_rate", HG_KEY_REAL, offsetof(hg_config, train.min_learning_rate), "0", &not_negative, NULL,
     "where schedule: cosine ends, and step stops"},
    {"train.evaluate_every", HG_KEY_INTEGER, offsetof(hg_config, train.evaluate_every), "1", &counted, NULL,
     "epochs between evaluations on the validation and test nodes"},
    {"train.patience", HG_KEY_INTEGER, offsetof(hg_config, train.patience), "0", &not_negative_count, NULL,
     "evaluations without a better validation metric before it stops early; 0: never"},
    {"train.loss", HG_KEY_CHOICE, offsetof(hg_config, train.loss), "auto", NULL, losses,
     "auto: cross_entropy for classes, bce for multi-label data, mse for regression"},
    {"train.metric", HG_KEY_CHOICE, offsetof(hg_config, train.metric), "auto", NULL, metrics,
     "chooses the best epoch on the validation nodes; auto: accuracy, micro_f1 or rmse by the data"},
    {"train.label_smoothing", HG_KEY_REAL, offsetof(hg_config, train.label_smoothing), "0", &rates, NULL,
     "share of the target spread over all classes, for cross_entropy"},
    {"train.class_weights", HG_KEY_CHOICE, offsetof(hg_config, train.class_weights), "none", NULL, class_weights,
     "balanced: a class counts by the inverse of its number of training nodes"},
    {"train.checkpoint_every", HG_KEY_INTEGER, offsetof(hg_config, train.checkpoint_every), "100", &not_negative_count,
     NULL, "epochs between checkpoints; 0: only the best epoch and the last"},
    {"train.keep_checkpoints", HG_KEY_INTEGER, offsetof(hg_config, train.keep_checkpoints), "2", &counted, NULL,
     "periodic checkpoints kept, besides the best"},
    {"train.active_sets", HG_KEY_BOOL, offsetof(hg_config, train.active_sets), "true", NULL, NULL,
     "training passes aggregate and send, and those of gcn compute, only what can reach the loss of the training "
     "nodes; evaluations what can reach a labelled node of a split"},
    {"train.sync", HG_KEY_CHOICE, offsetof(hg_config, train.sync), "allreduce", NULL, syncs,
     "of the ranks: gradients by MPI each step, weights averaged at times, gradients through the coordinator"},
    {"train.sync_every", HG_KEY_INTEGER, offsetof(hg_config, train.sync_every), "1", &counted, NULL,
     "sync: local averages the weights every so many steps"},
    {"coordinator", HG_KEY_SECTION, 0, NULL, NULL, NULL, "the process that plans the epochs"},
    {"coordinator.transport", HG_KEY_CHOICE, offsetof(hg_config, coordinator.transport), "auto", NULL, transports,
     "auto: ipc when all ranks share a host, else tcp"},
    {"coordinator.timeout_seconds", HG_KEY_REAL, offsetof(hg_config, coordinator.timeout_seconds), "60", &timeouts,
     NULL, "silence after which a rank counts as lost"},
};
_Static_assert(sizeof hg_keys / sizeof *hg_keys == HG_KEY_COUNT, "HG_KEY_COUNT counts the table's rows");
_Static_assert(sizeof((hg_model_options *)0)->type == HG_NAME_MAX, "short_text is the length of model.type");
_Static_assert(sizeof(hg_metric) == sizeof(int), "an enum's field is written as an int");

const hg_key *hg_key_find(const char *name)
{
  for (int k = 0; k < HG_KEY_COUNT; k++)
    if (strcmp(hg_keys[k].name, name) == 0) return &hg_keys[k];
  return NULL;
}

const char *hg_key_leaf(const hg_key *key)
{
  const char *dot = strrchr(key->name, '.');
  return dot ? dot + 1 : key->name;
}

const char *hg_key_suggest(const char *name)
{
  enum { LONGEST = 64 };
  if (strlen(name) > LONGEST) return NULL;
  const char *dot = strrchr(name, '.'), *leaf = dot ? dot + 1 : name;
  const char *names[HG_KEY_COUNT + 1] = {0}, *leaves[HG_KEY_COUNT + 1] = {0};
  for (int k = 0; k < HG_KEY_COUNT; k++) {
    leaves[k] = hg_key_leaf(&hg_keys[k]);
    names[k] = hg_keys[k].name;
    if (strcmp(leaf, leaves[k]) == 0) return names[k]; // the right word in the wrong section
  }
  const char *near = hg_suggest(name, names);
  if (near && (!dot || strchr(near, '.'))) return near; // a section is no key of another
  near = hg_suggest(leaf, leaves);
  for (int k = 0; near && k < HG_KEY_COUNT; k++)
    if (leaves[k] == near && (!dot || hg_keys[k].type != HG_KEY_SECTION)) return names[k];
  return NULL;
}

static void join(char *text, size_t size, const char *start, const char *const *words)
{
  size_t used = (size_t)snprintf(text, size, "%s", start);
  for (int w = 0; words[w] && used < size; w++)
    used += (size_t)snprintf(text + used, size - used, "%s%s", w ? ", " : "", words[w]);
}

static void expected_number(const hg_key_range *r, bool integer, char *text, size_t size)
{
  const char *what = integer ? "an integer" : "a number", *finite = integer ? "an integer" : "a finite number",
             *automatic = r->automatic ? "auto or " : "";
  bool bounded = integer ? r->most < INT_MAX : isfinite(r->most);
  if (!bounded)
    snprintf(text, size, "%s%s %s %g", automatic, finite, r->above ? "greater than" : "of at least", r->least);
  else if (!integer)
    snprintf(text, size, "%s%s in %s%g, %g%s", automatic, what, r->above ? "(" : "[", r->least, r->most,
             r->below ? ")" : "]");
  else
    snprintf(text, size, "%s%s from %.0f to %.0f", automatic, what, r->least, r->most);
}

void hg_key_expected(const hg_key *key, char *text, size_t size)
{
  switch (key->type) {
  case HG_KEY_SECTION:
    snprintf(text, size, "a map of keys");
    return;
  case HG_KEY_TEXT:
    snprintf(text, size, "text of at most %.0f bytes", key->range->most);
    return;
  case HG_KEY_INTEGER:
    expected_number(key->range, true, text, size);
    return;
  case HG_KEY_SEED:
    snprintf(text, size, "an integer from 0 to %llu", (unsigned long long)UINT64_MAX);
    return;
  case HG_KEY_REAL:
    expected_number(key->range, false, text, size);
    return;
  case HG_KEY_BOOL:
    snprintf(text, size, "true or false");
    return;
  case HG_KEY_CHOICE:
    join(text, size, "one of ", key->choices);
    return;
  case HG_KEY_FLAGS:
    join(text, size, "a list of one or more of ", key->choices);
    return;
  }
}
