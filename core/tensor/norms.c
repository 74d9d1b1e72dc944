#include "core/tensor/norms.h"

#include <math.h>

#include "core/base/threads.h"
#include "core/tensor/row_blocks.h"

// Two passes: the variance is a sum of squared deviations, which does not cancel when the mean is large (Chan et al.
// 1983).
static hg_real normalise(hg_real *restrict x, int f)
{
  double sum = 0, squares = 0;
#pragma omp simd reduction(+ : sum)
  for (int k = 0; k < f; k++) sum += (double)x[k];
  hg_real mean = (hg_real)(sum / f);
#pragma omp simd reduction(+ : squares)
  for (int k = 0; k < f; k++) {
    x[k] -= mean;
    squares += (double)(x[k] * x[k]);
  }
  hg_real inv_std = (hg_real)(1 / sqrt(squares / f + HG_NORM_EPSILON));
  for (int k = 0; k < f; k++) x[k] *= inv_std;
  return inv_std;
}

static void scale_and_shift(const hg_real *xhat, const hg_real *gamma, const hg_real *beta, int f, hg_real *restrict y)
{
  for (int k = 0; k < f; k++) y[k] = gamma[k] * xhat[k] + beta[k];
}

// Rows to normalise, scale and shift: with the columns' mean and inv_std, or with each row's own, which are kept.
typedef struct {
  hg_real *x, *y, *row_inv_std;
  const hg_real *mean, *inv_std, *gamma, *beta;
  int f;
} norm_task;

static void layer_norm(const void *task, hg_off first, hg_off end)
{
  const norm_task *t = task;
  for (hg_off i = first; i < end; i++) {
    t->row_inv_std[i] = normalise(t->x + i * t->f, t->f);
    scale_and_shift(t->x + i * t->f, t->gamma, t->beta, t->f, t->y + i * t->f);
  }
}

void hg_layer_norm(hg_matrix *x, const hg_real *gamma, const hg_real *beta, hg_real *inv_std, hg_matrix *y)
{
  const norm_task task = {
      .x = x->data, .y = y->data, .row_inv_std = inv_std, .gamma = gamma, .beta = beta, .f = x->cols};
  if (x->cols > 0) hg_over_threads(x->rows, x->rows * x->cols, layer_norm, &task);
}

// d_x = inv_std (g - mean(g) - xhat mean(g xhat)), g = gamma d_y
static void layer_gradient(const hg_real *xhat, const hg_real *gamma, hg_real inv_std, int f, hg_real *restrict d)
{
  double sum = 0, product = 0;
#pragma omp simd reduction(+ : sum, product)
  for (int k = 0; k < f; k++) {
    hg_real g = gamma[k] * d[k];
    sum += (double)g;
    product += (double)(g * xhat[k]);
  }
  hg_real mean = (hg_real)(sum / f), slope = (hg_real)(product / f);
  for (int k = 0; k < f; k++) d[k] = inv_std * (gamma[k] * d[k] - mean - xhat[k] * slope);
}

void hg_layer_norm_gradient(const hg_matrix *xhat, const hg_real *gamma, const hg_real *inv_std, hg_matrix *d_y,
                            hg_real *d_gamma, hg_real *d_beta)
{
  int f = xhat->cols;
  for (int column = 0; column < f; column += HG_COLUMN_TILE) {
    int count = hg_tile_width(f, column);
    hg_column_sums sums = hg_sum_columns(d_y, xhat, column, count);
    for (int k = 0; k < count; k++) {
      d_beta[column + k] = (hg_real)sums.a[k];
      d_gamma[column + k] = (hg_real)sums.ab[k];
    }
  }
#pragma omp parallel for schedule(static) default(none) shared(xhat, gamma, inv_std, d_y, f) \
    num_threads(hg_threads()) if (d_y->rows * f > HG_PARALLEL_FROM)
  for (hg_off i = 0; i < d_y->rows; i++) layer_gradient(xhat->data + i * f, gamma, inv_std[i], f, d_y->data + i * f);
}

static void write_sums(const hg_matrix *a, const hg_matrix *b, double *sum_a, double *sum_ab)
{
  for (int column = 0; column < a->cols; column += HG_COLUMN_TILE) {
    int count = hg_tile_width(a->cols, column);
    hg_column_sums sums = hg_sum_columns(a, b, column, count);
    for (int k = 0; k < count; k++) {
      sum_a[column + k] = sums.a[k];
      sum_ab[column + k] = sums.ab[k];
    }
  }
}

void hg_batch_norm_sums(const hg_matrix *x, double *sums) { write_sums(x, x, sums, sums + x->cols); }

void hg_batch_norm_moments(const double *sums, int f, double n, hg_real *mean, hg_real *inv_std)
{
  for (int k = 0; k < f; k++) {
    double average = n > 0 ? sums[k] / n : 0, variance = n > 0 ? sums[f + k] / n - average * average : 0;
    mean[k] = (hg_real)average;
    inv_std[k] = (hg_real)(1 / sqrt(fmax(variance, 0) + HG_NORM_EPSILON));
  }
}

static void batch_norm(const void *task, hg_off first, hg_off end)
{
  const norm_task *t = task;
  for (hg_off i = first; i < end; i++) {
    hg_real *restrict row = t->x + i * t->f;
    for (int k = 0; k < t->f; k++) row[k] = (row[k] - t->mean[k]) * t->inv_std[k];
    scale_and_shift(row, t->gamma, t->beta, t->f, t->y + i * t->f);
  }
}

void hg_batch_norm_apply(hg_matrix *x, const hg_real *mean, const hg_real *inv_std, const hg_real *gamma,
                         const hg_real *beta, hg_matrix *y)
{
  const norm_task task = {
      .x = x->data, .y = y->data, .mean = mean, .inv_std = inv_std, .gamma = gamma, .beta = beta, .f = x->cols};
  hg_over_threads(x->rows, x->rows * x->cols, batch_norm, &task);
}

static void norm_again(const void *task, hg_off first, hg_off end)
{
  const norm_task *t = task;
  for (hg_off i = first; i < end; i++) scale_and_shift(t->x + i * t->f, t->gamma, t->beta, t->f, t->y + i * t->f);
}

void hg_norm_again(const hg_matrix *xhat, const hg_real *gamma, const hg_real *beta, hg_matrix *y)
{
  const norm_task task = {.x = xhat->data, .y = y->data, .gamma = gamma, .beta = beta, .f = xhat->cols};
  hg_over_threads(xhat->rows, xhat->rows * xhat->cols, norm_again, &task);
}

void hg_batch_norm_gradient_sums(const hg_matrix *xhat, const hg_matrix *d_y, double *sums)
{
  write_sums(d_y, xhat, sums, sums + d_y->cols);
}

// d_x = gamma inv_std (d_y - mean(d_y) - xhat mean(d_y xhat))
void hg_batch_norm_gradient(const hg_matrix *xhat, const hg_real *gamma, const hg_real *inv_std, const double *sums,
                            double n, hg_matrix *d_y)
{
  int f = d_y->cols;
  double share = n > 0 ? 1 / n : 0;
#pragma omp parallel for schedule(static) default(none) shared(xhat, gamma, inv_std, sums, share, d_y, f) \
    num_threads(hg_threads()) if (d_y->rows * f > HG_PARALLEL_FROM)
  for (hg_off i = 0; i < d_y->rows; i++) {
    const hg_real *hat = xhat->data + i * f;
    hg_real *restrict d = d_y->data + i * f;
    for (int k = 0; !sums && k < f; k++) d[k] *= gamma[k] * inv_std[k];
    for (int k = 0; sums && k < f; k++)
      d[k] = gamma[k] * inv_std[k] * (d[k] - (hg_real)(sums[k] * share) - hat[k] * (hg_real)(sums[f + k] * share));
  }
}
