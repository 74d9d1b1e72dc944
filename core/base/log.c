#include "core/base/log.h"

#include <stdarg.h>
#include <time.h>

static hg_log_level max_level = HG_LOG_WARN;
static FILE *log_file;

void hg_log_set_level(hg_log_level level) { max_level = level; }

void hg_log_set_file(FILE *file) { log_file = file; }

void hg_log(hg_log_level level, const char *fmt, ...)
{
  static const char *const names[] = {"error: ", "warning: ", "", "debug: "};
  char line[1024];
  va_list ap;
  va_start(ap, fmt);
  vsnprintf(line, sizeof line, fmt, ap);
  va_end(ap);
  // on standard error an error looks like those that main prints
  if (level <= max_level) fprintf(stderr, "halognn: %s%s\n", level == HG_LOG_ERROR ? "" : names[level], line);
  if (!log_file) return;
  char stamp[32];
  time_t now = time(NULL);
  struct tm utc;
  gmtime_r(&now, &utc);
  strftime(stamp, sizeof stamp, "%Y-%m-%dT%H:%M:%SZ", &utc);
  fprintf(log_file, "%s %s%s\n", stamp, names[level], line);
  fflush(log_file);
}
