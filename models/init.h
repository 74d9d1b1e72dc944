#pragma once
#include "core/base/rng.h"
#include "core/tensor/matrix.h"

/**
 * Glorot and Bengio 2010, uniform: w ~ U(-a, a), a = sqrt(6 / (rows + cols)).
 * @param first   number of w's first element among all parameters: the counter of its draw, so that every rank draws
 *   alike
 */
void hg_init_glorot(hg_matrix *w, uint64_t seed, hg_off first);
