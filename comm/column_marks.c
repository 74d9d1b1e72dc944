#include "comm/column_marks.h"

#include "core/base/alloc.h"

hg_status hg_column_marks_create(hg_column_marks *marks, const hg_csr *a)
{
  hg_status rc = HG_OK;
  hg_off words = a->n_cols / 64 + 1;
  *marks = (hg_column_marks){0};
  HG_TRY(HG_ALLOC(marks->bits, words, "columns"));
  HG_TRY(HG_ALLOC(marks->before, words, "columns"));
  for (hg_off e = 0; e < a->indptr[a->n_rows]; e++)
    marks->bits[a->indices[e] >> 6] |= (uint64_t)1 << (a->indices[e] & 63);
  for (hg_off w = 0; w < words; w++) {
    marks->before[w] = marks->count;
    marks->count += (hg_lid)__builtin_popcountll(marks->bits[w]);
  }
done:
  if (rc != HG_OK) hg_column_marks_free(marks);
  return rc;
}

void hg_column_marks_free(hg_column_marks *marks)
{
  hg_free(&marks->bits);
  hg_free(&marks->before);
}

void hg_column_marks_list(const hg_column_marks *marks, hg_off n_cols, hg_lid *columns)
{
  hg_off count = 0;
  for (hg_off w = 0; w < n_cols / 64 + 1; w++)
    for (uint64_t left = marks->bits[w]; left; left &= left - 1)
      columns[count++] = (hg_lid)(w * 64 + __builtin_ctzll(left));
}
