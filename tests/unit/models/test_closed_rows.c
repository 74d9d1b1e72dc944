#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/alloc.h"
#include "core/base/rng.h"
#include "core/base/threads.h"
#include "models/closed_rows.h"
#include "tests/support/naive.h"

enum { ROWS = 250, BLOCK = 7 };
static const int widths[] = {1, 5, 16, 40, 64, 100, 256};
enum { N_WIDTHS = sizeof widths / sizeof *widths };

static hg_matrix with_zeros(int width, double share)
{
  hg_matrix x = random_matrix(ROWS, width, (uint64_t)width);
  for (hg_off k = 0; k < x.rows * width; k++)
    if (hg_rng_uniform((hg_rng){5, HG_STREAM_TEST}, (uint64_t)k, 0) < share) x.data[k] = 0;
  return x;
}

static void keep_all(hg_closed_rows *closed, const hg_matrix *x)
{
  enum { PIECES = 5, PIECE = ROWS / PIECES };
  hg_closed_rows_clear(closed);
#pragma omp parallel for schedule(dynamic, 1) default(none) shared(closed, x) num_threads(3)
  for (int k = 0; k < PIECES; k++) {
    hg_closed_piece piece = hg_closed_rows_piece(closed, k * PIECE, PIECE);
    for (hg_off i = 0; i < PIECE; i += BLOCK) {
      const hg_matrix some = hg_matrix_rows(x, k * PIECE + i, PIECE - i < BLOCK ? PIECE - i : BLOCK);
      hg_closed_rows_keep(closed, &piece, k * PIECE + i, &some);
    }
  }
}

// rows that are taken in other pieces than they were kept in; how many pieces were not all there
static int take_all(const hg_closed_rows *closed, const hg_matrix *x)
{
  enum { PIECE = 11 };
  int missing = 0;
  for (hg_off first = 0; first < ROWS; first += PIECE) {
    hg_off n = ROWS - first < PIECE ? ROWS - first : PIECE;
    hg_matrix found = random_matrix(n, x->cols, 9);
    bool there = hg_closed_rows_take(closed, first, &found);
    missing += !there;
    if (there)
      cr_assert_eq(memcmp(found.data, x->data + first * x->cols, (size_t)(n * x->cols) * sizeof(hg_real)), 0,
                   "other rows from %d on, width %d", (int)first, x->cols);
    hg_matrix_free(&found);
  }
  return missing;
}

static void with_level(const char *level)
{
  setenv("HALOGNN_SIMD", level, 1);
  for (int w = 0; w < N_WIDTHS; w++) {
    hg_closed_rows closed;
    hg_matrix x = with_zeros(widths[w], 0.7), full = with_zeros(widths[w], 0);
    size_t before = hg_alloc_bytes();
    cr_assert_eq(hg_closed_rows_create(&closed, ROWS, widths[w], 0.5), HG_OK);
    cr_assert_eq(hg_alloc_bytes() - before, hg_closed_rows_bytes(ROWS, widths[w], 0.5));
    cr_assert_eq(take_all(&closed, &x), (ROWS + 10) / 11, "rows that were never kept are there");
    keep_all(&closed, &x);
    cr_assert_eq(take_all(&closed, &x), 0, "width %d: rows are missing", widths[w]);
    keep_all(&closed, &full); // about half of them fit
    int missing = take_all(&closed, &full);
    cr_assert(missing > 3 && missing < 20, "width %d: %d pieces are missing", widths[w], missing);
    keep_all(&closed, &x);
    cr_assert_eq(take_all(&closed, &x), 0, "width %d: rows are missing after a pass without room", widths[w]);
    hg_closed_rows_free(&closed);
    hg_matrix_free(&x);
    hg_matrix_free(&full);
  }
  unsetenv("HALOGNN_SIMD");
}

Test(closed_rows, are_what_was_kept_in_any_pieces) { with_level("avx512"); }
Test(closed_rows, are_what_was_kept_with_avx2) { with_level("avx2"); }
Test(closed_rows, are_what_was_kept_without_avx) { with_level("base"); }

Test(closed_rows, without_rows_and_without_room)
{
  hg_closed_rows closed;
  hg_matrix none = {.cols = 8}, x = with_zeros(8, 0.5);
  cr_assert_eq(hg_closed_rows_create(&closed, 0, 8, 0.5), HG_OK);
  hg_closed_piece piece = hg_closed_rows_piece(&closed, 0, 0);
  hg_closed_rows_keep(&closed, &piece, 0, &none);
  cr_assert(hg_closed_rows_take(&closed, 0, &none));
  hg_closed_rows_free(&closed);
  cr_assert_eq(hg_closed_rows_create(&closed, ROWS, 8, 0), HG_OK);
  keep_all(&closed, &x);
  cr_assert_gt(take_all(&closed, &x), 20);
  hg_closed_rows_free(&closed);
  hg_matrix_free(&x);
}
