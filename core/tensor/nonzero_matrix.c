#include "core/tensor/nonzero_matrix.h"

#include <string.h>

#include "core/base/cpu.h"
#include "core/tensor/fetch_row.h"
#include "core/tensor/nonzero_kernels.h"

static const hg_nonzero_kernels *const kernels[HG_SIMD_COUNT] = {&hg_nonzero_base, &hg_nonzero_avx2,
                                                                 &hg_nonzero_avx512};

static hg_off lines(double bytes) { return ((hg_off)bytes + CACHE_LINE - 1) / CACHE_LINE * CACHE_LINE; }

static double row_bytes(int cols, double share)
{
  return (double)hg_nonzero_mask_bytes(cols) + share * cols * (double)sizeof(hg_real);
}

// gathering reads whole vectors, the last ones over the end of a row
size_t hg_nonzero_matrix_bytes(hg_off rows, int cols)
{
  return (size_t)(rows * lines(row_bytes(cols, 1))) + CACHE_LINE;
}

hg_nonzero_matrix hg_nonzero_matrix_of(uint8_t *data, hg_off rows, int cols, double share)
{
  hg_off all = lines(row_bytes(cols, 1)), some = lines(row_bytes(cols, share)) + CACHE_LINE; // its end is read over
  return (hg_nonzero_matrix){
      .rows = rows, .cols = cols, .stride = all, .fetched = (some < all ? some : all) / CACHE_LINE, .data = data};
}

void hg_nonzero_matrix_close(const hg_nonzero_matrix *m, hg_off first, const hg_matrix *x)
{
  kernels[hg_simd_level()]->close(m, first, x);
}

void hg_nonzero_matrix_open(const hg_nonzero_matrix *m, hg_off first, hg_matrix *x)
{
  kernels[hg_simd_level()]->open(m, first, x);
}

void hg_nonzero_matrix_clear(const hg_nonzero_matrix *m, hg_off first, hg_off end)
{
  size_t mask = hg_nonzero_mask_bytes(m->cols);
  for (hg_off i = first; i < end; i++) memset(m->data + i * m->stride, 0, mask);
}
