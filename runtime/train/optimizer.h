#pragma once
#include "runtime/config/config.h"

/**
 * An optimiser: the parameters' new values from their gradients. Every rank does the same step on the same numbers, so
 * the weights stay equal without being sent.
 */
typedef struct hg_optimizer hg_optimizer;

typedef struct {
  const char *name;
  int n_moments; ///< arrays [n_parameters] that it keeps
  /** One step with gradient g of parameters [first, first + n), decay added or decoupled; t counts steps from 1. */
  void (*step)(const hg_optimizer *o, hg_off first, hg_off n, double learning_rate, double weight_decay, hg_off t);
} hg_optimizer_type;

struct hg_optimizer {
  const hg_optimizer_type *type;
  const hg_config *config;  ///< borrowed
  hg_off n;                 ///< parameters
  hg_real *parameters;      ///< [n] borrowed, changed by steps
  const hg_real *gradients; ///< [n] borrowed
  hg_real *moments;         ///< [n_moments x n]
  hg_off n_decayed;         ///< parameters [0, n_decayed) have weight decay
};

/** SGD with momentum, Adam (Kingma and Ba 2015) and AdamW (Loshchilov and Hutter 2019). */
extern const hg_optimizer_type hg_optimizer_sgd, hg_optimizer_adam, hg_optimizer_adamw;

/**
 * @param n_first   parameters of the first layer, which alone decay with weight_decay_layers: first (Kipf and Welling
 *   2017)
 */
hg_status hg_optimizer_create(hg_optimizer *o, const hg_config *config, hg_real *parameters, const hg_real *gradients,
                              hg_off n, hg_off n_first);
void hg_optimizer_free(hg_optimizer *o);

/** Zeroes the moments: the start of another seed. */
void hg_optimizer_reset(hg_optimizer *o);

/** Step number t (from 1) of all parameters. */
void hg_optimizer_step(hg_optimizer *o, double learning_rate, hg_off t);
