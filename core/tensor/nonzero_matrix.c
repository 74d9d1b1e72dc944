#include "core/tensor/nonzero_matrix.h"

#include <string.h>

#include "core/base/cpu.h"
#include "core/tensor/nonzero_kernels.h"

enum { LINE = 64 };

static const hg_nonzero_kernels *const kernels[HG_SIMD_COUNT] = {&hg_nonzero_base, &hg_nonzero_avx2,
                                                                 &hg_nonzero_avx512};

static hg_off stride_of(int cols, double share)
{
  double bytes = (double)hg_nonzero_mask_bytes(cols) + share * cols * (double)sizeof(hg_real);
  return ((hg_off)bytes + LINE - 1) / LINE * LINE;
}

// gathering reads whole vectors, the last ones over the end of a row
size_t hg_nonzero_matrix_bytes(hg_off rows, int cols, double share)
{
  return (size_t)(rows * stride_of(cols, share)) + LINE;
}

hg_nonzero_matrix hg_nonzero_matrix_of(const hg_matrix *x, double share, uint8_t *copy)
{
  hg_off stride = stride_of(x->cols, share),
         room = (stride - (hg_off)hg_nonzero_mask_bytes(x->cols)) / (hg_off)sizeof(hg_real);
  return (hg_nonzero_matrix){
      .rows = x->rows, .cols = x->cols, .room = (int)room, .stride = stride, .copy = copy, .whole = x->data};
}

void hg_nonzero_matrix_close(const hg_nonzero_matrix *m, hg_off first, hg_off n)
{
  kernels[hg_simd_level()]->close(m, first, first + n);
}

void hg_nonzero_matrix_forget(const hg_nonzero_matrix *m, hg_off first, hg_off n)
{
  const uint64_t word = HG_NOT_CLOSED;
  for (hg_off i = first; i < first + n; i++) memcpy(m->copy + i * m->stride, &word, sizeof word);
}
