#pragma once
#include "models/local_graph.h"
#include "models/options.h"

/*
 * Hybrid aggregation (Zhuang et al., SuperGCN 2024; ALGORITHMS A.6): between each two ranks the edges cross by a least
 * vertex cover (partition/cover.h). A source in the cover sends its row, as in an exchange of halo rows; the other
 * sources are summed where they are, for each destination, and the sum crosses. Never more rows than sources, and
 * exact: sums of the same numbers in another order. A sum takes the place of a halo row that does not cross any more,
 * so all sizes stay; to the operator it is a node with one edge, of weight 1. The gradient of a sum goes to its nodes'
 * rank, and there to each of them.
 */
typedef struct {
  hg_local_graph graph;       ///< `base` with these rows; borrows its arrays
  const hg_local_graph *base; ///< borrowed
  hg_links links;             ///< of the rows that cross
  hg_csr a, transposed;       ///< edges from owned nodes and from what crosses
  hg_real *scale;             ///< [n_local] column scales, or NULL
  hg_gid *ids;                ///< [n_local] of a sum a number that no node and no other sum has
} hg_covered;

/** As the config has it: "sources" or "covers". */
const char *hg_aggregation_name(hg_aggregation aggregation);

/**
 * Finds the covers of what this rank receives, tells the senders, and builds the graph. Collective.
 * @param base   a graph with links, unweighted edges; borrowed
 */
hg_status hg_covered_create(hg_covered *covered, const hg_local_graph *base);
void hg_covered_free(hg_covered *covered);

/** Bytes that it allocates for a graph of `edges` edges, about: as if no row less crossed, each the sum of two. */
size_t hg_covered_bytes(const hg_links *links, hg_off edges);
