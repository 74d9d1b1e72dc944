#pragma once
#include "models/model.h"

/*
 * What layers share whose hidden rows are no matrix: those that stream (models/streamed.h) and thin ones
 * (models/thin.h).
 */

/**
 * Why the hidden rows of a model whose layers are planned must be matrices, as "model.norm"; NULL: they need not. They
 * need not where the first aggregate is kept, the last layer sends what is narrower than hidden rows, and no norm,
 * rounding, label or reader of embeddings wants them.
 */
const char *hg_hidden_rows_hindrance(const hg_model *model);

/** Whether a layer's output is a matrix, in a model that is planned. */
bool hg_rows_are_stored(const hg_layer *layer);

/** Whether its input is: the output of the layer before, or features. */
bool hg_reads_stored_rows(const hg_layer *layer);

/** Where in work->packed the next layer's right side begins, after that of `hidden`: both are whole registers. */
hg_off hg_second_side(const hg_layer *hidden);

/** Makes h of z without bias, of the rows from `first` on: bias, activation, dropout. On one thread. */
void hg_hidden_rows_finish(const hg_layer *layer, hg_dropout dropout, hg_off first, hg_matrix *z);
