#include "core/tensor/row_blocks.h"

#include <string.h>

#include "core/base/threads.h"

static void add_block(const hg_real *a, hg_off n, int stride, int count, double *restrict sum)
{
  for (hg_off i = 0; i < n; i++)
    for (int k = 0; k < count; k++) sum[k] += (double)a[i * stride + k];
}

static void add_product(const hg_real *a, const hg_real *b, hg_off n, int stride, int count,
                        hg_column_sums *restrict sums)
{
  for (hg_off i = 0; i < n; i++) {
    for (int k = 0; k < count; k++) {
      double value = (double)a[i * stride + k];
      sums->a[k] += value;
      sums->ab[k] += value * (double)b[i * stride + k];
    }
  }
}

static void sum_block(const hg_matrix *a, const hg_matrix *b, int block, int column, int count, hg_column_sums *sums)
{
  hg_off first, end;
  hg_block(a->rows, HG_ROW_BLOCKS, block, &first, &end);
  hg_off start = first * a->cols + column;
  memset(sums, 0, sizeof *sums);
  if (b)
    add_product(a->data + start, b->data + start, end - first, a->cols, count, sums);
  else if (count == HG_COLUMN_TILE)
    add_block(a->data + start, end - first, a->cols, HG_COLUMN_TILE, sums->a);
  else
    add_block(a->data + start, end - first, a->cols, count, sums->a);
}

hg_column_sums hg_sum_columns(const hg_matrix *a, const hg_matrix *b, int column, int count)
{
  hg_column_sums blocks[HG_ROW_BLOCKS], total = {0};
#pragma omp parallel for schedule(static) default(none) shared(a, b, column, count, blocks) \
    num_threads(hg_threads()) if (a->rows * count > HG_PARALLEL_FROM)
  for (int block = 0; block < HG_ROW_BLOCKS; block++) sum_block(a, b, block, column, count, &blocks[block]);
  for (int block = 0; block < HG_ROW_BLOCKS; block++) {
    for (int k = 0; k < count; k++) {
      total.a[k] += blocks[block].a[k];
      total.ab[k] += blocks[block].ab[k];
    }
  }
  return total;
}
