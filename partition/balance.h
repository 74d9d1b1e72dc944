#pragma once
#include "partition/partitioner.h"

/** Weights of parts while single nodes move between them. Owned; free with hg_balance_free. */
typedef struct {
  const hg_graph *graph;               ///< borrowed
  const hg_partition_options *options; ///< borrowed
  int n_bits;
  int kinds[HG_BALANCE_KINDS];      ///< what each weighs: the number of its HG_BALANCE_ bit
  hg_off *weight[HG_BALANCE_KINDS]; ///< [k] of the parts, for each bit
  hg_off allowed[HG_BALANCE_KINDS]; ///< what a part may weigh
  hg_off *nodes;                    ///< [k] nodes of the parts
} hg_balance;

/**
 * The weights of `part_of` [nodes], or of no nodes at all when it is NULL, and what options->balance and
 * options->imbalance allow.
 */
hg_status hg_balance_create(hg_balance *balance, const hg_graph *graph, int k, const hg_partition_options *options,
                            const int32_t *part_of);
void hg_balance_free(hg_balance *balance);

/**
 * Whether node i may go: `from` does not become empty, and `to` not heavier than allowed. From -1: from no
 * part. */
bool hg_balance_allows(const hg_balance *balance, hg_lid i, int from, int to);

/** Node i has gone; from or to -1: no part. */
void hg_balance_move(hg_balance *balance, hg_lid i, int from, int to);

/** How full a part is: its weight / what it may weigh, of the kind for which that is most. */
double hg_balance_load(const hg_balance *balance, int part);
