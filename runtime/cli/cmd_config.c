#include <stdio.h>

#include "core/base/alloc.h"
#include "runtime/cli/command.h"
#include "runtime/config/config.h"

enum { OVERRIDES_MAX = 64, KEY_SET = 300, KEY_SCHEMA, KEY_MARKDOWN };

typedef struct {
  const char *path;
  const char *overrides[OVERRIDES_MAX];
  int n_overrides;
  bool schema, markdown;
} arguments;

static const struct argp_option options[] = {
    {"set", KEY_SET, "KEY=VALUE", 0, "set a key after reading the file, as in --set train.epochs=100; may be repeated",
     0},
    {"schema", KEY_SCHEMA, NULL, 0, "document every key instead", 0},
    {"markdown", KEY_MARKDOWN, NULL, 0, "with --schema: as Markdown tables", 0},
    {0},
};

static error_t on_option(int key, char *arg, struct argp_state *state)
{
  arguments *a = state->input;
  switch (key) {
  case KEY_SET:
    if (a->n_overrides == OVERRIDES_MAX) return hg_command_error("found more than %d --set", OVERRIDES_MAX);
    a->overrides[a->n_overrides++] = arg;
    return 0;
  case KEY_SCHEMA:
    a->schema = true;
    return 0;
  case KEY_MARKDOWN:
    a->markdown = true;
    return 0;
  case ARGP_KEY_ARG:
    if (a->path) return hg_command_error("found a second config file '%s', expected one", arg);
    a->path = arg;
    return 0;
  case ARGP_KEY_END:
    if (a->markdown && !a->schema) return hg_command_error("--markdown needs --schema");
    if (!a->path && !a->schema) return hg_command_error("no config file given");
    return 0;
  default:
    return ARGP_ERR_UNKNOWN;
  }
}

static const struct argp argp = {options,
                                 on_option,
                                 "CONFIG.yaml\n--schema",
                                 "Checks a config file and prints it resolved: every key with its value.",
                                 NULL,
                                 NULL,
                                 NULL};

static hg_status resolved(const arguments *a, char **text)
{
  hg_status rc = HG_OK;
  hg_config config;
  HG_TRY(hg_config_read(&config, a->path, a->overrides, a->n_overrides));
  HG_TRY(hg_context(hg_config_resolve(&config), "%s", a->path));
  HG_TRY(hg_config_print(&config, text));
done:
  return rc;
}

hg_status hg_cmd_config(int argc, char **argv)
{
  hg_status rc = HG_OK;
  char *text = NULL;
  bool helped = false;
  arguments a = {0};
  HG_TRY(hg_command_parse(&argp, argc, argv, &a, &helped));
  if (helped) return HG_OK;
  if (a.markdown)
    HG_TRY(hg_config_schema_markdown(&text));
  else if (a.schema)
    HG_TRY(hg_config_schema(&text));
  else
    HG_TRY(resolved(&a, &text));
  fputs(text, stdout);
done:
  hg_free(&text);
  return rc;
}
