#pragma once
#include "runtime/train/rehearsal.h"
#include "runtime/train/traffic.h"

/** What carries messages. Ranks of a host have its network together, and among themselves its memory. */
typedef struct {
  double bytes_s;   ///< of a host's network, a second
  double latency_s; ///< of a message between hosts
  double near_s;    ///< of a message inside a host
  int ranks_per_host;
} hg_network;

/** Nodes and edges of the whole graph. */
typedef struct {
  hg_off nodes, edges;
} hg_extent;

/**
 * Fills exposed_s and epoch_s of the plan's schemes, and what is chosen. An epoch is what the slowest part computes,
 * and of each exchange what the work beside it does not hide: messages x latency + bytes / bandwidth, less the interior
 * rows' time forward and the owned rows' backward. Packing, and copies between ranks of a host, are work of the
 * processor that nothing hides. Sums of weight gradients (recursive doubling) run one after the other while layers
 * below are computed. Rows of the halo that are computed take as long as owned ones. Where what leaves a host was not
 * counted, ranks are taken to have as many neighbours on every host: of P ranks with R on a host, a share of (R - 1) /
 * (P - 1) of a rank's rows stays there. With HG_WORK_COLUMNS all ranks aggregate as many edges and no all-to-all is
 * hidden. Source: ALGORITHMS A.12.
 */
void hg_epoch_times(hg_traffic_plan *plan, const hg_rehearsal *rehearsal, const hg_network *network,
                    const hg_extent *graph);
