#pragma once
#include "runtime/train/trainer.h"

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
