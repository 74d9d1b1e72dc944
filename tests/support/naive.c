#include "tests/support/naive.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>

#include "core/base/alloc.h"
#include "core/base/rng.h"

void fill_random(hg_real *x, hg_off n, uint64_t seed)
{
  hg_rng rng = {.seed = seed, .stream = HG_STREAM_TEST};
  for (hg_off i = 0; i < n; i++) x[i] = (hg_real)(2 * hg_rng_uniform(rng, (uint64_t)i, 0) - 1);
}

hg_matrix random_matrix(hg_off rows, int cols, uint64_t seed)
{
  hg_matrix m;
  cr_assert_eq(hg_matrix_create(&m, rows, cols, "random matrix"), HG_OK);
  fill_random(m.data, rows * cols, seed);
  return m;
}

hg_nonzero_matrix close_all(const hg_matrix *x)
{
  uint8_t *data;
  cr_assert_eq(HG_ALLOC(data, (hg_off)hg_nonzero_matrix_bytes(x->rows, x->cols), "rows"), HG_OK);
  hg_nonzero_matrix m = hg_nonzero_matrix_of(data, x->rows, x->cols, 0.25);
  hg_nonzero_matrix_close(&m, 0, x);
  return m;
}

static hg_off row_length(hg_rng rng, hg_off i, hg_off n_cols, int degree)
{
  hg_off length = i % 5 == 4 ? 0 : (hg_off)hg_rng_below(rng, (uint64_t)i, 1, (uint64_t)(2 * degree + 1));
  if (i == 3) length = 8 * degree;
  return length < n_cols ? length : n_cols;
}

// Row i takes every column of a random arithmetic sequence, which is ascending and cannot repeat.
static void fill_row(hg_rng rng, hg_off i, hg_off length, hg_off n_cols, hg_lid *columns)
{
  if (length == 0) return;
  hg_off step = n_cols / length, start = (hg_off)hg_rng_below(rng, (uint64_t)i, 2, (uint64_t)step);
  for (hg_off e = 0; e < length; e++) {
    hg_off shift = (hg_off)hg_rng_below(rng, (uint64_t)i, (uint32_t)(3 + e), (uint64_t)(step - start));
    columns[e] = (hg_lid)(e * step + start + shift);
  }
}

hg_csr random_csr(hg_off n_rows, hg_off n_cols, int degree, bool with_values, uint64_t seed)
{
  hg_rng rng = {.seed = seed, .stream = HG_STREAM_TEST};
  hg_csr a;
  hg_off entries = 0;
  for (hg_off i = 0; i < n_rows; i++) entries += row_length(rng, i, n_cols, degree);
  cr_assert_eq(hg_csr_create(&a, n_rows, n_cols, entries, with_values, "random csr"), HG_OK);
  for (hg_off i = 0; i < n_rows; i++) {
    hg_off length = row_length(rng, i, n_cols, degree);
    a.indptr[i + 1] = a.indptr[i] + length;
    fill_row(rng, i, length, n_cols, a.indices + a.indptr[i]);
  }
  if (with_values) fill_random(a.values, entries, seed + 1);
  return a;
}

void naive_spmm(const hg_operator *op, hg_off first, hg_off n, const hg_matrix *x, hg_matrix *y)
{
  const hg_csr *a = op->a;
  for (hg_off i = first; i < first + n; i++) {
    for (int k = 0; k < x->cols; k++) {
      double sum = 0;
      for (hg_off e = a->indptr[i]; e < a->indptr[i + 1]; e++) {
        hg_off j = a->indices[e];
        double weight = a->values ? (double)a->values[e] : 1;
        if (op->col_scale) weight *= (double)op->col_scale[j];
        sum += weight * (double)x->data[j * x->cols + k];
      }
      if (i < op->n_self) sum += (op->col_scale ? (double)op->col_scale[i] : 1) * (double)x->data[i * x->cols + k];
      y->data[i * x->cols + k] = (hg_real)((op->row_scale ? (double)op->row_scale[i] : 1) * sum);
    }
  }
}

void naive_gemm(const hg_matrix *a, bool transpose_a, const hg_matrix *b, bool transpose_b, hg_real beta, hg_matrix *c)
{
  hg_off inner = transpose_a ? a->rows : a->cols;
  for (hg_off i = 0; i < c->rows; i++) {
    for (int k = 0; k < c->cols; k++) {
      double sum = 0;
      for (hg_off t = 0; t < inner; t++) {
        hg_real left = transpose_a ? a->data[t * a->cols + i] : a->data[i * a->cols + t];
        hg_real right = transpose_b ? b->data[k * b->cols + t] : b->data[t * b->cols + k];
        sum += (double)left * (double)right;
      }
      double old = beta == 0 ? 0 : (double)beta * (double)c->data[i * c->cols + k];
      c->data[i * c->cols + k] = (hg_real)(sum + old);
    }
  }
}

double naive_dot(const hg_real *a, const hg_real *b, hg_off n)
{
  double sum = 0;
  for (hg_off i = 0; i < n; i++) sum += (double)a[i] * (double)b[i];
  return sum;
}

void expect_gradient(double (*value)(void *context), void *context, hg_real *x, hg_off n, const hg_real *gradient,
                     const char *what)
{
  const double step = sizeof(hg_real) == 8 ? 1e-5 : 1e-2, tolerance = sizeof(hg_real) == 8 ? 1e-7 : 5e-3;
  hg_off stride = n > 40 ? n / 40 : 1;
  for (hg_off i = 0; i < n; i += stride) {
    hg_real kept = x[i];
    x[i] = (hg_real)((double)kept + step);
    double width = (double)x[i], above = value(context);
    x[i] = (hg_real)((double)kept - step);
    width -= (double)x[i];
    double expected = (above - value(context)) / width, found = (double)gradient[i];
    x[i] = kept;
    double error = fabs(found - expected) / fmax(1, fmax(fabs(found), fabs(expected)));
    cr_expect(error <= tolerance, "%s: gradient %lld is %.9g, central difference %.9g", what, (long long)i, found,
              expected);
  }
}

double sum_tolerance(void) { return sizeof(hg_real) == 8 ? 1e-13 : 2e-5; }
