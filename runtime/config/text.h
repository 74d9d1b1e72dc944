#pragma once
#include <stdio.h>

#include "core/base/status.h"

/** Text that grows while it is written to `file`. */
typedef struct {
  FILE *file;
  char *text;
  size_t size;
} hg_text;

hg_status hg_text_begin(hg_text *t);

/** Closes it and gives the text (hg_alloc, the caller frees); out == NULL throws it away. */
hg_status hg_text_end(hg_text *t, char **out);
