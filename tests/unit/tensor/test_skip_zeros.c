#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/cpu.h"
#include "core/tensor/skip_zeros.h"
#include "tests/support/naive.h"

typedef struct {
  hg_off n;
  int k, m;
} shape;

static const shape shapes[] = {{1, 1, 1},      {7, 3, 5},      {96, 16, 64},   {97, 17, 65},
                               {95, 15, 63},   {192, 256, 41}, {200, 257, 16}, {50, 300, 17},
                               {300, 33, 128}, {130, 40, 100}, {0, 4, 3},      {5, 0, 4},
                               {5, 4, 0},      {100, 70, 602}, {16, 128, 48},  {113, 512, 2}};
enum { N_SHAPES = sizeof shapes / sizeof *shapes, LARGEST = 4 };

// Small whole numbers, whose sums are exact in any order.
static hg_matrix whole_numbers(hg_off rows, int cols, uint64_t seed)
{
  hg_matrix x = random_matrix(rows, cols, seed);
  for (hg_off e = 0; e < rows * cols; e++) x.data[e] = (hg_real)round(LARGEST * (double)x.data[e]);
  return x;
}

// A part `share` is left, but of row 3 and column 2 all is, and of row 4 and column 5 nothing.
static hg_matrix mostly_zeros(hg_off rows, int cols, double share, uint64_t seed)
{
  hg_matrix x = whole_numbers(rows, cols, seed), draw = random_matrix(rows, cols, seed + 1);
  for (hg_off e = 0; e < rows * cols; e++) {
    hg_off row = e / cols, column = e % cols;
    bool all = row == 3 || column == 2, none = row == 4 || column == 5;
    if (none || (!all && (double)draw.data[e] > 2 * share - 1))
      x.data[e] = e % 7 ? 0 : (hg_real)-0.0;
    else if (x.data[e] == 0)
      x.data[e] = 1;
  }
  hg_matrix_free(&draw);
  return x;
}

static void same(const hg_matrix *found, const hg_matrix *expected, const char *what, const shape *s)
{
  for (hg_off e = 0; e < found->rows * found->cols; e++)
    cr_assert(found->data[e] == expected->data[e], "%s of %lld x %d and %d: number %lld is %g, expected %g", what,
              (long long)s->n, s->k, s->m, (long long)e, (double)found->data[e], (double)expected->data[e]);
}

static void at_agrees(const char *simd)
{
  setenv("HALOGNN_SIMD", simd, 1);
  for (int s = 0; s < N_SHAPES; s++)
    for (int quarters = 0; quarters <= 4; quarters++) {
      const shape h = shapes[s];
      hg_matrix a = mostly_zeros(h.n, h.k, 0.25 * quarters, 1), b = whole_numbers(h.n, h.m, 3),
                c = whole_numbers(h.k, h.m, 4), expected = whole_numbers(h.k, h.m, 4);
      hg_gemm_at_skipping(&a, &b, c.data);
      naive_gemm(&a, true, &b, false, 1, &expected);
      same(&c, &expected, simd, &h);
      hg_matrix_free(&a), hg_matrix_free(&b), hg_matrix_free(&c), hg_matrix_free(&expected);
    }
}

Test(skip_zeros, a_transposed_agrees_with_the_naive_loop_base) { at_agrees("base"); }
Test(skip_zeros, a_transposed_agrees_with_the_naive_loop_avx2) { at_agrees("avx2"); }
Test(skip_zeros, a_transposed_agrees_with_the_naive_loop_avx512) { at_agrees("avx512"); }

static const int inner[] = {128, 256, 384, 640};

static void masked_agrees(const char *simd)
{
  setenv("HALOGNN_SIMD", simd, 1);
  for (int s = 0; s < N_SHAPES; s++)
    for (int i = 0; i < (int)(sizeof inner / sizeof *inner); i++) {
      const shape h = {shapes[s].n, inner[i], shapes[s].m};
      hg_matrix a = whole_numbers(h.n, h.k, 1), b = whole_numbers(h.m, h.k, 2), c = random_matrix(h.n, h.m, 3),
                mask = mostly_zeros(h.n, h.m, 0.25 * (s % 5), 4), expected = random_matrix(h.n, h.m, 5);
      hg_gemm_bt_masked(&a, &b, &mask, &c);
      naive_gemm(&a, false, &b, true, 0, &expected);
      for (hg_off e = 0; e < h.n * h.m; e++)
        if (mask.data[e] == 0) expected.data[e] = 0;
      same(&c, &expected, simd, &h);
      hg_matrix_free(&a), hg_matrix_free(&b), hg_matrix_free(&c), hg_matrix_free(&mask), hg_matrix_free(&expected);
    }
}

Test(skip_zeros, masked_agrees_with_the_naive_loop_base) { masked_agrees("base"); }
Test(skip_zeros, masked_agrees_with_the_naive_loop_avx2) { masked_agrees("avx2"); }
Test(skip_zeros, masked_agrees_with_the_naive_loop_avx512) { masked_agrees("avx512"); }

// What stands where the other factor is 0 is not read as a number.
static void multiplies_nothing_with_a_zero(const char *simd)
{
  setenv("HALOGNN_SIMD", simd, 1);
  enum { N = 40, K = 30, M = 70 };
  hg_matrix a = random_matrix(N, K, 1), b = random_matrix(N, M, 2), c = random_matrix(K, M, 3);
  for (int row = 0; row < N; row += 13) {
    for (int k = 0; k < K; k++) a.data[row * K + k] = 0;
    for (int m = 0; m < M; m++) b.data[row * M + m] = (hg_real)NAN;
  }
  hg_gemm_at_skipping(&a, &b, c.data);
  for (hg_off e = 0; e < (hg_off)K * M; e++) cr_assert(isfinite((double)c.data[e]), "number %lld", (long long)e);
  hg_matrix_free(&a), hg_matrix_free(&b), hg_matrix_free(&c);
}

Test(skip_zeros, nothing_is_multiplied_with_a_zero)
{
  multiplies_nothing_with_a_zero("base");
  multiplies_nothing_with_a_zero("avx2");
  multiplies_nothing_with_a_zero("avx512");
}

Test(skip_zeros, pays_where_few_numbers_are_left)
{
  bool in_float = sizeof(hg_real) == sizeof(float);
  setenv("HALOGNN_SIMD", "avx2", 1);
  bool has_registers = hg_simd_level() != HG_SIMD_BASE;
  cr_expect_eq(hg_at_skipping_pays(0.3, 64), in_float && has_registers);
  cr_expect(!hg_at_skipping_pays(0.6, 64) && !hg_at_skipping_pays(0.3, 40) && !hg_bt_masked_pays(0.3));
  setenv("HALOGNN_SIMD", "base", 1);
  cr_expect(!hg_at_skipping_pays(0.1, 64) && !hg_bt_masked_pays(0.1));
  setenv("HALOGNN_SIMD", "avx512", 1);
  cr_expect_eq(hg_bt_masked_pays(0.3), in_float && hg_simd_level() == HG_SIMD_AVX512);
  cr_expect(!hg_bt_masked_pays(0.6));
}
