#include "core/tensor/bf16.h"

#include <string.h>

#include "core/base/alloc.h"
#include "core/base/cpu.h"
#include "core/tensor/bf16_kernels.h"
#include "core/tensor/row_blocks.h"

static const hg_bf16_kernels *const kernels[HG_SIMD_COUNT] = {&hg_bf16_kernels_base, &hg_bf16_kernels_avx2,
                                                              &hg_bf16_kernels_avx512};

const hg_bf16_kernels *hg_bf16_kernels_here(void)
{
  return hg_simd_bf16() ? &hg_bf16_kernels_avx512bf16 : kernels[hg_simd_level()];
}

hg_status hg_bf16_matrix_create(hg_bf16_matrix *m, hg_off rows, int cols, const char *what)
{
  memset(m, 0, sizeof *m);
  hg_off count;
  if (__builtin_mul_overflow(rows, (hg_off)cols, &count))
    return hg_fail(HG_ERR_MEMORY, "%s: %lld x %d does not fit", what, (long long)rows, cols);
  hg_status rc = HG_ALLOC(m->data, count, what);
  if (rc != HG_OK) return rc;
  m->rows = rows;
  m->cols = cols;
  return HG_OK;
}

void hg_bf16_matrix_free(hg_bf16_matrix *m)
{
  hg_free(&m->data);
  m->rows = 0;
  m->cols = 0;
}

hg_bf16_matrix hg_bf16_matrix_rows(const hg_bf16_matrix *m, hg_off first, hg_off n)
{
  return hg_bf16_matrix_view(m->data + first * m->cols, n, m->cols);
}

hg_bf16_matrix hg_bf16_matrix_view(hg_bf16 *data, hg_off rows, int cols)
{
  return (hg_bf16_matrix){.rows = rows, .cols = cols, .data = data};
}

void hg_bf16_from_real(const hg_real *x, hg_off n, hg_bf16 *y) { hg_bf16_kernels_here()->from_real(x, n, y); }

void hg_bf16_to_real(const hg_bf16 *x, hg_off n, hg_real *y) { hg_bf16_kernels_here()->to_real(x, n, y); }

typedef struct {
  const hg_real *from;
  hg_bf16 *to;
} round_task;

static void round_some(const void *task, hg_off first, hg_off end)
{
  const round_task *t = task;
  hg_bf16_from_real(t->from + first, end - first, t->to + first);
}

void hg_bf16_round(const hg_matrix *x, hg_bf16_matrix *y)
{
  hg_off size = x->rows * x->cols;
  hg_over_threads(size, size, round_some, &(round_task){x->data, y->data});
}
