#include <criterion/criterion.h>
#include <math.h>
#include <string.h>

#include "core/base/threads.h"
#include "core/tensor/norms.h"
#include "tests/support/close.h"
#include "tests/support/naive.h"

enum { ROWS = 23, F = 9 };

typedef struct {
  hg_matrix x, hat, y, weight;
  hg_real gamma[F], beta[F], inv_std[ROWS], mean[F];
} norm;

static norm make(void)
{
  norm s = {.x = random_matrix(ROWS, F, 1),
            .hat = random_matrix(ROWS, F, 2),
            .y = random_matrix(ROWS, F, 3),
            .weight = random_matrix(ROWS, F, 4)};
  fill_random(s.gamma, F, 5);
  fill_random(s.beta, F, 6);
  return s;
}

static void drop(norm *s)
{
  hg_matrix_free(&s->x), hg_matrix_free(&s->hat), hg_matrix_free(&s->y), hg_matrix_free(&s->weight);
}

static double layer_normed(void *context)
{
  norm *s = context;
  memcpy(s->hat.data, s->x.data, ROWS * F * sizeof(hg_real));
  hg_layer_norm(&s->hat, s->gamma, s->beta, s->inv_std, &s->y);
  return naive_dot(s->y.data, s->weight.data, ROWS * F);
}

static double batch_normed(void *context)
{
  norm *s = context;
  double sums[2 * F];
  memcpy(s->hat.data, s->x.data, ROWS * F * sizeof(hg_real));
  hg_batch_norm_sums(&s->hat, sums);
  hg_batch_norm_moments(sums, F, ROWS, s->mean, s->inv_std);
  hg_batch_norm_apply(&s->hat, s->mean, s->inv_std, s->gamma, s->beta, &s->y);
  return naive_dot(s->y.data, s->weight.data, ROWS * F);
}

Test(layer_norm, agrees_with_the_formula)
{
  norm s = make();
  layer_normed(&s);
  for (int i = 0; i < ROWS; i++) {
    double mean = 0, variance = 0;
    for (int k = 0; k < F; k++) mean += (double)s.x.data[i * F + k] / F;
    for (int k = 0; k < F; k++) variance += pow((double)s.x.data[i * F + k] - mean, 2) / F;
    for (int k = 0; k < F; k++) {
      double expected = (double)s.gamma[k] * ((double)s.x.data[i * F + k] - mean) / sqrt(variance + HG_NORM_EPSILON) +
                        (double)s.beta[k];
      cr_expect_float_eq((double)s.y.data[i * F + k], expected, 10 * sum_tolerance());
    }
  }
  drop(&s);
}

Test(layer_norm, of_a_large_offset_keeps_its_digits)
{
  hg_real x[4] = {10000, 10001, 10002, 10003}, y[4], gamma[4] = {1, 1, 1, 1}, beta[4] = {0}, inv_std;
  hg_matrix in = hg_matrix_view(x, 1, 4), out = hg_matrix_view(y, 1, 4);
  hg_layer_norm(&in, gamma, beta, &inv_std, &out);
  cr_expect_float_eq((double)y[0], -1.5 / sqrt(1.25 + HG_NORM_EPSILON), 1e-5);
}

Test(layer_norm, gradients_match_central_differences)
{
  norm s = make();
  hg_matrix d = random_matrix(ROWS, F, 4);
  hg_real d_gamma[F], d_beta[F];
  layer_normed(&s);
  hg_layer_norm_gradient(&s.hat, s.gamma, s.inv_std, &d, d_gamma, d_beta);
  expect_gradient(layer_normed, &s, s.x.data, ROWS * F, d.data, "x");
  expect_gradient(layer_normed, &s, s.gamma, F, d_gamma, "gamma");
  expect_gradient(layer_normed, &s, s.beta, F, d_beta, "beta");
  hg_matrix_free(&d), drop(&s);
}

Test(batch_norm, columns_become_standard)
{
  norm s = make();
  batch_normed(&s);
  for (int k = 0; k < F; k++) {
    double mean = 0, square = 0;
    for (int i = 0; i < ROWS; i++)
      mean += (double)s.hat.data[i * F + k] / ROWS, square += pow((double)s.hat.data[i * F + k], 2) / ROWS;
    cr_expect_float_eq(mean, 0, 1e-5);
    cr_expect_float_eq(square, 1, 1e-3);
  }
  drop(&s);
}

Test(batch_norm, gradients_match_central_differences)
{
  norm s = make();
  hg_matrix d = random_matrix(ROWS, F, 4);
  double sums[2 * F];
  hg_real d_gamma[F], d_beta[F];
  batch_normed(&s);
  hg_batch_norm_gradient_sums(&s.hat, &d, sums);
  for (int k = 0; k < F; k++) d_beta[k] = (hg_real)sums[k], d_gamma[k] = (hg_real)sums[F + k];
  hg_batch_norm_gradient(&s.hat, s.gamma, s.inv_std, sums, ROWS, &d);
  expect_gradient(batch_normed, &s, s.x.data, ROWS * F, d.data, "x");
  expect_gradient(batch_normed, &s, s.gamma, F, d_gamma, "gamma");
  expect_gradient(batch_normed, &s, s.beta, F, d_beta, "beta");
  hg_matrix_free(&d), drop(&s);
}

Test(norms, same_bits_on_any_number_of_threads)
{
  enum { N = 701, WIDE = 130 };
  hg_real gamma[WIDE], beta[WIDE], inv_std[N], d_gamma[2][WIDE], d_beta[2][WIDE];
  double sums[2][2 * WIDE];
  hg_matrix x[2], y[2];
  fill_random(gamma, WIDE, 1), fill_random(beta, WIDE, 2);
  for (int t = 0; t < 2; t++) {
    hg_threads_set(1 + 2 * t);
    x[t] = random_matrix(N, WIDE, 3), y[t] = random_matrix(N, WIDE, 4);
    hg_batch_norm_sums(&x[t], sums[t]);
    hg_layer_norm(&x[t], gamma, beta, inv_std, &y[t]);
    hg_layer_norm_gradient(&x[t], gamma, inv_std, &y[t], d_gamma[t], d_beta[t]);
  }
  cr_expect_arr_eq(x[0].data, x[1].data, N * WIDE * sizeof(hg_real));
  cr_expect_arr_eq(y[0].data, y[1].data, N * WIDE * sizeof(hg_real));
  cr_expect_arr_eq(d_gamma[0], d_gamma[1], sizeof *d_gamma);
  cr_expect_arr_eq(d_beta[0], d_beta[1], sizeof *d_beta);
  cr_expect_arr_eq(sums[0], sums[1], sizeof *sums);
  for (int t = 0; t < 2; t++) hg_matrix_free(&x[t]), hg_matrix_free(&y[t]);
}

Test(norms, no_rows_are_no_trouble)
{
  double sums[2 * F];
  hg_real mean[F], inv_std[F];
  hg_matrix none = random_matrix(0, F, 1);
  hg_batch_norm_sums(&none, sums);
  for (int k = 0; k < 2 * F; k++) cr_expect_eq(sums[k], 0);
  hg_batch_norm_moments(sums, F, 0, mean, inv_std);
  for (int k = 0; k < F; k++) cr_expect(mean[k] == 0 && isfinite((double)inv_std[k]));
  hg_matrix_free(&none);
}
