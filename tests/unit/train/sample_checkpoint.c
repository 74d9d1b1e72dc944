#include "tests/unit/train/sample_checkpoint.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

void sample_model_init(sample_model *sample)
{
  memset(sample, 0, sizeof *sample);
  hg_model *m = &sample->model;
  m->layers = sample->layers;
  m->n_layers = 2;
  snprintf(m->options.type, sizeof m->options.type, "gcn");
  static const int widths[] = {3, 4, 2};
  for (int l = 0; l < 2; l++) {
    hg_layer *layer = &sample->layers[l];
    layer->type = &hg_layer_gcn;
    layer->index = l;
    layer->f_in = widths[l];
    layer->f_out = widths[l + 1];
    layer->bias = true;
    layer->norm = l == 0 ? HG_LAYER_NORM_BATCH : HG_LAYER_NORM_NONE;
    layer->type->plan(layer);
    m->n_parameters += layer->n_theta;
  }
  m->n_state = 2 * 4;
}

static void fill(hg_real *x, hg_off n, double first)
{
  for (hg_off k = 0; k < n; k++) x[k] = (hg_real)(first + (double)k / 7);
}

// of the model's three inputs and two outputs
static void fill_scales(hg_scales *to)
{
  double mean[] = {-1e-30, 0, 1.0 / 3}, inverse[] = {0.1, 7e9, 3e-20}, target_mean[] = {-5, 1e-5}, scale[] = {0.7, 1};
  const hg_scales s = {3, mean, inverse, 2, target_mean, scale, 0.3};
  cr_assert_eq(hg_scales_copy(to, &s), HG_OK);
}

hg_checkpoint sample_checkpoint(const sample_model *sample)
{
  hg_checkpoint c;
  cr_assert_eq(hg_checkpoint_create(&c, &sample->model, 2 * sample->model.n_parameters, 3), HG_OK);
  c.task = HG_TASK_REGRESSION;
  fill_scales(&c.scales);
  c.repeat = 1;
  c.seed = 0xfedcba9876543210ULL; // > 2^63
  c.epoch = 12;
  c.steps = 5000000000;
  c.train_loss = 1.0 / 3;
  c.schedule = (hg_schedule_state){.best_epoch = 9, .best_metric = -0.1, .without_gain = 3, .stop_epoch = 40};
  c.best_val = (hg_scores){0.1, 0.2, 0.3, 0.4, NAN, NAN};
  c.best_test = (hg_scores){NAN, 1e-300, 1, 0, INFINITY, 3};
  c.n_results = 1;
  c.results[0] = (hg_repeat_result){.seed = UINT64_MAX,
                                    .epochs = 50,
                                    .best_epoch = 44,
                                    .train_loss = NAN,
                                    .val = {1, 2, 3, 4, 5, 6},
                                    .test = {NAN, NAN, NAN, NAN, NAN, 0.1},
                                    .best_metric = 0.7};
  fill(c.parameters, c.n_parameters, 1);
  fill(c.state, c.n_state, 20);
  fill(c.moments, c.n_moments, 30);
  fill(c.best_parameters, c.n_parameters, 50);
  fill(c.best_state, c.n_state, 70);
  return c;
}
