#pragma once
#include "core/tensor/spmm.h"

/**
 * How long aggregating takes for an edge: seconds[0] + seconds[1] x columns, the least of three runs at two
 * widths. Not collective. Memory: x and y of 64 columns.
 * @param op   [rows x columns]; its first `rows` rows are aggregated, of `columns` rows
 */
hg_status hg_edge_time(const hg_operator *op, hg_off rows, hg_off columns, double seconds[2]);
