#pragma once
#include "runtime/train/trainer.h"
#include "tests/mpi/train_graph.h"

/* Whole trainings, and how they are compared; failures are check()s. All are collective. */

extern const bool train_exact; ///< double precision: comparisons may be strict

#define OPTIONS(...) ((const char *const[]){__VA_ARGS__, NULL})

/** Sets each "key=value" and resolves. */
void train_configure(hg_config *config, const char *const *changes);

/** The loss over all ranks of one more epoch, without a coordinator. */
double train_epoch(hg_trainer *trainer, int epoch);

/** Training losses of `epochs` epochs, without a coordinator. */
void train_curve(hg_world *world, const hg_config *config, int epochs, double *losses);

/** Each loss within a relative `tolerance`; says the first epoch where it is not. */
void check_train_curves(const double *found, const double *expected, int n, double tolerance, const char *what);

/** A whole run through the coordinator; its last checkpoint, which the caller frees. */
void train_run(hg_world *world, const hg_config *config, bool resume, hg_checkpoint *last);

/** Weights within `tolerance`; 0: the same bits, in moments and best weights too. */
void check_train_weights(const hg_checkpoint *a, const hg_checkpoint *b, double tolerance, const char *what);

/** Removes the checkpoint of an epoch, as if the run had not come so far. */
void train_remove_checkpoint(hg_world *world, const hg_config *config, int epoch);

/** One training step of an epoch, without a coordinator. */
void train_step(hg_trainer *trainer, int epoch);

/** Creates a trainer; the bytes of arrays that it holds, 0 if it could not be made. */
size_t train_hold(hg_trainer *trainer, hg_world *world, const hg_config *config);

bool train_same(const hg_real *a, const hg_real *b, hg_off n); ///< bit for bit

/**
 * Two configs learn the same, bit for bit: gradients of each epoch, scores, weights and embeddings. Their plans of
 * memory differ as what they hold.
 * @param held  [2] bytes that each holds
 */
void check_train_same(hg_world *world, const hg_config *one, const hg_config *other, int epochs, const char *what,
                      size_t *held);

/** Two trainers learn the same to rounding: gradients of each epoch, and the loss of validation after it. */
void check_train_near(hg_trainer *found, hg_trainer *expected, int epochs, const char *what);

/** Two trainers on one graph and the same weights: `some` leaves out what no loss and no score reads, `all` nothing. */
typedef struct {
  char path[HG_PATH_MAX];
  hg_config config, whole; ///< with train.active_sets, and without
  hg_trainer some, all;
} train_pair;

/** False when one could not be made; train_pair_end in any case. */
bool train_pair_begin(train_pair *pair, hg_world *world, const train_graph *graph, const char *const *changes);
void train_pair_end(train_pair *pair, hg_world *world);
