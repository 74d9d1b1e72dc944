#pragma once
#include "tests/mpi/train_graph.h"

/** What a made-up collection of graphs to train on shall hold: sample_collection's, and some that it has not. */
typedef struct {
  hg_off n_graphs;
  int width, n_dims, n_classes;
  hg_task task;
  bool directed, without_split;
  uint64_t seed;
} train_collection;

/** 30 graphs with three features, positions of two dimensions, three classes. */
train_collection train_collection_default(void);

/** Writes it on rank 0 to a file of its own in the temporary folder. Collective. Remove with train_graph_remove. */
hg_status train_collection_write(hg_world *world, const train_collection *what, char path[HG_PATH_MAX]);
