#pragma once
#include "comm/world.h"
#include "core/tensor/csr.h"
#include "core/tensor/matrix.h"

struct hg_links;

/**
 * What each row of the send lists is made of, where rows are sums of several nodes' (pre-aggregation; ALGORITHMS A.6):
 * matrix A_to, and its transposed for the gradients that come back.
 */
typedef struct hg_link_sums {
  hg_csr to;       ///< [rows of the send lists x n_owned] with values
  hg_csr back;     ///< [n_touched x rows of the send lists] its transposed, without nodes that are in no row
  hg_lid *touched; ///< [n_touched] the nodes that are in one, ascending
  hg_lid n_touched;
  hg_gid *ids; ///< [rows of the send lists] a node's original id; of a sum a number that no node and no other sum has
} hg_link_sums;

/** What one rank wants to get from others, row by row, in the order of links->recv_peers. */
typedef struct {
  const hg_lid *offsets;   ///< [n_peers_recv + 1] of the base, into rows
  const hg_lid *rows;      ///< [offsets[n_peers_recv]] halo rows that shall hold them, all different
  const hg_lid *lengths;   ///< [like rows] how many nodes a row is the sum of; 0: it is one node's row as it is
  const hg_lid *positions; ///< which they are, row by row: places in what the base gets from that peer, from 0 on
  const hg_real *weights;  ///< [n_owned] what a node's row counts in sums that others get; or NULL: 1
  const hg_gid *node_ids;  ///< [n_owned] original ids
  hg_gid n_global;         ///< which is more than all of them
} hg_sums_wanted;

/**
 * Links on which each rank gets the rows that it wants: HG_FILL_HALO sends sums of rows, HG_ADD_HALO adds what arrives
 * to each node of a sum by its weight. Collective.
 * @param base   links of the same halo, with which nodes are named; borrowed during the call
 * @return       HG_ERR_INTERNAL when a rank is asked for what the base does not send
 */
hg_status hg_links_create_sums(struct hg_links *links, hg_world *world, const struct hg_links *base,
                               const hg_sums_wanted *wanted);

void hg_link_sums_free(hg_link_sums **sums);
