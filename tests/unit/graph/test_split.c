#include <criterion/criterion.h>
#include <math.h>
#include <string.h>

#include "core/base/alloc.h"
#include "core/base/rng.h"
#include "core/graph/split.h"

enum { N = 500, CLASSES = 5 };

// Classes of different sizes, the last with 12 nodes; every eleventh node is unlabelled.
static hg_nodes labelled(int64_t first_id)
{
  hg_nodes nodes = {.n = N, .task = HG_TASK_CLASSES, .n_classes = CLASSES};
  cr_assert_eq(HG_ALLOC(nodes.labels, N, "labels"), HG_OK);
  cr_assert_eq(HG_ALLOC(nodes.original_ids, N, "ids"), HG_OK);
  int rare = 0;
  for (int i = 0; i < N; i++) {
    nodes.original_ids[i] = first_id + i;
    nodes.labels[i] = i % 11 == 10 ? -1 : i % 9 == 0 && rare < 12 ? (rare++, CLASSES - 1) : i % (CLASSES - 1);
  }
  return nodes;
}

static int count(const hg_nodes *nodes, int label, hg_split split)
{
  int found = 0;
  for (hg_off i = 0; i < nodes->n; i++) found += (label < -1 || nodes->labels[i] == label) && nodes->split[i] == split;
  return found;
}

Test(split, planetoid_takes_the_same_number_of_each_class_and_no_unlabelled_node)
{
  hg_nodes nodes = labelled(0);
  hg_split_options options = hg_split_default();
  cr_assert_eq(hg_split_planetoid(&nodes, &options), HG_OK, "%s", hg_error_text());
  for (int c = 0; c < CLASSES - 1; c++) {
    cr_expect_eq(count(&nodes, c, HG_SPLIT_TRAIN), 20);
    cr_expect_eq(count(&nodes, c, HG_SPLIT_VAL), 30);
    cr_expect_eq(count(&nodes, c, HG_SPLIT_NONE), 0);
    cr_expect(count(&nodes, c, HG_SPLIT_TEST) > 0);
  }
  cr_expect_eq(count(&nodes, CLASSES - 1, HG_SPLIT_TRAIN), 12, "a small class gives what it has");
  cr_expect_eq(count(&nodes, -1, HG_SPLIT_NONE), count(&nodes, -2, HG_SPLIT_NONE),
               "unlabelled nodes are in no split, all others in one");
  hg_nodes_free(&nodes);
}

Test(split, the_numbers_of_val_and_test_can_be_given)
{
  hg_nodes nodes = labelled(0);
  hg_split_options options = hg_split_default();
  options.n_val = 100, options.n_test = 150, options.train_per_class = 10;
  cr_assert_eq(hg_split_planetoid(&nodes, &options), HG_OK, "%s", hg_error_text());
  cr_expect_eq(count(&nodes, -2, HG_SPLIT_TRAIN), 50);
  cr_expect_eq(count(&nodes, -2, HG_SPLIT_VAL), 100);
  cr_expect_eq(count(&nodes, -2, HG_SPLIT_TEST), 150);
  hg_nodes_free(&nodes);
}

Test(split, the_draw_is_a_function_of_seed_and_original_id)
{
  hg_nodes a = labelled(0), b = labelled(0), other = labelled(0);
  hg_split_options options = hg_split_default();
  options.seed = 7;
  cr_assert_eq(hg_split_planetoid(&a, &options), HG_OK);
  for (hg_off i = 0; i < N; i++) { // the same nodes numbered backwards
    b.original_ids[i] = a.original_ids[N - 1 - i];
    b.labels[i] = a.labels[N - 1 - i];
  }
  cr_assert_eq(hg_split_planetoid(&b, &options), HG_OK);
  for (hg_off i = 0; i < N; i++) cr_assert_eq(b.split[i], a.split[N - 1 - i], "node %d", (int)i);
  options.seed = 8;
  cr_assert_eq(hg_split_planetoid(&other, &options), HG_OK);
  cr_expect(memcmp(a.split, other.split, N) != 0, "another seed, the same split");
  hg_nodes_free(&a), hg_nodes_free(&b), hg_nodes_free(&other);
}

Test(split, random_takes_fractions_of_the_labelled_nodes_for_any_task)
{
  hg_nodes nodes = {.n = N, .task = HG_TASK_REGRESSION, .n_classes = 1};
  hg_split_options options = hg_split_default();
  cr_assert_eq(HG_ALLOC(nodes.targets, N, "targets"), HG_OK);
  cr_assert_eq(HG_ALLOC(nodes.original_ids, N, "ids"), HG_OK);
  for (int i = 0; i < N; i++) {
    nodes.original_ids[i] = i;
    nodes.targets[i] = i < 100 ? NAN : 1;
  }
  cr_assert_eq(hg_split_random(&nodes, &options), HG_OK, "%s", hg_error_text());
  cr_expect_eq(count(&nodes, -2, HG_SPLIT_NONE), 100);
  cr_expect_eq(count(&nodes, -2, HG_SPLIT_TRAIN), 240);
  cr_expect_eq(count(&nodes, -2, HG_SPLIT_VAL), 80);
  cr_expect_eq(count(&nodes, -2, HG_SPLIT_TEST), 80);
  for (int i = 0; i < 100; i++) cr_expect_eq(nodes.split[i], HG_SPLIT_NONE);
  hg_nodes_free(&nodes);
}

Test(split, what_cannot_be_is_refused_and_the_old_split_stays)
{
  hg_nodes nodes = labelled(0), none = {.n = 3};
  hg_split_options options = hg_split_default();
  cr_assert_eq(hg_split_planetoid(&nodes, &options), HG_OK);
  const uint8_t *before = nodes.split;
  options.n_val = 400, options.n_test = 400;
  cr_expect_eq(hg_split_planetoid(&nodes, &options), HG_ERR_INPUT);
  cr_expect_str_eq(hg_error_text(), "split: found 363 left after the training set, expected 800 for val and test");
  options = hg_split_default();
  options.train_fraction = 0.9;
  cr_expect_eq(hg_split_random(&nodes, &options), HG_ERR_INPUT);
  options.train_fraction = NAN;
  cr_expect_eq(hg_split_random(&nodes, &options), HG_ERR_INPUT);
  cr_expect_eq(nodes.split, before);
  options = hg_split_default();
  cr_expect_eq(hg_split_planetoid(&none, &options), HG_ERR_INPUT);
  cr_expect_eq(hg_split_random(&none, &options), HG_ERR_INPUT);
  hg_nodes_free(&nodes);
}
