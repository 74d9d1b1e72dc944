#include <stdio.h>
#include <string.h>

#include "runtime/config/value.h"

// "[nodes, edges]" or "nodes,edges"
static hg_status set_flags(hg_config *config, const hg_key *key, const char *value, const char *where)
{
  char list[256];
  int flags = 0;
  if (snprintf(list, sizeof list, "%s", value) >= (int)sizeof list) return hg_value_wrong(key, value, where);
  size_t length = strlen(list);
  char *words = list, *rest = NULL;
  if (length >= 2 && list[0] == '[' && list[length - 1] == ']') {
    list[length - 1] = '\0';
    words++;
  }
  for (char *word = strtok_r(words, ", ", &rest); word; word = strtok_r(NULL, ", ", &rest)) {
    hg_status rc = hg_value_add_flag(&flags, key, word, where);
    if (rc != HG_OK) return rc;
  }
  return hg_value_set_flags(config, key, flags, where);
}

hg_status hg_config_override(hg_config *config, const char *assignment)
{
  enum { LONGEST = 100 };
  char name[LONGEST + 1], where[LONGEST + 16];
  const char *equals = strchr(assignment, '=');
  if (!equals)
    return hg_fail(HG_ERR_INPUT, "--set %.100s: found no '=', expected KEY=VALUE as in train.epochs=100", assignment);
  size_t length = (size_t)(equals - assignment);
  if (length > LONGEST) return hg_fail(HG_ERR_INPUT, "--set %.100s...: found a key of %zu bytes", assignment, length);
  memcpy(name, assignment, length);
  name[length] = '\0';
  snprintf(where, sizeof where, "--set %s", name);
  const hg_key *key = hg_key_find(name);
  if (!key) {
    const char *near = hg_key_suggest(name);
    return hg_fail(HG_ERR_INPUT, "%s: found an unknown key, %s%s%s", where,
                   near ? "did you mean " : "expected one that `halognn config --schema` lists", near ? near : "",
                   near ? "?" : "");
  }
  if (key->type == HG_KEY_SECTION)
    return hg_fail(HG_ERR_INPUT, "%s: found a section, expected one of its keys: %s.KEY=VALUE", where, name);
  if (key->type == HG_KEY_FLAGS) return set_flags(config, key, equals + 1, where);
  hg_value_style style = key->type == HG_KEY_TEXT ? HG_VALUE_QUOTED : HG_VALUE_PLAIN;
  return hg_value_set(config, key, equals + 1, style, where);
}

hg_status hg_config_read(hg_config *config, const char *path, const char *const *overrides, int n_overrides)
{
  *config = hg_config_default();
  hg_status rc = hg_config_load(config, path);
  for (int k = 0; rc == HG_OK && k < n_overrides; k++) rc = hg_config_override(config, overrides[k]);
  return rc;
}
