#pragma once
#include "core/graph/store.h"
#include "partition/halo_rows.h"
#include "partition/refine.h"

/** Figures of a partition, counted by us. `volume` = halo nodes of all parts: each is received once an exchange. */
typedef struct {
  int n_parts;
  hg_off edge_cut; ///< edges j -> i whose ends lie in two parts (each direction counts)
  hg_off volume;
  hg_off halo_max, halo_min;                              ///< halo nodes of a part
  double interior_fraction;                               ///< interior nodes of all parts / nodes
  double node_imbalance, edge_imbalance, label_imbalance; ///< largest part / mean; 1 is even; 0 where there is nothing
  double seconds;                                         ///< taken to partition, by the caller
  size_t peak_bytes;                                      ///< of this process while it did, by the caller
  char order[16];                       ///< of the nodes in a part: a name of hg_orders, by the caller as what follows
  double reorder_seconds;               ///< not in `seconds`
  hg_off fetches_before, fetches_after; ///< hg_reordered
  hg_off rows[HG_SEND_MODES];           ///< sent in one exchange by all parts (hg_halo_rows); of sources: `volume`
  hg_off rows_max[HG_SEND_MODES];       ///< by the part that sends most
  hg_off messages, messages_max;        ///< of an exchange, and of the part that sends most of them
  double cover_seconds;                 ///< taken to count rows, covers and all; not in `seconds`
  bool rows_known;                      ///< false when parsed from a file written before they were counted
  hg_refined refined;                   ///< by the caller; no passes: not refined
  double active_imbalance;              ///< largest / mean active work, by the caller; 0: not asked for
} hg_quality;

/**
 * Counts them from the permuted graph and its index; label_imbalance of the training nodes, as hg_balance_weight. Rows
 * over threads; memory as hg_halo_rows_count and 4 bytes a node. The least covers that it counts become known
 * (index->covers).
 */
hg_status hg_quality_measure(const hg_graph *graph, hg_parts_index *index, hg_quality *quality);

/** As a JSON object, for hg_parts_index.quality_json; hg_alloc, the caller frees. */
hg_status hg_quality_json(const hg_quality *quality, char **json);

/**
 * Reads what hg_quality_json wrote; what is said of the order and of rows may be missing. HG_ERR_INPUT for a text that
 * is no such object, naming the key.
 */
hg_status hg_quality_parse(const char *json, hg_quality *quality);

/**
 * Predicted peak bytes of the process and seconds of partitioning, before doing it (`--dry-run`). Memory is within a
 * factor of two; the time of METIS depends on how well the graph can be cut: from a tenth to twice of what is said.
 * @param data_bytes   features, labels and so on: held during all of it
 */
void hg_partition_predict(hg_off n, hg_off m, hg_off data_bytes, int k, const hg_partition_options *options,
                          size_t *bytes, double *seconds);
