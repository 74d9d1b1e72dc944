#pragma once
#include <stdbool.h>

#include "core/base/types.h"

/** A text file, plain or gzip, read line by line; fields are separated by commas, semicolons, spaces or tabs. */
typedef struct {
  void *file;       ///< gzFile
  const char *path; ///< borrowed
  hg_off number;    ///< of the last line, from 1
  char *buffer;     ///< [capacity]
  hg_off capacity, start, end;
  bool at_end;
} hg_text;

/** HG_ERR_INPUT when it cannot be opened. */
hg_status hg_text_open(hg_text *text, const char *path);
void hg_text_close(hg_text *text);

/**
 * The next line without its end, or *line = NULL at the end of the file; valid and writable until the next call.
 * HG_ERR_INPUT: damaged or truncated gzip, a NUL byte (no text), a line of more than 256 MiB.
 */
hg_status hg_text_line(hg_text *text, char **line);

/** As hg_text_line, but empty lines and those that begin with # or % are passed over. */
hg_status hg_text_data_line(hg_text *text, char **line);

/**
 * The next field of the line, from *cursor on, which moves behind it. HG_ERR_INPUT names file, line, what was found
 * and `what`.
 */
hg_status hg_text_int(const hg_text *text, char **cursor, int64_t *value, const char *what);

/** As hg_text_int; an empty field between two commas is NaN, as are nan and NA. Not finite otherwise only for inf. */
hg_status hg_text_float(const hg_text *text, char **cursor, float *value, const char *what);

/** The next field as a word that ends with NUL, or NULL at the end of the line. */
char *hg_text_word(char **cursor);

/** Whether nothing but separators is left. */
bool hg_text_is_end(const char *cursor);

/** Fields in the line (an empty field between two commas counts). */
int hg_text_fields(const char *line);

/** hg_fail with "path: line n: " in front. */
hg_status hg_text_fail(const hg_text *text, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
