#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>

#include "core/base/threads.h"
#include "core/tensor/epilogue.h"
#include "tests/support/naive.h"

static const hg_dropout d = {.seed = 42, .epoch = 7, .layer = 1, .rate = 0.5};

static hg_matrix ones(hg_off rows, int cols)
{
  hg_matrix x = random_matrix(rows, cols, 0);
  for (hg_off i = 0; i < rows * cols; i++) x.data[i] = 1;
  return x;
}

static hg_gid *ids_from(hg_gid first, hg_off n)
{
  hg_gid *ids = malloc((size_t)n * sizeof *ids);
  for (hg_off i = 0; i < n; i++) ids[i] = first + i;
  return ids;
}

static hg_matrix masked(hg_dropout drop, const hg_gid *ids, hg_off rows, int cols)
{
  hg_matrix x = ones(rows, cols);
  hg_dropout_apply(drop, ids, &x);
  return x;
}

// The definition, block by block: 16 bits a column, 8 columns a Philox block.
static bool kept_by_definition(hg_dropout drop, hg_gid id, int column)
{
  uint32_t words[4];
  hg_rng rng = {.seed = drop.seed, .stream = (uint32_t)drop.epoch << 8 | HG_STREAM_DROPOUT};
  hg_rng_words(rng, (uint64_t)id, (uint32_t)drop.layer << 24 | (uint32_t)(column / 8), words);
  uint32_t bits = words[column % 8 / 2] >> (column % 2 * 16) & 0xffff;
  return bits >= (uint32_t)(drop.rate * 65536 + 0.5);
}

static void follows_the_definition(const char *simd)
{
  const int widths[] = {1, 7, 16, 33, 300, 2100, 5000};
  setenv("HALOGNN_SIMD", simd, 1);
  hg_gid *ids = ids_from((hg_gid)1 << 33, 21);
  for (int w = 0; w < 7; w++) {
    hg_dropout drop = {.seed = 0x123456789abcdef, .epoch = 70000, .layer = 63, .rate = 0.1 * (w + 1)};
    hg_matrix x = masked(drop, ids, 21, widths[w]);
    for (hg_off i = 0; i < 21; i++)
      for (int k = 0; k < widths[w]; k++) {
        hg_real expected = kept_by_definition(drop, ids[i], k) ? hg_dropout_scale(drop) : 0;
        cr_assert_eq(x.data[i * widths[w] + k], expected, "%s width %d row %d column %d", simd, widths[w], (int)i, k);
      }
    hg_matrix_free(&x);
  }
  free(ids);
}

Test(dropout, follows_the_definition_base) { follows_the_definition("base"); }
Test(dropout, follows_the_definition_avx2) { follows_the_definition("avx2"); }
Test(dropout, follows_the_definition_avx512) { follows_the_definition("avx512"); }

Test(dropout, keeps_its_share_and_the_mean)
{
  enum { N = 5000, F = 37 };
  hg_gid *ids = ids_from(0, N);
  for (int r = 1; r < 10; r++) {
    hg_dropout drop = {.seed = 1, .epoch = r, .layer = 0, .rate = r / 10.0};
    hg_matrix x = masked(drop, ids, N, F);
    double sum = 0, zeros = 0;
    for (int i = 0; i < N * F; i++) sum += (double)x.data[i], zeros += x.data[i] == 0;
    double deviation = sqrt(drop.rate * (1 - drop.rate) / (N * F));
    cr_expect(fabs(zeros / (N * F) - drop.rate) < 5 * deviation, "rate %g gave %g", drop.rate, zeros / (N * F));
    cr_expect(fabs(sum / (N * F) - 1) < 5 * deviation / (1 - drop.rate), "rate %g: mean %g", drop.rate, sum / (N * F));
    hg_matrix_free(&x);
  }
  free(ids);
}

Test(dropout, does_not_depend_on_order_or_on_which_rows_are_drawn)
{
  enum { N = 100, F = 50 };
  hg_gid *ids = ids_from(1000, N), some[] = {1099, 1003, 1050};
  hg_matrix all = masked(d, ids, N, F), few = masked(d, some, 3, F);
  for (int r = 0; r < 3; r++)
    cr_expect_arr_eq(few.data + r * F, all.data + (some[r] - 1000) * F, F * sizeof(hg_real), "row %d", r);
  hg_matrix_free(&all), hg_matrix_free(&few), free(ids);
}

Test(dropout, same_bits_on_any_number_of_threads)
{
  enum { N = 1001, F = 77 };
  hg_gid *ids = ids_from(5, N);
  hg_threads_set(1);
  hg_matrix one = masked(d, ids, N, F);
  hg_threads_set(3);
  hg_matrix three = masked(d, ids, N, F);
  cr_expect_arr_eq(one.data, three.data, (size_t)N * F * sizeof(hg_real));
  hg_matrix_free(&one), hg_matrix_free(&three), free(ids);
}

Test(dropout, differs_by_seed_epoch_layer_and_row)
{
  const hg_dropout others[] = {{43, 7, 1, 0.5}, {42, 8, 1, 0.5}, {42, 7, 2, 0.5}, {42, 7 + 65536, 1, 0.5}};
  hg_gid id = 9, next = 10, far = 9 + ((hg_gid)1 << 32);
  enum { F = 512 };
  hg_matrix base = masked(d, &id, 1, F);
  for (int k = 0; k < 6; k++) {
    hg_matrix x = masked(k < 4 ? others[k] : d, k < 4 ? &id : k == 4 ? &next : &far, 1, F);
    int same = 0;
    for (int c = 0; c < F; c++) same += x.data[c] == base.data[c];
    cr_expect(same > F / 3 && same < 2 * F / 3, "case %d: %d of %d columns agree", k, same, F);
    hg_matrix_free(&x);
  }
  hg_matrix_free(&base);
}

static hg_csr room_for(const hg_csr *x)
{
  hg_csr y;
  cr_assert_eq(hg_csr_create(&y, x->n_rows, x->n_cols, hg_csr_entries(x), true, "kept"), HG_OK);
  return y;
}

static void expect_kept(hg_dropout drop, const hg_gid *ids, const hg_csr *a, const hg_csr *y, const char *what)
{
  hg_off at = 0;
  cr_assert_eq(hg_csr_check(y), HG_OK, "%s: %s", what, hg_error_text());
  for (hg_off i = 0; i < a->n_rows; i++) {
    for (hg_off e = a->indptr[i]; e < a->indptr[i + 1]; e++) {
      if (!kept_by_definition(drop, ids[i], (int)(e - a->indptr[i]))) continue;
      cr_assert_eq(y->indices[at], a->indices[e], "%s: row %d", what, (int)i);
      cr_assert_eq(y->values[at], (hg_real)(a->values[e] * hg_dropout_scale(drop)), "%s: row %d", what, (int)i);
      at++;
    }
    cr_assert_eq(y->indptr[i + 1], at, "%s: end of row %d", what, (int)i);
  }
}

Test(dropout, of_sparse_rows_keeps_entries_by_their_place_in_the_row)
{
  enum { N = 300 };
  const char *const levels[] = {"base", "avx2", "avx512"};
  hg_csr a = random_csr(N, 4000, 200, true, 3), y = room_for(&a);
  hg_gid *ids = ids_from(77, N);
  for (int level = 0; level < 3; level++) {
    setenv("HALOGNN_SIMD", levels[level], 1);
    for (int threads = 1; threads <= 5; threads += 2) {
      for (int k = 0; k < 3; k++) {
        hg_dropout drop = {.seed = 42, .epoch = threads, .layer = 1, .rate = k * 0.4};
        hg_threads_set(threads);
        hg_dropout_keep_csr(drop, ids, &a, &y);
        expect_kept(drop, ids, &a, &y, levels[level]);
      }
    }
  }
  hg_csr_free(&a), hg_csr_free(&y), free(ids);
}

Test(dropout, of_no_sparse_rows)
{
  hg_csr a = random_csr(0, 10, 3, true, 3), y = room_for(&a);
  hg_dropout_keep_csr(d, NULL, &a, &y);
  cr_expect_eq(hg_csr_entries(&y), 0);
  hg_csr_free(&a), hg_csr_free(&y);
}

Test(dropout, of_rate_zero_changes_nothing)
{
  hg_dropout none = {.seed = 1, .rate = 0};
  hg_gid id = 1;
  hg_matrix x = masked(none, &id, 1, 33);
  for (int k = 0; k < 33; k++) cr_expect_eq(x.data[k], 1);
  cr_expect_eq(hg_dropout_scale(none), 1);
  hg_matrix_free(&x);
}

Test(dropout, of_some_columns_has_the_masks_of_the_whole)
{
  enum { ROWS = 9, COLS = 45, FIRST = 16 };
  hg_gid ids[ROWS];
  hg_real data[ROWS * COLS], some[ROWS * (COLS - FIRST)], found[ROWS * (COLS - FIRST)];
  for (int e = 0; e < ROWS * COLS; e++) {
    ids[e % ROWS] = 11 * (e % ROWS);
    data[e] = 1 + (hg_real)e;
    if (e % COLS >= FIRST) some[e / COLS * (COLS - FIRST) + e % COLS - FIRST] = data[e];
  }
  hg_matrix x = hg_matrix_view(data, ROWS, COLS), columns = hg_matrix_view(some, ROWS, COLS - FIRST),
            y = hg_matrix_view(found, ROWS, COLS - FIRST);
  hg_dropout_apply(d, ids, &x);
  hg_dropout_columns(d, ids, FIRST, &columns, &y);
  for (int e = 0; e < ROWS * COLS; e++)
    if (e % COLS >= FIRST) cr_assert_eq(found[e / COLS * (COLS - FIRST) + e % COLS - FIRST], data[e], "number %d", e);
}
