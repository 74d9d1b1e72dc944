#include "core/tensor/csr.h"

#include <inttypes.h>
#include <stdbool.h>
#include <string.h>

#include "core/base/alloc.h"

hg_status hg_csr_create(hg_csr *a, hg_off n_rows, hg_off n_cols, hg_off entries, bool with_values, const char *what)
{
  hg_status rc = HG_OK;
  memset(a, 0, sizeof *a);
  if (n_rows < 0 || n_cols < 0 || n_rows == INT64_MAX)
    return hg_fail(HG_ERR_MEMORY, "%s: cannot hold %" PRId64 " x %" PRId64 " rows and columns", what, n_rows, n_cols);
  HG_TRY(HG_ALLOC(a->indptr, n_rows + 1, what));
  HG_TRY(HG_ALLOC(a->indices, entries, what));
  if (with_values) HG_TRY(HG_ALLOC(a->values, entries, what));
  a->n_rows = n_rows;
  a->n_cols = n_cols;
done:
  if (rc != HG_OK) hg_csr_free(a);
  return rc;
}

void hg_csr_free(hg_csr *a)
{
  hg_free(&a->indptr);
  hg_free(&a->indices);
  hg_free(&a->values);
  memset(a, 0, sizeof *a);
}

hg_off hg_csr_entries(const hg_csr *a) { return a->indptr ? a->indptr[a->n_rows] : 0; }

// t->indptr[c] becomes the place of column c's first entry
static void count_columns(hg_csr *t, const hg_csr *a)
{
  hg_off entries = hg_csr_entries(a);
  for (hg_off e = 0; e < entries; e++) t->indptr[a->indices[e] + 1]++;
  for (hg_off c = 0; c < t->n_rows; c++) t->indptr[c + 1] += t->indptr[c];
}

// Rows are scanned upwards, so a transposed row lists its columns ascending. Each t->indptr[c] serves as the place of
// the next entry and ends at the start of c + 1.
static void place_entries(hg_csr *t, const hg_csr *a)
{
  for (hg_off i = 0; i < a->n_rows; i++) {
    for (hg_off e = a->indptr[i]; e < a->indptr[i + 1]; e++) {
      hg_off place = t->indptr[a->indices[e]]++;
      t->indices[place] = (hg_lid)i;
      if (a->values) t->values[place] = a->values[e];
    }
  }
  for (hg_off c = t->n_rows; c > 0; c--) t->indptr[c] = t->indptr[c - 1];
  t->indptr[0] = 0;
}

hg_status hg_csr_transpose(hg_csr *t, const hg_csr *a)
{
  hg_status rc = HG_OK;
  hg_off entries = hg_csr_entries(a);
  int32_t rows;
  memset(t, 0, sizeof *t);
  HG_TRY(hg_to_i32(&rows, a->n_rows, "rows of a matrix to transpose"));
  HG_TRY(hg_csr_create(t, a->n_cols, a->n_rows, entries, a->values != NULL, "transposed matrix"));
  count_columns(t, a);
  place_entries(t, a);
done:
  if (rc != HG_OK) hg_csr_free(t);
  return rc;
}

bool hg_csr_is_symmetric(const hg_csr *a, hg_off *places)
{
  if (a->n_rows != a->n_cols) return false;
  for (hg_off i = 0; i < a->n_rows; i++) places[i] = a->indptr[i];
  for (hg_off i = 0; i < a->n_rows; i++) // row j's next entry must be i, since rows come in ascending order
    for (hg_off e = a->indptr[i]; e < a->indptr[i + 1]; e++) {
      hg_lid j = a->indices[e];
      if (places[j] == a->indptr[j + 1] || a->indices[places[j]++] != i) return false;
    }
  return true;
}

hg_status hg_csr_check(const hg_csr *a)
{
  if (!a->indptr || !a->indices || a->n_rows < 0 || a->n_cols < 0)
    return hg_fail(HG_ERR_INTERNAL, "matrix without arrays");
  if (a->indptr[0] != 0) return hg_fail(HG_ERR_INTERNAL, "row pointers start at %" PRId64 ", not 0", a->indptr[0]);
  for (hg_off i = 0; i < a->n_rows; i++)
    if (a->indptr[i + 1] < a->indptr[i])
      return hg_fail(HG_ERR_INTERNAL, "row pointer %" PRId64 " falls from %" PRId64 " to %" PRId64, i + 1, a->indptr[i],
                     a->indptr[i + 1]);
  hg_off entries = hg_csr_entries(a);
  for (hg_off e = 0; e < entries; e++)
    if (a->indices[e] < 0 || a->indices[e] >= a->n_cols)
      return hg_fail(HG_ERR_INTERNAL, "entry %" PRId64 " has column %" PRId32 ", expected 0 to %" PRId64, e,
                     a->indices[e], a->n_cols - 1);
  return HG_OK;
}
