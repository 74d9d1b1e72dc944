#pragma once
#include <stdbool.h>

/** What a program left behind. Free with run_free. */
typedef struct {
  int status;     ///< its exit status; 128 + signal when a signal ended it; 124 when its time was up
  bool timed_out; ///< it was killed, with its children, after `limit_s`
  double seconds; ///< wall time
  char *out;      ///< standard output, NUL-terminated, never NULL
  char *err;      ///< standard error
} run_result;

/**
 * Runs argv[0] (found by PATH) with the NULL-ended `argv`, standard input empty, in a process group of its own; waits
 * for it. Fails the Criterion test when it cannot be started.
 * @param folder   working folder, or NULL for this one
 */
run_result run_in(const char *folder, double limit_s, const char *const *argv);

/** run_in here: run_program(10, HALOGNN, "info", "x.hg", NULL). */
run_result run_program(double limit_s, const char *program, ...) __attribute__((sentinel));

void run_free(run_result *result);

/** The command as one line, for messages; valid until the next call. */
const char *run_command_line(const char *const *argv);

/** A new empty folder under $TMPDIR or /tmp. Free with temporary_folder_remove. */
char *temporary_folder(void);

/** Removes the folder with all that is in it, frees `folder` and sets it to NULL. */
void temporary_folder_remove(char **folder);

/** "folder/name" in one of eight buffers that are used in turn. */
const char *path_in(const char *folder, const char *name);

/** Writes `size` bytes to the file; fails the Criterion test when it cannot. */
void write_file(const char *path, const void *data, unsigned long size);

/** Writes the text `content`, without its NUL. */
void write_text(const char *path, const char *content);

/** $SHARED_DATA/name when it is there; otherwise skips the Criterion test and says why. */
const char *shared_data(const char *name);
