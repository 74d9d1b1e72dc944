#include "core/tensor/epilogue.h"

#include <stddef.h>
#include <string.h>
#include <tgmath.h>

#include "core/base/cpu.h"
#include "core/base/threads.h"
#include "core/tensor/epilogue_kernels.h"
#include "core/tensor/row_blocks.h"

static const hg_epilogue_kernels *const kernels[HG_SIMD_COUNT] = {&hg_epilogue_base, &hg_epilogue_avx2,
                                                                  &hg_epilogue_avx512};

// Loops are cut into so many numbers, each of them one thread's.
enum { NUMBERS = 4096 };

static hg_off piece(hg_off count, hg_off first) { return count - first < NUMBERS ? count - first : NUMBERS; }

void hg_bias_add(hg_matrix *x, hg_off first, hg_off n, const hg_real *bias)
{
  const hg_epilogue_kernels *k = kernels[hg_simd_level()];
  if (!hg_is_shared(n * x->cols)) {
    k->add_bias(bias, n, x->cols, x->data + first * x->cols);
    return;
  }
#pragma omp parallel for schedule(static) default(none) shared(x, first, n, bias, k) num_threads(hg_threads())
  for (hg_off i = first; i < first + n; i++) k->add_bias(bias, 1, x->cols, x->data + i * x->cols);
}

void hg_bias_gradient(const hg_matrix *d_x, bool add, hg_real *d_bias)
{
  for (int column = 0; column < d_x->cols; column += HG_COLUMN_TILE) {
    int count = hg_tile_width(d_x->cols, column);
    hg_column_sums sums = hg_sum_columns(d_x, NULL, column, count);
    for (int k = 0; k < count; k++) d_bias[column + k] = (add ? d_bias[column + k] : 0) + (hg_real)sums.a[k];
  }
}

static void relu(hg_real *x, hg_off count)
{
  const hg_epilogue_kernels *k = kernels[hg_simd_level()];
  if (!hg_is_shared(count)) {
    k->relu(x, count);
    return;
  }
#pragma omp parallel for schedule(static) default(none) shared(x, count, k) num_threads(hg_threads())
  for (hg_off i = 0; i < count; i += NUMBERS) k->relu(x + i, piece(count, i));
}

static void elu_some(hg_real *x, hg_off count)
{
  for (hg_off i = 0; i < count; i++)
    if (x[i] < 0) x[i] = expm1(x[i]);
}

static void elu(hg_real *x, hg_off count)
{
  if (!hg_is_shared(count)) {
    elu_some(x, count);
    return;
  }
#pragma omp parallel for schedule(static) default(none) shared(x, count) num_threads(hg_threads())
  for (hg_off i = 0; i < count; i += NUMBERS) elu_some(x + i, piece(count, i));
}

void hg_activate(hg_activation kind, hg_matrix *x)
{
  if (kind == HG_ACTIVATION_RELU) relu(x->data, x->rows * x->cols);
  if (kind == HG_ACTIVATION_ELU) elu(x->data, x->rows * x->cols);
}

static void relu_gradient(const hg_real *y, hg_real *d_x, hg_off count)
{
  const hg_epilogue_kernels *k = kernels[hg_simd_level()];
  if (!hg_is_shared(count)) {
    k->relu_gradient(y, d_x, count);
    return;
  }
#pragma omp parallel for schedule(static) default(none) shared(y, d_x, count, k) num_threads(hg_threads())
  for (hg_off i = 0; i < count; i += NUMBERS) k->relu_gradient(y + i, d_x + i, piece(count, i));
}

// For x < 0 the derivative is exp(x) = output + 1, and y is output * scale.
static void elu_gradient_some(const hg_real *restrict y, hg_real unscale, hg_real *restrict d_x, hg_off count)
{
  for (hg_off i = 0; i < count; i++) d_x[i] *= y[i] < 0 ? y[i] * unscale + 1 : 1;
}

static void elu_gradient(const hg_real *y, hg_real unscale, hg_real *d_x, hg_off count)
{
  if (!hg_is_shared(count)) {
    elu_gradient_some(y, unscale, d_x, count);
    return;
  }
#pragma omp parallel for schedule(static) default(none) shared(y, unscale, d_x, count) num_threads(hg_threads())
  for (hg_off i = 0; i < count; i += NUMBERS) elu_gradient_some(y + i, unscale, d_x + i, piece(count, i));
}

void hg_activate_gradient(hg_activation kind, const hg_matrix *y, hg_real scale, hg_matrix *d_x)
{
  hg_off count = d_x->rows * d_x->cols;
  if (kind == HG_ACTIVATION_RELU) relu_gradient(y->data, d_x->data, count);
  if (kind == HG_ACTIVATION_ELU) elu_gradient(y->data, 1 / scale, d_x->data, count);
}

void hg_dropped_activation_gradient(hg_activation kind, hg_dropout d, const hg_gid *ids, hg_matrix *d_y, hg_matrix *y)
{
  hg_off count = d_y->rows * d_y->cols;
  if (kind == HG_ACTIVATION_RELU) {
    kernels[hg_simd_level()]->dropped_relu_gradient(d_y->data, hg_dropout_scale(d), y->data, count);
    return;
  }
  hg_dropout_apply(d, ids, d_y);
  hg_activate_gradient(kind, y, hg_dropout_scale(d), d_y);
  memcpy(y->data, d_y->data, (size_t)count * sizeof *y->data);
}
