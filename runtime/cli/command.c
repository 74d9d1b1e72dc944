#include "runtime/cli/command.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool help_is_mute;

void hg_command_mute_help(void) { help_is_mute = true; }

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

// argp writes its complaint to a stream: into memory, so that main prints it once and in our form
typedef struct {
  void *input;
  FILE *complaints;
  bool helped;
} parse;

enum { KEY_HELP = '?' };

static error_t on_option(int key, char *arg, struct argp_state *state)
{
  (void)arg;
  parse *p = state->input;
  switch (key) {
  case ARGP_KEY_INIT:
    state->err_stream = p->complaints;
    state->child_inputs[0] = p->input;
    return 0;
  case KEY_HELP:
    if (!help_is_mute) argp_state_help(state, stdout, ARGP_HELP_STD_HELP & ~(unsigned)ARGP_HELP_EXIT_OK);
    p->helped = true;
    return ECANCELED;
  default:
    return ARGP_ERR_UNKNOWN;
  }
}

// "halognn import: unrecognized option '--x'\nTry ..." -> the first line without the program's name
static hg_status complaint(char *text, const char *command)
{
  char *end = strchr(text, '\n');
  if (end) *end = '\0';
  const char *start = strstr(text, ": ");
  return hg_fail(HG_ERR_INPUT, "%s; see `%s --help`", start ? start + 2 : text, command);
}

hg_status hg_command_parse(const struct argp *argp, int argc, char **argv, void *input, bool *helped)
{
  const struct argp_child children[] = {{argp, 0, NULL, 0}, {0}};
  const struct argp_option options[] = {{"help", KEY_HELP, NULL, 0, "give this help list", -1}, {0}};
  const struct argp outer = {options, on_option, NULL, NULL, children, NULL, NULL};
  char *text = NULL;
  size_t size = 0;
  parse p = {.input = input, .complaints = open_memstream(&text, &size)};
  if (!p.complaints) return hg_fail(HG_ERR_MEMORY, "out of memory");
  (void)hg_fail(HG_OK, "%s", "");
  error_t error = argp_parse(&outer, argc, argv, ARGP_NO_HELP | ARGP_NO_EXIT, NULL, &p);
  fclose(p.complaints);
  *helped = p.helped;
  hg_status rc = HG_OK;
  if (!p.helped && size > 0)
    rc = complaint(text, argv[0]);
  else if (!p.helped && error)
    rc = hg_fail(HG_ERR_INPUT, "%s; see `%s --help`", hg_error_text(), argv[0]);
  free(text); // allow(malloc): open_memstream took it
  return rc;
}
