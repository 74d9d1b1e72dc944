#pragma once
#include "core/tensor/matrix.h"

/**
 * Rows are summed in this many blocks, whatever the number of threads, and the blocks' sums are added in order: so a
 * sum has the same bits on any number of threads.
 */
enum { HG_ROW_BLOCKS = 64 };

/** Fewer numbers than this are worked on by one thread: waking the others costs more. */
enum { HG_PARALLEL_FROM = 1 << 14 };

/** Work on the rows, or the numbers, [first, end) of a task, by the calling thread alone. */
typedef void hg_range_work(const void *task, hg_off first, hg_off end);

/**
 * The work of [0, n), `numbers` in all, in nearly equal pieces by all threads. By the calling one alone where they are
 * few, and where it has a block of rows of its own in a loop of all threads: without an OpenMP region, since one of a
 * single thread takes microseconds too.
 */
void hg_over_threads(hg_off n, hg_off numbers, hg_range_work *work, const void *task);

/** Columns are summed this many at a time, so that the sums of all blocks stand on the stack whatever the width. */
enum { HG_COLUMN_TILE = 256 };

typedef struct {
  double a[HG_COLUMN_TILE], ab[HG_COLUMN_TILE];
} hg_column_sums;

/**
 * Sums over all rows of the `count` columns from `column` on: sums.a[k] of a[i, column + k], and with b also sums.ab[k]
 * of a[i, column + k] b[i, column + k]; in double, without b of sums of eight rows (core/tensor/column_kernels.h).
 * @param b       [like a] or NULL; may be a     @param count  at most HG_COLUMN_TILE
 */
hg_column_sums hg_sum_columns(const hg_matrix *a, const hg_matrix *b, int column, int count);

/** sums[k] += the sum, as above, of column k of a: of a few rows, by the calling thread alone. */
void hg_add_row_sums(const hg_matrix *a, hg_real *sums);

/** The columns from `column` on that make one tile. */
static inline int hg_tile_width(int cols, int column)
{
  return cols - column < HG_COLUMN_TILE ? cols - column : HG_COLUMN_TILE;
}

/** The work of the rows [first, end) of a CSR matrix, in entries: a row costs two more than it has. */
hg_off hg_row_work(const hg_off *indptr, hg_off first, hg_off end);

/** The first row of piece `k` of `parts` pieces of [first, end) of equal work; `end` for k = parts. */
hg_off hg_row_piece(const hg_off *indptr, hg_off first, hg_off end, int parts, int k);
