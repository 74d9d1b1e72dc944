#pragma once
#include <stddef.h>

#include "core/graph/graph.h"
#include "models/options.h"
#include "partition/partitioner.h"

typedef enum { HG_FEATURES_AS_IS, HG_FEATURES_ROW, HG_FEATURES_STANDARDIZE } hg_feature_scaling;
typedef enum {
  HG_TARGETS_AS_IS,
  HG_TARGETS_STANDARDIZE
} hg_target_scaling; ///< by the training nodes; outputs are scaled back
typedef enum { HG_OPTIMIZER_SGD, HG_OPTIMIZER_ADAM, HG_OPTIMIZER_ADAMW } hg_optimizer_kind;
typedef enum { HG_SCHEDULE_CONSTANT, HG_SCHEDULE_STEP, HG_SCHEDULE_COSINE } hg_schedule_kind;
typedef enum { HG_DECAY_ALL, HG_DECAY_FIRST } hg_decay_layers;
typedef enum { HG_CHOICE_AUTO_LOSS, HG_CHOICE_CROSS_ENTROPY, HG_CHOICE_BCE, HG_CHOICE_MSE } hg_loss_choice;
typedef enum {
  HG_METRIC_AUTO,
  HG_METRIC_ACCURACY,
  HG_METRIC_MICRO_F1,
  HG_METRIC_MACRO_F1,
  HG_METRIC_ROC_AUC,
  HG_METRIC_RMSE
} hg_metric;
typedef enum { HG_SYNC_ALLREDUCE, HG_SYNC_LOCAL, HG_SYNC_COORDINATOR } hg_sync;
typedef enum { HG_TRANSPORT_AUTO, HG_TRANSPORT_IPC, HG_TRANSPORT_TCP } hg_transport;
typedef enum { HG_CLASS_WEIGHTS_NONE, HG_CLASS_WEIGHTS_BALANCED } hg_class_weights;

typedef enum {
  HG_PARALLEL_PARTS,    ///< each rank has a part of the graph
  HG_PARALLEL_FEATURES, ///< each rank aggregates some columns of the whole graph
  HG_PARALLEL_GRID,     ///< some columns of a part
  HG_PARALLEL_AUTO      ///< what takes least (runtime/train/choose_columns.h)
} hg_parallel_mode;

enum { HG_PATH_MAX = 4096, HG_NAME_MAX = 128 };

/** An experiment: every key of the YAML file, resolved. Field `a.b` is key `a: {b: }`; strings are kept in place. */
typedef struct {
  char name[HG_NAME_MAX];
  uint64_t seed;
  int repeat;               ///< runs with seed, seed + 1, ...
  int threads;              ///< of each rank; 0: what the launcher gives
  char output[HG_PATH_MAX]; ///< folder of the run; "" : runs/NAME
  struct {
    char path[HG_PATH_MAX];
    hg_feature_scaling normalize_features;
    hg_target_scaling normalize_targets;
    bool append_positions; ///< to the features, before they are scaled
    double dense_from;     ///< sparse features that are fuller are made dense, after they are scaled
  } dataset;
  struct {
    char method[HG_NAME_MAX];
    char path[HG_PATH_MAX]; ///< a parts file to use; "": made and cached beside the graph
    hg_objective objective;
    bool refine;
    int balance; ///< HG_BALANCE_ bits
    double imbalance;
    int hosts; ///< -1: auto
    uint64_t seed;
    hg_order_kind order;
  } partition;
  struct {
    hg_parallel_mode mode;
    int columns; ///< of a grid: ranks that share a part; hg_config_columns
    int before;  ///< no key. auto: what the run that is resumed chose; 0: it is to be chosen
  } parallel;
  hg_model_options
      model; ///< with the keys of halo: in `halo`; input_dropout < 0 before hg_config_resolve: same as dropout
  hg_augment_options augment;
  struct {
    int epochs;
    int batch_size; ///< graphs of a step, on all ranks; collections only
    hg_optimizer_kind optimizer;
    double learning_rate, momentum, beta1, beta2, epsilon, weight_decay;
    hg_decay_layers weight_decay_layers;
    hg_schedule_kind schedule;
    int warmup_epochs, step_epochs;
    double step_factor, min_learning_rate;
    int evaluate_every, patience; ///< patience in evaluations without improvement; 0: no early stopping
    hg_loss_choice loss;
    hg_metric metric; ///< chooses the best epoch, on the validation split
    double label_smoothing;
    hg_class_weights class_weights;
    int checkpoint_every, keep_checkpoints; ///< checkpoint_every 0: only the best and the last
    bool active_sets;                       ///< training passes leave out what cannot reach the loss
    hg_sync sync;
    int sync_every; ///< sync: local: average the weights every so many steps
  } train;
  struct {
    hg_transport transport;
    double timeout_seconds;
  } coordinator;
} hg_config;

/** The defaults of every key. */
hg_config hg_config_default(void);

/**
 * Reads a config file over what `config` holds (hg_config_default). A config without a name is called as its file.
 * Not collective.
 * @return   HG_ERR_INPUT for unknown keys, wrong types and values out of range: "FILE:LINE: key: found X, expected Y"
 *           with the nearest right key; `config` is as it was then
 */
hg_status hg_config_load(hg_config *config, const char *path);

/** The same from text, named `name` in messages: for tests, fuzzing, and the copy that a run keeps. */
hg_status hg_config_parse(hg_config *config, const char *text, size_t length, const char *name);

/**
 * Applies one `a.b=value` of --set: "train.epochs=100", "partition.balance=[nodes, edges]". Texts are taken as they
 * stand, without YAML's quotes. HG_ERR_INPUT: "--set KEY: found X, expected Y".
 */
hg_status hg_config_override(hg_config *config, const char *assignment);

/** The defaults, then the file, then each "key=value" of `overrides`: what commands take. Errors as of both. */
hg_status hg_config_read(hg_config *config, const char *path, const char *const *overrides, int n_overrides);

/** Checks what concerns several keys, and fills input_dropout, output, name. Call it after the overrides. */
hg_status hg_config_resolve(hg_config *config);

/**
 * How many ranks share a part, each aggregating some of the columns: 1 with parts and, until it is chosen, auto; all
 * with features.
 * HG_ERR_INPUT where they do not divide the number of ranks.
 */
hg_status hg_config_columns(const hg_config *config, int ranks, int *columns);

/** The `partition:` keys; its method is text of `config`. Hosts that are auto are one. */
hg_partition_options hg_config_partition(const hg_config *config);

/**
 * Finds dataset.path: from the working directory, then from the config file's folder, then in the folder that the
 * environment variable HALOGNN_DATA names (there also without its leading folders); replaces it by what was found.
 */
hg_status hg_config_find_dataset(hg_config *config, const char *config_path);

/** The resolved config as YAML text that hg_config_parse reads back to the same bits; hg_alloc, the caller frees. */
hg_status hg_config_print(const hg_config *config, char **yaml);

/** Documentation of every key: type, default, choices, meaning; hg_alloc, the caller frees. */
hg_status hg_config_schema(char **text);

/** The same as Markdown tables, for docs/configuration.md. */
hg_status hg_config_schema_markdown(char **text);
