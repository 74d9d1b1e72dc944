#pragma once
#include "comm/exchange.h"
#include "comm/grid.h"

/**
 * One matrix of a group's part, shared by its ranks in two ways: by rows, each rank having all columns of its own, or
 * by columns, each having some columns of all rows (hg_grid_first_column). A turn takes it from one to the other and
 * back, by a message to each other rank of the group. Columns arrive in place, and leave from it.
 * Source: ALGORITHMS A.12 (RDM, NeutronTP).
 */
typedef struct hg_turn hg_turn;

/** What a turn works on; all borrowed, must stay where it is. */
typedef struct {
  const hg_grid *grid;
  int width;       ///< columns of the whole matrix; may be less than ranks: then some have none
  hg_real *in;     ///< [rows of the group x own columns] what hg_turn_to_columns fills
  hg_real *out;    ///< the same, what goes back to rows
  hg_real *packed; ///< [rows of this rank x width] to work in
} hg_turn_buffers;

/**
 * Makes the requests. Collective.
 * @return   HG_ERR_INPUT when a message would have more than 2^31 - 1 numbers
 */
hg_status hg_turn_create(hg_turn **turn, const hg_turn_buffers *buffers);
void hg_turn_free(hg_turn **turn);

/** Packs x [rows of this rank x width], sends, and waits until `in` is full. Collective in the group. */
void hg_turn_to_columns(hg_turn *turn, const hg_matrix *x);

/**
 * The way back, in steps: begin posts receives; send gives `place` its rows of `out`, which then stay as they are, once
 * for each place and best in the order place + 1, place + 2, ..., this rank's own last; end waits for all and fills y
 * [rows of this rank x width]. Between them progress lets MPI work. Collective in the group.
 */
void hg_turn_to_rows_begin(hg_turn *turn);
void hg_turn_to_rows_send(hg_turn *turn, int place);
void hg_turn_progress(hg_turn *turn);
void hg_turn_to_rows_end(hg_turn *turn, hg_matrix *y);

hg_traffic hg_turn_traffic(const hg_turn *turn);
