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
  // of the part with most, when a host's messages are sent as one and its parts share them (hg_host_pairs_share)
  hg_off part_rows;     ///< that it sends and receives: rows from and to parts of its host, and of messages
  hg_off part_served;   ///< of messages alone
  hg_off part_messages; ///< in how many messages
} hg_host_rows;

/**
 * Counts them in a whole index (of all parts).
 * @return   HG_ERR_INPUT unless hosts is from 1 to the number of parts and divides it
 * Cost: O(halo nodes). Memory: 4 bytes a node, 4 a pair of hosts.
 */
hg_status hg_host_rows_count(hg_host_rows *rows, const hg_parts_index *index, int hosts);

/**
 * Shares the messages of a host, out to and in from others, among its parts: the largest first, each to the part with
 * fewest rows so far, the first one among equals.
 * @param sizes   [n] rows of each message; not changed
 * @param order   [n] working space
 * @param server  [n] 0..parts-1     @param loads  [parts] rows that each part has then
 */
void hg_host_pairs_share(hg_off *sizes, int n, int parts, int *order, int *server, hg_off *loads);
