#include "core/tensor/epilogue.h"

#include <stddef.h>
#include <string.h>
#include <tgmath.h>

#include "core/base/cpu.h"
#include "core/tensor/epilogue_kernels.h"
#include "core/tensor/row_blocks.h"

static const hg_epilogue_kernels *const kernels[HG_SIMD_COUNT] = {&hg_epilogue_base, &hg_epilogue_avx2,
                                                                  &hg_epilogue_avx512};

typedef struct {
  const hg_real *bias;
  hg_matrix x;
} bias_task;

static void add_bias(const void *task, hg_off first, hg_off end)
{
  const bias_task *t = task;
  kernels[hg_simd_level()]->add_bias(t->bias, end - first, t->x.cols, t->x.data + first * t->x.cols);
}

void hg_bias_add(hg_matrix *x, hg_off first, hg_off n, const hg_real *bias)
{
  hg_over_threads(n, n * x->cols, add_bias, &(bias_task){bias, hg_matrix_rows(x, first, n)});
}

void hg_bias_gradient(const hg_matrix *d_x, bool add, hg_real *d_bias)
{
  for (int column = 0; column < d_x->cols; column += HG_COLUMN_TILE) {
    int count = hg_tile_width(d_x->cols, column);
    hg_column_sums sums = hg_sum_columns(d_x, NULL, column, count);
    for (int k = 0; k < count; k++) d_bias[column + k] = (add ? d_bias[column + k] : 0) + (hg_real)sums.a[k];
  }
}

typedef struct {
  const hg_real *x;
  hg_real *y;
} add_task;

static void add(const void *task, hg_off first, hg_off end)
{
  const hg_real *restrict x = ((const add_task *)task)->x;
  hg_real *restrict y = ((const add_task *)task)->y;
  for (hg_off i = first; i < end; i++) y[i] += x[i];
}

void hg_add(const hg_matrix *x, hg_matrix *y)
{
  hg_off count = y->rows * y->cols;
  hg_over_threads(count, count, add, &(add_task){x->data, y->data});
}

// An activation of x in place, or its gradient from the output y.
typedef struct {
  hg_real *x;
  const hg_real *y;
  hg_real unscale; ///< of y
} activation_task;

static void relu(const void *task, hg_off first, hg_off end)
{
  const activation_task *t = task;
  kernels[hg_simd_level()]->relu(t->x + first, end - first);
}

static void elu(const void *task, hg_off first, hg_off end)
{
  hg_real *x = ((const activation_task *)task)->x;
  for (hg_off i = first; i < end; i++)
    if (x[i] < 0) x[i] = expm1(x[i]);
}

void hg_activate(hg_activation kind, hg_matrix *x)
{
  hg_off count = x->rows * x->cols;
  const activation_task task = {.x = x->data};
  if (kind == HG_ACTIVATION_RELU) hg_over_threads(count, count, relu, &task);
  if (kind == HG_ACTIVATION_ELU) hg_over_threads(count, count, elu, &task);
}

static void relu_gradient(const void *task, hg_off first, hg_off end)
{
  const activation_task *t = task;
  kernels[hg_simd_level()]->relu_gradient(t->y + first, t->x + first, end - first);
}

// For x < 0 the derivative is exp(x) = output + 1, and y is output * scale.
static void elu_gradient(const void *task, hg_off first, hg_off end)
{
  const activation_task *t = task;
  const hg_real *restrict y = t->y;
  hg_real *restrict d_x = t->x;
  for (hg_off i = first; i < end; i++) d_x[i] *= y[i] < 0 ? y[i] * t->unscale + 1 : 1;
}

void hg_activate_gradient(hg_activation kind, const hg_matrix *y, hg_real scale, hg_matrix *d_x)
{
  hg_off count = d_x->rows * d_x->cols;
  const activation_task task = {d_x->data, y->data, 1 / scale};
  if (kind == HG_ACTIVATION_RELU) hg_over_threads(count, count, relu_gradient, &task);
  if (kind == HG_ACTIVATION_ELU) hg_over_threads(count, count, elu_gradient, &task);
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
