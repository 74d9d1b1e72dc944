#pragma once
#include <stdio.h>

typedef enum { HG_LOG_ERROR, HG_LOG_WARN, HG_LOG_INFO, HG_LOG_DEBUG } hg_log_level;

/** Lines above `level` do not go to standard error. At first: HG_LOG_WARN. */
void hg_log_set_level(hg_log_level level);

/** All lines also go to `file`, with a time stamp; borrowed, NULL for none. */
void hg_log_set_file(FILE *file);

/** Writes one line to standard error ("halognn: ...") and to the log file. */
void hg_log(hg_log_level level, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
