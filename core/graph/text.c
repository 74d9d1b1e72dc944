#include "core/graph/text.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <zlib.h>

#include "core/base/alloc.h"

enum { FIRST_CAPACITY = 1 << 18, MAX_LINE = 1 << 28 };

hg_status hg_text_open(hg_text *t, const char *path)
{
  struct stat info;
  *t = (hg_text){.path = path};
  if (stat(path, &info) == 0 && S_ISDIR(info.st_mode))
    return hg_fail(HG_ERR_INPUT, "%s: found a folder, expected a file", path);
  t->file = gzopen(path, "rb");
  if (!t->file) return hg_fail(HG_ERR_INPUT, "%s: cannot open: %s", path, errno ? strerror(errno) : "out of memory");
  gzbuffer(t->file, FIRST_CAPACITY);
  hg_status rc = hg_grow(&t->buffer, &t->capacity, FIRST_CAPACITY, 1, "text buffer");
  if (rc != HG_OK) hg_text_close(t);
  return rc;
}

void hg_text_close(hg_text *t)
{
  if (t->file) gzclose(t->file);
  t->file = NULL;
  hg_free(&t->buffer);
}

hg_status hg_text_fail(const hg_text *t, const char *fmt, ...)
{
  char text[700];
  va_list ap;
  va_start(ap, fmt);
  vsnprintf(text, sizeof text, fmt, ap);
  va_end(ap);
  return hg_fail(HG_ERR_INPUT, "%s: line %" PRId64 ": %s", t->path, t->number, text);
}

// Moves the unread rest to the front and reads behind it; at_end when the file gives no more.
static hg_status refill(hg_text *t)
{
  hg_off rest = t->end - t->start;
  if (rest > 0) memmove(t->buffer, t->buffer + t->start, (size_t)rest);
  t->start = 0;
  t->end = rest;
  if (rest > MAX_LINE) return hg_text_fail(t, "found a line of more than %d bytes", MAX_LINE);
  hg_status rc =
      hg_grow(&t->buffer, &t->capacity, rest + FIRST_CAPACITY / 2 + 1, 1, "text buffer"); // + 1 for the last line's NUL
  if (rc != HG_OK) return rc;
  int got = gzread(t->file, t->buffer + t->end, (unsigned)(t->capacity - t->end - 1));
  int code;
  const char *why = gzerror(t->file, &code);
  if (got < 0 || (code != Z_OK && code != Z_STREAM_END))
    return hg_fail(code == Z_ERRNO ? HG_ERR_IO : HG_ERR_INPUT, "%s: cannot read after line %" PRId64 ": %s", t->path,
                   t->number, code == Z_BUF_ERROR ? "the file is cut short" : why);
  t->at_end = got == 0;
  t->end += got;
  return HG_OK;
}

hg_status hg_text_line(hg_text *t, char **line)
{
  hg_off seen = t->start;
  char *end;
  while (!(end = memchr(t->buffer + seen, '\n', (size_t)(t->end - seen))) && !t->at_end) {
    hg_off length = t->end - t->start;
    hg_status rc = refill(t);
    if (rc != HG_OK) return rc;
    seen = length; // refill moved the line to the front
  }
  *line = NULL;
  if (!end && t->start == t->end) return HG_OK;
  if (!end) end = t->buffer + t->end;
  *line = t->buffer + t->start;
  t->number++;
  if (memchr(*line, '\0', (size_t)(end - *line))) return hg_text_fail(t, "found a zero byte, expected text");
  t->start = end - t->buffer + (end < t->buffer + t->end);
  *end = '\0';
  if (end > *line && end[-1] == '\r') end[-1] = '\0';
  return HG_OK;
}

hg_status hg_text_data_line(hg_text *t, char **line)
{
  hg_status rc;
  while ((rc = hg_text_line(t, line)) == HG_OK && *line) {
    const char *p = *line + strspn(*line, " \t");
    if (*p && *p != '#' && *p != '%') break;
  }
  return rc;
}

static bool is_space(char c) { return c == ' ' || c == '\t'; }
static bool is_separator(char c) { return c == ',' || c == ';'; }

// Behind the field that ends at p: spaces and at most one comma.
static char *after(char *p)
{
  while (is_space(*p)) p++;
  if (is_separator(*p)) p++;
  return p;
}

static hg_status no_number(const hg_text *t, const char *field, const char *what)
{
  int length = (int)strcspn(field, " \t,;");
  if (length == 0) return hg_text_fail(t, "found nothing, expected %s", what);
  return hg_text_fail(t, "found '%.*s', expected %s", length > 40 ? 40 : length, field, what);
}

static bool ends_field(char c) { return c == '\0' || is_space(c) || is_separator(c); }

hg_status hg_text_int(const hg_text *t, char **cursor, int64_t *value, const char *what)
{
  char *p = *cursor, *end;
  while (is_space(*p)) p++;
  errno = 0;
  *value = strtoll(p, &end, 10);
  if (end == p || errno || !ends_field(*end)) return no_number(t, p, what);
  *cursor = after(end);
  return HG_OK;
}

hg_status hg_text_float(const hg_text *t, char **cursor, float *value, const char *what)
{
  char *p = *cursor, *end;
  while (is_space(*p)) p++;
  *value = strtof(p, &end);
  if (end == p && is_separator(*p))
    *value = NAN;
  else if (end == p && strncmp(p, "NA", 2) == 0) {
    *value = NAN;
    end = p + 2;
  } else if (end == p)
    return no_number(t, p, what);
  if (!ends_field(*end)) return no_number(t, p, what);
  *cursor = after(end);
  return HG_OK;
}

char *hg_text_word(char **cursor)
{
  char *p = *cursor;
  while (is_space(*p)) p++;
  if (!*p) return NULL;
  char *end = p;
  while (!ends_field(*end)) end++;
  *cursor = after(end);
  *end = '\0';
  return p;
}

bool hg_text_is_end(const char *cursor)
{
  while (is_space(*cursor)) cursor++;
  return *cursor == '\0';
}

int hg_text_fields(const char *line)
{
  int n = 0;
  const char *p = line;
  while (!hg_text_is_end(p)) {
    while (is_space(*p)) p++;
    while (!ends_field(*p)) p++;
    while (is_space(*p)) p++;
    if (is_separator(*p)) p++;
    n++;
  }
  return n;
}
