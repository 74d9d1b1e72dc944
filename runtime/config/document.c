#include <string.h>

#include "runtime/config/text.h"
#include "runtime/config/value.h"

static const char *initial(const hg_key *key) { return key->initial[0] ? key->initial : "empty"; }

// "auto | accuracy | rmse", or what messages say a value must be
static void values(FILE *out, const hg_key *key, const char *between)
{
  char expected[256];
  for (int w = 0; key->choices && key->choices[w]; w++) fprintf(out, "%s%s", w ? between : "", key->choices[w]);
  if (key->choices) return;
  hg_key_expected(key, expected, sizeof expected);
  fputs(expected, out);
}

static void plain(FILE *out, const hg_key *key)
{
  if (key->type == HG_KEY_SECTION) {
    fprintf(out, "\n%s:  (%s)\n", key->name, key->help);
    return;
  }
  const char *indent = strchr(key->name, '.') ? "  " : "";
  fprintf(out, "%s%s: %s\n%s    ", indent, hg_key_leaf(key), initial(key), indent);
  values(out, key, " | ");
  fprintf(out, "%s\n%s    %s\n", key->type == HG_KEY_FLAGS ? ", a list of one or more" : "", indent, key->help);
}

// One table a section; `<` and `|` would be Markdown's, so choices are joined by commas
static void markdown(FILE *out, const hg_key *key)
{
  const char *head = "| Key | Default | Values | Meaning |\n| --- | --- | --- | --- |\n";
  if (key->type == HG_KEY_SECTION) {
    fprintf(out, "\n### %s: %s\n\n%s", key->name, key->help, head);
    return;
  }
  if (key == hg_keys) fputs(head, out);
  fprintf(out, "| `%s` | %s | ", key->name, initial(key));
  values(out, key, ", ");
  fprintf(out, "%s | %s |\n", key->type == HG_KEY_FLAGS ? " (a list of one or more)" : "", key->help);
}

static hg_status all(char **text, void (*describe)(FILE *out, const hg_key *key))
{
  *text = NULL;
  hg_text out;
  hg_status rc = hg_text_begin(&out);
  if (rc != HG_OK) return rc;
  for (int k = 0; k < HG_KEY_COUNT; k++) describe(out.file, &hg_keys[k]);
  return hg_text_end(&out, text);
}

hg_status hg_config_schema(char **text) { return all(text, plain); }

hg_status hg_config_schema_markdown(char **text) { return all(text, markdown); }
