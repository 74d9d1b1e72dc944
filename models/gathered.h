#pragma once
#include "core/tensor/nonzero_matrix.h"
#include "models/model.h"

/*
 * Rows that a layer gathers without their zeros. Of a hidden layer's output relu and dropout leave a quarter, and of
 * its gradient the same; a node's row is gathered once for each of its edges, so that a copy which holds these numbers
 * alone (core/tensor/nonzero_matrix.h) pays where the matrix is larger than the caches. Training passes close the rows
 * that this rank makes: forward where the layer before finishes them, backward before they are aggregated. Rows of the
 * halo, and those that find no room, are gathered from the matrix, which stays as it is; evaluations, without dropout,
 * gather from it alone. Exact: the same bits.
 */

/** Decides it for planned layers: sets gathered_share, and closes_output of those before. */
void hg_gathered_plan(hg_model *model);

/** Bytes of a layer's copy; layers of odd and of even index take turns with one each. */
size_t hg_gathered_bytes(const hg_layer *layer);

/** Before a training pass closes rows of the next layer's input: those that it will not make are not closed. */
void hg_gathered_begin(const hg_layer *layer);

/** Closes the rows [first, first + n) of a finished output for the next layer. The calling thread alone. */
void hg_gathered_close(const hg_layer *layer, hg_off first, hg_off n);

/** What a forward pass gathers: x and its copy, or without one. */
hg_nonzero_matrix hg_gathered_input(const hg_layer *layer, const hg_pass *pass, const hg_matrix *x);

/** The same of a backward pass, of the gradient before the activation: closes its rows, over threads. */
hg_nonzero_matrix hg_gathered_gradient(const hg_layer *layer, const hg_matrix *d_z);
