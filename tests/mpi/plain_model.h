#pragma once
#include "core/graph/graph.h"
#include "models/options.h"

/**
 * A GCN or MLP on the nodes of a whole graph by plain loops in double, on one thread, with none of the optimisations:
 * every rank has the whole graph, A is a dense matrix, each product is (A x) W, everything is kept. What models/ is
 * compared with; only the dropout masks are drawn by the same function.
 */
typedef struct plain_model plain_model;

/**
 * Of a graph file with classes. Not collective; reports with check(). NULL on failure.
 * @param options   of type gcn or mlp, in float32; borrowed
 */
plain_model *plain_model_create(const char *path, const hg_model_options *options);
void plain_model_free(plain_model *model);

/** Parameters in the order of hg_model's flat array. */
hg_off plain_model_parameters(const plain_model *model);

/**
 * The mean cross entropy of the training nodes in a training pass.
 * @param theta      [plain_model_parameters()]
 * @param gradient   [plain_model_parameters()] overwritten with its gradient
 */
double plain_model_loss(plain_model *model, const hg_real *theta, uint64_t seed, int epoch, double *gradient);
