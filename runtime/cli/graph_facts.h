#pragma once
#include "core/graph/store.h"

/** What `halognn info` counts by reading a graph or parts file to its end, which also checks it. */
typedef struct {
  hg_off degree_min, degree_max;
  double degree_mean;
  hg_off isolated;   ///< nodes without any edge, in or out
  hg_off unlabelled; ///< nodes of unknown class or with an unknown target
} hg_graph_facts;

/** The least, mean and largest of something over the graphs of a collection. */
typedef struct {
  hg_off min, max;
  double mean;
} hg_spread;

/** As hg_graph_facts, of a collection file. */
typedef struct {
  hg_graph_facts united;  ///< all nodes; `unlabelled` counts graphs
  hg_spread nodes, edges; ///< a graph
} hg_collection_facts;

/** Reads the whole collection. */
hg_status hg_collection_facts_read(const char *path, hg_collection_facts *facts);

/** Reads the file in blocks of rows. Memory: a block of some 64 MiB, and a byte a node. */
hg_status hg_graph_facts_read(const char *path, const hg_store_header *header, hg_graph_facts *facts);
