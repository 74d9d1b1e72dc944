#include "core/base/status.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static _Thread_local char text[1024] = "no error";

hg_status hg_fail(hg_status code, const char *fmt, ...)
{
  char now[sizeof text]; // an argument may be the old text itself
  va_list ap;
  va_start(ap, fmt);
  vsnprintf(now, sizeof now, fmt, ap);
  va_end(ap);
  memcpy(text, now, sizeof text);
  return code;
}

hg_status hg_context(hg_status code, const char *fmt, ...)
{
  if (code == HG_OK) return code;
  char old[sizeof text];
  memcpy(old, text, sizeof text);
  va_list ap;
  va_start(ap, fmt);
  int n = vsnprintf(text, sizeof text, fmt, ap);
  va_end(ap);
  if (n >= 0 && (size_t)n < sizeof text) snprintf(text + n, sizeof text - (size_t)n, ": %s", old);
  return code;
}

const char *hg_error_text(void) { return text; }

int hg_exit_status(hg_status code)
{
  switch (code) {
  case HG_OK:
    return 0;
  case HG_ERR_INPUT:
    return 2;
  case HG_STOPPED:
    return 75;
  default:
    return 1;
  }
}
