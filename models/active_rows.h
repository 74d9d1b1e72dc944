#pragma once
#include "core/base/types.h"
#include "core/tensor/matrix.h"

/*
 * Which rows a training pass makes. A part's nodes stand in an order in which the few that reach a training node come
 * first, among interior as among boundary nodes (partition/training_first.h). So what a layer need not compute is what
 * comes after the last active row of each of the two groups, and a pass goes over the first rows of both, whole blocks
 * and no lists. In any other order it does the same, and leaves out less. Rows after them hold numbers that nobody
 * reads, and gradients that are zeros.
 */

/** The first rows of interior nodes and the first of boundary nodes. */
typedef struct {
  hg_lid interior, boundary;
} hg_first_rows;

/** Of one layer's training passes: what it makes, and what it reads of its input. Halo rows are always among them. */
typedef struct {
  hg_first_rows made, read;
} hg_active_rows;

/** Rows [first, first + n). */
typedef struct {
  hg_off first, n;
} hg_span;

enum { HG_SPANS = 3 };

/** At most HG_SPANS spans, in ascending order, none empty. */
typedef struct {
  int n;
  hg_span span[HG_SPANS];
} hg_spans;

/** Those rows of a part of n_owned nodes of which n_interior are interior, and the `halo` rows after n_owned. */
hg_spans hg_spans_of(const hg_first_rows *rows, hg_lid n_interior, hg_lid n_owned, hg_lid halo);

/** The first `rows` rows, all of them. */
hg_spans hg_spans_all(hg_off rows);

/** Zeroes rows of x's first n_owned that are not in `rows`. */
void hg_rows_clear_others(const hg_first_rows *rows, hg_lid n_interior, hg_lid n_owned, hg_matrix *x);
