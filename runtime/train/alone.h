#pragma once
#include "partition/parts.h"
#include "runtime/train/feed_graph.h"

/*
 * One rank's share of training without the other ranks: a part is cut out of a graph in memory, and a trainer made of
 * it that does all that the rank computes and exchanges nothing. What a run on many ranks will compute, and how much
 * memory its arrays need, is so known before it.
 */

/** Where a part comes from. */
typedef struct {
  const hg_graph *graph; ///< in the order of `index`, features as training has them; borrowed
  const hg_parts_index *index;
  int part;
  int64_t sent; ///< rows that it sends in an exchange
} hg_alone_source;

/** The feed of such a trainer. */
typedef struct {
  hg_graph_feed base; ///< its dataset has the part, and of the links the numbers of rows alone
  hg_alone_source source;
  double *layer_s; ///< [2 x layers] of the last epoch: hg_pass
} hg_alone_feed;

static inline const hg_alone_feed *hg_alone_feed_of(const hg_trainer *trainer) { return trainer->feed; }

/**
 * The plan of the part's memory for each way of crossing, without any of it being allocated but the part. Not
 * collective, needs no MPI.
 * @param memory, ways   [n]
 */
hg_status hg_alone_plan_memory(hg_memory *memory, const hg_halo_options *ways, int n, const hg_config *config,
                               const hg_alone_source *source);

/** A trainer of the part; free with hg_trainer_free. Not collective, needs no MPI. */
hg_status hg_alone_create(hg_trainer *trainer, const hg_config *config, const hg_alone_source *source);

/**
 * Hidden rows of the halo become as full as relu and dropout leave those that other ranks send: gradients leave out
 * zeros. Before each step, which writes gradients over them.
 */
void hg_alone_fill_halos(hg_trainer *trainer);

/** One epoch; its seconds by phase are in `phases`, by layer in the feed. */
hg_status hg_alone_step(hg_trainer *trainer, int epoch, hg_phases *phases);

/**
 * The levels of active rows (models/active.h) that a run finds on this part: from the whole graph, whose ranks are not
 * here to be asked. Their links have numbers of rows alone; of those that the part sends when all cross as large a
 * share is taken to cross as of those it gets.
 * @param scored   what reaches a score, not the training loss
 */
hg_status hg_alone_find_active(hg_active *active, const hg_part *part, const hg_alone_source *source, int n_levels,
                               bool scored);

/** Once the numbers of rows are known: links without peers, on which exchanges do nothing. */
void hg_alone_drop_peers(hg_links *links, hg_active *active);

/** Links that know no more than how many rows are sent and received. @param some   not all halo rows cross by them */
hg_status hg_alone_count_links(hg_links *links, const hg_part *part, int64_t sent, int64_t received, bool some);
