#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "core/base/alloc.h"
#include "core/base/files.h"
#include "tests/support/run.h"
#include "tests/unit/train/sample_checkpoint.h"

static char *folder;
static sample_model sample;
static hg_checkpoint saved;
static size_t bytes_before;

static void set_up(void)
{
  folder = temporary_folder();
  bytes_before = hg_alloc_bytes();
  sample_model_init(&sample);
  saved = sample_checkpoint(&sample);
}

static void tear_down(void)
{
  hg_checkpoint_free(&saved);
  cr_expect_eq(hg_alloc_bytes(), bytes_before, "%zu bytes were not freed", hg_alloc_bytes() - bytes_before);
  temporary_folder_remove(&folder);
}

TestSuite(checkpoint, .init = set_up, .fini = tear_down);

// infinity is stored as NaN
static bool same_number(double a, double b) { return a == b || (isnan(a) && !isfinite(b)); }

static void expect_scores(const hg_scores *found, const hg_scores *expected, const char *what)
{
  const double a[] = {found->loss, found->accuracy, found->micro_f1, found->macro_f1, found->roc_auc, found->rmse};
  const double b[] = {expected->loss,     expected->accuracy, expected->micro_f1,
                      expected->macro_f1, expected->roc_auc,  expected->rmse};
  for (int k = 0; k < 6; k++)
    cr_expect(same_number(a[k], b[k]), "%s: score %d: found %.17g, expected %.17g", what, k, a[k], b[k]);
}

static void expect_array(const hg_real *found, const hg_real *expected, hg_off n, const char *what)
{
  cr_expect_eq(memcmp(found, expected, (size_t)n * sizeof *found), 0, "%s differ", what);
}

static void expect_scales(const hg_scales *found, const hg_scales *expected)
{
  cr_assert(found->width == expected->width && found->n_targets == expected->n_targets);
  size_t features = (size_t)expected->width * sizeof(double), targets = (size_t)expected->n_targets * sizeof(double);
  cr_expect_eq(memcmp(found->mean, expected->mean, features), 0);
  cr_expect_eq(memcmp(found->inverse, expected->inverse, features), 0);
  cr_expect_eq(memcmp(found->target_mean, expected->target_mean, targets), 0);
  cr_expect_eq(memcmp(found->target_scale, expected->target_scale, targets), 0);
  cr_expect_eq(found->position, expected->position);
}

Test(checkpoint, comes_back_bit_by_bit)
{
  const char *path = path_in(folder, "c.h5");
  hg_checkpoint found;
  cr_assert_eq(hg_checkpoint_write(&saved, path), HG_OK, "%s", hg_error_text());
  cr_assert_eq(hg_checkpoint_read(&found, path), HG_OK, "%s", hg_error_text());
  cr_expect_eq(found.repeat, 1);
  cr_expect_eq(found.seed, 0xfedcba9876543210ULL);
  cr_expect_eq(found.epoch, 12);
  cr_expect_eq(found.steps, 5000000000);
  cr_expect_eq(found.train_loss, 1.0 / 3);
  cr_expect_eq(found.schedule.best_epoch, 9);
  cr_expect_eq(found.schedule.best_metric, -0.1);
  cr_expect_eq(found.schedule.without_gain, 3);
  cr_expect_eq(found.schedule.stop_epoch, 40);
  expect_scores(&found.best_val, &saved.best_val, "best val");
  expect_scores(&found.best_test, &saved.best_test, "best test");
  cr_assert_eq(found.n_results, 1);
  cr_expect_eq(found.results[0].seed, UINT64_MAX);
  cr_expect_eq(found.results[0].epochs, 50);
  cr_expect_eq(found.results[0].best_epoch, 44);
  cr_expect(isnan(found.results[0].train_loss));
  cr_expect_eq(found.results[0].best_metric, 0.7);
  expect_scores(&found.results[0].val, &saved.results[0].val, "result val");
  expect_scores(&found.results[0].test, &saved.results[0].test, "result test");
  cr_expect_str_eq(found.model, saved.model);
  cr_assert_eq(found.n_parameters, saved.n_parameters);
  cr_assert_eq(found.n_state, saved.n_state);
  cr_assert_eq(found.n_moments, saved.n_moments);
  expect_scales(&found.scales, &saved.scales);
  expect_array(found.parameters, saved.parameters, saved.n_parameters, "parameters");
  expect_array(found.state, saved.state, saved.n_state, "state");
  expect_array(found.moments, saved.moments, saved.n_moments, "moments");
  expect_array(found.best_parameters, saved.best_parameters, saved.n_parameters, "best parameters");
  expect_array(found.best_state, saved.best_state, saved.n_state, "best state");
  cr_expect_eq(hg_checkpoint_match(&found, &saved, path), HG_OK);
  hg_checkpoint_free(&found);
}

Test(checkpoint, describes_its_model)
{
  cr_expect_str_eq(
      saved.model,
      "{\"type\":\"gcn\",\"inputs\":3,\"outputs\":2,\"parameters\":["
      "{\"name\":\"layers.0.weight\",\"rows\":3,\"cols\":4},{\"name\":\"layers.0.bias\",\"rows\":1,\"cols\":4},"
      "{\"name\":\"layers.0.norm.weight\",\"rows\":1,\"cols\":4},"
      "{\"name\":\"layers.0.norm.bias\",\"rows\":1,\"cols\":4},"
      "{\"name\":\"layers.1.weight\",\"rows\":4,\"cols\":2},{\"name\":\"layers.1.bias\",\"rows\":1,\"cols\":2}]}");
}

static void expect_mismatch(const hg_checkpoint *found, const char *part)
{
  cr_expect_eq(hg_checkpoint_match(found, &saved, "c.h5"), HG_ERR_INPUT);
  cr_expect_not_null(strstr(hg_error_text(), part), "%s", hg_error_text());
}

Test(checkpoint, of_another_model_does_not_match)
{
  sample_model other;
  sample_model_init(&other);
  other.layers[0].f_in = 30;
  other.layers[0].parameters[0].rows = 30;
  hg_checkpoint wide = sample_checkpoint(&other), deeper = saved, sgd = saved;
  expect_mismatch(&wide, "c.h5: found a checkpoint of another model with layers.0.weight of 30 x 4, expected "
                         "layers.0.weight of 3 x 4");
  deeper.n_state = 0;
  expect_mismatch(&deeper, "another model");
  sgd.n_moments = saved.n_parameters;
  expect_mismatch(&sgd, "c.h5: found a checkpoint of another optimiser (34 moments), expected 68");
  hg_checkpoint_free(&wide);
}

Test(checkpoint, that_cannot_be_written_leaves_nothing)
{
  cr_expect_eq(hg_checkpoint_write(&saved, path_in(folder, "no/c.h5")), HG_ERR_INPUT);
  cr_expect_not_null(strstr(hg_error_text(), "no/c.h5: cannot write in the folder"), "%s", hg_error_text());
  cr_expect_eq(hg_checkpoint_write(&saved, folder), HG_ERR_INPUT);
  cr_expect_not_null(strstr(hg_error_text(), "found a folder, expected a file name"), "%s", hg_error_text());
}

static void make_file(int repeat, int epoch)
{
  char path[HG_PATH_MAX];
  hg_checkpoint_path(folder, repeat, epoch, path);
  write_text(path, "x");
}

static bool is_there(int repeat, int epoch)
{
  char path[HG_PATH_MAX];
  hg_checkpoint_path(folder, repeat, epoch, path);
  return hg_file_exists(path);
}

static void make_folder(void) { cr_assert_eq(hg_make_directories(path_in(folder, "checkpoints")), HG_OK); }

Test(checkpoint, the_newest_is_of_the_last_repeat_and_epoch_by_number)
{
  char path[HG_PATH_MAX], expected[HG_PATH_MAX];
  make_folder();
  static const char *const strangers[] = {"best_7.h5",          "repeat_9_epoch_9.h5.tmp12",
                                          "repeat_9_epoch_.h5", "repeat_9_epoch_9.h5x",
                                          "notes.txt",          "repeat_99999999999999999999_epoch_1.txt"};
  for (size_t k = 0; k < sizeof strangers / sizeof *strangers; k++) {
    char name[128];
    snprintf(name, sizeof name, "checkpoints/%s", strangers[k]);
    write_text(path_in(folder, name), "x");
  }
  cr_expect_eq(hg_checkpoint_find_last(folder, path), HG_ERR_INPUT);
  cr_expect_not_null(strstr(hg_error_text(), "/checkpoints: found no checkpoint to go on from"), "%s", hg_error_text());
  make_file(0, 200);
  make_file(2, 9);
  make_file(2, 10);
  make_file(1, 100);
  cr_assert_eq(hg_checkpoint_find_last(folder, path), HG_OK);
  hg_checkpoint_path(folder, 2, 10, expected);
  cr_expect_str_eq(path, expected);
}

Test(checkpoint, without_a_folder_there_is_none)
{
  char path[HG_PATH_MAX];
  cr_expect_eq(hg_checkpoint_find_last(path_in(folder, "missing"), path), HG_ERR_INPUT);
}

Test(checkpoint, pruning_keeps_the_newest_of_a_repeat_and_none_of_earlier_ones)
{
  make_folder();
  for (int e = 8; e <= 12; e++) make_file(1, e);
  make_file(0, 500);
  make_file(2, 1);
  write_text(path_in(folder, "checkpoints/best_0.h5"), "x");
  hg_checkpoint_prune(folder, 1, 2);
  cr_expect(is_there(1, 12) && is_there(1, 11), "the two newest stay");
  cr_expect(!is_there(1, 10) && !is_there(1, 9) && !is_there(1, 8), "older ones go");
  cr_expect_not(is_there(0, 500), "of an earlier repeat none is needed");
  cr_expect(is_there(2, 1), "a later repeat is not touched");
  cr_expect(hg_file_exists(path_in(folder, "checkpoints/best_0.h5")), "the best weights stay");
  hg_checkpoint_prune(path_in(folder, "missing"), 1, 2);
}

Test(checkpoint, without_scales_knows_none)
{
  const char *path = path_in(folder, "c.h5");
  hg_checkpoint found;
  hg_scales_free(&saved.scales);
  cr_assert_eq(hg_checkpoint_write(&saved, path), HG_OK, "%s", hg_error_text());
  cr_assert_eq(hg_checkpoint_read(&found, path), HG_OK, "%s", hg_error_text());
  cr_expect(!hg_scales_known(&found.scales) && !found.scales.mean && !found.scales.target_mean);
  hg_checkpoint_free(&found);
}

// features that are not standardized need no numbers; a regression's targets always have them
Test(checkpoint, scales_of_features_can_be_missing)
{
  const char *path = path_in(folder, "c.h5");
  hg_checkpoint found;
  saved.scales.width = 0;
  cr_assert_eq(hg_checkpoint_write(&saved, path), HG_OK, "%s", hg_error_text());
  cr_assert_eq(hg_checkpoint_read(&found, path), HG_OK, "%s", hg_error_text());
  cr_expect(found.scales.width == 0 && !found.scales.mean && found.scales.n_targets == 2);
  hg_checkpoint_free(&found);
}

Test(checkpoint, what_error_feedback_keeps_comes_back)
{
  const char *path = path_in(folder, "c.h5");
  int64_t shares[] = {2, -77, 0, INT64_MAX, 1, 5}; // of three ranks: numbers and hashes
  hg_real errors[] = {(hg_real)0.5, (hg_real)-1e-30, 3};
  hg_checkpoint found, kept = saved;
  kept.halo_shares = shares, kept.n_halo_shares = 6;
  kept.halo_errors = errors, kept.n_halo_errors = 3;
  cr_assert_eq(hg_checkpoint_write(&kept, path), HG_OK, "%s", hg_error_text());
  cr_assert_eq(hg_checkpoint_read(&found, path), HG_OK, "%s", hg_error_text());
  cr_assert(found.n_halo_shares == 6 && found.n_halo_errors == 3);
  cr_expect_arr_eq(found.halo_shares, shares, sizeof shares);
  expect_array(found.halo_errors, errors, 3, "errors");
  hg_checkpoint_free(&found);
  cr_assert_eq(hg_checkpoint_write(&saved, path), HG_OK, "%s", hg_error_text()); // without it
  cr_assert_eq(hg_checkpoint_read(&found, path), HG_OK, "%s", hg_error_text());
  cr_expect(found.n_halo_shares == 0 && !found.halo_errors && !found.halo_shares);
  hg_checkpoint_free(&found);
}
