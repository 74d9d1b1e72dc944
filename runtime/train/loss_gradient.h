#pragma once
#include "runtime/train/trainer.h"

/**
 * The gradient of the loss with respect to the position of each of this rank's nodes: of the loss that training uses,
 * without dropout, its mean over the labelled nodes of all splits and ranks.
 * @param d_positions   [n_local x dims] created here: owned rows are the gradient; the caller frees it
 * @return              HG_ERR_INPUT for a model that sees no positions, or pools nodes, and without labelled nodes
 * Collective.
 */
hg_status hg_trainer_position_gradient(hg_trainer *trainer, hg_matrix *d_positions);
