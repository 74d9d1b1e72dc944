#pragma once
#include "comm/world.h"
#include "runtime/observe/scores.h"
#include "runtime/train/labelled.h"

/** Room for the sums of hg_metrics_scores: allocated once. */
typedef struct {
  int n_classes;
  double *sums; ///< [n_sums]
  int n_sums;
  double *pairs; ///< ROC-AUC: [2 x items], NULL unless it was asked for
} hg_metrics;

hg_status hg_metrics_create(hg_metrics *metrics, const hg_labelled *labelled, bool roc_auc);
void hg_metrics_free(hg_metrics *metrics);

/**
 * The scores of the splits from `first` on, from this rank's logits; the same on every rank. Collective.
 * @param z        [>= items x n_classes] logits, or outputs of a regression (scaled like the targets)
 * @param scores   [HG_SPLIT_COUNT], written; those of other and of empty splits are NaN
 */
hg_status hg_metrics_scores(hg_metrics *metrics, hg_world *world, const hg_labelled *labelled, const hg_loss *loss,
                            const hg_matrix *z, hg_split first, hg_scores *scores);

/**
 * Area under the ROC curve of n (score, label) pairs, label 0 or 1: the share of (positive, negative) pairs in the
 * right order, ties half. Sorts the pairs. NaN when one kind is missing or a score is NaN.
 */
double hg_roc_auc(double *pairs, size_t n);
