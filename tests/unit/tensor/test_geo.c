// Geo-GCN's fused kernels against plain loops, against differences, and against what they generalise: GCN's sum and the
// convolution of images.
#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/threads.h"
#include "core/tensor/geo.h"
#include "tests/support/close.h"
#include "tests/support/naive.h"

enum { ROWS = 61, COLS = 97 };

typedef struct {
  int channels, filters, dims;
  bool shared;
} shape;

// both orders of columns, with and without padding, every number of dimensions
static const shape shapes[] = {{1, 64, 2, false}, {5, 16, 3, false}, {16, 3, 2, false}, {32, 8, 1, true},
                               {3, 5, 2, false},  {2, 20, 4, true},  {7, 1, 8, false},  {1, 1, 5, false},
                               {48, 2, 3, false}, {4, 9, 6, false},  {2, 2, 7, false},  {21, 33, 2, true}};
enum { N_SHAPES = sizeof shapes / sizeof *shapes };

// Rows are the first of the columns' nodes, as the owned nodes of a part are; entries i -> j of row i.
typedef struct {
  shape shape;
  hg_csr a, t;
  hg_operator forward, backward;
  hg_real row_scale[ROWS], col_scale[COLS];
  hg_matrix positions, x, u, b, w; // w: weights of all columns of a in the sum that is differentiated
  hg_geo geo;
} fixture;

static int gates(const fixture *f) { return f->shape.shared ? f->shape.filters : f->shape.channels * f->shape.filters; }

static fixture *make(shape s, int options, uint64_t seed)
{
  fixture *f = malloc(sizeof *f);
  cr_assert_not_null(f);
  f->shape = s;
  f->a = random_csr(ROWS, COLS, 5, options & 4, seed);
  cr_assert_eq(hg_csr_transpose(&f->t, &f->a), HG_OK);
  fill_random(f->row_scale, ROWS, seed + 2);
  fill_random(f->col_scale, COLS, seed + 3);
  hg_real *rows = options & 1 ? f->row_scale : NULL, *cols = options & 2 ? f->col_scale : NULL;
  f->forward = (hg_operator){.a = &f->a, .row_scale = rows, .col_scale = cols, .n_self = options & 8 ? ROWS : 0};
  f->backward = (hg_operator){.a = &f->t, .row_scale = cols, .col_scale = rows, .n_self = options & 8 ? ROWS : 0};
  f->positions = random_matrix(COLS, s.dims, seed + 4);
  for (int d = 0; d < s.dims; d++) f->positions.data[5 * s.dims + d] = f->positions.data[9 * s.dims + d]; // coincide
  f->x = random_matrix(COLS, s.channels, seed + 5);
  f->u = random_matrix(gates(f), s.dims, seed + 6);
  f->b = random_matrix(gates(f), 1, seed + 7);
  f->w = random_matrix(ROWS, s.channels * s.filters, seed + 8);
  cr_assert_eq(hg_geo_create(&f->geo, s.channels, s.filters, s.dims, s.shared), HG_OK);
  return f;
}

static void drop(fixture *f)
{
  hg_csr_free(&f->a), hg_csr_free(&f->t);
  hg_matrix_free(&f->positions), hg_matrix_free(&f->x), hg_matrix_free(&f->u), hg_matrix_free(&f->b);
  hg_matrix_free(&f->w), hg_geo_free(&f->geo);
  free(f);
}

static double naive_gate(const fixture *f, int c, int k, hg_off i, hg_off j)
{
  int row = f->shape.shared ? k : c * f->shape.filters + k, t = f->shape.dims;
  double z = (double)f->b.data[row];
  for (int d = 0; d < t; d++)
    z += (double)f->u.data[row * t + d] * ((double)f->positions.data[j * t + d] - (double)f->positions.data[i * t + d]);
  return z > 0 ? z : 0;
}

static double naive_sum(const fixture *f, hg_off i, int c, int k)
{
  const hg_operator *op = &f->forward;
  double sum = 0;
  for (hg_off e = f->a.indptr[i]; e < f->a.indptr[i + 1]; e++) {
    hg_lid j = f->a.indices[e];
    double w = (f->a.values ? (double)f->a.values[e] : 1) * (op->col_scale ? (double)op->col_scale[j] : 1);
    sum += w * naive_gate(f, c, k, i, j) * (double)f->x.data[j * f->shape.channels + c];
  }
  if (i < op->n_self)
    sum += (op->col_scale ? (double)op->col_scale[i] : 1) * naive_gate(f, c, k, i, i) *
           (double)f->x.data[i * f->shape.channels + c];
  return sum * (op->row_scale ? (double)op->row_scale[i] : 1);
}

// a in the order of the weights: column c K + k
static hg_matrix forward(fixture *f)
{
  int width = f->shape.channels * f->shape.filters;
  hg_matrix a = random_matrix(ROWS, f->geo.columns, 1), out = random_matrix(ROWS, width, 1);
  hg_matrix unit = random_matrix(width, width, 1), arranged = random_matrix(f->geo.columns, width, 1);
  memset(unit.data, 0, (size_t)(width * width) * sizeof *unit.data);
  for (int k = 0; k < width; k++) unit.data[k * width + k] = 1;
  hg_geo_set_gates(&f->geo, &f->u, f->b.data);
  hg_geo_forward(&f->geo, &(hg_geo_piece){&f->forward, f->positions.data, 0, 20, 0}, &f->x, &a);
  hg_geo_forward(&f->geo, &(hg_geo_piece){&f->forward, f->positions.data, 20, ROWS - 20, 0}, &f->x, &a);
  hg_geo_arrange(&f->geo, &unit, &arranged);
  naive_gemm(&a, false, &arranged, false, 0, &out);
  hg_matrix_free(&a), hg_matrix_free(&unit), hg_matrix_free(&arranged);
  return out;
}

static void agrees_with_naive(const char *simd)
{
  setenv("HALOGNN_SIMD", simd, 1);
  for (int s = 0; s < N_SHAPES; s++) {
    for (int options = 0; options < 16; options += s % 2 ? 5 : 3) {
      fixture *f = make(shapes[s], options, (uint64_t)(10 * s));
      hg_matrix found = forward(f), expected = random_matrix(ROWS, found.cols, 1);
      char what[64];
      for (hg_off e = 0; e < ROWS * found.cols; e++) {
        int column = (int)(e % found.cols);
        expected.data[e] = (hg_real)naive_sum(f, e / found.cols, column / f->shape.filters, column % f->shape.filters);
      }
      snprintf(what, sizeof what, "%s shape %d options %d", simd, s, options);
      expect_close(found.data, expected.data, ROWS * found.cols, sum_tolerance(), what);
      hg_matrix_free(&found), hg_matrix_free(&expected), drop(f);
    }
  }
}

Test(geo, agrees_with_the_naive_loop_base) { agrees_with_naive("base"); }
Test(geo, agrees_with_the_naive_loop_avx2) { agrees_with_naive("avx2"); }
Test(geo, agrees_with_the_naive_loop_avx512) { agrees_with_naive("avx512"); }

// the smallest |z| of the gate in this row of the parameters, over all entries and self-loops
static double nearest_kink(const fixture *f, int row)
{
  int t = f->shape.dims;
  double nearest = fabs((double)f->b.data[row]);
  for (hg_off i = 0; i < ROWS; i++) {
    for (hg_off e = f->a.indptr[i]; e < f->a.indptr[i + 1]; e++) {
      double z = (double)f->b.data[row];
      for (int d = 0; d < t; d++)
        z += (double)f->u.data[row * t + d] *
             ((double)f->positions.data[f->a.indices[e] * t + d] - (double)f->positions.data[i * t + d]);
      nearest = fmin(nearest, fabs(z));
    }
  }
  return nearest;
}

// so that no difference steps over a kink
static void leave_kinks(fixture *f)
{
  for (int row = 0; row < gates(f); row++)
    while (nearest_kink(f, row) < 1e-4) f->b.data[row] += (hg_real)1e-3;
}

// sum of w a: its gradients are those that hg_geo_backward gives for d_a = w
static double weighted_sum(void *context)
{
  const fixture *f = context;
  int width = f->shape.channels * f->shape.filters;
  double sum = 0;
  for (hg_off e = 0; e < ROWS * width; e++)
    sum += (double)f->w.data[e] *
           naive_sum(f, e / width, (int)(e % width) / f->shape.filters, (int)(e % width) % f->shape.filters);
  return sum;
}

typedef struct {
  hg_matrix x, u, b;
} gradients;

static gradients backward(fixture *f)
{
  gradients g = {random_matrix(COLS, f->shape.channels, 3), random_matrix(gates(f), f->shape.dims, 3),
                 random_matrix(gates(f), 1, 3)};
  int width = f->shape.channels * f->shape.filters;
  hg_matrix d_a = random_matrix(ROWS, f->geo.columns, 1);
  for (hg_off i = 0; i < ROWS; i++) {
    hg_matrix row = {.rows = width, .cols = 1, .data = f->w.data + i * width};
    hg_matrix out = {.rows = f->geo.columns, .cols = 1, .data = d_a.data + i * f->geo.columns};
    hg_geo_arrange(&f->geo, &row, &out);
  }
  hg_geo_set_gates(&f->geo, &f->u, f->b.data);
  hg_geo_backward(&f->geo, &(hg_geo_piece){&f->backward, f->positions.data, ROWS, COLS - ROWS, 0}, &f->x, &d_a, &g.x,
                  NULL);
  hg_geo_backward(&f->geo, &(hg_geo_piece){&f->backward, f->positions.data, 0, ROWS, 0}, &f->x, &d_a, &g.x, NULL);
  hg_geo_take_gradients(&f->geo, &g.u, g.b.data);
  hg_matrix_free(&d_a);
  return g;
}

static void drop_gradients(gradients *g) { hg_matrix_free(&g->x), hg_matrix_free(&g->u), hg_matrix_free(&g->b); }

static void gradients_are_differences(const char *simd)
{
  setenv("HALOGNN_SIMD", simd, 1);
  for (int s = 0; s < N_SHAPES; s++) {
    fixture *f = make(shapes[s], s * 5 % 16 | 8, (uint64_t)s);
    leave_kinks(f);
    gradients g = backward(f);
    char what[64];
    snprintf(what, sizeof what, "%s shape %d", simd, s);
    expect_gradient(weighted_sum, f, f->x.data, COLS * f->shape.channels, g.x.data, what);
    if (sizeof(hg_real) == sizeof(double)) { // float's steps would cross the kinks
      expect_gradient(weighted_sum, f, f->u.data, (hg_off)gates(f) * f->shape.dims, g.u.data, what);
      expect_gradient(weighted_sum, f, f->b.data, gates(f), g.b.data, what);
    }
    drop_gradients(&g), drop(f);
  }
}

Test(geo, gradients_are_differences_base) { gradients_are_differences("base"); }
Test(geo, gradients_are_differences_avx512) { gradients_are_differences("avx512"); }

// the gates' gradients by plain loops: exact where differences are not, in float
static hg_matrix naive_gate_gradients(const fixture *f)
{
  int t = f->shape.dims, channels = f->shape.channels, filters = f->shape.filters;
  hg_matrix out = random_matrix(gates(f), t + 1, 1);
  double *sums = calloc((size_t)(gates(f) * (t + 1)), sizeof *sums);
  for (hg_off i = 0; i < ROWS; i++) {
    for (hg_off e = f->a.indptr[i]; e <= f->a.indptr[i + 1]; e++) {
      bool self = e == f->a.indptr[i + 1];
      if (self && i >= f->forward.n_self) continue;
      hg_lid j = self ? (hg_lid)i : f->a.indices[e];
      double w = f->a.values && !self ? (double)f->a.values[e] : 1;
      if (f->forward.col_scale) w *= (double)f->col_scale[j];
      if (f->forward.row_scale) w *= (double)f->row_scale[i];
      for (int c = 0; c < channels; c++) {
        for (int k = 0; k < filters; k++) {
          if (naive_gate(f, c, k, i, j) <= 0) continue;
          double *sum = sums + (f->shape.shared ? k : c * filters + k) * (t + 1);
          double q = w * (double)f->w.data[(i * channels + c) * filters + k] * (double)f->x.data[j * channels + c];
          for (int d = 0; d < t; d++)
            sum[d] += q * ((double)f->positions.data[j * t + d] - (double)f->positions.data[i * t + d]);
          sum[t] += q;
        }
      }
    }
  }
  for (hg_off e = 0; e < out.rows * out.cols; e++) out.data[e] = (hg_real)sums[e];
  free(sums);
  return out;
}

Test(geo, all_instruction_sets_give_the_gates_gradients)
{
  static const char *const levels[] = {"base", "avx2", "avx512"};
  for (int s = 0; s < N_SHAPES; s++) {
    for (int l = 0; l < 3; l++) {
      setenv("HALOGNN_SIMD", levels[l], 1);
      fixture *f = make(shapes[s], s * 7 % 16, (uint64_t)s);
      gradients g = backward(f);
      hg_matrix expected = naive_gate_gradients(f);
      int t = f->shape.dims;
      for (int row = 0; row < gates(f); row++) {
        char what[64];
        snprintf(what, sizeof what, "%s shape %d gate %d", levels[l], s, row);
        expect_close(g.u.data + row * t, expected.data + row * (t + 1), t, 4 * sum_tolerance(), what);
        expect_close(g.b.data + row, expected.data + row * (t + 1) + t, 1, 4 * sum_tolerance(), what);
      }
      hg_matrix_free(&expected), drop_gradients(&g), drop(f);
    }
  }
}

Test(geo, same_bits_on_any_number_of_threads)
{
  for (int s = 0; s < N_SHAPES; s++) {
    fixture *f = make(shapes[s], 15, 3);
    hg_threads_set(1);
    hg_matrix a = forward(f);
    gradients g = backward(f);
    for (int threads = 2; threads <= 3; threads++) {
      hg_threads_set(threads);
      hg_matrix b = forward(f);
      gradients h = backward(f);
      cr_expect_arr_eq(a.data, b.data, ROWS * (size_t)a.cols * sizeof(hg_real), "shape %d", s);
      cr_expect_arr_eq(g.x.data, h.x.data, COLS * (size_t)g.x.cols * sizeof(hg_real), "shape %d: x", s);
      cr_expect_arr_eq(g.u.data, h.u.data, (size_t)(g.u.rows * g.u.cols) * sizeof(hg_real), "shape %d: u", s);
      cr_expect_arr_eq(g.b.data, h.b.data, (size_t)g.b.rows * sizeof(hg_real), "shape %d: b", s);
      hg_matrix_free(&b), drop_gradients(&h);
    }
    hg_matrix_free(&a), drop_gradients(&g), drop(f);
  }
}

// Columns in pieces of one unit: what a caller does who has no room for all of them.
Test(geo, pieces_of_columns_give_the_bits_of_all)
{
  for (int s = 0; s < N_SHAPES; s++) {
    fixture *f = make(shapes[s], 13, 8);
    int columns = f->geo.columns;
    hg_matrix a = random_matrix(ROWS, columns, 1), d_x = random_matrix(COLS, f->shape.channels, 2);
    hg_matrix d_u = random_matrix(gates(f), f->shape.dims, 2), d_b = random_matrix(gates(f), 1, 2);
    hg_matrix d_a = random_matrix(ROWS, columns, 3), unit = random_matrix(ROWS, HG_GEO_UNIT, 1);
    hg_matrix by_unit[3] = {random_matrix(COLS, f->shape.channels, 4), random_matrix(gates(f), f->shape.dims, 4),
                            random_matrix(gates(f), 1, 4)};
    hg_geo_set_gates(&f->geo, &f->u, f->b.data);
    hg_geo_forward(&f->geo, &(hg_geo_piece){&f->forward, f->positions.data, 0, ROWS, 0}, &f->x, &a);
    hg_geo_backward(&f->geo, &(hg_geo_piece){&f->backward, f->positions.data, 0, COLS, 0}, &f->x, &d_a, &d_x, NULL);
    hg_geo_take_gradients(&f->geo, &d_u, d_b.data);
    for (int column = 0; column < columns; column += HG_GEO_UNIT) {
      hg_geo_piece there = {&f->forward, f->positions.data, 0, ROWS, column};
      hg_geo_piece back = {&f->backward, f->positions.data, 0, COLS, column};
      hg_geo_forward(&f->geo, &there, &f->x, &unit);
      for (int i = 0; i < ROWS; i++) {
        size_t bytes = HG_GEO_UNIT * sizeof(hg_real);
        cr_expect_arr_eq(unit.data + i * HG_GEO_UNIT, a.data + i * columns + column, bytes, "shape %d row %d", s, i);
        memcpy(unit.data + i * HG_GEO_UNIT, d_a.data + i * columns + column, bytes);
      }
      hg_geo_backward(&f->geo, &back, &f->x, &unit, &by_unit[0], NULL);
    }
    hg_geo_take_gradients(&f->geo, &by_unit[1], by_unit[2].data);
    expect_close(by_unit[0].data, d_x.data, COLS * f->shape.channels, sum_tolerance(), "d_x by units");
    expect_close(by_unit[1].data, d_u.data, d_u.rows * d_u.cols, sum_tolerance(), "d_u by units");
    expect_close(by_unit[2].data, d_b.data, d_b.rows, sum_tolerance(), "d_b by units");
    for (int m = 0; m < 3; m++) hg_matrix_free(&by_unit[m]);
    hg_matrix_free(&a), hg_matrix_free(&d_x), hg_matrix_free(&d_u), hg_matrix_free(&d_b);
    hg_matrix_free(&d_a), hg_matrix_free(&unit), drop(f);
  }
}

static const char *const simd_levels[] = {"base", "avx2", "avx512"};

static void shared_is_channel_with_equal_gates(int channels, int filters)
{
  shape once = {channels, filters, 2, true}, each = {channels, filters, 2, false};
  fixture *f = make(once, 15, 5), *g = make(each, 15, 5);
  for (int row = 0; row < channels * filters; row++) {
    memcpy(g->u.data + row * 2, f->u.data + row % filters * 2, 2 * sizeof(hg_real));
    g->b.data[row] = f->b.data[row % filters];
  }
  memcpy(g->w.data, f->w.data, (size_t)(ROWS * channels * filters) * sizeof(hg_real));
  hg_matrix a = forward(f), b = forward(g);
  gradients of = backward(f), og = backward(g);
  expect_close(a.data, b.data, ROWS * a.cols, sum_tolerance(), "sums");
  expect_close(of.x.data, og.x.data, COLS * channels, sum_tolerance(), "gradient of x");
  for (int k = 0; k < filters; k++) {
    double sums[3] = {0};
    for (int c = 0; c < channels; c++) {
      for (int d = 0; d < 2; d++) sums[d] += (double)og.u.data[(c * filters + k) * 2 + d];
      sums[2] += (double)og.b.data[c * filters + k];
    }
    hg_real expected[3] = {(hg_real)sums[0], (hg_real)sums[1], (hg_real)sums[2]};
    expect_close(of.u.data + 2 * k, expected, 2, 8 * sum_tolerance(), "gradient of u");
    expect_close(of.b.data + k, expected + 2, 1, 8 * sum_tolerance(), "gradient of b");
  }
  hg_matrix_free(&a), hg_matrix_free(&b), drop_gradients(&of), drop_gradients(&og), drop(f), drop(g);
}

Test(geo, shared_filters_are_equal_gates_in_all_channels)
{
  for (int l = 0; l < 3; l++) {
    setenv("HALOGNN_SIMD", simd_levels[l], 1);
    for (int channels = 1; channels <= 23; channels += channels < 5 ? 1 : 6)
      shared_is_channel_with_equal_gates(channels, 20);
    shared_is_channel_with_equal_gates(16, 64);
    shared_is_channel_with_equal_gates(16, 3); // one order of columns for both
  }
}

static hg_matrix position_gradient(fixture *f)
{
  gradients g = {random_matrix(COLS, f->shape.channels, 3), {0}, {0}};
  hg_matrix d_a = random_matrix(ROWS, f->geo.columns, 1), d_p = {0};
  cr_assert_eq(hg_matrix_create(&d_p, COLS, f->shape.dims, "gradient of positions"), HG_OK);
  for (hg_off i = 0; i < ROWS; i++) {
    hg_matrix row = {.rows = f->w.cols, .cols = 1, .data = f->w.data + i * f->w.cols};
    hg_matrix out = {.rows = f->geo.columns, .cols = 1, .data = d_a.data + i * f->geo.columns};
    hg_geo_arrange(&f->geo, &row, &out);
  }
  hg_geo_piece back = {&f->backward, f->positions.data, 0, COLS, 0};
  hg_geo_piece there = {&f->forward, f->positions.data, 0, ROWS, 0};
  hg_geo_set_gates(&f->geo, &f->u, f->b.data);
  hg_geo_backward(&f->geo, &back, &f->x, &d_a, &g.x, d_p.data);
  hg_geo_backward_targets(&f->geo, &there, &f->x, &d_a, d_p.data);
  hg_matrix_free(&d_a), hg_matrix_free(&g.x);
  return d_p;
}

// d_p_j += r, d_p_i -= r with r = U' q over all entries, by plain loops
static hg_matrix naive_position_gradient(const fixture *f)
{
  int t = f->shape.dims, channels = f->shape.channels, filters = f->shape.filters;
  hg_matrix out = random_matrix(COLS, t, 1);
  double *sums = calloc((size_t)(COLS * t), sizeof *sums);
  for (hg_off i = 0; i < ROWS; i++) {
    for (hg_off e = f->a.indptr[i]; e < f->a.indptr[i + 1]; e++) {
      hg_lid j = f->a.indices[e];
      double w = f->a.values ? (double)f->a.values[e] : 1;
      if (f->forward.col_scale) w *= (double)f->col_scale[j];
      if (f->forward.row_scale) w *= (double)f->row_scale[i];
      for (int ck = 0; ck < channels * filters; ck++) {
        int c = ck / filters, k = ck % filters;
        if (naive_gate(f, c, k, i, j) <= 0) continue;
        double q = w * (double)f->w.data[i * channels * filters + ck] * (double)f->x.data[j * channels + c];
        for (int d = 0; d < t; d++) {
          double r = q * (double)f->u.data[(f->shape.shared ? k : ck) * t + d];
          sums[j * t + d] += r;
          sums[i * t + d] -= r;
        }
      }
    }
  }
  for (hg_off e = 0; e < COLS * t; e++) out.data[e] = (hg_real)sums[e];
  free(sums);
  return out;
}

Test(geo, gradients_of_positions_agree_with_plain_loops_and_sum_to_zero)
{
  for (int s = 0; s < N_SHAPES; s++) {
    for (int l = 0; l < 3; l++) {
      setenv("HALOGNN_SIMD", simd_levels[l], 1);
      fixture *f = make(shapes[s], s * 7 % 16, (uint64_t)s);
      hg_matrix found = position_gradient(f), expected = naive_position_gradient(f);
      char what[64];
      snprintf(what, sizeof what, "%s shape %d", simd_levels[l], s);
      expect_close(found.data, expected.data, COLS * f->shape.dims, 4 * sum_tolerance(), what);
      for (int d = 0; d < f->shape.dims; d++) { // moving all nodes changes nothing
        double sum = 0, size = 0;
        for (hg_off i = 0; i < COLS; i++) {
          sum += (double)found.data[i * f->shape.dims + d];
          size += fabs((double)found.data[i * f->shape.dims + d]);
        }
        cr_expect_leq(fabs(sum), 8 * sum_tolerance() * size, "%s: sum of dimension %d is %g of %g", what, d, sum, size);
      }
      hg_matrix_free(&found), hg_matrix_free(&expected), drop(f);
    }
  }
}

Test(geo, gradients_of_positions_are_differences)
{
  if (sizeof(hg_real) != sizeof(double)) cr_skip_test("float's steps would cross the kinks");
  for (int s = 0; s < N_SHAPES; s++) {
    fixture *f = make(shapes[s], s * 5 % 16 | 8, (uint64_t)s);
    leave_kinks(f);
    hg_matrix d_p = position_gradient(f);
    expect_gradient(weighted_sum, f, f->positions.data, COLS * f->shape.dims, d_p.data, "positions");
    hg_matrix_free(&d_p), drop(f);
  }
}

Test(geo, gradients_of_positions_have_the_same_bits_on_any_number_of_threads)
{
  for (int s = 0; s < N_SHAPES; s++) {
    fixture *f = make(shapes[s], 15, 3);
    hg_threads_set(1);
    hg_matrix one = position_gradient(f);
    hg_threads_set(3);
    hg_matrix three = position_gradient(f);
    cr_expect_arr_eq(one.data, three.data, COLS * (size_t)f->shape.dims * sizeof(hg_real), "shape %d", s);
    hg_matrix_free(&one), hg_matrix_free(&three), drop(f);
  }
}

Test(geo, with_open_gates_is_the_aggregate_of_gcn)
{
  for (int s = 0; s < N_SHAPES; s++) {
    fixture *f = make(shapes[s], 11, 4); // row and column scales, self-loops
    memset(f->u.data, 0, (size_t)(f->u.rows * f->u.cols) * sizeof *f->u.data);
    for (int k = 0; k < gates(f); k++) f->b.data[k] = 1;
    hg_matrix a = forward(f), y = random_matrix(ROWS, f->shape.channels, 1);
    hg_spmm(&f->forward, 0, ROWS, &f->x, &y);
    for (hg_off e = 0; e < ROWS * a.cols; e++)
      expect_close(a.data + e, y.data + e / f->shape.filters, 1, sum_tolerance(), "gate of 1");
    hg_matrix_free(&a), hg_matrix_free(&y), drop(f);
  }
}

// Moving everything by whole numbers leaves the bits of differences of small dyadic positions as they are.
Test(geo, translation_changes_nothing)
{
  for (int s = 0; s < N_SHAPES; s++) {
    fixture *f = make(shapes[s], 9, 5);
    hg_off n = f->positions.rows * f->positions.cols;
    for (hg_off e = 0; e < n; e++) f->positions.data[e] = (hg_real)round((double)f->positions.data[e] * 1024) / 1024;
    hg_matrix before = forward(f);
    for (hg_off e = 0; e < n; e++) f->positions.data[e] += (hg_real)(17 + e % f->shape.dims);
    hg_matrix after = forward(f);
    expect_close(after.data, before.data, ROWS * before.cols, 0, "moved");
    hg_matrix_free(&before), hg_matrix_free(&after), drop(f);
  }
}

enum { HEIGHT = 9, WIDTH = 8, IMAGES = 2 };

// every pixel's neighbours in the k x k window around it, without itself: the self-loop stands for that
static hg_csr image_grid(int k)
{
  hg_csr a;
  hg_off e = 0;
  int r = k / 2;
  cr_assert_eq(hg_csr_create(&a, HEIGHT * WIDTH, HEIGHT * WIDTH, HEIGHT * WIDTH * k * k, false, "grid"), HG_OK);
  for (int i = 0; i < HEIGHT * WIDTH; i++) {
    for (int row = i / WIDTH - r; row <= i / WIDTH + r; row++)
      for (int col = i % WIDTH - r; col <= i % WIDTH + r; col++)
        if (row >= 0 && row < HEIGHT && col >= 0 && col < WIDTH && row * WIDTH + col != i)
          a.indices[e++] = row * WIDTH + col;
    a.indptr[i + 1] = e;
  }
  return a;
}

static double convolved(const hg_matrix *x, int channel, const hg_real *mask, int k, int i)
{
  double sum = 0;
  for (int m = 0; m < k * k; m++) {
    int row = i / WIDTH + m / k - k / 2, col = i % WIDTH + m % k - k / 2;
    if (row < 0 || row >= HEIGHT || col < 0 || col >= WIDTH) continue;
    sum += (double)mask[m] * (double)x->data[(row * WIDTH + col) * x->cols + channel];
  }
  return sum;
}

// Danel et al.'s theorem. A pixel at (col, row) off has projection col + k row on u = (1, k): the window's are
// consecutive integers, and gate m opens as a ramp from the m-th on. So the mask's second differences weigh the ramps.
static void is_a_convolution(int k)
{
  int n = k * k;
  hg_csr a = image_grid(k);
  hg_operator op = {.a = &a, .n_self = HEIGHT * WIDTH};
  hg_matrix x = random_matrix(HEIGHT * WIDTH, IMAGES, 1), mask = random_matrix(IMAGES, n, 2);
  hg_matrix positions = random_matrix(HEIGHT * WIDTH, 2, 3), u = random_matrix(n, 2, 4), b = random_matrix(n, 1, 4);
  hg_matrix w = random_matrix(IMAGES * n, 1, 5), found = random_matrix(HEIGHT * WIDTH, 1, 6);
  for (int i = 0; i < HEIGHT * WIDTH; i++) {
    positions.data[2 * i] = (hg_real)(i % WIDTH);
    positions.data[2 * i + 1] = (hg_real)(i / WIDTH);
  }
  for (int m = 0; m < n; m++) {
    u.data[2 * m] = 1;
    u.data[2 * m + 1] = (hg_real)k;
    b.data[m] = (hg_real)(1 - m + n / 2);
  }
  for (int c = 0; c < IMAGES; c++)
    for (int m = 0; m < n; m++)
      w.data[c * n + m] =
          mask.data[c * n + m] - 2 * (m > 0 ? mask.data[c * n + m - 1] : 0) + (m > 1 ? mask.data[c * n + m - 2] : 0);
  hg_geo geo;
  cr_assert_eq(hg_geo_create(&geo, IMAGES, n, 2, true), HG_OK);
  hg_matrix sums = random_matrix(HEIGHT * WIDTH, geo.columns, 7), arranged = random_matrix(geo.columns, 1, 7);
  hg_geo_set_gates(&geo, &u, b.data);
  hg_geo_forward(&geo, &(hg_geo_piece){&op, positions.data, 0, HEIGHT * WIDTH, 0}, &x, &sums);
  hg_geo_arrange(&geo, &w, &arranged);
  naive_gemm(&sums, false, &arranged, false, 0, &found);
  double worst = 0, largest = 0;
  for (int i = 0; i < HEIGHT * WIDTH; i++) {
    double expected = 0;
    for (int c = 0; c < IMAGES; c++) expected += convolved(&x, c, mask.data + c * n, k, i);
    largest = fmax(largest, fabs(expected));
    worst = fmax(worst, fabs(expected - (double)found.data[i]));
  }
  double tolerance = sizeof(hg_real) == sizeof(double) ? 1e-13 : 1e-5;
  cr_expect_leq(worst, tolerance * largest, "k = %d: off by %g of %g", k, worst, largest);
  hg_csr_free(&a), hg_geo_free(&geo), hg_matrix_free(&x), hg_matrix_free(&mask), hg_matrix_free(&positions);
  hg_matrix_free(&u), hg_matrix_free(&b), hg_matrix_free(&w), hg_matrix_free(&found);
  hg_matrix_free(&sums), hg_matrix_free(&arranged);
}

Test(geo, is_a_convolution_of_3_x_3) { is_a_convolution(3); }
Test(geo, is_a_convolution_of_5_x_5) { is_a_convolution(5); }

Test(geo, restoring_undoes_arranging)
{
  for (int s = 0; s < N_SHAPES; s++) {
    fixture *f = make(shapes[s], 0, 6);
    hg_matrix w = random_matrix(f->shape.channels * f->shape.filters, 3, 1), back = random_matrix(w.rows, 3, 2);
    hg_matrix arranged = random_matrix(f->geo.columns, 3, 3);
    hg_geo_arrange(&f->geo, &w, &arranged);
    hg_geo_restore(&f->geo, &arranged, &back);
    cr_expect_arr_eq(w.data, back.data, (size_t)w.rows * 3 * sizeof(hg_real), "shape %d", s);
    hg_matrix_free(&w), hg_matrix_free(&back), hg_matrix_free(&arranged), drop(f);
  }
}

Test(geo, refuses_positions_that_it_has_no_kernel_for)
{
  hg_geo geo;
  cr_expect_eq(hg_geo_create(&geo, 2, 2, 9, false), HG_ERR_INTERNAL);
  cr_expect_str_eq(hg_error_text(), "gates for positions of 9 dimensions, expected 1 to 8");
}
