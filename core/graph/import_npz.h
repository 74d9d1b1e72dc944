#pragma once
#include "core/graph/import.h"
#include "core/graph/npz.h"

/** The npz reader on an archive that is open already, also one in memory. As hg_import_format's `read`. */
hg_status hg_import_npz_archive(hg_graph *graph, hg_npz *npz, const hg_import_options *options,
                                hg_import_report *report);
