#pragma once
#include "core/graph/store.h"

/** What `halognn info` counts by reading a graph or parts file to its end, which also checks it. */
typedef struct {
  hg_off degree_min, degree_max;
  double degree_mean;
  hg_off isolated;   ///< nodes without any edge, in or out
  hg_off unlabelled; ///< nodes of unknown class or with an unknown target
} hg_graph_facts;

/** Reads the file in blocks of rows. Memory: a block of some 64 MiB, and a byte a node. */
hg_status hg_graph_facts_read(const char *path, const hg_store_header *header, hg_graph_facts *facts);
