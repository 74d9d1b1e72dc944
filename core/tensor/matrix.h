#pragma once
#include "core/base/types.h"

/** Dense matrix, row-major without gaps: element (i, k) is data[i * cols + k]. */
typedef struct {
  hg_off rows;
  int cols;
  hg_real *data; ///< [rows x cols], owned by who called hg_matrix_create; a view borrows it
} hg_matrix;

/** Zeroed rows x cols matrix; `what` names it when memory is short. */
hg_status hg_matrix_create(hg_matrix *m, hg_off rows, int cols, const char *what);

/** Frees the data (not for views) and zeroes the struct. */
void hg_matrix_free(hg_matrix *m);

/** Rows [first, first + n) of m, as a view. */
hg_matrix hg_matrix_rows(const hg_matrix *m, hg_off first, hg_off n);

/** A view of `data` as rows x cols. */
hg_matrix hg_matrix_view(hg_real *data, hg_off rows, int cols);
