#pragma once
#include "core/graph/graph.h"

/** What a trained model says of every node, or graph of a collection, on rank 0, ascending by original id. */
typedef struct {
  const char *item; ///< "node" or "graph"; static
  hg_task task;
  hg_off n;
  int n_classes, n_embedding, n_dims;
  int64_t *original_ids;     ///< [n]
  float *outputs;            ///< [n x n_classes] probabilities; regression: values in the targets' units
  float *embeddings;         ///< [n x n_embedding] the last hidden layer
  float *position_gradients; ///< [n x n_dims] of the loss, or NULL: not asked for
} hg_predictions;

void hg_predictions_free(hg_predictions *predictions);

/** Sorts the rows by original id. */
hg_status hg_predictions_sort(hg_predictions *predictions);

/** HG_ERR_INPUT when `path` ends in neither .npz nor .csv: to be known before the work is done. */
hg_status hg_predictions_check_path(const char *path);

/**
 * Writes them to `path`, whose suffix chooses: .npz (original_ids, predictions, probabilities or values, embeddings,
 * position_gradients) or .csv (one line a node or graph). Appears only when complete. HG_ERR_INPUT for another suffix.
 */
hg_status hg_predictions_write(const hg_predictions *predictions, const char *path);
