#pragma once
#include "models/layer.h"

/** The way from the rows of one stage to those of the next: each row there from its members here. */
typedef struct {
  hg_reduction reduction;
  const hg_csr *members; ///< rows of the coarser stage x rows of the finer one; borrowed
  hg_matrix rows;        ///< [rows of the coarser stage x width], owned
} hg_pool;

/**
 * From the output of `finer` to the input of `coarser`, the layer after it, whose stage is a later one: the dropout of
 * the coarser layer's input is applied to the finer one's h in place, as if both stood on the same stage, and the
 * result is pooled from stage to stage.
 * @param pools   [stages - 1] of the model: pools[s] leads from stage s to s + 1
 */
void hg_pools_forward(hg_pool *pools, hg_layer *finer, const hg_layer *coarser, const hg_pass *pass);

/**
 * Its gradient: the coarser layer's d_x (hg_layer_d_x) becomes the finer one's d_h in work->gradients[finer->gradient];
 * the stages between alternate between both buffers.
 */
void hg_pools_backward(const hg_pool *pools, const hg_layer *finer, const hg_layer *coarser, const hg_pass *pass);
