#pragma once
#include "core/tensor/geo.h"
#include "models/augment.h"
#include "runtime/train/dataset.h"
#include "runtime/train/feed.h"

/** The feed of a run on one graph: this rank's part, all of it in every pass. */
typedef struct {
  hg_dataset dataset;
  hg_stage stage; ///< the one stage of a model on nodes: its graph
  int columns;    ///< ranks that share a part and aggregate by columns: then `slabs` do
  hg_slabs slabs;
  hg_input input;
  bool trains;                            ///< not where a trained model predicts alone
  hg_active active;                       ///< what reaches the training loss; no levels where all is computed
  hg_active scored;                       ///< what reaches a score: of evaluations
  hg_real map[HG_GEO_DIMS * HG_GEO_DIMS]; ///< room for the turn of a pass
  hg_label_input labels;                  ///< with model.label_rate
  hg_lid *hidden;                         ///< [training rows] those of an epoch's loss, or NULL
  hg_outputs mean;                        ///< of all passes of an evaluation, with augment.test_samples; or no data
} hg_graph_feed;

/** The feed of a trainer whose type is hg_feed_graph. */
static inline hg_graph_feed *hg_graph_feed_of(const hg_trainer *trainer) { return trainer->feed; }
