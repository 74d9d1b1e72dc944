#pragma once
#include "comm/column_marks.h"
#include "comm/route.h"
#include "comm/slice_graph.h"

/** The columns of this rank's rows, and the way to what their slices know of them. Owned. */
typedef struct {
  const hg_slice *slice; ///< borrowed; its edges may be gone
  hg_column_marks marks;
  hg_route ask;  ///< from each column to the slice that it is in
  hg_lid *asked; ///< [ask.n_out] the nodes of this slice that ranks ask for
} hg_slice_columns;

/** Of the rows in `a`, whose columns are nodes of the whole graph. Collective. */
hg_status hg_slice_columns_create(hg_slice_columns *columns, const hg_slice *slice, const hg_csr *a);
void hg_slice_columns_free(hg_slice_columns *columns);

/**
 * What slices know of their nodes, of_node [nodes of the slice], becomes what this rank knows of its columns: of_column
 * [marks.count]. Collective.
 */
hg_status hg_slice_columns_look_up(const hg_slice_columns *columns, const int32_t *of_node, int32_t *of_column);
