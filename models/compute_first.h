#pragma once
#include "models/model.h"

/*
 * The first layer's output on halo rows, computed here too. Where the first aggregate s = A x never changes, each rank
 * fetches its halo's rows of s once, and h = activation(norm(s W + b)) of them is a product away: the second layer's
 * exchange sends nothing, forward and backward. Gradients of weights are sums over ranks anyway, and linear in what
 * comes down: each rank keeps its share of its halo's gradients, and adds to d_W = s' d_z what their owner would have
 * added for it. Dropout draws by the nodes' ids, so that all ranks drop the same. Exact, with every norm: batch norm's
 * moments are of owned rows.
 * Costs 4 f_0 f_1 flops a halo row, with a narrow second layer 6 f_1 f_2 more, and f_0 numbers kept (f_1 more with a
 * norm); saves two rows that cross, of those halo rows that training needs.
 * Source: Wang et al., NeutronStar, SIGMOD 2022 (dependencies that are cached, not communicated), for one layer.
 */

/** Between hosts rows are computed where that takes no more flops than this for a byte that it saves. */
enum { HG_COMPUTE_FIRST_FLOPS = 256 };

/**
 * Decides it for a model whose layers are planned: sets layers[0].computes_halo. Then nothing crosses before the second
 * layer, nor without its zeros.
 */
void hg_compute_first_plan(hg_model *model);

/** Why a planned model's halo rows cannot be computed, as "one rank"; NULL: they can. */
const char *hg_compute_first_hindrance(const hg_model *model);
