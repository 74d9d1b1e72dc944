#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <yaml.h>

#include "core/base/alloc.h"
#include "runtime/config/value.h"

enum { BYTES_MAX = 1 << 20, PREFIX_MAX = 512 };

// One pass over libyaml's events: no tree is built, so nothing in a file can make it large
typedef struct {
  yaml_parser_t parser;
  yaml_event_t event; ///< the current one
  const char *file;
  hg_config *config;
  int lines[HG_KEY_COUNT]; ///< where the key was given, 0: not yet
} loader;

static int line_of(const loader *l) { return (int)l->event.start_mark.line + 1; }

static hg_status bad_yaml(const loader *l)
{
  const yaml_parser_t *p = &l->parser;
  if (p->error == YAML_MEMORY_ERROR) return hg_fail(HG_ERR_MEMORY, "%s: out of memory", l->file);
  if (p->error == YAML_READER_ERROR)
    return hg_fail(HG_ERR_INPUT, "%s: byte %zu: found what is no YAML text (%s), expected UTF-8", l->file,
                   p->problem_offset, p->problem);
  return hg_fail(HG_ERR_INPUT, "%s:%zu: found broken YAML (%s), expected `key: value` lines", l->file,
                 p->problem_mark.line + 1, p->problem ? p->problem : "unknown problem");
}

static hg_status next(loader *l)
{
  yaml_event_delete(&l->event);
  if (!yaml_parser_parse(&l->parser, &l->event)) return bad_yaml(l);
  const yaml_event_t *e = &l->event;
  const yaml_char_t *anchor = NULL, *tag = NULL;
  switch (e->type) {
  case YAML_ALIAS_EVENT:
    return hg_fail(HG_ERR_INPUT, "%s:%d: found the alias *%.60s, expected a value written out", l->file, line_of(l),
                   (const char *)e->data.alias.anchor);
  case YAML_SCALAR_EVENT:
    anchor = e->data.scalar.anchor, tag = e->data.scalar.tag;
    break;
  case YAML_MAPPING_START_EVENT:
    anchor = e->data.mapping_start.anchor, tag = e->data.mapping_start.tag;
    break;
  case YAML_SEQUENCE_START_EVENT:
    anchor = e->data.sequence_start.anchor, tag = e->data.sequence_start.tag;
    break;
  default:
    break;
  }
  if (anchor)
    return hg_fail(HG_ERR_INPUT, "%s:%d: found the anchor &%.60s, expected a config without anchors", l->file,
                   line_of(l), (const char *)anchor);
  if (tag)
    return hg_fail(HG_ERR_INPUT, "%s:%d: found the tag %.60s, expected a config without tags", l->file, line_of(l),
                   (const char *)tag);
  return HG_OK;
}

// The scalar's text, NULL when a NUL character within it (as "\0") would cut it short
static const char *scalar_text(const yaml_event_t *event)
{
  const char *text = (const char *)event->data.scalar.value;
  return strlen(text) == event->data.scalar.length ? text : NULL;
}

static const char *event_name(const yaml_event_t *event)
{
  switch (event->type) {
  case YAML_SCALAR_EVENT:
    return "a single value";
  case YAML_MAPPING_START_EVENT:
    return "a map";
  case YAML_SEQUENCE_START_EVENT:
    return "a list";
  default:
    return "nothing";
  }
}

static hg_status wrong_kind(const loader *l, const hg_key *key, const char *where)
{
  char expected[256];
  hg_key_expected(key, expected, sizeof expected);
  const yaml_event_t *e = &l->event;
  const char *found = event_name(e);
  if (e->type == YAML_SCALAR_EVENT && e->data.scalar.plain_implicit && e->data.scalar.length == 0) found = "nothing";
  return hg_fail(HG_ERR_INPUT, "%s: found %s, expected %s", where, found, expected);
}

static hg_status read_flags(loader *l, const hg_key *key, const char *where)
{
  int flags = 0;
  if (l->event.type != YAML_SEQUENCE_START_EVENT) return wrong_kind(l, key, where);
  for (;;) {
    hg_status rc = next(l);
    if (rc != HG_OK) return rc;
    if (l->event.type == YAML_SEQUENCE_END_EVENT) return hg_value_set_flags(l->config, key, flags, where);
    if (l->event.type != YAML_SCALAR_EVENT)
      return hg_fail(HG_ERR_INPUT, "%s: found %s in the list, expected a word", where, event_name(&l->event));
    const char *word = scalar_text(&l->event);
    rc = hg_value_add_flag(&flags, key, word ? word : "\\0", where);
    if (rc != HG_OK) return rc;
  }
}

static hg_status read_value(loader *l, const hg_key *key, const char *where)
{
  if (key->type == HG_KEY_FLAGS) return read_flags(l, key, where);
  if (l->event.type != YAML_SCALAR_EVENT) return wrong_kind(l, key, where);
  const char *text = scalar_text(&l->event);
  if (!text) return hg_fail(HG_ERR_INPUT, "%s: found a NUL character, expected printable text", where);
  hg_value_style style = l->event.data.scalar.plain_implicit ? HG_VALUE_PLAIN : HG_VALUE_QUOTED;
  return hg_value_set(l->config, key, text, style, where);
}

static hg_status unknown_key(const loader *l, const char *name)
{
  const char *near = hg_key_suggest(name);
  return hg_fail(HG_ERR_INPUT, "%s:%d: %s: found an unknown key, %s%s%s", l->file, line_of(l), name,
                 near ? "did you mean " : "expected one that `halognn config --schema` lists", near ? near : "",
                 near ? "?" : "");
}

// The current event is a key of the map of `section` (NULL: the whole file's)
static hg_status find_key(loader *l, const hg_key *section, const hg_key **key)
{
  enum { LONGEST = 100 };
  char name[2 * LONGEST + 2];
  if (l->event.type != YAML_SCALAR_EVENT)
    return hg_fail(HG_ERR_INPUT, "%s:%d: found %s as a key, expected a name", l->file, line_of(l),
                   event_name(&l->event));
  const char *text = scalar_text(&l->event);
  if (!text || strlen(text) > LONGEST)
    return hg_fail(HG_ERR_INPUT, "%s:%d: found a key of %zu bytes, expected one that `halognn config --schema` lists",
                   l->file, line_of(l), l->event.data.scalar.length);
  if (strchr(text, '.'))
    return hg_fail(HG_ERR_INPUT, "%s:%d: found the key '%s', expected nested maps without dots: `train: {epochs: 200}`",
                   l->file, line_of(l), text);
  snprintf(name, sizeof name, "%s%s%s", section ? section->name : "", section ? "." : "", text);
  *key = hg_key_find(name);
  if (!*key) return unknown_key(l, name);
  int *line = &l->lines[*key - hg_keys];
  if (*line)
    return hg_fail(HG_ERR_INPUT, "%s:%d: %s: found the key again, expected it once (line %d)", l->file, line_of(l),
                   name, *line);
  *line = line_of(l);
  return HG_OK;
}

// The current event begins the value of `key`, which stands in line `line`
static hg_status read_key(loader *l, const hg_key *key, int line)
{
  char where[PREFIX_MAX];
  snprintf(where, sizeof where, "%s:%d: %s", l->file, line, key->name);
  return read_value(l, key, where);
}

// Keys and values up to the end of the current map, whose start has been read; sections do not nest
static hg_status read_section(loader *l, const hg_key *section)
{
  hg_status rc = HG_OK;
  const hg_key *key = NULL;
  for (;;) {
    HG_TRY(next(l));
    if (l->event.type == YAML_MAPPING_END_EVENT) break;
    HG_TRY(find_key(l, section, &key));
    int line = line_of(l);
    HG_TRY(next(l));
    HG_TRY(read_key(l, key, line));
  }
done:
  return rc;
}

static hg_status read_top(loader *l)
{
  hg_status rc = HG_OK;
  const hg_key *key = NULL;
  for (;;) {
    HG_TRY(next(l));
    if (l->event.type == YAML_MAPPING_END_EVENT) break;
    HG_TRY(find_key(l, NULL, &key));
    int line = line_of(l);
    HG_TRY(next(l));
    if (key->type == HG_KEY_SECTION && l->event.type == YAML_MAPPING_START_EVENT)
      HG_TRY(read_section(l, key));
    else if (key->type == HG_KEY_SECTION) {
      char where[PREFIX_MAX];
      snprintf(where, sizeof where, "%s:%d: %s", l->file, line, key->name);
      HG_TRY(wrong_kind(l, key, where));
    } else
      HG_TRY(read_key(l, key, line));
  }
done:
  return rc;
}

static hg_status read_stream(loader *l)
{
  hg_status rc = HG_OK;
  HG_TRY(next(l)); // the stream's start
  HG_TRY(next(l));
  if (l->event.type == YAML_STREAM_END_EVENT)
    HG_TRY(hg_fail(HG_ERR_INPUT, "%s: found an empty file, expected `key: value` lines", l->file));
  HG_TRY(next(l));
  if (l->event.type != YAML_MAPPING_START_EVENT)
    HG_TRY(hg_fail(HG_ERR_INPUT, "%s:%d: found %s, expected `key: value` lines", l->file, line_of(l),
                   event_name(&l->event)));
  HG_TRY(read_top(l));
  HG_TRY(next(l)); // the document's end
  HG_TRY(next(l));
  if (l->event.type != YAML_STREAM_END_EVENT)
    HG_TRY(hg_fail(HG_ERR_INPUT, "%s:%d: found a second document, expected one", l->file, line_of(l)));
done:
  return rc;
}

hg_status hg_config_parse(hg_config *config, const char *text, size_t length, const char *name)
{
  if (length > BYTES_MAX)
    return hg_fail(HG_ERR_INPUT, "%s: found more than %d bytes, expected a config file", name, BYTES_MAX);
  hg_config read = *config;
  loader l = {.file = name, .config = &read};
  if (!yaml_parser_initialize(&l.parser)) return hg_fail(HG_ERR_MEMORY, "%s: out of memory", name);
  yaml_parser_set_input_string(&l.parser, (const unsigned char *)text, length);
  hg_status rc = read_stream(&l);
  yaml_event_delete(&l.event);
  yaml_parser_delete(&l.parser);
  if (rc == HG_OK) *config = read;
  return rc;
}

// "configs/cora_gcn.yaml" -> "cora_gcn"
static void name_after_file(hg_config *config, const char *path)
{
  const char *slash = strrchr(path, '/'), *start = slash ? slash + 1 : path, *dot = strrchr(start, '.');
  int length = dot && dot > start ? (int)(dot - start) : (int)strlen(start);
  if (config->name[0] == '\0' && length < HG_NAME_MAX)
    snprintf(config->name, sizeof config->name, "%.*s", length, start);
}

hg_status hg_config_load(hg_config *config, const char *path)
{
  hg_status rc = HG_OK;
  char *text = NULL;
  FILE *file = fopen(path, "rb");
  if (!file) return hg_fail(HG_ERR_INPUT, "%s: cannot open the config: %s", path, strerror(errno));
  HG_TRY(HG_ALLOC(text, BYTES_MAX + 1, "config file"));
  size_t length = fread(text, 1, BYTES_MAX + 1, file);
  if (ferror(file)) HG_TRY(hg_fail(HG_ERR_INPUT, "%s: cannot read the config: %s", path, strerror(errno)));
  HG_TRY(hg_config_parse(config, text, length, path));
  name_after_file(config, path);
done:
  hg_free(&text);
  fclose(file);
  return rc;
}
