#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/alloc.h"
#include "core/base/threads.h"
#include "core/tensor/nonzero_matrix.h"
#include "tests/support/naive.h"

static const int widths[] = {1, 7, 16, 17, 40, 63, 64, 65, 100, 128, 130, 192, 200, 256, 257, 300, 321, 512, 530};
enum { N_WIDTHS = sizeof widths / sizeof *widths, ROWS = 211, COLS = 333 };

static hg_real uniform(hg_off e) { return (hg_real)((e * 7919 + e / 31 * 104729) % 1000) / 1000; }

// A quarter of the numbers are not 0; rows 0, 10, ... have no zeros, rows 5, 15, ... nothing else.
static hg_matrix quarter(int cols)
{
  hg_matrix x = random_matrix(COLS, cols, 8);
  for (hg_off e = 0; e < x.rows * cols; e++) {
    hg_off row = e / cols;
    if (row % 10 == 0) continue;
    if (row % 10 == 5 || uniform(e) > (hg_real)0.25) x.data[e] = 0;
  }
  return x;
}

// its copy, of which `forgotten` rows from 20 on are not closed
static hg_nonzero_matrix close_all(const hg_matrix *x, double share, hg_off forgotten)
{
  uint8_t *copy;
  cr_assert_eq(HG_ALLOC(copy, (hg_off)hg_nonzero_matrix_bytes(x->rows, x->cols, share), "copy"), HG_OK);
  hg_nonzero_matrix m = hg_nonzero_matrix_of(x, share, copy);
  hg_nonzero_matrix_close(&m, 0, x->rows);
  hg_nonzero_matrix_forget(&m, 20, forgotten);
  return m;
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
      hg_nonzero_matrix closed = close_all(&x, 0.35, options * 3);
      hg_spmm(&op, 10, 190, &x, &z);
      hg_spmm_nonzero(&op, 10, 190, &closed, &y);
      same(&y, &z, simd);
      hg_matrix block = hg_matrix_rows(&y, 0, 100), all = hg_matrix_rows(&z, 30, 100);
      hg_spmm_nonzero_block(&op, 30, 100, &closed, &block);
      same(&block, &all, "a block");
      hg_free(&closed.copy);
      hg_matrix_free(&x), hg_matrix_free(&y), hg_matrix_free(&z);
    }
    hg_csr_free(&a);
  }
}

Test(spmm_nonzero, has_the_bits_of_the_matrix_base) { agrees("base"); }
Test(spmm_nonzero, has_the_bits_of_the_matrix_avx2) { agrees("avx2"); }
Test(spmm_nonzero, has_the_bits_of_the_matrix_avx512) { agrees("avx512"); }

// what is read of a row: its copy where it was closed and found room, else the matrix
Test(spmm_nonzero, reads_the_matrix_where_a_row_found_no_room)
{
  enum { WIDTH = 256, FULL = 10, EMPTY = 5, FORGOTTEN = 22 };
  hg_matrix x = quarter(WIDTH), y = random_matrix(COLS, WIDTH, 9);
  hg_csr a;
  cr_assert_eq(hg_csr_create(&a, COLS, COLS, 0, false, "no edges"), HG_OK);
  const hg_operator self = {.a = &a, .n_self = COLS};
  hg_nonzero_matrix closed = close_all(&x, 0.3, 5);
  for (hg_off e = 0; e < x.rows * WIDTH; e++) x.data[e] = 1;
  hg_spmm_nonzero(&self, 0, COLS, &closed, &y);
  cr_assert_eq(y.data[FULL * WIDTH + 3], 1);
  cr_assert_eq(y.data[EMPTY * WIDTH + 3], 0);
  cr_assert_eq(y.data[FORGOTTEN * WIDTH + 3], 1);
  int ones = 0;
  for (int c = 0; c < WIDTH; c++) ones += y.data[7 * WIDTH + c] == 1;
  cr_assert_leq(ones, 2); // numbers that happen to be 1
  hg_csr_free(&a);
  hg_free(&closed.copy);
  hg_matrix_free(&x), hg_matrix_free(&y);
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
  hg_nonzero_matrix closed = close_all(&x, 0.35, 10);
  hg_spmm(&op, 0, ROWS, &x, &z);
  hg_spmm_nonzero(&op, 0, ROWS, &closed, &y);
  same(&y, &z, "kept rows");
  const hg_operator all = {.a = &a};
  hg_spmm(&all, 0, ROWS, &x, &z);
  hg_spmm_nonzero(&all, 0, ROWS, &closed, &y);
  for (hg_off e = 0; e < ROWS * WIDTH; e++) cr_assert_eq(isnan(y.data[e]), isnan(z.data[e]));
  hg_csr_free(&a);
  hg_free(&closed.copy);
  hg_matrix_free(&x), hg_matrix_free(&y), hg_matrix_free(&z);
}

Test(spmm_nonzero, same_bits_on_any_number_of_threads)
{
  enum { WIDTH = 256 };
  hg_csr a = random_csr(ROWS, COLS, 9, false, 5);
  const hg_operator op = {.a = &a, .n_self = 100};
  hg_matrix x = quarter(WIDTH), y = random_matrix(ROWS, WIDTH, 9), z = random_matrix(ROWS, WIDTH, 9);
  hg_nonzero_matrix closed = close_all(&x, 0.35, 10);
  hg_threads_set(1);
  hg_spmm_nonzero(&op, 0, ROWS, &closed, &y);
  hg_threads_set(3);
  hg_spmm_nonzero(&op, 0, ROWS, &closed, &z);
  hg_threads_set(1);
  same(&y, &z, "three threads");
  hg_csr_free(&a);
  hg_free(&closed.copy);
  hg_matrix_free(&x), hg_matrix_free(&y), hg_matrix_free(&z);
}
