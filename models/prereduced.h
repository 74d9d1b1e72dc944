#pragma once
#include "models/local_graph.h"

/*
 * Sums that cross when they have been multiplied by the weights (METHODS 2.7, ALGORITHMS A.6, A.11). A layer whose
 * messages depend on both ends, as geo-GCN's gates do, cannot have its sources summed by others as they are
 * (models/covered.h), but the rank that owns them can do all of it: aggregate them for a row of another rank, multiply
 * with W and send a row of the output's width, which the other adds. It has to know where that row is: positions and
 * scales of such rows cross once. For each two ranks a least vertex cover of their edges, a source weighing the numbers
 * of a row of x and a destination those of a row of x W, says which rows cross; for equal weights as many sources as
 * can be. Backward the gradient of the output's row comes back, and all that follows from it happens here. Exact: the
 * same numbers added in another order.
 */
typedef struct hg_prereduced {
  const hg_local_graph *base; ///< borrowed
  int f_in, f_out;            ///< numbers of a source's row, and of a partial row
  /** `base` with rows for others after its local ones: forward (n_local + n_partial) x n_local, backward transposed. */
  hg_local_graph graph;
  hg_links sources; ///< of the halo rows that cross as they are
  hg_links
      partials;     ///< the other rows: its owned nodes are `touched`, its halo those that are computed here for others
  hg_lid n_partial; ///< rows that are computed here for others
  hg_lid n_touched; ///< owned nodes that others compute for
  hg_lid *touched;  ///< [n_touched]
  hg_csr a, transposed;
  hg_real *positions; ///< [n_local + n_partial x dims]
  hg_real *row_scale; ///< [n_local + n_partial] or NULL; nothing where the halo is
} hg_prereduced;

/**
 * Finds the covers of what this rank receives, tells the senders, builds the graph and fetches positions. Collective.
 * @param base   a placed graph with links, unweighted edges, positions that stay; borrowed
 * @param f_in, f_out   at least 1, the same on all ranks
 */
hg_status hg_prereduced_create(hg_prereduced *reduced, const hg_local_graph *base, int f_in, int f_out);
void hg_prereduced_free(hg_prereduced *reduced);

/**
 * Rows that are computed for others, at most, as a plan counts them: where edges go both ways, and none less crosses.
 */
hg_lid hg_prereduced_most(const hg_links *links, int f_in, int f_out);

/** Bytes that it allocates for a graph of `edges` edges, as if hg_prereduced_most rows were computed for others. */
size_t hg_prereduced_bytes(const hg_links *links, hg_off edges, int dims, int f_in, int f_out);

/** Partial rows of one layer, under way. */
typedef struct {
  const hg_prereduced *reduced; ///< borrowed; NULL: it has none
  hg_matrix rows;               ///< [n_touched + n_partial x f_out]
  hg_exchange *push, *pull;     ///< forward adds rows to their owners', backward fetches their gradients
  hg_real *d_positions;         ///< [n_local + n_partial x dims] or NULL; backward adds the gradient of where rows for
                                ///< others are: hg_partial_rows_place
} hg_partial_rows;

/** Collective. Memory: hg_partial_rows_bytes. */
hg_status hg_partial_rows_create(hg_partial_rows *partial, const hg_prereduced *reduced);
void hg_partial_rows_free(hg_partial_rows *partial);
size_t hg_partial_rows_bytes(const hg_links *links, int f_in, int f_out);

/** The rows that are computed here for others, or the gradients of them that have come: [n_partial x f_out], a view. */
hg_matrix hg_partial_rows_here(const hg_partial_rows *partial);

/** Makes room for the gradient of the positions of rows for others, zeros. Not collective. */
hg_status hg_partial_rows_place(hg_partial_rows *partial);
/**
 * Adds it to that of their owners, d_positions [>= n_owned x dims], and frees it. Collective; on any failure it stays
 * freed.
 */
hg_status hg_partial_rows_add_places(hg_partial_rows *partial, hg_real *d_positions);

/** Sends what was computed; nobody waits. Collective. */
void hg_partial_rows_push(hg_partial_rows *partial);
/** Waits for what others computed, and adds it to their rows of z [n_owned x f_out]. Collective. */
void hg_partial_rows_add(hg_partial_rows *partial, hg_matrix *z);
/** Sends their rows of d_z to those who computed for them; until hg_exchange_end(pull). Collective. */
void hg_partial_rows_pull(hg_partial_rows *partial, const hg_matrix *d_z);
