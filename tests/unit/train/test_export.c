#include <criterion/criterion.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "runtime/train/export.h"
#include "tests/support/run.h"
#include "tests/unit/train/sample_checkpoint.h"

static char *folder;

static void set_up(void) { folder = temporary_folder(); }
static void tear_down(void) { temporary_folder_remove(&folder); }

TestSuite(export, .init = set_up, .fini = tear_down);

typedef struct {
  const char *name;
  size_t n_dims, dims[2], first; ///< in elements
} tensor;

static void expect_tensor(const json_t *header, tensor t, const hg_real *data, const hg_checkpoint *c)
{
  const json_t *found = json_object_get(header, t.name), *shape = json_object_get(found, "shape");
  const json_t *offsets = json_object_get(found, "data_offsets");
  size_t n = t.dims[0] * (t.n_dims == 2 ? t.dims[1] : 1);
  cr_assert_not_null(found, "%s is not there", t.name);
  cr_expect_str_eq(json_string_value(json_object_get(found, "dtype")), sizeof(hg_real) == 8 ? "F64" : "F32");
  cr_expect_eq(json_array_size(shape), t.n_dims, "%s", t.name);
  for (size_t k = 0; k < t.n_dims; k++)
    cr_expect_eq((size_t)json_integer_value(json_array_get(shape, k)), t.dims[k], "%s", t.name);
  cr_expect_eq((size_t)json_integer_value(json_array_get(offsets, 0)), t.first * sizeof(hg_real), "%s", t.name);
  cr_expect_eq((size_t)json_integer_value(json_array_get(offsets, 1)), (t.first + n) * sizeof(hg_real), "%s", t.name);
  cr_expect_eq(memcmp(data + t.first, c->parameters + t.first, n * sizeof(hg_real)), 0, "%s differs", t.name);
}

Test(export, safetensors_have_names_shapes_and_the_same_bits)
{
  sample_model model;
  sample_model_init(&model);
  hg_checkpoint c = sample_checkpoint(&model);
  cr_assert_eq(hg_checkpoint_write(&c, path_in(folder, "c.h5")), HG_OK);
  cr_assert_eq(hg_export_safetensors(path_in(folder, "c.h5"), path_in(folder, "w.safetensors")), HG_OK, "%s",
               hg_error_text());
  static unsigned char bytes[1 << 14];
  FILE *file = fopen(path_in(folder, "w.safetensors"), "rb");
  cr_assert_not_null(file);
  size_t size = fread(bytes, 1, sizeof bytes, file), length = 0;
  fclose(file);
  for (int k = 7; k >= 0; k--) length = length << 8 | bytes[k];
  cr_assert_eq(8 + length + (size_t)c.n_parameters * sizeof(hg_real), size);
  cr_expect_eq((8 + length) % 8, 0, "data is aligned");
  json_t *header = json_loadb((const char *)bytes + 8, length, 0, NULL);
  cr_assert_not_null(header);
  hg_real data[64];
  memcpy(data, bytes + 8 + length, (size_t)c.n_parameters * sizeof(hg_real));
  static const tensor expected[] = {
      {"layers.0.weight", 2, {3, 4}, 0},       {"layers.0.bias", 1, {4, 0}, 12},
      {"layers.0.norm.weight", 1, {4, 0}, 16}, {"layers.0.norm.bias", 1, {4, 0}, 20},
      {"layers.1.weight", 2, {4, 2}, 24},      {"layers.1.bias", 1, {2, 0}, 32},
  };
  cr_expect_eq(json_object_size(header), 7, "six tensors and __metadata__");
  for (size_t k = 0; k < sizeof expected / sizeof *expected; k++) expect_tensor(header, expected[k], data, &c);
  json_decref(header);
  hg_checkpoint_free(&c);
}

static void expect_refused(const char *model, const char *message)
{
  sample_model sample;
  sample_model_init(&sample);
  hg_checkpoint c = sample_checkpoint(&sample);
  char *described = c.model, text[512];
  snprintf(text, sizeof text, "%s", model);
  c.model = text;
  hg_scales_free(&c.scales); // they are for the model's own inputs
  cr_assert_eq(hg_checkpoint_write(&c, path_in(folder, "c.h5")), HG_OK);
  c.model = described;
  hg_checkpoint_free(&c);
  cr_expect_eq(hg_export_safetensors(path_in(folder, "c.h5"), path_in(folder, "w.safetensors")), HG_ERR_INPUT, "%s",
               model);
  cr_expect_not_null(strstr(hg_error_text(), message), "%s: %s", model, hg_error_text());
  cr_expect_null(fopen(path_in(folder, "w.safetensors"), "rb"), "nothing is written");
}

Test(export, descriptions_that_do_not_fit_are_refused)
{
  static const char *const none = "found 0 parameters in the description, expected 34";
  static const char *const shapeless = "has no name or no shape";
  expect_refused("", none);
  expect_refused("{", none);
  expect_refused("[]", none);
  expect_refused("{\"parameters\":7}", none);
  expect_refused("{\"parameters\":{\"a\":1}}", none);
  expect_refused("{\"parameters\":[7]}", shapeless);
  expect_refused("{\"parameters\":[{\"name\":\"a\",\"rows\":\"x\",\"cols\":2}]}", shapeless);
  expect_refused("{\"parameters\":[{\"name\":3,\"rows\":2,\"cols\":2}]}", shapeless);
  expect_refused("{\"parameters\":[{\"name\":\"a\",\"rows\":-2,\"cols\":-17}]}", shapeless);
  expect_refused("{\"parameters\":[{\"name\":\"a\",\"rows\":9223372036854775807,\"cols\":9223372036854775807}]}",
                 shapeless);
  expect_refused("{\"parameters\":[{\"name\":\"a.bias\",\"rows\":2,\"cols\":17}]}", shapeless);
  expect_refused("{\"parameters\":[{\"name\":\"a\",\"rows\":2,\"cols\":16}]}",
                 "found 32 parameters in the description, expected 34");
}

Test(export, of_a_missing_checkpoint_is_refused)
{
  cr_expect_eq(hg_export_safetensors(path_in(folder, "no.h5"), path_in(folder, "w.safetensors")), HG_ERR_INPUT);
}
