#pragma once
#include "comm/turn.h"
#include "models/local_graph.h"

/*
 * Aggregation by columns: the ranks of a group (comm/grid.h) share a part of the graph by rows, and each has the edges
 * of all of it. To aggregate, rows become columns (comm/turn.h), each rank aggregates its columns of all the part's
 * rows, exchanging halo rows with the ranks of the same columns in the other groups, and columns become rows again.
 * With one group there is no halo at all. All else of a layer is a matter of a rank's own rows. Source: ALGORITHMS
 * A.12.
 */
struct hg_slabs {
  hg_grid grid;
  hg_links links;       ///< of the group's part, among the ranks of the same columns
  hg_local_graph graph; ///< the group's part
};

/** Makes grid and links, whose sizes are what memory is planned with. Collective. Errors of hg_grid_create. */
hg_status hg_slabs_create(hg_slabs *slabs, hg_world *world, const hg_part *part, int columns);

/** The rest: gathers the edges and normalises. Edges of one group that go both ways are kept once. Collective. */
hg_status hg_slabs_build(hg_slabs *slabs, hg_world *world, const hg_part *part, hg_adjacency_norm norm,
                         bool self_loops);
/** Collective. */
void hg_slabs_free(hg_slabs *slabs);

/** Bytes that hg_slabs_create and hg_slabs_build leave allocated; after the first. @param symmetric   the graph is */
size_t hg_slabs_bytes(const hg_slabs *slabs, bool symmetric);

/**
 * The graph of this rank's rows alone, for layers: no links, no halo, no operators; `slabs` aggregates. Everything
 * borrowed must outlive it. Free with hg_local_graph_free. Not collective.
 */
hg_status hg_slabs_rows(hg_local_graph *rows, hg_world *world, const hg_part *part, hg_slabs *slabs);

/** Buffers that all layers' aggregations share, one after the other, in numbers. */
typedef struct {
  hg_off columns; ///< of each of two
  hg_off packed;
  hg_off lists; ///< halo rows that are sent
} hg_slabs_room;

typedef struct {
  hg_real *columns[2], *packed, *lists;
  hg_slabs_room room;
} hg_slabs_buffers;

/** What aggregating `width` columns needs. */
hg_slabs_room hg_slabs_room_for(const hg_slabs *slabs, int width);
void hg_slabs_room_widen(hg_slabs_room *room, const hg_slabs_room *other);
size_t hg_slabs_room_bytes(const hg_slabs_room *room);
hg_status hg_slabs_buffers_create(hg_slabs_buffers *buffers, const hg_slabs_room *room);
void hg_slabs_buffers_free(hg_slabs_buffers *buffers);

/** Aggregations of one width: the requests of their messages. */
typedef struct {
  const hg_slabs *slabs;
  int width, cols;   ///< of all ranks, of this rank
  hg_matrix in, out; ///< [rows of the group's part and its halo x cols], views
  hg_turn *turn;
  hg_exchange *fill, *add; ///< NULL with one group
} hg_turned;

/** @param buffers   with room for this width; borrowed, in use during calls alone. Collective. */
hg_status hg_turned_create(hg_turned **turned, const hg_slabs *slabs, int width, const hg_slabs_buffers *buffers);
/** Collective; accepts a NULL there. */
void hg_turned_free(hg_turned **turned);

/** y = A x, both [rows of this rank x width]; y may be x. Collective. */
void hg_turned_aggregate(hg_turned *turned, const hg_matrix *x, hg_matrix *y, hg_phases *phases);

/**
 * The same of an x whose columns are here: y = A (kept under dropout), a turn to rows alone.
 * @param kept      hg_slabs_columns_once of as many columns
 * @param dropout   of x; where its rate is above 0, hg_grid_aligns must hold
 */
void hg_turned_aggregate_kept(hg_turned *turned, const hg_matrix *kept, hg_dropout dropout, hg_matrix *y,
                              hg_phases *phases);

/** d_x = A' d_y, the same way. Collective. */
void hg_turned_aggregate_gradient(hg_turned *turned, const hg_matrix *d_y, hg_matrix *d_x, hg_phases *phases);

hg_traffic hg_turned_traffic(const hg_turned *turned);

/** y = A x once, at set-up, a piece of the columns after the other, with buffers of its own. Collective. */
hg_status hg_slabs_aggregate_once(const hg_slabs *slabs, const hg_matrix *x, hg_matrix *y);
/** Bytes of these buffers. */
size_t hg_slabs_aggregate_once_bytes(const hg_slabs *slabs, int width);

/**
 * This rank's columns of x [rows of this rank x width], of all rows of the group's part and its halo, once. Collective.
 * @param columns   created, hg_slabs_columns_bytes; the caller frees
 */
hg_status hg_slabs_columns_once(const hg_slabs *slabs, const hg_matrix *x, hg_matrix *columns);
size_t hg_slabs_columns_bytes(const hg_slabs *slabs, int width);
