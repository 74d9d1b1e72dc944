#include "core/tensor/matrix.h"

#include <string.h>

#include "core/base/alloc.h"

hg_status hg_matrix_create(hg_matrix *m, hg_off rows, int cols, const char *what)
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

void hg_matrix_free(hg_matrix *m)
{
  hg_free(&m->data);
  m->rows = 0;
  m->cols = 0;
}

hg_matrix hg_matrix_rows(const hg_matrix *m, hg_off first, hg_off n)
{
  return hg_matrix_view(m->data + first * m->cols, n, m->cols);
}

hg_matrix hg_matrix_view(hg_real *data, hg_off rows, int cols)
{
  return (hg_matrix){.rows = rows, .cols = cols, .data = data};
}
