#pragma once
#include "core/graph/store.h"

/** Rows that cross between hosts in one exchange, when each host has as many parts, consecutive ones. */
typedef struct {
  int hosts;
  hg_off rows;       ///< a row for each part that needs it
  hg_off unique;     ///< a row for each host that needs it, however many of its parts do
  hg_off rows_max;   ///< sent by the host that sends most
  hg_off unique_max; ///< the same without duplicates
  hg_off pairs;      ///< ordered pairs of parts on two hosts with rows between them: messages
  hg_off host_pairs; ///< ordered pairs of hosts: messages when a host's are sent as one
} hg_host_rows;

/**
 * Counts them in a whole index (of all parts).
 * @return   HG_ERR_INPUT unless hosts is from 1 to the number of parts and divides it
 * Cost: O(halo nodes). Memory: 4 bytes a node.
 */
hg_status hg_host_rows_count(hg_host_rows *rows, const hg_parts_index *index, int hosts);
