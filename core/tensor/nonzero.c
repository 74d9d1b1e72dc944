#include "core/tensor/nonzero.h"

#include <omp.h>

#include "core/base/cpu.h"
#include "core/base/threads.h"
#include "core/tensor/nonzero_kernels.h"
#include "core/tensor/row_blocks.h"

enum { PIECE_NUMBERS = 1 << 15 }; // that a thread reads twice: they stay in its cache

static const hg_nonzero_kernels *const kernels[HG_SIMD_COUNT] = {&hg_nonzero_base, &hg_nonzero_avx2,
                                                                 &hg_nonzero_avx512};

static int mask_words(int cols) { return (cols + MASK_COLUMNS - 1) / MASK_COLUMNS; }

size_t hg_nonzero_mask_bytes(int cols) { return (size_t)mask_words(cols) * sizeof(uint64_t); }

size_t hg_nonzero_row_bytes(int cols) { return hg_nonzero_mask_bytes(cols) + (size_t)cols * sizeof(hg_real); }

// Where the values of the rows after each of [first, end) start.
static void find_starts(const hg_nonzero_task *t, const uint8_t *masks, hg_off first, hg_off end, hg_off *starts)
{
  for (hg_off k = first; k < end; k++) {
    hg_off count = starts[k];
    for (int word = 0; word < t->words; word++) count += __builtin_popcountll(mask_word(t, masks, k, word));
    starts[k + 1] = count;
  }
}

size_t hg_pack_nonzero(const hg_matrix *x, const hg_lid *rows, hg_off n, hg_off *starts, uint8_t *packed)
{
  const hg_nonzero_task task = {.cols = x->cols, .words = mask_words(x->cols), .rows = rows, .starts = starts};
  const hg_nonzero_kernels *kernel = kernels[hg_simd_level()];
  size_t masks = (size_t)n * hg_nonzero_mask_bytes(x->cols);
  hg_off piece = PIECE_NUMBERS / (x->cols + 1) + 1;
  starts[0] = 0;
#pragma omp parallel default(none) shared(task, kernel, x, n, starts, packed, masks, piece) \
    num_threads(hg_threads()) if (n * x->cols > HG_PARALLEL_FROM)
  for (hg_off from = 0, step = piece * omp_get_num_threads(); from < n; from += step) {
    hg_off rows_here = n - from < step ? n - from : step, first, end;
    hg_block(rows_here, omp_get_num_threads(), omp_get_thread_num(), &first, &end);
    kernel->mask(&task, x->data, from + first, from + end, packed);
#pragma omp barrier
#pragma omp single
    find_starts(&task, packed, from, from + rows_here, starts);
    kernel->pack(&task, x->data, from + first, from + end, packed, packed + masks);
  }
  return masks + (size_t)starts[n] * sizeof(hg_real);
}

void hg_unpack_nonzero(const uint8_t *packed, hg_off n, const hg_lid *rows, bool add, hg_off *starts, hg_matrix *y)
{
  const hg_nonzero_task task = {
      .cols = y->cols, .words = mask_words(y->cols), .add = add, .rows = rows, .starts = starts};
  const hg_nonzero_kernels *kernel = kernels[hg_simd_level()];
  const uint8_t *values = packed + (size_t)n * hg_nonzero_mask_bytes(y->cols);
  starts[0] = 0;
  find_starts(&task, packed, 0, n, starts);
#pragma omp parallel default(none) shared(task, kernel, n, packed, values, y) \
    num_threads(hg_threads()) if (n * y->cols > HG_PARALLEL_FROM)
  {
    hg_off first, end;
    hg_block(n, omp_get_num_threads(), omp_get_thread_num(), &first, &end);
    kernel->unpack(&task, first, end, packed, values, y->data);
  }
}
