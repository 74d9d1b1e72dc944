#pragma once
#include "models/model.h"

/*
 * A GCN whose hidden rows are kept without their zeros (core/tensor/nonzero_matrix.h), and are never a matrix. Relu and
 * dropout leave a quarter to a half of them, and of their gradients the same; so every pass over hidden rows, and above
 * all what an aggregation gathers, reads and writes fewer bytes:
 *   forward    a block of rows is aggregated (the first layer's aggregate is kept), multiplied, finished and closed;
 *              the last hidden layer multiplies it with the last layer's weights as well while it is in cache
 *   backward   a block of A' d_z is aggregated; the rows of the layer before are opened, give the weight gradient, and
 *              become their d_z, which is closed in their place; the first layer's weight gradient is made here too
 * For models of three layers or more on one rank that keep the first layer's aggregate, and have no
 * norm, residual, rounding or labels as inputs. Sums go over other pieces of rows than where hidden rows are matrices:
 * the same to rounding. A layer's time backward includes the first layer's where it makes its gradient.
 */

/** Decides it for a model whose layers are planned: sets `thin` of all hidden layers. */
void hg_thin_plan(hg_model *model);

/** Why the hidden rows of a planned model cannot be thin, as "several ranks"; NULL: they can. */
const char *hg_thin_hindrance(const hg_model *model);

/** Whether a layer reads thin rows: all but the first one do. */
bool hg_reads_thin(const hg_layer *layer);

/** What a thin layer keeps, and its bytes. */
hg_status hg_thin_create(hg_layer *layer);
size_t hg_thin_bytes(const hg_layer *layer);

/** Numbers that work->scratch and work->packed need for it; 0 where nothing is thin. */
hg_off hg_thin_scratch(const hg_model *model);
hg_off hg_thin_packed(const hg_model *model);

/** h of a thin layer, and after the last of these the next one's h W in work->product. */
void hg_thin_forward(hg_layer *layer, const hg_pass *pass);

/**
 * Of a layer that reads thin rows: its weight gradient, and the layer before's d_z and bias gradient; of the first
 * layer the weight gradient as well.
 * @param d_t   A' d_z of a layer that aggregates last, else NULL
 */
void hg_thin_backward(hg_layer *layer, const hg_pass *pass, const hg_matrix *d_t);
