#include "core/tensor/nonzero.h"

#include <omp.h>

#include "core/base/cpu.h"
#include "core/base/threads.h"
#include "core/tensor/nonzero_kernels.h"
#include "core/tensor/quantise_kernels.h"
#include "core/tensor/row_blocks.h"

enum { PIECE_NUMBERS = 1 << 15 }; // that a thread reads twice: they stay in its cache

static const hg_nonzero_kernels *const kernels[HG_SIMD_COUNT] = {&hg_nonzero_base, &hg_nonzero_avx2,
                                                                 &hg_nonzero_avx512};

size_t hg_nonzero_mask_bytes(int cols) { return (size_t)mask_words(cols) * sizeof(uint64_t); }

// of a row of so many values
static hg_off value_bytes(hg_pack_format format, int count)
{
  return count > 0 ? (hg_off)hg_pack_row_bytes(format, count) : 0;
}

size_t hg_nonzero_row_bytes(hg_pack_format format, int cols)
{
  return hg_nonzero_mask_bytes(cols) + (size_t)value_bytes(format, cols);
}

static int count_row(const hg_nonzero_task *t, const uint8_t *masks, hg_off row)
{
  int count = 0;
  for (int word = 0; word < t->words; word++) count += __builtin_popcountll(mask_word(t, masks, row, word));
  return count;
}

// Where the values of the rows after each of [first, end) start.
static void find_starts(const hg_nonzero_task *t, hg_pack_format format, const uint8_t *masks, hg_off first, hg_off end,
                        hg_off *starts)
{
  for (hg_off k = first; k < end; k++) starts[k + 1] = starts[k] + value_bytes(format, count_row(t, masks, k));
}

size_t hg_pack_nonzero(const hg_packing *packing, hg_off n, hg_off *starts, uint8_t *packed)
{
  const hg_matrix *x = packing->x;
  const hg_nonzero_task task = {.cols = x->cols, .words = mask_words(x->cols), .rows = packing->rows};
  const hg_nonzero_kernels *kernel = kernels[hg_simd_level()];
  uint8_t *values = packed + (size_t)n * hg_nonzero_mask_bytes(x->cols);
  const hg_pack_task rounding = hg_pack_task_of(packing, values);
  hg_off piece = PIECE_NUMBERS / (x->cols + 1) + 1;
  starts[0] = 0;
#pragma omp parallel default(none) shared(task, rounding, kernel, x, n, starts, packed, values, piece) \
    num_threads(hg_threads()) if (n * x->cols > HG_PARALLEL_FROM)
  for (hg_off from = 0, step = piece * omp_get_num_threads(); from < n; from += step) {
    hg_off rows_here = n - from < step ? n - from : step, first, end;
    hg_block(rows_here, omp_get_num_threads(), omp_get_thread_num(), &first, &end);
    kernel->mask(&task, x->data, from + first, from + end, packed);
#pragma omp barrier
#pragma omp single
    find_starts(&task, rounding.format, packed, from, from + rows_here, starts);
    if (rounding.format == HG_PACK_REAL)
      kernel->pack(&task, x->data, from + first, from + end, packed, values + starts[from + first]);
    else
      hg_quantise_kernels_here()->pack_nonzero(&rounding, starts, from + first, from + end);
  }
  return (size_t)(values - packed) + (size_t)starts[n];
}

void hg_unpack_nonzero(hg_pack_format format, const uint8_t *packed, hg_off n, const hg_lid *rows, bool add,
                       hg_off *starts, hg_matrix *y)
{
  const hg_nonzero_task task = {.cols = y->cols, .words = mask_words(y->cols), .add = add, .rows = rows};
  const hg_nonzero_kernels *kernel = kernels[hg_simd_level()];
  const uint8_t *values = packed + (size_t)n * hg_nonzero_mask_bytes(y->cols);
  const hg_unpack_task rounded = {
      .format = format, .add = add, .cols = y->cols, .packed = values, .rows = rows, .y = y->data};
  starts[0] = 0;
  find_starts(&task, format, packed, 0, n, starts);
#pragma omp parallel default(none) shared(task, rounded, kernel, n, packed, values, starts, y) \
    num_threads(hg_threads()) if (n * y->cols > HG_PARALLEL_FROM)
  {
    hg_off first, end;
    hg_block(n, omp_get_num_threads(), omp_get_thread_num(), &first, &end);
    if (rounded.format == HG_PACK_REAL)
      kernel->unpack(&task, first, end, packed, values + starts[first], y->data);
    else
      hg_quantise_kernels_here()->unpack_nonzero(&rounded, starts, packed, first, end);
  }
}

hg_off hg_mask_rows(const hg_matrix *x, uint8_t *masks, hg_off *starts)
{
  const hg_nonzero_task task = {.cols = x->cols, .words = mask_words(x->cols)};
  hg_off count = 0;
  kernels[hg_simd_level()]->mask(&task, x->data, 0, x->rows, masks);
  for (hg_off row = 0; row < x->rows; row++) {
    starts[row] = count;
    count += count_row(&task, masks, row);
  }
  return count;
}

void hg_close_rows(const hg_matrix *x, const uint8_t *masks, hg_real *values)
{
  const hg_nonzero_task task = {.cols = x->cols, .words = mask_words(x->cols)};
  kernels[hg_simd_level()]->pack(&task, x->data, 0, x->rows, masks, (uint8_t *)values);
}

void hg_open_rows(const uint8_t *masks, const hg_off *starts, const hg_real *values, hg_matrix *y)
{
  const hg_nonzero_task task = {.cols = y->cols, .words = mask_words(y->cols)};
  const hg_nonzero_kernels *kernel = kernels[hg_simd_level()];
  for (hg_off row = 0; row < y->rows; row++)
    kernel->unpack(&task, row, row + 1, masks, (const uint8_t *)(values + starts[row]), y->data);
}
