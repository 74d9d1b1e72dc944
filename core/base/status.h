#pragma once
#include <stdbool.h>

/** What a function that can fail returns. Anything but HG_OK comes with a message in hg_error_text(). */
typedef enum {
  HG_OK = 0,
  HG_ERR_INPUT,    ///< the user's file, key or argument is wrong: exit status 2
  HG_ERR_IO,       ///< the system refused: open, read, write, disk full
  HG_ERR_MEMORY,   ///< an allocation failed
  HG_ERR_NUMERIC,  ///< the loss is not a number any more
  HG_ERR_INTERNAL, ///< a bug of ours
  HG_STOPPED,      ///< a signal ended the run after its checkpoint: exit status 75
} hg_status;

/**
 * Sets this thread's message and returns `code`. `fmt` names the file, line or key, what was found, what was expected.
 */
hg_status hg_fail(hg_status code, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/** Puts "context: " before this thread's message and returns `code`; does nothing on HG_OK. */
hg_status hg_context(hg_status code, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/** This thread's last message; never NULL; valid until the next failure on this thread. */
const char *hg_error_text(void);

/** The exit status of a command that ended with `code`: 0, 1, 2 for HG_ERR_INPUT, 75 for HG_STOPPED. */
int hg_exit_status(hg_status code);

/**
 * Leaves through the label `done` when `call` fails. The function declares `hg_status rc = HG_OK;` and frees at
 * `done:`.
 */
#define HG_TRY(call)                       \
  do {                                     \
    if ((rc = (call)) != HG_OK) goto done; \
  } while (0)
