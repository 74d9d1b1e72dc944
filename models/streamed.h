#pragma once
#include "models/model.h"

/*
 * Two layers whose hidden rows are never a matrix. The first one's aggregate s = A x is kept and the second one sends
 * h W2, which is narrow; so h = dropout(activation(s W1 + b)) is only ever needed a few rows at a time: forward to
 * multiply them with W2, backward for both layers' weight gradients. Where the activation is relu, rows are kept in
 * between without the zeros that relu and dropout leave (models/closed_rows.h); rows that find no room are made again,
 * with the same masks, at 2 f_0 f_1 flops each. There is room for what relu usually leaves; with model.recompute for
 * a third of that. With other activations, which have no zeros, and only with model.recompute, all rows are made again.
 * Sums go over other pieces of rows than where h is a matrix: the same to rounding.
 * Source: recomputation (Chen et al. 2016, Training Deep Nets with Sublinear Memory Cost) of a block of rows at a time.
 */

/** Decides it for a model whose layers are planned: sets layers[0].streams. */
void hg_streamed_plan(hg_model *model);

/** Whether a layer reads rows that stream. */
bool hg_reads_streamed(const hg_layer *layer);

/** What a layer that streams keeps, and its bytes. */
hg_status hg_streamed_create(hg_layer *layer);
void hg_streamed_free(hg_layer *layer);
size_t hg_streamed_bytes(const hg_layer *layer);

/** Numbers that work->scratch and work->packed need for it; 0 where nothing streams. */
hg_off hg_streamed_scratch(const hg_model *model);
hg_off hg_streamed_packed(const hg_model *model);

/** t = h W2 of the rows that the second layer reads. */
void hg_streamed_forward(hg_layer *second, const hg_pass *pass, hg_matrix *t);

/** From d_t, of these rows, the gradients of W2, W1 and the first layer's bias. */
void hg_streamed_backward(hg_layer *second, const hg_pass *pass, const hg_matrix *d_t);
