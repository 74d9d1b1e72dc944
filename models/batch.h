#pragma once
#include "core/graph/hierarchy.h"
#include "core/tensor/loss.h"
#include "models/local_graph.h"

/** One step of a model's way from fine to coarse: a graph, and which rows of the graph before make its rows. */
typedef struct {
  hg_local_graph graph;
  hg_csr members; ///< graph.n_owned x rows of the graph before; no arrays in the first
} hg_stage;

/**
 * A mini-batch of whole graphs on one rank: the block-diagonal union of its graphs at each level of the hierarchy, and
 * last a stage with one row for each graph and no edges, where the readout's outputs stand. No halo: whole graphs are
 * here. A rank may have none of the batch: all sizes are 0. Made once with room for the largest batch, then filled
 * again and again.
 */
typedef struct {
  int n_stages;     ///< levels of the hierarchy + 1
  hg_stage *stages; ///< [n_stages]
  hg_matrix x;      ///< [stages[0].n_owned x width] features
  hg_off n_graphs;  ///< on this rank
  hg_off *graphs;   ///< [n_graphs] their numbers in the collection, as given
  hg_truth truth;   ///< of these graphs, in this order
} hg_batch;

/** Rows and entries at each level that a batch must have room for. */
typedef struct {
  hg_off graphs;
  hg_off *rows, *entries; ///< [levels]
} hg_batch_room;

/** The largest that `count` of the collection's graphs can need: the sums over the `count` largest of each level. */
hg_status hg_batch_room_create(hg_batch_room *room, const hg_hierarchy *hierarchy, hg_off count);
void hg_batch_room_free(hg_batch_room *room);

/** What all batches of a run share. Borrowed; must outlive the batches. */
typedef struct {
  hg_world *world;
  const hg_collection *collection; ///< features and truth, scaled already
  const hg_hierarchy *hierarchy;
  hg_adjacency_norm norm;
  bool self_loops;
} hg_batch_source;

/** Allocates for `room`, and stands there as a batch of that size: what hg_model_create plans with. Not collective. */
hg_status hg_batch_create(hg_batch *batch, const hg_batch_source *source, const hg_batch_room *room);
void hg_batch_free(hg_batch *batch);

/**
 * Fills the batch with n graphs: copies their rows, adds offsets, normalises by their degrees. Dropout keys (ids) are
 * the nodes' numbers in the whole collection's level, those of the last stage the graphs' numbers: the same on every
 * number of ranks. Allocates nothing, uses no MPI and no OpenMP: another thread may do it while a model computes on
 * another batch.
 * @param graphs     [n] numbers in the collection, at most as many as there is room for
 * @param n_global   [n_stages] rows of the whole batch over all ranks (for batch norm)
 */
void hg_batch_fill(hg_batch *batch, const hg_batch_source *source, const hg_off *graphs, hg_off n,
                   const hg_off *n_global);

/** Bytes of all arrays that hg_batch_create allocates, for the memory plan. */
size_t hg_batch_bytes(const hg_batch_source *source, const hg_batch_room *room);
