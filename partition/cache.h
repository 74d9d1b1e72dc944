#pragma once
#include "partition/partitioner.h"

/**
 * Partitions the graph file and writes the parts file: read, partition, build, permute, measure, store. Used by `halognn partition` and by
 * training when the parts for P ranks are missing.
 * @param report   NULL, or receives lines for a person (METIS's figures, repairs)
 */
hg_status hg_partition_file(const char *graph_path, int k, const hg_partition_options *options, const char *parts_path);

/** Where the parts file for (graph file, k, options) is kept: GRAPH.parts/k4-metis-volume-....hg beside the graph. */
hg_status hg_parts_cache_path(const char *graph_path, int k, const hg_partition_options *options, char *path,
                              size_t size);

/** Whether `parts_path` exists and was made from this very graph with these options. Never fails on a damaged file: then it is false. */
bool hg_parts_cache_valid(const char *parts_path, const char *graph_path, int k, const hg_partition_options *options);
