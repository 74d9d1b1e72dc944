// Files that look like checkpoints and are none: each must be refused with a line that says why.
#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "core/base/alloc.h"
#include "core/graph/store_h5.h"
#include "tests/support/run.h"
#include "tests/support/spoil_h5.h"
#include "tests/unit/train/sample_checkpoint.h"

static const hg_h5_type own = sizeof(hg_real) == sizeof(double) ? HG_H5_F64 : HG_H5_F32;
static const hg_h5_type other = sizeof(hg_real) == sizeof(double) ? HG_H5_F32 : HG_H5_F64;
static const char sound[] =
    "{\"repeat\":0,\"seed\":1,\"epoch\":3,\"train_loss\":1.0,\"best_epoch\":2,\"best_metric\":0.5,"
    "\"without_gain\":0,\"stop_epoch\":0,\"best_val\":[],\"best_test\":[],\"results\":[]}";

// A file as checkpoint.c writes it, with one thing changed; NULL and 0 are as they should be.
typedef struct {
  const char *what;
  const char *format, *progress;
  int64_t version;
  hg_h5_type type;
  hg_off parameters, best_parameters, best_state;
  const char *missing; ///< this dataset, or attribute, is left out
  const char *message;
} variant;

static char *folder;

static void set_up(void) { folder = temporary_folder(); }
static void tear_down(void) { temporary_folder_remove(&folder); }

TestSuite(checkpoint_bad, .init = set_up, .fini = tear_down);

static void put_array(const hg_h5 *file, const variant *v, const char *name, hg_off n)
{
  static const double zeros[64];
  if (v->missing && strcmp(v->missing, name) == 0) return;
  cr_assert_eq(hg_h5_write(file, name, v->type, n, 0, zeros), HG_OK, "%s", hg_error_text());
}

static void put_text(const hg_h5 *file, const variant *v, const char *name, const char *text)
{
  if (v->missing && strcmp(v->missing, name) == 0) return;
  cr_assert_eq(hg_h5_write_text(file, "/", name, text), HG_OK, "%s", hg_error_text());
}

static void write_variant(const variant *v, const char *path)
{
  hg_h5 file;
  cr_assert_eq(hg_h5_create(&file, path, path), HG_OK, "%s", hg_error_text());
  put_text(&file, v, "halognn_format", v->format ? v->format : "checkpoint");
  cr_assert_eq(hg_h5_write_number(&file, "/", "halognn_version", v->version), HG_OK);
  put_text(&file, v, "model", "{}");
  put_text(&file, v, "progress", v->progress ? v->progress : sound);
  put_array(&file, v, "/parameters", v->parameters);
  put_array(&file, v, "/state", 4);
  put_array(&file, v, "/moments", 12);
  cr_assert_eq(hg_h5_make_group(&file, "/best"), HG_OK);
  put_array(&file, v, "/best/parameters", v->best_parameters);
  put_array(&file, v, "/best/state", v->best_state);
  cr_assert_eq(hg_h5_close(&file), HG_OK);
}

static variant usual(void)
{
  return (variant){.version = 1, .type = own, .parameters = 6, .best_parameters = 6, .best_state = 4};
}

static void expect_refused(const char *path, const char *what, const char *message)
{
  hg_checkpoint found;
  size_t before = hg_alloc_bytes();
  hg_status rc = hg_checkpoint_read(&found, path);
  cr_expect_eq(rc, HG_ERR_INPUT, "%s: status %d", what, (int)rc);
  if (rc == HG_OK) {
    hg_checkpoint_free(&found);
    return;
  }
  cr_expect_not_null(strstr(hg_error_text(), path), "%s: names the file: %s", what, hg_error_text());
  cr_expect_not_null(strstr(hg_error_text(), message), "%s: found '%s', expected '%s'", what, hg_error_text(), message);
  cr_expect_eq(hg_alloc_bytes(), before, "%s: leaves %zu bytes", what, hg_alloc_bytes() - before);
}

Test(checkpoint_bad, what_the_table_starts_from_is_good)
{
  const char *path = path_in(folder, "good.h5");
  variant v = usual();
  hg_checkpoint found;
  write_variant(&v, path);
  cr_assert_eq(hg_checkpoint_read(&found, path), HG_OK, "%s", hg_error_text());
  cr_expect_eq(found.epoch, 3);
  hg_checkpoint_free(&found);
}

Test(checkpoint_bad, wrong_contents_are_refused)
{
  const variant table[] = {
      {.what = "a graph", .format = "graph", .message = "found a file of kind 'graph', expected a checkpoint"},
      {.what = "no kind", .missing = "halognn_format", .message = "halognn_format"},
      {.what = "a later version", .version = 2, .message = "halognn_version"},
      {.what = "no model", .missing = "model", .message = "model"},
      {.what = "no progress", .missing = "progress", .message = "progress"},
      {.what = "the other precision", .type = other, .message = "/parameters"},
      {.what = "no parameters", .missing = "/parameters", .message = "/parameters"},
      {.what = "no state", .missing = "/state", .message = "/state"},
      {.what = "no moments", .missing = "/moments", .message = "/moments"},
      {.what = "no best", .missing = "/best/parameters", .message = "/best/parameters"},
      {.what = "no best state", .missing = "/best/state", .message = "/best/state"},
      {.what = "best too short", .best_parameters = 5, .message = "/best: found 5 parameters, expected 6"},
      {.what = "best state too long", .best_state = 9, .message = "/best"},
  };
  for (size_t k = 0; k < sizeof table / sizeof *table; k++) {
    const char *path = path_in(folder, "bad.h5");
    variant v = table[k], normal = usual();
    if (!v.version) v.version = normal.version;
    if (v.type != other) v.type = normal.type;
    if (!v.parameters) v.parameters = normal.parameters;
    if (!v.best_parameters) v.best_parameters = normal.best_parameters;
    if (!v.best_state) v.best_state = normal.best_state;
    write_variant(&v, path);
    expect_refused(path, v.what, v.message);
  }
}

static const double nan_value = NAN, infinity_value = INFINITY, zero = 0, minus = -1, tiny = 1e-320,
                    three[3] = {1, 1, 1};
static const char *spoiled;
static const double *spoil_with;
static hsize_t spoil_length;

static void spoil_scales(hid_t file)
{
  if (spoil_length > 0)
    h5_replace(file, spoiled, H5T_IEEE_F64LE, 1, &spoil_length, spoil_with);
  else if (spoil_with)
    h5_poke(file, spoiled, 0, H5T_NATIVE_DOUBLE, spoil_with);
  else
    cr_assert_geq(H5Ldelete(file, spoiled, H5P_DEFAULT), 0);
}

Test(checkpoint_bad, scales_that_scale_nothing_are_refused)
{
  static const struct {
    const char *name;
    const double *value; ///< NULL: the dataset is missing
    hsize_t length;      ///< 0: as it was
    const char *message;
  } table[] = {
      {"/scales/feature_mean", &nan_value, 0, "found nan, expected a finite number"},
      {"/scales/feature_mean", &infinity_value, 0, "found inf, expected a finite number"},
      {"/scales/feature_mean", three, 2, "found 2 numbers, expected 3 as the model has"},
      {"/scales/feature_mean", NULL, 0, "/scales/feature_mean"},
      {"/scales/feature_inverse", &zero, 0, "found 0, expected a finite number above 0"},
      {"/scales/feature_inverse", &nan_value, 0, "expected a finite number above 0"},
      {"/scales/feature_inverse", three, 1, "found 1 numbers, expected 3 as the model has"},
      {"/scales/feature_inverse", NULL, 0, "/scales/feature_inverse"},
      {"/scales/target_mean", &nan_value, 0, "expected a finite number"},
      {"/scales/target_mean", three, 3, "found 3 numbers, expected 2 as the model has"},
      {"/scales/target_mean", NULL, 0, "/scales/target_mean"},
      {"/scales/target_scale", &zero, 0, "found 0, expected a finite number above 0"},
      {"/scales/target_scale", &minus, 0, "found -1, expected a finite number above 0"},
      {"/scales/target_scale", &tiny, 0, "expected a finite number above 0"}, // 1 / it is infinite
      {"/scales/target_scale", three, 1, "found 1 numbers, expected 2 as the model has"},
      {"/scales/position", &zero, 0, "found 0, expected a finite number above 0"},
      {"/scales/position", &minus, 0, "found -1, expected a finite number above 0"},
      {"/scales/position", &infinity_value, 0, "found inf, expected a finite number above 0"},
      {"/scales/position", three, 2, "found 2 numbers, expected 1 as the model has"},
      {"/scales/position", NULL, 0, "/scales/position"},
  };
  sample_model model;
  sample_model_init(&model);
  hg_checkpoint c = sample_checkpoint(&model);
  const char *path = path_in(folder, "bad.h5");
  for (size_t k = 0; k < sizeof table / sizeof *table; k++) {
    cr_assert_eq(hg_checkpoint_write(&c, path), HG_OK, "%s", hg_error_text());
    spoiled = table[k].name;
    spoil_with = table[k].value;
    spoil_length = table[k].length;
    h5_spoil(path, spoil_scales);
    expect_refused(path, table[k].name, table[k].message);
  }
  hg_checkpoint_free(&c);
}

// {"epoch": ..., ...} with one value replaced
static const char *progress_with(const char *key, const char *value)
{
  static char text[512];
  static const char *const keys[] = {"repeat",     "seed",       "epoch",       "steps",
                                     "train_loss", "best_epoch", "best_metric", "without_gain",
                                     "stop_epoch", "best_val",   "best_test",   "results"};
  static const char *const values[] = {"0", "1", "3", "3", "1.0", "2", "0.5", "0", "0", "[]", "[]", "[]"};
  size_t used = 0;
  for (size_t k = 0; k < sizeof keys / sizeof *keys; k++) {
    int n = snprintf(text + used, sizeof text - used, "%s\"%s\":%s", k ? "," : "{", keys[k],
                     strcmp(keys[k], key) == 0 ? value : values[k]);
    used += (size_t)n;
  }
  snprintf(text + used, sizeof text - used, "}");
  return text;
}

Test(checkpoint_bad, progress_that_would_lead_out_of_arrays_is_refused)
{
  static const char *const table[][3] = {
      {"epoch", "null", "no JSON of a checkpoint"},
      {"epoch", "\"3\"", "no JSON of a checkpoint"},
      {"epoch", "3.5", "no JSON of a checkpoint"},
      {"epoch", "-1", "a count is missing, negative or too large"},
      {"epoch", "4294967299", "too large"},
      {"steps", "-1", "negative"},
      {"steps", "null", "missing"},
      {"steps", "9223372036854775807", "too large"},
      {"repeat", "-5", "negative"},
      {"repeat", "{}", "missing"},
      {"repeat", "2", "found 0 results in repeat 2"},
      {"repeat", "99999999999", "too large"},
      {"best_epoch", "-2", "negative"},
      {"without_gain", "[1]", "missing"},
      {"stop_epoch", "9223372036854775807", "too large"},
      {"results", "{}", "no JSON of a checkpoint"},
      {"results", "7", "no JSON of a checkpoint"},
      {"results", "null", "no JSON of a checkpoint"},
      {"results", "[1]", "a count is missing"},
      {"results", "[null]", "a count is missing"},
      {"results", "[{\"epochs\":\"x\",\"best_epoch\":1}]", "a count is missing"},
      {"results", "[{\"epochs\":5,\"best_epoch\":1},{\"epochs\":5,\"best_epoch\":1}]", "found 2 results in repeat 0"},
  };
  for (size_t k = 0; k < sizeof table / sizeof *table; k++) {
    const char *path = path_in(folder, "bad.h5");
    variant v = usual();
    v.progress = progress_with(table[k][0], table[k][1]);
    write_variant(&v, path);
    expect_refused(path, v.progress, table[k][2]);
  }
}

Test(checkpoint_bad, progress_that_is_no_json_is_refused)
{
  static const char *const table[] = {"",
                                      "{",
                                      "[]",
                                      "null",
                                      "7",
                                      "\"text\"",
                                      "{\"epoch\":3}",
                                      "{\"results\":[]}",
                                      "{\"epoch\":1e999,\"results\":[]}",
                                      "[[[[[[[["};
  for (size_t k = 0; k < sizeof table / sizeof *table; k++) {
    const char *path = path_in(folder, "bad.h5");
    variant v = usual();
    v.progress = table[k];
    write_variant(&v, path);
    expect_refused(path, v.progress, "progress");
  }
}

Test(checkpoint_bad, numbers_of_another_type_become_nan)
{
  const char *path = path_in(folder, "odd.h5");
  variant v = usual();
  v.progress = progress_with("best_val", "{\"a\":[1,\"x\"]}");
  hg_checkpoint found;
  write_variant(&v, path);
  cr_assert_eq(hg_checkpoint_read(&found, path), HG_OK, "%s", hg_error_text());
  cr_expect(found.best_val.loss != found.best_val.loss, "no number where there was none");
  hg_checkpoint_free(&found);
}

static size_t load(const char *path, unsigned char *data, size_t size)
{
  FILE *file = fopen(path, "rb");
  cr_assert_not_null(file);
  size_t n = fread(data, 1, size, file);
  fclose(file);
  return n;
}

static unsigned char bytes[1 << 18];

Test(checkpoint_bad, truncated_files_are_refused)
{
  sample_model model;
  sample_model_init(&model);
  hg_checkpoint c = sample_checkpoint(&model);
  cr_assert_eq(hg_checkpoint_write(&c, path_in(folder, "whole.h5")), HG_OK, "%s", hg_error_text());
  hg_checkpoint_free(&c);
  size_t n = load(path_in(folder, "whole.h5"), bytes, sizeof bytes);
  for (size_t part = 0; part < 16; part++) {
    write_file(path_in(folder, "cut.h5"), bytes, n * part / 16);
    expect_refused(path_in(folder, "cut.h5"), "cut", "");
  }
}

// A byte that differs is either noticed or of no consequence; it is never a crash.
Test(checkpoint_bad, flipped_bytes_are_noticed_or_harmless)
{
  sample_model model;
  sample_model_init(&model);
  hg_checkpoint c = sample_checkpoint(&model);
  const char *whole = path_in(folder, "whole.h5"), *bad = path_in(folder, "flipped.h5");
  cr_assert_eq(hg_checkpoint_write(&c, whole), HG_OK, "%s", hg_error_text());
  size_t n = load(whole, bytes, sizeof bytes), refused = 0, step = n / 400 + 1;
  for (size_t at = 0; at < n; at += step) {
    hg_checkpoint found;
    bytes[at] ^= 0x55;
    write_file(bad, bytes, n);
    bytes[at] ^= 0x55;
    if (hg_checkpoint_read(&found, bad) != HG_OK) {
      refused++;
      continue;
    }
    bool same = found.n_parameters == c.n_parameters &&
                memcmp(found.parameters, c.parameters, (size_t)c.n_parameters * sizeof(hg_real)) == 0;
    cr_expect(same, "byte %zu of %zu: the weights differ and nobody noticed", at, n);
    hg_checkpoint_free(&found);
  }
  cr_expect_gt(refused, 10);
  hg_checkpoint_free(&c);
}

Test(checkpoint_bad, what_is_no_file_of_ours_is_refused)
{
  write_text(path_in(folder, "text.h5"), "no HDF5 at all");
  write_text(path_in(folder, "empty.h5"), "");
  cr_assert_eq(mkdir(path_in(folder, "folder.h5"), 0777), 0);
  static const char *const names[] = {"text.h5", "empty.h5", "folder.h5", "missing.h5"};
  for (size_t k = 0; k < sizeof names / sizeof *names; k++) expect_refused(path_in(folder, names[k]), names[k], "");
}

static const char *halo_missing;

static void spoil_halo(hid_t file) { H5Ldelete(file, halo_missing, H5P_DEFAULT); }

Test(checkpoint_bad, error_feedback_without_its_parts_is_refused)
{
  static const char *const names[] = {"/halo/errors", "/halo/shares"};
  const char *path = path_in(folder, "c.h5");
  int64_t shares[] = {1, 7};
  hg_real errors[] = {3};
  sample_model sample;
  sample_model_init(&sample);
  hg_checkpoint kept = sample_checkpoint(&sample);
  kept.halo_shares = shares, kept.n_halo_shares = 2;
  kept.halo_errors = errors, kept.n_halo_errors = 1;
  for (int k = 0; k < 2; k++) {
    cr_assert_eq(hg_checkpoint_write(&kept, path), HG_OK, "%s", hg_error_text());
    halo_missing = names[k];
    h5_spoil(path, spoil_halo);
    expect_refused(path, names[k], names[k]);
  }
  kept.halo_shares = NULL, kept.halo_errors = NULL;
  hg_checkpoint_free(&kept);
}
