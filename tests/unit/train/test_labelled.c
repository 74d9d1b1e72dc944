#include "runtime/train/labelled.h"

#include <criterion/criterion.h>
#include <math.h>

enum { T = HG_SPLIT_TRAIN, V = HG_SPLIT_VAL, S = HG_SPLIT_TEST, N = HG_SPLIT_NONE };

static void expect_rows(const hg_labelled *l, int split, hg_off n, const hg_lid *rows)
{
  cr_assert_eq(l->n_rows[split], n, "split %d: %d rows", split, (int)l->n_rows[split]);
  for (hg_off k = 0; k < n; k++) cr_expect_eq(l->rows[split][k], rows[k], "split %d, row %d", split, (int)k);
}

Test(labelled, rows_are_those_with_a_known_label)
{
  int32_t labels[] = {0, -1, 2, 1, 0, -1};
  uint8_t split[] = {T, T, T, S, V, S};
  int64_t ids[] = {10, 11, 12, 13, 14, 15};
  const hg_nodes items = {
      .n = 6, .task = HG_TASK_CLASSES, .n_classes = 3, .labels = labels, .split = split, .original_ids = ids};
  hg_labelled l;
  cr_assert_eq(hg_labelled_create(&l, &items), HG_OK);
  expect_rows(&l, T, 2, (const hg_lid[]){0, 2});
  expect_rows(&l, V, 1, (const hg_lid[]){4});
  expect_rows(&l, S, 1, (const hg_lid[]){3});
  expect_rows(&l, N, 0, NULL);
  cr_expect_eq(l.n_items, 6);
  cr_expect_eq(l.n_classes, 3);
  cr_expect(l.truth.labels == labels && l.original_ids == ids);
  hg_labelled_free(&l);
  hg_labelled_free(&l);
}

Test(labelled, one_target_is_enough)
{
  float targets[] = {NAN, NAN, 1, NAN, NAN, -2, 3, 4};
  uint8_t split[] = {T, T, T, V};
  const hg_nodes items = {.n = 4, .task = HG_TASK_REGRESSION, .n_classes = 2, .targets = targets, .split = split};
  hg_labelled l;
  cr_assert_eq(hg_labelled_create(&l, &items), HG_OK);
  expect_rows(&l, T, 2, (const hg_lid[]){1, 2});
  expect_rows(&l, V, 1, (const hg_lid[]){3});
  hg_labelled_free(&l);
}

Test(labelled, what_has_no_split_or_no_task_has_no_rows)
{
  int32_t labels[] = {0, 1};
  uint8_t bits[] = {1, 2}, split[] = {T, V};
  const hg_nodes all[] = {
      {.n = 2, .task = HG_TASK_CLASSES, .n_classes = 2, .labels = labels},
      {.n = 2, .task = HG_TASK_NONE, .split = split},
      {.n = 0, .task = HG_TASK_MULTILABEL, .n_classes = 2, .label_bits = bits, .split = split},
  };
  for (int k = 0; k < 3; k++) {
    hg_labelled l;
    cr_assert_eq(hg_labelled_create(&l, &all[k]), HG_OK);
    for (int s = 0; s < HG_SPLIT_COUNT; s++) cr_expect_eq(l.n_rows[s], 0);
    hg_labelled_free(&l);
  }
  const hg_nodes multilabel = {.n = 2, .task = HG_TASK_MULTILABEL, .n_classes = 2, .label_bits = bits};
  cr_expect(hg_label_known(&multilabel, 1) && !hg_label_known(&all[1], 0));
}
