#include "runtime/train/checkpoint.h"

#include <jansson.h>
#include <limits.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/alloc.h"
#include "core/base/files.h"
#include "core/graph/store_h5.h"
#include "runtime/train/scaling_file.h"

static const char format[] = "checkpoint";
static const int64_t version = 1;
static const hg_h5_type real_type = sizeof(hg_real) == sizeof(double) ? HG_H5_F64 : HG_H5_F32;
static const hg_off most_parameters = (hg_off)1 << 40, most_shares = 1 << 22; // more is a damaged file

static json_t *real(double x) { return isfinite(x) ? json_real(x) : json_null(); }
static double number(const json_t *object, const char *key)
{
  const json_t *value = json_object_get(object, key);
  return json_is_number(value) ? json_number_value(value) : NAN;
}

static json_t *scores_json(const hg_scores *s)
{
  json_t *list = json_array();
  const double values[] = {s->loss, s->accuracy, s->micro_f1, s->macro_f1, s->roc_auc, s->rmse};
  for (size_t k = 0; k < sizeof values / sizeof *values; k++) json_array_append_new(list, real(values[k]));
  return list;
}

static hg_scores scores_from(const json_t *list)
{
  double v[6];
  for (size_t k = 0; k < 6; k++) {
    const json_t *value = json_array_get(list, k);
    v[k] = json_is_number(value) ? json_number_value(value) : NAN;
  }
  return (hg_scores){v[0], v[1], v[2], v[3], v[4], v[5]};
}

static json_t *result_json(const hg_repeat_result *r)
{
  json_t *object = json_object();
  json_object_set_new(object, "seed", json_integer((json_int_t)r->seed));
  json_object_set_new(object, "epochs", json_integer(r->epochs));
  json_object_set_new(object, "best_epoch", json_integer(r->best_epoch));
  json_object_set_new(object, "train_loss", real(r->train_loss));
  json_object_set_new(object, "best_metric", real(r->best_metric));
  json_object_set_new(object, "val", scores_json(&r->val));
  json_object_set_new(object, "test", scores_json(&r->test));
  return object;
}

// a whole number from 0 to INT_MAX, or -1: no sound checkpoint has that anywhere
static int count_from(const json_t *object, const char *key)
{
  const json_t *value = json_object_get(object, key);
  json_int_t n = json_is_integer(value) ? json_integer_value(value) : -1;
  return n >= 0 && n <= INT_MAX ? (int)n : -1;
}

// 0 where it is not said
static int known_count(const json_t *object, const char *key)
{
  int n = count_from(object, key);
  return n > 0 ? n : 0;
}

// checkpoints from before there were mini-batches do not say it: an epoch was a step
static hg_off steps_from(const json_t *object, int epoch)
{
  const json_t *value = json_object_get(object, "steps");
  if (!value) return epoch;
  return json_is_integer(value) && json_integer_value(value) < INT64_MAX ? json_integer_value(value) : -1;
}

static hg_repeat_result result_from(const json_t *object)
{
  return (hg_repeat_result){
      .seed = (uint64_t)json_integer_value(json_object_get(object, "seed")),
      .epochs = count_from(object, "epochs"),
      .best_epoch = count_from(object, "best_epoch"),
      .train_loss = number(object, "train_loss"),
      .best_metric = number(object, "best_metric"),
      .val = scores_from(json_object_get(object, "val")),
      .test = scores_from(json_object_get(object, "test")),
  };
}

// the scalars, as one JSON attribute
static char *progress_text(const hg_checkpoint *c)
{
  json_t *object = json_object(), *results = json_array();
  for (int k = 0; k < c->n_results; k++) json_array_append_new(results, result_json(&c->results[k]));
  json_object_set_new(object, "task", json_integer(c->task));
  json_object_set_new(object, "dataset", json_integer((json_int_t)c->dataset));
  json_object_set_new(object, "repeat", json_integer(c->repeat));
  json_object_set_new(object, "seed", json_integer((json_int_t)c->seed));
  json_object_set_new(object, "epoch", json_integer(c->epoch));
  json_object_set_new(object, "ranks", json_integer(c->ranks));
  json_object_set_new(object, "parallel_columns", json_integer(c->columns));
  json_object_set_new(object, "halo_computed", json_integer(c->halo_computed));
  json_object_set_new(object, "steps", json_integer(c->steps));
  json_object_set_new(object, "train_loss", real(c->train_loss));
  json_object_set_new(object, "best_epoch", json_integer(c->schedule.best_epoch));
  json_object_set_new(object, "best_metric", real(c->schedule.best_metric));
  json_object_set_new(object, "without_gain", json_integer(c->schedule.without_gain));
  json_object_set_new(object, "stop_epoch", json_integer(c->schedule.stop_epoch));
  json_object_set_new(object, "best_val", scores_json(&c->best_val));
  json_object_set_new(object, "best_test", scores_json(&c->best_test));
  json_object_set_new(object, "results", results);
  char *text = json_dumps(object, JSON_COMPACT | JSON_REAL_PRECISION(17));
  json_decref(object);
  return text;
}

static bool results_are_sound(const hg_checkpoint *c)
{
  for (int k = 0; k < c->n_results; k++)
    if (c->results[k].epochs < 0 || c->results[k].best_epoch < 0) return false;
  return true;
}

// what a resumed run counts with: a wrong number would send it out of its arrays
static hg_status check_progress(const hg_checkpoint *c, const char *path)
{
  const hg_schedule_state *s = &c->schedule;
  if (c->repeat < 0 || c->epoch < 0 || c->steps < 0 || s->best_epoch < 0 || s->without_gain < 0 || s->stop_epoch < 0 ||
      !results_are_sound(c))
    return hg_fail(HG_ERR_INPUT, "%s: attribute progress: a count is missing, negative or too large", path);
  if (c->n_results != c->repeat && c->n_results != c->repeat + 1)
    return hg_fail(HG_ERR_INPUT, "%s: attribute progress: found %d results in repeat %d, expected one each before it",
                   path, c->n_results, c->repeat);
  return HG_OK;
}

static hg_status progress_from(hg_checkpoint *c, const char *text, const char *path)
{
  json_t *object = json_loads(text, 0, NULL);
  const json_t *results = json_object_get(object, "results");
  hg_status rc = HG_OK;
  if (!json_is_integer(json_object_get(object, "epoch")) || !json_is_array(results) ||
      json_array_size(results) >= INT_MAX)
    HG_TRY(hg_fail(HG_ERR_INPUT, "%s: attribute progress: found no JSON of a checkpoint", path));
  c->task = (hg_task)json_integer_value(json_object_get(object, "task"));
  c->dataset = (uint64_t)json_integer_value(json_object_get(object, "dataset"));
  c->repeat = count_from(object, "repeat");
  c->seed = (uint64_t)json_integer_value(json_object_get(object, "seed"));
  c->epoch = count_from(object, "epoch");
  c->ranks = known_count(object, "ranks");
  c->columns = known_count(object, "parallel_columns");
  c->halo_computed = (int)json_integer_value(json_object_get(object, "halo_computed"));
  c->steps = steps_from(object, c->epoch);
  c->train_loss = number(object, "train_loss");
  c->schedule.best_epoch = count_from(object, "best_epoch");
  c->schedule.best_metric = number(object, "best_metric");
  c->schedule.without_gain = count_from(object, "without_gain");
  c->schedule.stop_epoch = count_from(object, "stop_epoch");
  c->best_val = scores_from(json_object_get(object, "best_val"));
  c->best_test = scores_from(json_object_get(object, "best_test"));
  c->n_results = (int)json_array_size(results);
  HG_TRY(HG_ALLOC(c->results, c->n_results + 1, "results"));
  for (int k = 0; k < c->n_results; k++) c->results[k] = result_from(json_array_get(results, (size_t)k));
  HG_TRY(check_progress(c, path));
done:
  json_decref(object);
  return rc;
}

static hg_status describe_model(const hg_model *model, char **text)
{
  json_t *object = json_object(), *list = json_array();
  for (int l = 0; l < model->n_layers; l++) {
    for (int k = 0; k < model->layers[l].n_parameters; k++) {
      const hg_parameter *p = &model->layers[l].parameters[k];
      char name[64];
      hg_model_parameter_name(model, l, k, name, sizeof name);
      json_array_append_new(list, json_pack("{s:s, s:i, s:i}", "name", name, "rows", p->rows, "cols", p->cols));
    }
  }
  json_object_set_new(object, "type", json_string(model->options.type));
  json_object_set_new(object, "inputs", json_integer(model->layers[0].f_in));
  json_object_set_new(object, "outputs", json_integer(model->layers[model->n_layers - 1].f_out));
  json_object_set_new(object, "parameters", list);
  char *dumped = json_dumps(object, JSON_COMPACT);
  json_decref(object);
  size_t size = dumped ? strlen(dumped) + 1 : 1;
  hg_status rc = hg_alloc(text, (hg_off)size, 1, "the model's description");
  if (rc == HG_OK && dumped) memcpy(*text, dumped, size);
  free(dumped); // allow(malloc): jansson's
  return rc;
}

hg_status hg_checkpoint_create(hg_checkpoint *checkpoint, const hg_model *model, hg_off n_moments, int max_results)
{
  memset(checkpoint, 0, sizeof *checkpoint);
  checkpoint->n_parameters = model->n_parameters;
  checkpoint->n_state = model->n_state;
  checkpoint->n_moments = n_moments;
  checkpoint->best_val = checkpoint->best_test = hg_scores_none();
  hg_status rc = HG_OK;
  HG_TRY(describe_model(model, &checkpoint->model));
  HG_TRY(HG_ALLOC(checkpoint->results, max_results, "results"));
  HG_TRY(HG_ALLOC(checkpoint->parameters, checkpoint->n_parameters, "checkpoint"));
  HG_TRY(HG_ALLOC(checkpoint->state, checkpoint->n_state, "checkpoint"));
  HG_TRY(HG_ALLOC(checkpoint->moments, n_moments, "checkpoint"));
  HG_TRY(HG_ALLOC(checkpoint->best_parameters, checkpoint->n_parameters, "best weights"));
  HG_TRY(HG_ALLOC(checkpoint->best_state, checkpoint->n_state, "best weights"));
done:
  if (rc != HG_OK) hg_checkpoint_free(checkpoint);
  return rc;
}

void hg_checkpoint_free(hg_checkpoint *checkpoint)
{
  hg_free(&checkpoint->results);
  hg_free(&checkpoint->model);
  hg_free(&checkpoint->parameters);
  hg_free(&checkpoint->state);
  hg_free(&checkpoint->moments);
  hg_free(&checkpoint->best_parameters);
  hg_free(&checkpoint->best_state);
  hg_free(&checkpoint->halo_shares);
  hg_free(&checkpoint->halo_errors);
  hg_scales_free(&checkpoint->scales);
}

static hg_status write_arrays(const hg_h5 *file, const hg_checkpoint *c)
{
  hg_status rc = HG_OK;
  HG_TRY(hg_h5_write(file, "/parameters", real_type, c->n_parameters, 0, c->parameters));
  HG_TRY(hg_h5_write(file, "/state", real_type, c->n_state, 0, c->state));
  HG_TRY(hg_h5_write(file, "/moments", real_type, c->n_moments, 0, c->moments));
  HG_TRY(hg_h5_make_group(file, "/best"));
  HG_TRY(hg_h5_write(file, "/best/parameters", real_type, c->n_parameters, 0, c->best_parameters));
  HG_TRY(hg_h5_write(file, "/best/state", real_type, c->n_state, 0, c->best_state));
  if (c->n_halo_shares == 0) return HG_OK;
  HG_TRY(hg_h5_make_group(file, "/halo"));
  HG_TRY(hg_h5_write(file, "/halo/shares", HG_H5_I64, c->n_halo_shares, 0, c->halo_shares));
  HG_TRY(hg_h5_write(file, "/halo/errors", real_type, c->n_halo_errors, 0, c->halo_errors));
done:
  return rc;
}

hg_status hg_checkpoint_write(const hg_checkpoint *checkpoint, const char *path)
{
  hg_new_file new = {0};
  hg_h5 file = {0};
  char *progress = progress_text(checkpoint);
  hg_status rc = HG_OK;
  HG_TRY(progress ? HG_OK : hg_fail(HG_ERR_MEMORY, "out of memory for a checkpoint"));
  HG_TRY(hg_new_file_begin(&new, path));
  HG_TRY(hg_h5_create(&file, new.temporary, path));
  HG_TRY(hg_h5_write_text(&file, "/", "halognn_format", format));
  HG_TRY(hg_h5_write_number(&file, "/", "halognn_version", version));
  HG_TRY(hg_h5_write_text(&file, "/", "model", checkpoint->model));
  HG_TRY(hg_h5_write_text(&file, "/", "progress", progress));
  HG_TRY(write_arrays(&file, checkpoint));
  HG_TRY(hg_scales_write(&checkpoint->scales, &file));
  HG_TRY(hg_h5_close(&file));
  HG_TRY(hg_new_file_commit(&new));
done:
  hg_h5_drop(&file);
  hg_new_file_abandon(&new);
  free(progress); // allow(malloc): jansson's
  return rc;
}

static hg_status read_array(const hg_h5 *file, const char *name, hg_real **out, hg_off *n)
{
  hg_h5_shape shape;
  hg_status rc = HG_OK;
  HG_TRY(hg_h5_inspect(file, name, real_type, 1, &shape));
  if (shape.dims[0] > most_parameters)
    HG_TRY(hg_fail(HG_ERR_INPUT, "%s: %s: found %lld numbers, expected fewer", file->path, name,
                   (long long)shape.dims[0]));
  HG_TRY(HG_ALLOC(*out, shape.dims[0], "checkpoint"));
  HG_TRY(hg_h5_read_rows(file, name, real_type, 0, shape.dims[0], *out));
  *n = shape.dims[0];
done:
  return rc;
}

static hg_status read_feedback(const hg_h5 *file, hg_checkpoint *c)
{
  hg_h5_shape shape;
  hg_status rc = HG_OK;
  if (!hg_h5_is_group(file, "/halo")) return HG_OK;
  HG_TRY(read_array(file, "/halo/errors", &c->halo_errors, &c->n_halo_errors));
  HG_TRY(hg_h5_inspect(file, "/halo/shares", HG_H5_I64, 1, &shape));
  if (shape.dims[0] > most_shares)
    HG_TRY(hg_fail(HG_ERR_INPUT, "%s: /halo/shares: found %lld numbers, expected two a rank", file->path,
                   (long long)shape.dims[0]));
  HG_TRY(HG_ALLOC(c->halo_shares, shape.dims[0], "checkpoint"));
  HG_TRY(hg_h5_read_rows(file, "/halo/shares", HG_H5_I64, 0, shape.dims[0], c->halo_shares));
  c->n_halo_shares = shape.dims[0];
done:
  return rc;
}

static hg_status read_arrays(const hg_h5 *file, hg_checkpoint *c)
{
  hg_off n_best = 0, n_best_state = 0;
  hg_status rc = HG_OK;
  HG_TRY(read_array(file, "/parameters", &c->parameters, &c->n_parameters));
  HG_TRY(read_array(file, "/state", &c->state, &c->n_state));
  HG_TRY(read_array(file, "/moments", &c->moments, &c->n_moments));
  HG_TRY(read_array(file, "/best/parameters", &c->best_parameters, &n_best));
  HG_TRY(read_array(file, "/best/state", &c->best_state, &n_best_state));
  HG_TRY(read_feedback(file, c));
  if (n_best != c->n_parameters || n_best_state != c->n_state)
    rc = hg_fail(HG_ERR_INPUT, "%s: /best: found %lld parameters, expected %lld as in /parameters", file->path,
                 (long long)n_best, (long long)c->n_parameters);
done:
  return rc;
}

// "inputs" or "outputs" of the model's description; 0 when that is damaged
static int model_size(const hg_checkpoint *c, const char *key)
{
  json_t *object = json_loads(c->model, 0, NULL);
  json_int_t n = json_integer_value(json_object_get(object, key));
  json_decref(object);
  return n > 0 && n <= INT_MAX ? (int)n : 0;
}

hg_status hg_checkpoint_read(hg_checkpoint *checkpoint, const char *path)
{
  memset(checkpoint, 0, sizeof *checkpoint);
  hg_h5 file = {0};
  char found[64], *progress = NULL;
  int64_t found_version;
  hg_status rc = HG_OK;
  HG_TRY(hg_h5_open(&file, path));
  HG_TRY(hg_h5_read_text(&file, "/", "halognn_format", found, sizeof found));
  if (strcmp(found, format) != 0)
    HG_TRY(hg_fail(HG_ERR_INPUT, "%s: found a file of kind '%s', expected a %s", path, found, format));
  HG_TRY(hg_h5_read_number(&file, "/", "halognn_version", version, version, &found_version));
  HG_TRY(hg_h5_read_long_text(&file, "/", "model", &checkpoint->model));
  HG_TRY(hg_h5_read_long_text(&file, "/", "progress", &progress));
  HG_TRY(progress_from(checkpoint, progress, path));
  HG_TRY(read_arrays(&file, checkpoint));
  HG_TRY(hg_scales_read(&checkpoint->scales, &file, model_size(checkpoint, "inputs"),
                        checkpoint->task == HG_TASK_REGRESSION ? model_size(checkpoint, "outputs") : 0));
done:
  hg_h5_drop(&file);
  hg_free(&progress);
  if (rc != HG_OK) hg_checkpoint_free(checkpoint);
  return rc;
}

static void describe_parameter(const json_t *p, char *text, size_t size)
{
  const char *name = json_string_value(json_object_get(p, "name"));
  if (name)
    snprintf(text, size, "%.60s of %lld x %lld", name, (long long)json_integer_value(json_object_get(p, "rows")),
             (long long)json_integer_value(json_object_get(p, "cols")));
  else
    snprintf(text, size, "no further parameter");
}

// the first thing in which two models differ: a line of them is too long to compare by eye
static hg_status other_model(const char *path, const char *found, const char *expected)
{
  char a[128] = "another type of model", b[128] = "the config's";
  json_t *f = json_loads(found, 0, NULL), *e = json_loads(expected, 0, NULL);
  const json_t *fs = json_object_get(f, "parameters"), *es = json_object_get(e, "parameters");
  for (size_t k = 0; k < json_array_size(fs) || k < json_array_size(es); k++) {
    if (json_equal(json_array_get(fs, k), json_array_get(es, k))) continue;
    describe_parameter(json_array_get(fs, k), a, sizeof a);
    describe_parameter(json_array_get(es, k), b, sizeof b);
    break;
  }
  json_decref(f);
  json_decref(e);
  return hg_fail(HG_ERR_INPUT, "%s: found a checkpoint of another model with %s, expected %s", path, a, b);
}

hg_status hg_checkpoint_match(const hg_checkpoint *found, const hg_checkpoint *expected, const char *path)
{
  if (strcmp(found->model, expected->model) != 0 || found->n_parameters != expected->n_parameters ||
      found->n_state != expected->n_state)
    return other_model(path, found->model, expected->model);
  if (found->n_moments != expected->n_moments)
    return hg_fail(HG_ERR_INPUT, "%s: found a checkpoint of another optimiser (%lld moments), expected %lld", path,
                   (long long)found->n_moments, (long long)expected->n_moments);
  return HG_OK;
}

int hg_checkpoint_outputs(const hg_checkpoint *checkpoint) { return model_size(checkpoint, "outputs"); }
