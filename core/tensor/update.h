#pragma once
#include "core/base/types.h"

/** What an optimiser's step depends on besides its arrays. */
typedef struct {
  double rate, decay;              ///< learning rate; weight decay that joins the gradient
  double momentum;                 ///< SGD
  double beta1, beta2, epsilon;    ///< Adam
  double correction1, correction2; ///< Adam: 1 - beta^t
  double shrink;                   ///< AdamW: weight decay apart from the gradient
} hg_update;

/**
 * SGD with momentum as PyTorch has it: v = momentum v + g + decay w, w -= rate v. Here and below: elementwise, the same
 * bits on any number of threads and any processor.
 */
void hg_update_sgd(const hg_update *u, const hg_real *g, hg_real *w, hg_real *v, hg_off n);

/**
 * Kingma and Ba 2015, algorithm 1; `decay` joins the gradient, `shrink` makes the weight smaller (Loshchilov and Hutter
 * 2019).
 */
void hg_update_adam(const hg_update *u, const hg_real *g, hg_real *w, hg_real *m, hg_real *v, hg_off n);
