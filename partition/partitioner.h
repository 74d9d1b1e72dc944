#pragma once
#include "core/graph/graph.h"

typedef enum {
  HG_OBJECTIVE_VOLUME,  ///< rows of an exchange, all parts together
  HG_OBJECTIVE_CUT,     ///< edges between parts
  HG_OBJECTIVE_LARGEST, ///< rows of the part that sends or receives most; then all together
} hg_objective;

/** How the nodes of a part are ordered (partition/reorder.h). */
typedef enum {
  HG_ORDER_AUTO,
  HG_ORDER_CLUSTER,
  HG_ORDER_METIS,
  HG_ORDER_RCM,
  HG_ORDER_DEGREE,
  HG_ORDER_NONE,
  HG_ORDER_KINDS
} hg_order_kind;

/** Which least covers are kept with the parts (partition/known_covers.h). */
typedef enum {
  HG_COVERS_EQUAL, ///< those of all edges for rows of equal width
  HG_COVERS_GCN,   ///< and those of a gcn: of active edges
  HG_COVERS_GEOGCN ///< or those of a geogcn: of the last layer for rows of its two widths as well
} hg_covers_wanted;

/** What the parts shall be balanced in; bits. */
enum { HG_BALANCE_NODES = 1, HG_BALANCE_EDGES = 2, HG_BALANCE_LABELS = 4, HG_BALANCE_ACTIVE = 8, HG_BALANCE_KINDS = 4 };

typedef struct {
  const char *method; ///< a name of hg_partitioners
  hg_objective objective;
  int balance;      ///< HG_BALANCE_ bits; 0 means nodes
  double imbalance; ///< allowed largest / mean, 1.05: five per cent
  uint64_t seed;
  hg_order_kind order; ///< does not change which part owns a node
  int slabs;           ///< k / slabs parts are made, and each cut into so many (partition/cut_slabs.h); 0, 1: k parts
  bool refine;         ///< methods that cut well, and objectives but cut: hg_refine after them
  int hosts; ///< parts are consecutive by host, k / hosts each: as few rows as can be between hosts; 0, 1: one
  hg_covers_wanted covers; ///< does not change the parts
  int layers, hidden;      ///< of the model whose work HG_BALANCE_ACTIVE is (partition/active_work.h), and whose covers
  const hg_off *weights[HG_BALANCE_KINDS]; ///< [nodes] instead of hg_balance_weight's own; NULL from outside
} hg_partition_options;

/** metis, volume, nodes, 1.05, seed 1, order auto, refined, slabs 1; work of two layers of 16 columns. */
hg_partition_options hg_partition_options_default(void);

/** A way to choose each node's part. */
typedef struct {
  const char *name, *help;
  /** part_of[i] in 0..k-1 for each node; 2 <= k <= nodes. May leave parts empty: hg_partition_graph repairs them. */
  hg_status (*run)(const hg_graph *graph, int k, const hg_partition_options *options, int32_t *part_of);
  bool cuts_well; ///< looks at edges: worth refining
} hg_partitioner;

extern const hg_partitioner hg_partitioners[]; ///< ends with a NULL name; metis first

/** Those that ranks run together on slices of a graph file (comm/slices.h): `run` is NULL. Ends with a NULL name. */
extern const hg_partitioner hg_sliced_partitioners[];

/** Whether options->method is one of these; false for a name that is none. */
bool hg_partition_sliced(const hg_partition_options *options);

hg_status hg_partition_metis(const hg_graph *graph, int k, const hg_partition_options *options, int32_t *part_of);

/**
 * Linear deterministic greedy streaming: node after node in file order, each to the part with the largest
 * (in-neighbours there) x (1 - its weight / what it may weigh), among those that it fits in by options->balance and
 * options->imbalance, the emptiest part where there is none; pass after pass, 20 at most, with what the last one left.
 * Serial. Memory beside the graph: some 60 bytes a part.
 * Source: Stanton and Kliot 2012; passes: Nishimura and Ugander 2013.
 */
hg_status hg_partition_ldg(const hg_graph *graph, int k, const hg_partition_options *options, int32_t *part_of);
hg_status hg_partition_random(const hg_graph *graph, int k, const hg_partition_options *options, int32_t *part_of);
hg_status hg_partition_block(const hg_graph *graph, int k, const hg_partition_options *options, int32_t *part_of);

/**
 * METIS's recursive bisection into 2 <= k <= nodes / 3 blocks of equal size, neighbours in number where they were split
 * last. As hg_partition_graph, for the main thread: METIS catches SIGTERM, and its random numbers are the process's.
 */
hg_status hg_metis_bisect(const hg_graph *graph, int k, int32_t *block_of);

/** The partitioner called `name`, of either table; HG_ERR_INPUT names those that exist. */
hg_status hg_partitioner_find(const char *name, const hg_partitioner **found);

/**
 * A node's weight in one HG_BALANCE_ bit: 1, its in-edges, whether it is labelled for training; active work is
 * options->weights or 0. */
hg_off hg_balance_weight(const hg_graph *graph, const hg_partition_options *options, int bit, hg_lid i);

/** The method and the repair of empty parts alone, 2 <= k <= nodes: one level, nothing refined, checked or said. */
hg_status hg_partition_level(const hg_graph *graph, int k, const hg_partition_options *options, int32_t *part_of);

/**
 * Two levels: options->hosts parts, refined where hg_partition_refines, then each of them into k / hosts. A part has
 * at most options->imbalance times the mean where each level keeps the root of it.
 * Memory: a host's edges and 4 bytes a node, beside what the method needs.
 */
hg_status hg_partition_two_level(const hg_graph *graph, int k, const hg_partition_options *options, int32_t *part_of);

/**
 * Whether a graph of n nodes can become k parts so: HG_ERR_INPUT says why not. That what a sliced partitioner cannot do
 * is not asked of it, too.
 */
hg_status hg_partition_check(hg_off n, int k, const hg_partition_options *options);

/** Whether parts made with these options are refined (partition/refine.h). */
bool hg_partition_refines(const hg_partition_options *options);

/**
 * Chooses, checks, where needed repairs and where asked refines the parts: no part empty, imbalance within bounds or
 * reported; retries with another seed before giving up. To be called from the main thread: METIS catches SIGTERM while
 * it runs.
 * @param part_of   [nodes], written
 * @return          HG_ERR_INPUT for an unknown method (names them), k < 1 or k > nodes
 */
hg_status hg_partition_graph(const hg_graph *graph, int k, const hg_partition_options *options, int32_t *part_of);
