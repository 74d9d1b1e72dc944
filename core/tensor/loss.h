#pragma once
#include "core/tensor/matrix.h"

typedef enum { HG_LOSS_CROSS_ENTROPY, HG_LOSS_BCE, HG_LOSS_MSE } hg_loss_kind;

/**
 * What a loss compares the outputs with, for the local rows; one of the three is set, all borrowed.
 * cross entropy: labels; binary cross entropy: label_bits; mean squared error: targets.
 */
typedef struct {
  const int32_t *labels;     ///< [n], -1 unknown
  const uint8_t *label_bits; ///< [n x (classes + 7) / 8], bit c of a row is (row[c / 8] >> c % 8) & 1
  const float *targets;      ///< [n x classes], NaN unknown
  int classes;               ///< width of the outputs
} hg_truth;

typedef struct {
  hg_loss_kind kind;
  double label_smoothing; ///< cross entropy: target (1 - s) one-hot + s / classes, each class's term times its weight
  const hg_real *class_weights; ///< [classes] or NULL; cross entropy only; borrowed
} hg_loss;

/** Sums over rows, to be added over ranks; a loss or a metric is a quotient of them. In double. */
typedef struct {
  double loss;   ///< sum of the rows' losses (cross entropy: weighted; BCE and MSE: summed over columns)
  double weight; ///< sum of the rows' weights (cross entropy: class weights; BCE: rows x columns; MSE: known targets)
} hg_loss_sums;

/**
 * Loss sums over the chosen rows, and the gradient of (total loss / total_weight) with respect to the logits. An
 * unknown label (-1) or target (NaN) counts for nothing. The same bits for every number of threads.
 * @param rows          [n] the rows of z that count        @param z      [>= rows x classes] logits
 * @param total_weight  sum of `weight` over all ranks (used with d_z only)
 * @param d_z           NULL, or [like z], or z itself: the chosen rows are written, the others zeroed. Over z rows must
 *                      ascend; else that is fastest
 */
hg_loss_sums hg_loss_compute(const hg_loss *loss, const hg_truth *truth, const hg_lid *rows, hg_off n,
                             const hg_matrix *z, double total_weight, hg_matrix *d_z);

/** The sum of weights of the chosen rows: known before any logits are. */
double hg_loss_weight(const hg_loss *loss, const hg_truth *truth, const hg_lid *rows, hg_off n);

/** probabilities p [like z]: softmax of each row (cross entropy), sigmoid (BCE), or a copy (MSE). */
void hg_loss_predict(hg_loss_kind kind, const hg_matrix *z, hg_matrix *p);
