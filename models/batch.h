#pragma once
#include "core/graph/hierarchy.h"
#include "core/tensor/loss.h"
#include "models/local_graph.h"

/** One step of a model's way from fine to coarse: a graph, and which rows of the graph before make its rows. */
typedef struct {
  hg_local_graph graph; ///< its operators are over `adjacency`, and `transposed` or again `adjacency`
  hg_csr adjacency;     ///< n_owned x n_owned; without entries in the last stage
  hg_csr members;       ///< n_owned x rows of the stage before, ascending; no arrays in the first stage
} hg_stage;

/**
 * A mini-batch of whole graphs on one rank: the block-diagonal union of its graphs at each level of the hierarchy, and
 * last a stage with one row for each graph and no edges, where the readout's outputs stand. No halo: whole graphs are
 * here. A rank may have none of the batch: all sizes are 0. Made once with room for the largest batch, then filled
 * again and again: filling changes sizes and contents, never an address.
 */
typedef struct {
  int n_stages;     ///< levels of the hierarchy + 1
  hg_stage *stages; ///< [n_stages]
  hg_matrix x;      ///< [stages[0].n_owned x width] features
  hg_off n_graphs;  ///< on this rank
  hg_off *graphs;   ///< [n_graphs] their numbers in the collection, as given
  hg_truth truth;   ///< of these graphs, in this order: the one of the next three that the task has
  int32_t *labels;
  uint8_t *label_bits;
  float *targets;
} hg_batch;

/** Rows and entries at each level that a batch must have room for. */
typedef struct {
  hg_off graphs;
  hg_off *rows, *entries; ///< [levels]
} hg_batch_room;

/**
 * The largest that `count` different graphs of the collection can need: the sums over the `count` largest of each
 * level. A `count` above the number of graphs is that number.
 * @return   HG_ERR_INPUT when that is more than 2^31 - 1 rows
 */
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

/**
 * Allocates for `room`, and stands there as a batch of that size: what hg_model_create plans with. Before the first
 * fill all sizes (rows of graphs, matrices and members, n_graphs, n_global) are those of the room, all addresses and
 * operators are final, and contents are zero: no row has an edge or a member, every scale is 0.
 * @param source   with HG_TASK_NONE in its collection there is no truth
 * @return   HG_ERR_INPUT when the collection has features but not dense ones
 * Not collective.
 */
hg_status hg_batch_create(hg_batch *batch, const hg_batch_source *source, const hg_batch_room *room);
void hg_batch_free(hg_batch *batch);

/**
 * Fills the batch with n graphs: copies their rows, adds offsets, normalises by their degrees. Dropout keys (ids) are
 * the nodes' numbers in the whole collection's level, those of the last stage the graphs' numbers: the same on every
 * number of ranks. Allocates nothing, uses no MPI and no OpenMP: another thread may do it while a model computes on
 * another batch.
 * @param graphs     [n] numbers in the collection, different ones, at most as many as there is room for
 * @param n_global   [n_stages] rows of the whole batch over all ranks (for batch norm)
 * Cannot fail.
 */
void hg_batch_fill(hg_batch *batch, const hg_batch_source *source, const hg_off *graphs, hg_off n,
                   const hg_off *n_global);

/**
 * After the positions of the first stage were changed (augmentation): those of the coarser stages become the means of
 * their members again. Like hg_batch_fill for another thread; with unchanged positions it changes no bit.
 */
void hg_batch_move(hg_batch *batch);

/** Bytes of all arrays that hg_batch_create allocates, for the memory plan. */
size_t hg_batch_bytes(const hg_batch_source *source, const hg_batch_room *room);
