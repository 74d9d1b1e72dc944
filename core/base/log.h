#pragma once
#include <stdio.h>

typedef enum { HG_LOG_ERROR, HG_LOG_WARN, HG_LOG_INFO, HG_LOG_DEBUG } hg_log_level;

/**
 * Where this process's log lines go. Until called: warnings and errors to standard error.
 * @param level   lines above it are kept from standard error
 * @param file    takes every line, with a time stamp; borrowed, NULL for none
 */
void hg_log_set(hg_log_level level, FILE *file);

/** Writes one line to standard error ("halognn: ...") and to the log file. */
void hg_log(hg_log_level level, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
