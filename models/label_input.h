#pragma once
#include "core/tensor/gemm.h"
#include "models/local_graph.h"

/*
 * Labels as inputs (masked label propagation: Shi et al., UniMP, IJCAI 2021; ALGORITHMS A.8). In each epoch a random
 * share of the training nodes shows its label, and the loss is of the others, so that no node reads its own. With Y
 * [nodes x classes] the labels shown, one-hot, and E [classes x f] learned, the first layer's sums get (A Y) E: as if Y
 * were more features, without its zeros. Evaluations show all training labels. Which nodes show is drawn by seed, epoch
 * and original id, so every rank knows of its halo's nodes: nothing is sent.
 */
typedef struct {
  const hg_local_graph *graph; ///< borrowed
  double rate;
  int32_t *labels;         ///< [n_local] of training nodes; -1: not one
  uint8_t *shown;          ///< [n_local] in this pass
  hg_matrix sums;          ///< [n_owned x classes] A Y
  hg_real *packed;         ///< room for E
  hg_right_side embedding; ///< E of this pass
} hg_label_input;

/**
 * Collective. Free with hg_label_input_free.
 * @param graph    borrowed
 * @param labels   [n_owned] 0..classes-1 for each of `rows`
 * @param rows     [n] owned training nodes
 * @param width    of the first layer's output
 * @param rate     probability that a node shows its label in an epoch, in (0, 1)
 */
hg_status hg_label_input_create(hg_label_input *input, const hg_local_graph *graph, const int32_t *labels,
                                const hg_lid *rows, hg_off n, int classes, int width, double rate);
void hg_label_input_free(hg_label_input *input);

/** Bytes that it allocates. */
size_t hg_label_input_bytes(hg_lid n_owned, hg_lid n_local, int classes, int width);

/** Draws which nodes show their labels in an epoch. Not collective. */
void hg_label_input_draw(hg_label_input *input, uint64_t seed, int epoch);

/** All training nodes show them, or none does. */
void hg_label_input_show(hg_label_input *input, bool all);

/** Copies those of the n `rows` whose labels are not shown; returns how many. */
hg_off hg_label_input_hidden(const hg_label_input *input, const hg_lid *rows, hg_off n, hg_lid *hidden);

/** Sums what is shown, before a pass. @param e   [classes x width] as the pass has it; borrowed during the pass */
void hg_label_input_sum(hg_label_input *input, const hg_matrix *e);

/** z += (A Y) E for rows [first, first + n); by the calling thread alone. @param z   [n x width] */
void hg_label_input_add(const hg_label_input *input, hg_off first, hg_off n, hg_matrix *z);
