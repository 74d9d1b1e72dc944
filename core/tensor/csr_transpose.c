#include <omp.h>
#include <string.h>

#include "core/base/threads.h"
#include "core/tensor/csr.h"
#include "core/tensor/row_blocks.h"

// how often each column occurs in rows [first, end)
static void count(const hg_csr *a, hg_off first, hg_off end, hg_off *restrict counts)
{
  memset(counts, 0, (size_t)a->n_cols * sizeof *counts);
  for (hg_off e = a->indptr[first]; e < a->indptr[end]; e++) counts[a->indices[e]]++;
}

// Counts of the pieces become the places of their first entries: column after column, in it piece after piece.
static void counts_to_places(hg_csr *t, hg_off *places, int pieces)
{
  hg_off at = 0;
  for (hg_off c = 0; c < t->n_rows; c++) {
    t->indptr[c] = at;
    for (int p = 0; p < pieces; p++) {
      hg_off n = places[p * t->n_rows + c];
      places[p * t->n_rows + c] = at;
      at += n;
    }
  }
  t->indptr[t->n_rows] = at;
}

static void place(hg_csr *t, const hg_csr *a, hg_off first, hg_off end, hg_off *restrict places)
{
  for (hg_off i = first; i < end; i++) {
    for (hg_off e = a->indptr[i]; e < a->indptr[i + 1]; e++) {
      hg_off to = places[a->indices[e]]++;
      t->indices[to] = (hg_lid)i;
      t->values[to] = a->values[e];
    }
  }
}

void hg_csr_transpose_into(hg_csr *t, const hg_csr *a, hg_off *places)
{
  int pieces = hg_threads() < HG_TRANSPOSE_PIECES ? hg_threads() : HG_TRANSPOSE_PIECES;
  if (hg_csr_entries(a) <= HG_PARALLEL_FROM) pieces = 1;
  t->n_rows = a->n_cols;
  t->n_cols = a->n_rows;
#pragma omp parallel for schedule(static) default(none) shared(t, a, places, pieces) \
    num_threads(hg_threads()) if (pieces > 1)
  for (int p = 0; p < pieces; p++)
    count(a, hg_row_piece(a->indptr, 0, a->n_rows, pieces, p), hg_row_piece(a->indptr, 0, a->n_rows, pieces, p + 1),
          places + p * a->n_cols);
  counts_to_places(t, places, pieces);
#pragma omp parallel for schedule(static) default(none) shared(t, a, places, pieces) \
    num_threads(hg_threads()) if (pieces > 1)
  for (int p = 0; p < pieces; p++)
    place(t, a, hg_row_piece(a->indptr, 0, a->n_rows, pieces, p), hg_row_piece(a->indptr, 0, a->n_rows, pieces, p + 1),
          places + p * a->n_cols);
}
