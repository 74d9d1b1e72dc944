#include <criterion/criterion.h>
#include <stdint.h>
#include <string.h>

#include "core/base/alloc.h"

TestSuite(alloc);

static bool all_zero(const void *data, size_t bytes)
{
  const unsigned char *byte = data;
  for (size_t k = 0; k < bytes; k++)
    if (byte[k] != 0) return false;
  return true;
}

Test(alloc, gives_aligned_zeroed_memory)
{
  static const hg_off counts[] = {0, 1, 7, 8, 9, 64, 1000, 65537};
  for (size_t k = 0; k < sizeof counts / sizeof *counts; k++) {
    double *x = NULL;
    cr_assert_eq(HG_ALLOC(x, counts[k], "numbers"), HG_OK);
    cr_assert_not_null(x, "a count of %lld gives a valid pointer", (long long)counts[k]);
    cr_expect_eq((uintptr_t)x % 64, 0);
    cr_expect(all_zero(x, (size_t)counts[k] * sizeof *x));
    memset(x, 0xff, (size_t)counts[k] * sizeof *x); // the next one must be zeroed again
    hg_free(&x);
    cr_expect_null(x);
  }
}

Test(alloc, counts_what_is_in_use_and_the_most_that_was)
{
  size_t before = hg_alloc_bytes();
  double *a = NULL;
  int32_t *b = NULL;
  cr_assert_eq(HG_ALLOC(a, 1000, "a"), HG_OK);
  cr_expect_eq(hg_alloc_bytes() - before, 8000);
  cr_assert_eq(HG_ALLOC(b, 11, "b"), HG_OK);
  cr_expect_eq(hg_alloc_bytes() - before, 8044);
  cr_expect_geq(hg_alloc_peak_bytes(), before + 8044);
  size_t peak = hg_alloc_peak_bytes();
  hg_free(&a);
  cr_expect_eq(hg_alloc_bytes() - before, 44);
  cr_expect_eq(hg_alloc_peak_bytes(), peak, "freeing does not lower the peak");
  hg_free(&b);
  hg_free(&b);
  cr_expect_eq(hg_alloc_bytes(), before, "freeing twice counts once");
}

Test(alloc, refuses_what_cannot_be)
{
  double *x = (double *)&x;
  size_t before = hg_alloc_bytes();
  cr_expect_eq(HG_ALLOC(x, -1, "weights"), HG_ERR_MEMORY);
  cr_expect_null(x, "NULL on failure");
  cr_expect_str_eq(hg_error_text(), "weights: cannot hold -1 elements of 8 bytes");
  cr_expect_eq(HG_ALLOC(x, INT64_MAX, "weights"), HG_ERR_MEMORY, "the product overflows");
  cr_expect_eq(HG_ALLOC(x, INT64_MAX / 8, "weights"), HG_ERR_MEMORY, "the product fits, the memory does not");
  cr_expect_eq(HG_ALLOC(x, INT64_MIN, "weights"), HG_ERR_MEMORY);
  cr_expect_eq(HG_ALLOC(x, (hg_off)1 << 50, "weights"), HG_ERR_MEMORY);
  cr_expect_not_null(strstr(hg_error_text(), "9007199254740992 bytes for weights"), "%s", hg_error_text());
  cr_expect_null(x);
  cr_expect_eq(hg_alloc_bytes(), before);
}

Test(alloc, growing_keeps_the_contents_and_doubles)
{
  int32_t *x = NULL;
  hg_off capacity = 0, grown = 0;
  size_t before = hg_alloc_bytes();
  for (hg_off n = 1; n <= 5000; n++) {
    hg_off was = capacity;
    cr_assert_eq(hg_grow(&x, &capacity, n, sizeof *x, "list"), HG_OK);
    cr_assert_geq(capacity, n);
    if (capacity == was) continue;
    grown++;
    cr_expect(all_zero(x + was, (size_t)(capacity - was) * sizeof *x), "new space is zeroed");
    for (hg_off k = was; k < capacity; k++) x[k] = (int32_t)(3 * k + 1);
    for (hg_off k = 0; k < capacity; k++) cr_assert_eq(x[k], 3 * k + 1, "element %lld", (long long)k);
  }
  cr_expect_leq(grown, 14, "grown %lld times for 5000 elements", (long long)grown);
  cr_expect_eq(hg_alloc_bytes() - before, (size_t)capacity * sizeof *x);
  hg_free(&x);
}

Test(alloc, growing_that_fails_leaves_all_as_it_was)
{
  int32_t *x = NULL;
  hg_off capacity = 0;
  cr_assert_eq(hg_grow(&x, &capacity, 3, sizeof *x, "list"), HG_OK);
  const int32_t *was = x;
  hg_off had = capacity;
  x[2] = 77;
  cr_expect_eq(hg_grow(&x, &capacity, INT64_MAX, sizeof *x, "list"), HG_ERR_MEMORY);
  cr_expect_eq(x, was);
  cr_expect_eq(capacity, had);
  cr_expect_eq(x[2], 77);
  cr_expect_eq(hg_grow(&x, &capacity, -5, sizeof *x, "list"), HG_OK, "there is room for fewer");
  cr_expect_eq(capacity, had);
  hg_free(&x);
}

Test(alloc, resident_memory_is_known)
{
  size_t before = hg_peak_rss_bytes();
  char *x = NULL;
  cr_expect_gt(before, 100000);
  cr_assert_eq(HG_ALLOC(x, 64 << 20, "pages"), HG_OK);
  cr_expect_geq(hg_peak_rss_bytes(), before + (50 << 20), "64 MiB that were zeroed are resident");
  hg_free(&x);
}
