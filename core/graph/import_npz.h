#pragma once
#include "core/graph/import.h"
#include "core/graph/npz.h"

/** The npz reader on an archive that is open already, also one in memory. As hg_import_format's `read`. */
hg_status hg_import_npz_archive(hg_imported *out, hg_npz *npz, const hg_import_options *options,
                                hg_import_report *report);

/** Many graphs: node_ptr (or graph_ptr), edge_ptr, edge_index with numbers from 0 in each graph, x, pos, y, *_idx. */
hg_status hg_npz_read_collection(hg_npz *npz, hg_collection *c, const hg_import_options *options,
                                 hg_import_report *report);

/** HG_ERR_INPUT when the array `key` does not have the expected number of elements; `what` says why that many. */
hg_status hg_npz_expect_count(const hg_npz *npz, const char *key, hg_off found, hg_off expected, const char *what);

/** Whether indptr[0 .. n] starts at 0, never falls, and ends at `entries`. */
hg_status hg_npz_check_pointers(const hg_npz *npz, const char *key, const hg_off *indptr, hg_off n, hg_off entries);

/** Whether `pos` may have that many coordinates. */
hg_status hg_npz_check_dims(const hg_npz *npz, hg_off width);

/** train_idx, val_idx and test_idx, as far as they are there. */
hg_status hg_npz_read_splits(hg_npz *npz, hg_nodes *items, const char *noun);
