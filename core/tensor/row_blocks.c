#include "core/tensor/row_blocks.h"

#include <omp.h>
#include <string.h>

#include "core/base/cpu.h"
#include "core/base/threads.h"
#include "core/tensor/column_kernels.h"

static hg_add_columns *const kernels[HG_SIMD_COUNT] = {hg_add_columns_base, hg_add_columns_avx2, hg_add_columns_avx512};

void hg_over_threads(hg_off n, hg_off numbers, hg_range_work *work, const void *task)
{
  if (numbers <= HG_PARALLEL_FROM || omp_get_level() > 0) {
    work(task, 0, n);
    return;
  }
#pragma omp parallel default(none) shared(n, work, task) num_threads(hg_threads())
  {
    hg_off first, end;
    hg_block(n, omp_get_num_threads(), omp_get_thread_num(), &first, &end);
    work(task, first, end);
  }
}

static void sum_block(const hg_matrix *a, const hg_matrix *b, int block, int column, int count, hg_column_sums *sums)
{
  hg_off first, end;
  hg_block(a->rows, HG_ROW_BLOCKS, block, &first, &end);
  hg_off start = first * a->cols + column;
  memset(sums, 0, sizeof *sums);
  kernels[hg_simd_level()](a->data + start, b ? b->data + start : NULL, end - first, a->cols, count, sums->a, sums->ab);
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

void hg_add_row_sums(const hg_matrix *a, hg_real *sums)
{
  for (int column = 0; column < a->cols; column += HG_COLUMN_TILE) {
    double sum[HG_COLUMN_TILE] = {0};
    int count = hg_tile_width(a->cols, column);
    kernels[hg_simd_level()](a->data + column, NULL, a->rows, a->cols, count, sum, NULL);
    for (int k = 0; k < count; k++) sums[column + k] += (hg_real)sum[k];
  }
}

// A row costs its entries and a little of its own: reading the pointer, storing the result.
static hg_off work_before(const hg_off *indptr, hg_off i) { return indptr[i] + 2 * i; }

hg_off hg_row_work(const hg_off *indptr, hg_off first, hg_off end)
{
  return work_before(indptr, end) - work_before(indptr, first);
}

hg_off hg_row_piece(const hg_off *indptr, hg_off first, hg_off end, int parts, int k)
{
  if (k >= parts) return end;
  hg_off work = hg_row_work(indptr, first, end);
  hg_off target = work_before(indptr, first) + work / parts * k + work % parts * k / parts;
  while (first < end) {
    hg_off middle = first + (end - first) / 2;
    if (work_before(indptr, middle) < target)
      first = middle + 1;
    else
      end = middle;
  }
  return first;
}
