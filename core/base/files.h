#pragma once
#include <stdbool.h>
#include <stddef.h>

#include "core/base/status.h"

/** Makes `path` and its missing parents. HG_ERR_IO names the one that could not be made. */
hg_status hg_make_directories(const char *path);

bool hg_file_exists(const char *path);

/** HG_ERR_INPUT when `output` is the file `input`, also by a link: writing it would lose what was read. */
hg_status hg_files_apart(const char *input, const char *output);

/** A path that is written beside `path` and renamed to it at the end, so that nobody sees half a file. */
typedef struct {
  char path[4096];      ///< where it shall be
  char temporary[4128]; ///< where it is written
} hg_new_file;

/**
 * Chooses the temporary name (process id in it). HG_ERR_INPUT when the folder is missing or not
 * writable, or `path` is no regular file.
 */
hg_status hg_new_file_begin(hg_new_file *file, const char *path);

/** What was written of it so far reaches the disk (fsync): for who wrote a piece of it. HG_ERR_IO. */
hg_status hg_new_file_sync(const hg_new_file *file);

/** Renames it into place after fsync. On failure the temporary file is gone. */
hg_status hg_new_file_commit(hg_new_file *file);

/** Removes the temporary file; does nothing after a commit or on a zeroed struct. */
void hg_new_file_abandon(hg_new_file *file);
