#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/alloc.h"
#include "core/base/threads.h"
#include "tests/support/naive.h"

static const int widths[] = {1, 7, 16, 17, 40, 63, 64, 65, 100, 128, 130, 192, 200, 256, 257, 300, 321, 512, 530};
enum { N_WIDTHS = sizeof widths / sizeof *widths, ROWS = 211, COLS = 333 };

static hg_real uniform(hg_off e) { return (hg_real)((e * 7919 + e / 31 * 104729) % 1000) / 1000; }

// A quarter of the numbers are not 0; rows 0, 10, ... and the last one have no zeros, rows 5, 15, ... nothing else.
static hg_matrix quarter(int cols)
{
  hg_matrix x = random_matrix(COLS, cols, 8);
  for (hg_off e = 0; e < x.rows * cols; e++) {
    hg_off row = e / cols;
    if (row % 10 == 0 || row == COLS - 1) continue;
    if (row % 10 == 5 || uniform(e) > (hg_real)0.25) x.data[e] = 0;
  }
  return x;
}

static void same(const hg_matrix *y, const hg_matrix *z, const char *what)
{
  for (hg_off e = 0; e < y->rows * y->cols; e++)
    cr_assert(y->data[e] == z->data[e], "%s, width %d: number %lld is %g, of the matrix itself %g", what, y->cols,
              (long long)e, (double)y->data[e], (double)z->data[e]);
}

static void agrees(const char *simd)
{
  static hg_real row_scale[ROWS], col_scale[COLS];
  setenv("HALOGNN_SIMD", simd, 1);
  fill_random(row_scale, ROWS, 3);
  fill_random(col_scale, COLS, 4);
  for (int options = 0; options < 16; options++) {
    hg_csr a = random_csr(ROWS, COLS, 9, options & 8, 5);
    const hg_operator op = {.a = &a,
                            .row_scale = options & 1 ? row_scale : NULL,
                            .col_scale = options & 2 ? col_scale : NULL,
                            .n_self = options & 4 ? 150 : 0};
    for (int w = 0; w < N_WIDTHS; w++) {
      hg_matrix x = quarter(widths[w]), y = random_matrix(ROWS, widths[w], 9), z = random_matrix(ROWS, widths[w], 9);
      hg_nonzero_matrix closed = close_all(&x);
      hg_spmm(&op, 10, 190, &x, &z);
      hg_spmm_nonzero(&op, 10, 190, &closed, &y);
      same(&y, &z, simd);
      hg_matrix block = hg_matrix_rows(&y, 0, 100), all = hg_matrix_rows(&z, 30, 100);
      hg_spmm_nonzero_block(&op, 30, 100, &closed, &block);
      same(&block, &all, "a block");
      hg_free(&closed.data);
      hg_matrix_free(&x), hg_matrix_free(&y), hg_matrix_free(&z);
    }
    hg_csr_free(&a);
  }
}

Test(spmm_nonzero, has_the_bits_of_the_matrix_base) { agrees("base"); }
Test(spmm_nonzero, has_the_bits_of_the_matrix_avx2) { agrees("avx2"); }
Test(spmm_nonzero, has_the_bits_of_the_matrix_avx512) { agrees("avx512"); }

Test(spmm_nonzero, rows_are_closed_opened_and_cleared)
{
  for (int w = 0; w < N_WIDTHS; w++) {
    hg_matrix x = quarter(widths[w]), y = random_matrix(COLS, widths[w], 9);
    hg_nonzero_matrix closed = close_all(&x);
    hg_nonzero_matrix_open(&closed, 0, &y);
    same(&y, &x, "opened");
    const hg_matrix some = hg_matrix_rows(&x, 30, 7);
    hg_nonzero_matrix_close(&closed, 100, &some);
    hg_nonzero_matrix_clear(&closed, 50, 53);
    hg_nonzero_matrix_open(&closed, 0, &y);
    memcpy(x.data + 100 * widths[w], some.data, (size_t)(7 * widths[w]) * sizeof *x.data);
    memset(x.data + 50 * widths[w], 0, (size_t)(3 * widths[w]) * sizeof *x.data);
    same(&y, &x, "some rows again");
    hg_free(&closed.data);
    hg_matrix_free(&x), hg_matrix_free(&y);
  }
}

Test(spmm_nonzero, keeps_nan_and_what_is_kept)
{
  enum { WIDTH = 200, MOST = 1 };
  static uint8_t steps[COLS];
  hg_csr a = random_csr(ROWS, COLS, 9, false, 5);
  hg_matrix x = quarter(WIDTH), y = random_matrix(ROWS, WIDTH, 9), z = random_matrix(ROWS, WIDTH, 9);
  for (int i = 0; i < COLS; i++) steps[i] = (uint8_t)(i % 3);
  for (hg_off e = 0; e < x.rows * WIDTH; e++)
    if (steps[e / WIDTH] > MOST) x.data[e] = (hg_real)NAN; // never read
  const hg_operator op = {.a = &a, .n_self = ROWS, .kept = {.rows = steps, .columns = steps, .most = MOST}};
  hg_nonzero_matrix closed = close_all(&x);
  hg_spmm(&op, 0, ROWS, &x, &z);
  hg_spmm_nonzero(&op, 0, ROWS, &closed, &y);
  same(&y, &z, "kept rows");
  const hg_operator all = {.a = &a};
  hg_spmm(&all, 0, ROWS, &x, &z);
  hg_spmm_nonzero(&all, 0, ROWS, &closed, &y);
  for (hg_off e = 0; e < ROWS * WIDTH; e++) cr_assert_eq(isnan(y.data[e]), isnan(z.data[e]));
  hg_csr_free(&a);
  hg_free(&closed.data);
  hg_matrix_free(&x), hg_matrix_free(&y), hg_matrix_free(&z);
}

Test(spmm_nonzero, same_bits_on_any_number_of_threads)
{
  enum { WIDTH = 256 };
  hg_csr a = random_csr(ROWS, COLS, 9, false, 5);
  const hg_operator op = {.a = &a, .n_self = 100};
  hg_matrix x = quarter(WIDTH), y = random_matrix(ROWS, WIDTH, 9), z = random_matrix(ROWS, WIDTH, 9);
  hg_nonzero_matrix closed = close_all(&x);
  hg_threads_set(1);
  hg_spmm_nonzero(&op, 0, ROWS, &closed, &y);
  hg_threads_set(3);
  hg_spmm_nonzero(&op, 0, ROWS, &closed, &z);
  hg_threads_set(1);
  same(&y, &z, "three threads");
  hg_csr_free(&a);
  hg_free(&closed.data);
  hg_matrix_free(&x), hg_matrix_free(&y), hg_matrix_free(&z);
}
