#pragma once
#include "models/model.h"

/** HG_ERR_INPUT when the model has no layer that sees positions, or pools nodes: then there is nothing to ask for. */
hg_status hg_position_gradient_check(const hg_model *model);

/**
 * Backward from d_logits, of the pass that hg_model_forward made last, as hg_model_backward without sums; and the
 * gradient of the loss with respect to each node's position, all layers together, in the unit of the part's positions:
 * the mean edge length that divides them counts as a constant. It sums to 0 over all nodes.
 * @param pass          its d_positions is not looked at
 * @param d_positions   [n_local x dims]: owned rows written, halo rows used up
 * @return              HG_ERR_MEMORY, HG_ERR_INPUT of hg_position_gradient_check
 * Collective. Exchanges dims numbers for each halo node, once.
 */
hg_status hg_position_gradient(hg_model *model, const hg_pass *pass, hg_matrix *d_positions);
