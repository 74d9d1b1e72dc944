#pragma once
#include "core/graph/store.h"
#include "partition/partitioner.h"

/**
 * Partitions the graph file and writes the parts file: read, partition, build, permute, measure, store. Used by
 * `halognn partition` and by training when the parts for P ranks are missing. The folder of hg_parts_cache_path is made
 * when it is missing. Not for sliced methods (comm/slices.h). Not collective.
 * @param parts_path   where to, tried before the work begins; appears only when complete
 * @return             HG_ERR_INPUT for bad options, a bad graph file or a path that cannot be written; HG_ERR_IO when
 *                     it is the path of the cache that cannot be written: the caller may write elsewhere
 * Memory: the graph and METIS, or the graph and a copy of its edges (hg_partition_predict).
 */
hg_status hg_partition_file(const char *graph_path, int k, const hg_partition_options *options, const char *parts_path);

/** Finds out before the work whether parts can be written there, and makes the cache's folder; fails as that does. */
hg_status hg_parts_try_path(const char *graph_path, int k, const hg_partition_options *options, const char *parts_path);

/** All that decides the parts of a graph: hg_parts_index.recipe. */
void hg_parts_recipe(int k, const hg_partition_options *options, char recipe[sizeof((hg_parts_index *)0)->recipe]);

/** Whether a file of that kind can be partitioned: HG_ERR_INPUT says why not. */
hg_status hg_partition_check_kind(const char *path, hg_store_kind kind);

/**
 * Where the parts file for (graph file, k, options) is kept, in a folder beside the graph: cora.hg, 4 ->
 * cora.parts/k4-metis-volume-refined-nodes-1.05-seed1-auto.hg. Makes nothing. HG_ERR_INPUT when it does
 * not fit `size` bytes.
 */
hg_status hg_parts_cache_path(const char *graph_path, int k, const hg_partition_options *options, char *path,
                              size_t size);

/**
 * Whether `parts_path` exists and was made from this very graph with these options. Never fails on a damaged file: then
 * it is false.
 */
bool hg_parts_cache_valid(const char *parts_path, const char *graph_path, int k, const hg_partition_options *options);
