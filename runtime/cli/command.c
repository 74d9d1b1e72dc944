#include "runtime/cli/command.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/suggest.h"

static bool help_is_mute;

void hg_command_mute_help(bool mute) { help_is_mute = mute; }

int hg_command_number(const char *option, const char *text, int low, int high, int *number)
{
  char *end;
  errno = 0;
  long n = strtol(text, &end, 10);
  if (*end || end == text || errno || n < low || n > high)
    return hg_command_error("%s: found '%s', expected a whole number from %d to %d", option, text, low, high);
  *number = (int)n;
  return 0;
}

int hg_command_error(const char *fmt, ...)
{
  char text[512];
  va_list ap;
  va_start(ap, fmt);
  vsnprintf(text, sizeof text, fmt, ap);
  va_end(ap);
  (void)hg_fail(HG_ERR_INPUT, "%s", text);
  return EINVAL;
}

// What argp and getopt would print themselves we say in our form, through main.
typedef struct {
  void *input;
  int at; // index in argv past the word that argp could not take
  bool helped;
} parse;

enum { KEY_HELP = '?', MOST_OPTIONS = 64 };

static error_t on_option(int key, char *arg, struct argp_state *state)
{
  (void)arg;
  parse *p = state->input;
  switch (key) {
  case ARGP_KEY_INIT:
    state->child_inputs[0] = p->input;
    return 0;
  case KEY_HELP:
    if (!help_is_mute) argp_help(state->root_argp, stdout, ARGP_HELP_STD_HELP, state->name);
    p->helped = true;
    return ECANCELED;
  case ARGP_KEY_ERROR:
    p->at = state->next;
    return 0;
  default:
    return ARGP_ERR_UNKNOWN;
  }
}

// why argp could not take `word`: "--name" or "--name=value"
static hg_status complain(const struct argp *argp, const char *word)
{
  const char *names[MOST_OPTIONS + 1];
  char name[64];
  int n = 0;
  snprintf(name, sizeof name, "%.*s", (int)strcspn(word + 2, "="), word + 2);
  for (const struct argp_option *o = argp->options; o && (o->name || o->doc) && n < MOST_OPTIONS; o++) {
    if (!o->name) continue;
    if (strcmp(o->name, name) == 0)
      return o->arg ? hg_fail(HG_ERR_INPUT, "option --%s needs a value: --%s=%s", name, name, o->arg)
                    : hg_fail(HG_ERR_INPUT, "option --%s takes no value, found '%s'", name, word);
    names[n++] = o->name;
  }
  names[n] = NULL;
  const char *near = hg_suggest(name, names);
  return hg_fail(HG_ERR_INPUT, "unknown option '%s'%s%s%s", word, near ? ", did you mean --" : "", near ? near : "",
                 near ? "?" : "");
}

static hg_status explain(const struct argp *argp, const parse *p, int argc, char **argv)
{
  const char *word = p->at > 1 && p->at <= argc ? argv[p->at - 1] : "";
  if (hg_error_text()[0] == '\0') {
    if (strncmp(word, "--", 2) == 0)
      (void)complain(argp, word);
    else
      (void)hg_fail(HG_ERR_INPUT, "cannot understand '%s', or its value is missing", word);
  }
  return hg_fail(HG_ERR_INPUT, "%s; see `%s --help`", hg_error_text(), argv[0]);
}

hg_status hg_command_parse(const struct argp *argp, int argc, char **argv, void *input, bool *helped)
{
  const struct argp_child children[] = {{argp, 0, NULL, 0}, {0}};
  const struct argp_option options[] = {{"help", KEY_HELP, NULL, 0, "give this help list", -1}, {0}};
  const struct argp outer = {options, on_option, NULL, NULL, children, NULL, NULL};
  parse p = {.input = input};
  (void)hg_fail(HG_OK, "%s", "");
  error_t error = argp_parse(&outer, argc, argv, ARGP_NO_HELP | ARGP_NO_EXIT | ARGP_NO_ERRS, NULL, &p);
  *helped = p.helped;
  return p.helped || !error ? HG_OK : explain(argp, &p, argc, argv);
}
