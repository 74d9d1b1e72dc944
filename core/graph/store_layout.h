#pragma once
#include "core/graph/store.h"
#include "core/graph/store_h5.h"

/* What all files of ours share. */

enum { HG_STORE_VERSION = 1 };

/** Kind and version of an open file. */
hg_status hg_store_check_head(const hg_h5 *file, hg_store_kind *kind);
