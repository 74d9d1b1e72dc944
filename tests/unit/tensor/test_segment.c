#include <criterion/criterion.h>
#include <math.h>
#include <string.h>

#include "core/base/alloc.h"
#include "core/base/rng.h"
#include "core/base/threads.h"
#include "core/tensor/segment.h"
#include "tests/support/close.h"
#include "tests/support/naive.h"

static const hg_reduction kinds[] = {HG_REDUCTION_MEAN, HG_REDUCTION_SUM, HG_REDUCTION_MAX};
static const char *const names[] = {"mean", "sum", "max"};

/** Each of `n_fine` rows is member of one of `n_coarse`, drawn at random: some have none, some many. */
static hg_csr random_members(hg_off n_coarse, hg_off n_fine, uint64_t seed)
{
  hg_csr owners, members;
  hg_rng rng = {seed, HG_STREAM_TEST};
  cr_assert_eq(hg_csr_create(&owners, n_fine, n_coarse, n_fine, false, "owners"), HG_OK);
  for (hg_off j = 0; j < n_fine; j++) {
    owners.indptr[j + 1] = j + 1;
    owners.indices[j] = (hg_lid)hg_rng_below(rng, (uint64_t)j, 0, (uint64_t)n_coarse);
  }
  cr_assert_eq(hg_csr_transpose(&members, &owners), HG_OK);
  hg_csr_free(&owners);
  return members;
}

static double naive_reduce(hg_reduction kind, const hg_csr *members, const hg_matrix *x, hg_off i, int k)
{
  double sum = 0, largest = -INFINITY;
  hg_off first = members->indptr[i], end = members->indptr[i + 1];
  for (hg_off e = first; e < end; e++) {
    double value = (double)x->data[members->indices[e] * x->cols + k];
    sum += value;
    largest = value > largest ? value : largest;
  }
  if (first == end) return 0;
  return kind == HG_REDUCTION_MAX ? largest : kind == HG_REDUCTION_SUM ? sum : sum / (double)(end - first);
}

static void check_shape(hg_off n_coarse, hg_off n_fine, int f, uint64_t seed)
{
  hg_csr members = random_members(n_coarse, n_fine, seed);
  hg_matrix x = random_matrix(n_fine, f, seed), y = random_matrix(n_coarse, f, seed + 1), expected, other;
  cr_assert_eq(hg_matrix_create(&expected, n_coarse, f, "expected"), HG_OK);
  cr_assert_eq(hg_matrix_create(&other, n_coarse, f, "other"), HG_OK);
  for (int r = 0; r < 3; r++) {
    for (hg_off i = 0; i < n_coarse; i++)
      for (int k = 0; k < f; k++) expected.data[i * f + k] = (hg_real)naive_reduce(kinds[r], &members, &x, i, k);
    hg_threads_set(1);
    hg_segment_reduce(kinds[r], &members, &x, &y);
    hg_threads_set(3);
    hg_segment_reduce(kinds[r], &members, &x, &other);
    expect_close(y.data, expected.data, n_coarse * f, sum_tolerance(), names[r]);
    cr_expect_arr_eq(y.data, other.data, (size_t)(n_coarse * f) * sizeof(hg_real), "%s: threads differ", names[r]);
  }
  hg_csr_free(&members);
  hg_matrix_free(&x), hg_matrix_free(&y), hg_matrix_free(&expected), hg_matrix_free(&other);
}

Test(segment, reduces_as_the_naive_loop_with_the_same_bits_on_any_number_of_threads)
{
  check_shape(1, 1, 1, 1);
  check_shape(5, 40, 7, 2);
  check_shape(31, 20, 16, 3);
  check_shape(400, 1000, 33, 4);
  check_shape(1, 300, 300, 5);
}

typedef struct {
  hg_reduction kind;
  hg_csr members;
  hg_matrix x, y, weight;
} pooling;

static double value(void *context)
{
  pooling *p = context;
  hg_segment_reduce(p->kind, &p->members, &p->x, &p->y);
  return naive_dot(p->y.data, p->weight.data, p->y.rows * p->y.cols);
}

// random numbers, so that no two members are within a step of each other but by bad luck of the seed
Test(segment, gradient_is_the_central_difference_with_the_same_bits_on_any_number_of_threads)
{
  for (int r = 0; r < 3; r++) {
    pooling p = {.kind = kinds[r], .members = random_members(90, 200, 7)};
    p.x = random_matrix(200, 261, 8), p.y = random_matrix(90, 261, 9), p.weight = random_matrix(90, 261, 10);
    hg_matrix one = random_matrix(200, 261, 11), many = random_matrix(200, 261, 12);
    (void)value(&p);
    hg_threads_set(1);
    hg_segment_reduce_gradient(p.kind, &p.members, &p.x, &p.y, &p.weight, &one);
    hg_threads_set(3);
    hg_segment_reduce_gradient(p.kind, &p.members, &p.x, &p.y, &p.weight, &many);
    cr_expect_arr_eq(one.data, many.data, 200 * 261 * sizeof(hg_real), "%s: threads differ", names[r]);
    expect_gradient(value, &p, p.x.data, 200 * 261, one.data, names[r]);
    hg_csr_free(&p.members);
    hg_matrix_free(&p.x), hg_matrix_free(&p.y), hg_matrix_free(&p.weight);
    hg_matrix_free(&one), hg_matrix_free(&many);
  }
}

Test(segment, gradient_of_the_maximum_goes_to_the_first_that_has_it)
{
  hg_off indptr[] = {0, 3, 3, 4};
  hg_lid indices[] = {0, 2, 3, 1};
  const hg_csr members = {.n_rows = 3, .n_cols = 4, .indptr = indptr, .indices = indices};
  hg_real x[] = {1, 5, -2, 0, 3, 5, 3, 4}, y[6], d_y[] = {10, 20, 30, 40, 50, 60}, d_x[8];
  hg_matrix fine = hg_matrix_view(x, 4, 2), coarse = hg_matrix_view(y, 3, 2);
  hg_matrix d_coarse = hg_matrix_view(d_y, 3, 2), d_fine = hg_matrix_view(d_x, 4, 2);
  hg_segment_reduce(HG_REDUCTION_MAX, &members, &fine, &coarse);
  const hg_real pooled[] = {3, 5, 0, 0, -2, 0}, expected[] = {0, 20, 50, 60, 10, 0, 0, 0};
  cr_expect_arr_eq(y, pooled, sizeof pooled);
  hg_segment_reduce_gradient(HG_REDUCTION_MAX, &members, &fine, &coarse, &d_coarse, &d_fine);
  cr_expect_arr_eq(d_x, expected, sizeof expected);
}

Test(segment, a_nan_stays_one)
{
  hg_off indptr[] = {0, 3};
  hg_lid indices[] = {0, 1, 2};
  const hg_csr members = {.n_rows = 1, .n_cols = 3, .indptr = indptr, .indices = indices};
  for (int place = 0; place < 3; place++) {
    hg_real x[] = {1, 2, 1}, y[1];
    hg_matrix fine = hg_matrix_view(x, 3, 1), coarse = hg_matrix_view(y, 1, 1);
    x[place] = (hg_real)NAN;
    for (int r = 0; r < 3; r++) {
      hg_segment_reduce(kinds[r], &members, &fine, &coarse);
      cr_expect(isnan(y[0]), "%s, NaN in place %d", names[r], place);
    }
  }
}

Test(segment, no_rows_are_no_work)
{
  hg_off indptr[] = {0};
  const hg_csr members = {.indptr = indptr};
  hg_real x[1], y[1];
  hg_matrix fine = hg_matrix_view(x, 0, 5), coarse = hg_matrix_view(y, 0, 5);
  for (int r = 0; r < 3; r++) {
    hg_segment_reduce(kinds[r], &members, &fine, &coarse);
    hg_segment_reduce_gradient(kinds[r], &members, &fine, &coarse, &coarse, &fine);
  }
}
