#include <criterion/criterion.h>
#include <math.h>
#include <string.h>

#include "core/base/threads.h"
#include "core/tensor/epilogue.h"
#include "tests/support/close.h"
#include "tests/support/naive.h"

enum { ROWS = 403 };

Test(bias, is_added_to_the_rows_asked_for)
{
  hg_matrix x = random_matrix(20, 7, 1), kept = random_matrix(20, 7, 1);
  hg_real bias[7];
  fill_random(bias, 7, 2);
  hg_bias_add(&x, 5, 10, bias);
  for (int i = 0; i < 20 * 7; i++)
    cr_expect_eq(x.data[i], (hg_real)(kept.data[i] + (i / 7 >= 5 && i / 7 < 15 ? bias[i % 7] : 0)));
  hg_matrix_free(&x), hg_matrix_free(&kept);
}

Test(bias, gradient_is_the_column_sum_with_the_same_bits_on_any_number_of_threads)
{
  const int widths[] = {1, 7, 16, 33, 300};
  for (int w = 0; w < 5; w++) {
    int f = widths[w];
    hg_matrix d = random_matrix(ROWS, f, 3);
    hg_real one[300], many[300], expected[300];
    for (int k = 0; k < f; k++) {
      double sum = 0;
      for (hg_off i = 0; i < ROWS; i++) sum += (double)d.data[i * f + k];
      expected[k] = (hg_real)sum;
    }
    hg_threads_set(1);
    hg_bias_gradient(&d, false, one);
    hg_threads_set(3);
    hg_bias_gradient(&d, false, many);
    expect_close(one, expected, f, sum_tolerance(), "bias gradient");
    cr_expect_arr_eq(one, many, (size_t)f * sizeof(hg_real));
    hg_bias_gradient(&d, true, many);
    for (int k = 0; k < f; k++) expected[k] = 2 * one[k];
    expect_close(many, expected, f, sum_tolerance(), "bias gradient added");
    hg_matrix_free(&d);
  }
}

typedef struct {
  hg_activation kind;
  hg_real scale;
  hg_matrix x, y, weight;
} activation;

static double activated(void *context)
{
  activation *a = context;
  hg_off n = a->x.rows * a->x.cols;
  memcpy(a->y.data, a->x.data, (size_t)n * sizeof(hg_real));
  hg_activate(a->kind, &a->y);
  for (hg_off i = 0; i < n; i++) a->y.data[i] *= a->scale;
  return naive_dot(a->y.data, a->weight.data, n);
}

Test(activation, gradients_match_central_differences)
{
  for (int kind = 0; kind < 3; kind++) {
    activation a = {(hg_activation)kind, (hg_real)(kind == 2 ? 1.25 : 1), random_matrix(9, 5, 1),
                    random_matrix(9, 5, 1), random_matrix(9, 5, 2)};
    hg_matrix d = random_matrix(9, 5, 2);
    activated(&a);
    for (int i = 0; i < 45; i++) d.data[i] *= a.scale;
    hg_activate_gradient(a.kind, &a.y, a.scale, &d);
    expect_gradient(activated, &a, a.x.data, 45, d.data, "activation");
    hg_matrix_free(&a.x), hg_matrix_free(&a.y), hg_matrix_free(&a.weight), hg_matrix_free(&d);
  }
}

Test(activation, keeps_a_nan_so_that_divergence_is_seen)
{
  hg_real data[3] = {(hg_real)NAN, -1, 2};
  hg_matrix x = hg_matrix_view(data, 1, 3);
  hg_activate(HG_ACTIVATION_RELU, &x);
  cr_expect(isnan((double)data[0]) && data[1] == 0 && data[2] == 2);
}

Test(activation, large_matrix_agrees_with_the_formula)
{
  hg_matrix x = random_matrix(ROWS, 100, 4), y = random_matrix(ROWS, 100, 4);
  hg_activate(HG_ACTIVATION_ELU, &x);
  for (int i = 0; i < ROWS * 100; i++)
    y.data[i] = (hg_real)(y.data[i] > 0 ? (double)y.data[i] : expm1((double)y.data[i]));
  expect_close(x.data, y.data, ROWS * 100, sum_tolerance(), "elu");
  hg_matrix_free(&x), hg_matrix_free(&y);
}
