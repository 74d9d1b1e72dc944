// Each optimiser against the textbook's steps for one weight at a time.
#include <criterion/criterion.h>
#include <math.h>
#include <string.h>

#include "runtime/train/optimizer.h"
#include "tests/support/close.h"

enum { N = 37, N_FIRST = 12, STEPS = 30 };

static const double tolerance = sizeof(hg_real) == sizeof(double) ? 1e-12 : 2e-5;
static const double momentum = 0.9, b1 = 0.8, b2 = 0.95, epsilon = 1e-7, decay = 0.03;

TestSuite(optimizer);

static hg_config config_of(hg_optimizer_kind kind, hg_decay_layers layers)
{
  hg_config c = hg_config_default();
  c.train.optimizer = kind;
  c.train.momentum = momentum;
  c.train.beta1 = b1;
  c.train.beta2 = b2;
  c.train.epsilon = epsilon;
  c.train.weight_decay = decay;
  c.train.weight_decay_layers = layers;
  return c;
}

static double rate_of(int t) { return 0.05 / (1 + 0.1 * t); }
static double first_weight(int k) { return sin(k + 1.0); }
static double gradient(int k, int t, double w) { return w - cos(k + 0.3 * t); } // depends on the weight, as a real one

// one weight's whole history
static double expected_weight(hg_optimizer_kind kind, int k, double lambda)
{
  double w = first_weight(k), m = 0, v = 0;
  for (int t = 1; t <= STEPS; t++) {
    double g = gradient(k, t, w), rate = rate_of(t);
    if (kind == HG_OPTIMIZER_SGD) {
      m = momentum * m + g + lambda * w;
      w -= rate * m;
      continue;
    }
    if (kind == HG_OPTIMIZER_ADAMW)
      w -= rate * lambda * w;
    else
      g += lambda * w;
    m = b1 * m + (1 - b1) * g;
    v = b2 * v + (1 - b2) * g * g;
    w -= rate * (m / (1 - pow(b1, t))) / (sqrt(v / (1 - pow(b2, t))) + epsilon);
  }
  return w;
}

static void run(hg_optimizer *o, hg_real *w, hg_real *g)
{
  for (int k = 0; k < N; k++) w[k] = (hg_real)first_weight(k);
  for (int t = 1; t <= STEPS; t++) {
    for (int k = 0; k < N; k++) g[k] = (hg_real)gradient(k, t, (double)w[k]);
    hg_optimizer_step(o, rate_of(t), t);
  }
}

static void check_kind(hg_optimizer_kind kind, hg_decay_layers layers, const char *what)
{
  hg_config c = config_of(kind, layers);
  hg_real w[N], g[N], expected[N];
  hg_optimizer o;
  cr_assert_eq(hg_optimizer_create(&o, &c, w, g, N, N_FIRST), HG_OK);
  run(&o, w, g);
  for (int k = 0; k < N; k++)
    expected[k] = (hg_real)expected_weight(kind, k, layers == HG_DECAY_ALL || k < N_FIRST ? decay : 0);
  expect_close(w, expected, N, tolerance, what);
  hg_optimizer_free(&o);
}

Test(optimizer, sgd_with_momentum) { check_kind(HG_OPTIMIZER_SGD, HG_DECAY_ALL, "sgd"); }
Test(optimizer, adam) { check_kind(HG_OPTIMIZER_ADAM, HG_DECAY_ALL, "adam"); }
Test(optimizer, adamw) { check_kind(HG_OPTIMIZER_ADAMW, HG_DECAY_ALL, "adamw"); }

Test(optimizer, weight_decay_of_the_first_layer_alone)
{
  check_kind(HG_OPTIMIZER_SGD, HG_DECAY_FIRST, "sgd");
  check_kind(HG_OPTIMIZER_ADAM, HG_DECAY_FIRST, "adam");
  check_kind(HG_OPTIMIZER_ADAMW, HG_DECAY_FIRST, "adamw");
}

Test(optimizer, a_reset_starts_anew_with_the_same_bits)
{
  static const hg_optimizer_kind kinds[] = {HG_OPTIMIZER_SGD, HG_OPTIMIZER_ADAM, HG_OPTIMIZER_ADAMW};
  for (int k = 0; k < 3; k++) {
    hg_config c = config_of(kinds[k], HG_DECAY_FIRST);
    hg_real w[N], g[N], first[N];
    hg_optimizer o;
    cr_assert_eq(hg_optimizer_create(&o, &c, w, g, N, N_FIRST), HG_OK);
    run(&o, w, g);
    memcpy(first, w, sizeof w);
    run(&o, w, g);
    cr_expect_neq(memcmp(first, w, sizeof w), 0, "%s: old moments matter", o.type->name);
    hg_optimizer_reset(&o);
    run(&o, w, g);
    cr_expect_eq(memcmp(first, w, sizeof w), 0, "%s", o.type->name);
    hg_optimizer_free(&o);
  }
}

Test(optimizer, moments_are_as_many_as_the_type_says)
{
  hg_config c = config_of(HG_OPTIMIZER_ADAM, HG_DECAY_ALL);
  hg_real w[N] = {0}, g[N];
  hg_optimizer o;
  cr_assert_eq(hg_optimizer_create(&o, &c, w, g, N, N_FIRST), HG_OK);
  for (int k = 0; k < N; k++) g[k] = 1;
  hg_optimizer_step(&o, 0.1, 1);
  cr_expect_eq(o.type->n_moments, 2);
  for (int k = 0; k < N; k++) {
    cr_expect(fabs((double)o.moments[k] - (1 - b1)) < 1e-6 && fabs((double)o.moments[N + k] - (1 - b2)) < 1e-6);
    cr_expect(fabs((double)w[k] + 0.1) < 1e-6, "the first step of Adam is the rate: %g", (double)w[k]);
  }
  hg_optimizer_free(&o);
}

Test(optimizer, no_parameters_are_no_trouble)
{
  hg_config c = config_of(HG_OPTIMIZER_ADAM, HG_DECAY_FIRST);
  hg_optimizer o;
  cr_assert_eq(hg_optimizer_create(&o, &c, NULL, NULL, 0, 0), HG_OK);
  hg_optimizer_step(&o, 0.1, 1);
  hg_optimizer_reset(&o);
  hg_optimizer_free(&o);
}
