#pragma once
#include "models/model.h"

/*
 * Gradients that leave out the zeros of hidden rows (core/tensor/skip_zeros.h). What relu and dropout have set to 0
 * adds nothing to the weight gradient of the layer that reads it, and has no gradient itself: neither need be computed.
 * For layers in place whose input is relu under dropout, the same to rounding; model.skip_zeros decides it, by default
 * where it is faster.
 */

/** Sets skips_input, masks_gradient and skips_output of the layers of a model that is planned. */
void hg_skip_products_plan(hg_model *model);

/** Why no gradient of such a model could leave out zeros, as "model.precision"; NULL: some can. */
const char *hg_skip_products_hindrance(const hg_model *model);

/** Which zeros its weight gradient leaves out, as product of input and output's gradient. */
hg_zeros hg_zeros_of_input(const hg_layer *layer);
hg_zeros hg_zeros_of_output(const hg_layer *layer);

/**
 * What the gradient of the layer's output is multiplied with to give that of its input: fills one of both.
 * @param space  [hg_panel_space(f_out, f_in)] aligned to 64 bytes, borrowed
 */
hg_input_weights hg_layer_input_weights(const hg_layer *layer, hg_real *space);
