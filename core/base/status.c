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
  char context[sizeof text], whole[2 * sizeof text + 2]; // apart: an argument may be the old text itself
  va_list ap;
  va_start(ap, fmt);
  vsnprintf(context, sizeof context, fmt, ap);
  va_end(ap);
  snprintf(whole, sizeof whole, "%s: %s", context, text);
  memcpy(text, whole, sizeof text - 1); // cut, if need be; the last byte stays 0
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
