#pragma once
#include "comm/world.h"
#include "core/graph/graph.h"
#include "core/tensor/matrix.h"
#include "runtime/config/config.h"

/** What a made-up training graph shall hold. */
typedef struct {
  hg_off n;
  int degree, width, n_classes;
  hg_task task;
  bool sparse_features, directed;
  int n_dims;        // of random positions, 0: none
  bool nan_position; // of the last node
  int train_of;      // one of so many labelled nodes trains, the others validate; 0: a third trains
  int labelled_of;   // one of so many nodes has a split and a known label; 0: all but every fourth label
  hg_off connected;  // nodes that have edges, the first ones; 0: nine of ten
  bool hub;          // all of these have the first one as neighbour, too
  uint64_t seed;
} train_graph;

/**
 * 90 nodes of degree 4, seven dense features, three classes, every fourth label unknown, a split; some nodes isolated.
 */
train_graph train_graph_default(void);

/** Writes it on rank 0 to a file of its own in the temporary folder. Collective. Remove with train_graph_remove. */
hg_status train_graph_write(hg_world *world, const train_graph *what, char path[HG_PATH_MAX]);
void train_graph_remove(hg_world *world, const char *path);

/** The same for a file that `write` makes on rank 0. Remove with train_graph_remove. */
hg_status train_file_write(hg_world *world, hg_status (*write)(const void *what, const char *path), const void *what,
                           char path[HG_PATH_MAX]);

/** A config for it: two layers, 5 hidden, no dropout, metis; sparse features stay sparse. */
hg_config train_config(const char *path);

/** m[i, c] = a standard normal number by original id, column and `salt`, the same on any rank; of the first rows. */
void train_values(hg_matrix *m, hg_off rows, const hg_gid *ids, uint32_t salt);
