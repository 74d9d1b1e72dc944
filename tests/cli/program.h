#pragma once
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
