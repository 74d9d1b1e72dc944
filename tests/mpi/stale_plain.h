#pragma once
#include "runtime/train/trainer.h"

/**
 * A GCN whose parts go on with rows of the epoch before (halo.staleness: pipeline), by plain loops in double on one
 * thread: every rank has the whole graph, A is a dense matrix, and what each node's row and gradient were an epoch ago
 * is kept apart, smoothed or not. relu or elu, bias, no norm, symmetric with self-loops, dense features.
 */
typedef struct stale_plain stale_plain;

/** Of the trainer's graph file, parts and model. Collective; reports with check(). NULL on failure. */
stale_plain *stale_plain_create(const hg_trainer *trainer);
void stale_plain_free(stale_plain *plain);

/**
 * The next epoch's mean cross entropy of the training nodes; the first call is epoch 1.
 * @param theta      the model's parameters, before the step
 * @param gradient   [as many] overwritten with what training computes for them
 */
double stale_plain_epoch(stale_plain *plain, const hg_real *theta, double *gradient);
