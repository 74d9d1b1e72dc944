#include <criterion/criterion.h>
#include <string.h>

#include "core/base/alloc.h"
#include "core/base/threads.h"
#include "tests/support/naive.h"

static void expect_same(const hg_csr *a, const hg_csr *b, uint64_t seed)
{
  hg_off entries = hg_csr_entries(a);
  cr_assert_eq(a->n_rows, b->n_rows, "seed %llu", (unsigned long long)seed);
  cr_assert_eq(a->n_cols, b->n_cols, "seed %llu", (unsigned long long)seed);
  cr_assert_arr_eq(a->indptr, b->indptr, (size_t)(a->n_rows + 1) * sizeof(hg_off), "seed %llu",
                   (unsigned long long)seed);
  cr_assert_arr_eq(a->indices, b->indices, (size_t)entries * sizeof(hg_lid), "seed %llu", (unsigned long long)seed);
  if (a->values) cr_assert_arr_eq(a->values, b->values, (size_t)entries * sizeof(hg_real));
}

Test(csr, transpose_twice_is_identity)
{
  const struct {
    hg_off rows, cols;
  } shapes[] = {{1, 1}, {7, 300}, {300, 7}, {0, 5}, {5, 0}, {101, 101}};
  for (uint64_t seed = 0; seed < 6; seed++) {
    hg_csr a = random_csr(shapes[seed].rows, shapes[seed].cols, 5, seed % 2 == 1, seed), t, back;
    cr_assert_eq(hg_csr_check(&a), HG_OK, "%s", hg_error_text());
    cr_assert_eq(hg_csr_transpose(&t, &a), HG_OK);
    cr_assert_eq(hg_csr_check(&t), HG_OK, "seed %llu: %s", (unsigned long long)seed, hg_error_text());
    cr_assert_eq(hg_csr_transpose(&back, &t), HG_OK);
    expect_same(&a, &back, seed);
    hg_csr_free(&a), hg_csr_free(&t), hg_csr_free(&back);
  }
}

Test(csr, symmetric_is_what_equals_its_transposed)
{
  int symmetric = 0;
  for (uint64_t seed = 0; seed < 300; seed++) {
    hg_lid n = 2 + (hg_lid)(seed % 4);
    hg_csr a = random_csr(n, n, 2, false, seed), t;
    hg_off places[8];
    cr_assert_eq(hg_csr_transpose(&t, &a), HG_OK);
    bool same = memcmp(a.indptr, t.indptr, (size_t)(n + 1) * sizeof *a.indptr) == 0 &&
                memcmp(a.indices, t.indices, (size_t)hg_csr_entries(&a) * sizeof *a.indices) == 0;
    symmetric += same;
    cr_expect_eq(hg_csr_is_symmetric(&a, places), same, "seed %llu", (unsigned long long)seed);
    hg_csr_free(&a), hg_csr_free(&t);
  }
  cr_expect(symmetric > 10 && symmetric < 290, "%d", symmetric);
  hg_csr wide = random_csr(3, 4, 1, false, 1);
  cr_expect(!hg_csr_is_symmetric(&wide, (hg_off[4]){0}));
  hg_csr_free(&wide);
}

Test(csr, transpose_lists_columns_ascending)
{
  hg_csr a = random_csr(60, 40, 4, true, 3), t;
  cr_assert_eq(hg_csr_transpose(&t, &a), HG_OK);
  for (hg_off c = 0; c < t.n_rows; c++)
    for (hg_off e = t.indptr[c] + 1; e < t.indptr[c + 1]; e++) cr_expect_lt(t.indices[e - 1], t.indices[e]);
  hg_csr_free(&a), hg_csr_free(&t);
}

Test(csr, transpose_into_gives_the_same_for_any_number_of_threads)
{
  const struct {
    hg_off rows, cols;
  } shapes[] = {{3, 7000}, {9000, 11}, {0, 5}, {5, 0}, {3000, 3000}};
  for (uint64_t seed = 0; seed < 5; seed++) {
    hg_csr a = random_csr(shapes[seed].rows, shapes[seed].cols, 8, true, seed), t, into;
    hg_off *places;
    cr_assert_eq(hg_csr_transpose(&t, &a), HG_OK);
    cr_assert_eq(hg_csr_create(&into, a.n_cols, a.n_rows, hg_csr_entries(&a), true, "transposed"), HG_OK);
    cr_assert_eq(HG_ALLOC(places, HG_TRANSPOSE_PIECES * a.n_cols, "places"), HG_OK);
    for (int threads = 1; threads < 40; threads += 9) {
      hg_threads_set(threads);
      hg_csr_transpose_into(&into, &a, places);
      expect_same(&t, &into, seed);
    }
    hg_free(&places), hg_csr_free(&a), hg_csr_free(&t), hg_csr_free(&into);
  }
}

Test(csr, check_names_what_is_broken)
{
  hg_csr a = random_csr(10, 10, 3, false, 1);
  a.indices[2] = 10;
  cr_expect_eq(hg_csr_check(&a), HG_ERR_INTERNAL);
  cr_expect_str_eq(hg_error_text(), "entry 2 has column 10, expected 0 to 9");
  a.indices[2] = -1;
  cr_expect_eq(hg_csr_check(&a), HG_ERR_INTERNAL);
  hg_off kept = a.indptr[1];
  a.indptr[1] = a.indptr[2] + 1;
  cr_expect_eq(hg_csr_check(&a), HG_ERR_INTERNAL);
  cr_expect(strstr(hg_error_text(), "row pointer 2 falls from"), "%s", hg_error_text());
  a.indptr[1] = kept;
  a.indptr[0] = 1;
  cr_expect_eq(hg_csr_check(&a), HG_ERR_INTERNAL);
  cr_expect_str_eq(hg_error_text(), "row pointers start at 1, not 0");
  hg_csr_free(&a);
  cr_expect_eq(hg_csr_check(&a), HG_ERR_INTERNAL);
  cr_expect_eq(hg_csr_entries(&a), 0);
}

Test(csr, a_size_that_cannot_be_is_an_error_and_leaves_nothing)
{
  hg_csr a;
  size_t before = hg_alloc_bytes();
  cr_expect_eq(hg_csr_create(&a, -1, 5, 0, false, "rows"), HG_ERR_MEMORY);
  cr_expect_eq(hg_csr_create(&a, 10, 5, INT64_MAX / 2, true, "entries"), HG_ERR_MEMORY);
  cr_expect_null(a.indptr);
  cr_expect_eq(hg_alloc_bytes(), before);
}

Test(matrix, views_share_the_data)
{
  hg_matrix m = random_matrix(10, 3, 1), part = hg_matrix_rows(&m, 4, 2);
  cr_expect_eq(part.data, m.data + 12);
  cr_expect_eq(part.rows, 2);
  cr_expect_eq(part.cols, 3);
  hg_matrix_free(&m);
  cr_expect_null(m.data);
  cr_expect_eq(hg_matrix_create(&m, INT64_MAX / 2, 1 << 20, "too large"), HG_ERR_MEMORY);
}
