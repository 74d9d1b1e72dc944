#pragma once
#include "runtime/train/batch_stream.h"
#include "runtime/train/feed.h"

/**
 * The feed of a run on a collection of graphs. Every rank holds the collection; a batch's graphs are shared among the
 * ranks anew each time, and so nothing is exchanged but gradients.
 */
typedef struct {
  hg_collection collection; ///< scaled
  hg_hierarchy hierarchy;
  hg_scales scales;
  hg_batch_source source;
  hg_off *work;     ///< [graphs] what each costs: its nodes and edges
  hg_off *training; ///< [n_training] the training graphs whose label is known
  hg_off n_training;
  hg_nodes items;  ///< truth of the graphs that this rank evaluates: a share of each split
  hg_off *own;     ///< [items.n] which they are: the scored splits' graphs first
  hg_off n_scored; ///< how many of these an evaluation needs
  hg_batch_list epoch, evaluation;
  hg_batch_stream *stream;
  hg_lid *ramp, *numbers;       ///< [batch_size] 0, 1, ...; and room for the numbers of a batch's graphs
  hg_input input;               ///< a view of the batch under way
  hg_matrix logits, embeddings; ///< [items.n x outputs], [items.n x f]
} hg_collection_feed;

/** The feed of a trainer whose type is hg_feed_collection. */
static inline hg_collection_feed *hg_collection_feed_of(const hg_trainer *trainer) { return trainer->feed; }

/** Reads, checks and scales the collection, and lists who trains on what. Collective. */
hg_status hg_collection_feed_load(hg_trainer *trainer, const hg_trained *trained);
