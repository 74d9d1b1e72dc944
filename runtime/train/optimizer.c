#include "runtime/train/optimizer.h"

#include <math.h>
#include <string.h>

#include "core/base/alloc.h"
#include "core/tensor/update.h"

static void sgd_step(const hg_optimizer *o, hg_off first, hg_off n, double rate, double decay, hg_off t)
{
  (void)t;
  const hg_update u = {.rate = rate, .decay = decay, .momentum = o->config->train.momentum};
  hg_update_sgd(&u, o->gradients + first, o->parameters + first, o->moments + first, n);
}

static void adam(const hg_optimizer *o, hg_off first, hg_off n, hg_update u, hg_off t)
{
  u.beta1 = o->config->train.beta1;
  u.beta2 = o->config->train.beta2;
  u.epsilon = o->config->train.epsilon;
  u.correction1 = 1 - pow(u.beta1, (double)t);
  u.correction2 = 1 - pow(u.beta2, (double)t);
  hg_update_adam(&u, o->gradients + first, o->parameters + first, o->moments + first, o->moments + o->n + first, n);
}

static void adam_step(const hg_optimizer *o, hg_off first, hg_off n, double rate, double decay, hg_off t)
{
  adam(o, first, n, (hg_update){.rate = rate, .decay = decay}, t);
}

static void adamw_step(const hg_optimizer *o, hg_off first, hg_off n, double rate, double decay, hg_off t)
{
  adam(o, first, n, (hg_update){.rate = rate, .shrink = decay}, t);
}

const hg_optimizer_type hg_optimizer_sgd = {"sgd", 1, sgd_step};
const hg_optimizer_type hg_optimizer_adam = {"adam", 2, adam_step};
const hg_optimizer_type hg_optimizer_adamw = {"adamw", 2, adamw_step};

hg_status hg_optimizer_create(hg_optimizer *o, const hg_config *config, hg_real *parameters, const hg_real *gradients,
                              hg_off n, hg_off n_first)
{
  static const hg_optimizer_type *const types[] = {&hg_optimizer_sgd, &hg_optimizer_adam, &hg_optimizer_adamw};
  memset(o, 0, sizeof *o);
  o->type = types[config->train.optimizer];
  o->config = config;
  o->n = n;
  o->parameters = parameters;
  o->gradients = gradients;
  o->n_decayed = config->train.weight_decay_layers == HG_DECAY_FIRST ? n_first : n;
  return HG_ALLOC(o->moments, o->type->n_moments * n, "optimiser moments");
}

void hg_optimizer_free(hg_optimizer *o) { hg_free(&o->moments); }

void hg_optimizer_reset(hg_optimizer *o)
{
  memset(o->moments, 0, (size_t)(o->type->n_moments * o->n) * sizeof *o->moments);
}

void hg_optimizer_step(hg_optimizer *o, double learning_rate, hg_off t)
{
  double decay = o->config->train.weight_decay;
  o->type->step(o, 0, o->n_decayed, learning_rate, decay, t);
  o->type->step(o, o->n_decayed, o->n - o->n_decayed, learning_rate, 0, t);
}
