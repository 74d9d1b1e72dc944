#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>

#include "core/base/threads.h"
#include "core/tensor/gemm.h"
#include "tests/support/close.h"
#include "tests/support/naive.h"

typedef struct {
  hg_off n;
  int k, m;
} shape;

static const shape shapes[] = {{1, 1, 1},      {7, 3, 5},     {300, 33, 7},    {2100, 16, 3},  {513, 1, 40},
                               {64, 300, 17},  {5, 0, 4},     {0, 4, 3},       {400, 65, 128}, {97, 0, 6},
                               {999, 31, 65},  {130, 13, 48}, {70, 6, 64},     {200, 40, 31},  {150, 64, 40},
                               {201, 90, 41},  {97, 270, 63}, {193, 300, 130}, {100, 20, 24},  {99, 35, 52},
                               {101, 50, 104}, {97, 12, 34}};
enum { N_SHAPES = sizeof shapes / sizeof *shapes };

static void agrees_with_naive(const char *simd)
{
  setenv("HALOGNN_SIMD", simd, 1);
  for (int s = 0; s < N_SHAPES; s++) {
    shape h = shapes[s];
    for (int beta = 0; beta < 3; beta++) {
      hg_matrix a = random_matrix(h.n, h.k, 1), b = random_matrix(h.k, h.m, 2), c = random_matrix(h.n, h.m, 3);
      hg_matrix expected = random_matrix(h.n, h.m, 3);
      if (beta == 0 && h.n > 0) c.data[0] = (hg_real)NAN;
      hg_gemm(&a, &b, (hg_real)beta / 2, &c);
      naive_gemm(&a, false, &b, false, (hg_real)beta / 2, &expected);
      expect_close(c.data, expected.data, h.n * h.m, sum_tolerance(), "a b");
      hg_matrix_free(&a), hg_matrix_free(&b), hg_matrix_free(&c), hg_matrix_free(&expected);
    }
  }
}

static void transposed_agrees_with_naive(const char *simd)
{
  setenv("HALOGNN_SIMD", simd, 1);
  for (int s = 0; s < N_SHAPES; s++) {
    shape h = shapes[s];
    hg_matrix a = random_matrix(h.n, h.k, 1), b = random_matrix(h.m, h.k, 2), c = random_matrix(h.n, h.m, 3);
    hg_matrix expected = random_matrix(h.n, h.m, 3);
    hg_gemm_bt(&a, &b, (hg_real)0.5, &c);
    naive_gemm(&a, false, &b, true, (hg_real)0.5, &expected);
    expect_close(c.data, expected.data, h.n * h.m, sum_tolerance(), "a b'");
    hg_matrix_free(&a), hg_matrix_free(&b), hg_matrix_free(&c), hg_matrix_free(&expected);
  }
}

Test(gemm, agrees_with_the_naive_loop_base) { agrees_with_naive("base"); }
Test(gemm, agrees_with_the_naive_loop_avx512) { agrees_with_naive("avx512"); }
Test(gemm, agrees_with_the_naive_loop_avx2) { agrees_with_naive("avx2"); }
Test(gemm, with_b_transposed_agrees_with_the_naive_loop_avx2) { transposed_agrees_with_naive("avx2"); }
Test(gemm, with_b_transposed_agrees_with_the_naive_loop_base) { transposed_agrees_with_naive("base"); }
Test(gemm, with_b_transposed_agrees_with_the_naive_loop_avx512) { transposed_agrees_with_naive("avx512"); }

static void a_transposed_agrees_with_naive(const char *simd, hg_zeros zeros)
{
  setenv("HALOGNN_SIMD", simd, 1);
  for (int s = 0; s < N_SHAPES; s++) {
    shape h = shapes[s];
    for (int beta = 0; beta < 3; beta++) {
      hg_matrix a = random_matrix(h.n, h.k, 1), b = random_matrix(h.n, h.m, 2), c = random_matrix(h.k, h.m, 3);
      hg_matrix expected = random_matrix(h.k, h.m, 3), scratch = random_matrix(hg_gemm_at_scratch(h.n, h.k, h.m), 1, 4);
      hg_gemm_at(&a, &b, zeros, (hg_real)beta / 2, &c, scratch.data);
      naive_gemm(&a, true, &b, false, (hg_real)beta / 2, &expected);
      expect_close(c.data, expected.data, (hg_off)h.k * h.m, 10 * sum_tolerance(), "a' b");
      hg_matrix_free(&a), hg_matrix_free(&b), hg_matrix_free(&c), hg_matrix_free(&expected), hg_matrix_free(&scratch);
    }
  }
}

Test(gemm, with_a_transposed_agrees_with_the_naive_loop_base) { a_transposed_agrees_with_naive("base", HG_ZEROS_KEPT); }
Test(gemm, with_a_transposed_agrees_with_the_naive_loop_avx2) { a_transposed_agrees_with_naive("avx2", HG_ZEROS_KEPT); }
Test(gemm, with_a_transposed_agrees_with_the_naive_loop_avx512)
{
  a_transposed_agrees_with_naive("avx512", HG_ZEROS_KEPT);
}
Test(gemm, without_zeros_of_either_side_agrees_with_the_naive_loop)
{
  a_transposed_agrees_with_naive("avx512", HG_ZEROS_OF_A);
  a_transposed_agrees_with_naive("avx512", HG_ZEROS_OF_B);
}

Test(gemm, same_bits_on_any_number_of_threads)
{
  enum { N = 5003, K = 37, M = 29 };
  hg_matrix a = random_matrix(N, K, 1), b = random_matrix(K, M, 2), d = random_matrix(N, M, 3),
            scratch = random_matrix(hg_gemm_at_scratch(N, K, M), 1, 4);
  hg_matrix c1 = random_matrix(N, M, 5), w1 = random_matrix(K, M, 6), c = random_matrix(N, M, 7),
            w = random_matrix(K, M, 8);
  hg_threads_set(1);
  hg_gemm(&a, &b, 0, &c1);
  hg_gemm_at(&a, &d, HG_ZEROS_KEPT, 0, &w1, scratch.data);
  for (int threads = 2; threads <= 3; threads++) {
    hg_threads_set(threads);
    hg_gemm(&a, &b, 0, &c);
    hg_gemm_at(&a, &d, HG_ZEROS_KEPT, 0, &w, scratch.data);
    cr_expect_arr_eq(c.data, c1.data, (size_t)N * M * sizeof(hg_real), "%d threads", threads);
    cr_expect_arr_eq(w.data, w1.data, (size_t)K * M * sizeof(hg_real), "%d threads", threads);
  }
  hg_matrix_free(&a), hg_matrix_free(&b), hg_matrix_free(&c), hg_matrix_free(&d), hg_matrix_free(&w),
      hg_matrix_free(&c1);
  hg_matrix_free(&w1), hg_matrix_free(&scratch);
}
