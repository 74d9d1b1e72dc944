#pragma once
#include "models/blocks.h"
#include "models/init.h"
#include "models/input.h"
#include "models/label_input.h"
#include "models/prereduced.h"
#include "models/slabs.h"

/** What one forward or backward pass is about. */
typedef struct {
  bool training; ///< dropout on, batch statistics used and remembered
  bool scored;   ///< not in training: of the outputs those of nodes that are scored alone (models/scored.h)
  uint64_t seed;
  int epoch;
  hg_phases *phases;
  double *layer_s;      ///< or NULL: [2 x layers] seconds of each layer are added, forward passes first, then backward
  const hg_real *turn;  ///< [dims x dims] or NULL: positions p are taken as turn p, by layers that see them
  hg_real *d_positions; ///< [n_local x dims] or NULL; backward of each layer that sees positions adds its gradient of
                        ///< them, the halo's too (models/position_gradient.h)
} hg_pass;

/** Buffers that the layers share, one after the other. */
typedef struct {
  hg_real *product;       ///< [n_local x widest] A layer's product with its weights, and that product's gradient
  hg_real *gradients[2];  ///< a layer takes its output's from one and writes its input's to the other, where it is not
                          ///< written over h
  hg_real *scratch;       ///< parts of a weight gradient: for hg_gemm_at and hg_partials_begin
  hg_real *packed;        ///< weights, as products want them
  hg_real *hidden;        ///< [n_local x hidden] outputs of the layers that recompute, one after the other
  hg_bf16 *rounded[2];    ///< [n_local x widest aggregated] what a layer aggregates in bfloat16; those of odd and even
                          ///< index take turns, since a layer makes the next one's while it reads its own
  hg_blocks blocks;       ///< the threads' blocks of rows
  hg_real *kept;          ///< what backward writes over and needs again when gradients of sums arrive; or NULL
  hg_slabs_buffers slabs; ///< of aggregation by columns
  double *sums;           ///< [2 x widest] of batch norm
} hg_workspace;

/** A view into the flat parameter array. */
typedef struct {
  const char *name; ///< "weight", "bias", "norm.weight", "norm.bias", "label"
  hg_off offset;    ///< from the layer's first parameter
  int rows, cols;
  hg_init init;
} hg_parameter;

enum { HG_LAYER_PARAMETERS_MAX = 6 };

/** Columns of the features that are aggregated at a time where their aggregate replaces them. */
enum { HG_PANEL_COLUMNS = 32 };

typedef struct hg_layer_type hg_layer_type;

/** What a pass of one kind aggregates along, and how halo rows cross in it. */
typedef struct {
  const hg_local_graph *graph; ///< borrowed
  hg_exchange *fill, *add;     ///< forward and transposed; NULL where halo rows are here, and without halo
  hg_stale_exchange *stale[2]; ///< what training passes divert them to (models/stale.h), or NULL
  hg_partial_rows partial;     ///< where the graph has rows for other ranks
} hg_layer_reach;

/** One layer on one rank. Filled by the model; `type` computes with it. */
typedef struct {
  const hg_layer_type *type;
  int index;       ///< 0 is the first
  int stage;       ///< of the model's stages, whose graph this layer works on
  int gradient;    ///< the output's gradient comes in work->gradients[gradient]
  int f_in, f_out; ///< widths
  bool bias, residual;
  bool aggregate_first; ///< (A x) W instead of A (x W): the narrower side is aggregated and exchanged
  bool cached;          ///< first layer, dense features without dropout: A x never changes
  double dropout;       ///< of this layer's input; 0 where it is pooled: then it was dropped before
  double next_dropout;  ///< of the next layer's input: applied to `h` in place
  double kept_share;    ///< with `streams`: of the numbers of h, how many find room until backward; 0: it is made again
  bool drops_output;    ///< here, when h is made; not where the next layer's input is pooled
  bool in_place;        ///< backward writes the gradient of the input over the input, and through the dropout and
                        ///< activation that made it; so the layer before finds its d_h in its h
  bool computes_halo;   ///< first layer: rows of the halo too, so that the next one exchanges nothing
                        ///< (models/compute_first.h)
  bool streams;         ///< h is made a few rows at a time where the next layer reads it, which makes this one's
                        ///< gradients too (models/streamed.h)
  bool thin;            ///< h is no matrix but in `nonzero` (models/thin.h)
  bool skips_input;     ///< the weight gradient leaves out the zeros of the input (models/skip_products.h)
  bool masks_gradient;  ///< the input's gradient is computed where the input is not 0 alone
  bool skips_output;    ///< the weight gradient may leave out the zeros of the output's gradient
  bool recomputes;      ///< h is in work->hidden, which later layers overwrite: models/recompute.h
  hg_activation activation;
  hg_layer_norm_kind norm;
  int filters; ///< of a channel, and whether all channels share them: for kinds that have filters
  bool shared_filters;

  bool rounds;        ///< aggregates and multiplies numbers rounded to bfloat16; sums are reals
  int rounded_width;  ///< columns of what it aggregates in bfloat16, 0: nothing
  bool rounds_output; ///< the next layer aggregates this one's output rounded: written where it is made

  int product_width;   ///< columns of work->product that it needs
  int weight_rows;     ///< rows of the weight gradient that it makes in parts, 0: none
  int turned_width;    ///< columns that its passes aggregate by columns (graph->slabs), 0: none
  bool keeps_columns;  ///< first layer, features under dropout: this rank has its columns of them, so that nothing
                       ///< turns to columns
  bool drops_features; ///< first layer, dense features, in this pass: it computes with x, else with them

  const hg_local_graph *graph; ///< borrowed
  hg_input *input;             ///< the first layer's features; NULL in the others; borrowed
  hg_workspace *work;          ///< borrowed

  int n_parameters;
  hg_parameter parameters[HG_LAYER_PARAMETERS_MAX];
  hg_real *theta, *d_theta; ///< this layer's parameters and their gradients in the flat arrays
  hg_off n_theta;

  hg_matrix x; ///< [n_owned or n_local x f_in] input: the previous layer's h or what is pooled from it, or a dropped
               ///< copy of the dense features; with keeps_columns these columns, hg_slabs_columns_once
  hg_matrix h; ///< [n_owned or n_local x f_out] output; without data where it streams or is thin, as then the next x
  hg_nonzero_matrix nonzero; ///< [n_owned x f_out] of a thin layer h, and on the way back its d_z
  hg_matrix s;               ///< [hg_layer_rows x f_in] A x, kept for the weight gradient (aggregate_first)
  hg_matrix xhat;            ///< [hg_layer_rows x f_out] normalised, kept for the gradient (norm)
  hg_matrix halo;   ///< [n_local - n_owned x f_in] the halo's rows of x, kept where backward needs them and x is shared
  hg_real *inv_std; ///< [hg_layer_rows] layer norm, [f_out] batch norm
  hg_real *mean;    ///< [f_out] batch norm
  hg_real *running; ///< [2 x f_out] batch norm's running mean and variance, in the model's state
  hg_exchange_packing packing; ///< of its exchanges, in the training's epochs after `packs_after`; ids: see there
  int packs_after;
  hg_staleness staleness;      ///< of its exchanges in training; then rows are packed by these alone,
  hg_pack_format stale_format; ///< in this format
  hg_exchange *fill, *add;     ///< forward and transposed exchange; NULL where halo rows are here, and without halo
  hg_partial_rows *partial;    ///< rows of its output that cross, or NULL
  hg_layer_reach whole;        ///< of passes over all rows
  hg_layer_reach active;       ///< of training passes over active rows alone (hg_model_activate); or no graph
  hg_layer_reach scored;       ///< of evaluations over scored rows alone (hg_model_score), `fill` alone; or no graph
  hg_matrix crossing[2];       ///< what `fill` and `add` work on
  hg_turned *turned;           ///< aggregates turned_width columns; NULL without
  int label_classes;           ///< rows of its "label" parameter: the first layer\'s with labels as inputs; else 0
  hg_label_input *labels;      ///< borrowed, or NULL: none are
  void *own;                   ///< what this kind alone keeps, or NULL
} hg_layer;

/** A kind of layer. `forward` fills h from x; `backward` turns d_h into the weight gradients and the gradient of x. */
struct hg_layer_type {
  const char *name, *help;
  bool needs_positions;  ///< of nodes with dense features: hg_local_graph_place was called
  bool local;            ///< works row by row: aggregates and exchanges nothing
  bool in_place;         ///< backward may write over the input: see hg_layer
  bool can_round;        ///< knows hg_layer's `rounds`
  bool can_turn;         ///< aggregates by columns where its graph has slabs
  bool can_compute_halo; ///< knows hg_layer's `computes_halo`, as first and as second layer
  bool linear;           ///< messages are multiples of their sources' rows: others may sum them (models/covered.h)
  bool skips_rows;       ///< its passes make and read the rows that graph->rows says alone, and aggregate by hg_spmm
  bool reduces;          ///< can compute rows of its output for other ranks (models/prereduced.h)
  /** Parameters and what the model allocates for it (aggregate_first, product_width, ...), by widths and options. */
  void (*plan)(hg_layer *layer);
  /** Bytes of arrays that `create` will allocate, exchanges apart; of a planned layer, for the memory plan. */
  size_t (*bytes)(const hg_layer *layer);
  /** Allocates what the layer keeps, creates its exchanges. Collective. */
  hg_status (*create)(hg_layer *layer);
  void (*forward)(hg_layer *layer, const hg_pass *pass);
  /**
   * @param d_h  [hg_layer_rows x f_out], used up
   * @param d_x  [n_local x f_in] owned rows written, or no data: not wanted; with in_place it is x
   */
  void (*backward)(hg_layer *layer, const hg_pass *pass, hg_matrix *d_h, hg_matrix *d_x);
  void (*free_own)(hg_layer *layer); ///< frees what `own` points to; NULL: it has none
};

extern const hg_layer_type hg_layer_gcn, hg_layer_geogcn, hg_layer_mlp;

/** All kinds, ends with NULL. */
extern const hg_layer_type *const hg_layer_types[];

/** The kind called `name`; HG_ERR_INPUT lists the names. */
hg_status hg_layer_type_find(const hg_layer_type **type, const char *name);

/** Frees what a layer's `create` allocated, whatever its kind. */
void hg_layer_free(hg_layer *layer);

/**
 * Parameter `name` of the layer as a matrix over `base` (theta or d_theta); no data when the layer has none of that
 * name.
 */
hg_matrix hg_layer_parameter(const hg_layer *layer, hg_real *base, const char *name);

/** Rows that its passes compute: owned ones, or with computes_halo all. */
hg_off hg_layer_rows(const hg_layer *layer);

/** Whether halo rows of its input are here without an exchange, and their gradients stay. Of a layer in a model. */
bool hg_layer_has_halo(const hg_layer *layer);

/** Adds a parameter to the plan; `init` is what it begins with. */
void hg_layer_plan_parameter(hg_layer *layer, const char *name, int rows, int cols, hg_init init);

/** Adds bias and norm, as the layer has them: what every kind ends with. */
void hg_layer_plan_finish(hg_layer *layer);

/**
 * What crosses between ranks around an aggregation: before it the halo rows of `x` are filled, and what its gradient
 * leaves in the halo rows of `d_x` is added to their owners'. Nothing where hg_layer_has_halo, and without halo.
 * Layers leave it to this function, so that a further mode of exchange concerns none of them.
 * Collective.
 * @param x, d_x   [n_local x f] what is aggregated, and its gradient; their data is borrowed
 */
hg_status hg_layer_create_exchanges(hg_layer *layer, hg_matrix x, hg_matrix d_x);

/**
 * From now on all passes aggregate along the edges of `graph`, which has the same sums by other rows that cross
 * (models/covered.h). After `create`, before hg_layer_activate. Collective.
 */
hg_status hg_layer_cover(hg_layer *layer, const hg_local_graph *graph);

/**
 * From now on training passes aggregate along the edges of `graph`, e.g. a level of active rows (models/active.h), and
 * cross by its links; other passes as before, by reals. After `create`. Collective.
 */
hg_status hg_layer_activate(hg_layer *layer, const hg_local_graph *graph);

/**
 * From now on evaluations aggregate along the edges of `graph`, a level of scored rows, and cross by its links as
 * hg_layer_scored_packing says. After hg_layer_activate. Collective.
 */
hg_status hg_layer_score(hg_layer *layer, const hg_local_graph *graph);

/** How rows cross then: as reals, as those of all rows do in an evaluation, and without zeros where these stay out. */
hg_exchange_packing hg_layer_scored_packing(const hg_layer *layer);

/** Whether its rows cross as reals without zeros. */
bool hg_layer_skips_zeros(const hg_layer *layer);

/** How training passes reach. */
const hg_layer_reach *hg_layer_training_reach(const hg_layer *layer);

/** Takes the reach of a pass, forward and backward: before the forward pass. */
void hg_layer_choose_reach(hg_layer *layer, const hg_pass *pass);

/** Tells the exchanges of a pass how its rows cross, forward and backward: before the forward pass. */
void hg_layer_pack_exchanges(hg_layer *layer, const hg_pass *pass);

/** The dropout of this layer's input in this pass; rate 0 when not training. */
hg_dropout hg_layer_dropout(const hg_layer *layer, const hg_pass *pass);

/** Whether the first layer needs `x` as a copy of its dense features, since dropout changes them. */
bool hg_layer_copies_input(const hg_layer *layer);

/** What the layer computes with: x, or the dense features as they are. */
hg_matrix hg_layer_input(const hg_layer *layer);

/** Brings what is read of `rows` rows of the first layer's input, or its sparse features, under this pass's dropout. */
void hg_layer_drop_input(hg_layer *layer, const hg_pass *pass, hg_off rows);

/**
 * W of a product with rows of this layer, or W' for `transposed`; rounded where the layer rounds.
 * @param space  as hg_right_side_of, as work->packed
 */
hg_right_side hg_layer_right_side(const hg_layer *layer, const hg_matrix *w, bool transposed, hg_real *space);

/**
 * c = a' b over some rows, of rounded numbers where the layer rounds; uses work->scratch.
 * @param zeros  not of rounded numbers
 */
void hg_layer_gemm_at(const hg_layer *layer, const hg_spans *rows, const hg_matrix *a, const hg_matrix *b,
                      hg_zeros zeros, hg_matrix *c);

/** Rows of what the layer aggregates in bfloat16, [rows x rounded_width]; without data where it does not round. */
hg_bf16_matrix hg_layer_rounded(const hg_layer *layer, hg_off rows);

/** Rounds the rows of x to the same rows of hg_layer_rounded, which is returned; nothing where it does not round. */
hg_bf16_matrix hg_layer_round(const hg_layer *layer, const hg_matrix *x);

/** Where the gradient of the input goes, [n_local x f_in] x or a shared buffer: what a transposed exchange works on. */
hg_matrix hg_layer_d_x(const hg_layer *layer);

/** One pass of a layer, for functions that work on some of its rows. */
typedef struct {
  hg_layer *layer;
  const hg_pass *pass;
  const hg_matrix *d_z; ///< backward: the gradient before norm and activation
  hg_matrix *d_x;       ///< backward: where the gradient of the input goes
} hg_layer_task;

/**
 * What every kind ends with: h (or xhat, with a norm) holds z of these rows; afterwards h = dropout(activation(norm(z +
 * bias [+ x]))), but with batch norm z + bias [+ x]. hg_layer_finish_all does the rest when all rows are here, then
 * collective. A hg_finish_rows: `context` is a hg_layer_task.
 */
void hg_layer_finish_rows(void *context, hg_off first, hg_off n);
void hg_layer_finish_all(hg_layer *layer, const hg_pass *pass);

/** Both, of all owned rows: for kinds that do not work in blocks nor compute halo rows. Collective with batch norm. */
void hg_layer_finish(hg_layer *layer, const hg_pass *pass);

/** Numbers that it keeps in work->kept, of as many nodes in sums. */
hg_off hg_layer_kept(const hg_layer *layer, hg_off touched);

/**
 * Before the transposed exchange of a gradient that goes down by hg_layer_pass_rows: what other ranks leave in sums
 * goes down here, where its nodes' rows and masks are. `task` must outlive the exchange.
 */
void hg_layer_receive_gradient(hg_layer_task *task);

/**
 * The way down of some rows: d is the gradient of what the layer computed of its input. Adds the residual's, and writes
 * it to d_x; with in_place through dropout and activation. A hg_pass_rows: `context` is a hg_layer_task.
 */
void hg_layer_pass_rows(void *context, hg_off first, hg_off n, hg_matrix *d);

/**
 * d_W = x' t and the way down of t W' (hg_layer_pass_rows), t = A' d or d itself, block by block: what is after the
 * first layer. `blocks` has everything but the parts of d_W and W', which are filled in here. Without an operator it
 * goes over halo rows where these are here. Collective when it has an operator and the layer exchanges.
 */
void hg_layer_products_gradient(hg_layer *layer, hg_backward_blocks *blocks, const hg_pass *pass);

/** The gradient of all that: d_h becomes d_z; bias and norm gradients are written. Collective with batch norm. */
void hg_layer_finish_gradient(hg_layer *layer, const hg_pass *pass, hg_matrix *d_h);

/** Where a layer writes z: xhat with a norm, else h. */
hg_matrix *hg_layer_z(hg_layer *layer);
