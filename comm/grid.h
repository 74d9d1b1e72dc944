#pragma once
#include "comm/world.h"
#include "partition/parts.h"

/**
 * Ranks in a grid of groups x columns: rank = group x columns + place. The ranks of a group share a part of the graph
 * by rows: the parts of those ranks, which are its consecutive slabs. Ranks of the same place in all groups exchange
 * halo rows of that part. Source: ALGORITHMS A.12.
 */
typedef struct {
  int n_groups, columns;
  int number, place; ///< of this rank's group, and of this rank in it
  hg_world *group;   ///< the ranks of the same group, by place; owned
  hg_world *column;  ///< those of the same place, by group; owned
  /** [columns + 1] rows of each rank of the group in its part */
  hg_lid *row_offsets;
  hg_off *entry_offsets; ///< [columns + 1] and edges that end in them
  /** [columns] rows at the begin of each one's that have no neighbour outside of the group's part */
  hg_lid *inner;
  hg_part part; ///< the group's, of n_groups parts; of its nodes' data original ids alone, and n_interior is 0
} hg_grid;

/**
 * Makes the worlds, and the group's part without its edges: what memory is planned with. Collective.
 * @param part      of this rank, of as many parts as there are ranks
 * @param columns   the same on all ranks
 * @return          HG_ERR_INPUT when the ranks are no multiple of `columns`, or a group's part has more than 2^31 - 1
 *                  nodes with its halo, or edges
 */
hg_status hg_grid_create(hg_grid *grid, hg_world *world, const hg_part *part, int columns);

/** Gathers edges and original ids of the group's part from its ranks; columns ascend in a row. Collective. */
hg_status hg_grid_gather(hg_grid *grid, hg_world *world, const hg_part *part);
/** Collective. */
void hg_grid_free(hg_grid *grid);

/**
 * The first of the columns of a matrix of `width` that belong to `place` of `columns`; of place + 1 it is the end. They
 * are multiples of HG_GRID_ALIGN where hg_grid_aligns says so.
 */
int hg_grid_first_column(int width, int place, int columns);

/** Numbers of a register or cache line, and of a block of dropout's draws. */
enum { HG_GRID_ALIGN = 8 };

/** Whether shares of whole HG_GRID_ALIGN columns are about equal: of wide matrices, and where they divide it. */
bool hg_grid_aligns(int width, int columns);
