#pragma once
#include <stddef.h>

#include "core/base/types.h"

/**
 * The largest |a - b| / max(1, |a|, |b|) over n numbers is at most `tolerance`; otherwise fails the Criterion test and
 * says where.
 */
void expect_close(const hg_real *a, const hg_real *b, hg_off n, double tolerance, const char *what);
