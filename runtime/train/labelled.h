#pragma once
#include "core/graph/graph.h"
#include "core/tensor/loss.h"

/**
 * What this rank's outputs are compared with. An item is what has a label: an owned node of a graph, or a graph of a
 * collection that this rank evaluates. Row i of the outputs belongs to item i.
 */
typedef struct {
  hg_task task;
  int n_classes;
  hg_truth truth;               ///< of the items; borrowed
  const int64_t *original_ids;  ///< [items] borrowed
  hg_lid *rows[HG_SPLIT_COUNT]; ///< items of each split whose truth is known, ascending
  hg_off n_rows[HG_SPLIT_COUNT], n_items;
  const double *target_mean, *target_scale; ///< [n_classes] regression: target = output * scale + mean; borrowed
} hg_labelled;

/** Lists the rows of `items`, whose arrays are borrowed. */
hg_status hg_labelled_create(hg_labelled *labelled, const hg_nodes *items);
void hg_labelled_free(hg_labelled *labelled);
