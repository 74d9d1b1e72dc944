#pragma once
#include "core/graph/graph.h"
#include "partition/partitioner.h"

/** A way to number nodes so that neighbours are near, and their rows still in a cache when they are needed again. */
typedef struct {
  const char *name, *help;
  /** order[0 .. nodes) = old numbers, a permutation; NULL for auto, which hg_reorder chooses. */
  hg_status (*run)(const hg_graph *graph, hg_lid *order);
} hg_order;

extern const hg_order hg_orders[]; ///< by hg_order_kind; ends with a NULL name

/** The order called `name`; HG_ERR_INPUT names those that exist. */
hg_status hg_order_find(const char *name, hg_order_kind *kind);

hg_status hg_order_none(const hg_graph *graph, hg_lid *order);

/** By falling in-degree, then by number. */
hg_status hg_order_degree(const hg_graph *graph, hg_lid *order);

/**
 * Reverse Cuthill-McKee: breadth first from the least degree of each component, neighbours by degree, all reversed.
 * Source: Cuthill and McKee 1969. Cost: O(edges log(degree)).
 */
hg_status hg_order_rcm(const hg_graph *graph, hg_lid *order);

/** Blocks of about 1,000 nodes in the order in which METIS's recursive bisection numbers them. */
hg_status hg_order_metis(const hg_graph *graph, hg_lid *order);

/**
 * Communities of communities, by moving nodes to where modularity grows most, level by level; those of the last level
 * are refined by moving single nodes. Nodes of a community lie together, and so do the communities of the next level.
 * Source: Blondel et al. 2008; refinement as in Rotta and Noack 2011. Serial, so that it is repeatable.
 * Cost: O(edges x levels), some 60 ns an edge. Memory: 20 bytes an edge at most.
 */
hg_status hg_order_cluster(const hg_graph *graph, hg_lid *order);

/** What was chosen, and what it is worth: rows fetched by one aggregation into a cache of HG_CACHE_ROWS rows. */
typedef struct {
  hg_order_kind order;                  ///< never HG_ORDER_AUTO
  hg_off fetches_before, fetches_after; ///< in file order and in this one
} hg_reordered;

/**
 * The order in which the nodes shall stand in their parts (hg_parts_build_ordered groups them). auto takes the
 * order with the fewest fetches, and file order when no other saves a fifth: counted on the graph, never timed.
 * @param order   [nodes], written
 */
hg_status hg_reorder(const hg_graph *graph, int k, const int32_t *part_of, hg_order_kind kind, hg_lid *order,
                     hg_reordered *result);

/** 4 MiB in rows of 128 float32: between a core's own cache and its share of the last level. */
enum { HG_CACHE_ROWS = 8192 };

/** Rows of one aggregation over all parts. */
typedef struct {
  hg_off fetched;    ///< not in the cache when they were needed
  hg_off compulsory; ///< needed for the first time: no order saves these
} hg_fetches;

/**
 * Counts them for a cache that drops the row which was not needed for longest and is empty at each part's begin. Rows
 * are visited in `order`, which stands part by part. Graphs of more than 16 million edges are sampled: 64 stretches of
 * rows, scaled up. Cost: 8 ns an edge, 12 bytes a node.
 */
hg_status hg_fetches_count(const hg_graph *graph, const int32_t *part_of, const hg_lid *order, hg_fetches *fetches);
