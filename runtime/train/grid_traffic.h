#pragma once
#include "models/model.h"
#include "partition/halo_rows.h"

typedef enum {
  HG_GRID_FORWARD,
  HG_GRID_KEPT, ///< forward, of features whose columns a rank may keep: where hg_grid_aligns, rows alone cross
  HG_GRID_BACKWARD
} hg_grid_product;

/** Products with the adjacency in a training epoch that aggregates by columns. */
typedef struct {
  int n;
  int *widths;               ///< [n] columns, a layer's forward product before its backward one
  int *layers;               ///< [n]
  hg_grid_product *products; ///< [n]
} hg_grid_work;

/** Of a planned model. Free with hg_grid_work_free. */
hg_status hg_grid_work_create(hg_grid_work *work, const hg_model *model);
void hg_grid_work_free(hg_grid_work *work);

/** Where the ranks of a grid are, and what of a halo's rows therefore leaves a host (hg_source_rows_far). */
typedef struct {
  const int *host_of;             ///< [ranks]
  const int64_t *sent, *received; ///< [ranks] by each rank; not read with one group
} hg_grid_hosts;

/** What the ranks of a grid send in a training epoch; owned, free with hg_grid_traffic_free. */
typedef struct {
  int ranks;
  int64_t *bytes;     ///< [ranks] that a rank sends
  int64_t *far_bytes; ///< [ranks] of these, to ranks of other hosts; 0 where hosts are not known
  int64_t total_bytes, largest_bytes;
  int64_t total_messages, most_messages; ///< of all ranks; that one sends, at most
} hg_grid_traffic;

/**
 * Counts them without running, to the byte: a turn to columns sends what a rank has of the columns of the others of its
 * group, one to rows what it made of their rows, and halo rows of its columns cross between parts (ALGORITHMS A.12).
 * @param n_groups     parts of the graph; 1: feature-parallel
 * @param columns      ranks that share a part; 1: a halo of whole rows, which the first layer does not exchange
 * @param first        [n_groups x columns + 1] first node of each rank's slab, in the order of ranks
 * @param halo         of these parts; NULL with one
 * @param hosts        or NULL: not known
 * @param real_bytes   of a number that is sent
 */
hg_status hg_grid_traffic_count(hg_grid_traffic *traffic, const hg_grid_work *work, int n_groups, int columns,
                                const hg_gid *first, const hg_halo_rows *halo, const hg_grid_hosts *hosts,
                                int real_bytes);

/** The same where all slabs are equal, as where parts are not made yet. @param nodes   of the graph */
hg_status hg_grid_traffic_estimate(hg_grid_traffic *traffic, const hg_grid_work *work, int n_groups, int columns,
                                   hg_gid nodes, const hg_halo_rows *halo, int real_bytes);
void hg_grid_traffic_free(hg_grid_traffic *traffic);
