#pragma once
#include "core/graph/graph.h"
#include "models/model.h"
#include "partition/halo_rows.h"
#include "runtime/config/config.h"

/** What ranks compute in a scheme: decides how long their epoch takes (runtime/train/epoch_time.h). */
typedef enum {
  HG_WORK_PARTS,    ///< each rank its part, rows travelling before an aggregation and back
  HG_WORK_COLUMNS,  ///< rows by ranks; some columns are aggregated, of all nodes or of one of `part_groups` parts
  HG_WORK_NOT_TOLD, ///< counted to compare bytes alone
} hg_scheme_work;

/**
 * How runs can exchange halo rows: packed in each of the formats, without zeros (halo.skip_zeros), so and none before
 * the second layer (halo.compute_first), or as least covers.
 */
enum { HG_WAY_NONZERO = HG_PACK_COUNT, HG_WAY_NONZERO_INT4, HG_WAY_COMPUTED, HG_WAY_COVERS, HG_WAYS };

/** A way to exchange what the layers of an epoch need, and what that sends, needs and takes. */
typedef struct {
  const char *name; ///< "halo float32", "feature-parallel" ...
  const char *how;  ///< one line
  bool runs;        ///< `halognn train` has it; the others are counted to see what they would send
  int part_groups;  ///< 2D: parts of the graph, each shared by ranks / part_groups ranks; else 0
  double total;     ///< bytes of an epoch, all ranks
  double largest;   ///< of the rank that sends most
  double messages;  ///< of that rank, an epoch
  double packed;    ///< bytes of that rank's rows before they are packed; 0: they are not
  bool far_known;   ///< counted:
  double far;       ///< share of the bytes that leave a host
  bool exact;       ///< the same results as one rank, to rounding
  hg_scheme_work work;
  int way;          ///< of HG_WAYS that rows cross by, -1: none of them
  double memory;    ///< bytes of arrays of the rank that computes most; 0: not told
  double exposed_s; ///< of an epoch, communication that nothing hides
  double epoch_s;   ///< 0: not told
} hg_scheme;

enum { HG_SCHEMES_MOST = 24 };
_Static_assert(HG_SCHEMES_MOST >= HG_WAYS + 8, "ways, partial sums, two of SuperGNN, by features, 2D, three merged");

/** Counted for one number of ranks. */
typedef struct {
  int ranks, n_schemes;
  hg_scheme schemes[HG_SCHEMES_MOST];
  int chosen; ///< of those that run and are exact the one with the shortest epoch; -1: no times are told
} hg_traffic_plan;

/** A model on a whole graph, planned and not allocated. `model` borrows what stands before it. */
typedef struct {
  hg_stage stage;
  hg_input input;
  hg_model model; ///< free with hg_model_free, whatever hg_planned_model_make returned
} hg_planned_model;

/** @return   HG_ERR_INPUT for a model that the graph does not fit */
hg_status hg_planned_model_make(hg_planned_model *planned, const hg_config *config, const hg_graph *graph);

/**
 * Bytes that training epochs of an experiment send, each way of exchanging them, without running it: of a layer after
 * the first the columns that it aggregates, forward and backward, as hg_model_plan says. Sums of gradients are left
 * out. `halo float32` is what runs count as halo_bytes_per_epoch in a float32 build with train.active_sets off and
 * halo.skip_zeros and compute_first never and halo.sample 1; what skipping zeros saves is estimated: relu is taken to
 * leave half of the numbers, dropout its share; `feature-parallel` and `2D` what runs with that parallel.mode count,
 * their slabs being equal. For comparison "SuperGNN": all layers' inputs forward, the inputs of layers after the first
 * backward, as partial rows of least covers (exact) and in 2 bits.
 * @param rows      [n_rows] of this graph, for ascending numbers of parts; the last is for `ranks`
 * @return          HG_ERR_INPUT for a model that the graph does not fit
 */
hg_status hg_traffic_plan_make(hg_traffic_plan *plan, const hg_config *config, const hg_graph *graph,
                               const hg_halo_rows *rows, int n_rows);
