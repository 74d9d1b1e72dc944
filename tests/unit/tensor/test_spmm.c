#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/alloc.h"
#include "core/base/threads.h"
#include "tests/support/close.h"
#include "tests/support/naive.h"

static const int widths[] = {1,  2,  7,   8,   9,   15,  16,  17,  23,  25,  31,  33,  40,  47,  50,  63,  64,  65,
                             80, 96, 100, 113, 128, 145, 161, 177, 193, 209, 225, 241, 256, 257, 272, 273, 300, 530};
enum { N_WIDTHS = sizeof widths / sizeof *widths, ROWS = 211, COLS = 333 };

typedef struct {
  hg_csr a;
  hg_real row_scale[ROWS], col_scale[COLS];
} fixture;

static fixture *make(bool with_values, uint64_t seed)
{
  fixture *f = malloc(sizeof *f);
  f->a = random_csr(ROWS, COLS, 9, with_values, seed);
  fill_random(f->row_scale, ROWS, seed + 2);
  fill_random(f->col_scale, COLS, seed + 3);
  return f;
}

static void drop(fixture *f)
{
  hg_csr_free(&f->a);
  free(f);
}

// Operators 0..7: with and without row scale, column scale and self-loops
static hg_operator operator_of(const fixture *f, int options)
{
  return (hg_operator){.a = &f->a,
                       .row_scale = options & 1 ? f->row_scale : NULL,
                       .col_scale = options & 2 ? f->col_scale : NULL,
                       .n_self = options & 4 ? 150 : 0};
}

static void agrees_with_naive(const char *simd)
{
  setenv("HALOGNN_SIMD", simd, 1);
  for (int values = 0; values < 2; values++) {
    fixture *f = make(values, 5);
    for (int w = 0; w < N_WIDTHS; w++) {
      hg_matrix x = random_matrix(COLS, widths[w], 8), y = random_matrix(ROWS, widths[w], 9),
                z = random_matrix(ROWS, widths[w], 9);
      for (int options = 0; options < 8; options++) {
        hg_operator op = operator_of(f, options);
        char what[64];
        snprintf(what, sizeof what, "%s width %d values %d options %d", simd, widths[w], values, options);
        hg_spmm(&op, 10, 190, &x, &y);
        naive_spmm(&op, 10, 190, &x, &z);
        expect_close(y.data, z.data, ROWS * widths[w], sum_tolerance(), what);
      }
      hg_matrix_free(&x), hg_matrix_free(&y), hg_matrix_free(&z);
    }
    drop(f);
  }
}

Test(spmm, agrees_with_the_naive_loop_on_every_width_base) { agrees_with_naive("base"); }
Test(spmm, agrees_with_the_naive_loop_on_every_width_avx2) { agrees_with_naive("avx2"); }
Test(spmm, agrees_with_the_naive_loop_on_every_width_avx512) { agrees_with_naive("avx512"); }

enum { HUB = 60, KEPT_COLS = 6000, MOST_STEPS = 1 };

// Rows of some 9 entries, and one that has more than are kept at a time.
static hg_csr graph_with_hub(void)
{
  hg_csr small = random_csr(ROWS, KEPT_COLS, 9, false, 3), a;
  cr_assert_eq(hg_csr_create(&a, ROWS, KEPT_COLS, hg_csr_entries(&small) + KEPT_COLS, false, "a"), HG_OK);
  for (hg_off i = 0; i < ROWS; i++) {
    hg_off n = small.indptr[i + 1] - small.indptr[i], at = a.indptr[i];
    memcpy(a.indices + at, small.indices + small.indptr[i], (size_t)n * sizeof *a.indices);
    a.indptr[i + 1] = at + n;
    for (hg_lid j = 0; i == HUB && j < KEPT_COLS; j++) a.indices[a.indptr[i + 1]++] = j;
  }
  hg_csr_free(&small);
  return a;
}

static void zero_rows(hg_matrix *x, const uint8_t *steps)
{
  for (hg_off i = 0; i < x->rows; i++)
    if (steps[i] > MOST_STEPS) memset(x->data + i * x->cols, 0, (size_t)x->cols * sizeof *x->data);
}

// as `expected`, of x without its zeros
static void keeps_without_zeros(const hg_operator *op, const hg_matrix *x, const hg_matrix *expected)
{
  hg_nonzero_matrix closed = close_all(x);
  hg_matrix y = random_matrix(ROWS, x->cols, 9);
  hg_spmm_nonzero(op, 0, ROWS, &closed, &y);
  for (hg_off e = 0; e < ROWS * x->cols; e++) cr_assert(y.data[e] == expected->data[e], "number %lld", (long long)e);
  hg_matrix_free(&y);
  hg_free(&closed.data);
}

// What is kept has the same bits as without leaving out anything; other rows are zeros.
static void keeps(const hg_csr *a, int width, int options, int hub_steps)
{
  static uint8_t steps[KEPT_COLS];
  static hg_real scale[KEPT_COLS];
  hg_matrix x = random_matrix(KEPT_COLS, width, 8), y = random_matrix(ROWS, width, 9),
            all = random_matrix(ROWS, width, 7);
  fill_random(scale, KEPT_COLS, 5);
  for (int i = 0; i < KEPT_COLS; i++) steps[i] = (uint8_t)((i * 7919) % 4);
  steps[HUB] = (uint8_t)hub_steps;
  if (options & 2) zero_rows(&x, steps);
  hg_operator op = {
      .a = a, .row_scale = scale, .col_scale = options & 4 ? scale : NULL, .n_self = options & 8 ? 150 : 0};
  hg_spmm(&op, 0, ROWS, &x, &all);
  if (options & 1) zero_rows(&all, steps);
  op.kept = (hg_kept){options & 1 ? steps : NULL, options & 2 ? steps : NULL, MOST_STEPS};
  hg_spmm(&op, 0, ROWS, &x, &y);
  for (hg_off e = 0; e < ROWS * width; e++)
    cr_assert(y.data[e] == all.data[e], "width %d options %d: number %lld", width, options, (long long)e);
  hg_matrix block = hg_matrix_rows(&y, 0, 100);
  hg_spmm_block(&op, 30, 100, &x, &block);
  for (hg_off e = 0; e < 100 * width; e++) cr_assert(block.data[e] == all.data[30 * width + e]);
  keeps_without_zeros(&op, &x, &all);
  hg_matrix_free(&x), hg_matrix_free(&y), hg_matrix_free(&all);
}

Test(spmm, leaves_out_what_is_not_kept)
{
  hg_csr a = graph_with_hub();
  for (int threads = 1; threads <= 3; threads += 2)
    for (int options = 1; options < 16; options++)
      for (int hub_steps = 0; hub_steps < 3; hub_steps += 2) {
        hg_threads_set(threads);
        keeps(&a, 7, options, hub_steps);
        keeps(&a, 41, options, hub_steps);
      }
  hg_threads_set(1);
  hg_csr_free(&a);
}

// rows of x that are not kept are not read, where the entries of a row find room
Test(spmm, does_not_read_what_is_not_kept)
{
  static uint8_t steps[COLS];
  fixture *f = make(false, 5);
  hg_operator op = operator_of(f, 7);
  hg_matrix x = random_matrix(COLS, 20, 8), y = random_matrix(ROWS, 20, 9);
  for (int i = 0; i < COLS; i++) steps[i] = (uint8_t)(i % 3);
  op.kept = (hg_kept){.columns = steps, .most = MOST_STEPS};
  for (hg_off e = 0; e < COLS * 20; e++)
    if (steps[e / 20] > MOST_STEPS) x.data[e] = (hg_real)NAN;
  hg_spmm(&op, 0, ROWS, &x, &y);
  for (hg_off e = 0; e < ROWS * 20; e++) cr_assert(!isnan(y.data[e]));
  hg_matrix_free(&x), hg_matrix_free(&y);
  drop(f);
}

Test(spmm, same_bits_on_any_number_of_threads)
{
  fixture *f = make(true, 6);
  hg_operator op = operator_of(f, 7);
  hg_matrix x = random_matrix(COLS, 300, 1), one = random_matrix(ROWS, 300, 2), many = random_matrix(ROWS, 300, 2);
  hg_threads_set(1);
  hg_spmm(&op, 0, ROWS, &x, &one);
  for (int threads = 2; threads <= 5; threads++) {
    hg_threads_set(threads);
    fill_random(many.data, ROWS * 300, (uint64_t)threads);
    hg_spmm(&op, 0, ROWS, &x, &many);
    cr_expect_arr_eq(one.data, many.data, ROWS * 300 * sizeof(hg_real), "%d threads", threads);
  }
  hg_matrix_free(&x), hg_matrix_free(&one), hg_matrix_free(&many), drop(f);
}

Test(spmm, of_the_transposed_is_the_adjoint)
{
  for (uint64_t seed = 0; seed < 4; seed++) {
    fixture *f = make(seed % 2 == 0, seed);
    hg_csr t;
    cr_assert_eq(hg_csr_transpose(&t, &f->a), HG_OK);
    hg_operator op = operator_of(f, 7),
                adjoint = {.a = &t, .row_scale = f->col_scale, .col_scale = f->row_scale, .n_self = 150};
    hg_matrix x = random_matrix(COLS, 20, 11), y = random_matrix(ROWS, 20, 12), ax = random_matrix(ROWS, 20, 0);
    hg_matrix aty = random_matrix(COLS, 20, 0);
    hg_spmm(&op, 0, ROWS, &x, &ax);
    hg_spmm(&adjoint, 0, COLS, &y, &aty);
    double left = naive_dot(ax.data, y.data, ROWS * 20), right = naive_dot(x.data, aty.data, COLS * 20);
    cr_expect_float_eq(left, right, 100 * sum_tolerance(), "seed %d: <Ax,y> = %.9g, <x,A'y> = %.9g", (int)seed, left,
                       right);
    hg_csr_free(&t), hg_matrix_free(&x), hg_matrix_free(&y), hg_matrix_free(&ax), hg_matrix_free(&aty), drop(f);
  }
}

Test(spmm, nothing_to_do_touches_nothing)
{
  hg_csr empty;
  cr_assert_eq(hg_csr_create(&empty, 5, 5, 0, false, "empty"), HG_OK);
  hg_operator op = {.a = &empty};
  hg_matrix x = random_matrix(5, 3, 1), y = random_matrix(5, 3, 2), kept = random_matrix(5, 3, 2), none = {.rows = 5};
  hg_spmm(&op, 2, 0, &x, &y);
  hg_spmm(&op, 0, 5, &none, &none);
  cr_expect_arr_eq(y.data, kept.data, 15 * sizeof(hg_real));
  hg_spmm(&op, 0, 5, &x, &y);
  for (int i = 0; i < 15; i++) cr_expect_eq(y.data[i], 0);
  op.n_self = 5;
  hg_spmm(&op, 0, 5, &x, &y);
  cr_expect_arr_eq(y.data, x.data, 15 * sizeof(hg_real));
  hg_csr_free(&empty), hg_matrix_free(&x), hg_matrix_free(&y), hg_matrix_free(&kept);
}
