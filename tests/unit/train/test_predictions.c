#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "core/base/alloc.h"
#include "core/base/files.h"
#include "core/graph/npz.h"
#include "runtime/observe/predictions.h"
#include "tests/support/run.h"

enum { WIDTH = 3, EMBEDDING = 2, DIMS = 2 };

static char *folder;

static void set_up(void) { folder = temporary_folder(); }
static void tear_down(void) { temporary_folder_remove(&folder); }

TestSuite(predictions, .init = set_up, .fini = tear_down);

static float output(int64_t id, int c) { return (float)((id * 7 + c * 5) % 11) / 11; }
static float embedding(int64_t id, int c) { return (float)id + 0.25F * (float)c; }

// n nodes in an order of their own, values as functions of the original id
static hg_predictions sample(hg_task task, hg_off n, int width)
{
  hg_predictions p = {.task = task, .n = n, .n_classes = width, .n_embedding = EMBEDDING, .n_dims = DIMS};
  cr_assert_eq(HG_ALLOC(p.original_ids, n, "ids"), HG_OK);
  cr_assert_eq(HG_ALLOC(p.outputs, n * width, "outputs"), HG_OK);
  cr_assert_eq(HG_ALLOC(p.embeddings, n * EMBEDDING, "embeddings"), HG_OK);
  cr_assert_eq(HG_ALLOC(p.position_gradients, n * DIMS, "gradients"), HG_OK);
  for (hg_off i = 0; i < n; i++) {
    int64_t id = p.original_ids[i] = 1000 - 3 * ((i * 7) % n); // n is no multiple of 7
    for (int c = 0; c < width; c++) p.outputs[i * width + c] = output(id, c);
    for (int c = 0; c < EMBEDDING; c++) p.embeddings[i * EMBEDDING + c] = embedding(id, c);
    for (int d = 0; d < DIMS; d++) p.position_gradients[i * DIMS + d] = output(id, WIDTH + d);
  }
  return p;
}

Test(predictions, are_sorted_by_original_id)
{
  hg_predictions p = sample(HG_TASK_CLASSES, 101, WIDTH);
  cr_assert_eq(hg_predictions_sort(&p), HG_OK);
  for (hg_off i = 0; i < p.n; i++) {
    int64_t id = p.original_ids[i];
    cr_assert_eq(id, 1000 - 3 * (p.n - 1 - i));
    for (int c = 0; c < WIDTH; c++) cr_expect_eq(p.outputs[i * WIDTH + c], output(id, c));
    for (int c = 0; c < EMBEDDING; c++) cr_expect_eq(p.embeddings[i * EMBEDDING + c], embedding(id, c));
    for (int d = 0; d < DIMS; d++) cr_expect_eq(p.position_gradients[i * DIMS + d], output(id, WIDTH + d));
  }
  hg_predictions_free(&p);
  cr_expect_null(p.outputs);
}

static int most_likely(int64_t id)
{
  int best = 0;
  for (int c = 1; c < WIDTH; c++)
    if (output(id, c) > output(id, best)) best = c;
  return best;
}

// the time of the first member, which the date of writing must not get into
static void expect_no_date(const char *path)
{
  unsigned char header[14] = {0};
  static const unsigned char expected[] = {0, 0, 0x21, 0};
  FILE *file = fopen(path, "rb");
  cr_assert_not_null(file);
  cr_expect_eq(fread(header, 1, sizeof header, file), sizeof header);
  fclose(file);
  cr_expect_eq(memcmp(header + 10, expected, sizeof expected), 0, "the file depends on when it was written");
}

static void expect_floats(hg_npz *npz, const char *key, const float *expected, hg_off rows, hg_off cols)
{
  float *found = NULL;
  hg_off shape[2];
  cr_assert_eq(hg_npz_f32(npz, key, &found, shape), HG_OK, "%s", hg_error_text());
  cr_expect(shape[0] == rows && shape[1] == cols, "%s: found %lld x %lld", key, (long long)shape[0],
            (long long)shape[1]);
  cr_expect_eq(memcmp(found, expected, (size_t)(rows * cols) * sizeof *found), 0, "%s differs", key);
  hg_free(&found);
}

static void check_npz(hg_task task, int width)
{
  const char *path = path_in(folder, "p.npz");
  hg_predictions p = sample(task, 101, width);
  hg_npz *npz = NULL;
  int64_t *ids = NULL, *decisions = NULL;
  hg_off n = 0, n_decisions = 0;
  cr_assert_eq(hg_predictions_write(&p, path), HG_OK, "%s", hg_error_text());
  expect_no_date(path);
  cr_assert_eq(hg_npz_open(&npz, path), HG_OK, "%s", hg_error_text());
  cr_assert_eq(hg_npz_i64(npz, "original_ids", &ids, &n), HG_OK, "%s", hg_error_text());
  cr_assert_eq(n, p.n);
  cr_expect_eq(memcmp(ids, p.original_ids, (size_t)n * sizeof *ids), 0);
  bool regression = task == HG_TASK_REGRESSION;
  expect_floats(npz, regression ? "values" : "probabilities", p.outputs, p.n, width);
  expect_floats(npz, "embeddings", p.embeddings, p.n, EMBEDDING);
  expect_floats(npz, "position_gradients", p.position_gradients, p.n, DIMS);
  cr_expect_eq(hg_npz_has(npz, "predictions"), !regression);
  if (!regression) cr_assert_eq(hg_npz_i64(npz, "predictions", &decisions, &n_decisions), HG_OK, "%s", hg_error_text());
  cr_expect_eq(n_decisions, regression ? 0 : task == HG_TASK_MULTILABEL ? p.n * width : p.n);
  for (hg_off k = 0; k < n_decisions; k++) {
    if (task == HG_TASK_CLASSES)
      cr_expect_eq(decisions[k], most_likely(ids[k]));
    else
      cr_expect_eq(decisions[k], output(ids[k / width], (int)(k % width)) > 0.5F);
  }
  hg_npz_close(&npz);
  hg_free(&ids);
  hg_free(&decisions);
  hg_predictions_free(&p);
}

Test(predictions, of_classes_come_back_from_npz) { check_npz(HG_TASK_CLASSES, WIDTH); }
Test(predictions, of_many_labels_come_back_from_npz) { check_npz(HG_TASK_MULTILABEL, WIDTH); }
Test(predictions, of_a_regression_come_back_from_npz)
{
  check_npz(HG_TASK_REGRESSION, WIDTH);
  check_npz(HG_TASK_REGRESSION, 1);
}

static void expect_csv(hg_task task, int width, const char *expected)
{
  hg_predictions p = {.task = task, .n = 2, .n_classes = width, .n_embedding = EMBEDDING};
  int64_t ids[] = {-7, 9000000000};
  float outputs[] = {0.25F, 0.75F, 0.625F, 0.375F}, embeddings[] = {1, -0.1F, NAN, 1e30F};
  p.original_ids = ids;
  p.outputs = outputs;
  p.embeddings = embeddings;
  const char *path = path_in(folder, "p.csv");
  cr_assert_eq(hg_predictions_write(&p, path), HG_OK, "%s", hg_error_text());
  char text[512] = "";
  FILE *file = fopen(path, "r");
  cr_assert_not_null(file);
  cr_expect_gt(fread(text, 1, sizeof text - 1, file), 0);
  fclose(file);
  cr_expect_str_eq(text, expected, "found\n%sexpected\n%s", text, expected);
}

Test(predictions, csv_has_a_line_a_node)
{
  expect_csv(HG_TASK_CLASSES, 2,
             "original_id,prediction,probability_0,probability_1,embedding_0,embedding_1\n"
             "-7,1,0.25,0.75,1,-0.100000001\n"
             "9000000000,0,0.625,0.375,nan,1.00000002e+30\n");
  expect_csv(HG_TASK_MULTILABEL, 2,
             "original_id,prediction_0,prediction_1,probability_0,probability_1,embedding_0,embedding_1\n"
             "-7,0,1,0.25,0.75,1,-0.100000001\n"
             "9000000000,1,0,0.625,0.375,nan,1.00000002e+30\n");
  expect_csv(HG_TASK_REGRESSION, 1,
             "original_id,value,embedding_0,embedding_1\n"
             "-7,0.25,1,-0.100000001\n"
             "9000000000,0.75,nan,1.00000002e+30\n");
}

Test(predictions, of_no_nodes_are_a_file_all_the_same)
{
  hg_predictions p = sample(HG_TASK_CLASSES, 0, WIDTH);
  cr_expect_eq(hg_predictions_sort(&p), HG_OK);
  cr_expect_eq(hg_predictions_write(&p, path_in(folder, "p.csv")), HG_OK);
  cr_expect_eq(hg_predictions_write(&p, path_in(folder, "p.npz")), HG_OK);
  hg_predictions_free(&p);
}

static void expect_no_temporary_files(void)
{
  char command[4200];
  snprintf(command, sizeof command, "test -z \"$(ls -A '%s' | grep tmp)\"", folder);
  cr_expect_eq(system(command), 0, "a temporary file is left");
}

Test(predictions, that_cannot_be_written_are_refused_with_a_reason)
{
  static const char *const table[][2] = {
      {"p.txt", "expected one that ends in .npz or .csv"},      {"p", "expected one that ends in .npz or .csv"},
      {"no/p.npz", "no/p.npz: cannot write in the folder"},     {"no/p.csv", "no/p.csv: cannot write in the folder"},
      {"taken.npz", "taken.npz: cannot write: found a folder"},
  };
  hg_predictions p = sample(HG_TASK_CLASSES, 5, WIDTH);
  cr_assert_eq(mkdir(path_in(folder, "taken.npz"), 0777), 0);
  for (size_t k = 0; k < sizeof table / sizeof *table; k++) {
    cr_expect_eq(hg_predictions_write(&p, path_in(folder, table[k][0])), HG_ERR_INPUT, "%s", table[k][0]);
    cr_expect_not_null(strstr(hg_error_text(), table[k][1]), "%s: %s", table[k][0], hg_error_text());
  }
  cr_expect_eq(hg_predictions_check_path(".npz"), HG_ERR_INPUT, "a suffix alone is no name");
  expect_no_temporary_files();
  hg_predictions_free(&p);
}
