// Scaling with the statistics of one rank that has everything; tests/mpi has those of many ranks.
#include "runtime/train/scaling.h"

#include <criterion/criterion.h>
#include <math.h>
#include <string.h>

#include "core/base/alloc.h"

static void expect_numbers(const float *found, const double *expected, int n)
{
  for (int k = 0; k < n; k++)
    if (!(isnan(found[k]) && isnan(expected[k])))
      cr_expect(fabs((double)found[k] - expected[k]) < 1e-6, "number %d: %g, expected %g", k, (double)found[k],
                expected[k]);
}

// learned of the sample, applied to all n rows
static void learn_and_scale(hg_features *f, hg_off n, hg_scaling_sample sample, hg_feature_scaling scaling)
{
  hg_scales scales = {0};
  cr_assert_eq(hg_scales_learn_features(&scales, f, sample, scaling), HG_OK);
  hg_scale_features(f, n, scaling, &scales);
  hg_scales_free(&scales);
}

Test(scaling, features_get_mean_0_and_deviation_1_over_the_sample)
{
  float x[] = {1, 5, 3, 5, 100, 6}; // columns 1 3 100 and 5 5 6
  hg_features f = {.width = 2, .dense = x};
  const hg_lid rows[] = {0, 1};
  learn_and_scale(&f, 3, (hg_scaling_sample){NULL, rows, 2}, HG_FEATURES_STANDARDIZE);
  expect_numbers(x, (const double[]){-1, 0, 1, 0, 98, 1}, 6); // the constant column keeps its size
}

Test(scaling, rows_get_the_sum_1)
{
  float x[] = {1, -3, 0, 0};
  hg_features f = {.width = 2, .dense = x};
  learn_and_scale(&f, 2, (hg_scaling_sample){0}, HG_FEATURES_ROW);
  expect_numbers(x, (const double[]){0.25, -0.75, 0, 0}, 4);
  learn_and_scale(&f, 2, (hg_scaling_sample){0}, HG_FEATURES_AS_IS);
  expect_numbers(x, (const double[]){0.25, -0.75, 0, 0}, 4);
}

Test(scaling, sparse_features_keep_their_zeros)
{
  float values[] = {2, 4, 7};
  hg_off indptr[] = {0, 1, 2, 3};
  hg_lid indices[] = {0, 0, 1};
  const hg_lid rows[] = {0, 1};
  hg_features f = {.width = 2, .indptr = indptr, .indices = indices, .values = values};
  learn_and_scale(&f, 3, (hg_scaling_sample){NULL, rows, 2}, HG_FEATURES_STANDARDIZE);
  expect_numbers(values, (const double[]){2, 4, 7}, 3); // column 0 has mean 3 and deviation 1; column 1 is 0 here
}

Test(scaling, targets_can_be_taken_back)
{
  const float before[] = {1, NAN, 3, 7, 50, 9};
  float targets[6];
  for (int k = 0; k < 6; k++) targets[k] = before[k];
  const hg_lid rows[] = {0, 1};
  hg_nodes items = {.n = 3, .task = HG_TASK_REGRESSION, .n_classes = 2, .targets = targets};
  hg_scales u = {0};
  cr_assert_eq(hg_scales_learn_targets(&u, &items, (hg_scaling_sample){NULL, rows, 2}, HG_TARGETS_STANDARDIZE), HG_OK);
  hg_scale_targets(&items, &u);
  expect_numbers(targets, (const double[]){-1, (double)NAN, 1, 0, 48, 2}, 6); // one known number has no deviation
  for (int k = 0; k < 6; k++) targets[k] = (float)((double)targets[k] * u.target_scale[k % 2] + u.target_mean[k % 2]);
  expect_numbers(targets, (const double[]){1, (double)NAN, 3, 7, 50, 9}, 6);
  hg_scales_free(&u);
}

Test(scaling, other_targets_stay_and_other_tasks_have_no_units)
{
  float targets[] = {4, 5};
  int32_t labels[] = {0, 1};
  hg_nodes items = {.n = 2, .task = HG_TASK_REGRESSION, .n_classes = 1, .targets = targets};
  hg_scales u = {0};
  cr_assert_eq(hg_scales_learn_targets(&u, &items, (hg_scaling_sample){0}, HG_TARGETS_AS_IS), HG_OK);
  hg_scale_targets(&items, &u);
  expect_numbers(targets, (const double[]){4, 5}, 2);
  cr_expect(u.n_targets == 1 && u.target_scale[0] > 0.999 && u.target_scale[0] < 1.001 &&
            fabs(u.target_mean[0]) < 1e-12);
  hg_scales_free(&u);
  items = (hg_nodes){.n = 2, .task = HG_TASK_CLASSES, .n_classes = 2, .labels = labels};
  cr_assert_eq(hg_scales_learn_targets(&u, &items, (hg_scaling_sample){0}, HG_TARGETS_STANDARDIZE), HG_OK);
  hg_scale_targets(&items, &u);
  cr_expect(!u.n_targets && !u.target_mean && !u.target_scale);
}

// a training graph without labels leaves an empty sample: predicting with a model of another collection
Test(scaling, an_empty_sample_leaves_numbers)
{
  float x[] = {1, 2};
  hg_features f = {.width = 1, .dense = x};
  learn_and_scale(&f, 2, (hg_scaling_sample){0}, HG_FEATURES_ROW);
  expect_numbers(x, (const double[]){1, 1}, 2);
}

Test(scaling, learned_scales_give_other_rows_the_same_numbers)
{
  float all[] = {1, 5, 3, 5, 100, 6}, last[] = {100, 6};
  hg_features f = {.width = 2, .dense = all}, g = {.width = 2, .dense = last};
  const hg_lid rows[] = {0, 1};
  hg_scales learned = {.position = 0.25}, copy;
  cr_assert_eq(hg_scales_learn_features(&learned, &f, (hg_scaling_sample){NULL, rows, 2}, HG_FEATURES_STANDARDIZE),
               HG_OK);
  cr_assert_eq(hg_scales_copy(&copy, &learned), HG_OK);
  hg_scale_features(&f, 3, HG_FEATURES_STANDARDIZE, &learned);
  hg_scales_free(&learned);
  cr_expect(!hg_scales_known(&learned) && hg_scales_known(&copy));
  hg_scale_features(&g, 1, HG_FEATURES_STANDARDIZE, &copy);
  cr_expect_eq(memcmp(last, all + 4, sizeof last), 0);
  hg_scales_free(&copy);
}
