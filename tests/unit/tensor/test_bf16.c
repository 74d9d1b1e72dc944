#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/alloc.h"
#include "core/base/threads.h"
#include "core/tensor/bf16.h"
#include "core/tensor/spmm.h"
#include "tests/support/close.h"
#include "tests/support/naive.h"

// The last is AVX-512 with AVX512_BF16 where the processor has it
static const char *const levels[] = {"base", "avx2", "avx512", "all"};
enum { N_LEVELS = sizeof levels / sizeof *levels };

static float float_of(uint32_t bits)
{
  float value;
  memcpy(&value, &bits, sizeof value);
  return value;
}

// Round to nearest even by the definition: of the two neighbours the nearer, of two as near the even one
static hg_bf16 expected_of(uint32_t bits)
{
  uint32_t sign = bits & 0x80000000, magnitude = bits & 0x7fffffff;
  if (magnitude > 0x7f800000) return (hg_bf16)(bits >> 16 | 0x40);
  if (magnitude < 0x00800000) return (hg_bf16)(sign >> 16);
  uint32_t below = magnitude >> 16, rest = magnitude & 0xffff;
  if (rest > 0x8000 || (rest == 0x8000 && below % 2 == 1)) below++;
  return (hg_bf16)(sign >> 16 | below);
}

// Every upper half with lower halves at and around the tie
Test(bf16, every_upper_half_is_rounded_to_nearest_even_on_every_level)
{
  static const uint32_t lower[] = {0, 1, 0x7fff, 0x8000, 0x8001, 0xffff};
  enum { LOWER = sizeof lower / sizeof *lower, N = 65536 * LOWER };
  hg_real *x;
  hg_bf16 *y;
  cr_assert_eq(HG_ALLOC(x, N, "x"), HG_OK);
  cr_assert_eq(HG_ALLOC(y, N, "y"), HG_OK);
  for (uint32_t i = 0; i < N; i++) x[i] = (hg_real)float_of((i / LOWER) << 16 | lower[i % LOWER]);
  for (int l = 0; l < N_LEVELS; l++) {
    setenv("HALOGNN_SIMD", levels[l], 1);
    hg_bf16_from_real(x, N, y);
    for (uint32_t i = 0; i < N; i++) {
      uint32_t bits = (i / LOWER) << 16 | lower[i % LOWER];
      bool nan = (bits & 0x7fffffff) > 0x7f800000; // a signalling one is made quiet on the way through double
      if (nan ? (y[i] & 0x7fff) > 0x7f80 : y[i] == expected_of(bits)) continue;
      cr_assert(false, "%s: %08x became %04x, expected %04x", levels[l], bits, y[i], expected_of(bits));
    }
  }
  hg_free(&x), hg_free(&y);
}

Test(bf16, any_number_of_values_and_back_again_on_every_level)
{
  enum { MOST = 150, GUARD = 0x1234 };
  hg_matrix x = random_matrix(MOST, 1, 3), back = random_matrix(MOST, 1, 4);
  for (int l = 0; l < N_LEVELS; l++) {
    setenv("HALOGNN_SIMD", levels[l], 1);
    for (int n = 0; n < MOST; n++) {
      hg_bf16 y[MOST + 1];
      y[n] = GUARD;
      back.data[n] = 77;
      hg_bf16_from_real(x.data, n, y);
      hg_bf16_to_real(y, n, back.data);
      cr_expect_eq(y[n], GUARD, "%s: wrote beyond %d numbers", levels[l], n);
      cr_expect_eq(back.data[n], 77, "%s: wrote beyond %d numbers", levels[l], n);
      for (int i = 0; i < n; i++)
        cr_expect_leq(fabs((double)(back.data[i] - x.data[i])), fabs((double)x.data[i]) / 256, "%s: %d of %d",
                      levels[l], i, n);
    }
  }
  hg_matrix_free(&x), hg_matrix_free(&back);
}

Test(bf16, a_matrix_is_rounded_alike_by_any_number_of_threads)
{
  hg_matrix x = random_matrix(1009, 37, 5);
  hg_bf16_matrix one, many;
  cr_assert_eq(hg_bf16_matrix_create(&one, 1009, 37, "one"), HG_OK);
  cr_assert_eq(hg_bf16_matrix_create(&many, 1009, 37, "many"), HG_OK);
  hg_bf16_from_real(x.data, 1009 * 37, one.data);
  for (int threads = 1; threads <= 4; threads++) {
    hg_threads_set(threads);
    memset(many.data, 0, 1009 * 37 * sizeof *many.data);
    hg_bf16_round(&x, &many);
    cr_expect_arr_eq(many.data, one.data, 1009 * 37 * sizeof *one.data, "%d threads", threads);
  }
  hg_bf16_matrix tail = hg_bf16_matrix_rows(&one, 1000, 9);
  cr_expect_eq(tail.rows, 9);
  cr_expect_eq(tail.data, one.data + 37000);
  hg_matrix_free(&x), hg_bf16_matrix_free(&one), hg_bf16_matrix_free(&many);
  cr_expect_eq(hg_bf16_matrix_create(&one, INT64_MAX / 2, 5, "too large"), HG_ERR_MEMORY);
}

typedef struct {
  hg_csr a;
  hg_matrix row_scale, col_scale;
} fixture;

enum { ROWS = 211, COLS = 333 };

static fixture make(bool with_values, uint64_t seed)
{
  return (fixture){.a = random_csr(ROWS, COLS, 9, with_values, seed),
                   .row_scale = random_matrix(ROWS, 1, seed + 2),
                   .col_scale = random_matrix(COLS, 1, seed + 3)};
}

static void drop(fixture *f) { hg_csr_free(&f->a), hg_matrix_free(&f->row_scale), hg_matrix_free(&f->col_scale); }

static hg_operator operator_of(const fixture *f, int options)
{
  return (hg_operator){.a = &f->a,
                       .row_scale = options & 1 ? f->row_scale.data : NULL,
                       .col_scale = options & 2 ? f->col_scale.data : NULL,
                       .n_self = options & 4 ? 150 : 0};
}

// The naive loop over the rounded numbers: what is left is the rounding of sums
static void spmm_agrees(const fixture *f, int width, const char *level)
{
  hg_matrix x = random_matrix(COLS, width, 8), y = random_matrix(ROWS, width, 9), z = random_matrix(ROWS, width, 9);
  hg_bf16_matrix h;
  cr_assert_eq(hg_bf16_matrix_create(&h, COLS, width, "h"), HG_OK);
  hg_bf16_round(&x, &h);
  hg_bf16_to_real(h.data, COLS * width, x.data);
  for (int options = 0; options < 8; options++) {
    hg_operator op = operator_of(f, options);
    hg_spmm_bf16(&op, 10, 190, &h, &y);
    naive_spmm(&op, 10, 190, &x, &z);
    expect_close(y.data, z.data, ROWS * width, sum_tolerance(), level);
  }
  hg_matrix_free(&x), hg_matrix_free(&y), hg_matrix_free(&z), hg_bf16_matrix_free(&h);
}

Test(spmm_bf16, agrees_with_the_naive_loop_on_every_width_and_level)
{
  static const int widths[] = {1,  2,  7,   8,   9,   15,  16,  17,  23,  25,  31,  33,  40,  47,  50,  63,  64,  65,
                               80, 96, 100, 113, 128, 145, 161, 177, 193, 209, 225, 241, 256, 257, 272, 273, 300, 530};
  for (int values = 0; values < 2; values++) {
    fixture f = make(values, 5);
    for (int l = 0; l < N_LEVELS; l++) {
      setenv("HALOGNN_SIMD", levels[l], 1);
      for (size_t w = 0; w < sizeof widths / sizeof *widths; w++) spmm_agrees(&f, widths[w], levels[l]);
    }
    drop(&f);
  }
}

// Against the numbers as they were: each is off by at most 2^-8 of itself, so the sum by 2^-8 of that of magnitudes
Test(spmm_bf16, is_off_by_at_most_the_rounding_of_its_input)
{
  enum { WIDTH = 67 };
  fixture f = make(false, 7);
  hg_matrix x = random_matrix(COLS, WIDTH, 8), y = random_matrix(ROWS, WIDTH, 9), exact = random_matrix(ROWS, WIDTH, 9);
  hg_matrix bound = random_matrix(ROWS, WIDTH, 9);
  hg_bf16_matrix h;
  cr_assert_eq(hg_bf16_matrix_create(&h, COLS, WIDTH, "h"), HG_OK);
  hg_bf16_round(&x, &h);
  hg_operator op = operator_of(&f, 0);
  hg_spmm_bf16(&op, 0, ROWS, &h, &y);
  naive_spmm(&op, 0, ROWS, &x, &exact);
  for (int i = 0; i < COLS * WIDTH; i++) x.data[i] = (hg_real)fabs((double)x.data[i]);
  naive_spmm(&op, 0, ROWS, &x, &bound);
  for (int i = 0; i < ROWS * WIDTH; i++)
    cr_assert_leq(fabs((double)(y.data[i] - exact.data[i])), (double)bound.data[i] * (1.0 / 256 + 1e-5), "at %d", i);
  hg_matrix_free(&x), hg_matrix_free(&y), hg_matrix_free(&exact), hg_matrix_free(&bound), hg_bf16_matrix_free(&h);
  drop(&f);
}

Test(spmm_bf16, same_bits_on_any_number_of_threads)
{
  fixture f = make(true, 6);
  hg_operator op = operator_of(&f, 7);
  hg_matrix x = random_matrix(COLS, 300, 1), one = random_matrix(ROWS, 300, 2), many = random_matrix(ROWS, 300, 2);
  hg_bf16_matrix h;
  cr_assert_eq(hg_bf16_matrix_create(&h, COLS, 300, "h"), HG_OK);
  hg_bf16_round(&x, &h);
  hg_threads_set(1);
  hg_spmm_bf16(&op, 0, ROWS, &h, &one);
  for (int threads = 2; threads <= 5; threads++) {
    hg_threads_set(threads);
    fill_random(many.data, ROWS * 300, (uint64_t)threads);
    hg_spmm_bf16(&op, 0, ROWS, &h, &many);
    cr_expect_arr_eq(one.data, many.data, ROWS * 300 * sizeof(hg_real), "%d threads", threads);
  }
  hg_matrix_free(&x), hg_matrix_free(&one), hg_matrix_free(&many), hg_bf16_matrix_free(&h), drop(&f);
}
