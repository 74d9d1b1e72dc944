#pragma once
#include "comm/reduce.h"
#include "models/active.h"
#include "models/batch.h"
#include "models/covered.h"
#include "models/pool.h"
#include "models/sampled.h"

/** Numbers in each of the buffers that layers share. */
typedef struct {
  hg_off product, gradient[2], scratch, sums, packed, blocks, hidden;
  hg_off rounded[2];         ///< of bfloat16
  int threads, widest_block; ///< what `blocks` are for
  hg_slabs_room slabs;
} hg_workspace_size;

/**
 * A stack of layers with one flat array of parameters, the same on every rank. The last layer's outputs are the logits.
 * Everything is allocated by hg_model_create; passes allocate nothing.
 *
 * For nodes there is one stage, on which all layers stand. For whole graphs there are hg_model_coarsenings + 2:
 * `layers` layers of the options' type, layer l on stage l with cluster pooling, else all on stage 0; then the readout
 * pools the last node stage to one row a graph, the last stage, on which `head_layers` mlp layers stand.
 */
typedef struct {
  hg_model_options options;
  int n_stages;
  const hg_stage *stages; ///< [n_stages] borrowed
  hg_pool *pools;         ///< [n_stages - 1] from each stage to the next
  int n_layers;
  hg_layer *layers; ///< [n_layers]
  double
      *active_rows; ///< [n_layers] share of all rows that a training pass aggregates for; 1 without hg_model_activate
  double *scored_rows; ///< [n_layers] the same of evaluations; 1 without hg_model_score
  hg_off n_parameters;
  hg_real *parameters; ///< [n_parameters] layer after layer
  hg_real *gradients;  ///< [n_parameters]
  hg_covered *covered; ///< [n_layers + 1] covers of edges between ranks: of those that a layer's training passes keep,
                       ///< and at last of all; without links where all sources cross, or others' are the same
  hg_prereduced *reduced; ///< [2 x n_layers] or NULL: rows for other ranks, of training passes' edges, then of all;
                          ///< without a base where there are none, or those of an earlier layer serve
  hg_sampled *sampled;    ///< [n_layers] whose halo rows are drawn each epoch; without links where all cross
  hg_off n_state;
  hg_real *state; ///< [n_state] what is remembered but not learned: batch norm's running moments
  hg_workspace_size work_size;
  hg_workspace work;
} hg_model;

/** How often the graphs of a graph-level task are coarsened (hg_hierarchy_create): once after each layer, or never. */
int hg_model_coarsenings(const hg_model_options *options);

/**
 * The layers with their parameters, and nothing allocated but these: what hg_model_measure needs. Free with
 * hg_model_free. Not collective. Of the stages' graphs the sizes are read, of `input` the width and whether it is dense
 * and varies.
 * @param stages      [n_stages] one, without members, for tasks on nodes; a batch's for tasks on graphs
 * @return            HG_ERR_INPUT for an unknown model.type
 */
hg_status hg_model_plan(hg_model *model, const hg_model_options *options, const hg_stage *stages, int n_stages,
                        hg_input *input, int n_outputs);

typedef struct {
  size_t activations; ///< bytes of layer outputs, pooled rows, and what backward keeps
  size_t workspace;   ///< bytes of the buffers that layers share
  size_t halo;        ///< bytes of the exchanges' buffers
} hg_model_size;

/** What a planned model will allocate on this rank. */
hg_model_size hg_model_measure(const hg_model *model);

/** Columns that cross between ranks before a layer aggregates, and back: 0 where it exchanges nothing. */
int hg_model_exchanged(const hg_model *model, int layer);

/** Whether zeros stay out of the rows of layers that have them. @param world  NULL: one host */
bool hg_halo_skips_zeros(const hg_halo_options *halo, const hg_world *world);

/**
 * Bytes of a row in `format` that crosses before a layer aggregates, were zeros to stay out, about: relu is taken to
 * leave half of the numbers and dropout its share. 0 where hg_model_exchanged is.
 */
double hg_model_nonzero_bytes(const hg_model *model, int layer, hg_pack_format format);

/**
 * Whether a layer's rows cross by covers, as the options say: not sums of rows whose zeros stay out, since sums have
 * fewer of them.
 */
bool hg_model_covers(const hg_model *model, int layer);

/**
 * Columns that a layer's training pass aggregates where a graph is shared by columns (models/slabs.h), forward or
 * backward: 0 where it needs no aggregation. Of any planned model.
 */
int hg_model_turned(const hg_model *model, int layer, bool backward);

/** Whether a rank could keep its columns of what a layer aggregates forward: dense features. Of any planned model. */
bool hg_model_keeps_columns(const hg_model *model, int layer);

/** What a layer's rows are packed in where `halo.precision` is that: the last layer's keep 8 bits. */
hg_pack_format hg_model_pack_format(hg_pack_format precision, bool last);

/** Rows of a layer's output: with those of the halo where the next layer exchanges it. */
hg_off hg_model_output_rows(const hg_model *model, int layer);

/**
 * @param stages      as for hg_model_plan; borrowed. Their sizes are what passes have room for
 * @param input       borrowed; for this model alone: it frees the dense features when their aggregate replaces them
 * @param n_outputs   width of the logits
 * @return            HG_ERR_INPUT for an unknown model.type
 * Collective.
 */
hg_status hg_model_create(hg_model *model, const hg_model_options *options, const hg_stage *stages, int n_stages,
                          hg_input *input, int n_outputs);
void hg_model_free(hg_model *model);

/** Whether a pass aggregates in this layer: not where the aggregate was kept when the model was made. */
bool hg_model_aggregates(const hg_layer *layer);

/** How many layers, from the last one down, need not compute all rows in a training pass: for hg_active_create. */
int hg_model_active_levels(const hg_model_options *options);

/** Bytes that hg_model_activate will allocate for a planned model on a part. */
size_t hg_model_active_bytes(const hg_model *model, const hg_active *active, const hg_part *part);

/**
 * From now on training passes leave out what cannot reach the loss: outputs of other rows than those that `active` was
 * made for mean nothing, and their gradients must be zero. With options.halo.sample below 1 they also leave out halo
 * rows, others each epoch; with options.halo.staleness they go on with rows of earlier epochs. Other passes compute
 * everything, but those of hg_model_score. Collective.
 * @param active   of the one stage's part; borrowed: must outlive the model's passes
 */
hg_status hg_model_activate(hg_model *model, hg_active *active);

/**
 * Points a model that was made for a batch at another one, or at the same one after it was filled again: before each
 * forward pass on it. Not collective; cannot fail, allocates nothing.
 * @param stages   [n_stages] without halo, at most as large as those of hg_model_create; borrowed
 * @param input    its features, of the same width; borrowed
 */
void hg_model_bind(hg_model *model, const hg_stage *stages, hg_input *input);

/**
 * Makes labels inputs of all later passes; hg_label_input_sum comes before each. Of a model with options.label_rate.
 * @param labels   borrowed: must outlive the model's passes
 */
void hg_model_show_labels(hg_model *model, hg_label_input *labels);

/** Every parameter as its layer planned it; a function of the seed alone. */
void hg_model_init(hg_model *model, uint64_t seed);

/** The logits [n_owned x n_outputs] of the last stage's owned rows; valid until the next pass. Collective. */
hg_matrix hg_model_forward(hg_model *model, const hg_pass *pass);

/**
 * What takes the gradient of the logits [n_owned x n_outputs] before hg_model_backward: of a model for nodes it is the
 * logits themselves, which the gradient is written over.
 */
hg_matrix hg_model_d_logits(hg_model *model);

/**
 * Fills `gradients` from d_logits, of the pass that hg_model_forward made last.
 * @param sums   each layer's gradients are summed over ranks from the moment they exist (the caller ends the sums);
 *   NULL: they stay local
 * Collective.
 */
void hg_model_backward(hg_model *model, const hg_pass *pass, hg_sums *sums);

/**
 * The last layer's input [n_owned x f]: embeddings of the last stage's rows; the logits when there is one layer. No
 * rows where they are never a matrix (models/streamed.h).
 */
hg_matrix hg_model_embeddings(const hg_model *model);

/** Bytes and messages of all its exchanges so far. */
hg_traffic hg_model_traffic(const hg_model *model);

/** "layers.0.weight" and so on. */
void hg_model_parameter_name(const hg_model *model, int layer, int parameter, char *name, size_t size);
