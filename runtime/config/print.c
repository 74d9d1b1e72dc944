#include <ctype.h>
#include <string.h>
#include <strings.h>
#include <yaml.h>

#include "runtime/config/text.h"
#include "runtime/config/value.h"

// Whether every reader of YAML takes the bare text for text: starts with a letter, plain characters, no reserved word
static bool is_plain_word(const char *text)
{
  static const char *const reserved[] = {"true", "false", "yes", "no", "on", "off", "null", "y", "n"};
  for (size_t w = 0; w < sizeof reserved / sizeof *reserved; w++)
    if (strcasecmp(text, reserved[w]) == 0) return false;
  if (!isalpha((unsigned char)text[0])) return false;
  for (const char *p = text; *p; p++)
    if (!isalnum((unsigned char)*p) && !strchr("_-./+", *p)) return false;
  return true;
}

// libyaml frees the event in every case; false: out of memory
static bool emit(yaml_emitter_t *emitter, yaml_event_t *event, int made)
{
  return made && yaml_emitter_emit(emitter, event);
}

static bool scalar(yaml_emitter_t *emitter, const char *text, bool quoted)
{
  yaml_event_t e;
  yaml_scalar_style_t style = quoted ? YAML_DOUBLE_QUOTED_SCALAR_STYLE : YAML_PLAIN_SCALAR_STYLE;
  return emit(emitter, &e,
              yaml_scalar_event_initialize(&e, NULL, NULL, (const yaml_char_t *)text, (int)strlen(text), !quoted,
                                           quoted, style));
}

static bool begin_map(yaml_emitter_t *emitter)
{
  yaml_event_t e;
  return emit(emitter, &e, yaml_mapping_start_event_initialize(&e, NULL, NULL, 1, YAML_BLOCK_MAPPING_STYLE));
}

static bool end_map(yaml_emitter_t *emitter)
{
  yaml_event_t e;
  return emit(emitter, &e, yaml_mapping_end_event_initialize(&e));
}

static bool flags(yaml_emitter_t *emitter, const hg_key *key, int bits)
{
  yaml_event_t e;
  bool ok = emit(emitter, &e, yaml_sequence_start_event_initialize(&e, NULL, NULL, 1, YAML_FLOW_SEQUENCE_STYLE));
  for (int w = 0; key->choices[w] && ok; w++)
    if (bits & (1 << w)) ok = scalar(emitter, key->choices[w], false);
  return ok && emit(emitter, &e, yaml_sequence_end_event_initialize(&e));
}

static bool key_and_value(yaml_emitter_t *emitter, const hg_config *config, const hg_key *key)
{
  char text[HG_PATH_MAX];
  if (!scalar(emitter, hg_key_leaf(key), false)) return false;
  if (key->type == HG_KEY_FLAGS) return flags(emitter, key, hg_value_flags(config, key));
  hg_value_text(config, key, text, sizeof text);
  return scalar(emitter, text, key->type == HG_KEY_TEXT && !is_plain_word(text));
}

static bool all_keys(yaml_emitter_t *emitter, const hg_config *config)
{
  bool ok = begin_map(emitter), in_section = false;
  for (const hg_key *key = hg_keys; key < hg_keys + HG_KEY_COUNT && ok; key++) {
    if (key->type == HG_KEY_SECTION) {
      ok = (!in_section || end_map(emitter)) && scalar(emitter, key->name, false) && begin_map(emitter);
      in_section = true;
    } else
      ok = key_and_value(emitter, config, key);
  }
  return ok && (!in_section || end_map(emitter)) && end_map(emitter);
}

static bool document(yaml_emitter_t *emitter, const hg_config *config)
{
  yaml_event_t e;
  return emit(emitter, &e, yaml_stream_start_event_initialize(&e, YAML_UTF8_ENCODING)) &&
         emit(emitter, &e, yaml_document_start_event_initialize(&e, NULL, NULL, NULL, 1)) &&
         all_keys(emitter, config) && emit(emitter, &e, yaml_document_end_event_initialize(&e, 1)) &&
         emit(emitter, &e, yaml_stream_end_event_initialize(&e));
}

hg_status hg_config_print(const hg_config *config, char **yaml)
{
  *yaml = NULL;
  hg_text out;
  yaml_emitter_t emitter;
  hg_status rc = hg_text_begin(&out);
  if (rc != HG_OK) return rc;
  if (!yaml_emitter_initialize(&emitter)) {
    (void)hg_text_end(&out, NULL);
    return hg_fail(HG_ERR_MEMORY, "out of memory");
  }
  yaml_emitter_set_output_file(&emitter, out.file);
  yaml_emitter_set_unicode(&emitter, 1);
  yaml_emitter_set_width(&emitter, -1);
  bool ok = document(&emitter, config);
  if (!ok)
    rc = hg_fail(HG_ERR_INTERNAL, "cannot print the config: %s", emitter.problem ? emitter.problem : "no memory");
  yaml_emitter_delete(&emitter);
  hg_status ended = hg_text_end(&out, ok ? yaml : NULL);
  return rc != HG_OK ? rc : ended;
}
