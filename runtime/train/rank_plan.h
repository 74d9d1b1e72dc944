#pragma once
#include "partition/halo_rows.h"
#include "partition/host_rows.h"
#include "runtime/train/alone_columns.h"
#include "runtime/train/reduced_traffic.h"
#include "runtime/train/rehearsal.h"
#include "runtime/train/traffic.h"

/** How ranks share hosts (partition.hosts: auto makes parts for them), and how long to try what they compute. */
typedef struct {
  int ranks_per_host, threads; ///< threads of a rank
  double seconds;              ///< 0: nothing is timed
} hg_rank_plan_options;

/** What is known of a graph in as many parts as there will be ranks, without running them. */
typedef struct {
  hg_halo_rows rows;
  hg_host_rows between;       ///< of the hosts' parts; hosts 0: one rank on each, or not as many on each, or one host
  hg_reduced_traffic reduced; ///< of layers that can send rows of their output
  double shared_bytes;        ///< at most, of a row that a rank serves for its host (halo.hosts: merged)
  double partition_seconds;   ///< parts, and the order of nodes in them
  hg_part_extent largest;     ///< the part with most work
  hg_memory memory[HG_WAYS];  ///< of the part with most work, by the way rows cross
  hg_rehearsal rehearsal;     ///< of the parts with most work; nothing where nothing was timed
} hg_rank_plan;

/**
 * Partitions the graph as training would, counts what parts exchange, plans the memory of the part with most work, and
 * times the work of as many parts as one host has ranks, those with most work: but of no more than this machine has
 * processors for. Memory: twice the graph, and one host's ranks. Not collective, needs no MPI.
 * @param graph   features as training has them; borrowed
 */
hg_status hg_rank_plan_make(hg_rank_plan *plan, const hg_config *config, const hg_graph *graph, int ranks,
                            const hg_rank_plan_options *options);
void hg_rank_plan_free(hg_rank_plan *plan);

/**
 * Writes memory of the halo's exchanges into the plan of their bytes, the bytes of covers by both widths, and what of
 * them crosses between hosts; and adds what merges that (halo.hosts).
 */
void hg_rank_plan_tell(const hg_rank_plan *plan, hg_traffic_plan *traffic);

/**
 * Writes memory into the schemes whose ranks share a part by columns: it is that of a slab of the part with most work.
 * @param plans   [n] of this graph, for ascending numbers of ranks, which are parts of grids as well
 * @return        errors of hg_alone_plan_columns
 */
hg_status hg_rank_plans_tell_columns(const hg_rank_plan *plans, int n, const hg_config *config, const hg_graph *graph,
                                     hg_traffic_plan *traffic);
