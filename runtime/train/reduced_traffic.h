#pragma once
#include "core/graph/graph.h"
#include "runtime/config/config.h"

/** What training epochs send where layers cross as rows of their input or of their output (models/prereduced.h). */
typedef struct {
  bool known;      ///< false: layers of this type send rows of one width
  double total;    ///< bytes of an epoch, all ranks
  double largest;  ///< of the rank that sends most
  double messages; ///< of an epoch, at most by one rank
} hg_reduced_traffic;

/**
 * Counts it without running, as hg_traffic_plan_make does for the other ways: least covers for the widths of each
 * layer, no row without its zeros.
 * @param part_of   [nodes] of `ranks` parts
 * @return          HG_ERR_INPUT for a model that the graph does not fit
 */
hg_status hg_reduced_traffic_count(hg_reduced_traffic *traffic, const hg_config *config, const hg_graph *graph,
                                   int ranks, const int32_t *part_of);
