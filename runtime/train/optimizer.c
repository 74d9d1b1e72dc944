#include "runtime/train/optimizer.h"

#include <math.h>
#include <string.h>

#include "core/base/alloc.h"

// SGD with momentum as PyTorch has it: v = momentum v + g, w -= rate v; g includes the decay
static void sgd_step(const hg_optimizer *o, hg_off first, hg_off n, double rate, double decay, hg_off t)
{
  double momentum = o->config->train.momentum;
  hg_real *w = o->parameters + first, *v = o->moments + first;
  const hg_real *g = o->gradients + first;
  (void)t;
  for (hg_off k = 0; k < n; k++) {
    double step = momentum * (double)v[k] + (double)g[k] + decay * (double)w[k];
    v[k] = (hg_real)step;
    w[k] = (hg_real)((double)w[k] - rate * step);
  }
}

// Kingma and Ba 2015, algorithm 1; `decay` joins the gradient, `decoupled` shrinks the weight (Loshchilov and Hutter
// 2019)
static void adam(const hg_optimizer *o, hg_off first, hg_off n, double rate, double decay, double decoupled, hg_off t)
{
  double b1 = o->config->train.beta1, b2 = o->config->train.beta2, epsilon = o->config->train.epsilon;
  double c1 = 1 - pow(b1, (double)t), c2 = 1 - pow(b2, (double)t);
  hg_real *w = o->parameters + first, *m = o->moments + first, *v = o->moments + o->n + first;
  const hg_real *gradient = o->gradients + first;
  for (hg_off k = 0; k < n; k++) {
    double g = (double)gradient[k] + decay * (double)w[k];
    double mean = b1 * (double)m[k] + (1 - b1) * g, square = b2 * (double)v[k] + (1 - b2) * g * g;
    m[k] = (hg_real)mean;
    v[k] = (hg_real)square;
    w[k] = (hg_real)((double)w[k] * (1 - rate * decoupled) - rate * (mean / c1) / (sqrt(square / c2) + epsilon));
  }
}

static void adam_step(const hg_optimizer *o, hg_off first, hg_off n, double rate, double decay, hg_off t)
{
  adam(o, first, n, rate, decay, 0, t);
}

static void adamw_step(const hg_optimizer *o, hg_off first, hg_off n, double rate, double decay, hg_off t)
{
  adam(o, first, n, rate, 0, decay, t);
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
