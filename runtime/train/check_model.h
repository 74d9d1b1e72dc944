#pragma once
#include "core/graph/graph.h"
#include "runtime/config/config.h"

/** Whether the config's layers compute with positions of nodes. */
bool hg_needs_positions(const hg_config *config);

/** Whether halo.aggregation: covers is for the config's layers. */
bool hg_can_cover(const hg_config *config);

/**
 * What such layers need of the data: positions of 1 to HG_GEO_DIMS dimensions, dense features, and not too many gates.
 * HG_ERR_INPUT names the key of the config and the file.
 */
hg_status hg_check_positions(const hg_config *config, const hg_nodes *nodes);

/** What labels as inputs need: one graph, whose nodes have one class each. HG_ERR_INPUT names key and file. */
hg_status hg_check_labels(const hg_config *config, hg_task task, bool one_graph);

/**
 * Whether sparse features of so many rows and entries, those of all ranks, shall be dense: they are fuller than
 * dataset.dense_from, and no dropout leaves most of them out; where layers need dense ones dropout does not matter.
 */
bool hg_wants_dense(const hg_config *config, const hg_features *features, double rows, double entries);

/** Of an experiment on one graph: HG_ERR_INPUT where its model pools nodes, which only collections of graphs have. */
hg_status hg_check_pooling(const hg_config *config);
