#pragma once
#include "core/tensor/gemm.h"
#include "core/tensor/spmm.h"
#include "models/active_rows.h"
#include "models/stopwatch.h"

/**
 * What layers of dense products compute, a few rows at a time: a block of rows is aggregated, multiplied, finished
 * (bias, norm, activation, dropout) and stored while it is in cache, so that nothing between these steps is ever
 * written to memory. Threads over blocks; the bits do not depend on their number.
 */

/** Rows of a block, at most. */
enum { HG_BLOCK_ROWS = 96 };

/** Rows of the next block, where `left` are left. */
static inline hg_off hg_block_rows(hg_off left) { return left < HG_BLOCK_ROWS ? left : HG_BLOCK_ROWS; }

/** Numbers that `threads` threads need for their blocks of `widest` columns: hg_blocks.space. */
hg_off hg_blocks_space(int threads, int widest);

/** Buffers of the threads. */
typedef struct {
  int threads, widest;
  hg_real *space; ///< [hg_blocks_space(threads, widest)] borrowed
} hg_blocks;

/** Threads that work on blocks. */
int hg_blocks_team(const hg_blocks *b);

/** The calling thread's buffer 0, 1 or 2, [rows x cols]: up to HG_BLOCK_ROWS of `widest` columns. */
hg_matrix hg_blocks_buffer(const hg_blocks *b, int which, hg_off rows, int cols);

/**
 * In how many pieces a pass works that adds up gradients, of which the largest has `widest` rows: a function of the
 * sizes alone. As many as hg_gemm_at_parts says, but where that is more than 16 their parts shall take no more than a
 * sixteenth of n rows.
 */
int hg_piece_count(hg_off n, int widest);

/** Rows [first, first + n), which are piece `part` of their span. On one thread. */
typedef void hg_piece_work(const void *task, hg_off first, hg_off n, int part, hg_stopwatch *watch);

/** The rows of a span in pieces, which are a function of the rows alone. */
typedef struct {
  hg_span rows;
  int pieces;
  int width; ///< numbers of a row that are worked on: few in all are not worth threads
} hg_pieces;

/**
 * Has the threads work on pieces, each of which is one thread's, so that what they add up in parts has the same bits
 * always.
 */
void hg_over_pieces(const hg_blocks *b, const hg_pieces *p, hg_piece_work *work, const void *task, hg_phases *phases);

/** A parameter's gradient, which pieces of rows add up. */
typedef struct {
  hg_matrix sum;   ///< the gradient; without data: it is not wanted
  int parts;       ///< one for each piece
  hg_zeros zeros;  ///< of the products that are added
  bool turned;     ///< as products make them; of one row: never
  hg_real *values; ///< [parts x rows x cols] borrowed
} hg_partials;

/** Parts of `sum`, zeroed, which take the first numbers of *space. */
hg_partials hg_partials_begin(const hg_matrix *sum, int parts, hg_zeros zeros, hg_real **space);

/** What piece `part` adds to; NULL where the gradient is not wanted. */
hg_real *hg_partial(const hg_partials *p, int part);

/** Adds a' b of some rows to what piece `part` has, where the gradient is wanted. On one thread. */
void hg_partials_add(const hg_partials *p, int part, const hg_matrix *a, const hg_matrix *b);

/** The gradient: the parts are added in their order. */
void hg_partials_finish(const hg_partials *p);

/** Rows [first, first + n) of the layer's output hold z without bias: makes h of them. On one thread. */
typedef void hg_finish_rows(void *context, hg_off first, hg_off n);

/** y = finish((A x) W): one forward pass over rows. */
typedef struct {
  hg_blocks blocks;
  const hg_operator *op;  ///< NULL: A is the identity
  hg_matrix x;            ///< what is aggregated
  hg_bf16_matrix rounded; ///< x in bfloat16, which is aggregated in its stead; without data: x itself
  hg_matrix s;            ///< [rows x f_in] takes A x for backward; without data: A x is forgotten
  const hg_right_side *w; ///< NULL: W is the identity
  hg_matrix y;            ///< [rows x f_out]
  hg_finish_rows *finish; ///< or NULL
  void *context;          ///< of finish
  hg_phases *phases;
} hg_forward_blocks;

/** The rows [first, first + n). */
void hg_blocks_forward(const hg_forward_blocks *f, hg_off first, hg_off n);

/**
 * Rows [first, first + n) of the gradient of a layer's input: `d` holds what came through the layer, [n x f_in]; makes
 * of it the gradient of what the input was made of, and writes it over those rows of the input. On one thread.
 */
typedef void hg_pass_rows(void *context, hg_off first, hg_off n, hg_matrix *d);

/** A layer's weights, as the gradient of its output is multiplied with them to give that of its input. */
typedef struct {
  hg_right_side all; ///< W'
  hg_matrix masked;  ///< or with data: W, for what is computed where the input is not 0 alone
} hg_input_weights;

/** d_x = t W' by the calling thread alone; with masked weights 0 where x is. */
void hg_input_gradient(const hg_input_weights *w, const hg_matrix *t, const hg_matrix *x, hg_matrix *d_x);

/** t = A' d, d_W += x' t, x = pass(t W'): one backward pass over rows; t is forgotten. */
typedef struct {
  hg_blocks blocks;
  const hg_operator *op;     ///< A', or NULL: the identity
  hg_matrix d;               ///< what is aggregated
  hg_bf16_matrix rounded;    ///< d in bfloat16, which is aggregated in its stead; without data: d itself
  hg_matrix x;               ///< [rows x f_in] the input, in its place the gradient later
  hg_partials d_w;           ///< in hg_gemm_at_parts(rows) parts
  const hg_input_weights *w; ///< or NULL: t is the gradient of the input; rounded: so are the factors of d_W
  hg_pass_rows *pass;
  void *context; ///< of pass
  hg_phases *phases;
} hg_backward_blocks;

/** The rows [first, first + n). Calls that together cover all rows once give d_W's parts. */
void hg_blocks_backward(const hg_backward_blocks *b, hg_off first, hg_off n);

/** The same as hg_aggregate_rows (models/local_graph.h): `context` is what the passes above take. */
void hg_blocks_forward_rows(void *context, hg_off first, hg_off n);
void hg_blocks_backward_rows(void *context, hg_off first, hg_off n);
