#include "runtime/train/export.h"

#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/files.h"
#include "runtime/train/checkpoint.h"

enum { ALIGNMENT = 8 }; // the data begins at a multiple of it; the header is padded with spaces

// all but the weight matrices are, as PyTorch has them: biases, and the weights and biases of norms
static bool is_vector(const char *name)
{
  static const char bias[] = ".bias", norm[] = ".norm.weight";
  size_t n = strlen(name), n_bias = sizeof bias - 1, n_norm = sizeof norm - 1;
  return (n > n_bias && strcmp(name + n - n_bias, bias) == 0) || (n > n_norm && strcmp(name + n - n_norm, norm) == 0);
}

// {"layers.0.weight": {"dtype": "F32", "shape": [16, 7], "data_offsets": [0, 448]}, ...}
static json_t *describe(const json_t *parameters)
{
  json_t *header = json_object(), *parameter;
  size_t k, offset = 0;
  const char *dtype = sizeof(hg_real) == sizeof(double) ? "F64" : "F32";
  json_object_set_new(header, "__metadata__", json_pack("{s:s}", "format", "pt"));
  json_array_foreach(parameters, k, parameter)
  {
    json_int_t rows = json_integer_value(json_object_get(parameter, "rows"));
    json_int_t cols = json_integer_value(json_object_get(parameter, "cols"));
    size_t end = offset + (size_t)(rows * cols) * sizeof(hg_real);
    json_t *shape = is_vector(json_string_value(json_object_get(parameter, "name"))) ? json_pack("[I]", cols)
                                                                                     : json_pack("[I, I]", rows, cols);
    json_object_set_new(header, json_string_value(json_object_get(parameter, "name")),
                        json_pack("{s:s, s:o, s:[I, I]}", "dtype", dtype, "shape", shape, "data_offsets",
                                  (json_int_t)offset, (json_int_t)end));
    offset = end;
  }
  return header;
}

static hg_status check_parameters(const json_t *parameters, hg_off expected, const char *path)
{
  const json_t *parameter;
  size_t k;
  json_int_t found = 0;
  json_array_foreach(parameters, k, parameter)
  {
    json_int_t rows = json_integer_value(json_object_get(parameter, "rows"));
    json_int_t cols = json_integer_value(json_object_get(parameter, "cols"));
    if (!json_is_string(json_object_get(parameter, "name")) || rows < 1 || cols < 1 || rows > expected ||
        cols > expected / rows || (is_vector(json_string_value(json_object_get(parameter, "name"))) && rows != 1))
      return hg_fail(HG_ERR_INPUT, "%s: attribute model: parameter %zu has no name or no shape", path, k);
    found += rows * cols;
  }
  if (found == expected) return HG_OK;
  return hg_fail(HG_ERR_INPUT, "%s: found %lld parameters in the description, expected %lld", path, (long long)found,
                 (long long)expected);
}

static hg_status write_file(const char *temporary, const char *header, const hg_checkpoint *c)
{
  size_t length = strlen(header), padded = (length + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
  unsigned char size[8];
  for (int k = 0; k < 8; k++) size[k] = (unsigned char)((uint64_t)padded >> 8 * k);
  FILE *out = fopen(temporary, "wb");
  if (!out) return hg_fail(HG_ERR_IO, "%s: cannot write: %s", temporary, strerror(errno));
  bool ok = fwrite(size, sizeof size, 1, out) == 1;
  ok = ok && fprintf(out, "%-*s", (int)padded, header) == (int)padded;
  ok = ok && fwrite(c->parameters, sizeof(hg_real), (size_t)c->n_parameters, out) == (size_t)c->n_parameters;
  if (fclose(out) != 0) ok = false;
  return ok ? HG_OK : hg_fail(HG_ERR_IO, "%s: cannot write: %s", temporary, strerror(errno));
}

hg_status hg_export_safetensors(const char *checkpoint_path, const char *path)
{
  hg_checkpoint checkpoint = {0};
  hg_new_file file = {0};
  json_t *model = NULL, *header = NULL;
  char *text = NULL;
  hg_status rc = HG_OK;
  HG_TRY(hg_checkpoint_read(&checkpoint, checkpoint_path));
  model = json_loads(checkpoint.model, 0, NULL);
  HG_TRY(check_parameters(json_object_get(model, "parameters"), checkpoint.n_parameters, checkpoint_path));
  header = describe(json_object_get(model, "parameters"));
  text = json_dumps(header, JSON_COMPACT);
  HG_TRY(text ? HG_OK : hg_fail(HG_ERR_MEMORY, "out of memory for the header of %s", path));
  HG_TRY(hg_new_file_begin(&file, path));
  HG_TRY(write_file(file.temporary, text, &checkpoint));
  HG_TRY(hg_new_file_commit(&file));
done:
  hg_new_file_abandon(&file);
  hg_checkpoint_free(&checkpoint);
  json_decref(model);
  json_decref(header);
  free(text); // allow(malloc): jansson's
  return rc;
}
