#include "core/tensor/epilogue.h"

#include <stddef.h>
#include <string.h>
#include <tgmath.h>

#include "core/base/threads.h"
#include "core/tensor/row_blocks.h"

void hg_bias_add(hg_matrix *x, hg_off first, hg_off n, const hg_real *bias)
{
#pragma omp parallel for schedule(static) default(none) shared(x, first, n, bias) \
    num_threads(hg_threads()) if (n * x->cols > HG_PARALLEL_FROM)
  for (hg_off i = first; i < first + n; i++) {
    hg_real *restrict row = x->data + i * x->cols;
    for (int k = 0; k < x->cols; k++) row[k] += bias[k];
  }
}

void hg_bias_gradient(const hg_matrix *d_x, hg_real *d_bias)
{
  for (int column = 0; column < d_x->cols; column += HG_COLUMN_TILE) {
    int count = hg_tile_width(d_x->cols, column);
    hg_column_sums sums = hg_sum_columns(d_x, NULL, column, count);
    for (int k = 0; k < count; k++) d_bias[column + k] = (hg_real)sums.a[k];
  }
}

// Written so that a NaN stays one: a diverged run must be seen in its loss.
static void relu(hg_real *x, hg_off count)
{
#pragma omp parallel for simd schedule(static) default(none) shared(x, count) \
    num_threads(hg_threads()) if (count > HG_PARALLEL_FROM)
  for (hg_off i = 0; i < count; i++) x[i] = x[i] < 0 ? 0 : x[i];
}

static void elu(hg_real *x, hg_off count)
{
#pragma omp parallel for schedule(static) default(none) shared(x, count) \
    num_threads(hg_threads()) if (count > HG_PARALLEL_FROM)
  for (hg_off i = 0; i < count; i++)
    if (x[i] < 0) x[i] = expm1(x[i]);
}

void hg_activate(hg_activation kind, hg_matrix *x)
{
  if (kind == HG_ACTIVATION_RELU) relu(x->data, x->rows * x->cols);
  if (kind == HG_ACTIVATION_ELU) elu(x->data, x->rows * x->cols);
}

static void relu_gradient(const hg_real *y, hg_real *d_x, hg_off count)
{
#pragma omp parallel for simd schedule(static) default(none) shared(y, d_x, count) \
    num_threads(hg_threads()) if (count > HG_PARALLEL_FROM)
  for (hg_off i = 0; i < count; i++) d_x[i] = y[i] > 0 ? d_x[i] : 0;
}

// For x < 0 the derivative is exp(x) = output + 1, and y is output * scale.
static void elu_gradient(const hg_real *y, hg_real unscale, hg_real *d_x, hg_off count)
{
#pragma omp parallel for simd schedule(static) default(none) shared(y, unscale, d_x, count) \
    num_threads(hg_threads()) if (count > HG_PARALLEL_FROM)
  for (hg_off i = 0; i < count; i++) d_x[i] *= y[i] < 0 ? y[i] * unscale + 1 : 1;
}

void hg_activate_gradient(hg_activation kind, const hg_matrix *y, hg_real scale, hg_matrix *d_x)
{
  hg_off count = d_x->rows * d_x->cols;
  if (kind == HG_ACTIVATION_RELU) relu_gradient(y->data, d_x->data, count);
  if (kind == HG_ACTIVATION_ELU) elu_gradient(y->data, 1 / scale, d_x->data, count);
}

static void masked_scale(const hg_real *restrict d, hg_real scale, hg_off count, hg_real *restrict y)
{
#pragma omp simd
  for (hg_off i = 0; i < count; i++) {
    hg_real scaled = d[i] * scale; // read always: a branch on a random mask costs more than the product
    y[i] = y[i] > 0 ? scaled : 0;
  }
}

void hg_dropped_activation_gradient(hg_activation kind, hg_dropout d, const hg_gid *ids, hg_matrix *d_y, hg_matrix *y)
{
  hg_off count = d_y->rows * d_y->cols;
  if (kind == HG_ACTIVATION_RELU) {
    masked_scale(d_y->data, hg_dropout_scale(d), count, y->data);
    return;
  }
  hg_dropout_apply(d, ids, d_y);
  hg_activate_gradient(kind, y, hg_dropout_scale(d), d_y);
  memcpy(y->data, d_y->data, (size_t)count * sizeof *y->data);
}
