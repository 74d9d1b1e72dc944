#pragma once
#include "comm/exchange.h"
#include "core/graph/store.h"
#include "runtime/config/config.h"
#include "runtime/train/labelled.h"
#include "runtime/train/trained.h"

/** The graph of an experiment as one rank sees it: its part, loaded, scaled and linked with its neighbours. */
typedef struct {
  hg_store_header header; ///< of the whole graph
  char parts_path[HG_PATH_MAX];
  hg_part part;
  hg_links links;
  hg_labelled labelled;         ///< of the owned nodes
  hg_scales scales;             ///< of the training nodes; `position` is 0 until the graph is placed by its mean edge
  double partition_seconds;     ///< of the partitioner, whenever it ran
  double reorder_seconds;       ///< of ordering the nodes in the parts, then too
  int64_t edge_cut, halo_nodes; ///< of the whole partition
} hg_dataset;

/**
 * Finds the parts file for this number of ranks (config.partition.path, dataset.path itself, or the cache beside the
 * graph), makes it on rank 0 when it is missing, and loads each rank's part: features and targets are scaled as the
 * config says.
 * @param trained   NULL for training. For prediction: the graph is scaled as the one that was trained on; another
 *                  one needs no labels and no split, and none of its own are used
 * Collective.
 */
hg_status hg_dataset_load(hg_dataset *dataset, hg_world *world, const hg_config *config, const hg_trained *trained);

/** The same, where each of ranks / slabs parts is cut into `slabs` (partition/cut_slabs.h): a rank has one of these. */
hg_status hg_dataset_load_slabs(hg_dataset *dataset, hg_world *world, const hg_config *config,
                                const hg_trained *trained, int slabs);
void hg_dataset_free(hg_dataset *dataset);
