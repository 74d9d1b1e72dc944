#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/threads.h"
#include "core/tensor/gemm.h"
#include "core/tensor/gemm_bf16.h"
#include "tests/support/close.h"
#include "tests/support/naive.h"

typedef struct {
  hg_off n;
  int k, m;
} shape;

static const shape shapes[] = {{1, 1, 1},     {7, 3, 5},      {300, 33, 7},  {2100, 16, 3},  {513, 1, 40},
                               {64, 300, 17}, {5, 0, 4},      {0, 4, 3},     {400, 65, 128}, {97, 0, 6},
                               {99, 31, 65},  {53, 1031, 81}, {50, 2050, 4}, {49, 64, 300},  {11, 270, 530}};
enum { N_SHAPES = sizeof shapes / sizeof *shapes };

// The last is AVX-512 with AVX512_BF16 where the processor has it
static const char *const levels[] = {"base", "avx2", "avx512", "all"};
enum { N_LEVELS = sizeof levels / sizeof *levels };

static hg_bf16_matrix rounded(const hg_matrix *m)
{
  hg_bf16_matrix h;
  cr_assert_eq(hg_bf16_matrix_create(&h, m->rows, m->cols, "rounded"), HG_OK);
  hg_bf16_round(m, &h);
  return h;
}

static double tolerance(hg_off inner) { return sum_tolerance() * (inner > 300 ? 4 : 1); }

static void product_agrees(shape h, bool transposed, const char *level)
{
  hg_matrix a = random_matrix(h.n, h.k, 1), b = transposed ? random_matrix(h.m, h.k, 2) : random_matrix(h.k, h.m, 2);
  hg_matrix near_a = random_matrix(h.n, h.k, 1), near_b = random_matrix(b.rows, b.cols, 2);
  hg_bf16_matrix stored = rounded(&a), stored_b = rounded(&b);
  hg_bf16_to_real(stored.data, h.n * h.k, near_a.data);
  hg_bf16_to_real(stored_b.data, (hg_off)h.k * h.m, near_b.data);
  hg_bf16_panels panels;
  cr_assert_eq(hg_bf16_panels_create(&panels, h.k, h.m), HG_OK);
  memset(panels.data, 0xff, (size_t)hg_bf16_panels_space(h.k, h.m) * sizeof *panels.data);
  hg_bf16_panels_fill(&panels, &b, transposed);
  for (int form = 0; form < 6; form++) {
    hg_real beta = (hg_real)(form % 3) / 2;
    hg_matrix c = random_matrix(h.n, h.m, 3), expected = random_matrix(h.n, h.m, 3);
    if (beta == 0 && h.n > 0) c.data[0] = (hg_real)NAN;
    hg_gemm_bf16(form < 3 ? hg_bf16_rows_real(&a) : hg_bf16_rows_stored(&stored), &panels, beta, &c);
    naive_gemm(&near_a, false, &near_b, transposed, beta, &expected);
    char what[64];
    snprintf(what, sizeof what, "%s %d x %d x %d, form %d", level, (int)h.n, h.k, h.m, form);
    expect_close(c.data, expected.data, h.n * h.m, tolerance(h.k), what);
    hg_matrix_free(&c), hg_matrix_free(&expected);
  }
  hg_bf16_panels_free(&panels), hg_bf16_matrix_free(&stored), hg_bf16_matrix_free(&stored_b);
  hg_matrix_free(&a), hg_matrix_free(&b), hg_matrix_free(&near_a), hg_matrix_free(&near_b);
}

Test(gemm_bf16, agrees_with_the_naive_loop_over_rounded_numbers_on_every_level)
{
  for (int l = 0; l < N_LEVELS; l++) {
    setenv("HALOGNN_SIMD", levels[l], 1);
    for (int s = 0; s < N_SHAPES; s++) {
      product_agrees(shapes[s], false, levels[l]);
      product_agrees(shapes[s], true, levels[l]);
    }
  }
}

static void outer_agrees(shape h, const char *level)
{
  hg_matrix a = random_matrix(h.n, h.k, 1), b = random_matrix(h.n, h.m, 2);
  hg_matrix near_a = random_matrix(h.n, h.k, 1), near_b = random_matrix(h.n, h.m, 2);
  hg_matrix scratch = random_matrix(hg_gemm_at_scratch(h.n, h.k, h.m), 1, 4);
  hg_bf16_matrix stored_a = rounded(&a), stored_b = rounded(&b);
  hg_bf16_to_real(stored_a.data, h.n * h.k, near_a.data);
  hg_bf16_to_real(stored_b.data, h.n * h.m, near_b.data);
  for (int form = 0; form < 12; form++) {
    hg_real beta = (hg_real)(form % 3) / 2;
    hg_matrix c = random_matrix(h.k, h.m, 3), expected = random_matrix(h.k, h.m, 3);
    hg_gemm_at_bf16(form / 3 & 1 ? hg_bf16_rows_real(&a) : hg_bf16_rows_stored(&stored_a),
                    form / 3 & 2 ? hg_bf16_rows_real(&b) : hg_bf16_rows_stored(&stored_b), beta, &c, scratch.data);
    naive_gemm(&near_a, true, &near_b, false, beta, &expected);
    char what[64];
    snprintf(what, sizeof what, "%s %d x %d x %d, form %d", level, (int)h.n, h.k, h.m, form);
    expect_close(c.data, expected.data, (hg_off)h.k * h.m, 10 * tolerance(h.n), what);
    hg_matrix_free(&c), hg_matrix_free(&expected);
  }
  hg_bf16_matrix_free(&stored_a), hg_bf16_matrix_free(&stored_b), hg_matrix_free(&scratch);
  hg_matrix_free(&a), hg_matrix_free(&b), hg_matrix_free(&near_a), hg_matrix_free(&near_b);
}

Test(gemm_bf16, with_a_transposed_agrees_with_the_naive_loop_on_every_level)
{
  for (int l = 0; l < N_LEVELS; l++) {
    setenv("HALOGNN_SIMD", levels[l], 1);
    for (int s = 0; s < N_SHAPES; s++) outer_agrees(shapes[s], levels[l]);
  }
}

// what layers use: a right side in borrowed space, and a' b added block by block
static void blocks_agree(shape h, const char *level)
{
  hg_matrix a = random_matrix(h.n, h.k, 1), b = random_matrix(h.k, h.m, 2), bt = random_matrix(h.m, h.k, 2);
  hg_matrix space = random_matrix(hg_panel_space(h.k, h.m), 1, 3), c = random_matrix(h.n, h.m, 4);
  hg_matrix d = random_matrix(h.n, h.m, 5), d_w = random_matrix(h.k, h.m, 6), whole = random_matrix(h.n, h.m, 7);
  hg_matrix expected_w = random_matrix(h.k, h.m, 6), scratch = random_matrix(hg_gemm_at_scratch(h.n, h.k, h.m), 1, 8);
  hg_bf16_panels panels;
  cr_assert_eq(hg_bf16_panels_create(&panels, h.k, h.m), HG_OK);
  for (int transposed = 0; transposed < 2; transposed++) {
    hg_bf16_panels_fill(&panels, transposed ? &bt : &b, transposed);
    hg_gemm_bf16(hg_bf16_rows_real(&a), &panels, 0, &whole);
    const hg_right_side side = hg_right_side_rounded(transposed ? &bt : &b, transposed, space.data);
    hg_gemm_block(&a, &side, 0, &c);
    cr_expect_arr_eq(c.data, whole.data, (size_t)(h.n * h.m) * sizeof(hg_real), "%s block", level);
    fill_random(c.data, h.n * h.m, 9);
    hg_gemm_right(&a, &side, 0, &c);
    cr_expect_arr_eq(c.data, whole.data, (size_t)(h.n * h.m) * sizeof(hg_real), "%s right side", level);
  }
  for (hg_off i = 0; i < h.n; i += 48) {
    hg_off n = h.n - i < 48 ? h.n - i : 48;
    const hg_matrix some_a = hg_matrix_rows(&a, i, n), some_d = hg_matrix_rows(&d, i, n);
    hg_gemm_at_bf16_block(hg_bf16_rows_real(&some_a), hg_bf16_rows_real(&some_d), d_w.data);
  }
  hg_gemm_at_bf16(hg_bf16_rows_real(&a), hg_bf16_rows_real(&d), 1, &expected_w, scratch.data);
  expect_close(d_w.data, expected_w.data, (hg_off)h.k * h.m, 10 * tolerance(h.n), level);
  hg_bf16_panels_free(&panels), hg_matrix_free(&a), hg_matrix_free(&b), hg_matrix_free(&bt), hg_matrix_free(&space);
  hg_matrix_free(&c), hg_matrix_free(&d), hg_matrix_free(&d_w), hg_matrix_free(&whole), hg_matrix_free(&expected_w);
  hg_matrix_free(&scratch);
}

Test(gemm_bf16, of_blocks_of_rows_is_that_of_all_on_every_level)
{
  for (int l = 0; l < N_LEVELS; l++) {
    setenv("HALOGNN_SIMD", levels[l], 1);
    for (int s = 0; s < N_SHAPES; s++) blocks_agree(shapes[s], levels[l]);
  }
}

// Both factors are off by at most 2^-8 of themselves: the sum by 2^-7 and a little of that of magnitudes
Test(gemm_bf16, is_off_by_at_most_the_rounding_of_its_operands)
{
  enum { N = 71, K = 113, M = 37 };
  hg_matrix a = random_matrix(N, K, 1), b = random_matrix(K, M, 2), c = random_matrix(N, M, 3);
  hg_matrix exact = random_matrix(N, M, 3), bound = random_matrix(N, M, 3);
  hg_bf16_panels panels;
  cr_assert_eq(hg_bf16_panels_create(&panels, K, M), HG_OK);
  hg_bf16_panels_fill(&panels, &b, false);
  hg_gemm_bf16(hg_bf16_rows_real(&a), &panels, 0, &c);
  naive_gemm(&a, false, &b, false, 0, &exact);
  for (int i = 0; i < N * K; i++) a.data[i] = (hg_real)fabs((double)a.data[i]);
  for (int i = 0; i < K * M; i++) b.data[i] = (hg_real)fabs((double)b.data[i]);
  naive_gemm(&a, false, &b, false, 0, &bound);
  for (int i = 0; i < N * M; i++)
    cr_assert_leq(fabs((double)(c.data[i] - exact.data[i])), (double)bound.data[i] * (1.0 / 128 + 4e-5), "at %d", i);
  hg_bf16_panels_free(&panels);
  hg_matrix_free(&a), hg_matrix_free(&b), hg_matrix_free(&c), hg_matrix_free(&exact), hg_matrix_free(&bound);
}

Test(gemm_bf16, same_bits_on_any_number_of_threads_and_by_rows)
{
  enum { N = 5003, K = 37, M = 29 };
  hg_matrix a = random_matrix(N, K, 1), b = random_matrix(K, M, 2), d = random_matrix(N, M, 3);
  hg_matrix scratch = random_matrix(hg_gemm_at_scratch(N, K, M), 1, 4), c1 = random_matrix(N, M, 5);
  hg_matrix w1 = random_matrix(K, M, 6), c = random_matrix(N, M, 7), w = random_matrix(K, M, 8);
  hg_bf16_panels panels;
  cr_assert_eq(hg_bf16_panels_create(&panels, K, M), HG_OK);
  hg_bf16_panels_fill(&panels, &b, false);
  hg_threads_set(1);
  hg_gemm_bf16(hg_bf16_rows_real(&a), &panels, 0, &c1);
  hg_gemm_at_bf16(hg_bf16_rows_real(&a), hg_bf16_rows_real(&d), 0, &w1, scratch.data);
  for (int threads = 2; threads <= 3; threads++) {
    hg_threads_set(threads);
    hg_gemm_bf16(hg_bf16_rows_real(&a), &panels, 0, &c);
    hg_gemm_at_bf16(hg_bf16_rows_real(&a), hg_bf16_rows_real(&d), 0, &w, scratch.data);
    cr_expect_arr_eq(c.data, c1.data, (size_t)N * M * sizeof(hg_real), "%d threads", threads);
    cr_expect_arr_eq(w.data, w1.data, (size_t)K * M * sizeof(hg_real), "%d threads", threads);
  }
  fill_random(c.data, N * M, 9);
  for (hg_off first = 0; first < N; first += 101)
    hg_gemm_bf16_rows(hg_bf16_rows_real(&a), first, N - first < 101 ? N - first : 101, &panels, 0, &c);
  cr_expect_arr_eq(c.data, c1.data, (size_t)N * M * sizeof(hg_real), "by pieces");
  hg_bf16_panels_free(&panels), hg_matrix_free(&a), hg_matrix_free(&b), hg_matrix_free(&c), hg_matrix_free(&d);
  hg_matrix_free(&w), hg_matrix_free(&c1), hg_matrix_free(&w1), hg_matrix_free(&scratch);
}
