#pragma once
#include "core/graph/store.h"
#include "core/graph/store_h5.h"

/* What store.c and store_parts.c share: the common head of our files, and writing the graph that both kinds hold. */

enum { HG_STORE_VERSION = 1 };

/** Kind and version of an open file. */
hg_status hg_store_check_head(const hg_h5 *file, hg_store_kind *kind);

/** Everything of a graph into a new file that calls itself `format`. */
hg_status hg_store_put_graph(const hg_h5 *file, const char *format, const hg_graph *graph, uint64_t fingerprint,
                             const char *creator);
