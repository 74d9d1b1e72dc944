#pragma once
#include "core/graph/hierarchy.h"

/**
 * The level that comes after `fine` (see hg_hierarchy_create).
 * @param coarse      zeroed; what it got before a failure is the caller's to free
 * @param reversed    the fine level's edges the other way round; its adjacency itself when symmetric
 * @param positions   [fine n x n_dims] unscaled, by hg_alloc; replaced by those of the coarser level
 */
hg_status hg_coarsen(hg_level *coarse, const hg_level *fine, const hg_csr *reversed, hg_off n_graphs,
                     hg_pairing pairing, double **positions);
