#pragma once
#include <stdbool.h>
#include <stddef.h>

#include "core/tensor/csr.h"

typedef enum { HG_TASK_NONE, HG_TASK_CLASSES, HG_TASK_MULTILABEL, HG_TASK_REGRESSION } hg_task;

typedef enum { HG_SPLIT_NONE, HG_SPLIT_TRAIN, HG_SPLIT_VAL, HG_SPLIT_TEST, HG_SPLIT_COUNT } hg_split;

/** Node features: dense or sparse, never both. float32 as in the file. */
typedef struct {
  int width;        ///< 0: the graph has none
  float *dense;     ///< [n x width], or NULL
  hg_off *indptr;   ///< [n + 1], or NULL
  int32_t *indices; ///< [indptr[n]], ascending in a row
  float *values;    ///< [indptr[n]]
} hg_features;

/** What is known about a range of nodes: the whole graph's, or one part's owned nodes. Owns its arrays. */
typedef struct {
  hg_off n;
  hg_features features;
  hg_task task;
  int n_classes;         ///< classes, labels of a multi-label task, or targets a node
  int32_t *labels;       ///< [n] HG_TASK_CLASSES: 0..n_classes-1, -1 unknown; else NULL
  uint8_t *label_bits;   ///< [n x hg_label_bytes()] HG_TASK_MULTILABEL (see hg_truth); else NULL
  float *targets;        ///< [n x n_classes] HG_TASK_REGRESSION; NaN unknown; else NULL
  uint8_t *split;        ///< [n] hg_split of each node, or NULL: no split
  int n_dims;            ///< dimension of the positions, 0: none
  float *positions;      ///< [n x n_dims] or NULL
  int64_t *original_ids; ///< [n] the numbers of the user's file; never NULL in a complete graph
} hg_nodes;

/**
 * A graph in memory. adjacency row i lists the in-neighbours j of i (edges j -> i), ascending, without duplicates
 * or self-loops, values NULL; at most 2^31 - 1 nodes, any number of edges. In a slice (hg_store_read_rows) the rows
 * are a range of the nodes and the columns are global ids.
 */
typedef struct {
  hg_csr adjacency;
  hg_nodes nodes;
  bool symmetric; ///< j -> i whenever i -> j
} hg_graph;

void hg_features_free(hg_features *features); ///< the arrays; the width stays

/** Sparse features of n nodes become dense ones. HG_ERR_MEMORY leaves them as they are; dense ones stay. */
hg_status hg_features_densify(hg_features *features, hg_off n);
void hg_nodes_free(hg_nodes *nodes);
void hg_graph_free(hg_graph *graph);

/**
 * Each node's features are followed by its position: width grows by n_dims, the positions stay. Nodes without features
 * get their positions alone.
 * @return   HG_ERR_INPUT for sparse features or no positions; `nodes` is unchanged on failure
 */
hg_status hg_nodes_append_positions(hg_nodes *nodes);

/** Bytes of one node's label bits: (n_classes + 7) / 8. */
static inline hg_off hg_label_bytes(int n_classes) { return (n_classes + 7) / 8; }

/**
 * All invariants (ranges, order, finite features, split values, array presence, the symmetric flag). HG_ERR_INPUT
 * names the first broken one and its node.
 * Cost: O(edges + features) time, 8 bytes a node.
 */
hg_status hg_graph_check(const hg_graph *graph);

/**
 * The same for rows first, first + 1, ... of a larger graph; messages name global nodes. The symmetric flag
 * cannot be checked.
 */
hg_status hg_graph_check_rows(const hg_graph *slice, hg_gid first);

/** The two halves of it: the edges alone; what is known of the nodes. */
hg_status hg_graph_check_edges(const hg_graph *slice, hg_gid first);
hg_status hg_nodes_check(const hg_nodes *nodes, hg_gid first);

/** The half of hg_graph_check without labels, split and original ids. */
hg_status hg_graph_check_structure(const hg_graph *graph);

/** The other half, of the graphs of a collection: labels, split, original ids. */
hg_status hg_items_check(const hg_nodes *items);

/** Whether all is known of node (or graph) i: its class, its targets; true without a task. */
bool hg_nodes_labelled(const hg_nodes *nodes, hg_off i);

/**
 * `out` = the same nodes in the order order[0], order[1], ... (old numbers, a permutation); adjacency columns
 * renumbered and sorted.
 */
hg_status hg_graph_permute(hg_graph *out, const hg_graph *graph, const hg_lid *order);

/**
 * The same in place, for graphs of which there is no room for two: what is dense moves along the permutation's cycles.
 * Unchanged on failure. Memory: a copy of the adjacency and of sparse features, and 5 bytes a node.
 */
hg_status hg_graph_reorder(hg_graph *graph, const hg_lid *order);

/** The same of what is known about nodes, without edges. */
hg_status hg_nodes_reorder(hg_nodes *nodes, const hg_lid *order);

/** Whether each edge has its reverse; rows must be ascending and in range. Cost: O(edges) time, 8 bytes a node. */
hg_status hg_graph_is_symmetric(const hg_graph *graph, bool *symmetric);

/**
 * A 64-bit fingerprint of all arrays, to recognise a parts file of this very graph. Equal on all little-endian
 * machines.
 * Source: MurmurHash3 (Appleby 2011), one lane.
 */
uint64_t hg_graph_fingerprint(const hg_graph *graph);

/** Bytes of all arrays. */
size_t hg_graph_bytes(const hg_graph *graph);

/** Whether the label, or at least one target, of item i is known. */
bool hg_label_known(const hg_nodes *items, hg_off i);
