#pragma once
#include "models/layer.h"

/*
 * Layers with a norm keep two matrices: the normalised rows xhat, which the norm's gradient reads, and the output h,
 * which the next layer reads, forward and backward. h is a function of xhat, row by row (scale, shift, activation,
 * dropout by its counters), so with model.recompute hidden layers share one h: a layer overwrites the output of the one
 * before when all its rows are made. On the way back a layer's gradient moves to where its xhat was, and the output of
 * the layer before is made again, the same bits. Halo rows have no xhat here; they are kept. So L hidden layers keep
 * L + 1 matrices, not 2 L, and a halo each.
 */

/** Whether backward needs the halo rows of a layer's input that others have overwritten by then; of a planned layer. */
bool hg_recompute_keeps_halo(const hg_layer *layer, int n_layers);

/** Forward, when all rows of z are made and before h is: keeps the halo rows of x. Nothing where none are kept. */
void hg_recompute_keep(hg_layer *layer);

/**
 * Backward, when d_z is made: of a layer that recomputes moves it to xhat, where d_z points afterwards, and makes the
 * layer's input again, halo and all. Nothing for other layers.
 */
void hg_recompute_input(hg_layer *layer, const hg_pass *pass, hg_matrix *d_z);
