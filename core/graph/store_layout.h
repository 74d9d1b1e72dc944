#pragma once
#include "core/graph/store.h"
#include "core/graph/store_h5.h"

/* What all files of ours share. */

enum { HG_STORE_VERSION = 1 };

/** Numbers of a hg_cover_kind, a row of /parts/covers. */
enum { HG_COVER_NUMBERS = 3 };
_Static_assert(sizeof(hg_cover_kind) == HG_COVER_NUMBERS * sizeof(int32_t), "kinds of covers are written as they are");

/** Kind and version of an open file. */
hg_status hg_store_check_head(const hg_h5 *file, hg_store_kind *kind);

/** What kind of file it is, at its root; creator may be NULL. */
hg_status hg_store_put_head(const hg_h5 *file, const char *format, uint64_t fingerprint, const char *creator);

/** What /labels, which is there, holds. */
hg_status hg_store_put_task(const hg_h5 *file, hg_task task, int n_classes);

/** The group /parts; with halo_ids NULL there is room for them, and nothing in it. */
hg_status hg_store_put_index(const hg_h5 *file, const hg_parts_index *index);
