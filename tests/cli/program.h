#pragma once
#include <jansson.h>

#include "tests/support/run.h"

/**
 * `halognn WORDS` in `folder`, WORDS split at spaces; an argument cannot hold one. Environment and time limit as the
 * tests need them, OMP_NUM_THREADS=1.
 */
run_result halognn(const char *folder, const char *words);

/** The same on `ranks` ranks of mpirun. */
run_result halognn_on(const char *folder, int ranks, const char *words);

/** Runs it and fails the Criterion test unless it ends with `status` within the limit; the caller frees. */
run_result expect_status(const char *folder, int ranks, int status, const char *words);

/** expect_status(2 or another), and all of standard error is one line that holds `message`; nothing on output. */
void expect_refusal(const char *folder, int ranks, int status, const char *words, const char *message);

/** The JSON file folder/name; fails the test when it is none. Free with json_decref. */
json_t *load_json(const char *folder, const char *name);

/** A key's number; fails the test where it is none. */
double number_of(const json_t *object, const char *key);

/** Lines of the file folder/name. */
int count_lines(const char *folder, const char *name);

/** Runs a Python program in the folder, which must end well; skips the test where there is no NumPy. */
void python_agrees(const char *folder, const char *program);

/** The scheme called `name` of one number of ranks in what `plan --json` prints; fails the test without it. */
const json_t *scheme(const json_t *ranks, const char *name);
