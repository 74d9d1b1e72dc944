#pragma once
#include "comm/host_routes.h"
#include "comm/stale_exchange.h"
#include "core/graph/hierarchy.h"
#include "core/tensor/epilogue.h"
#include "core/tensor/quantise.h"
#include "core/tensor/segment.h"

typedef enum { HG_ADJACENCY_SYMMETRIC, HG_ADJACENCY_ROW, HG_ADJACENCY_SUM } hg_adjacency_norm;
typedef enum { HG_LAYER_NORM_NONE, HG_LAYER_NORM_LAYER, HG_LAYER_NORM_BATCH } hg_layer_norm_kind;
typedef enum { HG_PRECISION_FLOAT32, HG_PRECISION_BFLOAT16 } hg_precision; ///< of what is aggregated and multiplied
typedef enum { HG_FILTERS_PER_CHANNEL, HG_FILTERS_SHARED } hg_filters_per; ///< a channel's own, or the same for all
typedef enum { HG_POSITIONS_MEAN_EDGE, HG_POSITIONS_AS_IS } hg_position_scaling; ///< by the mean length of the edges

typedef enum {
  HG_POOLING_NONE,
  HG_POOLING_CLUSTER
} hg_pooling; ///< of nodes, after each layer: see core/graph/hierarchy.h
typedef enum { HG_AUGMENT_PER_GRAPH, HG_AUGMENT_PER_BATCH, HG_AUGMENT_PER_EPOCH } hg_augment_per;

/** How positions vary from pass to pass (models/augment.h); the config's `augment:` group. All 0: not at all. */
typedef struct {
  double rotate; ///< degrees: 180, every rotation alike; less, by an angle up to it in a random plane; 0: none
  bool reflect;
  double scale;       ///< factors of 1 / (1 + scale) to 1 + scale, their logarithm uniform
  double jitter;      ///< standard deviation of the noise of each coordinate, in the unit of the scaled positions
  hg_augment_per per; ///< who shares rotation, reflection and factor
  int test_samples;   ///< passes over which an evaluation averages the logits; 0: one, of the positions as they are
} hg_augment_options;

typedef enum {
  HG_AGGREGATION_SOURCES, ///< each node's row crosses, to every rank with one of its neighbours
  HG_AGGREGATION_COVERS   ///< or sums of them, where these are fewer (models/covered.h)
} hg_aggregation;

/**
 * When rows cross without their zeros: packing takes time, which a network gives back and memory does not.
 * BETWEEN_HOSTS is for rows in float32.
 */
typedef enum { HG_SKIP_ZEROS_BETWEEN_HOSTS, HG_SKIP_ZEROS_ALWAYS, HG_SKIP_ZEROS_NEVER } hg_skip_zeros;

/**
 * When halo rows of the first layer's output are computed here and do not cross (models/compute_first.h). BETWEEN_HOSTS
 * is for exact modes, and where it is little work for the bytes that it saves.
 */
typedef enum { HG_COMPUTE_FIRST_BETWEEN_HOSTS, HG_COMPUTE_FIRST_ALWAYS, HG_COMPUTE_FIRST_NEVER } hg_compute_first;

/** Whether hidden rows are kept without their zeros (models/thin.h). AUTO: where that is faster. */
typedef enum { HG_SKIP_HIDDEN_AUTO, HG_SKIP_HIDDEN_ALWAYS, HG_SKIP_HIDDEN_NEVER } hg_skip_hidden;

/** How halo rows cross between ranks in training; evaluations send reals. The config's `halo:` group. */
typedef struct {
  hg_aggregation aggregation;
  hg_pack_format precision; ///< the last layer's rows keep 8 bits
  hg_skip_zeros
      skip_zeros; ///< numbers that are 0 stay out of messages, where precision is that of reals evaluations' too
  hg_compute_first compute_first; ///< in evaluations as well
  int computed_before;    ///< no key. BETWEEN_HOSTS: the run that is resumed computed them, 1, or not, -1; 0: undecided
  hg_between_hosts hosts; ///< MERGED: of evaluations as well; the same bits for all rows
  int warmup_epochs;      ///< the first epochs, which send reals
  bool error_feedback;
  double bytes_fraction;  ///< of ADAPTIVE
  double sample;          ///< share of each peer's rows that cross, drawn anew each epoch (models/sampled.h); 1: all
  hg_staleness staleness; ///< how old they may be
} hg_halo_options;

/** What a model is made of; the config's `model:` group. */
typedef struct {
  char type[128]; ///< a name of hg_layer_types
  int layers, hidden;
  double dropout, input_dropout; ///< of the layers' inputs; input_dropout is the first layer's
  hg_activation activation;      ///< after every layer but the last
  hg_adjacency_norm normalization;
  bool recompute;            ///< hidden layers' outputs are made again in the backward pass (models/recompute.h)
  bool embeds;               ///< no key: hg_model_embeddings are wanted, so that the last hidden rows are stored
  hg_skip_hidden skip_zeros; ///< of hidden rows, where models/thin.h knows how
  bool self_loops, bias;     ///< bias: but not before batch norm, which has one
  bool residual; ///< hidden layers after the first add their input before norm and activation, where both widths agree
  hg_layer_norm_kind norm; ///< after every layer but the last
  double label_rate;       ///< probability that a training node's label is an input (models/label_input.h); 0: none is
  hg_precision precision;  ///< BFLOAT16: what is aggregated and multiplied is rounded; sums and weights are not
  int filters;             ///< geogcn: gates of each channel
  hg_filters_per filters_per;
  hg_position_scaling normalize_positions;
  // of graph-level tasks alone
  hg_pooling pooling;
  hg_pairing pooling_weight;
  hg_reduction readout; ///< of a graph's nodes to one row
  int head_layers;      ///< mlp layers after the readout; the last one gives the outputs
  // of models on parts alone
  hg_halo_options halo;
} hg_model_options;
