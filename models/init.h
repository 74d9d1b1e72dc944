#pragma once
#include "core/base/rng.h"
#include "core/tensor/matrix.h"

/** What a parameter begins with: numbers uniform in (value - spread, value + spread). */
typedef struct {
  double value, spread;
} hg_init;

/** All `value`. */
hg_init hg_init_constant(double value);

/** Glorot and Bengio 2010, uniform: spread sqrt(6 / (rows + cols)). */
hg_init hg_init_glorot(int rows, int cols);

/** Spread 1 / sqrt(inputs): the usual default of linear maps, which geo-GCN's authors left as it was. */
hg_init hg_init_linear(int inputs);

/**
 * @param first   number of w's first element among all parameters: the counter of its draw, so that every rank draws
 *   alike
 */
void hg_init_fill(hg_matrix *w, hg_init init, uint64_t seed, hg_off first);
